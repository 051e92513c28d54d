"""The opening of a commitment: its bytes and its checks.

Source: specs/sumcheck-proof.md, sections 7 and 8; specs/transcript.md, section 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.second_verifier import transcript as t
from inferproof.second_verifier.field import (
    DEGREE,
    ONE,
    Element,
    P,
    add,
    dot,
    equality,
    equality_at,
    internal_elements,
    lift,
    mul,
    powers,
    root_of_unity,
    scale,
    spread,
    total,
)
from inferproof.second_verifier.layers import step
from inferproof.second_verifier.merkle import root_of
from inferproof.second_verifier.reader import Reader, Rejected
from inferproof.second_verifier.transcript import Transcript, number
from reference.schedule import Schedule

Rounds = list[tuple[Element, Element]]
Claim = tuple[list[Element], Element]
"""A point of a table, and the table's value there."""


class Tables(Protocol):
    """Tables in one committed polynomial."""

    variables: int
    """Of the polynomial."""
    tables: list[int]
    """The variables of each table."""
    placed: list[int]
    """The tables in the order of their places."""

    def lifted(self, table: int, point: Sequence[Element], /) -> list[Element]:
        """A point of a table as one of the polynomial."""


@dataclass
class Leaves:
    """Opened rows in the order of their indices as drawn, and siblings."""

    rows: list[list[Element]]
    siblings: list[bytes]


@dataclass
class Round:
    root: bytes
    answers: list[Element]
    witness: int
    leaves: Leaves
    fold: Rounds


@dataclass
class Opening:
    values: list[Element]
    answers: list[Element]
    fold: Rounds
    rounds: list[Round]
    polynomial: list[Element]
    witness: int
    leaves: Leaves
    last_fold: Rounds


def _pairs(source: Reader, count: int, name: str) -> Rounds:
    source.field(name)
    return [(source.element(), source.element()) for _ in range(count)]


def _elements(source: Reader, count: int, name: str) -> list[Element]:
    source.field(name)
    return source.elements(count)


def _leaves(source: Reader, plan: Schedule, code: int) -> Leaves:
    width, count = 1 << plan.folds[code], plan.opened(code)
    if code == 0:
        source.field("rows of the weights")
        rows = [[lift(source.base()) for _ in range(width)] for _ in range(count)]
    else:
        source.field("rows of a fold")
        rows = [source.elements(width) for _ in range(count)]
    source.field("count of siblings")
    siblings = source.unsigned(4)
    if siblings > count * plan.log_leaves(code):
        raise source.reject("too many siblings")
    source.field("siblings")
    return Leaves(rows, [source.take(32) for _ in range(siblings)])


def _witness(source: Reader, plan: Schedule, code: int) -> int:
    source.field("witness of work")
    return source.base() if plan.queries[code].work else 0


def _round(source: Reader, plan: Schedule, code: int) -> Round:
    source.field("root of a fold")
    return Round(
        root=source.take(32),
        answers=_elements(source, plan.samples[code + 1], "answers of a fold"),
        witness=_witness(source, plan, code),
        leaves=_leaves(source, plan, code),
        fold=_pairs(source, plan.folds[code + 1], "sumcheck of a fold"),
    )


def read(source: Reader, plan: Schedule, values: int) -> Opening:
    """Reads an opening of which so many values are not known. Raises: Rejected PROOF_MALFORMED."""
    # Python evaluates the arguments from left to right, which is the order of the bytes.
    return Opening(
        values=_elements(source, values, "values of the blocks"),
        answers=_elements(source, plan.samples[0], "answers"),
        fold=_pairs(source, plan.folds[0], "first sumcheck"),
        rounds=[_round(source, plan, code) for code in range(plan.rounds)],
        polynomial=_elements(source, 1 << plan.last_variables, "last polynomial"),
        witness=_witness(source, plan, plan.rounds),
        leaves=_leaves(source, plan, plan.rounds),
        last_fold=_pairs(source, plan.last_variables, "last sumcheck"),
    )


def _invalid(why: str) -> Rejected:
    return Rejected("OPENING_INVALID", why)


