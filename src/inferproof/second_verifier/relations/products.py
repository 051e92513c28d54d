"""Contractions and products of tensors. Source: specs/relations.md, section 12."""

from collections.abc import Sequence
from itertools import product as combinations
from math import prod

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import (
    ONE,
    ZERO,
    Element,
    dot_integers,
    equality,
    equality_at,
    product,
)
from inferproof.second_verifier.graph import Node, Shape
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.relations.claims import Claim, Functional, MatrixClaim, Messages
from inferproof.second_verifier.relations.tensors import Point, coordinates, ones, split
from inferproof.second_verifier.relations.values import Value, add, dot, mul, sub, total

Claims = tuple[Claim, Claim]


def mask(size: int, free: bool, point: Point) -> Element:
    """1~ of an axis that is summed over, at a point; 1 where none of its padding counts."""
    return ones(point, size) if masked(size, free) else ONE


def masked(size: int, free: bool) -> bool:
    """Whether an axis has padding, which may be anything."""
    return free and size.bit_count() != 1


def multiplied(
    messages: Messages, node: Node, shapes: Sequence[Shape], free: bool, claim: Claim
) -> Claims:
    """The claims on both operands of a Mul or a MatMul, `free` where the padding of both may be
    anything."""
    if node.op == g.MUL:
        left, ends = messages.sumcheck(len(claim.point), 3, claim.value)
        a, b = messages.values(2)
        weight = equality_at(claim.point, ends)
        messages.products([(mul(weight, a), b)], left, "a product does not follow")
        return Claim(ends, a), Claim(ends, b)
    *batch, rows, depth = shapes[0]
    lead, inner = coordinates(batch), log(depth)
    outer, row = claim.point[:lead], claim.point[lead : lead + log(rows)]
    column = claim.point[lead + log(rows) :]
    degree = 3 if lead or masked(depth, free) else 2
    left, ends = messages.sumcheck(lead + inner, degree, claim.value)
    a, b = messages.values(2)
    weight = equality_at(outer, ends[:lead])
    weight = mul(weight, mask(depth, free, ends[lead:]))
    messages.products([(mul(weight, a), b)], left, "a product of matrices does not follow")
    return Claim(ends[:lead] + row + ends[lead:], a), Claim(ends + column, b)


class Contraction:
    """A Linear or Conv node with its matrix of rows × columns."""

    def __init__(
        self,
        node: Node,
        x: Shape,
        size: tuple[int, int],
        bias: Sequence[int] | None,
        free: bool,
    ) -> None:
        self.node, self.x, self.bias, self.free = node, x, bias, free
        self.rows, self.columns = size

    def reduce(self, messages: Messages, claim: Claim) -> tuple[MatrixClaim, Claim]:
        """A claim on the matrix and one on the operand."""
        if self.node.op == g.LINEAR:
            return self._linear(messages, claim)
        return self._conv(messages, claim)

    def _unbiased(self, claim: Claim, axis: int) -> Value:
        """The value without the bias, which lies along an axis of the result."""
        if self.bias is None:
            return claim.value
        shape = self.node.out.shape
        parts = split(shape, claim.point)
        positions = product(
            ones(part, size)
            for number, (part, size) in enumerate(zip(parts, shape, strict=True))
            if number != axis
        )
        own = dot_integers(equality(parts[axis], self.rows), self.bias)
        return sub(claim.value, mul(positions, own))

    def _linear(self, messages: Messages, claim: Claim) -> tuple[MatrixClaim, Claim]:
        value = self._unbiased(claim, len(self.node.out.shape) - 1)
        lead = len(claim.point) - log(self.rows)
        rows = claim.point[lead:]
        degree = 3 if masked(self.columns, self.free) else 2
        left, ends = messages.sumcheck(log(self.columns), degree, value)
        matrix, operand = messages.values(2)
        weight = mask(self.columns, self.free, ends)
        messages.products([(mul(weight, matrix), operand)], left, "a Linear does not follow")
        return MatrixClaim(rows, ends, matrix), Claim(claim.point[:lead] + ends, operand)

    def _conv(self, messages: Messages, claim: Claim) -> tuple[MatrixClaim, Claim]:
        node = self.node
        parts = split(node.out.shape, claim.point)
        batch, drawn = parts[0], parts[1]
        value = self._unbiased(claim, 1)
        variables = log(self.columns) + (log(self.rows) if node.groups > 1 else 0)
        left, ends = messages.sumcheck(variables, 2, value)
        matrix, table = messages.values(2)
        messages.products([(matrix, table)], left, "a Conv does not follow")
        cut = variables - log(self.columns)
        rows, columns = (ends[:cut] if cut or node.groups > 1 else drawn), ends[cut:]

        operand = Functional(messages, [*batch, *[None] * coordinates(self.x[1:])], table)
        weight = self._weight(drawn, rows, columns, parts[2:], operand.ends)
        return MatrixClaim(rows, columns, matrix), operand.end(weight)

    def _groups(self, drawn: Point, rows: Point) -> list[Element]:
        """What the rows of each group weigh together."""
        if self.node.groups == 1:
            return [ONE]
        size = self.rows // self.node.groups
        pairs = [
            mul(a, b)
            for a, b in zip(equality(drawn, self.rows), equality(rows, self.rows), strict=True)
        ]
        return [total(pairs[start : start + size]) for start in range(0, self.rows, size)]

    def _weight(
        self, drawn: Point, rows: Point, columns: Point, positions: list[Point], ends: Point
    ) -> Element:
        """By how much T counts the operand at the end of the second sumcheck."""
        node = self.node
        channel, *spatial = split(self.x[1:], ends)
        # Of each axis and position of the kernel: eq of both positions that it joins, summed.
        kernels = []
        for axis, (point, own) in enumerate(zip(positions, spatial, strict=True)):
            outer = equality(point, node.out.shape[2 + axis])
            inner = equality(own, self.x[2 + axis])
            sums = []
            for k in range(node.kernel[axis]):
                found = ZERO
                for o, w in enumerate(outer):
                    at = o * node.stride[axis] + k * node.dilation[axis] - node.pad_begin[axis]
                    if 0 <= at < len(inner):
                        found = add(found, mul(w, inner[at]))
                sums.append(found)
            kernels.append(sums)
        window = [product(combination) for combination in combinations(*kernels)]
        count = self.columns // prod(node.kernel)
        of_channels = equality(channel, self.x[1])
        of_columns = equality(columns, self.columns)
        weight = ZERO
        for group, share in enumerate(self._groups(drawn, rows)):
            for c in range(count):
                line = dot(of_columns[c * len(window) : (c + 1) * len(window)], window)
                own_channel = of_channels[group * count + c]
                weight = add(weight, mul(share, mul(own_channel, line)))
        return weight
