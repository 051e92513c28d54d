"""Calibration samples as commands take them: a file, or ranges from which they are drawn."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import err
from inferproof.models.arrays import read_arrays
from inferproof.models.loaded import LoadedModel
from inferproof.types.tensor import TensorSpec

if TYPE_CHECKING:
    from inferproof.inference.preprocess import Features

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
    from inferproof.models.drawing import drawn, parse_ranges, wanted

    if model.preprocessing is not None:
        raise wanted(raw_inputs(model))  # texts have no range
    return drawn(model, parse_ranges(ranges or ()))


def graph_samples(model: LoadedModel, arrays: dict[str, Any]) -> dict[str, Any]:
    """A calibration file's samples as the graph's inputs: as they are, or what the model's own
    steps make of texts. Raises: as `sample_tensors`."""
    if model.preprocessing is None:
        return arrays
    from inferproof.inference.preprocess.features import sample_tensors

    return dict(sample_tensors(features_of(model.preprocessing), arrays))


def raw_inputs(model: LoadedModel) -> tuple[TensorSpec, ...]:
    """What a file of inputs holds: the graph's inputs, or the texts and numbers before them."""
    if model.preprocessing is None:
        return model.inputs
    return features_of(model.preprocessing).specs()


def features_of(canonical: dict[str, Any]) -> "Features":
    """The steps that make a model's inputs of texts."""
    from inferproof.inference.preprocess import Preprocessing
    from inferproof.inference.preprocess.features import Features

    spec = Preprocessing.from_canonical(canonical).spec
    assert isinstance(spec, Features)  # noqa: S101 - its kind was looked at
    return spec


def public_steps(model: LoadedModel) -> list[str]:
    """A line for each table that is public: in the pre-processing, and so in the bundle."""
    lines = []
    for step in (model.preprocessing or {}).get("steps", []):
        words = step.get("known") or step.get("pool") or step.get("stop")
        if words:
            told = ", ".join(words[:8]) + (", …" if len(words) > 8 else "")
            lines.append(f"{step['do']} of {step['read'][0]}: {len(words)} texts: {told}")
    return lines


def read_or_draw(
    model: LoadedModel, calibration: Path | None, ranges: list[str] | None
) -> dict[str, Any]:
    """The samples of the file, or such as are drawn for the model.

    Raises: as `read_arrays`, `graph_samples` and `samples_of`.
    """
    if calibration is not None:
        return graph_samples(model, read_arrays(calibration))
    drawn = samples_of(model, ranges)
    err.print(f"[yellow]note[/] {DRAWN_NOTE}")
    return drawn
