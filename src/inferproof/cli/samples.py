"""Calibration samples as commands take them: a file, or ranges from which they are drawn."""

from pathlib import Path
from typing import Annotated, Any

import typer

from inferproof.cli.console import err
from inferproof.models.arrays import read_arrays
from inferproof.models.axes import Axes
from inferproof.models.loaded import LoadedModel

Calibration = Annotated[
    Path | None,
    typer.Option(
        help="An .npz with one array per graph input, samples stacked along a new first axis, or "
        "along the batch axis."
    ),
]
RangeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        metavar="[NAME=]LOW:HIGH",
        help="In place of a calibration file: draw the samples of an input, or of all, evenly "
        "from this range. May be repeated.",
    ),
]
DRAWN_NOTE = (
    "calibrated on inputs drawn from the declared ranges: samples of real inputs make a model "
    "more exact, and its reported error says more"
)


def check_samples(calibration: Path | None, ranges: list[str] | None) -> None:
    """Returns when at most one of the two is given. Raises: BadParameter."""
    if calibration is not None and ranges:
        raise typer.BadParameter("--calibration and --range exclude each other")


def samples_of(model: LoadedModel, ranges: list[str] | None) -> dict[str, Any]:
    """Samples drawn from the ranges. Raises: InputRejected RANGE_MALFORMED, CALIBRATION_WANTED."""
    from inferproof.models.drawing import drawn, parse_ranges

    return drawn(model, parse_ranges(ranges or ()))


def read_or_draw(
    model: Path, calibration: Path | None, ranges: list[str] | None, axes: Axes
) -> dict[str, Any]:
    """The samples of the file, or such as are drawn for the model.

    Raises: as `read_arrays`, `load_model` and `samples_of`.
    """
    if calibration is not None:
        return read_arrays(calibration)
    from inferproof.models.load import load_model

    drawn = samples_of(load_model(model, axes=axes), ranges)
    err.print(f"[yellow]note[/] {DRAWN_NOTE}")
    return drawn
