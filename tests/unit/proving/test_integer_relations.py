"""That columns in their ranges fix a quotient and a root, by going through all that can be stored.

A result fixes the rest modulo p, that the slack, and both each carry in turn. So every result that
its limbs can store is tried, with the one way in which the relations of specs/relations.md,
section 3, could be met.
"""

import random
from dataclasses import replace
from math import isqrt

import numpy as np
import pytest

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import P
from inferproof.second_verifier.graph import Graph, Node, Tensor
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations.integers import PIECE, B, digits
from inferproof.second_verifier.relations.parts import Division, Exact, Limb, Number, Root, most
from inferproof.second_verifier.relations.plan import plan

Constraint = Division | Root
_MOST_RESULTS = 2**18


def planned(node: Node, operand: tuple[int, int], most_b: int, held: bool) -> Constraint:
    """The constraint of a node whose operand a contraction yields, clamped if it is to be held."""
    linear = Node(g.LINEAR, Tensor((3,), *operand), (0,), {"weight": 0, "bias": g.NONE})
    clamp = {"multipliers": 0, "axis": 0, "shift": 0}
    nodes = [linear]
    if held:
        nodes.append(Node(g.RESCALE, linear.out, (2,), clamp))
    own = replace(node, operands=(1 + len(nodes), *node.operands[1:]))
    graph = Graph(
        [Tensor((2,), -1, 1), Tensor((3,), 1, most_b)],
        [(3, 2)],
        [g.Constant((1,), (1,))],
        [*nodes, own],
        [2 + len(nodes)],
    )
    constraint = plan(graph).constraints[-1]
    assert isinstance(constraint, Division | Root)
    assert (constraint.exact.pieces is None) <= held
    return constraint


def division(k: int, lo: int, hi: int) -> Node:
    return Node(g.DIVIDE, Tensor((3,), lo, hi), (0, 1), {"k": k})


def root(k: int, hi: int) -> Node:
    return Node(g.SQUARE_ROOT, Tensor((3,), 0, hi), (0,), {"k": k})


def stored(limbs: list[Limb], number: int) -> bool:
    """Whether limbs can make this residue."""
    return number % P <= most(limbs)


def coefficients(number: Number, value: int) -> list[int]:
    """Those of a number that its limbs can store."""
    left = value - number.base
    pieces = [left >> start & B - 1 for start in range(0, max(left.bit_length(), 1), PIECE)]
    return plus(digits(number.base), pieces)


def plus(a: list[int], b: list[int], factor: int = 1) -> list[int]:
    size = max(len(a), len(b))
    a, b = a + [0] * (size - len(a)), b + [0] * (size - len(b))
    return [x + factor * y for x, y in zip(a, b, strict=True)]


def times(a: list[int], b: list[int]) -> list[int]:
    sums = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            sums[i + j] += x * y
    return sums


def carried(exact: Exact, n: list[int]) -> bool:
    """Whether there are carries with which every coefficient is 0 modulo p."""
    n = n + [0] * (len(exact.carries) + 1 - len(n))
    before, inverse = 0, pow(B, -1, P)
    for carry, coefficient in zip(exact.carries, n, strict=False):
        before = (coefficient + before) * inverse % P
        if not stored(carry.limbs, before - carry.base):
            return False
    return (n[len(exact.carries)] + before) % P == 0


def results(constraint: Constraint, a: int, b: int) -> list[int]:
    """All results that are stored and accepted."""
    exact = constraint.exact
    base, size = exact.result.base, most(exact.result.limbs) + 1
    y = np.arange(base, base + size, dtype=np.int64)
    product, whole = b * (2 * y - 1), 2 * b - 1 + 0 * y
    if isinstance(constraint, Root):
        product, whole = y * y, 2 * y
    g_ = (exact.factor * a - product) % P
    fits = (g_ <= most(exact.rest.limbs)) & ((whole - g_) % P <= most(exact.slack))
    operand = [a] if exact.pieces is None else coefficients(exact.pieces, a)
    right = times(digits(exact.factor), operand)
    found = []
    for value, rest in zip(y[fits].tolist(), g_[fits].tolist(), strict=True):
        own = coefficients(exact.result, value)
        if isinstance(constraint, Division):
            pieces = coefficients(constraint.origin_pieces, b)
            left = times(pieces, plus(plus(own, own), [-1]))
        else:
            left = times(own, own)
        n = plus(plus(left, coefficients(exact.rest, rest)), right, -1)
        if carried(exact, n):
            found.append(value)
    return found


