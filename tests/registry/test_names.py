"""Names: what is registered is found, what is not is told with the nearest word, options are the signature."""

from __future__ import annotations

from typing import Literal

import pytest

from registry.errors import UnknownNameError, UsageError
from registry.names import Registry


@pytest.fixture
def shape() -> Registry:
    registry: Registry = Registry("shape")

    @registry
    def circle(data: bytes, *, radius: float = 1.0, style: Literal["thin", "thick"] = "thin") -> str:
        return f"{style} {radius}"

    @registry("box", "square")
    def draw_square(data: bytes) -> str:
        return "square"

    return registry


def test_a_function_is_known_under_its_own_name_or_the_names_it_is_given(shape: Registry) -> None:
    assert list(shape) == ["box", "circle", "square"]
    assert shape.get("circle")(b"", radius=2.0) == "thin 2.0"
    assert shape.get("box") is shape.get("square")


def test_an_unknown_name_tells_the_nearest(shape: Registry) -> None:
    with pytest.raises(UnknownNameError, match=r"there is no shape 'cirle'; did you mean circle\?"):
        shape.get("cirle")


def test_two_functions_cannot_have_one_name(shape: Registry) -> None:
    with pytest.raises(UsageError, match="two shapes are called 'circle'"):

        @shape
        def circle(data: bytes) -> str:
            return "another"


def test_the_same_function_may_be_registered_again(shape: Registry) -> None:
    shape(shape.get("circle"))


def test_a_lazy_target_is_imported_when_it_is_asked_for(shape: Registry) -> None:
    shape.lazy("joined", "posixpath:join")
    assert "joined" in shape
    assert shape.get("joined")("a", "b") == "a/b"


def test_options_are_the_keyword_parameters(shape: Registry) -> None:
    options = shape.options("circle")
    assert {name: option.default for name, option in options.items()} == {"radius": 1.0, "style": "thin"}
    assert options["radius"].annotation is float


def test_options_are_checked_by_name_and_type(shape: Registry) -> None:
    assert shape.check("circle", {"radius": 2, "style": "thick"}) == {"radius": 2.0, "style": "thick"}
    with pytest.raises(UsageError, match=r"no option 'radus'; did you mean radius\?"):
        shape.check("circle", {"radus": 2})
    with pytest.raises(UsageError, match=r"option 'radius' .* got 'wide'"):
        shape.check("circle", {"radius": "wide"})
    with pytest.raises(UsageError, match="option 'style'"):
        shape.check("circle", {"style": "dotted"})
    with pytest.raises(UsageError, match="it has none"):
        shape.check("box", {"radius": 2})
