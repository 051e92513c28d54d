"""`inferproof model inspect`: what a model file is, and what proving it would cost and lose."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.table import Table

from inferproof.cli.audit import audit, open_model
from inferproof.cli.axes import BatchOption, ShapeOption, axes_of
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, print_table, progress
from inferproof.cli.files import DATA_DIR, DataDir, check_writable, write_file
from inferproof.cli.fix import fix
from inferproof.cli.layers import show_layers
from inferproof.cli.picture import drawn_graph
from inferproof.cli.samples import (
    RangeOption,
    check_samples,
    graph_samples,
    public_steps,
    raw_inputs,
    samples_of,
)
from inferproof.errors import InputRejected, ModelRejected, Reason
from inferproof.models.arrays import read_arrays
from inferproof.models.axes import Axes
from inferproof.models.drawing import wanted
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.models.preflight import PreflightReport, Quantised, SystemProbe, preflight
from inferproof.proving.base import CompileRequest, Evaluator, ProofSystem
from inferproof.proving.costs import FILE as COSTS
from inferproof.proving.openings import PassingOpenings
from inferproof.proving.registry import get_system, known_systems

LABELS = "labels"
MAX_SAMPLES = 64
"""Samples that are run through the quantised model: enough to see an error, few enough to wait."""


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(
        help="Look at model files, and open what was compiled.", no_args_is_help=True
    )
    group.command("inspect")(inspect)
    group.command("fix")(fix)
    group.command("open")(open_model)
    group.command("audit")(audit)
    app.add_typer(group, name="model")


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An ONNX file.")],
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="An .npz with one array per graph input, samples stacked along a new first "
            "axis, or along the batch axis; an array named labels adds accuracy. Without it: no "
            "ranges, no agreement."
        ),
    ] = None,
    ranges: RangeOption = None,
    batch: BatchOption = 1,
    shape: ShapeOption = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Draw the graph into this file too, as a picture.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: JsonFlag = False,
) -> None:
    """Report operators, shapes, ranges, accuracy, and what each proof system says to a model."""
    check_samples(calibration, ranges)
    axes = axes_of(batch, shape)
    with failures(as_json=as_json):
        if svg is not None:
            check_writable(svg)
        with progress("reading the model") as report:
            model = load_model(file, axes=axes)
            arrays = read_arrays(calibration) if calibration is not None else None
            labels = _labels(arrays)
            if ranges:
                arrays = samples_of(model, ranges)
            elif arrays is not None:
                arrays = graph_samples(model, arrays)
            if arrays is not None and labels is not None:
                # What calibration adds to samples of texts has no label.
                arrays = {name: array[: len(labels)] for name, array in arrays.items()}
            # What is compiled to be measured is never proven with: its key counts nowhere.
            passing, costs = PassingOpenings(), data_dir / COSTS
            systems = [get_system(n, None, costs, lambda _at: passing) for n in known_systems()]
            probes = {each.name: _probe(each, file, axes, report) for each in systems}
            found = preflight(model, probes, _first(arrays), labels)
            if svg is not None:
                write_file(svg, drawn_graph(found).encode())
        if as_json:
            print_json(found.to_json())
        else:
            _show(found)
            if arrays is None:
                out.print(plain(wanted(raw_inputs(model)).message))


def _labels(arrays: dict[str, Any] | None) -> npt.NDArray[np.int64] | None:
    labels = arrays.pop(LABELS, None) if arrays is not None else None
    if labels is None:
        return None
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputRejected(Reason.LABELS_MALFORMED, shape=list(labels.shape), dtype=labels.dtype)
    return np.asarray(labels[:MAX_SAMPLES], dtype=np.int64)


def _first(arrays: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if arrays is None else {name: a[:MAX_SAMPLES] for name, a in arrays.items()}


def _probe(system: ProofSystem, file: Path, axes: Axes, report: Any) -> SystemProbe:
    def quantise(_model: LoadedModel, calibration: dict[str, Any]) -> Quantised:
        with tempfile.TemporaryDirectory(prefix="inferproof-inspect-") as scratch:
            folder = Path(scratch) / "compiled"
            request = CompileRequest(file, calibration, folder, explain=True, axes=axes)
            try:
                made = system.compile(request, report)
            except ModelRejected as error:
                if error.reason is not Reason.CIRCUIT_INACCURATE:
                    raise
                # The report is to say how far off it is, not to refuse: a bound that always holds.
                made = system.compile(replace(request, max_error=1.0), report)
            outputs = evaluator.evaluate(folder, calibration)
            return Quantised(outputs, system.estimate(folder), made.layers)

    if not isinstance(system, Evaluator):
        return SystemProbe(supports=system.supports)
    evaluator: Evaluator = system
    return SystemProbe(supports=system.supports, quantise=quantise)


def _show(found: PreflightReport) -> None:
    model = found.model
    facts = {
        "inputs": ", ".join(f"{s.name} {list(s.shape)} {s.dtype}" for s in model.inputs),
        "outputs": ", ".join(f"{s.name} {list(s.shape)} {s.dtype}" for s in model.outputs),
        "open axes": ", ".join(
            f"{item.name} = {item.size} (dimension {item.axis} of {item.input})"
            for item in model.open_axes
        ),
        "reshaped": ", ".join(model.reshaped),
        "notes": "; ".join(model.notes),
        **{f"names in {s.name}": ", ".join(s.labels[:32]) for s in model.outputs if s.labels},
        "opset": str(model.opset),
        "parameters": f"{model.parameters:,}",
        "multiply-adds": f"{model.multiply_adds:,}",
        "graph digest": model.graph_digest.hex,
        "weights digest": model.weights_digest.hex,
    }
    for name, text in facts.items():
        if not text:
            continue
        out.print(f"[bold]{name:15}[/] {plain(text)}")
    for line in public_steps(model):
        out.print(f"[bold]public[/]          {plain(line)}")
    operators = Table("operator", "nodes", *(s.system for s in found.systems), box=None)
    for name, count in model.operators:
        marks = ["[red]no[/]" if name in s.unsupported else "yes" for s in found.systems]
        operators.add_row(plain(name), str(count), *marks)
    print_table(operators)
    layered = [system for system in found.systems if system.layers]
    for system in layered:
        show_layers(found, system)
    if found.ranges and not layered:
        ranges = Table("value", "least", "most", box=None)
        for seen in found.ranges:
            ranges.add_row(plain(seen.name), f"{seen.low:.4g}", f"{seen.high:.4g}")
        print_table(ranges)
    for system in found.systems:
        _show_system(system)


def _show_system(system: Any) -> None:
    if system.refused is not None:
        told = plain(f"{system.refused['reason']} {system.refused['message']}")
        out.print(f"[bold]{system.system}[/] cannot take it: {told}")
        return
    if not system.supported:
        lacking = plain(", ".join(system.unsupported))
        out.print(f"[bold]{system.system}[/] cannot prove it: {lacking}")
        return
    if system.estimate is None:
        out.print(f"[bold]{system.system}[/] takes its operators; give --calibration for costs")
        return
    cost, near = system.estimate, system.agreement
    out.print(
        f"[bold]{system.system}[/] prove {_duration(cost['prove_s'])}, verify "
        f"{cost['verify_s'] * 1e3:.0f} ms, memory {cost['peak_bytes'] / 1e6:.0f} MB, keys "
        f"{cost['key_bytes'] / 1e6:.1f} MB, proof {cost['proof_bytes']:,} bytes, "
        + (
            f"verification on chain {cost['verify_gas']:,} gas"
            if cost["verify_gas"]
            else "no contract verifies it"
        )
    )
    if near is None:
        return
    choice = "" if near.same_choice is None else f", same choice {near.same_choice:.1%}"
    out.print(
        f"  quantised against float: largest error {near.max_error:.3g} "
        f"({near.relative_error:.2%} of the largest output){choice}"
    )
    if near.float_accuracy is not None and near.quantised_accuracy is not None:
        out.print(
            f"  accuracy: float {near.float_accuracy:.1%}, quantised {near.quantised_accuracy:.1%}"
        )


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"
