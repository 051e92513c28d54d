"""The checks of an opening. Source: specs/hiding-opening.md, sections 4 to 8."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferproof.second_verifier.field import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    canonical_elements,
    dot,
    dot_integers,
    equality,
    mul,
    powers,
    root_of_unity,
    scale,
    sub,
    total,
)
from inferproof.second_verifier.hiding.shape import MASK_CLAIMS, PLANES, Queries, Shape, Vector
from inferproof.second_verifier.hiding.terms import (
    Term,
    at_point,
    basis,
    cells,
    in_column,
    powers_of,
    scaled,
)
from inferproof.second_verifier.layers import step
from inferproof.second_verifier.merkle import root_of
from inferproof.second_verifier.reader import Reader, Rejected
from inferproof.second_verifier.transcript import Transcript


@dataclass
class Leaves:
    rows: list[list[int]]
    siblings: list[bytes]


class Verifier:
    """Checks one opening on a transcript that has absorbed what comes before it."""

    def __init__(self, shape: Shape, transcript: Transcript, source: Reader) -> None:
        self.shape = shape
        self.transcript = transcript
        self.source = source
        self.claim = ZERO
        self.forms: list[list[Term]] = []
        # The first fold's coordinates, those of the later ones, and those of the last of these.
        self.head: list[Element] = []
        self.point: list[Element] = []
        self.fold: list[Element] | None = None
        self.later: list[tuple[Element, int, Term]] = []

    def verify(
        self, roots: Sequence[bytes], forms: Sequence[Sequence[Term]], value: Element
    ) -> None:
        """Raises: Rejected."""
        shape, transcript, source = self.shape, self.transcript, self.source
        self.forms = [list(form) for form in forms]
        transcript.absorb("opening", b"".join(roots) + canonical_elements([value]))
        self._claims(value)
        self.head = self._fold(shape.fold)
        pad = source.element()
        transcript.absorb_elements("opening/pad", [pad])
        gamma = transcript.challenge()
        self.claim = add(pad, mul(gamma, self.claim))
        tail = source.elements(shape.tails)
        transcript.absorb_elements("opening/tail", tail)

        def first(x: int, leaves: Sequence[Sequence[int]]) -> Element:
            folded = ZERO
            for vector, leaf in zip(shape.vectors, leaves, strict=True):
                own, weight = shape.part(vector, self.head)
                folded = add(folded, mul(weight, dot_integers(equality(own), leaf)))
            start = 1 << shape.vectors[0].fold
            of_pad: Element = tuple(leaves[0][start : start + PLANES])  # type: ignore[assignment]
            horner = ZERO
            for element in reversed(tail):
                horner = add(scale(horner, x), element)
            return sub(add(of_pad, mul(gamma, folded)), scale(horner, pow(x, 1 << shape.rows, P)))

        self._later(list(roots), first)
        source.end()

    def _claims(self, value: Element) -> None:
        """Steps 2 to 4."""
        shape, transcript = self.shape, self.transcript
        # Terms of some vectors that follow on each other, and the first of these.
        sent: list[tuple[list[list[Term]], int]] = [
            ([self._mask(vector)], index)
            for index, vector in enumerate(shape.vectors)
            for _ in range(MASK_CLAIMS)
        ]
        values = self.source.elements(len(sent))
        transcript.absorb_elements("opening/masks", values)
        if shape.johnson:
            point = transcript.point(shape.fold + shape.rows)
            answer = self.source.element()
            transcript.absorb_elements("opening/sample", [answer])
            values.append(answer)
            of_all: list[list[Term]] = []
            for vector in shape.vectors:
                own, weight = shape.part(vector, point)
                of_all.append([at_point(own, weight)] if vector.sampled else [])
            fresh = shape.vectors[0]
            pad = cells(0, [basis(limb) for limb in range(PLANES)])
            of_all[0].append(in_column(fresh, fresh.own + PLANES, pad))
            sent.append((of_all, 0))
        weights = powers(transcript.challenge(), 1 + len(values))
        self.claim = dot(weights, [value, *values])
        for weight, (terms, start) in zip(weights[1:], sent, strict=True):
            for index, of_vector in enumerate(terms, start):
                self.forms[index] += [scaled(term, weight) for term in of_vector]

    def _mask(self, vector: Vector) -> list[Term]:
        draw = self.transcript.point
        if vector.mask == "block":
            point = draw(self.shape.fold + 2)
            return [
                in_column(vector, vector.own + limb, at_point(point, basis(limb)))
                for limb in range(PLANES)
            ]
        if vector.mask == "column":
            point = draw(vector.columns[-1].variables)
            return [in_column(vector, vector.own, at_point(point, ONE))]
        point = draw(vector.variables - 1)
        return [at_point([*point[: vector.fold], ONE, *point[vector.fold :]], ONE)]

    def _fold(self, variables: int) -> list[Element]:
        coordinates = []
        for _ in range(variables):
            constant, leading = self.source.elements(2)
            self.transcript.absorb_elements("opening/round", [constant, leading])
            x = self.transcript.challenge()
            self.claim = step(self.claim, constant, leading, x)
            coordinates.append(x)
        return coordinates

    def _later(
        self, roots: list[bytes], first: Callable[[int, Sequence[Sequence[int]]], Element]
    ) -> None:
        """Section 6."""
        shape, transcript, source = self.shape, self.transcript, self.source
        widths = [vector.width for vector in shape.vectors]
        depth, left = shape.rows + shape.rate, shape.rows
        for code in shape.codes:
            root = source.take(32)
            transcript.absorb("opening/root", root)
            samples = []
            for _ in range(int(shape.johnson)):
                point = transcript.spread_point(left)
                answer = source.element()
                transcript.absorb_elements("opening/answer", [answer])
                samples.append((at_point(point, ONE), answer))
            leaves = self._open(code.queries, roots, widths, depth, first)
            joined = [*samples, *((powers_of(x), value) for x, value in leaves)]
            weights = powers(transcript.challenge(), 1 + len(joined))[1:]
            for weight, (term, value) in zip(weights, joined, strict=True):
                self.claim = add(self.claim, mul(weight, value))
                self.later.append((weight, len(self.point), term))
            self.fold = self._fold(code.fold)
            self.point += self.fold
            left -= code.fold
            roots, widths = [root], [PLANES << code.fold]
            depth = left + code.rate
        polynomial = source.elements(1 << shape.last)
        transcript.absorb_elements("opening/last", polynomial)
        for x, value in self._open(shape.end, roots, widths, depth, first):
            horner = ZERO
            for coefficient in reversed(polynomial):
                horner = add(scale(horner, x), coefficient)
            if horner != value:
                raise Rejected("OPENING_INVALID", "the last polynomial is not the last code's")
        last = self._fold(shape.last)
        self.point += last
        if self.claim != mul(dot(equality(last), polynomial), self._weight()):
            raise Rejected("OPENING_INVALID", "the claim that is left does not hold")

    def _open(
        self,
        queries: Queries,
        roots: Sequence[bytes],
        widths: Sequence[int],
        depth: int,
        first: Callable[[int, Sequence[Sequence[int]]], Element],
    ) -> list[tuple[int, Element]]:
        transcript, source = self.transcript, self.source
        witness = source.base() if queries.work else 0
        if not transcript.work_done(queries.work, witness):
            raise Rejected("OPENING_INVALID", "the work was not done")
        every = queries.count >= 1 << depth
        indices = list(range(1 << depth)) if every else transcript.indices(queries.count, depth)
        trees = [self._leaves(len(indices), width, depth) for width in widths]
        for root, tree in zip(roots, trees, strict=True):
            rows = [b"".join(map(self.shape.encoded, row)) for row in tree.rows]
            if root_of(indices, rows, tree.siblings, depth, self.shape.digest) != root:
                raise Rejected("OPENING_INVALID", "leaves are not under the root")
        generator, found = root_of_unity(depth), []
        for place, index in enumerate(indices):
            x = pow(generator, index, P)
            rows_here = [tree.rows[place] for tree in trees]
            if self.fold is None:
                value = first(x, rows_here)
            else:
                row = rows_here[0]
                elements = [tuple(row[at : at + PLANES]) for at in range(0, len(row), PLANES)]
                value = dot(equality(self.fold), elements)  # type: ignore[arg-type]
            found.append((x, value))
        return found

    def _leaves(self, rows: int, width: int, depth: int) -> Leaves:
        source = self.source
        found = [[source.base() for _ in range(width)] for _ in range(rows)]
        siblings = source.unsigned(4)
        if siblings > rows * depth:
            raise source.reject("too many siblings")
        return Leaves(found, [source.take(32) for _ in range(siblings)])

    def _weight(self) -> Element:
        found = []
        whole = [*self.head, *self.point]
        for vector, form in zip(self.shape.vectors, self.forms, strict=True):
            own, weight = self.shape.part(vector, whole)
            found.append(mul(weight, total(term(own) for term in form)))
        for weight, start, term in self.later:
            found.append(mul(weight, term(self.point[start:])))
        return total(found)
