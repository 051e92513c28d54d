"""Operators on quantised tensors: each is dequantised, computed in floats and quantised again.

QuantizeLinear and DequantizeLinear keep the file's own scales. Whole-number products become
floats and back, which is exact as far as floats hold whole numbers.
"""

from typing import Any

import numpy as np

from inferproof.models.contrib.rewriting import STANDARD, Rewriting, rewrites
from inferproof.models.tensors import Array

_PER_AXIS, _WIDE = 13, 21
"""The opsets from which on QuantizeLinear takes scales by axis, and whole numbers of 16 bits."""
_BYTES = ("uint8", "int8")
_LEAST_RANGE = 1e-30
"""Keeps the scale of a tensor that is all zeros above zero."""


def dequantised(made: Rewriting, x: str, scale: str, zero: str, axis: int = 0) -> str:
    """The real numbers of a quantised input. `axis` is where scales differ, if they do."""
    name = made.dtype(x).name
    if zero and made.dtype(zero) != made.dtype(x):
        raise made.invalid("a zero point is of another type than its tensor")
    single = made.size(scale) == 1
    standard = name in _BYTES or (name in ("int16", "uint16") and made.opset >= _WIDE)
    flat = len(made.shape(scale)) <= 1 and (not zero or len(made.shape(zero)) <= 1)
    if standard and flat and made.opset >= (10 if single else _PER_AXIS):
        parts = [one_or_row(made, item) for item in (scale, zero) if item]
        given: dict[str, Any] = {} if single else {"axis": axis}
        return made.node("DequantizeLinear", [x, *parts], **given)
    whole = made.floats(x)
    if zero:
        whole = made.node("Sub", [whole, along(made, made.floats(zero), zero, x, axis)])
    return made.node("Mul", [whole, along(made, scale, scale, x, axis)])


def one_or_row(made: Rewriting, name: str) -> str:
    """A parameter as the standard takes it: a scalar where it is one number."""
    shape = made.shape(name)
    return made.reshape(name, []) if shape == (1,) else name


def along(made: Rewriting, parameter: str, like: str, x: str, axis: int) -> str:
    """A parameter [n] that broadcasts along an axis of x; others as they are."""
    shape, rank = made.shape(like), len(made.shape(x))
    if not rank:
        raise made.invalid("an input has no dimensions")
    if len(shape) != 1 or shape == (1,):
        return made.reshape(parameter, []) if shape == (1,) else parameter
    return made.reshape(parameter, [-1] + [1] * (rank - 1 - axis % rank))


def quantised(made: Rewriting, x: str, scale: str, zero: str, output: str) -> None:
    """Quantises a real tensor to the output."""
    dtype = made.dtype(zero) if zero else np.dtype("u1")
    if made.size(scale) != 1 or (zero and made.size(zero) != 1):
        raise made.refused("its result has several scales; quantise activations per tensor")
    parts = [one_or_row(made, item) for item in (scale, zero) if item]
    if dtype.name in _BYTES or (dtype.kind in "iu" and dtype.itemsize == 2 and made.opset >= _WIDE):
        made.node("QuantizeLinear", [x, *parts], output)
        return
    if dtype.kind not in "iu" or dtype.itemsize > 2:
        raise made.invalid("its zero point is not of 8 or 16 bits")
    whole = made.rounded(made.node("Div", [x, parts[0]]))
    if zero:
        whole = made.node("Add", [whole, made.floats(parts[1])])
    limits = np.iinfo(dtype.name)
    made.cast(made.clipped(whole, limits.min, limits.max), dtype, output)


@rewrites("QuantizeLinear")
def _quantize(made: Rewriting) -> None:
    quantised(made, made.input(0), made.input(1), made.maybe(2), made.output())


@rewrites("DequantizeLinear")
def _dequantize(made: Rewriting) -> None:
    x, scale = made.input(0), made.input(1)
    axis = made.whole("axis", 1) if made.size(scale) > 1 else 0
    _same(made, dequantised(made, x, scale, made.maybe(2), axis))


