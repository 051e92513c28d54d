"""The lookup argument. Source: specs/relations.md, sections 4 to 7."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier.field import ONE, ZERO, Element, equality_at, lift, powers
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.reader import Reader, Rejected, named
from inferproof.second_verifier.relations.claims import Messages, demand
from inferproof.second_verifier.relations.parts import Lookup
from inferproof.second_verifier.relations.tables import Table
from inferproof.second_verifier.relations.values import Value, add, mul, scale, sub
from inferproof.second_verifier.weights import bits

Fraction = tuple[Value, Value]
Counts = list[tuple[list[Element], Value]]
"""Of each table the point at which its multiplicities are claimed, and their value there."""
_LANE_BITS = 4


@dataclass(frozen=True)
class Found:
    """What is claimed of a lookup: its key and value at a point; the value is 0 without values."""

    point: list[Element]
    key: Value
    value: Value


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
        if not 1 <= len(lookups) <= 2**16:
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

    def read(self, source: Reader) -> list[Element]:
        """All elements in order. Raises: Rejected PROOF_MALFORMED."""
        found = []
        for layer in range(self.layers):
            source.field("lookups: rounds of a layer")
            found += source.elements(2 * layer)
            source.field("lookups: children of a layer")
            found += source.elements(self._children(layer))
        source.field("lookups: values of the columns")
        found += source.elements(self._values)
        source.field("lookups: values of the multiplicities")
        return found + source.elements(len(self.tables))

    @property
    def _values(self) -> int:
        """Keys and values that are claimed."""
        return sum(2 if self._valued(lookup) else 1 for lookup in self.lookups)

    def verify(self, messages: Messages) -> tuple[list[Found], Counts]:
        """What is left to open: of each lookup, and of each table's multiplicities.

        Raises: Rejected LOOKUP_MISMATCH.
        """
        with named("LOOKUP_MISMATCH"):
            return self._verify(messages)

    def _verify(self, messages: Messages) -> tuple[list[Found], Counts]:
        alpha, beta, gamma = messages.transcript.point(3)

        def fingerprint(table: int, key: Value, value: Value) -> Value:
            return add(add(alpha, scale(gamma, table)), add(key, mul(beta, value)))

        (rows, at_rows), (entries, at_entries) = self._reduce(messages)
        claimed = iter(messages.take(self._values + len(self.tables), "lookup/columns"))
        found = []
        covered: Element = ZERO
        denominator: Value = ZERO
        blocks = self.rows.blocks(at_rows)
        for lookup, (weight, point) in zip(self.lookups, blocks, strict=True):
            key = next(claimed)
            value = next(claimed) if self._valued(lookup) else ZERO
            found.append(Found(point, key, value))
            denominator = add(denominator, mul(weight, fingerprint(lookup.table, key, value)))
            covered = add(covered, weight)
        table = self.tables[0]
        first = lift(table.values[0]) if table.values is not None else ZERO
        padding = fingerprint(0, lift(table.first), first)
        denominator = add(denominator, mul(sub(ONE, covered), padding))
        why = "the claimed columns are not the leaves"
        messages.equal(rows[0], ONE, why)
        messages.equal(rows[1], denominator, why)

        counts: Counts = []
        numerator: Value = ZERO
        denominator, covered = ZERO, ZERO
        blocks = self.entries.blocks(at_entries)
        for number, (weight, point) in enumerate(blocks):
            count = next(claimed)
            counts.append((point, count))
            own = fingerprint(number, *self.tables[number].at(point))
            numerator = add(numerator, mul(weight, count))
            denominator = add(denominator, mul(weight, own))
            covered = add(covered, weight)
        why = "tables and multiplicities are not the leaves"
        messages.equal(entries[0], numerator, why)
        messages.equal(entries[1], add(denominator, sub(ONE, covered)), why)
        return found, counts

    def _reduce(self, messages: Messages) -> list[tuple[Fraction, list[Element]]]:
        """Of each tree the fraction claimed at its leaves, and their point, lowest bit first."""
        trees, transcript = [self.rows, self.entries], messages.transcript
        claims: list[Fraction] = [(ZERO, ONE)] * 2
        points: list[list[Element]] = [[], []]
        point: list[Element] = []
        for depth in range(self.layers):
            active = [number for number in (0, 1) if depth < trees[number].height]
            xs: list[Element] = []
            factor, claim = ONE, None
            if depth:
                factor = transcript.challenge()
                claim = _combined([claims[number] for number in active], factor)
                for own in point:
                    slope, leading = messages.take(2, "lookup/round")
                    x = transcript.challenge()
                    constant = sub(claim, mul(own, slope))
                    inner = add(slope, mul(leading, sub(x, ONE)))
                    claim = add(constant, mul(x, inner))
                    xs.append(x)
            left = messages.take(self._children(depth), "lookup/children")
            pairs: list[tuple[Fraction, Fraction]] = []
            for number in active:
                if number == 0 and depth + 1 == self.rows.height:
                    pairs.append(((ONE, left[0]), (ONE, left[1])))
                    left = left[2:]
                else:
                    pairs.append(((left[0], left[1]), (left[2], left[3])))
                    left = left[4:]
            if claim is None:
                _check_roots(messages, *pairs)
            else:
                messages.products(_products(pairs, factor), claim, f"layer {depth} does not follow")
            branch = transcript.challenge()
            point = [branch, *xs]
            for number, (low, high) in zip(active, pairs, strict=True):
                claims[number] = _between(low, high, branch)
                points[number] = point
        return list(zip(claims, points, strict=True))


def _check_roots(
    messages: Messages, rows: tuple[Fraction, Fraction], entries: tuple[Fraction, Fraction]
) -> None:
    """No denominator is zero, and both roots are equal."""
    children = [*rows, *entries]
    if messages.hides:
        # Source: specs/relation-proof.md, sections 1 and 3.
        inverses = messages.take(len(children), "lookup/children")
        for (_, d), inverse in zip(children, inverses, strict=True):
            messages.products([(d, inverse)], ONE, "a denominator is zero")
        signed = [n if place < 2 else scale(n, -1) for place, (n, _) in enumerate(children)]
        messages.products(list(zip(signed, inverses, strict=True)), ZERO, "the roots differ")
        return
    (n, d), (other_n, other_d) = _sum(*rows), _sum(*entries)
    demand(ZERO not in (d, other_d), "a denominator is zero")
    demand(mul(n, other_d) == mul(other_n, d), "the roots differ")


def _products(
    pairs: Sequence[tuple[Fraction, Fraction]], factor: Element
) -> list[tuple[Value, Value]]:
    """What the claim of a layer is made of."""
    weights = powers(mul(factor, factor), len(pairs))
    found = []
    for weight, ((n, d), (other_n, other_d)) in zip(weights, pairs, strict=True):
        found.append((mul(weight, n), other_d))
        found.append((mul(weight, d), add(other_n, mul(factor, other_d))))
    return found


def _sum(low: Fraction, high: Fraction) -> Fraction:
    numerator = add(mul(low[0], high[1]), mul(high[0], low[1]))
    return numerator, mul(low[1], high[1])


def _between(low: Fraction, high: Fraction, x: Element) -> Fraction:
    numerator, denominator = (add(a, mul(x, sub(b, a))) for a, b in zip(low, high, strict=True))
    return numerator, denominator


def _combined(fractions: list[Fraction], factor: Element) -> Value:
    weights = powers(mul(factor, factor), len(fractions))
    result: Value = ZERO
    for weight, (n, d) in zip(weights, fractions, strict=True):
        result = add(result, mul(weight, add(n, mul(factor, d))))
    return result
