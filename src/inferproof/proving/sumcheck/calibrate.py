"""Measures what proofs of graphs of several sizes cost here: the points of proving/costs.py."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inferproof.protocol.commitments import preprocessing_digest
from inferproof.protocol.encoding import Json
from inferproof.protocol.verifier_bundle import (
    NO_FILE,
    VerifierBundle,
    quantisation_digest,
    verifying_key_digest,
)
from inferproof.proving.base import Progress, no_progress
from inferproof.proving.costs import Costs, Point, Size, this_machine
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.check import VERSION
from inferproof.proving.sumcheck.graph import Graph
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.keys import MadeKey, make_key
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.loaded import NAME, Loaded
from inferproof.proving.sumcheck.prove import trial
from inferproof.proving.sumcheck.quantisation import QuantisedInput, QuantisedOutput, Settings
from inferproof.types.digest import ZERO_DIGEST
from inferproof.types.proof import ModelParts, Setup, Visibility
from inferproof.types.tensor import TensorSpec

PROOFS = 9
"""Of each size; the medians are kept."""
_RANGE = 127
_SCALE = 1 / 64


@dataclass(frozen=True, slots=True)
class Shape:
    """Layers of weights with a rescaling between them, over `batch` rows; as a convolution of 3 × 3
    where `side` is the side of the image."""

    name: str
    widths: tuple[int, ...]
    batch: int = 1
    side: int = 0


SHAPES = (
    Shape("dense 16-32-16-3", (16, 32, 16, 3)),
    Shape("dense 784-128-10", (784, 128, 10)),
    Shape("64 rows of 64-256-64", (64, 256, 64), batch=64),
    Shape("convolutions 8-16-16 on 24 × 24", (8, 16, 16), side=24),
    Shape("128 rows of 256-512-256", (256, 512, 256), batch=128),
    Shape("convolutions 16-32-32 on 32 × 32", (16, 32, 32), side=32),
    Shape("dense 512-1024-512", (512, 1024, 512)),
    Shape("dense 1024-2048-1024", (1024, 2048, 1024)),
)
"""From a proof that is all fixed cost to one that is all weights, one that is all steps, and
between them."""


def measure(
    report: Progress = no_progress, shapes: tuple[Shape, ...] = SHAPES, proofs: int = PROOFS
) -> Costs:
    """What proofs of these shapes take by the clock, made and checked as a job's.

    Raises: MissingPart MISSING_NATIVE.
    """
    build = library().build()
    points = []
    for number, shape in enumerate(shapes):
        report(f"proving {shape.name}", number / len(shapes))
        points.append(_point(shape, proofs))
    report("done", 1.0)
    return Costs(NAME, VERSION, int(time.time()), this_machine(build), tuple(points))


def _point(shape: Shape, proofs: int) -> Point:
    loaded, graph = _load(shape)
    rng = np.random.default_rng(7)
    made = []
    for _ in range(proofs):
        values = rng.uniform(-1, 1, graph.inputs[0].shape).astype(np.float32)
        made.append(trial(loaded, {"x": values}))
    return Point(
        size_of(graph),
        prove_us=_median_us(one.prove_s for one in made),
        verify_us=_median_us(one.verify_s for one in made),
    )


def size_of(graph: Graph) -> Size:
    """What the cost of proving a graph depends on. Raises: MissingPart MISSING_NATIVE."""
    return Size(*library().graph_size(encode_graph(graph)))


def _median_us(seconds: Iterator[float]) -> int:
    return max(1, round(statistics.median(seconds) * 1e6))


def _load(shape: Shape) -> tuple[Loaded, Graph]:
    graph = graph_of(shape)
    size = sum(matrix.rows * matrix.cols for matrix in graph.weights)
    weights = np.random.default_rng(8).integers(-127, 128, size, dtype=np.int8)
    made = make_key(encode_graph(graph), weights, np.zeros(0, dtype=np.int32), "default")
    item, result = graph.inputs[0], graph.shape(graph.outputs[0])
    settings = Settings(
        (QuantisedInput("x", item.shape, _SCALE, item.lo, item.hi, False),),
        (QuantisedOutput("y", result, 1.0),),
    )
    return Loaded(_bundle(settings, made), settings, made.model), graph


def _bundle(settings: Settings, made: MadeKey) -> VerifierBundle:
    """A bundle of no model: only what its keys cost is of interest."""
    preprocessing: dict[str, Json] = {"kind": "tensor"}
    inputs = tuple(TensorSpec(item.name, "float32", item.shape) for item in settings.inputs)
    outputs = tuple(TensorSpec(item.name, "float32", item.shape) for item in settings.outputs)
    parts = ModelParts(
        graph=ZERO_DIGEST,
        weights=ZERO_DIGEST,
        preprocessing=preprocessing_digest(preprocessing),  # type: ignore[arg-type]
        quantisation=quantisation_digest(settings.encode(), inputs, outputs),
        proof_system=NAME,
        proof_system_version=VERSION,
        visibility=Visibility.PUBLIC,
        verifying_key=verifying_key_digest(made.verifying_key),
        srs=ZERO_DIGEST,
        setup=Setup.NONE,
    )
    key, ranges = made.verifying_key, made.ranges
    encoded = settings.encode()
    return VerifierBundle(parts, preprocessing, inputs, outputs, encoded, key, NO_FILE, ranges)


def graph_of(shape: Shape) -> Graph:
    """The integer graph of a shape."""
    side = shape.side
    around = (side, side) if side else ()
    first = (shape.batch, shape.widths[0], *around)
    weights: list[g.Weight] = []
    nodes: list[g.Node] = []
    for number, rows in enumerate(shape.widths[1:]):
        columns = shape.widths[number] * (9 if side else 1)
        most = columns * 128 * _RANGE
        op: g.Op = g.Linear(number)
        if side:
            op = g.Conv(number, g.NONE, 1, (3, 3), (1, 1), (1, 1), (1, 1), (1, 1))
        weights.append(g.Weight(rows, columns))
        nodes.append(g.Node(op, (len(nodes),), (shape.batch, rows, *around), -most, most))
        if number < len(shape.widths) - 2:
            shift = (most // _RANGE).bit_length()
            narrow = g.Rescale(0, 0, shift)
            nodes.append(g.Node(narrow, (len(nodes),), nodes[-1].shape, -_RANGE, _RANGE))
    return Graph(
        inputs=(g.Input(first, -_RANGE, _RANGE),),
        weights=tuple(weights),
        constants=(g.Constant(np.array([1], dtype=np.int32)),),
        nodes=tuple(nodes),
        outputs=(len(nodes),),
    )
