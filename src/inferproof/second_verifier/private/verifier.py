"""Verifies private proofs. Source: specs/private-mode.md, specs/private-input.md."""

from dataclasses import dataclass
from typing import ClassVar

from inferproof.second_verifier.field import ONE, ZERO, Element
from inferproof.second_verifier.graph import Graph
from inferproof.second_verifier.hiding.fields import walk
from inferproof.second_verifier.hiding.shape import Shape
from inferproof.second_verifier.hiding.terms import Term, at_point, in_column, scaled
from inferproof.second_verifier.hiding.verifier import Verifier
from inferproof.second_verifier.keys import PROFILES, Key, Tensors
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.private.layout import (
    blocks,
    columns_of,
    cut,
    inputs_beside,
    linear_in_pads,
    served,
    shape_of_links,
    shape_of_proofs,
)
from inferproof.second_verifier.private.links import (
    KEY,
    LINKS,
    MOST_LINKS,
    PRIVATE_INPUTS,
    PROOFS,
    Commitment,
    Link,
    follow,
)
from inferproof.second_verifier.private.links import read as read_links
from inferproof.second_verifier.private.range_graph import parts_of, ranged
from inferproof.second_verifier.private.record import Count, Record
from inferproof.second_verifier.private.relation import RelationProof, read, relate, spares_of
from inferproof.second_verifier.reader import Reader, Rejected, named
from inferproof.second_verifier.relations.claims import Messages, State
from inferproof.second_verifier.relations.flow import Flow
from inferproof.second_verifier.relations.lookups import Argument, Counts
from inferproof.second_verifier.relations.parts import MIN_COLUMN
from inferproof.second_verifier.relations.plan import plan
from inferproof.second_verifier.relations.public import all_read, check_declared, check_public
from inferproof.second_verifier.relations.tensors import front
from inferproof.second_verifier.relations.values import Form, Value, add, mul, sub
from inferproof.second_verifier.transcript import KeccakTranscript, Transcript

_VERSION = 4
_MOST_OPENINGS = 1 << 16
_LEAST_PROOFS = 16
_INPUTS = 2
"""The vector of private inputs."""


@dataclass(frozen=True)
class Proof:
    links: list[Link]
    witness: bytes
    sent: list[Element]
    relation: RelationProof
    opening: bytes


class Unevaluated(Flow):
    """A reduction in which nothing is computed of public values."""

    def _value(self, place: int, claim: object) -> Element:  # noqa: ARG002
        return ZERO


