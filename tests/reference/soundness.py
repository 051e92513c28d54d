"""Provable bits of a proof, added up from the bounds of specs/sumcheck-proof.md, section 11.

Probabilities are kept as log2. Sources of the bounds for Reed-Solomon codes of degree below 2^m
and rate 2^-r: unique decoding, ePrint 2020/654; up to the Johnson bound less sqrt(rate)/20, lists
by the Johnson bound and lines by ePrint 2026/2056, theorem 5.12, with m = 10.
"""

from math import inf, log2

from inferproof.second_verifier.field import P
from reference.schedule import Schedule

FIELD = 5 * log2(P)


def _sum(errors: list[float]) -> float:
    return log2(sum(2.0**error for error in errors))


def list_size(plan: Schedule, code: int) -> float:
    """How many polynomials a word may be close to: 10 / rate, or 1 for unique decoding."""
    return log2(10) + plan.rates[code] if plan.johnson else 0.0


def _line(plan: Schedule, code: int, degree: int) -> float:
    """Challenges for which a fold of two far words is close."""
    length = degree + plan.rates[code]
    if not plan.johnson:
        return length - FIELD
    rate = log2(2.0**degree - 1) - length
    return log2(8 / 3 * 10.5**3) + length - rate - FIELD


def query_error(plan: Schedule, code: int) -> float:
    """One query that does not see a word that is far from the code."""
    rate = 2.0 ** -plan.rates[code]
    return log2(1.05 * rate**0.5) if plan.johnson else log2((1 + rate) / 2)


def opening(plan: Schedule, claims: int) -> dict[str, float]:
    """log2 of the errors of one opening of `claims` claims."""
    outer = list_size(plan, 0) - FIELD
    errors = {"batching": log2(claims + plan.samples[0] - 1) + outer if claims > 1 else -inf}
    for code, fold in enumerate(plan.folds):
        degree, size = plan.remaining(code), list_size(plan, code)
        if plan.johnson:
            # Two of the list agree at a random point; the spread point has degree below 2^m.
            agree = plan.samples[code] * (degree - FIELD)
            errors[f"code {code}: samples"] = 2 * size - 1 + agree
        # One word is folded `fold` times; each fold is a line, and a sumcheck of degree 2.
        errors[f"code {code}: folds"] = log2(fold) + _line(plan, code, degree)
        errors[f"code {code}: sumcheck"] = log2(fold) + 1 + size - FIELD
        queries = plan.queries[code]
        errors[f"code {code}: queries"] = queries.count * query_error(plan, code) - queries.work
        if code < plan.rounds:
            fresh = queries.count + plan.samples[code + 1]
            own = log2(fresh) + 1 + list_size(plan, code + 1) - FIELD
            errors[f"code {code}: batching of the queries"] = own
    if plan.last_variables:
        errors["last sumcheck"] = log2(plan.last_variables) + 1 - FIELD
    return errors


def pin(plan: Schedule, variables: int) -> float:
    """log2 of the error of a key: two of the list differ in a block, a polynomial of at most
    `variables` variables, and agree at the point that was drawn from the root.
    """
    return 2 * list_size(plan, 0) - 1 + log2(variables) - FIELD if plan.johnson else -inf


def bits(
    plan: Schedule, blocks: list[int], coordinates: int, contractions: int, rounds: int
) -> float:
    """Bits of a whole proof: variables of each block, coordinates of all points together, rounds
    of the sumcheck.
    """
    counts = [coordinates, contractions - 1, 2 * rounds]
    errors = [log2(count) - FIELD for count in counts if count]
    claims = len(blocks) * (2 if plan.johnson else 1)
    return -_sum([*errors, pin(plan, max(blocks)), *opening(plan, claims).values()])
