"""From the result of a contraction to a claim about its weights.

Source: specs/sumcheck-proof.md, sections 4 and 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as combinations
from math import prod

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import (
    ZERO,
    Element,
    add,
    dot,
    dot_integers,
    equality,
    mul,
    powers,
    scale,
    sub,
    total,
)
from inferproof.second_verifier.graph import Graph
from inferproof.second_verifier.transcript import Transcript


def log(count: int) -> int:
    """The least a with 2^a >= count."""
    return (count - 1).bit_length()


@dataclass(frozen=True)
class Contraction:
    """One Linear or Conv node. An axis is (input, output, kernel, stride, dilation, pad)."""

    operand: int
    result: int
    bias: Sequence[int]
    rows: int
    columns: int
    batch: int
    groups: int
    axes: list[tuple[int, int, int, int, int, int]]

    @property
    def results(self) -> int:
        return self.batch * self.rows * prod(axis[1] for axis in self.axes)

    @property
    def position_variables(self) -> list[int]:
        """Coordinates of the batch, then of each spatial dimension."""
        return [log(size) for size in (self.batch, *(axis[1] for axis in self.axes))]

    @property
    def coordinates(self) -> int:
        """Coordinates of the point at which the result is checked."""
        return log(self.rows) + sum(self.position_variables)

    @property
    def effort(self) -> tuple[int, int]:
        """The most elements at a time, and products in all, that `Check.operand` may take."""
        elements = self.columns
        if not self.axes:
            return elements, self.batch * elements
        kernels = prod(axis[2] for axis in self.axes)
        elements = self.groups * self.columns // kernels * prod(axis[0] for axis in self.axes)
        steps = []
        for size, output, kernel, *_ in reversed(self.axes):
            elements = elements // size * kernel
            steps.append((elements, self.batch * elements * output))
        return max(step[0] for step in steps), sum(step[1] for step in steps)

    @property
    def variables(self) -> int:
        """Variables of its sum: those of the columns, and with several groups of the rows."""
        rows = 0 if self.groups == 1 else log(self.rows)
        return rows + log(self.columns)


def contractions(graph: Graph) -> list[Contraction]:
    """The weighted contractions in the order of the nodes."""
    found = []
    for place, node in enumerate(graph.nodes):
        if node.op not in (g.LINEAR, g.CONV):
            continue
        x = graph.tensor(node.operands[0]).shape
        rows, columns = graph.weights[node.weight]
        bias = (0,) * rows if node.bias == g.NONE else graph.constants[node.bias].values
        batch, groups, axes = prod(x[:-1]), 1, []
        if node.op == g.CONV:
            batch, groups = x[0], node.groups
            outputs, steps = node.out.shape[2:], (node.kernel, node.stride, node.dilation)
            axes = list(zip(x[2:], outputs, *steps, node.pad_begin, strict=True))
        found.append(
            Contraction(
                node.operands[0],
                len(graph.inputs) + place,
                bias,
                rows,
                columns,
                batch,
                groups,
                axes,
            )
        )
    return found


class Check:
    """One contraction at the point drawn for it."""

    def __init__(self, contraction: Contraction, transcript: Transcript) -> None:
        self.contraction = contraction
        self.row_point = transcript.point(log(contraction.rows))
        self.rows = equality(self.row_point, contraction.rows)
        sizes = [contraction.batch, *(axis[1] for axis in contraction.axes)]
        # eq of the batch, then of each spatial dimension.
        self.positions = [equality(transcript.point(log(size)), size) for size in sizes]

    def claim(self, result: Sequence[int]) -> Element:
        """What Σ T·W must be: the result without its bias at the point."""
        own = self.contraction
        inner = prod(axis[1] for axis in own.axes)
        weights = self._spatial()
        sums = ZERO
        for b, batch_weight in enumerate(self.positions[0]):
            for n, row_weight in enumerate(self.rows):
                start = (b * own.rows + n) * inner
                values = [value - own.bias[n] for value in result[start : start + inner]]
                here = dot_integers(weights, values)
                sums = add(sums, mul(mul(batch_weight, row_weight), here))
        return sums

    def _spatial(self) -> list[Element]:
        weights = [(1, 0, 0, 0, 0)]
        for axis in self.positions[1:]:
            weights = [mul(w, x) for w in weights for x in axis]
        return weights

    def operand(self, x: Sequence[int]) -> list[list[Element]]:
        """v_g for every group g."""
        own = self.contraction
        kernels = list(combinations(*(range(axis[2]) for axis in own.axes)))
        windows = [self._window(kernel) for kernel in kernels]
        channels = own.columns // len(kernels)
        image = prod(axis[0] for axis in own.axes)
        spatial = self._spatial()
        groups: list[list[Element]] = [[] for _ in range(own.groups)]
        for channel in range(own.groups * channels):
            for window in windows:
                value = ZERO
                for b, weight in enumerate(self.positions[0]):
                    start = (b * own.groups * channels + channel) * image
                    here = [0 if at is None else x[start + at] for at in window]
                    value = add(value, mul(weight, dot_integers(spatial, here)))
                groups[channel // channels].append(value)
        return groups

    def _window(self, kernel: Sequence[int]) -> list[int | None]:
        """The place in the image that each output position reads, None for padding."""
        axes = self.contraction.axes
        places: list[int | None] = []
        for output in combinations(*(range(axis[1]) for axis in axes)):
            at: int | None = 0
            for axis, s, k in zip(axes, output, kernel, strict=True):
                size, _, _, stride, dilation, pad = axis
                source = s * stride + k * dilation - pad
                at = None if at is None or not 0 <= source < size else at * size + source
            places.append(at)
        return places

    def own_point(self, point: Sequence[Element]) -> list[Element]:
        """The last coordinates of the sumcheck's point, as many as it has variables."""
        return list(point[len(point) - self.contraction.variables :])

    def matrix_point(self, point: Sequence[Element]) -> tuple[list[Element], list[Element]]:
        """The coordinates of rows and of columns at which the weights are opened."""
        own = self.own_point(point)
        split = len(own) - log(self.contraction.columns)
        rows = self.row_point if self.contraction.groups == 1 else own[:split]
        return rows, own[split:]

    def table(self, point: Sequence[Element], operand: list[list[Element]]) -> Element:
        """T at the end of the sumcheck; for one group without its factor of the rows."""
        own = self.contraction
        rows, columns = self.matrix_point(point)
        column_weights = equality(columns, own.columns)
        if own.groups == 1:
            return dot(column_weights, operand[0])
        row_weights = equality(rows, own.rows)
        size = own.rows // own.groups
        result = ZERO
        for n in range(own.rows):
            weight = mul(row_weights[n], self.rows[n])
            result = add(result, mul(weight, dot(column_weights, operand[n // size])))
        return result


def step(claim: Element, constant: Element, leading: Element, x: Element) -> Element:
    """h(x), with h(0), the coefficient of X^2, and h(0) + h(1) = claim."""
    linear = sub(sub(claim, scale(constant, 2)), leading)
    return add(constant, mul(x, add(linear, mul(x, leading))))


def sumcheck(
    rounds: Sequence[tuple[Element, Element]],
    variables: Sequence[int],
    claims: Sequence[Element],
    transcript: Transcript,
) -> tuple[Element, list[Element]]:
    """The claim that is left after the rounds, and their point."""

    def joining(left: int) -> Element:
        return total(c for own, c in zip(variables, claims, strict=True) if own == left)

    claim = ZERO
    point: list[Element] = []
    for place, (constant, leading) in enumerate(rounds):
        claim = add(claim, joining(len(rounds) - place))
        transcript.absorb_elements("round", (constant, leading))
        x = transcript.challenge()
        claim = step(claim, constant, leading, x)
        point.append(x)
    return add(claim, joining(0)), point


def batched(claims: Sequence[Element], gamma: Element) -> tuple[list[Element], list[Element]]:
    """Powers of gamma, and the claims multiplied with them."""
    weights = powers(gamma, len(claims))
    return weights, [mul(w, c) for w, c in zip(weights, claims, strict=True)]