class PrivateKey(Key[Proof]):
    """A verifying key. Raises: Rejected KEY_…"""

    protocol = b"inferproof sumcheck 1 private"
    own_kind = PROOFS
    most_links: ClassVar[int] = MOST_LINKS

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.encoded = data
        self.ranged = ranged(self.graph)
        self.parts = len(parts_of(self.ranged))
        least = {KEY: 1, LINKS: 0, PROOFS: 1}
        if not all(least[kind] <= own <= _MOST_OPENINGS for kind, own in self.openings.items()):
            raise Rejected("KEY_OPENINGS", "the number of openings")
        if not self.graph.weights:
            raise Rejected("KEY_NO_WEIGHTS", "nothing is committed to")
        private = self.own_kind == PRIVATE_INPUTS
        self.proven, self.first = self._proven()
        self.plan = plan(self.proven, private=private)
        self.argument = Argument(self.plan.tables, self.plan.lookups)
        all_read(self.proven, [constraint is not None for constraint in self.plan.constraints])
        self._count()
        fresh = [column.variables for column in self.plan.columns]
        fresh += [max(table.variables, MIN_COLUMN) for table in self.plan.tables]
        self.first_of_pads = len(fresh)
        fresh += cut(5 * self.pads)
        profile = PROFILES[self.profile]
        self.blocks = blocks(self.graph.weights)
        self.columns = columns_of(self.blocks, [node.out.shape for node in self.graph.parameters])
        self.shapes = {
            kind: shape_of_links(self.columns, profile, own)
            for kind, own in self.openings.items()
            if kind != PROOFS and own
        }
        self.shape = self._shape_of_proofs(fresh, profile)
        self.shapes[self.own_kind] = self.shape
        variables = self.shapes[KEY].vectors[1].variables
        self.pin_point = self._draw_pin(int(self.shape.johnson), variables)

    def _read_own(self, source: Reader) -> None:
        self.openings = {kind: source.unsigned(4) for kind in (KEY, LINKS, PROOFS)}

    def _proven(self) -> tuple[Graph, int]:
        """What proofs are about, and which of matrices and parameters its first parameter is."""
        return self.graph, len(self.graph.weights)

    def _shape_of_proofs(self, fresh: list[int], profile: str) -> Shape:
        return shape_of_proofs(fresh, self.columns, profile, self.openings[PROOFS])

    def transcript(self) -> Transcript:
        """That of the profile."""
        return KeccakTranscript() if PROFILES[self.profile] == "evm" else Transcript()

    @property
    def commitment(self) -> Commitment:
        """The key's own."""
        pinned = [([at_point(self.pin_point, ONE)], value) for value in self.pin]
        return Commitment(KEY, self.root, self.digest, pinned[0] if pinned else None)

    def _count(self) -> None:
        """How many elements and pads a proof has, and what its equations and claims are."""
        record = Count()
        graph = self.proven
        shown = [] if self.plan.private else graph.inputs
        zeros = [[0] * tensor.size for tensor in shown]
        outputs = [[0] * graph.tensor(number).size for number in graph.outputs]
        state, counts = self._argue(record, Unevaluated, zeros, outputs)
        self.sent, self.products = record.count, record.factors
        self.degrees = record.degrees
        self.equations = len(record.linear)
        self.claims = len(state.columns) + len(counts)
        self.pads = self.sent + spares_of(self.products)

    def _argue(
        self, messages: Messages, flow: type[Flow], inputs: Tensors, outputs: Tensors
    ) -> tuple[State, Counts]:
        """Lookups and reduction."""
        found, counts = self.argument.verify(messages)
        state = State(messages)
        flow(self.proven, self.plan, inputs, found, state).reduce(outputs)
        messages.end()
        return state, counts

    def _read(self, source: Reader) -> Proof:
        proof = self.read_next(source)
        source.end()
        return proof

    def read_next(self, source: Reader) -> Proof:
        """The next proof of several."""
        source.field("version")
        if source.unsigned(1) != _VERSION:
            raise Rejected("PROOF_VERSION", "not version 4")
        links = read_links(self, source)
        source.field("witness")
        witness = source.take(32)
        source.field("padded elements")
        sent = source.elements(self.sent)
        relation = read(source, self.products)
        start = source.at
        walk(self.shape, source)
        return Proof(links, witness, sent, relation, source.since(start))

    def verify(self, inputs: Tensors, outputs: Tensors, statement: bytes, data: bytes) -> None:
        check_public(self.graph, inputs, outputs)
        proof = self.read(data)
        epoch = follow(self, self.commitment, proof.links)
        transcript = self.begin(inputs, outputs, statement, epoch.digest)
        self._check(inputs, outputs, (proof, epoch), transcript, [])

    def _check(
        self,
        inputs: Tensors,
        outputs: Tensors,
        opened: tuple[Proof, Commitment],
        transcript: Transcript,
        others: list[bytes],
    ) -> None:
        """Checks all behind what is public; `others` are roots of further vectors."""
        proof, epoch = opened
        transcript.absorb("witness", proof.witness)
        record = Record(proof.sent, transcript)
        state, counts = self._argue(record, Flow, inputs, outputs)
        ends = relate(proof.relation, record.quadratic, self.sent, transcript)
        claim = Joined(self, transcript.challenge())
        for form in [*record.linear, *ends]:
            claim.vanishes(form)
        claim.columns(state, counts)
        claim.matrices(state)
        claim.parameters(state)
        claim.inputs(state)
        claim.bound(epoch)
        forms, value = claim.end()
        with named("OPENING_INVALID"):
            source = Reader(proof.opening, "PROOF_MALFORMED")
            roots = [proof.witness, epoch.root, *others]
            Verifier(self.shape, transcript, source).verify(roots, forms, value)


