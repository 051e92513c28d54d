"""Integer graphs: one encoding, and everything that makes one malformed."""

from dataclasses import replace

import numpy as np
import pytest

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import graph_rejection, library
from inferproof.testing.graphs import (
    CONV_WEIGHT,
    EVERY_OP,
    constant,
    conv,
    small,
    with_op,
)
from inferproof.testing.rejections import rejects

pytestmark = pytest.mark.native


def check_bytes(data: bytes) -> None:
    """Returns when the native module finds that these are a graph. Raises: ArtifactRejected."""
    native = library()
    try:
        native.check_graph(data)
    except native.NativeError as error:
        refused, message = graph_rejection(error), error.args[1]
    else:
        return
    assert refused is not None, message
    assert message == str(refused)
    raise refused


def check_graph(graph: g.Graph) -> None:
    check_bytes(encode_graph(graph))


@pytest.mark.parametrize("graph", EVERY_OP, ids=lambda graph: g.op_name(graph.nodes[0].op))
def test_what_is_encoded_is_a_graph(graph: g.Graph) -> None:
    check_graph(graph)


def test_every_operation_is_among_them() -> None:
    assert {type(node.op) for graph in EVERY_OP for node in graph.nodes} == set(g.OPS)


def test_a_constant_cannot_be_written() -> None:
    values = np.array([1, 2], dtype=np.int32)
    made = g.Constant(values)
    values[0] = 9
    assert made == constant([1, 2])
    assert made != constant([[1, 2]])
    assert hash(made) == hash(constant([1, 2]))
    with pytest.raises(ValueError, match="read-only"):
        made.values[0] = 3


def test_bytes_that_are_no_graph_are_refused() -> None:
    data = encode_graph(small())
    said = "the integer graph is not in its canonical encoding: "
    with rejects(Reason.GRAPH_ENCODING, said + "it does not begin as one"):
        check_bytes(b"X" + data[1:])
    with rejects(Reason.GRAPH_ENCODING, said + "it is of version 2, not 1"):
        check_bytes(data[:8] + b"\x02" + data[9:])
    with rejects(Reason.GRAPH_ENCODING, said + "bytes follow its end"):
        check_bytes(data + b"\x00")
    with rejects(Reason.GRAPH_ENCODING, said + "it holds 65 inputs, the limit is 64"):
        check_bytes(data[:12] + b"\x41" + data[13:])
    with rejects(Reason.GRAPH_ENCODING, said + "the number 4294967296 does not fit its field"):
        encode_graph(with_op(g.Lookup(0, 2**32), (1,), out=(1,), constants=(constant([1]),)))


def test_every_cut_of_a_graph_is_refused() -> None:
    data = encode_graph(small())
    for size in range(len(data)):
        with rejects(
            Reason.GRAPH_ENCODING,
            "the integer graph is not in its canonical encoding: it is cut short",
            kind=ArtifactRejected,
        ):
            check_bytes(data[:size])


def test_every_changed_byte_gives_another_graph_or_a_typed_rejection() -> None:
    data = encode_graph(small())
    taken = 0
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            try:
                check_bytes(bytes(changed))
            except ArtifactRejected:
                continue
            taken += 1
    assert 0 < taken < 4 * len(data)


def test_counts_and_sums_have_limits() -> None:
    graph = small()
    with rejects(Reason.GRAPH_COUNT, "the integer graph has 0 outputs; 1 to 64 are allowed"):
        check_graph(replace(graph, outputs=()))
    many = (g.Weight(2**12, 2**12),) * 17
    with rejects(
        Reason.GRAPH_COUNT,
        "the integer graph has 285212672 bytes of weights; 0 to 268435456 are allowed",
    ):
        check_graph(replace(graph, weights=many))
    wide = with_op(g.Add((1,) * 8), *((2**24,),) * 8, out=(2**24,))
    with rejects(
        Reason.GRAPH_COUNT,
        "the integer graph has 150994944 elements; 0 to 134217728 are allowed",
    ):
        check_graph(wide)
    heavy = with_op(g.MatMul(), (4096, 4096), (4096, 4096), out=(4096, 4096))
    heavy = replace(heavy, inputs=(g.Input((4096, 4096), 0, 1),) * 2)
    with rejects(
        Reason.GRAPH_COUNT,
        "the integer graph has 68769808384 steps of work; 0 to 68719476736 are allowed",
    ):
        check_graph(heavy)


