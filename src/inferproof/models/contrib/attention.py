"""Attention as ONNX Runtime's optimiser fuses it, written with products and a Softmax.

What a mask leaves out gets a score so low that its share is 0. ONNX Runtime adds the attribute
mask_filter_value instead: the same shares, unless a row has nothing left.
"""

import math
from dataclasses import dataclass

import numpy as np

from inferproof.models.contrib.quantised import dequantised
from inferproof.models.contrib.rewriting import Rewriting, rewrites

_OUT = -1e9
"""The score of what is left out."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Queries, keys and values by head, and their sizes.

    Shapes: q [batch, heads, rows, size], k [batch, heads, columns, size], v likewise with its own
    size.
    """

    q: str
    k: str
    v: str
    batch: int
    heads: int
    rows: int
    columns: int
    size: int
    value_size: int


def _split(made: Rewriting, x: str, batch: int, length: int, heads: int, width: int) -> str:
    """[B, L, N·H] by head: [B, N, L, H]."""
    parts = made.reshape(x, [batch, length, heads, width // heads])
    return made.node("Transpose", [parts], perm=[0, 2, 1, 3])


def _heads(made: Rewriting, *widths: int) -> int:
    heads = made.whole("num_heads", 0)
    if heads < 1 or any(width < 1 or width % heads for width in widths):
        raise made.invalid("its num_heads does not divide the width of queries, keys or values")
    return heads


def attend(made: Rewriting, h: Heads, masks: list[str], added: str) -> str:
    """The values weighted by softmax of q·k, [B, L, N·H].

    Shapes: each mask broadcasts to [B, N, rows, columns] and is true where a column counts;
    `added` is added to the scores.
    """
    scale = made.real("scale", 0.0) or 1 / math.sqrt(h.size)
    keys = made.node("Transpose", [h.k], perm=[0, 1, 3, 2])
    scores = made.node("Mul", [made.node("MatMul", [h.q, keys]), made.constant(scale)])
    if added:
        scores = made.node("Add", [scores, added])
    if made.whole("unidirectional", 0):
        before = np.tril(np.ones((h.rows, h.columns), bool), h.columns - h.rows)
        masks = [*masks, made.constant(before.reshape(1, 1, *before.shape), "?")]
    for mask in masks:
        scores = made.node("Where", [mask, scores, made.constant(_OUT)])
    shares = made.node("Softmax", [scores], axis=-1)
    found = made.node("Transpose", [made.node("MatMul", [shares, h.v])], perm=[0, 2, 1, 3])
    return made.reshape(found, [h.batch, h.rows, h.heads * h.value_size], made.output())


def _mask(made: Rewriting, name: str, batch: int, rows: int, columns: int) -> str:
    """A mask of any of the forms that the operators take, as one that broadcasts to the scores."""
    shape = made.shape(name)
    if shape == (batch,):
        return _until(made, made.reshape(made.floats(name), [batch, 1]), columns)
    if shape == (2 * batch,):
        # Where each row ends, then where it begins.
        ends, starts = (
            made.reshape(made.slice(made.floats(name), 0, first, first + batch), [batch, 1])
            for first in (0, batch)
        )
        after = made.node("Not", [made.node("Less", [_places(made, columns), starts])])
        until = made.node("Less", [_places(made, columns), ends])
        return made.reshape(made.node("And", [after, until]), [batch, 1, 1, columns])
    sizes: dict[tuple[int, ...], tuple[int, ...]] = {
        (batch, columns): (batch, 1, 1, columns),
        (1, columns): (1, 1, 1, columns),
    }
    sizes[batch, rows, columns] = (batch, 1, rows, columns)
    if shape not in sizes:
        raise made.refused(f"its mask has the shape {list(shape)}; [batch, columns] is taken")
    there = made.cast(name, "?")
    return made.reshape(there, sizes[shape])


def _places(made: Rewriting, columns: int) -> str:
    return made.constant(np.arange(columns).reshape(1, -1))


def _until(made: Rewriting, ends: str, columns: int) -> str:
    there = made.node("Less", [_places(made, columns), ends])
    return made.reshape(there, [-1, 1, 1, columns])


@rewrites("Attention", "QAttention")
def _attention(made: Rewriting) -> None:
    """Self-attention of input [B, S, D] by weights [D, Dq + Dk + Dv]."""
    made.only(0, 1)
    quantised = made.op == "QAttention"
    x, weights = made.input(0), made.input(1)
    batch, rows, _ = made.shape(x, 3)
    width = made.shape(weights, 2)[1]
    widths = made.wholes("qkv_hidden_sizes") or [width // 3] * 3
    if len(widths) != 3 or sum(widths) != width or widths[0] != widths[1]:
        raise made.invalid("its weights are not as wide as queries, keys and values together")
    heads = _heads(made, *widths)
    if made.whole("do_rotary", 0):
        raise made.refused("it turns queries and keys itself; optimise without attention fusion")
    if quantised:
        real = dequantised(made, x, made.input(3), made.maybe(6))
        matrix = dequantised(made, weights, made.input(4), made.maybe(7), 1)
        bias, mask, past, added = made.input(2), made.maybe(5), made.maybe(8), ""
    else:
        real, matrix = x, weights
        bias, mask, past, added = (made.maybe(place) for place in (2, 3, 4, 5))
        if made.maybe(6):
            raise made.refused("its past is kept in one buffer; export without past_present_share")
    product = made.node("MatMul", [real, matrix])
    product = made.node("Add", [product, bias]) if bias else product
    starts = [0, widths[0], 2 * widths[0], width]
    parts = [made.slice(product, 2, starts[place], starts[place + 1]) for place in range(3)]
    q, k, v = (
        _split(made, part, batch, rows, heads, size)
        for part, size in zip(parts, widths, strict=True)
    )
    columns = rows
    if past:
        if len(made.shape(past)) != 5 or widths[2] != widths[0]:
            raise made.invalid("its past is not [2, batch, heads, length, size]")
        columns += made.shape(past)[3]
        k, v = (
            made.node("Concat", [_half(made, past, place), item], axis=2)
            for place, item in enumerate((k, v))
        )
    if made.output(1):
        both = [made.reshape(item, [1, batch, heads, columns, -1]) for item in (k, v)]
        made.node("Concat", both, made.output(1), axis=0)
    sizes = (batch, heads, rows, columns, widths[0] // heads, widths[2] // heads)
    masks = [_mask(made, mask, batch, rows, columns)] if mask else []
    if made.output():
        attend(made, Heads(q, k, v, *sizes), masks, added)


def _half(made: Rewriting, past: str, place: int) -> str:
    shape = made.shape(past)
    return made.reshape(made.slice(past, 0, place, place + 1), shape[1:])


@rewrites("MultiHeadAttention")
def _multi_head(made: Rewriting) -> None:
    """Attention of queries [B, S, D] to keys and values [B, L, D] or [B, N, L, H]."""
    made.only(0, 1, 2)
    query, key, value, bias = (made.maybe(place) for place in range(4))
    if len(made.shape(made.input(0))) != 3 or not key or not value:
        raise made.refused("its queries, keys and values are packed; optimise without packing")
    if any(made.maybe(place) for place in range(8, made.count)):
        raise made.refused("its cache is kept in one buffer; export without sharing it")
    batch, rows, width = made.shape(query, 3)
    wide = [made.shape(item) for item in (key, value)]
    by_head = [len(shape) == 4 for shape in wide]
    widths = [shape[1] * shape[3] if len(shape) == 4 else shape[-1] for shape in wide]
    heads = _heads(made, width, *widths)
    if widths[0] != width or any(len(shape) not in (3, 4) for shape in wide):
        raise made.invalid("its keys have another width than its queries")
    if any(own and shape[1] != heads for own, shape in zip(by_head, wide, strict=True)):
        raise made.invalid("its keys or values have another number of heads than num_heads")
    parts = [query, key, value]
    starts = np.cumsum([0, width, *widths]).tolist()
    lengths = [rows, *(shape[-2] for shape in wide)]
    found = []
    for place, part in enumerate(parts):
        if place and by_head[place - 1]:
            # Already by head, as keys and values of a cross-attention are: without a bias.
            found.append(part)
            continue
        if bias:
            own = made.slice(bias, 0, starts[place], starts[place + 1])
            part = made.node("Add", [part, own])
        size = starts[place + 1] - starts[place]
        found.append(_split(made, part, batch, lengths[place], heads, size))
    q, k, v = found
    columns = lengths[1]
    for place, past in enumerate((made.maybe(6), made.maybe(7))):
        if past:
            grown = made.node("Concat", [past, (k, v)[place]], axis=2)
            k, v = (k, grown) if place else (grown, v)
            columns += 0 if place else made.shape(past, 4)[2]
    for place, item in ((1, k), (2, v)):
        if made.output(place):
            made.node("Identity", [item], made.output(place))
    masks = [_mask(made, made.maybe(4), batch, rows, columns)] if made.maybe(4) else []
    sizes = (batch, heads, rows, columns, width // heads, widths[1] // heads)
    if made.output():
        attend(made, Heads(q, k, v, *sizes), masks, made.maybe(5))
