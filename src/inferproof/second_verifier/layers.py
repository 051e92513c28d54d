"""Logarithms, and what is left of a claim after a round. Source: specs/sumcheck-proof.md, sections
3 and 5."""

from inferproof.second_verifier.field import Element, add, mul, scale, sub


def log(count: int) -> int:
    """The least a with 2^a >= count."""
    return (count - 1).bit_length()


def step(claim: Element, constant: Element, leading: Element, x: Element) -> Element:
    """h(x), with h(0), the coefficient of X^2, and h(0) + h(1) = claim."""
    linear = sub(sub(claim, scale(constant, 2)), leading)
    return add(constant, mul(x, add(linear, mul(x, leading))))
