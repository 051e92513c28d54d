"""Operators that ONNX Runtime's optimiser makes of a contraction or an activation and others."""

import math

import numpy as np

from inferproof.models.contrib.rewriting import Rewriting, rewrites

_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_ACTIVATION = ("activation_alpha", "activation_beta", "activation_gamma")


def gelu(made: Rewriting, x: str, output: str | None = None) -> str:
    """x·Φ(x)."""
    inner = made.node("Erf", [made.node("Mul", [x, made.constant(1 / math.sqrt(2))])])
    share = made.node("Add", [inner, made.constant(1.0)])
    return made.node("Mul", [made.node("Mul", [x, share]), made.constant(0.5)], output)


@rewrites("Gelu", "BiasGelu")
def _gelu(made: Rewriting) -> None:
    gelu(made, _with_bias(made), made.output())


@rewrites("FastGelu")
def _fast_gelu(made: Rewriting) -> None:
    """x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""
    x = _with_bias(made)
    cube = made.node("Mul", [made.node("Mul", [x, x]), x])
    inner = made.node("Add", [x, made.node("Mul", [cube, made.constant(0.044715)])])
    bent = made.node("Tanh", [made.node("Mul", [inner, made.constant(math.sqrt(2 / math.pi))])])
    share = made.node("Add", [bent, made.constant(1.0)])
    made.node("Mul", [made.node("Mul", [x, share]), made.constant(0.5)], made.output())


def _with_bias(made: Rewriting) -> str:
    x = made.input(0)
    if made.op == "BiasGelu":
        return made.node("Add", [x, made.input(1)])
    return made.node("Add", [x, made.maybe(1)]) if made.maybe(1) else x


@rewrites("QuickGelu")
def _quick_gelu(made: Rewriting) -> None:
    x = made.input(0)
    inner = made.node("Mul", [x, made.constant(made.real("alpha", 1.702))])
    made.node("Mul", [x, made.node("Sigmoid", [inner])], made.output())


@rewrites("FusedMatMul", "TransposeMatMul")
def _matmul(made: Rewriting) -> None:
    sides = []
    for place, name in ((0, "A"), (1, "B")):
        x = made.input(place)
        order = list(range(len(made.shape(x))))
        if made.whole(f"transBatch{name}", 0) and len(order) > 2:
            # The batch axes lie behind the first of the matrix.
            order = [*order[1:-1], order[0], order[-1]]
        if made.whole(f"trans{name}", 0) and len(order) > 1:
            order[-2:] = order[:-3:-1]
        moves = order != list(range(len(order)))
        sides.append(made.node("Transpose", [x], perm=order) if moves else x)
    alpha = made.real("alpha", 1.0)
    if alpha == 1.0:
        made.node("MatMul", sides, made.output())
    else:
        product = made.node("MatMul", sides)
        made.node("Mul", [product, made.constant(alpha)], made.output())


@rewrites("FusedGemm")
def _gemm(made: Rewriting) -> None:
    operands = [made.input(0), made.input(1)] + ([made.maybe(2)] if made.maybe(2) else [])
    y = made.node("Gemm", operands, **made.passed_on("alpha", "beta", "transA", "transB"))
    numbers = [made.real(name, 0.0) for name in _ACTIVATION if name in made.attributes]
    made.activated(y, made.text("activation", ""), numbers, made.output())


@rewrites("FusedConv")
def _conv(made: Rewriting) -> None:
    operands = [made.input(0), made.input(1)] + ([made.maybe(2)] if made.maybe(2) else [])
    y = made.node("Conv", operands, **made.passed_on(*_CONV))
    if made.maybe(3):
        y = made.node("Add", [y, made.maybe(3)])
    numbers = made.reals("activation_params")
    made.activated(y, made.text("activation", ""), numbers, made.output())


@rewrites("NhwcConv")
def _nhwc_conv(made: Rewriting) -> None:
    """Input, kernel and result have their channels last."""
    rank = len(made.shape(made.input(0), 4))
    first = [0, rank - 1, *range(1, rank - 1)]
    made.shape(made.input(1), rank)
    operands = [made.node("Transpose", [made.input(place)], perm=first) for place in (0, 1)]
    operands += [made.maybe(2)] if made.maybe(2) else []
    y = made.node("Conv", operands, **made.passed_on(*_CONV))
    made.node("Transpose", [y], made.output(), perm=[0, *range(2, rank), 1])


@rewrites("BiasSplitGelu")
def _bias_split_gelu(made: Rewriting) -> None:
    """One half of the last axis times gelu of the other."""
    x = made.node("Add", [made.input(0), made.input(1)])
    shape = made.shape(made.input(0))
    if not shape or shape[-1] % 2:
        raise made.invalid("its last axis is not even")
    last, half = len(shape) - 1, shape[-1] // 2
    parts = [made.slice(x, last, start, start + half) for start in (0, half)]
    made.node("Mul", [parts[0], gelu(made, parts[1])], made.output())


@rewrites("RotaryEmbedding")
def _rotary(made: Rewriting) -> None:
    """Pairs of each head turned by the angles of their position.

    Shapes: input [B, S, N·H] or [B, N, S, H]; caches [positions, turned / 2].
    """
    x, cosines = made.input(0), made.input(2)
    shape = made.shape(x)
    turned = 2 * made.shape(cosines, 2)[1]
    told = made.whole("num_heads", 0)
    if len(shape) == 3:
        heads = told or (shape[2] // turned if turned else 0)
        if heads < 1 or shape[2] % heads:
            raise made.invalid("its heads do not divide the last axis")
        split = (*shape[:2], heads, shape[2] // heads)
        x = made.node("Transpose", [made.reshape(x, split)], perm=[0, 2, 1, 3])
        size, length = split[3], shape[1]
    elif len(shape) == 4:
        size, length = shape[3], shape[2]
    else:
        raise made.invalid("its input has neither three nor four dimensions")
    if not 0 < turned <= size:
        raise made.invalid("its caches are wider than a head")
    y = turn(made, x, size, turned, _angles(made, length), bool(made.whole("interleaved", 0)))
    if len(shape) == 3:
        made.reshape(made.node("Transpose", [y], perm=[0, 2, 1, 3]), shape, made.output())
    else:
        made.node("Identity", [y], made.output())


def _angles(made: Rewriting, length: int) -> tuple[str, str]:
    """Cosines and sines [B or 1, 1, S, turned / 2] of the positions."""
    where = made.input(1)
    if made.size(where) == 1:
        # One number is the position of the first.
        start = made.reshape(where, [1, 1])
        steps = np.arange(length).reshape(1, -1)
        where = made.node("Add", [start, made.constant(steps, "<i8")])
    found = [made.node("Gather", [made.input(place), where], axis=0) for place in (2, 3)]
    width = made.shape(made.input(2))[1]
    cos, sin = (made.reshape(item, [-1, 1, length, width]) for item in found)
    return cos, sin


def turn(
    made: Rewriting, x: str, size: int, turned: int, angles: tuple[str, str], pairs: bool
) -> str:
    """The first `turned` of the last axis turned; `pairs` lie side by side, else half apart."""
    half = turned // 2
    order = [*range(0, turned, 2), *range(1, turned, 2)]
    if pairs:
        places = made.constant([*order, *range(turned, size)], "<i8")
        x = made.node("Gather", [x, places], axis=3)
    one, other = made.slice(x, 3, 0, half), made.slice(x, 3, half, turned)
    cos, sin = angles
    pairings = ([one, cos], [other, sin], [one, sin], [other, cos])
    across = [made.node("Mul", pair) for pair in pairings]
    parts = [made.node("Sub", across[:2]), made.node("Add", across[2:])]
    if turned < size:
        parts.append(made.slice(x, 3, turned, size))
    y = made.node("Concat", parts, axis=3)
    if pairs:
        back = [order.index(place) for place in range(turned)]
        y = made.node("Gather", [y, made.constant([*back, *range(turned, size)], "<i8")], axis=3)
    return y
