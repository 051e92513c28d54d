"""A model's graph as a picture: one box for each node, in rows from inputs to outputs.

The same model, samples and costs give the same text, as SVG 1.1 without scripts or links.
"""

import math
from dataclasses import dataclass
from html import escape

from inferproof.cli.layers import percent, shape_text, shapes_of, text_of
from inferproof.models.preflight import PreflightReport
from inferproof.models.show import printable
from inferproof.models.structure import NodeFacts, nodes_of
from inferproof.types.layer import QuantisedLayer, weakest

_WIDE, _HIGH = 260, 76
_ACROSS, _DOWN = 28, 40
_EDGE, _HEAD = 24, 64
_LETTERS = 36
"""How many fit in a line of a box."""
_FAINT, _STRONG = 1e-4, 1e-1
"""Losses from the first on are coloured; from the second on in full."""
_STYLE = (
    "text{font:12px sans-serif;fill:#1f2430}.name{font-weight:bold}.dim{fill:#5b6270}"
    "path{fill:none;stroke:#9aa1ad;stroke-width:1.2}"
)


@dataclass(frozen=True, slots=True)
class _Box:
    key: str
    title: str
    lines: tuple[str, ...]
    operands: tuple[str, ...]
    fill: str
    share: float


def drawn_graph(found: PreflightReport) -> str:
    """The picture of a model that was looked at; with ranges and losses where they are known."""
    layers = next((system.layers for system in found.systems if system.layers), ())
    boxes = _boxes(found, {layer.node: layer for layer in layers})
    places, width, height = _arranged(boxes)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_headline(found, layers),
    ]
    for box in boxes:
        body.extend(_line(places[operand], places[box.key]) for operand in box.operands)
    for box in boxes:
        body.extend(_drawn(box, places[box.key]))
    return "\n".join([*body, "</svg>", ""])


def _boxes(found: PreflightReport, layers: dict[int, QuantisedLayer]) -> list[_Box]:
    shapes = shapes_of(found)
    ranges = {seen.name: seen for seen in found.ranges}
    nodes = nodes_of(found.model)
    makers = {name: f"node {node.node}" for node in nodes for name in node.results}
    outputs = {spec.name for spec in found.model.outputs}
    boxes = []
    for spec in found.model.inputs:
        makers[spec.name] = f"input {spec.name}"
        seen = ranges.get(spec.name)
        known = () if seen is None else (f"{seen.low:.4g} … {seen.high:.4g}",)
        lines = (f"{spec.dtype} {shape_text(spec.shape)}", *known)
        boxes.append(_Box(makers[spec.name], f"input {spec.name}", lines, (), "#e8eef7", 0.0))
    for node in nodes:
        layer = layers.get(node.node)
        lines = (f"{node.results[0]} {shape_text(shapes.get(node.results[0], ()))}",)
        if layer is not None:
            text = text_of(layer, shapes, ranges)
            lines = (*lines, f"{text.exact} → {text.quantised}", f"error {text.error}")
        elif layers:
            lines = (*lines, "part of another node, or a constant")
        boxes.append(
            _Box(
                key=f"node {node.node}",
                title=_title(node, outputs),
                lines=lines,
                operands=tuple(dict.fromkeys(makers[name] for name in node.operands)),
                fill=_colour(layer),
                share=0.0 if layer is None else layer.share,
            )
        )
    return boxes


def _title(node: NodeFacts, outputs: set[str]) -> str:
    mark = " · output" if outputs.intersection(node.results) else ""
    return f"{node.node} {node.operator}{mark}"


def _colour(layer: QuantisedLayer | None) -> str:
    """From white to red, by how much accuracy is lost, on a logarithmic scale."""
    lost = 0.0 if layer is None else layer.added or 0.0
    if lost <= _FAINT:
        return "#ffffff"
    part = min(1.0, math.log(lost / _FAINT) / math.log(_STRONG / _FAINT))
    other = round(255 - 120 * part)
    return f"#ff{other:02x}{other:02x}"


Point = tuple[float, float]


def _arranged(boxes: list[_Box]) -> tuple[dict[str, Point], int, int]:
    """The left upper corner of each box, and width and height of all: rows by the longest way
    from an input, in each row by where the operands are."""
    rows: dict[str, int] = {}
    for box in boxes:
        rows[box.key] = 1 + max((rows[operand] for operand in box.operands), default=-1)
    members: list[list[_Box]] = [[] for _ in range(1 + max(rows.values(), default=0))]
    for box in boxes:
        members[rows[box.key]].append(box)
    most = max(map(len, members))
    width = 2 * _EDGE + max(2, most) * (_WIDE + _ACROSS) - _ACROSS
    places: dict[str, Point] = {}
    for row, part in enumerate(members):
        middles = {
            box.key: sum(places[operand][0] for operand in box.operands) / len(box.operands)
            if box.operands
            else 0.0
            for box in part
        }
        part.sort(key=lambda box: middles[box.key])
        left = (width - len(part) * (_WIDE + _ACROSS) + _ACROSS) / 2
        for place, box in enumerate(part):
            places[box.key] = (left + place * (_WIDE + _ACROSS), _HEAD + row * (_HIGH + _DOWN))
    return places, width, _HEAD + len(members) * (_HIGH + _DOWN)


def _headline(found: PreflightReport, layers: tuple[QuantisedLayer, ...]) -> list[str]:
    model = found.model
    told = f"{model.nodes} nodes, {model.parameters:,} parameters, {found.samples} samples"
    lines = [f'<text class="name" x="{_EDGE}" y="22">{told}</text>']
    worst = weakest(layers)
    if layers:
        legend = "red: accuracy lost at the node; blue bar: its share of the work of a proof"
        lines.append(f'<text class="dim" x="{_EDGE}" y="56">{legend}</text>')
    if worst is not None and worst.added is not None:
        where = f"most accuracy is lost at node {worst.node} ({worst.operator}): "
        text = escape(where + percent(worst.added))
        lines.append(f'<text x="{_EDGE}" y="39">{text}</text>')
    return lines


def _line(start: Point, end: Point) -> str:
    x, y = start[0] + _WIDE / 2, start[1] + _HIGH
    to_x, to_y = end[0] + _WIDE / 2, end[1]
    middle = (y + to_y) / 2
    return f'<path d="M{x:g} {y:g}C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"/>'


def _drawn(box: _Box, place: Point) -> list[str]:
    x, y = place
    made = [
        f'<rect x="{x:g}" y="{y:g}" width="{_WIDE}" height="{_HIGH}" rx="5" fill="{box.fill}" '
        'stroke="#5b6270"/>',
        f'<text class="name" x="{x + 8:g}" y="{y + 17:g}">{_cut(box.title)}</text>',
    ]
    if box.share:
        made.append(
            f'<text class="dim" x="{x + _WIDE - 8:g}" y="{y + 17:g}" text-anchor="end">'
            f"{box.share:.1%}</text>"
        )
        made.append(
            f'<rect x="{x:g}" y="{y + _HIGH - 4:g}" width="{max(1.0, box.share * _WIDE):.1f}" '
            'height="4" fill="#3b6fd4"/>'
        )
    for number, line in enumerate(box.lines):
        made.append(f'<text x="{x + 8:g}" y="{y + 34 + 16 * number:g}">{_cut(line)}</text>')
    return made


def _cut(text: str) -> str:
    """Text of strangers, fit for a line of a box."""
    known = printable(text)
    return escape(known if len(known) <= _LETTERS + 4 else known[: _LETTERS + 3] + "…")