@pytest.mark.parametrize(
    ("shape", "lo", "hi", "why"),
    [
        ((2, 0), 0, 1, "a dimension is 0"),
        ((2**12, 2**13), 0, 1, "it has more than 16777216 elements"),
        ((1,), 2, 1, "its range 2 to 1 is empty or reaches 2^29"),
        ((1,), 0, 2**29, "its range 0 to 536870912 is empty or reaches 2^29"),
        ((1,), -(2**29), 0, "its range -536870912 to 0 is empty or reaches 2^29"),
    ],
)
def test_malformed_tensors_are_refused(shape: g.Shape, lo: int, hi: int, why: str) -> None:
    bad = replace(small(), inputs=(g.Input(shape, lo, hi),))
    with rejects(Reason.GRAPH_TENSOR, f"input 0 of the integer graph is malformed: {why}"):
        check_graph(bad)


def test_tensors_of_too_many_dimensions_are_not_read() -> None:
    bad = replace(small(), inputs=(g.Input((1,) * 9, 0, 1),))
    message = (
        "the integer graph is not in its canonical encoding: "
        "a tensor has 9 dimensions, the limit is 8"
    )
    with rejects(Reason.GRAPH_ENCODING, message):
        check_graph(bad)


def test_the_choice_among_equals_is_one_of_two() -> None:
    message = (
        "the integer graph is not in its canonical encoding: "
        "the choice among equals is neither 0 nor 1"
    )
    with rejects(Reason.GRAPH_ENCODING, message):
        check_graph(with_op(g.ArgMax(2), (2,), out=()))


def test_an_output_must_exist_and_weights_be_used_in_order() -> None:
    with rejects(
        Reason.GRAPH_OUTPUT, "the integer graph puts out tensor 4, which it does not have"
    ):
        check_graph(replace(small(), outputs=(4,)))
    with rejects(
        Reason.GRAPH_WEIGHT,
        "the integer graph uses weight matrix nothing where 1 is due; "
        "each is used by one node, in rising order",
    ):
        check_graph(replace(small(), weights=(g.Weight(3, 4), g.Weight(1, 1))))
    first = small().nodes[0]
    with rejects(
        Reason.GRAPH_WEIGHT,
        "the integer graph uses weight matrix 0 where 1 is due; "
        "each is used by one node, in rising order",
    ):
        check_graph(replace(small(), nodes=(first, first)))


