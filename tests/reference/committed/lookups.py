"""The lookup argument. Source: specs/committed-mode.md, sections 4 to 7."""

from collections.abc import Sequence
from dataclasses import dataclass

from reference.committed.parts import Lookup
from reference.committed.tables import Table
from reference.field import ONE, ZERO, Element, add, equality_at, lift, mul, powers, scale, sub
from reference.layers import log
from reference.reader import Reader, Rejected
from reference.transcript import Transcript
from reference.weights import bits

Fraction = tuple[Element, Element]
_LANE_BITS = 4


@dataclass
class Layer:
    rounds: list[tuple[Element, Element]]
    children: list[Element]


@dataclass
class LookupProof:
    layers: list[Layer]
    columns: list[Element]
    multiplicities: list[Element]


@dataclass(frozen=True)
class Found:
    """What is claimed of a lookup: its key and value at a point; the value is 0 without values."""

    point: list[Element]
    key: Element
    value: Element


def _mismatch(why: str) -> Rejected:
    return Rejected("LOOKUP_MISMATCH", why)


class Tree:
    """The blocks of one tree by their variables."""

    def __init__(self, variables: Sequence[int]) -> None:
        self.variables = variables
        self.offsets = [0] * len(variables)
        free = 0
        for index in sorted(range(len(variables)), key=lambda index: -variables[index]):
            self.offsets[index] = free
            free += 1 << variables[index]
        self.height = log(free)

    def blocks(self, leaf: Sequence[Element]) -> list[tuple[Element, list[Element]]]:
        """Weight and point of each block, at a point of leaves with its lowest bit first."""
        cut = self.height - _LANE_BITS
        point = [*reversed(leaf[:cut]), *reversed(leaf[cut:])]
        found = []
        for own, offset in zip(self.variables, self.offsets, strict=True):
            high = self.height - own
            slot = bits(offset >> own, high)
            found.append((equality_at(point[:high], slot), point[high:]))
        return found


