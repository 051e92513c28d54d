"""The plain executor: each operation by hand, and everything that it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from inferproof.proving.sumcheck import graph as g
from reference.numpy_executor import Fault, execute, split_weights

WIDE = 2**29 - 1


@contextmanager
def fails(code: str, message: str) -> Iterator[None]:
    with pytest.raises(Fault) as caught:
        yield
    assert (caught.value.code, str(caught.value)) == (code, message)


def one(op: g.Op, *values: Any, shape: g.Shape, **parts: Any) -> Any:
    """The result of one node on these values."""
    arrays = [np.array(value) for value in values]
    inputs = tuple(g.Input(a.shape, -WIDE, WIDE) for a in arrays) or (g.Input((1,), 0, 0),)
    weights = [np.array(w, np.int8) for w in parts.get("weights", ())]
    constants = tuple(g.Constant(np.array(c, np.int32)) for c in parts.get("constants", ()))
    node = g.Node(
        op, tuple(range(len(arrays))), shape, parts.get("lo", -WIDE), parts.get("hi", WIDE)
    )
    sizes = tuple(g.Weight(*w.shape) for w in weights)
    graph = g.Graph(inputs, sizes, constants, (node,), (len(inputs),))
    (result,) = execute(graph, weights, arrays or [np.zeros(1, np.int64)])
    return result.tolist()


def test_linear_adds_the_bias() -> None:
    matrix = [[1, -2], [3, 4], [-128, 127]]
    got = one(g.Linear(0, 0), [[5, 6]], shape=(1, 3), weights=[matrix], constants=[[1, 2, 3]])
    assert got == [[-6, 41, 125]]


def test_linear_without_bias() -> None:
    assert one(g.Linear(0), [2, 1], shape=(1,), weights=[[[3, -1]]]) == [5]


def test_conv_pads_strides_and_dilates() -> None:
    op = g.Conv(0, g.NONE, 1, (2,), (2,), (2,), (1,), (0,))
    # Padded: 0 1 2 3 4; windows begin at 0 and 2, with a step of 2 inside.
    assert one(op, [[[1, 2, 3, 4]]], shape=(1, 1, 2), weights=[[[10, 1]]]) == [[[2, 24]]]


def test_conv_groups_see_their_own_channels() -> None:
    op = g.Conv(0, 0, 2, (1, 1), (1, 1), (1, 1), (0, 0), (0, 0))
    got = one(op, [[[[5]], [[7]]]], shape=(1, 2, 1, 1), weights=[[[2], [3]]], constants=[[1, -1]])
    assert got == [[[[11]], [[20]]]]


def test_matmul_of_batches() -> None:
    got = one(g.MatMul(), [[[1, 2]], [[3, 4]]], [[[1], [1]], [[0], [2]]], shape=(2, 1, 1))
    assert got == [[[3]], [[8]]]


def test_matmul_beyond_53_bits_is_exact() -> None:
    got = one(g.MatMul(), [[WIDE, WIDE, -WIDE, 1]], [[WIDE], [-WIDE], [0], [7]], shape=(1, 1))
    assert got == [[7]]


def test_add_weighs_and_shifts() -> None:
    assert one(g.Add((2, -1), 0), [1, 2], [3, 4], shape=(2,), constants=[[10]]) == [9, 10]
    assert one(g.Add((1,), 0), [1, 2], shape=(2,), constants=[[10, 20]]) == [11, 22]


def test_mul() -> None:
    assert one(g.Mul(), [3, -4], [5, 6], shape=(2,)) == [15, -24]


@pytest.mark.parametrize(
    ("value", "expected"), [(5, 3), (-5, -2), (3, 2), (-3, -1), (6, 3), (7, 4), (-7, -3), (1, 1)]
)
def test_rescale_rounds_halves_up(value: int, expected: int) -> None:
    assert one(g.Rescale(0, 0, 1), [value], shape=(1,), constants=[[1]]) == [expected]


def test_rescale_with_one_multiplier_per_slice_and_a_clamp() -> None:
    got = one(
        g.Rescale(0, 1, 2),
        [[[8, 4], [8, 4]]],
        shape=(1, 2, 2),
        constants=[[1, -3]],
        lo=-4,
        hi=1,
    )
    assert got == [[[1, 1], [-4, -3]]]


def test_rescale_without_shift_adds_no_half() -> None:
    assert one(g.Rescale(0, 0, 0), [-3, 3], shape=(2,), constants=[[5]]) == [-15, 15]


def test_lookup() -> None:
    assert one(g.Lookup(0, -1), [-1, 1], shape=(2,), constants=[[7, 8, 9]]) == [7, 9]


def test_view_reverses_and_repeats() -> None:
    assert one(g.View(2, (0, -1)), [1, 2, 3], shape=(2, 3)) == [[3, 2, 1], [3, 2, 1]]


def test_pad_concat_take_pick() -> None:
    assert one(g.Pad((1, 0), (0, 1), 9), [[1]], shape=(2, 2)) == [[9, 9], [1, 9]]
    assert one(g.Concat(1), [[1], [2]], [[3], [4]], shape=(2, 2)) == [[1, 3], [2, 4]]
    assert one(g.Take(0), [[5, 6]], shape=(3,), constants=[[1, -1, 0]]) == [6, 0, 5]
    assert one(g.Pick(), [[1, 2], [3, 4]], [1, 0, 1], shape=(3, 2)) == [[3, 4], [1, 2], [3, 4]]


def test_reductions() -> None:
    assert one(g.Sum(1), [[1, 2], [3, 4]], shape=(2,)) == [3, 7]
    assert one(g.Max(2), [[1, 2], [3, -4]], shape=()) == 3
    assert one(g.ArgMax(), [[2, 7, 7]], shape=(1,)) == [1]
    assert one(g.ArgMax(1), [[2, 7, 7]], shape=(1,)) == [2]


@pytest.mark.parametrize(
    ("a", "b", "k", "expected"), [(1, 2, 1, 1), (-1, 2, 1, 0), (7, 3, 1, 2), (-7, 3, 10, -23)]
)
def test_divide_rounds_halves_up(a: int, b: int, k: int, expected: int) -> None:
    assert one(g.Divide(k), [a], [b], shape=(1,)) == [expected]


def test_square_root_rounds_down() -> None:
    assert one(g.SquareRoot(1), [0, 3, 4, 8], shape=(4,)) == [0, 1, 2, 2]
    assert one(g.SquareRoot(2**29 - 1), [WIDE], shape=(1,)) == [WIDE]


def test_constant() -> None:
    assert one(g.Const(0), shape=(2,), constants=[[4, -4]]) == [4, -4]


def test_a_result_outside_of_its_range_is_refused() -> None:
    with fails("RANGE", "node 0 (Mul) gives 12, outside of its range -100 to 11"):
        one(g.Mul(), [3], [4], shape=(1,), lo=-100, hi=11)


def test_a_lookup_outside_of_its_table_is_refused() -> None:
    with fails("TABLE", "node 0 looks up 3, which is not in its table"):
        one(g.Lookup(0, 1), [1, 3], shape=(2,), constants=[[7, 8]])


def test_a_pick_beyond_the_end_is_refused() -> None:
    with fails("INDEX", "node 0 picks number 2 of 2"):
        one(g.Pick(), [[1], [2]], [2], shape=(1, 1))


def test_a_divisor_that_is_not_positive_is_refused() -> None:
    with fails("DIVISOR", "node 0 divides by 0; divisors are positive"):
        one(g.Divide(1), [1], [0], shape=(1,))


def test_the_root_of_a_negative_number_is_refused() -> None:
    with fails("ROOT", "node 0 takes the square root of -1"):
        one(g.SquareRoot(1), [-1], shape=(1,))


def test_inputs_are_checked() -> None:
    graph = g.Graph((g.Input((2,), -1, 1),), (), (), (), (0,))
    assert execute(graph, [], [np.array([1, -1])])[0].tolist() == [1, -1]
    with fails(
        "INPUT",
        "input 0 of the integer graph is not what it declares: it leaves the range -1 to 1",
    ):
        execute(graph, [], [np.array([1, 2])])
    with fails(
        "INPUT",
        "input 0 of the integer graph is not what it declares: it is float64[2], not whole [2]",
    ):
        execute(graph, [], [np.array([1.0, 1.0])])
    with fails(
        "INPUT",
        "input 2 of the integer graph is not what it declares: the graph takes 1",
    ):
        execute(graph, [], [np.array([1, 1])] * 2)


def test_the_weights_file_has_the_size_that_the_graph_says() -> None:
    graph = g.Graph((g.Input((2,), -1, 1),), (g.Weight(1, 2),), (), (), (0,))
    assert split_weights(graph, b"\x01\xff")[0].tolist() == [[1, -1]]
    with fails("WEIGHTS", "the weights file is 3 bytes, the graph takes 2"):
        split_weights(graph, b"123")