def _same(made: Rewriting, x: str) -> None:
    made.node("Identity", [x], made.output())


def _triple(made: Rewriting, place: int, axis: int = 0) -> str:
    """The real numbers of the input at a place, its scale and zero point behind it."""
    scale, zero = made.input(place + 1), made.maybe(place + 2)
    return dequantised(made, made.input(place), scale, zero, axis)


_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


def _channels_first(made: Rewriting, x: str, rank: int) -> str:
    """x with its channels moved from the end to the second place, if the node says so."""
    if not made.whole("channels_last", 0):
        return x
    return made.node("Transpose", [x], perm=[0, rank - 1, *range(1, rank - 1)])


def _channels_last(made: Rewriting, x: str, rank: int) -> str:
    if not made.whole("channels_last", 0):
        return x
    return made.node("Transpose", [x], perm=[0, *range(2, rank), 1])


@rewrites("QLinearConv", domain=STANDARD)
@rewrites("QLinearConv")
def _conv(made: Rewriting) -> None:
    rank = len(made.shape(made.input(0)))
    x = _channels_first(made, _triple(made, 0), rank)
    operands = [x, _triple(made, 3)]
    if made.maybe(8):
        unit = made.node("Mul", [made.input(1), made.input(4)])
        operands.append(made.node("Mul", [made.floats(made.input(8)), unit]))
    y = made.node("Conv", operands, **made.passed_on(*_CONV))
    quantised(made, _channels_last(made, y, rank), made.input(6), made.maybe(7), made.output())


@rewrites("QLinearMatMul", domain=STANDARD)
@rewrites("QLinearMatMul")
def _matmul(made: Rewriting) -> None:
    a = _triple(made, 0, max(0, len(made.shape(made.input(0))) - 2))
    b = _triple(made, 3, len(made.shape(made.input(3))) - 1)
    quantised(made, made.node("MatMul", [a, b]), made.input(6), made.maybe(7), made.output())


@rewrites("QGemm")
def _gemm(made: Rewriting) -> None:
    flips: dict[str, Any] = {name: made.whole(name, 0) for name in ("transA", "transB")}
    alpha = made.real("alpha", 1.0)
    a = _triple(made, 0)
    b = _triple(made, 3, 0 if flips["transB"] else 1)
    y = made.node("Gemm", [a, b], alpha=alpha, **flips)
    if made.maybe(6):
        unit = made.node("Mul", [made.input(1), made.input(4)])
        unit = made.node("Mul", [unit, made.constant(alpha)])
        y = made.node("Add", [y, made.node("Mul", [made.floats(made.input(6)), unit])])
    if made.maybe(7):
        quantised(made, y, made.input(7), made.maybe(8), made.output())
    else:
        _same(made, y)


def _less_zero(made: Rewriting, x: str, zero: str, axis: int) -> str:
    """x less its zero point, as floats. `axis` is where zero points differ."""
    whole = made.floats(x)
    if not zero:
        return whole
    return made.node("Sub", [whole, along(made, made.floats(zero), zero, x, axis)])


def _product(made: Rewriting, zeros: tuple[int, int]) -> str:
    """The product of two whole-number inputs as floats, zero points at these places."""
    a, b = made.input(0), made.input(1)
    left = _less_zero(made, a, made.maybe(zeros[0]), max(0, len(made.shape(a)) - 2))
    right = _less_zero(made, b, made.maybe(zeros[1]), len(made.shape(b)) - 1)
    return made.node("MatMul", [left, right])


@rewrites("MatMulInteger", domain=STANDARD)
def _matmul_integer(made: Rewriting) -> None:
    made.cast(_product(made, (2, 3)), "<i4", made.output())


@rewrites("ConvInteger", domain=STANDARD)
def _conv_integer(made: Rewriting) -> None:
    x = _less_zero(made, made.input(0), made.maybe(2), 0)
    weights = _less_zero(made, made.input(1), made.maybe(3), 0)
    y = made.node("Conv", [x, weights], **made.passed_on(*_CONV))
    made.cast(y, "<i4", made.output())


