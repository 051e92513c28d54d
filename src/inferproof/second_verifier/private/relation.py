"""The relation proof. Source: specs/relation-proof.md, section 4."""

from dataclasses import dataclass

from inferproof.second_verifier.field import ZERO, Element, dot, equality, equality_at, powers
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.private.record import Quadratic
from inferproof.second_verifier.reader import Reader
from inferproof.second_verifier.relations.values import Form, Value, add, mul, sub, total
from inferproof.second_verifier.transcript import Transcript
from inferproof.second_verifier.weights import bits

_MASK = 4
"""Coefficients of the mask of a variable."""


@dataclass(frozen=True)
class RelationProof:
    masks: Element
    rounds: list[list[Element]]
    factors: list[Element]


def variables_of(products: int) -> int:
    """κ."""
    return log(products + 1)


def spares_of(products: int) -> int:
    """S."""
    return 2 + _MASK * variables_of(products)


def read(source: Reader, products: int) -> RelationProof:
    """Raises: Rejected PROOF_MALFORMED."""
    source.field("relation: sum of the masks")
    masks = source.element()
    source.field("relation: rounds")
    rounds = [source.elements(3) for _ in range(variables_of(products))]
    source.field("relation: factors")
    return RelationProof(masks, rounds, source.elements(2))


def relate(
    proof: RelationProof, equations: list[Quadratic], spare: int, transcript: Transcript
) -> list[Form]:
    """The three forms that must be zero; spares are the pads from `spare` on."""
    products = sum(len(equation.pairs) for equation in equations)
    variables = variables_of(products)
    tau = transcript.point(variables)
    transcript.absorb_elements("relation/masks", [proof.masks])
    delta = transcript.challenge()
    claim, point = proof.masks, []
    for constant, square, cube in proof.rounds:
        transcript.absorb_elements("relation/round", [constant, square, cube])
        x = transcript.challenge()
        linear = sub(sub(sub(claim, add(constant, constant)), square), cube)
        claim = dot(powers(x, _MASK), [constant, linear, square, cube])
        point.append(x)
    transcript.absorb_elements("relation/factors", proof.factors)

    rows = equality(point)
    left: list[Value] = []
    right: list[Value] = []
    sums: list[Value] = []
    weight = ZERO
    row = 0
    for number, equation in enumerate(equations):
        own = equality_at(tau, bits(number, variables))
        sums.append(mul(rows[row], equation.result))
        for first, second in equation.pairs:
            left.append(mul(rows[row], first))
            right.append(mul(rows[row], second))
            weight = add(weight, mul(rows[row], own))
            row += 1
    left.append(Form(ZERO, {spare: rows[row]}))
    right.append(Form(ZERO, {spare + 1: rows[row]}))
    masks = {}
    for place, x in enumerate(point):
        for exponent, power in enumerate(powers(x, _MASK)):
            masks[spare + 2 + _MASK * place + exponent] = power
    a, b = proof.factors
    weighted = mul(delta, weight)
    known = sub(claim, mul(weighted, mul(a, b)))
    last = sub(sub(Form(ZERO, masks), mul(weighted, total(sums))), known)
    found = [sub(total(left), a), sub(total(right), b), last]
    return [form for form in found if isinstance(form, Form)]