class PrivateInputKey(PrivateKey):
    """A verifying key where inputs are private. Raises: Rejected KEY_…"""

    own_kind = PRIVATE_INPUTS

    def _shape_of_proofs(self, fresh: list[int], profile: str) -> Shape:
        inputs = [inputs_beside([tensor.shape for tensor in self.graph.inputs])]
        most = self.openings[PROOFS]
        least = min(most, _LEAST_PROOFS)
        shape = shape_of_proofs(fresh, self.columns, profile, least, inputs)
        self.openings[PRIVATE_INPUTS] = min(served(shape), most)
        return shape

    def verify_root(self, root: bytes, outputs: Tensors, statement: bytes, data: bytes) -> None:
        """Checks that the proof shows the outputs of inputs under a root. Raises: Rejected."""
        declared = [self.graph.tensor(number) for number in self.graph.outputs]
        check_declared("OUTPUT_MISMATCH", declared, outputs)
        proof = self.read(data)
        epoch = follow(self, self.commitment, proof.links)
        transcript = self.begin(root, outputs, statement, epoch.digest)
        self._check([], outputs, (proof, epoch), transcript, [root])


class Joined:
    """All that is left to show, as one claim on all vectors. Source: section 5."""

    def __init__(self, key: PrivateKey, alpha: Element) -> None:
        self._key, self._alpha, self._power = key, alpha, ONE
        self._rest: Value = ZERO
        self._forms: list[list[Term]] = [[] for _ in key.shape.vectors]

    def vanishes(self, form: Value) -> Element:
        """That a form is zero, with the next power, which is returned."""
        power = self._power
        self._rest = add(self._rest, mul(power, form))
        self._power = mul(power, self._alpha)
        return power

    def _column(self, vector: int, column: int, point: list[Element], value: Value) -> None:
        term = at_point(point, self.vanishes(sub(ZERO, value)))
        self._forms[vector].append(in_column(self._key.shape.vectors[vector], column, term))

    def columns(self, state: State, counts: Counts) -> None:
        columns = len(self._key.plan.columns)
        for column, point, value in state.columns:
            self._column(0, column, point, value)
        for number, (point, value) in enumerate(counts):
            whole = front(point, max(len(point), MIN_COLUMN))
            self._column(0, columns + number, whole, value)

    def matrices(self, state: State) -> None:
        for matrix, claim in sorted(state.matrices.items()):
            power = self.vanishes(sub(ZERO, claim.value))
            self._matrix(matrix, claim.rows, claim.columns, power)

    def _matrix(
        self, matrix: int, rows: list[Element], columns: list[Element], power: Element
    ) -> None:
        for column, block in enumerate(self._key.blocks):
            if block.matrix == matrix:
                point, weight = block.at(rows, columns)
                self._weights(column, point, mul(power, weight))

    def _weights(self, column: int, point: list[Element], weight: Element) -> None:
        """A column of weights at a point, outside of its half."""
        vector = self._key.shape.vectors[1]
        point = [*point[: vector.fold], ZERO, *point[vector.fold :]]
        self._forms[1].append(in_column(vector, column, at_point(point, weight)))

    def parameters(self, state: State) -> None:
        """The claims on parameters, one on each, in the order of their nodes; those on matrices
        of the key where ranges are shown."""
        key, matrices = self._key, self._key.graph.weights
        claims = [state.parameters[node] for node in sorted(state.parameters)]
        for number, claim in enumerate(claims, key.first):
            power = self.vanishes(sub(ZERO, claim.value))
            if number < len(matrices):
                rows = log(matrices[number][0])
                self._matrix(number, claim.point[:rows], claim.point[rows:], power)
            else:
                column = len(key.blocks) + number - len(matrices)
                self._weights(column, front(claim.point, key.columns[column]), power)

    def inputs(self, state: State) -> None:
        """The claims on private inputs, one on each."""
        for number, claim in enumerate(state.inputs):
            whole = front(claim.point, max(len(claim.point), MIN_COLUMN))
            self._column(_INPUTS, number, whole, claim.value)

    def bound(self, epoch: Commitment) -> None:
        """What is known of the commitment that is opened."""
        if epoch.binding is not None:
            form, value = epoch.binding
            power = self.vanishes(sub(ZERO, value))
            self._forms[1] += [scaled(term, power) for term in form]

    def end(self) -> tuple[list[list[Term]], Element]:
        """The forms on all vectors, and their value."""
        key, rest = self._key, self._rest
        known, pads = (rest.known, rest.pads) if isinstance(rest, Form) else (rest, {})
        vector = key.shape.vectors[0]
        self._forms[0] += linear_in_pads(vector, key.first_of_pads, pads, key.pads)
        return self._forms, sub(ZERO, known)