def cases(seed: int) -> tuple[Node, tuple[int, int], int]:
    """A division or a root, the range of its operand and the greatest divisor."""
    chance = random.Random(seed)  # noqa: S311
    most_y, most_a = 1 << chance.randrange(1, 17), 1 << chance.randrange(1, 29)
    most_a -= chance.randrange(2)
    if seed % 3 == 0:
        k = max(min(most_y**2 // most_a, 2**31 - 1), 1)
        return root(k, most_y), (chance.choice([0, -5]), most_a), 9
    most_b = min(1 << chance.randrange(1, 29), 2**28)
    k = max(min(most_y * most_b // most_a, 2**31 - 1), 1)
    lo = chance.choice([-most_y, 0, -(most_y // 3), 1])
    return division(k, lo, most_y), (chance.choice([-most_a, 0, -7]), most_a), most_b


def expected(constraint: Constraint, a: int, b: int) -> int:
    exact = constraint.exact
    if isinstance(constraint, Root):
        return isqrt(exact.factor * a)
    return (exact.factor * a + b) // (2 * b)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_one_result_has_columns_in_their_ranges(seed: int, held: bool) -> None:
    node, operand, most_b = cases(seed)
    constraint = planned(node, operand, most_b, held)
    exact = constraint.exact
    size = most(exact.result.limbs) + 1
    assert size <= _MOST_RESULTS
    chance = random.Random(-seed)  # noqa: S311
    divisors = {1, 2, most_b - 1, most_b, chance.randrange(1, most_b + 1)} - {0}
    operands = {operand[1], operand[1] - 1, 0, 1, chance.randrange(0, operand[1] + 1)}
    if isinstance(constraint, Division):
        operands |= {operand[0], chance.randrange(operand[0], operand[1] + 1)}
    for a in operands:
        for b in divisors if isinstance(constraint, Division) else {1}:
            y = expected(constraint, a, b)
            own = [y] if 0 <= y - exact.result.base < size else []
            assert results(constraint, a, b) == own, (a, b)


@pytest.mark.parametrize(("a", "b"), [(3, 2), (-3, 2), (9, 6), (-9, 6), (1, 2), (-1, 2)])
def test_ties_go_up_and_nowhere_else(a: int, b: int) -> None:
    constraint = planned(division(1, -9, 9), (-9, 9), 6, held=True)
    assert results(constraint, a, b) == [(2 * a + b) // (2 * b)]


def test_a_divisor_that_is_zero_has_no_quotient() -> None:
    """Twice the divisor less 1 is -1, which rest and slack do not make; 0 / 0 neither."""
    constraint = planned(division(7, -9, 9), (-9, 9), 6, held=True)
    assert results(constraint, 0, 0) == results(constraint, 5, 0) == []


def test_a_root_of_what_is_negative_is_none() -> None:
    constraint = planned(root(3, 40), (-9, 9), 9, held=False)
    assert results(constraint, 3, 1) == [3]
    assert results(constraint, -1, 1) == results(constraint, -9, 1) == []


def wider(limbs: list[Limb], bits: int) -> list[Limb]:
    return [*limbs[:-1], replace(limbs[-1], bits=bits - limbs[-1].shift)]


def test_each_range_is_needed() -> None:
    """Without the ranges of carries or of rest and slack others are accepted."""
    node = division(379_625_062, -65_536, 65_535)
    constraint = planned(node, (-5032, 5032), 29_148_467, held=True)
    assert isinstance(constraint, Division)
    exact = constraint.exact
    free = [Number(carry.base, wider(carry.limbs, 31)) for carry in exact.carries]
    of_field = replace(constraint, exact=replace(exact, carries=free))
    assert len(results(constraint, 11, 29_148_467)) == 1
    assert len(results(of_field, 11, 29_148_467)) > 1
    a, b = 3, 23_530
    (y,) = results(constraint, a, b)
    any_slack = replace(constraint, exact=replace(exact, slack=wider(exact.slack, 31)))
    rest = Number(0, wider(exact.rest.limbs, 31))
    any_rest = replace(constraint, exact=replace(exact, rest=rest, carries=free))
    assert y - 1 in results(any_slack, a, b)
    assert y + 1 in results(any_rest, a, b)


@pytest.mark.parametrize(
    ("node", "operand", "most_b"),
    [
        (division(1, -9, 9), (-9, 9), 2**28 + 1),
        (division(1, -9, 9), (-9, 9), 0),
        (root(2**27, 2**28), (0, 2**29 - 1), 1),
    ],
    ids=["large divisor", "no divisor", "large root"],
)
def test_what_can_wrap_around_is_refused(node: Node, operand: tuple[int, int], most_b: int) -> None:
    with pytest.raises(Rejected, match="KEY_UNSUPPORTED"):
        planned(node, operand, most_b, held=False)
