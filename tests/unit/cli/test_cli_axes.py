"""Sizes for open axes as commands take them."""

import pytest
import typer

from inferproof.cli.axes import axes_of
from inferproof.models.axes import Axes


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
