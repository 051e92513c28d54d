"""`inferproof model fix`: a model file with the mechanical ways out applied, and what changed."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from inferproof.cli.axes import BatchOption, ShapeOption, axes_of
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, progress
from inferproof.cli.files import check_writable, write_file
from inferproof.cli.samples import Calibration, RangeOption, check_samples
from inferproof.models.arrays import read_arrays, stacked
from inferproof.models.loaded import LoadedModel

SAMPLES = 16
"""Inputs that both models are run on: a rewriting that is wrong is wrong nearly everywhere."""


def fix(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An ONNX file.")],
    fixed: Annotated[Path, typer.Option("--out", help="Where the fixed model is written.")],
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", help="An output to keep; all without it. May be repeated."),
    ] = None,
    calibration: Calibration = None,
    ranges: RangeOption = None,
    batch: BatchOption = 1,
    shape: ShapeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a model as it is compiled, say what changed, and by how much the outputs differ.

    Its open axes are fixed, functions and control flow written out, constants are computed,
    classical operators written with those of ONNX, dictionaries are tensors, and what no output
    needs is gone. Without samples or ranges, both models are compared on random inputs.
    """
    from inferproof.models.comparing import compare_with_file
    from inferproof.models.fixing import fix_model

    check_samples(calibration, ranges)
    axes = axes_of(batch, shape)
    with failures(as_json=as_json):
        check_writable(fixed)
        with progress("fixing") as report:
            report("reading the model", 0.1)
            done = fix_model(file, keep or (), axes=axes)
            report("comparing outputs", 0.5)
            samples = _samples(done.model, calibration, ranges)
            differences = compare_with_file(file, done.model, samples)
        write_file(fixed, done.model.onnx)
    if as_json:
        told = [asdict(item) | {"why_not": item.why_not or None} for item in differences]
        print_json({"out": str(fixed), "changes": list(done.changes), "outputs": told})
        return
    for change in done.changes or ("nothing: it was in this form",):
        out.print(f"[bold]changed[/] {plain(change)}")
    for item in differences:
        near = item.why_not or f"{item.difference:.3g}, where the largest is {item.largest:.4g}"
        out.print(f"[bold]differs[/] {plain(item.name)}: {plain(near)}")
    out.print(f"written to {plain(fixed)}")


def _samples(
    model: LoadedModel, calibration: Path | None, ranges: list[str] | None
) -> dict[str, Any]:
    """A few samples in the model's shapes. Raises: as `read_arrays` and `drawn`."""
    from inferproof.models.drawing import drawn, parse_ranges

    if calibration is None:
        # Truth values and places in tables have ranges of their own.
        known = parse_ranges(ranges) if ranges else {"": (0.0, 1.0)}
        return drawn(model, known, SAMPLES)
    given = read_arrays(calibration)
    shapes = {spec.name: spec.shape for spec in model.inputs}
    return {
        name: stacked(array, shapes[name])[:SAMPLES] if name in shapes else array
        for name, array in given.items()
    }