@rewrites("MatMulIntegerToFloat")
def _matmul_to_float(made: Rewriting) -> None:
    a, b = made.input(0), made.input(1)
    y = _product(made, (4, 5))
    y = made.node("Mul", [y, along(made, made.input(2), made.input(2), a, -2)])
    y = made.node("Mul", [y, along(made, made.input(3), made.input(3), b, -1)])
    _same(made, made.node("Add", [y, made.input(6)]) if made.maybe(6) else y)


def dynamic(made: Rewriting, x: str) -> tuple[str, str, str]:
    """x in 256 steps between its least and greatest element or 0: steps, their size, and zero."""
    axes = list(range(len(made.shape(x))))
    ends = []
    for reduce, extreme in (("ReduceMax", "Max"), ("ReduceMin", "Min")):
        end = made.reduce(reduce, x, axes, keepdims=0)
        ends.append(made.node(extreme, [end, made.constant(0.0)]))
    high, low = ends
    reach = made.node("Max", [made.node("Sub", [high, low]), made.constant(_LEAST_RANGE)])
    scale = made.node("Mul", [reach, made.constant(1 / 255)])
    below = made.node("Div", [made.node("Sub", [made.constant(0.0), low]), scale])
    zero = made.clipped(made.rounded(below), 0, 255)
    whole = made.rounded(made.node("Div", [x, scale]))
    steps = made.clipped(made.node("Add", [whole, zero]), 0, 255)
    return steps, scale, zero


@rewrites("DynamicQuantizeLinear", domain=STANDARD)
def _dynamic_quantize(made: Rewriting) -> None:
    steps, scale, zero = dynamic(made, made.input(0))
    if made.output(0):
        made.cast(steps, "u1", made.output(0))
    if made.output(1):
        made.node("Identity", [scale], made.output(1))
    if made.output(2):
        made.cast(zero, "u1", made.output(2))


@rewrites("DynamicQuantizeMatMul")
def _dynamic_matmul(made: Rewriting) -> None:
    b = made.input(1)
    steps, scale, zero = dynamic(made, made.input(0))
    right = _less_zero(made, b, made.maybe(3), len(made.shape(b)) - 1)
    y = made.node("MatMul", [made.node("Sub", [steps, zero]), right])
    y = made.node("Mul", [y, scale])
    y = made.node("Mul", [y, along(made, made.input(2), made.input(2), b, -1)])
    _same(made, made.node("Add", [y, made.input(4)]) if made.maybe(4) else y)


@rewrites("QLinearAdd", "QLinearMul")
def _of_two(made: Rewriting) -> None:
    op = made.op.removeprefix("QLinear")
    y = made.node(op, [_triple(made, 0), _triple(made, 3)])
    quantised(made, y, made.input(6), made.maybe(7), made.output())


@rewrites("QLinearSigmoid", "QLinearLeakyRelu")
def _of_one(made: Rewriting) -> None:
    given: dict[str, Any] = (
        {"alpha": made.real("alpha", 0.01)} if made.op == "QLinearLeakyRelu" else {}
    )
    y = made.node(made.op.removeprefix("QLinear"), [_triple(made, 0)], **given)
    quantised(made, y, made.input(3), made.maybe(4), made.output())


@rewrites("QLinearReduceMean")
def _reduce_mean(made: Rewriting) -> None:
    rank = len(made.shape(made.input(0)))
    axes = made.wholes("axes") or list(range(rank))
    y = made.reduce("ReduceMean", _triple(made, 0), axes, made.whole("keepdims", 1))
    quantised(made, y, made.input(3), made.maybe(4), made.output())


@rewrites("QLinearGlobalAveragePool", "QLinearAveragePool")
def _pool(made: Rewriting) -> None:
    rank = len(made.shape(made.input(0)))
    x = _channels_first(made, _triple(made, 0), rank)
    taken = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
    given = {} if "Global" in made.op else made.passed_on(*taken)
    y = _channels_last(made, made.node(made.op.removeprefix("QLinear"), [x], **given), rank)
    quantised(made, y, made.input(3), made.maybe(4), made.output())