class Verifier:
    """Checks one opening on a transcript that has absorbed the root and all before it."""

    def __init__(self, plan: Schedule, stack: Tables, transcript: Transcript) -> None:
        self.plan = plan
        self.stack = stack
        self.transcript = transcript
        self.claim = lift(0)
        # Points and values of each table.
        self.claims: Sequence[Sequence[Claim]] = []
        # Weight and point of every claim, with the polynomial that it is about.
        self.equalities: list[tuple[Element, list[Element]]] = []
        self.selections: list[tuple[Element, int, int]] = []
        self.point: list[Element] = []

    def verify(self, root: bytes, opening: Opening, claims: Sequence[Sequence[Claim]]) -> None:
        """Checks the claims about each table, in the order of the tables.

        Raises: Rejected OPENING_INVALID.
        """
        plan, transcript = self.plan, self.transcript
        self.claims = claims
        samples = self._sample(opening)
        self._run_section()
        self._section(b"p3-sumcheck-layout-batching", [t.challenge("batching")], self._counts())
        self._batch(opening, samples)
        fold = self._fold(opening.fold)
        roots = [root]
        for code, given in enumerate(opening.rounds):
            variables = plan.remaining(code + 1)
            transcript.observe(given.root)
            fresh = []
            for answer in given.answers:
                fresh.append((transcript.spread_point(variables), answer))
                transcript.observe_elements([answer])
            leaves = self._open(code, roots[-1], given.witness, given.leaves, fold)
            self._add(variables, fresh, leaves)
            fold = self._fold(given.fold)
            roots.append(given.root)
        transcript.observe_elements(opening.polynomial)
        leaves = self._open(plan.rounds, roots[-1], opening.witness, opening.leaves, fold)
        for x, value in leaves:
            horner = lift(0)
            for coefficient in reversed(opening.polynomial):
                horner = add(scale(horner, x), coefficient)
            if horner != value:
                raise _invalid("the last polynomial is not the last code's")
        last = self._fold(opening.last_fold)
        value = dot(equality(last), opening.polynomial)
        if self.claim != mul(value, self._weight()):
            raise _invalid("the claim that is left does not hold")

    def _sample(self, opening: Opening) -> list[list[Element]]:
        """Draws the out-of-domain points; observes answers and the values of the blocks."""
        steps = [t.challenge("virtual_point"), t.message("virtual_eval", "Scalar")]
        points = []
        for answer in opening.answers:
            self._section(b"p3-sumcheck-layout-ood", steps, self._layout())
            points.append(self.transcript.spread_point(self.stack.variables))
            self.transcript.observe_elements([answer])
        for table, claims in enumerate(self.claims):
            own = [number(n) for n in (table, self.stack.tables[table], 1, 0, 0)]
            for _, value in claims:
                self._section(
                    b"p3-sumcheck-layout-opening",
                    [t.message("current_evals", "Fixed(1)")],
                    self._layout() + own,
                )
                self.transcript.observe_elements([value])
        return points

    def _batch(self, opening: Opening, samples: list[list[Element]]) -> None:
        claims = [
            (self.stack.lifted(table, point), value)
            for table in self.stack.placed
            if table < len(self.claims)
            for point, value in self.claims[table]
        ]
        claims += zip(samples, opening.answers, strict=True)
        weights = powers(self.transcript.challenge(), len(claims))
        for weight, (point, value) in zip(weights, claims, strict=True):
            self.claim = add(self.claim, mul(weight, value))
            self.equalities.append((weight, point))

    def _fold(self, rounds: Rounds) -> list[Element]:
        """Replays a sumcheck, and returns its coordinates."""
        if not rounds:
            return []
        steps = [t.message("round_poly", "Fixed(2)"), t.challenge("round_challenge")]
        self._section(b"p3-sumcheck-quadratic", steps * len(rounds), [b"\0"])
        coordinates = []
        for constant, leading in rounds:
            self.transcript.observe_elements([constant, leading])
            x = self.transcript.challenge()
            self.claim = step(self.claim, constant, leading, x)
            coordinates.append(x)
        self.point += coordinates
        return coordinates

    def _open(
        self, code: int, root: bytes, witness: int, leaves: Leaves, fold: list[Element]
    ) -> list[tuple[int, Element]]:
        """Opened leaves as (point, value of the fold)."""
        plan = self.plan
        depth, count = plan.log_leaves(code), plan.drawn(code)
        if not self.transcript.work_done(plan.queries[code].work, witness):
            raise _invalid("the work was not done")
        indices = self.transcript.indices(count, depth) if count else list(range(1 << depth))
        # The initial code is over the base field: its leaves have one word for each element.
        rows = [
            b"".join(internal_elements([x])[: 4 * (1 if code == 0 else DEGREE)] for x in row)
            for row in leaves.rows
        ]
        if root_of(indices, rows, leaves.siblings, depth) != root:
            raise _invalid("leaves are not under the root")
        weights = equality(fold)
        generator = root_of_unity(depth)
        return [
            (pow(generator, index, P), dot(weights, row))
            for index, row in zip(indices, leaves.rows, strict=True)
        ]

    def _add(
        self,
        variables: int,
        samples: list[tuple[list[Element], Element]],
        leaves: list[tuple[int, Element]],
    ) -> None:
        """Adds fresh claims to the one at hand."""
        weights = powers(self.transcript.challenge(), 1 + len(samples) + len(leaves))[1:]
        for weight, (point, value) in zip(weights, samples, strict=False):
            self.claim = add(self.claim, mul(weight, value))
            self.equalities.append((weight, point))
        for weight, (x, value) in zip(weights[len(samples) :], leaves, strict=True):
            self.claim = add(self.claim, mul(weight, value))
            self.selections.append((weight, x, variables))

    def _weight(self) -> Element:
        """What the last value is multiplied with: all claims at the long point."""

        def suffix(count: int) -> list[Element]:
            return self.point[len(self.point) - count :]

        found = [
            mul(weight, equality_at(point, suffix(len(point)))) for weight, point in self.equalities
        ]
        for weight, x, variables in self.selections:
            for s, (power, *_) in zip(suffix(variables), spread(lift(x), variables), strict=True):
                weight = mul(weight, add(ONE, scale(s, power - 1)))
            found.append(weight)
        return total(found)

    def _section(self, name: bytes, steps: Sequence[str], chunks: Sequence[bytes]) -> None:
        self.transcript.section(1, name, steps, chunks)

    def _layout(self) -> list[bytes]:
        tables = self.stack.tables
        sizes = [number(n) for table in tables for n in (table, 1)]
        return [number(self.stack.variables), b"\1", b"\0", number(len(tables)), *sizes]

    def _counts(self) -> list[bytes]:
        return [*self._layout(), number(self._count()), number(self.plan.samples[0])]

    def _count(self) -> int:
        return sum(len(claims) for claims in self.claims)

    def _run_section(self) -> None:
        plan = self.plan
        steps = t.bracket("initial_fold")
        for code in range(plan.rounds):
            steps.append("Atomic Message 10 commitment Scalar Opaque")
            sample = [t.challenge("ood_point"), t.message("ood_answer", "Scalar")]
            steps += sample * plan.samples[code + 1]
            steps += self._query_steps(code, "query")
            steps += [t.challenge("round_batching"), *t.bracket("round_fold")]
        steps.append(t.message("final_poly", f"Fixed({1 << plan.last_variables})"))
        steps += self._query_steps(plan.rounds, "final_query")
        if plan.last_variables:
            steps += t.bracket("final_fold")
        numbers = [
            plan.variables,
            plan.samples[0],
            self._count(),
            1 << plan.folds[0],
            plan.term_bits,
            plan.work_bits,
            plan.rates[0],
            int(plan.johnson),
            *plan.folding,
            plan.folds[0],
            0,
            plan.last_variables,
            0,
            plan.rounds,
        ]
        for code in range(1, plan.rounds + 1):
            numbers += [plan.rates[code], plan.folds[code], 0]
        self.transcript.section(3, b"p3-whir", steps, [number(n) for n in numbers])

    def _query_steps(self, code: int, label: str) -> list[str]:
        steps = []
        if self.plan.queries[code].work:
            steps.append(t.work(f"{label}_pow", self.plan.queries[code].work))
        if self.plan.drawn(code):
            width = self.plan.log_leaves(code)
            steps.append(t.indices(f"{label}_indices", self.plan.drawn(code), width))
        return steps
