"""DFT and STFT: products with committed matrices of sines and cosines."""

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.graph import MAX_ELEMENTS
from inferproof.proving.sumcheck.lower.builder import row_major
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.dense import linear
from inferproof.proving.sumcheck.lower.movement import reshape, sliced, transpose
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]


def _matrix(step: Step, size: int, results: int, elements: int, parts: int, sign: int) -> Points:
    """Real and imaginary part of each result from those of each element of a transform of `size`.

    Shapes: [2 results, parts * elements]; `parts` is 1 for real elements, else 2, and the
    transform's exponent has the sign. Raises: ModelRejected LOWERING_UNSUPPORTED.
    """
    if 2 * results * elements * parts > MAX_ELEMENTS // 4:
        raise unsupported(
            step, f"it makes {results} results of {elements} elements", "a shorter transform"
        )
    angles = sign * 2 * np.pi * np.outer(np.arange(results), np.arange(elements)) / size
    real, imaginary = np.cos(angles), np.sin(angles)
    rows = np.stack([np.stack([real, -imaginary], -1), np.stack([imaginary, real], -1)], 1)
    return rows[..., :parts].reshape(2 * results, elements * parts)


@lowers("DFT")
def _dft(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    rank = len(x.shape)
    told = c.optional(step, 2, "axis")
    # From opset 20 on it counts the last axis, that of the two parts, from behind.
    axis = int(step.attributes.get("axis", 1) if told is None else told.reshape(-1)[0])
    if told is None and "axis" not in step.attributes and c.program.opset >= 20:
        axis = -2
    axis %= rank
    length = c.optional(step, 1, "length")
    size = x.shape[axis] if length is None else int(length.reshape(-1)[0])
    if size < x.shape[axis]:
        x = sliced(c.builder, x, axis, 0, size)
    inverse = bool(step.attributes.get("inverse", 0))
    if inverse and step.attributes.get("onesided"):
        raise unsupported(step, "it is inverse and onesided", "both sides")
    order = [place for place in range(rank - 1) if place != axis] + [axis, rank - 1]
    lines = transpose(c.builder, x, order)
    shape = c.shape(step.outputs[0])
    # A longer transform than the operand has zeros behind it.
    sign = 1 if inverse else -1
    matrix = _matrix(step, size, shape[axis], x.shape[axis], x.shape[-1], sign)
    matrix = matrix / size if inverse else matrix
    flat = reshape(c.builder, lines, (*lines.shape[:-2], matrix.shape[1]))
    made = linear(c, step, flat, matrix, None)
    made = reshape(c.builder, made, (*lines.shape[:-2], shape[axis], 2))
    return transpose(c.builder, made, [order.index(place) for place in range(rank)])


@lowers("STFT")
def _stft(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    if len(x.shape) == 2:
        x = reshape(c.builder, x, (*x.shape, 1))
    batch, length, parts = x.shape
    hop = int(c.needed(step, 1, "frame step").reshape(-1)[0])
    window = c.optional(step, 2, "window")
    told = c.optional(step, 3, "frame length")
    size = int(told.reshape(-1)[0]) if told is not None else 0 if window is None else len(window)
    _, count, results, _ = c.shape(step.outputs[0])
    if size < 1 or hop < 1 or (count - 1) * hop + size > length:
        raise unsupported(step, "its frames reach beyond the signal", "frames within the signal")
    weights = np.ones(size) if window is None else numbers(window).reshape(-1)
    strides = row_major((batch, length, parts))
    frames = c.builder.view(
        x, (batch, count, size, parts), 0, (strides[0], hop * parts, parts, 1)
    ).with_(scale=x.scale, span=x.span)
    matrix = _matrix(step, size, results, size, parts, -1) * np.repeat(weights, parts)
    made = linear(c, step, reshape(c.builder, frames, (batch, count, size * parts)), matrix, None)
    return reshape(c.builder, made, (batch, count, results, 2))
