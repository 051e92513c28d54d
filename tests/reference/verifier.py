"""Verifies proofs of proof system `sumcheck`. Source: specs/sumcheck-proof.md, section 9."""

from collections.abc import Sequence
from dataclasses import dataclass

from reference import graph as g
from reference import packed, whir
from reference.blake3 import blake3
from reference.executor import replay
from reference.field import Element, add, mul
from reference.layers import Check, batched, contractions, sumcheck
from reference.reader import Reader, Rejected
from reference.schedule import PROFILES, Schedule, schedule
from reference.transcript import Transcript
from reference.weights import Stack

PROTOCOL = b"inferproof sumcheck 1 clear"
MAX_ACCUMULATORS = 2**21
_ROOT_END = 46

Tensors = Sequence[Sequence[int]]


@dataclass
class Proof:
    accumulators: list[list[int]]
    rounds: list[tuple[Element, Element]]
    opening: whir.Opening


class VerifyingKey:
    """A verifying key. Raises: Rejected KEY_…"""

    def __init__(self, data: bytes) -> None:
        source = Reader(data, "KEY_MALFORMED")
        magic, version = source.take(8), source.unsigned(4)
        mode, profile = source.unsigned(1), source.unsigned(1)
        if magic != b"INFSUMVK":
            raise source.reject("other first bytes")
        if version != 1 or mode != 1 or profile not in PROFILES:
            raise Rejected("KEY_VERSION", "version, mode or profile")
        self.root = source.take(32)
        pin = source.elements(source.unsigned(4))
        graph = source.rest()
        self.graph = g.decode(graph)
        self.contractions = contractions(self.graph)
        results = sum(contraction.results for contraction in self.contractions)
        if results > MAX_ACCUMULATORS:
            raise Rejected("KEY_ACCUMULATORS", f"{results} results of contractions")
        if not self.contractions:
            raise Rejected("KEY_NO_WEIGHTS", "nothing is committed to")
        efforts = [contraction.effort for contraction in self.contractions]
        kept = sum(own.groups * own.columns for own in self.contractions)
        most = max(elements for elements, _ in efforts)
        if max(kept, most) > 2**24 or sum(products for _, products in efforts) > 2**32:
            raise Rejected("KEY_WORK", "operands take too much to be weighted")
        self.stack = Stack([(own.rows, own.columns) for own in self.contractions])
        self.schedule: Schedule = schedule(self.stack.variables, profile)
        self.pins = len(self.stack.blocks) if self.schedule.johnson else 0
        if len(pin) != self.pins:
            raise source.reject("not one value of the pin for each block")
        self.pin = pin
        self.pin_point = self._pin_point(data[:_ROOT_END] + graph)
        self.digest = blake3(data)
        self.variables = [contraction.variables for contraction in self.contractions]

    @property
    def pin_variables(self) -> int:
        return max(block.variables for block in self.stack.blocks) if self.pins else 0

    def _pin_point(self, bare: bytes) -> list[Element]:
        transcript = Transcript()
        transcript.absorb("protocol", PROTOCOL)
        transcript.absorb("commitment", blake3(bare))
        return transcript.point(self.pin_variables)

    def read(self, data: bytes) -> Proof:
        """The proof of these bytes. Raises: Rejected PROOF_…, ACCUMULATOR_RANGE."""
        return self._read(Reader(data, "PROOF_MALFORMED"))

    def fields(self, data: bytes) -> list[tuple[str, range]]:
        """The fields of a well-formed proof and the bytes of each. Raises: as `read`."""
        source = Reader(data, "PROOF_MALFORMED")
        self._read(source)
        ends = [start for _, start in source.fields[1:]] + [len(data)]
        named = zip(source.fields, ends, strict=True)
        return [(name, range(start, end)) for (name, start), end in named]

    def _read(self, source: Reader) -> Proof:
        source.field("version")
        if source.unsigned(1) != 1:
            raise Rejected("PROOF_VERSION", "not version 1")
        accumulators = []
        for contraction in self.contractions:
            range_ = self.graph.tensor(contraction.result)
            if self.schedule.profile == "small":
                source.field("packed accumulators")
                results = packed.read(source, contraction.results)
            else:
                source.field("accumulators")
                size = ((range_.hi - range_.lo).bit_length() + 7) // 8
                results = [range_.lo + source.unsigned(size) for _ in range(contraction.results)]
            if any(not range_.lo <= result <= range_.hi for result in results):
                raise Rejected("ACCUMULATOR_RANGE", "a result is out of range")
            accumulators.append(results)
        source.field("rounds")
        rounds = [(source.element(), source.element()) for _ in range(max(self.variables))]
        opening = whir.read(source, self.schedule, len(self.stack.blocks))
        source.end()
        return Proof(accumulators, rounds, opening)

    def verify(self, inputs: Tensors, outputs: Tensors, statement: bytes, data: bytes) -> None:
        """Checks that the proof shows the outputs of these inputs. Raises: Rejected."""
        proof = self.read(data)
        tensors = replay(self.graph, inputs, proof.accumulators)
        if [tensors[tensor] for tensor in self.graph.outputs] != [list(x) for x in outputs]:
            raise Rejected("OUTPUT_MISMATCH", "the outputs are not the graph's")
        transcript = self._begin(inputs, outputs, statement, proof)
        checks = [Check(contraction, transcript) for contraction in self.contractions]
        gamma = transcript.challenge()
        results = [check.claim(tensors[check.contraction.result]) for check in checks]
        weights, results = batched(results, gamma)
        left, point = sumcheck(proof.rounds, self.variables, results, transcript)

        claims: list[list[whir.Claim]] = []
        shares = []
        for block, value in zip(self.stack.blocks, proof.opening.values, strict=True):
            own, share = block.at(*checks[block.matrix].matrix_point(point))
            claims.append([(own, value)])
            shares.append(share)
        values = self.stack.matrices(shares, proof.opening.values)
        expected: Element = (0, 0, 0, 0, 0)
        for check, weight, value in zip(checks, weights, values, strict=True):
            operand = check.operand(tensors[check.contraction.operand])
            known = check.table(point, operand)
            expected = add(expected, mul(mul(weight, value), known))
        if left != expected:
            raise Rejected("CONTRACTION_MISMATCH", "results do not follow from the weights")
        for own_claims, block, value in zip(claims, self.stack.blocks, self.pin, strict=False):
            own_claims.append((self.pin_point[self.pin_variables - block.variables :], value))
        whir.Verifier(self.schedule, self.stack, transcript).verify(
            self.root, proof.opening, claims
        )

    def _begin(
        self, inputs: Tensors, outputs: Tensors, statement: bytes, proof: Proof
    ) -> Transcript:
        transcript = Transcript()
        transcript.absorb("protocol", PROTOCOL)
        transcript.absorb("key", self.digest)
        transcript.absorb("statement", statement)
        transcript.absorb("inputs", _words(inputs))
        transcript.absorb("outputs", _words(outputs))
        transcript.absorb("accumulators", _words(proof.accumulators))
        return transcript


def _words(tensors: Tensors) -> bytes:
    return b"".join(
        value.to_bytes(4, "little", signed=True) for tensor in tensors for value in tensor
    )
