"""Verifies proofs of proof system `sumcheck`. Source: specs/sumcheck-proof.md, section 9."""

from dataclasses import dataclass

from inferproof.second_verifier.executor import replay
from inferproof.second_verifier.field import Element, add, mul
from inferproof.second_verifier.keys import Key, Tensors, words
from inferproof.second_verifier.keys import Proof as OwnProof
from inferproof.second_verifier.layers import Check, batched, contractions, sumcheck
from inferproof.second_verifier.reader import Reader, Rejected
from inferproof.second_verifier.weights import Stack
from reference import packed, whir
from reference.schedule import CLEAR_PROFILES, Schedule, schedule

MAX_ACCUMULATORS = 2**23


class StackedKey(Key[OwnProof]):
    """A key whose weights are stacked, with a value of the pin for each block."""

    stack: Stack
    schedule: Schedule

    def _pin(self) -> None:
        """Draws the point of the pin, once stack and schedule are there."""
        self.pins = len(self.stack.blocks) if self.schedule.johnson else 0
        most = max(block.variables for block in self.stack.blocks)
        self._pin_point = self._draw_pin(self.pins, most)

    def pin_claim(self, number: int) -> tuple[list[Element], Element]:
        """Point and value of the pin in a block."""
        variables = self.stack.blocks[number].variables
        return self._pin_point[len(self._pin_point) - variables :], self.pin[number]


@dataclass
class Proof:
    accumulators: list[list[int]]
    rounds: list[tuple[Element, Element]]
    opening: whir.Opening


class VerifyingKey(StackedKey[Proof]):
    """A verifying key. Raises: Rejected KEY_…"""

    protocol = b"inferproof sumcheck 1 clear"
    mode = 1
    profiles = CLEAR_PROFILES

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
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
        self.schedule = schedule(self.stack.variables, self.profile)
        self._pin()
        self.variables = [contraction.variables for contraction in self.contractions]

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
        proof = self.read(data)
        tensors = replay(self.graph, inputs, proof.accumulators)
        if [tensors[tensor] for tensor in self.graph.outputs] != [list(x) for x in outputs]:
            raise Rejected("OUTPUT_MISMATCH", "the outputs are not the graph's")
        transcript = self.begin(inputs, outputs, statement)
        transcript.absorb("accumulators", words(proof.accumulators))
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
        for number in range(self.pins):
            claims[number].append(self.pin_claim(number))
        whir.Verifier(self.schedule, self.stack, transcript).verify(
            self.root, proof.opening, claims
        )
