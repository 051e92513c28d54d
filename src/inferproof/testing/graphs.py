"""Small integer graphs: one or more of each operation."""

from dataclasses import replace
from typing import Any

import numpy as np

from inferproof.proving.sumcheck import graph as g

LO, HI = -1000, 1000


def constant(values: Any) -> g.Constant:
    """A constant of these values."""
    return g.Constant(np.array(values, dtype=np.int32))


def small() -> g.Graph:
    """Linear with bias, Rescale, a reversing View; one output."""
    return g.Graph(
        inputs=(g.Input((1, 4), -127, 127),),
        weights=(g.Weight(3, 4),),
        constants=(constant([1, 2, 3]), constant([5])),
        nodes=(
            g.Node(g.Linear(0, 0), (0,), (1, 3), -100000, 100000),
            g.Node(g.Rescale(1, 0, 8), (1,), (1, 3), -127, 127),
            g.Node(g.View(2, (0, -1)), (2,), (1, 3), -127, 127),
        ),
        outputs=(3,),
    )


def with_op(op: g.Op, *shapes: g.Shape, out: g.Shape, **parts: Any) -> g.Graph:
    """A graph of one node over inputs of these shapes."""
    return g.Graph(
        inputs=tuple(g.Input(shape, LO, HI) for shape in shapes),
        weights=parts.get("weights", ()),
        constants=parts.get("constants", ()),
        nodes=(g.Node(op, tuple(range(len(shapes))), out, 100 * LO, 100 * HI),),
        outputs=(len(shapes),),
    )


def conv(**changes: Any) -> g.Conv:
    """A strided, dilated, padded convolution in two groups, with changes."""
    base = g.Conv(0, g.NONE, 2, (3, 2), (2, 1), (1, 2), (1, 0), (1, 3))
    return replace(base, **changes)


def everything() -> g.Graph:
    """Every operation in one graph, which runs for every input in range and all int8 weights."""
    wide, bits = g.VALUE_LIMIT - 1, (0, 127)
    constants = (
        constant([1, -2, 3, -4, 5, -6]),
        constant([3, 2, 1, -1, -2, -3]),
        constant([5]),
        constant([[7, -1, 0], [3, 3, 2]]),
        constant([[1, -20, 300], [4, 50, -600]]),
        constant([-9]),
        constant([1]),
        constant([40, -30, 20, 10]),
    )
    nodes: list[g.Node] = []

    def node(op: g.Op, operands: tuple[int, ...], shape: g.Shape, lo: int, hi: int) -> int:
        nodes.append(g.Node(op, operands, shape, lo, hi))
        return len(nodes)

    dense = node(g.Linear(0, 0), (0,), (2, 6), -wide, wide)
    scaled = node(g.Rescale(1, 1, 6), (dense,), (2, 6), -127, 127)
    image = node(g.View(0, (12, 6, 1)), (scaled,), (1, 2, 6), -127, 127)
    grouped = g.Conv(1, g.NONE, 2, (3,), (1,), (2,), (2,), (2,))
    filtered = node(grouped, (image,), (1, 4, 6), -wide, wide)
    rectified = node(g.Rescale(2, 0, 9), (filtered,), (1, 4, 6), *bits)
    padded = node(g.Pad((0, 0, 1), (0, 0, 0), 3), (rectified,), (1, 4, 7), *bits)
    summed = node(g.Sum(1), (padded,), (1, 4), 0, 1000)
    highest = node(g.Max(1), (padded,), (1, 4), *bits)
    joined = node(g.Concat(1), (summed, highest), (1, 8), 0, 1000)
    taken = node(g.Take(3), (joined,), (2, 3), 0, 1000)
    fixed = node(g.Const(4), (), (2, 3), -600, 300)
    added = node(g.Add((1, -2), 5), (taken, fixed), (2, 3), -5000, 5000)
    product = node(g.Mul(), (added, fixed), (2, 3), -(2**22), 2**22)
    divisor = node(g.Rescale(6, 0, 2), (taken,), (2, 3), 1, 100)
    divided = node(g.Divide(7), (product, divisor), (2, 3), -(2**25), 2**25)
    root = node(g.SquareRoot(9), (taken,), (2, 3), 0, 100)
    turned = node(g.View(0, (1, 3)), (fixed,), (3, 2), -600, 300)
    mixed = node(g.MatMul(), (root, turned), (2, 2), -(2**20), 2**20)
    few = node(g.Rescale(6, 0, 12), (mixed,), (2, 2), -2, 1)
    found = node(g.Lookup(7, -2), (few,), (2, 2), -30, 40)
    place = node(g.ArgMax(1), (0,), (2,), 0, 3)
    columns = node(g.View(0, (1, 4)), (0,), (4, 2), -127, 127)
    picked = node(g.Pick(), (columns, place), (2, 2), -127, 127)
    last = node(g.Linear(2, g.NONE), (picked,), (2, 3), -wide, wide)
    return g.Graph(
        inputs=(g.Input((2, 4), -127, 127),),
        weights=(g.Weight(6, 4), g.Weight(4, 3), g.Weight(3, 2)),
        constants=constants,
        nodes=tuple(nodes),
        outputs=(last, found, divided, summed),
    )


CONV_WEIGHT = (g.Weight(4, 2 * 6),)

EVERY_OP: list[g.Graph] = [
    small(),
    with_op(conv(), (1, 4, 5, 5), out=(1, 4, 3, 6), weights=CONV_WEIGHT),
    with_op(
        g.Conv(0, 0, 1, (3,), (1,), (1,), (0,), (0,)),
        (2, 3, 7),
        out=(2, 2, 5),
        weights=(g.Weight(2, 9),),
        constants=(constant([4, -4]),),
    ),
    with_op(g.MatMul(), (2, 3, 4), (2, 4, 5), out=(2, 3, 5)),
    with_op(g.Add((1, -2)), (3,), (3,), out=(3,)),
    with_op(g.Add((1,), 0), (3, 1), out=(3, 1), constants=(constant([[1], [2], [3]]),)),
    with_op(g.Mul(), (), (), out=()),
    with_op(g.Rescale(0, 1, 40), (2, 3), out=(2, 3), constants=(constant([1, 2, 3]),)),
    with_op(g.Lookup(0, -1), (2,), out=(2,), constants=(constant([7, 8, 9]),)),
    with_op(g.Pad((1, 0), (0, 2), -3), (2, 2), out=(3, 4)),
    with_op(g.Concat(1), (2, 1), (2, 3), out=(2, 4)),
    with_op(g.Take(0), (4,), out=(2, 2), constants=(constant([[3, -1], [0, 0]]),)),
    with_op(g.Pick(), (5, 2), (3,), out=(3, 2)),
    with_op(g.Sum(2), (2, 3, 4), out=(2,)),
    with_op(g.Max(1), (3,), out=()),
    with_op(g.ArgMax(1), (2, 3), out=(2,)),
    with_op(g.Divide(7), (2,), (2,), out=(2,)),
    with_op(g.SquareRoot(9), (2,), out=(2,)),
    replace(
        with_op(g.Add((1,)), (2,), out=(2,)),
        constants=(constant([[5, -5]]),),
        nodes=(g.Node(g.Const(0), (), (1, 2), LO, HI),),
    ),
    replace(
        with_op(g.Add((1, -2)), (2, 3), out=(2, 3)),
        nodes=(
            g.Node(g.Parameter(), (), (2, 3), LO, HI),
            g.Node(g.Add((1, -2)), (0, 1), (2, 3), 100 * LO, 100 * HI),
        ),
        outputs=(2,),
    ),
    everything(),
]
