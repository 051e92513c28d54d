"""Sizes for the axes that a model leaves open, as commands take them."""

from typing import Annotated

import typer

from inferproof.models.axes import Axes

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


def axes_of(batch: int, shapes: list[str] | None) -> Axes:
    """The sizes that were given. Raises: BadParameter."""
    named: dict[str, int] = {}
    for text in shapes or ():
        name, _, size = text.rpartition("=")
        if not name or not size.isdecimal() or not 1 <= int(size[:11]) <= LARGEST:
            raise typer.BadParameter(f"--shape takes NAME=SIZE, such as tokens=64, not {text}")
        if name in named:
            raise typer.BadParameter(f"--shape gives {name} twice")
        named[name] = int(size)
    return Axes(batch, named)