ONE, THREE = (constant([1]),), (constant([1, 2, 3]),)
CONV_X = (1, 4, 5, 5)
BAD_NODES: list[tuple[g.Graph, str]] = [
    (with_op(g.MatMul(), (2, 2), out=(2, 2)), "it takes 2 operands, not 1"),
    (with_op(g.Add(()), out=()), "there is no input"),
    (with_op(g.Linear(0), (5,), out=(3,), weights=(g.Weight(3, 4),)),
     "the last dimension is not the matrix's columns"),
    (with_op(g.Linear(1), (4,), out=(3,), weights=(g.Weight(3, 4),)),
     "there is no weight matrix 1"),
    (with_op(g.Linear(0, 0), (4,), out=(3,), weights=(g.Weight(3, 4),), constants=ONE),
     "the bias does not have one number per row"),
    (with_op(g.Linear(0, 7), (4,), out=(3,), weights=(g.Weight(3, 4),)), "there is no constant 7"),
    (with_op(g.Linear(0), (4,), out=(4,), weights=(g.Weight(3, 4),)),
     "it gives the shape [3], not [4]"),
    (with_op(conv(), (4, 5), out=(1,), weights=CONV_WEIGHT),
     "the operand is not of 3 or 4 dimensions"),
    (with_op(conv(kernel=(3,)), CONV_X, out=(1,), weights=CONV_WEIGHT),
     "an attribute is not one per dimension"),
    (with_op(conv(stride=(0, 1)), CONV_X, out=(1,), weights=CONV_WEIGHT),
     "kernel, stride or dilation is 0 or too large"),
    (with_op(conv(pad_end=(2**25, 1)), CONV_X, out=(1,), weights=CONV_WEIGHT),
     "a pad is too large"),
    (with_op(conv(groups=3), CONV_X, out=(1,), weights=CONV_WEIGHT),
     "the groups do not divide the channels"),
    (with_op(conv(groups=0), CONV_X, out=(1,), weights=CONV_WEIGHT),
     "the groups do not divide the channels"),
    (with_op(conv(), CONV_X, out=(1,), weights=(g.Weight(4, 6),)),
     "the matrix's columns are not channels in a group times kernel"),
    (with_op(conv(dilation=(1, 9)), CONV_X, out=(1,), weights=CONV_WEIGHT),
     "the kernel is larger than the padded operand"),
    (with_op(g.MatMul(), (2, 3), (2, 3), out=(2, 3)), "the operands' shapes do not fit"),
    (replace(
        with_op(g.MatMul(), (1, 64), (64, 1), out=(1, 1)),
        inputs=(g.Input((1, 64), 0, 2**29 - 1), g.Input((64, 1), 0, 2**29 - 1)),
    ), "its sums can reach 2^62"),
    (with_op(g.Add((1,)), (2,), (2,), out=(2,)), "there is not one coefficient per operand"),
    *((with_op(g.Add((1, c)), (2,), (2,), out=(2,)), "a coefficient is 0 or reaches 2^29")
      for c in (0, 2**29, -(2**29), 2130706433, -2130706433)),
    (with_op(g.Add((1, 1)), (2,), (3,), out=(2,)), "the operands' shapes differ"),
    (with_op(g.Add((1,), 0), (2,), out=(2,), constants=THREE),
     "the constant has neither one element nor the operands' shape"),
    (replace(
        with_op(g.Add((2**31 - 1,) * 5), *((1,),) * 5, out=(1,)),
        inputs=(g.Input((1,), 0, 2**29 - 1),) * 5,
    ), "its sums can reach 2^62"),
    (with_op(g.Mul(), (2,), (3,), out=(2,)), "the operands' shapes differ"),
    (with_op(g.Rescale(0, 0, 41), (2,), out=(2,), constants=ONE), "the shift is more than 40"),
    (with_op(g.Rescale(0, 1, 1), (2,), out=(2,), constants=ONE),
     "a single multiplier takes axis 0"),
    (with_op(g.Rescale(0, 0, 1), (2,), out=(2,), constants=THREE),
     "there is not one multiplier per slice"),
    (with_op(g.Lookup(0, 0), (2,), out=(2,), constants=(constant([[1]]),)),
     "the table is not of one dimension"),
    (with_op(g.View(0, (1,)), (2,), out=(3,)), "an address is outside of the operand"),
    (with_op(g.View(0, (-1,)), (2,), out=(2,)), "an address is outside of the operand"),
    (with_op(g.View(0, ()), (2,), out=(1,)), "there is not one stride per dimension"),
    (with_op(g.View(2**40, (1,)), (2,), out=(1,)), "an offset or stride is too large"),
    (with_op(g.Pad((1,), (1, 1), 0), (2, 2), out=(2,)), "there is not one pad per dimension"),
    (with_op(g.Pad((2**25,), (0,), 0), (2,), out=(2,)), "a pad is too large"),
    (with_op(g.Concat(1), (2,), out=(2,)), "there is no such axis"),
    (with_op(g.Concat(0), (2, 2), (2, 3), out=(4, 2)),
     "the operands' shapes differ beside the axis"),
    (with_op(g.Take(0), (2,), out=(1,), constants=(constant([2]),)),
     "an address is outside of the operand"),
    (with_op(g.Take(0), (2,), out=(1,), constants=(constant([-2]),)),
     "an address is outside of the operand"),
    (with_op(g.Pick(), (), (3,), out=(3,)), "the operand is a single number"),
    (with_op(g.Sum(0), (2,), out=(2,)), "there are not so many axes"),
    (with_op(g.Max(2), (2,), out=()), "there are not so many axes"),
    (with_op(g.ArgMax(0), (), out=()), "the operand is a single number"),
    (with_op(g.Divide(0), (2,), (2,), out=(2,)), "k is not positive"),
    (with_op(g.SquareRoot(-1), (2,), out=(2,)), "k is not positive"),
]  # fmt: skip


@pytest.mark.parametrize(("graph", "why"), BAD_NODES, ids=[why for _, why in BAD_NODES])
def test_malformed_nodes_are_refused(graph: g.Graph, why: str) -> None:
    operator = g.op_name(graph.nodes[0].op)
    if why == "there is no input":
        graph = replace(graph, inputs=small().inputs, outputs=(0,))
        why = "it has no operand, or too many"
    with rejects(
        Reason.GRAPH_NODE, f"node 0 ({operator}) of the integer graph is malformed: {why}"
    ):
        check_graph(graph)
