"""Sizes for open axes as commands take them."""

import pytest
import typer

from inferproof.cli.axes import axes_of, choices_of
from inferproof.models.axes import Axes, Choice


def test_sizes_by_name():
    assert axes_of(1, None) == Axes()
    assert axes_of(4, ["tokens=64", "a = b=2"]) == Axes(4, {"tokens": 64, "a = b": 2})


@pytest.mark.parametrize(
    "text",
    [
        "tokens",
        "tokens=",
        "=4",
        "tokens=0",
        "tokens=-1",
        "t=1.5",
        "t=²",
        "t=2147483648",
        "t=" + "9" * 40,
    ],
)
def test_what_is_no_size(text: str):
    with pytest.raises(typer.BadParameter, match="--shape takes NAME=SIZE"):
        axes_of(1, [text])


def test_one_name_twice():
    with pytest.raises(typer.BadParameter, match="--shape gives tokens twice"):
        axes_of(1, ["tokens=4", "tokens=5"])


def test_several_sizes_of_one_axis():
    assert choices_of(2, ["tokens=4,8", "heads=3"]) == (
        Choice(Axes(2, {"tokens": 4, "heads": 3}), ("tokens",)),
        Choice(Axes(2, {"tokens": 8, "heads": 3}), ("tokens",)),
    )
    assert choices_of(1, None) == (Choice(),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tokens=4,4", "--shape: an axis has no size, or one of them twice"),
        ("tokens=4,", "--shape takes NAME=SIZE, such as tokens=64, not tokens=4,"),
        ("t=" + ",".join(map(str, range(1, 18))), "--shape: these sizes make more than 16 models"),
    ],
)
def test_sizes_that_are_no_list(text: str, why: str):
    with pytest.raises(typer.BadParameter) as told:
        choices_of(1, [text])
    assert str(told.value) == why


def test_several_sizes_where_one_is_wanted():
    with pytest.raises(typer.BadParameter, match="--shape takes NAME=SIZE"):
        axes_of(1, ["tokens=4,8"])
