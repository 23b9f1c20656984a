"""How work is cut into tasks: balanced, by the items alone, and so that a change moves few cuts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages import batches, lasting_batches, task_bytes

MB = 1 << 20
sizes = st.lists(st.integers(0, 3 * MB), max_size=200)


def pairs(numbers: list[int]) -> list[tuple[tuple[str, int], int]]:
    return [((f"key {number}", size), size) for number, size in enumerate(numbers)]


@settings(max_examples=50)
@given(sizes)
def test_every_item_is_in_one_batch_in_its_order_and_none_is_too_large(numbers: list[int]) -> None:
    items = pairs(numbers)
    target = task_bytes(sum(numbers), MB)
    for cut in (batches(items, MB), lasting_batches(items, MB)):
        made = list(cut)
        assert [item for batch in made for item in batch] == items
        assert all(len(batch) == 1 or sum(size for _, size in batch) <= target for batch in made)


def test_batches_that_last_are_filled_by_half_at_least() -> None:
    made = list(lasting_batches(pairs([1000] * 5000), 64 << 10))
    assert all(sum(size for _, size in batch) >= 31 << 10 for batch in made[:-1])


def test_an_item_more_or_less_changes_few_batches() -> None:
    items = pairs([700 + 13 * (n % 97) for n in range(4000)])
    before = {tuple(batch) for batch in lasting_batches(items, 64 << 10)}
    for place in (0, 1234, 3999):
        without = {tuple(batch) for batch in lasting_batches(items[:place] + items[place + 1 :], 64 << 10)}
        more = {
            tuple(batch) for batch in lasting_batches([*items[:place], (("new", 1), 900), *items[place:]], 64 << 10)
        }
        assert len(without - before) <= 6
        assert len(more - before) <= 6
    assert len(before) > 50


def test_the_size_of_tasks_grows_with_the_corpus_up_to_what_the_recipe_says() -> None:
    assert task_bytes(1, 64 * MB) == 256 << 10
    assert task_bytes(1 << 30, 64 * MB) == 16 * MB
    assert task_bytes(1 << 40, 64 * MB) == 64 * MB
    assert task_bytes(1 << 40, 1000) == 1000
