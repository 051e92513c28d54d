"""Gemm and MatMul: with constants as committed weights, or of two computed values."""

import math

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.arithmetic import add_constant, add_values, scaled_by
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.context import Array, Context, lowers
from inferproof.proving.sumcheck.lower.contraction import contract
from inferproof.proving.sumcheck.lower.movement import (
    broadcast,
    concat,
    reshape,
    sliced,
    transpose,
)
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, fit
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]


def linear(
    c: Context,
    step: Step,
    x: Value,
    weights: Points,
    bias: Points | None,
    final: bool = True,
    alike: bool = False,
) -> Value:
    """weights times x over the last axis of x, plus bias. Shapes: weights [N, K], bias [N].

    `final`: the result is the step's, so that its range is known from the calibration data.
    `alike`: all rows and the result have one unit, of which the largest weight is a whole number,
    so that what is equal in two rows stays equal; weights have 16 bits whatever the options say.
    """
    b = c.builder
    rows = len(weights)
    shape = (*x.shape[:-1], rows)

    def emit(
        operand: Value,
        matrix: npt.NDArray[np.int8],
        offsets: npt.NDArray[np.int64],
        interval: tuple[int, int],
    ) -> Value:
        # A matrix has at most MAX_ELEMENTS; the rows of a longer one are those of several, a power
        # of two of them each, as what proofs are about is padded to.
        fitting = max(1, g.MAX_ELEMENTS // matrix.shape[1])
        most = 1 << (fitting.bit_length() - 1)
        parts = [
            some(operand, matrix[start : start + most], offsets[start : start + most], interval)
            for start in range(0, len(matrix), most)
        ]
        return parts[0] if len(parts) == 1 else b.concat(parts, len(shape) - 1)

    def some(
        operand: Value,
        matrix: npt.NDArray[np.int8],
        offsets: npt.NDArray[np.int64],
        interval: tuple[int, int],
    ) -> Value:
        number = g.NONE if bias is None else b.constant(offsets)
        op = b.weighted(g.Linear, matrix, bias=number)
        return b.emit(op, [operand], (*x.shape[:-1], len(matrix)), interval)

    def halves() -> Value:
        last, columns = len(shape) - 1, weights.shape[1]
        parts = [
            linear(
                c,
                step,
                sliced(b, x, last, start, stop - start),
                weights[:, start:stop],
                None if start else bias,
                final=False,
            )
            for start, stop in ((0, columns // 2), (columns // 2, columns))
        ]
        return add_values(b, parts)

    span = c.span(step.outputs[0]) if final else None
    return contract(
        c,
        step,
        x,
        weights,
        bias,
        len(shape) - 1,
        emit,
        span=span,
        halves=halves if weights.shape[1] > 1 and not alike else None,
        alike=alike,
    )


def through_a_weight(b: Builder, x: Value) -> Value:
    """The value, its first element multiplied by a committed weight of 1.

    For a graph that has no other: a proof starts from an opening of the committed weights.
    """
    flat = reshape(b, x, (1, math.prod(x.shape)))
    first = sliced(b, flat, 1, 0, 1)
    op = b.weighted(g.Linear, np.ones((1, 1), np.int8), bias=g.NONE)
    parts = [b.emit(op, [first], first.shape, first.interval)]
    if flat.shape[1] > 1:
        parts.append(sliced(b, flat, 1, 1, flat.shape[1] - 1))
    made = b.concat(parts, 1).with_(scale=x.scale, span=x.span)
    return reshape(b, made, x.shape)


def product(c: Context, a: Value, b: Value) -> Value:
    """a[..., M, K] times b[..., K, N] of computed values, leading dimensions broadcast."""
    builder = c.builder
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    bits = c.options.activation_bits
    while True:
        left = a if a.most is not None and a.bound < 2**16 else fit(builder, a, 2 ** (bits - 1))
        right = fit(builder, b, 2 ** (bits - 1))
        reach = left.shape[-1] * left.bound if left.most is None else left.most
        if reach * right.bound < SUM_LIMIT:
            break
        if left.most is not None and left is a and reach * 2 ** (bits - 3) >= SUM_LIMIT:
            a = a.with_(most=None)
        bits -= 1
    left = broadcast(builder, left, (*lead, *a.shape[-2:]))
    right = broadcast(builder, right, (*lead, *b.shape[-2:]))
    return builder.matmul(left, right).with_(scale=left.scale * right.scale)


@lowers("MatMul")
def _matmul(c: Context, step: Step) -> Value:
    left, right = (c.constant(step.input(place)) for place in (0, 1))
    extra = c.constant(step.input(2)) if step.input(2) else None
    if right is not None:
        return _right_constant(c, step, c.value(step, 0), numbers(right), extra)
    if left is not None:
        # (A x)^T = x^T A^T
        x = c.value(step, 1)
        lead = x if len(x.shape) > 1 else reshape(c.builder, x, (x.shape[0], 1))
        flipped = _swapped(c, lead)
        made = (
            _right_constant(c, step, flipped, numbers(left).swapaxes(-1, -2), None)
            if left.ndim > 1
            else _right_constant(c, step, flipped, numbers(left), None)
        )
        return reshape(
            c.builder, _swapped(c, made) if left.ndim > 1 else made, c.shape(step.outputs[0])
        )
    a, b = c.value(step, 0), c.value(step, 1)
    if len(a.shape) == 1:
        a = reshape(c.builder, a, (1, *a.shape))
    if len(b.shape) == 1:
        b = reshape(c.builder, b, (*b.shape, 1))
    return reshape(c.builder, product(c, a, b), c.shape(step.outputs[0]))


def _swapped(c: Context, x: Value) -> Value:
    rank = len(x.shape)
    return transpose(c.builder, x, (*range(rank - 2), rank - 1, rank - 2))


def _right_constant(c: Context, step: Step, x: Value, weights: Points, bias: Array | None) -> Value:
    """x times a constant [K], [K, N] or [..., K, N]."""
    offsets = None if bias is None else numbers(bias).reshape(-1)
    if weights.ndim == 1:
        made = linear(c, step, x, weights[None, :], offsets)
        return reshape(c.builder, made, x.shape[:-1])
    if weights.ndim == 2 or math.prod(weights.shape[:-2]) == 1:
        matrix = weights.reshape(weights.shape[-2:])
        made = linear(c, step, x, matrix.T, offsets)
        return reshape(c.builder, made, c.shape(step.outputs[0])) if weights.ndim > 2 else made
    return _batched(c, step, x, weights)


def _batched(c: Context, step: Step, x: Value, weights: Points) -> Value:
    """One Linear for each matrix of a constant with leading dimensions."""
    b = c.builder
    lead = np.broadcast_shapes(x.shape[:-2], weights.shape[:-2])
    x = broadcast(b, x, (*lead, *x.shape[-2:]))
    matrices = np.broadcast_to(weights, (*lead, *weights.shape[-2:]))
    count = math.prod(lead)
    if count > 256:
        raise unsupported(step, f"its constant holds {count} matrices", "one of at most 256")
    flat = reshape(b, x, (count, *x.shape[-2:]))
    matrices = matrices.reshape(count, *weights.shape[-2:])
    parts = [
        linear(c, step, sliced(b, flat, 0, place, 1), matrix.T, None)
        for place, matrix in enumerate(matrices)
    ]
    return reshape(b, concat(b, parts, 0), (*lead, x.shape[-2], weights.shape[-1]))


@lowers("Gemm")
def _gemm(c: Context, step: Step) -> Value:
    alpha = float(step.attributes.get("alpha", 1.0))
    beta = float(step.attributes.get("beta", 1.0))
    left, right = (c.constant(step.input(place)) for place in (0, 1))
    flips = [bool(step.attributes.get(name, 0)) for name in ("transA", "transB")]
    bias = c.constant(step.input(2)) if step.input(2) else None
    final = not step.input(2)
    if right is not None and left is None:
        x = c.value(step, 0)
        x = _swapped(c, x) if flips[0] else x
        weights = numbers(right) * alpha
        weights = weights if flips[1] else weights.T
        row = bias is not None and (bias.ndim == 0 or bias.size in (1, bias.shape[-1]))
        if bias is not None and row:
            flat = np.broadcast_to(numbers(bias).reshape(-1) * beta, (len(weights),))
            return linear(c, step, x, weights, flat)
        made = linear(c, step, x, weights, None, final)
    elif left is not None:
        matrix = numbers(left).T if flips[0] else numbers(left)
        x = c.value(step, 1)
        x = x if flips[1] else _swapped(c, x)
        made = _swapped(c, linear(c, step, x, matrix * alpha, None, final))
    else:
        a, b = c.value(step, 0), c.value(step, 1)
        a = _swapped(c, a) if flips[0] else a
        b = _swapped(c, b) if flips[1] else b
        made = scaled_by(c.builder, product(c, a, b), alpha)
    if not step.input(2):
        return made
    if bias is not None:
        return add_constant(c.builder, made, numbers(bias) * beta)
    offset = scaled_by(c.builder, c.value(step, 2), beta)
    return add_values(c.builder, [made, broadcast(c.builder, offset, made.shape)])
