"""The sandbox: a parser that crashes, hangs, eats memory or raises costs its own input and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.extract import Part, Raw
from pipelines.extract.sandbox import Sandbox
from registry.errors import InputError

HERE = Path(__file__).parent


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    (tmp_path / "sitecustomize.py").write_text(
        "from registry.names import extractor; extractor.lazy('hostile', 'hostile:extract')"
    )
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{tmp_path}")
    with Sandbox(tmp_path / "log", seconds=2.0, memory=2 << 30) as running:
        yield running


def read(sandbox: Sandbox, tmp_path: Path, deed: str = "") -> list[Part]:
    raw = Raw(tmp_path / "input", "input", "news", "text/plain")
    return list(sandbox.extract(raw, "hostile", {"deed": deed}))  # type: ignore[arg-type]


def test_one_process_serves_many_inputs(sandbox: Sandbox, tmp_path: Path) -> None:
    assert read(sandbox, tmp_path) == read(sandbox, tmp_path)


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("crash", "crashed: the parser died with status -11"),
        ("hang", "timeout: no answer within 2 s"),
        ("eat", "memory: more than the limit"),
        ("raise", "broken: ValueError in the hostile parser"),
        ("recurse", "too_deep"),
        ("refuse", "encrypted: needs a password"),
        ("fill", "unreadable: File too large"),
    ],
)
def test_a_fault_is_a_reason_and_the_next_input_is_read(
    sandbox: Sandbox, tmp_path: Path, deed: str, reason: str
) -> None:
    read(sandbox, tmp_path)
    with pytest.raises(InputError, match=reason) as error:
        read(sandbox, tmp_path, deed)
    assert "secret" not in str(error.value)
    assert len(read(sandbox, tmp_path)) == 1


def test_what_came_before_a_fault_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    raw = Raw(tmp_path / "input", "input", "news", "text/plain")
    found = sandbox.extract(raw, "hostile", {"deed": "crash"})
    assert next(found).part == "first"
    with pytest.raises(InputError, match="crashed"):
        next(found)


def test_lone_surrogates_come_through(sandbox: Sandbox, tmp_path: Path) -> None:
    assert read(sandbox, tmp_path, "surrogate")[1].text == "\ud800ok"
