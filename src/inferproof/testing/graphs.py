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
]
