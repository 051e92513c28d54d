"""The layers of a model as a table: shapes, ranges, where accuracy is lost and time is spent."""

import math
from dataclasses import dataclass

from rich.table import Table

from inferproof.cli.console import out, plain, print_table
from inferproof.models.measure import ValueRange
from inferproof.models.preflight import PreflightReport, SystemReport
from inferproof.types.layer import QuantisedLayer, weakest

MOST_ROWS = 200
"""Of a longer table those rows are shown that lose or cost most."""


@dataclass(frozen=True, slots=True)
class LayerText:
    """What is shown of one layer."""

    shape: str
    exact: str
    quantised: str
    error: str
    share: str


def text_of(
    layer: QuantisedLayer, shapes: dict[str, tuple[int, ...]], ranges: dict[str, ValueRange]
) -> LayerText:
    """The layer in words and numbers. `ranges` are those of the float model."""
    seen = ranges.get(layer.value)
    added = "" if not layer.added else f" (+{percent(layer.added)})"
    return LayerText(
        shape=shape_text(shapes.get(layer.value, ())),
        exact="" if seen is None else f"{seen.low:.4g} … {seen.high:.4g}",
        quantised=f"{layer.low:.4g} … {layer.high:.4g}, {layer.bits} bits",
        error="–" if layer.error is None else f"{percent(layer.error)}{added}",
        share=f"{layer.share:.1%}",
    )


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as it is written: 1×3×8×8."""
    return "×".join(map(str, shape)) or "one number"


def percent(share: float) -> str:
    """A share in percent with two significant digits, however small."""
    if share == 0:
        return "0%"
    digits = max(0, 1 - math.floor(math.log10(share * 100)))
    return f"{share * 100:.{digits}f}%"


def shapes_of(found: PreflightReport) -> dict[str, tuple[int, ...]]:
    """The shape of every value of the model."""
    return {spec.name: spec.shape for spec in (*found.model.inputs, *found.model.values)}


def show_layers(found: PreflightReport, system: SystemReport) -> None:
    """Prints the layers of the model as the proof system quantises them."""
    ranges = {seen.name: seen for seen in found.ranges}
    for spec in found.model.inputs:
        seen = ranges[spec.name]
        out.print(f"[bold]input[/] {plain(spec.name)} from {seen.low:.4g} to {seen.high:.4g}")
    shown = most_telling(system.layers)
    shapes = shapes_of(found)
    table = Table(
        *("node", "operator", "output", "shape", "float range", "quantised range"),
        *("error (added)", "work"),
        box=None,
    )
    for layer in shown:
        text = text_of(layer, shapes, ranges)
        table.add_row(
            *(str(layer.node), plain(layer.operator), plain(layer.value), text.shape),
            *(text.exact, text.quantised, text.error, text.share),
        )
    print_table(table)
    left = len(system.layers) - len(shown)
    if left:
        out.print(f"and {left} layers that lose and cost less; --json tells all")
    worst = weakest(system.layers)
    if worst is not None and worst.added is not None:
        out.print(
            f"most accuracy is lost at node {worst.node} ({plain(worst.operator)}): "
            f"{percent(worst.added)} of its largest value"
        )


def most_telling(layers: tuple[QuantisedLayer, ...]) -> tuple[QuantisedLayer, ...]:
    """All layers, or of more than MOST_ROWS those that lose and those that cost most."""
    if len(layers) <= MOST_ROWS:
        return layers
    by_loss = sorted(layers, key=lambda layer: -(layer.added or 0.0))[: MOST_ROWS // 2]
    by_cost = sorted(layers, key=lambda layer: -layer.share)[: MOST_ROWS // 2]
    kept = {layer.node for layer in (*by_loss, *by_cost)}
    return tuple(layer for layer in layers if layer.node in kept)
