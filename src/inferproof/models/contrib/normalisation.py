"""Layer normalisation as ONNX Runtime's optimiser writes it, alone and with what is before it."""

import numpy as np

from inferproof.models.contrib.rewriting import STANDARD, Rewriting, rewrites

_LAYER_NORMALIZATION = 17
"""The opset that brought it. Optimised models have it in any."""


def layer_norm(made: Rewriting, x: str, rank: int, scale: str, bias: str, output: str) -> None:
    """(x - mean) / deviation over the last axis, times scale, plus bias."""
    epsilon = made.real("epsilon", 1e-5 if made.op == "LayerNormalization" else 1e-12)
    if made.opset >= _LAYER_NORMALIZATION:
        operands = [x, scale, bias] if bias else [x, scale]
        made.node("LayerNormalization", operands, output, axis=-1, epsilon=epsilon)
        return
    centred = made.node("Sub", [x, made.reduce("ReduceMean", x, [rank - 1])])
    _scaled(made, centred, rank, scale, bias, epsilon, output)


def _scaled(
    made: Rewriting, x: str, rank: int, scale: str, bias: str, epsilon: float, output: str
) -> None:
    """x over the root of its mean square, times scale, plus bias."""
    square = made.reduce("ReduceMean", made.node("Mul", [x, x]), [rank - 1])
    root = made.node("Sqrt", [made.node("Add", [square, made.constant(epsilon)])])
    shares = made.node("Div", [x, root])
    if not bias:
        made.node("Mul", [shares, scale], output)
        return
    made.node("Add", [made.node("Mul", [shares, scale]), bias], output)


def _last_axis(made: Rewriting, x: str) -> int:
    """The rank of x, whose last axis alone is normalised."""
    rank = len(made.shape(x))
    if not rank or made.whole("axis", -1) not in (-1, rank - 1):
        raise made.refused("it normalises more than the last axis; optimise from opset 17 on")
    return rank


def older_layer_norm(made: Rewriting) -> None:
    """LayerNormalization in a model of an opset before it came into the standard."""
    made.only(0)
    x = made.input(0)
    layer_norm(made, x, _last_axis(made, x), made.input(1), made.maybe(2), made.output())


@rewrites("SimplifiedLayerNormalization", domain=STANDARD)
@rewrites("SimplifiedLayerNormalization")
def _simplified(made: Rewriting) -> None:
    made.only(0)
    x = made.input(0)
    rank = _last_axis(made, x)
    _scaled(made, x, rank, made.input(1), "", made.real("epsilon", 1e-5), made.output())


@rewrites("SkipLayerNormalization", "SkipSimplifiedLayerNormalization")
def _skip(made: Rewriting) -> None:
    """The normalised sum of input, skip and bias, and the sum itself as output 3."""
    made.only(0, 3)
    simplified = made.op == "SkipSimplifiedLayerNormalization"
    x, skip = made.input(0), made.input(1)
    bias = made.maybe(3 if simplified else 4)
    both = made.node("Add", [x, skip])
    total = made.node("Add", [both, bias]) if bias else both
    if made.output(3):
        made.node("Identity", [total], made.output(3))
    if not made.output():
        return
    rank = len(made.shape(x))
    if not rank:
        raise made.invalid("its input has no axis")
    if simplified:
        epsilon = made.real("epsilon", 1e-12)
        _scaled(made, total, rank, made.input(2), "", epsilon, made.output())
    else:
        layer_norm(made, total, rank, made.input(2), made.maybe(3), made.output())


@rewrites("EmbedLayerNormalization", "QEmbedLayerNormalization")
def _embed(made: Rewriting) -> None:
    """The normalised sum of the embeddings of words, positions and segments.

    Shapes: input_ids [B, S]; output 1 is how many places the mask leaves of each row.
    """
    batch, length = made.shape(made.input(0), 2)
    quantised = made.op == "QEmbedLayerNormalization"
    tables = [made.maybe(place) for place in (2, 3, 4)]
    scale, bias = made.input(5), made.input(6)
    mask, positions = made.maybe(7), "" if quantised else made.maybe(8)
    if quantised:
        tables, (scale, bias) = _dequantised_tables(made)
    if made.output(0) or made.output(2):
        if not positions:
            positions = made.constant(np.arange(length).reshape(1, -1), "<i8")
        words = made.node("Gather", [tables[0], made.input(0)], axis=0)
        total = made.node("Add", [words, made.node("Gather", [tables[1], positions], axis=0)])
        if made.maybe(1) and tables[2]:
            segments = made.node("Gather", [tables[2], made.input(1)], axis=0)
            total = made.node("Add", [total, segments])
        if made.output(2):
            made.node("Identity", [total], made.output(2))
        if made.output(0):
            layer_norm(made, total, 3, scale, bias, made.output())
    if not made.output(1):
        return
    if mask:
        count = made.reduce("ReduceSum", made.floats(mask), [1], keepdims=0)
        made.cast(count, "<i4", made.output(1))
    else:
        none = made.constant(np.zeros(batch), "<i4")
        made.node("Identity", [none], made.output(1))


def _dequantised_tables(made: Rewriting) -> tuple[list[str], tuple[str, str]]:
    """The tables, then scale and bias; their scales are inputs 8 to 12, zero points 13 to 17."""
    from inferproof.models.contrib.quantised import dequantised

    found = [
        dequantised(made, made.input(place), made.input(place + 6), made.maybe(place + 11))
        if made.maybe(place)
        else ""
        for place in (2, 3, 4, 5, 6)
    ]
    return found[:3], (found[3], found[4])