class Argument:
    """All lookups of a plan."""

    def __init__(self, tables: Sequence[Table], lookups: Sequence[Lookup]) -> None:
        if not 1 <= len(lookups) <= 2**12:
            raise Rejected("KEY_LOOKUPS", "the number of lookups")
        self.tables, self.lookups = tables, lookups
        self.rows = Tree([lookup.variables for lookup in lookups])
        self.entries = Tree([table.variables for table in tables])
        self.layers = max(self.rows.height, self.entries.height)
        if self.layers > 27:
            raise Rejected("KEY_LOOKUPS", "too many leaves")

    def _children(self, layer: int) -> int:
        last = self.rows.height == layer + 1
        rows = (2 if last else 4) if layer < self.rows.height else 0
        return rows + (4 if layer < self.entries.height else 0)

    def _valued(self, lookup: Lookup) -> bool:
        return self.tables[lookup.table].values is not None

    def read(self, source: Reader) -> LookupProof:
        """Raises: Rejected PROOF_MALFORMED."""
        layers = []
        for layer in range(self.layers):
            source.field("lookups: rounds of a layer")
            rounds = [(source.element(), source.element()) for _ in range(layer)]
            source.field("lookups: children of a layer")
            layers.append(Layer(rounds, source.elements(self._children(layer))))
        source.field("lookups: values of the columns")
        count = sum(2 if self._valued(lookup) else 1 for lookup in self.lookups)
        columns = source.elements(count)
        source.field("lookups: values of the multiplicities")
        return LookupProof(layers, columns, source.elements(len(self.tables)))

    def verify(
        self, proof: LookupProof, transcript: Transcript
    ) -> tuple[list[Found], list[tuple[list[Element], Element]]]:
        """What is left to open: of each lookup, and of each table's multiplicities.

        Raises: Rejected LOOKUP_MISMATCH.
        """
        alpha, beta, gamma = transcript.point(3)

        def fingerprint(table: int, key: Element, value: Element) -> Element:
            return add(add(alpha, scale(gamma, table)), add(key, mul(beta, value)))

        (rows, at_rows), (entries, at_entries) = self._reduce(proof, transcript)
        found, claimed = [], iter(proof.columns)
        covered, denominator = ZERO, ZERO
        blocks = self.rows.blocks(at_rows)
        for lookup, (weight, point) in zip(self.lookups, blocks, strict=True):
            key = next(claimed)
            value = next(claimed) if self._valued(lookup) else ZERO
            found.append(Found(point, key, value))
            denominator = add(denominator, mul(weight, fingerprint(lookup.table, key, value)))
            covered = add(covered, weight)
        table = self.tables[0]
        value = lift(table.values[0]) if table.values is not None else ZERO
        padding = fingerprint(0, lift(table.first), value)
        denominator = add(denominator, mul(sub(ONE, covered), padding))
        if rows != (ONE, denominator):
            raise _mismatch("the claimed columns are not the leaves")

        counts = []
        numerator, denominator, covered = ZERO, ZERO, ZERO
        blocks = self.entries.blocks(at_entries)
        for number, (weight, point) in enumerate(blocks):
            count = proof.multiplicities[number]
            counts.append((point, count))
            own = fingerprint(number, *self.tables[number].at(point))
            numerator = add(numerator, mul(weight, count))
            denominator = add(denominator, mul(weight, own))
            covered = add(covered, weight)
        if entries != (numerator, add(denominator, sub(ONE, covered))):
            raise _mismatch("tables and multiplicities are not the leaves")
        transcript.absorb_elements("lookup/columns", [*proof.columns, *proof.multiplicities])
        return found, counts

    def _reduce(
        self, proof: LookupProof, transcript: Transcript
    ) -> list[tuple[Fraction, list[Element]]]:
        """Of each tree the fraction claimed at its leaves, and their point, lowest bit first."""
        trees = [self.rows, self.entries]
        claims: list[Fraction] = [(ZERO, ONE)] * 2
        points: list[list[Element]] = [[], []]
        point: list[Element] = []
        for depth, layer in enumerate(proof.layers):
            active = [number for number in (0, 1) if depth < trees[number].height]
            left = list(layer.children)
            pairs: list[tuple[Fraction, Fraction]] = []
            for number in active:
                if number == 0 and depth + 1 == self.rows.height:
                    pairs.append(((ONE, left[0]), (ONE, left[1])))
                    left = left[2:]
                else:
                    pairs.append(((left[0], left[1]), (left[2], left[3])))
                    left = left[4:]
            sums = [_sum(*pair) for pair in pairs]
            if depth == 0:
                self._roots(sums)
                xs = []
            else:
                factor = transcript.challenge()
                claim = _combined([claims[number] for number in active], factor)
                xs = []
                for (slope, leading), own in zip(layer.rounds, point, strict=True):
                    transcript.absorb_elements("lookup/round", [slope, leading])
                    x = transcript.challenge()
                    constant = sub(claim, mul(own, slope))
                    inner = add(slope, mul(leading, sub(x, ONE)))
                    claim = add(constant, mul(x, inner))
                    xs.append(x)
                if claim != _combined(sums, factor):
                    raise _mismatch(f"layer {depth} does not follow")
            transcript.absorb_elements("lookup/children", layer.children)
            branch = transcript.challenge()
            point = [branch, *xs]
            for number, (low, high) in zip(active, pairs, strict=True):
                claims[number] = _between(low, high, branch)
                points[number] = point
        return list(zip(claims, points, strict=True))

    def _roots(self, sums: list[Fraction]) -> None:
        (n, d), (other_n, other_d) = sums
        if ZERO in (d, other_d):
            raise _mismatch("a denominator is zero")
        if mul(n, other_d) != mul(other_n, d):
            raise _mismatch("the roots differ")


def _sum(low: Fraction, high: Fraction) -> Fraction:
    numerator = add(mul(low[0], high[1]), mul(high[0], low[1]))
    return numerator, mul(low[1], high[1])


def _between(low: Fraction, high: Fraction, x: Element) -> Fraction:
    numerator, denominator = (add(a, mul(x, sub(b, a))) for a, b in zip(low, high, strict=True))
    return numerator, denominator


def _combined(fractions: list[Fraction], factor: Element) -> Element:
    weights = powers(mul(factor, factor), len(fractions))
    result = ZERO
    for weight, (n, d) in zip(weights, fractions, strict=True):
        result = add(result, mul(weight, add(n, mul(factor, d))))
    return result
