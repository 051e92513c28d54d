"""Ranges hold for every input, rounding is exact, passes change nothing that they may not."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.constants import quantised
from inferproof.proving.sumcheck.lower.passes import finish
from inferproof.second_verifier import graph as reference
from inferproof.testing.random_graphs import random_graph
from reference.numpy_executor import execute, split_weights

SMALL = st.integers(-(2**20), 2**20)
WIDE = st.integers(1 - 2**29, 2**29 - 1)


def ordered(a: int, b: int) -> tuple[int, int]:
    return min(a, b), max(a, b)


def one(op: g.Op, *values: int, constants: tuple[object, ...] = ()) -> int:
    """The result of one node on single numbers."""
    limit = g.VALUE_LIMIT - 1
    inputs = tuple(g.Input((1,), -limit, limit) for _ in values)
    node = g.Node(op, tuple(range(len(values))), (1,), -limit, limit)
    made = tuple(g.Constant(np.array(c, np.int32)) for c in constants)
    graph = g.Graph(inputs, (), made, (node,), (len(values),))
    return int(execute(graph, [], [np.array([v]) for v in values])[0][0])


@given(WIDE, st.integers(-15, 15), st.integers(0, 40))
def test_rescale_rounds_to_the_nearest_and_halves_up(x: int, m: int, shift: int) -> None:
    exact = Fraction(m * x, 2**shift)
    limit = g.VALUE_LIMIT - 1
    expected = min(max(math.floor(exact + Fraction(1, 2)), -limit), limit)
    if shift == 0:
        expected = min(max(m * x, -limit), limit)
    assert one(g.Rescale(0, 0, shift), x, constants=([m],)) == expected


@given(SMALL, st.integers(1, 2**29 - 1), st.integers(1, 500))
def test_divide_rounds_to_the_nearest_and_halves_up(a: int, b: int, k: int) -> None:
    assert one(g.Divide(k), a, b) == math.floor(Fraction(k * a, b) + Fraction(1, 2))


@given(st.integers(0, 2**29 - 1), st.integers(1, 2**28))
def test_square_root_is_the_greatest_below(x: int, k: int) -> None:
    root = one(g.SquareRoot(k), x)
    assert root**2 <= k * x < (root + 1) ** 2


@given(SMALL, SMALL, SMALL, SMALL, st.floats(0, 1), st.floats(0, 1), st.integers(1, 1000))
def test_intervals_hold_every_result(
    a: int, b: int, c: int, d: int, s: float, t: float, k: int
) -> None:
    left, right = ordered(a, b), ordered(c, d)
    x = left[0] + int(s * (left[1] - left[0]))
    y = right[0] + int(t * (right[1] - right[0]))

    def holds(interval: tuple[int, int], value: int) -> bool:
        return interval[0] <= value <= interval[1]

    assert holds(intervals.multiplied(left, right), x * y)
    assert holds(intervals.added(left, right), x + y)
    assert holds(intervals.scaled(left, -k), -k * x)
    factors = np.array([k, -3])
    for factor in (k, -3):
        value = (factor * x + 8) >> 4
        assert holds(intervals.rescaled(left, factors, 4), value)
    positive = (1 + abs(right[0]), 1 + abs(right[0]) + right[1] - right[0])
    divisor = positive[0] + y - right[0]
    assert holds(intervals.divided(left, positive, k), (2 * k * x + divisor) // (2 * divisor))
    whole = (abs(left[0]), abs(left[0]) + left[1] - left[0])
    assert holds(intervals.rooted(whole, k), math.isqrt(k * (whole[0] + x - left[0])))


@given(
    st.lists(st.lists(st.integers(-128, 127), min_size=3, max_size=3), min_size=1, max_size=3),
    st.lists(st.integers(-100, 100), min_size=3, max_size=3),
    SMALL,
)
def test_rows_stay_within_their_bounds(rows: list[list[int]], x: list[int], bias: int) -> None:
    matrix = np.array(rows)
    low, high = intervals.weighted(
        matrix, (min(x), max(x)), sum(map(abs, x)), np.full(len(rows), bias)
    )
    results = matrix @ np.array(x) + bias
    assert (low <= results).all()
    assert (results <= high).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.integers(4, 20))
def test_constants_are_off_by_half_a_unit_at_most(values: list[float], bits: int) -> None:
    array = np.array(values)
    ints, scale = quantised(array, bits)
    assert (np.abs(ints * scale - array) <= scale / 2).all()
    assert int(np.abs(ints).max()) <= 2 ** max(bits, 20)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32))
def test_a_random_graph_runs_for_inputs_in_range(seed: int) -> None:
    made = random_graph(seed)
    reference.decode(encode_graph(made.graph))
    matrices = split_weights(made.graph, made.weights)
    results = execute(made.graph, matrices, made.inputs)
    assert [r.shape for r in results] == [made.graph.shape(n) for n in made.graph.outputs]


def test_random_graphs_hold_every_operation() -> None:
    kinds = {type(node.op) for seed in range(60) for node in random_graph(seed).graph.nodes}
    assert kinds == set(g.OPS) - {g.Parameter}


@given(WIDE, st.integers(1, 15), st.integers(0, 12), st.integers(0, 12))
def test_joined_rescalings_are_off_by_one_at_most(x: int, m: int, s: int, t: int) -> None:
    b = Builder()
    limit = 2**25
    from inferproof.proving.sumcheck.lower.value import Value

    value = Value(b.input((1,), -limit, limit), (1,), 1.0, -limit, limit)
    first = b.rescale(value, m, s, clamp=(-(2**20), 2**18))
    second = b.rescale(first, 1, t, clamp=(-1000, 900))
    graph, _ = finish(b, (second.tensor,))
    x = max(-limit, min(limit, x))
    (got,) = execute(graph, [], [np.array([x])])
    half_s, half_t = (1 << s) >> 1, (1 << t) >> 1
    inner = min(max((m * x + half_s) >> s, -(2**20)), 2**18)
    expected = min(max((inner + half_t) >> t, -1000), 900)
    assert abs(int(got[0]) - expected) <= 1
