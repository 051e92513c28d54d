"""Sequences of known length, held to ONNX Runtime, and those that are refused."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from lowering import Array, assert_close
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inferproof.errors import Reason
from inferproof.inference.session import Session
from inferproof.models.declared import Unpacked
from inferproof.models.limits import Limits
from inferproof.models.load import from_head, to_head
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects

RNG = np.random.default_rng(41)
X = {"x": RNG.standard_normal((3, 2, 6)).astype(np.float32)}


def node(op: str, inputs: list[str], output: str, **more: Any) -> NodeProto:
    return helper.make_node(op, inputs, [output], **more)


def whole(nodes: list[NodeProto], constants: dict[str, Array], shape: list[int]) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("sizes", "more", "shape"),
    [
        (None, {"axis": 1}, [2, 1]),
        (None, {"axis": 1, "keepdims": 0}, [2]),
        (np.array(4), {"axis": -1}, [2, 2]),
        (np.array([1, 3, 2]), {"axis": 1}, [2, 2]),
    ],
)
def test_parts_of_a_tensor(sizes: Array | None, more: dict[str, int], shape: list[int]) -> None:
    inputs = ["x"] if sizes is None else ["x", "sizes"]
    nodes = [node("SplitToSequence", inputs, "s", **more), node("SequenceAt", ["s", "last"], "y")]
    constants = {"last": np.array(-1)} | ({} if sizes is None else {"sizes": sizes})
    assert_close(whole(nodes, constants, shape), X, 0.001)


@pytest.mark.parametrize(("new", "shape"), [(0, [6, 6]), (1, [3, 2, 6])])
def test_tensors_put_together_again(new: int, shape: list[int]) -> None:
    nodes = [
        node("Relu", ["x"], "r"),
        node("SequenceConstruct", ["x", "r", "x"], "s"),
        node("SequenceErase", ["s", "first"], "t"),
        node("SequenceInsert", ["t", "r"], "u"),
        node("ConcatFromSequence", ["u"], "y", axis=0, new_axis=new),
    ]
    assert_close(whole(nodes, {"first": np.array(0)}, shape), X, 0.001)


def test_how_many_there_are() -> None:
    nodes = [
        node("SplitToSequence", ["x", "two"], "s", axis=1),
        node("SequenceLength", ["s"], "n"),
        node("Cast", ["n"], "f", to=TensorProto.FLOAT),
        node("Mul", ["x", "f"], "y"),
    ]
    assert_close(whole(nodes, {"two": np.array(2)}, [2, 6]), X, 0.001)


def test_what_is_not_known_beforehand_is_refused() -> None:
    def refused(nodes: list[NodeProto], why: str, **constants: Array) -> None:
        made = whole(nodes, constants, [2, 6])
        with rejects(Reason.MODEL_OPERATOR_REFUSED, f"operator {why}"):
            parse_untrusted(made.SerializeToString())

    split = node("SplitToSequence", ["x"], "s", axis=1)
    place = [node("ArgMax", ["x"], "a", axis=0, keepdims=0), node("Gather", ["a", "z"], "p")]
    refused(
        [split, *place, node("SequenceAt", ["s", "p"], "y")],
        "'SequenceAt' of node 'y' is not accepted: its place depends on the model's input; a place "
        "that is a constant",
        z=np.array(0),
    )
    refused(
        [split, node("Relu", ["s"], "y")],
        "'Relu' of node 'y' is not accepted: it takes a sequence; take the tensors out of it with "
        "SequenceAt or ConcatFromSequence",
    )
    refused(
        [node("SequenceAt", ["x", "z"], "y")],
        "'SequenceAt' of node 'y' is not accepted: its sequence is not one that the graph makes; "
        "give the model tensors",
        z=np.array(0),
    )


def test_what_cannot_be_is_invalid() -> None:
    split = node("SplitToSequence", ["x", "n"], "s", axis=1)
    at = node("SequenceAt", ["s", "z"], "y")
    cases = [
        (np.array(2), 7, "'SequenceAt': the sequence has no place 7"),
        (np.array([1, 2]), 0, "'SplitToSequence': its parts are not as long as its input together"),
        (np.array(0), 0, "'SplitToSequence': a part has no elements"),
    ]
    for sizes, place, why in cases:
        made = whole([split, at], {"n": sizes, "z": np.array(place)}, [2, 2])
        with rejects(Reason.MODEL_INVALID, f"the ONNX checker refuses operator {why}"):
            parse_untrusted(made.SerializeToString())


def test_sequences_hold_no_more_tensors_than_a_graph_has_nodes() -> None:
    nodes = [
        node("SequenceConstruct", ["x"] * 30, "s"),
        node("ConcatFromSequence", ["s"], "y", axis=0),
    ]
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 20 tensors in sequences"):
        parse_untrusted(whole(nodes, {}, [60, 6]).SerializeToString(), Limits(nodes=20))


def answered(nodes: list[NodeProto], name: str = "s", dtype: int = TensorProto.FLOAT) -> ModelProto:
    """A model with a sequence as its second output, as exporters write several classes."""
    made = whole([node("Relu", ["x"], "y"), *nodes], {}, [2, 6])
    made.graph.output.append(helper.make_tensor_sequence_value_info(name, dtype, None))
    return made


PAIR = [node("Neg", ["x"], "n"), node("ReduceSum", ["n"], "t", keepdims=0)]


def test_a_sequence_as_an_output_is_an_output_for_each_of_its_tensors() -> None:
    raw = answered([*PAIR, node("SequenceConstruct", ["n", "t", "n"], "s")]).SerializeToString()
    loaded = parse_untrusted(raw)
    assert [spec.name for spec in loaded.outputs] == ["y", "s_0", "s_1", "s_2"]
    assert [spec.shape for spec in loaded.outputs] == [(2, 6), (2, 6), (), (2, 6)]
    assert loaded.unpacked == (Unpacked("s", 3),)
    assert loaded.notes == ("output s is a sequence, and its tensors outputs: s_0, s_1, s_2",)
    assert from_head(to_head(loaded), loaded.onnx) == loaded
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    (right,) = session.run(["s"], {"x": X["x"][0]})
    got = Session(loaded).run({"x": X["x"][0]})
    for place, exact in enumerate(right):
        np.testing.assert_array_equal(got[f"s_{place}"], exact)


def test_a_model_whose_outputs_are_tensors_has_no_note() -> None:
    assert (
        parse_untrusted(whole([node("Relu", ["x"], "y")], {}, [2, 6]).SerializeToString()).notes
        == ()
    )


@pytest.mark.parametrize(
    ("made", "reason", "message"),
    [
        (
            answered(
                [*PAIR, node("SequenceConstruct", ["n", "t"], "s"), node("Abs", ["n"], "s_1")]
            ),
            Reason.MODEL_DUPLICATE_NAME,
            "the name 's_1' is defined twice",
        ),
        (
            answered([node("SequenceEmpty", [], "s")]),
            Reason.MODEL_OUTPUT_NOT_COMPUTED,
            "output 's' does not depend on any input",
        ),
        (
            answered(PAIR, "n"),
            Reason.MODEL_OUTPUT_MISDECLARED,
            "output 'n' is declared as a sequence, but the graph computes a tensor, and runtimes "
            "refuse another type; declare the computed one, or cast to the declared one",
        ),
        (
            answered([*PAIR, node("SequenceConstruct", ["n"], "s")], dtype=TensorProto.INT64),
            Reason.MODEL_OUTPUT_MISDECLARED,
            "output 's_0' is declared as int64, but the graph computes float32[2, 6], and runtimes "
            "refuse another type; declare the computed one, or cast to the declared one",
        ),
        (
            whole([node("SequenceConstruct", ["x"], "y")], {}, [2, 6]),
            Reason.MODEL_OUTPUT_MISDECLARED,
            "output 'y' is declared as a tensor, but the graph computes a sequence, and runtimes "
            "refuse another type; declare the computed one, or cast to the declared one",
        ),
    ],
    ids=["name", "empty", "tensor", "type", "sequence"],
)
def test_sequences_that_are_no_outputs(made: ModelProto, reason: Reason, message: str) -> None:
    with rejects(reason, message):
        parse_untrusted(made.SerializeToString())
