"""Verifies proofs of the committed mode.

Source: specs/committed-mode.md, sections 2 and 9 to 15.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reference import graph as g
from reference import whir
from reference.committed.claims import Messages, State
from reference.committed.columns import ColumnStack, check_claims
from reference.committed.flow import Flow
from reference.committed.lookups import Argument
from reference.committed.parts import MIN_COLUMN
from reference.committed.plan import plan
from reference.committed.tensors import front
from reference.field import Element, P
from reference.keys import StackedKey, Tensors
from reference.reader import Reader, Rejected, named
from reference.schedule import COMMITTED_PROFILES, FILE, schedule
from reference.transcript import Transcript
from reference.weights import Stack

WEIGHTS = FILE.with_name("committed_schedule.json")
WITNESS = FILE.with_name("witness_schedule.json")
_VERSION = 4


@dataclass
class Proof:
    witness: bytes
    lookups: list[Element]
    reduction: list[Element]
    columns: whir.Opening
    weights: whir.Opening


class CommittedKey(StackedKey[Proof]):
    """A verifying key of the committed mode. Raises: Rejected KEY_…"""

    protocol = b"inferproof sumcheck 1 committed"
    mode = 2
    profiles = COMMITTED_PROFILES

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        if not self.graph.weights:
            raise Rejected("KEY_NO_WEIGHTS", "nothing is committed to")
        self.plan = plan(self.graph)
        self.stack = Stack(self.graph.weights)
        self.argument = Argument(self.plan.tables, self.plan.lookups)
        all_read(self.graph, [constraint is not None for constraint in self.plan.constraints])
        columns = [column.variables for column in self.plan.columns]
        columns += [max(table.variables, MIN_COLUMN) for table in self.plan.tables]
        self.columns = ColumnStack(columns)
        self.schedule = schedule(self.stack.variables, self.profile, WEIGHTS)
        self.witness_schedule = schedule(self.columns.variables, self.profile, WITNESS)
        self._pin()

    def _read(self, source: Reader) -> Proof:
        source.field("version")
        if source.unsigned(1) != _VERSION:
            raise Rejected("PROOF_VERSION", "not version 4")
        source.field("witness")
        witness = source.take(32)
        lookups = self.argument.read(source)
        source.field("reduction length")
        count = source.unsigned(4)
        source.field("reduction")
        reduction = source.elements(count)
        columns = whir.read(source, self.witness_schedule, 0)
        weights = whir.read(source, self.schedule, len(self.stack.blocks))
        source.end()
        return Proof(witness, lookups, reduction, columns, weights)

    def verify(self, inputs: Tensors, outputs: Tensors, statement: bytes, data: bytes) -> None:
        check_public(self.graph, inputs, outputs)
        proof = self.read(data)
        transcript = self.begin(inputs, outputs, statement)
        transcript.absorb("witness", proof.witness)
        messages = Messages([*proof.lookups, *proof.reduction], transcript)
        found, counts = self.argument.verify(messages)
        state = State(messages)
        Flow(self.graph, self.plan, inputs, found, state).reduce(outputs)
        messages.end()

        opened = list(state.columns)
        for number, (point, value) in enumerate(counts):
            variables = max(len(point), MIN_COLUMN)
            opened.append((len(self.plan.columns) + number, front(point, variables), value))
        check_claims(len(opened))
        claims = [(self.columns.claim(column, point), value) for column, point, value in opened]
        with named("WITNESS_OPENING_INVALID"):
            verifier = whir.Verifier(self.witness_schedule, self.columns, transcript)
            verifier.verify(proof.witness, proof.columns, [claims])
        with named("WEIGHT_OPENING_INVALID"):
            self._open_weights(state, proof.weights, transcript)

    def _open_weights(self, state: State, opening: whir.Opening, transcript: Transcript) -> None:
        claims, shares = [], []
        for number, block in enumerate(self.stack.blocks):
            matrix = state.matrices[block.matrix]
            point, share = block.at(matrix.rows, matrix.columns)
            shares.append(share)
            own = [(point, opening.values[number])]
            if self.pins:
                own.append(self.pin_claim(number))
            claims.append(own)
        whir.Verifier(self.schedule, self.stack, transcript).verify(self.root, opening, claims)
        values = self.stack.matrices(shares, opening.values)
        if values != [state.matrices[number].value for number in range(len(values))]:
            raise Rejected("OPENING_INVALID", "the opening is of other values")


def check_public(graph: g.Graph, inputs: Tensors, outputs: Tensors) -> None:
    """Raises: Rejected INPUT_MISMATCH, OUTPUT_MISMATCH where sizes or ranges are not declared."""
    check_declared("INPUT_MISMATCH", graph.inputs, inputs)
    declared = [graph.tensor(number) for number in graph.outputs]
    check_declared("OUTPUT_MISMATCH", declared, outputs)


def check_declared(code: str, tensors: Sequence[g.Tensor], given: Tensors) -> None:
    """Raises: Rejected with the code where sizes or ranges are not declared."""
    if len(tensors) != len(given):
        raise Rejected(code, "their number")
    for tensor, values in zip(tensors, given, strict=True):
        fits = all(tensor.lo <= value <= tensor.hi for value in values)
        if len(values) != tensor.size or not fits:
            raise Rejected(code, "size or range")


def all_read(graph: g.Graph, related: list[bool]) -> None:
    """Raises: Rejected KEY_UNREAD where no output depends on a matrix or parameter."""
    read = set(graph.outputs)
    for place, node in reversed(list(enumerate(graph.nodes))):
        own = len(graph.inputs) + place
        if own not in read and not related[place]:
            if node.op in (g.LINEAR, g.CONV, g.PARAMETER):
                raise Rejected("KEY_UNREAD", f"the weights of node {place}")
            continue
        if node.op == g.ADD:
            pairs = zip(node.operands, node.coefficients, strict=True)
            read.update(number for number, c in pairs if c % P)
        else:
            read.update(node.operands)