@rewrites("QLinearSoftmax")
def _softmax(made: Rewriting) -> None:
    shape = made.shape(made.input(0))
    axis = made.whole("axis", -1)
    if not -len(shape) <= axis < len(shape):
        raise made.invalid(f"it has no axis {axis}")
    axis %= len(shape)
    x = _triple(made, 0)
    if made.whole("opset", 13) < 13 and axis != len(shape) - 1:
        # It then runs over the axis and all behind it at once.
        rows = int(np.prod(shape[:axis], dtype=object))
        flat = made.node("Softmax", [made.reshape(x, [rows, -1])], axis=1)
        y = made.reshape(flat, shape)
    else:
        order = [*(place for place in range(len(shape)) if place != axis), axis]
        back = [order.index(place) for place in range(len(shape))]
        last = made.node("Transpose", [x], perm=order)
        y = made.node("Transpose", [made.node("Softmax", [last], axis=-1)], perm=back)
    quantised(made, y, made.input(3), made.maybe(4), made.output())


@rewrites("QLinearConcat")
def _concat(made: Rewriting) -> None:
    if made.count < 5 or (made.count - 2) % 3:
        raise made.invalid("each of its tensors needs a scale and a zero point")
    parts = [_triple(made, place) for place in range(2, made.count, 3)]
    y = made.node("Concat", parts, axis=made.whole("axis", 1))
    quantised(made, y, made.input(0), made.maybe(1), made.output())


@rewrites("QLinearWhere")
def _where(made: Rewriting) -> None:
    y = made.node("Where", [made.input(0), _triple(made, 1), _triple(made, 4)])
    quantised(made, y, made.input(7), made.maybe(8), made.output())


@rewrites("MatMulNBits")
def _matmul_n_bits(made: Rewriting) -> None:
    """The packed weights become a matrix of floats: their scales differ within a row."""
    columns, rows = made.whole("K", 0), made.whole("N", 0)
    bits, block = made.whole("bits", 4), made.whole("block_size", 0)
    if made.maybe(4):
        raise made.refused("its columns are reordered by g_idx; quantise without reordering")
    if bits not in (2, 4, 8) or block < 16 or min(columns, rows) < 1:
        raise made.invalid("it needs K, N, a block size of 16 or more, and 2, 4 or 8 bits")
    blocks = -(-columns // block)
    packed = made.known(made.input(1), "weights")
    scales = made.known(made.input(2), "scales").reshape(-1)
    if packed.dtype != np.uint8 or packed.size * 8 != rows * blocks * block * bits:
        raise made.invalid("its weights have another size than K, N, bits and block_size say")
    if scales.size != rows * blocks:
        raise made.invalid("it has another number of scales than of blocks")
    whole = _unpacked(packed.reshape(rows * blocks, -1), bits).astype(np.float32)
    zeros = np.full((rows * blocks, 1), 2 ** (bits - 1), np.float32)
    if made.maybe(3):
        told = made.known(made.input(3), "zero points")
        if told.dtype == np.uint8 and told.size % rows == 0:
            told = _unpacked(told.reshape(rows, -1), bits)[:, :blocks]
        if told.size != rows * blocks:
            raise made.invalid("it has another number of zero points than of blocks")
        zeros = told.astype(np.float32).reshape(-1, 1)
    weights = ((whole - zeros) * scales[:, None]).reshape(rows, -1)[:, :columns]
    y = made.node("MatMul", [made.input(0), made.constant(weights.T)])
    _same(made, made.node("Add", [y, made.input(5)]) if made.maybe(5) else y)


def _unpacked(packed: Array, bits: int) -> Array:
    """Numbers of a few bits, the lowest first in each byte. Shapes: [rows, bytes] to [rows, n]."""
    places = np.arange(0, 8, bits, dtype=np.uint8)
    numbers: Array = (packed[:, :, None] >> places) & (2**bits - 1)
    return numbers.reshape(len(packed), -1)
