"""Sizes for the axes that a model leaves open, as commands take them."""

from typing import Annotated

import typer

from inferproof.models.axes import Axes, Choice, choices

LARGEST = 2**31 - 1
BatchOption = Annotated[
    int,
    typer.Option(
        "--batch",
        min=1,
        max=LARGEST,
        help="How many samples go in at once, where the model leaves that open.",
    ),
]
ShapeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="NAME=SIZE",
        help="The size of an axis that the model leaves open, by the axis's name, such as "
        "tokens=64. May be repeated.",
    ),
]


ShapesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="NAME=SIZE[,SIZE]",
        help="The size of an axis that the model leaves open, by the axis's name, such as "
        "tokens=64. May be repeated. Of several sizes, such as tokens=16,64,128, each is compiled "
        "into a folder of its own in --out, and calibration samples are cut to the first values "
        "that it takes.",
    ),
]


def axes_of(batch: int, shapes: list[str] | None) -> Axes:
    """The sizes that were given, one for each axis. Raises: BadParameter."""
    return choices(batch, _sizes(shapes, several=False))[0].axes


def choices_of(batch: int, shapes: list[str] | None) -> tuple[Choice, ...]:
    """The choices among the sizes that were given. Raises: BadParameter."""
    try:
        return choices(batch, _sizes(shapes, several=True))
    except ValueError as error:
        raise typer.BadParameter(f"--shape: {error}") from None


def _sizes(shapes: list[str] | None, *, several: bool) -> dict[str, int | list[int]]:
    named: dict[str, int | list[int]] = {}
    for text in shapes or ():
        name, _, told = text.rpartition("=")
        sizes = told.split(",") if several else [told]
        if not name or not all(map(_is_size, sizes)):
            raise typer.BadParameter(f"--shape takes NAME=SIZE, such as tokens=64, not {text}")
        if name in named:
            raise typer.BadParameter(f"--shape gives {name} twice")
        named[name] = int(told) if len(sizes) == 1 else list(map(int, sizes))
    return named


def _is_size(text: str) -> bool:
    return text.isdecimal() and 1 <= int(text[:11]) <= LARGEST
