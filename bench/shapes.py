"""Forty random shapes beside nets of powers of two: no shape is to be a cliff.

    python -m bench.shapes [--seconds N] [--out DIR]     go on until N seconds are over
    python -m bench.shapes --again                       begin anew

A shape is a family and sizes: dense nets, convolutions on 16×16, transformer blocks over 16 tokens,
with 10^3 to 10^7 weights drawn evenly by their logarithm. Each is compiled and proven in a process
of its own. What was measured is kept in shapes.json after each shape, with the digest of the
prover's sources: a run takes up what is missing, and begins anew where the sources are others.
Compared is the processor time of one proof with that of the family's nets whose sizes are powers of
two, read off between them at as many weights. shapes.png has all of them.
"""

import argparse
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.machine import Watch, describe_machine, today
from bench.measure import BenchFailed, run_json, say
from bench.models import SEED
from bench.native_models import SAMPLES, Net, normal, save, uniform
from inferproof.proving.sumcheck.library import library

HERE = Path(__file__).resolve().parent
SCHEMA = "inferproof/bench-shapes/1"
PROVE = [sys.executable, "-m", "bench.shape_prove"]
COUNT = 40
LEAST, MOST = 3.0, 7.0
"""Weights, as powers of ten."""
GOAL = 1.5
"""So many times as long as the net of powers of two a shape may take."""
SECONDS = 1200.0
LIMIT_S = 300.0
"""For one shape."""
IMAGE, TOKENS, HEADS = 16, 16, 4
DENSE, CONVOLUTION, ATTENTION = FAMILIES = ("dense", "convolution", "attention")

Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A net by its family and sizes: widths of dense layers, channels of convolutions, or widths of
    attention and of the feed-forward layer behind it."""

    family: str
    sizes: Sizes

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"{self.family} {'-'.join(map(str, self.sizes))}"

    @property
    def weights(self) -> int:
        """The elements of its matrices and kernels."""
        if self.family == ATTENTION:
            width, hidden = self.sizes
            return 4 * width * width + 2 * width * hidden
        pairs = sum(before * after for before, after in itertools.pairwise(self.sizes))
        return 9 * pairs if self.family == CONVOLUTION else pairs


def random_shapes(count: int = COUNT) -> list[Shape]:
    """Shapes of all families in turn, spread over the sizes; the same each time."""
    random = np.random.default_rng(SEED)
    places = random.permutation(count)
    made = []
    for number, place in enumerate(places):
        family = FAMILIES[number % len(FAMILIES)]
        share = (place + random.uniform()) / count
        made.append(_shape(family, 10 ** (LEAST + (MOST - LEAST) * share), random))
    return made


def _shape(family: str, weights: float, random: np.random.Generator) -> Shape:
    """A shape of about so many weights, whose sizes are some times apart."""
    if family == ATTENTION:
        ratio = random.uniform(2, 5)
        width = HEADS * max(1, round(math.sqrt(weights / (4 + 2 * ratio)) / HEADS))
        return Shape(family, (width, max(1, round(ratio * width))))
    # Of convolutions results cost more than weights, so that all have as many layers.
    parts = random.uniform(0.4, 2.5, 3 if family == CONVOLUTION else random.integers(3, 6))
    pairs = sum(before * after for before, after in itertools.pairwise(parts))
    each = 9 if family == CONVOLUTION else 1
    unit = math.sqrt(weights / each / pairs)
    return Shape(family, tuple(max(2, round(part * unit)) for part in parts))


def regular_shapes() -> list[Shape]:
    """Nets of each family whose sizes are powers of two, from the smallest to the largest."""
    sizes = [2**power for power in range(2, 12)]
    families = (
        [Shape(DENSE, (size, 2 * size, size)) for size in sizes],
        [Shape(CONVOLUTION, (size, size, size)) for size in sizes],
        [Shape(ATTENTION, (size, 4 * size)) for size in sizes],
    )
    bounds = 10**LEAST / 8, 2 * 10**MOST
    return [
        each for shapes in families for each in shapes if bounds[0] <= each.weights <= bounds[1]
    ]


def make(shape: Shape, work: Path) -> tuple[Path, Path, Path]:
    """Its ONNX file with the samples that calibrate it and those that are proven."""
    net = _NETS[shape.family](shape)
    samples = (normal if shape.family == ATTENTION else uniform)(net.shape)
    made = save(net, net.last, samples, work, SAMPLES)
    return made.files.model, made.files.calibration, made.fresh


def _dense(shape: Shape) -> Net:
    first, *rest = shape.sizes
    net = Net("dense", "x", (1, first))
    value, before = "x", first
    for place, after in enumerate(rest):
        value = net.dense(value, before, after)
        value, before = (net.relu(value) if place < len(rest) - 1 else value), after
    return net


def _convolution(shape: Shape) -> Net:
    first, *rest = shape.sizes
    net = Net("convolution", "x", (1, first, IMAGE, IMAGE))
    value, before = "x", first
    for after in rest:
        value, before = net.relu(net.conv(value, before, after, 3, pad=1)), after
    net.add("Flatten", [net.add("GlobalAveragePool", [value])])
    return net


def _attention(shape: Shape) -> Net:
    width, hidden = shape.sizes
    net = Net("attention", "x", (1, TOKENS, width))
    net.block("x", TOKENS, width, heads=HEADS, hidden=hidden)
    return net


_NETS: dict[str, Callable[[Shape], Net]] = {
    DENSE: _dense,
    CONVOLUTION: _convolution,
    ATTENTION: _attention,
}


def measure(shapes: Iterable[Shape], path: Path, seconds: float, *, again: bool) -> dict[str, Any]:
    """All that is known of the shapes, with what was measured within the time, which is kept in the
    file after each of them."""
    began = time.monotonic()
    sources = library().sources()
    kept = json.loads(path.read_text()) if path.exists() and not again else {}
    if (kept.get("schema"), kept.get("sources")) != (SCHEMA, sources):
        kept = {"rows": {}}
    rows: dict[str, Any] = kept["rows"]
    wanted = list(shapes)
    for shape in wanted:
        if shape.name in rows:
            continue
        if time.monotonic() - began > seconds:
            missing = sum(each.name not in rows for each in wanted)
            say(f"{missing} shapes are left: run again to go on")
            break
        watch = Watch()
        rows[shape.name] = {
            "family": shape.family,
            "weights": shape.weights,
            **_measured(shape),
            "others": watch.others(),
        }
        kept = {"schema": SCHEMA, "sources": sources, "date": today(), "rows": rows}
        kept["machine"] = describe_machine()
        _write(path, kept)
    return kept


def _measured(shape: Shape) -> dict[str, Any]:
    say(f"{shape.name}: {shape.weights:,} weights")
    with TemporaryDirectory(prefix="inferproof-shape-") as name:
        work = Path(name)
        given = (*make(shape, work), work / "compiled")
        try:
            return run_json([*PROVE, *map(str, given)], limit_s=LIMIT_S).answer
        except BenchFailed as error:
            say(f"{shape.name}: {error}")
            last = str(error).strip().splitlines()[-1][:300]
            return {"refused": {"reason": "BENCH_FAILED", "message": last}}


def _write(path: Path, kept: dict[str, Any]) -> None:
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps(kept, indent=1) + "\n")
    fresh.replace(path)


@dataclass(frozen=True, slots=True)
class Beside:
    """A shape beside the nets of powers of two. Units: seconds of processor time."""

    name: str
    family: str
    weights: int
    took: float
    regular: float

    @property
    def ratio(self) -> float:
        """How many times as long it takes."""
        return self.took / self.regular


def beside(rows: dict[str, Any], random: list[Shape], regular: list[Shape]) -> list[Beside]:
    """The random shapes that were measured, the worst first, each beside its family's line."""
    found = []
    for shape in random:
        line = _line(rows, [each for each in regular if each.family == shape.family])
        took = _took(rows, shape)
        if took is None or len(line) < 2:
            continue
        at, known = (np.log([point[i] for point in line]) for i in (0, 1))
        # Beyond the largest, time goes with weights.
        beyond = max(1.0, shape.weights / line[-1][0])
        expected = beyond * float(np.exp(np.interp(math.log(shape.weights), at, known)))
        found.append(Beside(shape.name, shape.family, shape.weights, took, expected))
    return sorted(found, key=lambda each: -each.ratio)


def _line(rows: dict[str, Any], regular: list[Shape]) -> list[tuple[int, float]]:
    """Weights and times of the nets of powers of two that were measured, by their weights."""
    times = ((shape.weights, _took(rows, shape)) for shape in regular)
    return sorted((weights, took) for weights, took in times if took is not None)


def _took(rows: dict[str, Any], shape: Shape) -> float | None:
    took: float | None = rows.get(shape.name, {}).get("processor_s")
    return took


def table(rows: dict[str, Any], random: list[Shape], regular: list[Shape]) -> list[str]:
    """What was found, as lines: how many shapes are within the goal, and each that is not."""
    found = beside(rows, random, regular)
    cliffs = [each for each in found if each.ratio > GOAL]
    lines = [
        f"{len(found)} of {len(random)} shapes measured, {len(cliffs)} take more than {GOAL:g} "
        "times as long as nets of powers of two with as many weights"
    ]
    lines += [
        f"{each.ratio:5.2f} ×  {each.took * 1e3:8.1f} ms  {each.weights:>10,} weights  {each.name}"
        for each in found
    ]
    for shape in (*random, *regular):
        refused = rows.get(shape.name, {}).get("refused")
        if refused:
            lines.append(f"refused: {shape.name}: {refused['reason']}, {refused['message']}")
    return lines


def draw(rows: dict[str, Any], random: list[Shape], regular: list[Shape], path: Path) -> None:
    """The plot of time against weights, unless nothing was measured."""
    from bench.plots import draw_shapes

    points = {
        family: [
            (shape.weights, took)
            for shape in random
            if shape.family == family and (took := _took(rows, shape)) is not None
        ]
        for family in FAMILIES
    }
    lines = {
        family: _line(rows, [each for each in regular if each.family == family])
        for family in FAMILIES
    }
    if any(points.values()) or any(lines.values()):
        draw_shapes(points, lines, GOAL, path)


def main() -> int:
    """The exit status: 0 once all shapes are measured, 2 where some are left."""
    parser = argparse.ArgumentParser(description="Measure random shapes.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="begin no shape after")
    parser.add_argument("--out", type=Path, default=HERE, help="where the results are kept")
    parser.add_argument("--again", action="store_true", help="keep nothing of earlier runs")
    given = parser.parse_args()
    random, regular = random_shapes(), regular_shapes()
    given.out.mkdir(parents=True, exist_ok=True)
    # The smallest first, so that a run that is cut off has both sides of what it compares.
    wanted = sorted([*regular, *random], key=lambda shape: shape.weights)
    kept = measure(wanted, given.out / "shapes.json", given.seconds, again=given.again)
    rows = kept["rows"]
    draw(rows, random, regular, given.out / "shapes.png")
    sys.stdout.write("\n".join(table(rows, random, regular)) + "\n")
    return 0 if all(shape.name in rows for shape in wanted) else 2


if __name__ == "__main__":
    sys.exit(main())
