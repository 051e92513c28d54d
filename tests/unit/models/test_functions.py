"""Functions written out where they are called: what ONNX Runtime makes of them, and what the
standard says where it does not take them."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.limits import Limits
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
X = np.random.default_rng(3).normal(size=(2, 3)).astype("f4")


def node(
    op: str, inputs: list[str], outputs: list[str], domain: str = "", **more: Any
) -> NodeProto:
    return helper.make_node(op, inputs, outputs, domain=domain, **more)


def call(name: str, inputs: list[str], outputs: list[str], **more: Any) -> NodeProto:
    return node(name, inputs, outputs, "mine", **more)


def function(
    name: str,
    inputs: list[str],
    outputs: list[str],
    nodes: list[NodeProto],
    attributes: tuple[str, ...] = (),
    opset: int = 17,
    **defaults: Any,
) -> FunctionProto:
    return helper.make_function(
        "mine",
        name,
        inputs,
        outputs,
        nodes,
        [helper.make_opsetid("", opset), OPSETS[1]],
        list(attributes),
        [helper.make_attribute(key, value) for key, value in defaults.items()],
    )


def refers(made: NodeProto, name: str, to: str) -> NodeProto:
    """The node, with an attribute that is what the function around it is called with."""
    made.attribute.append(AttributeProto(name=name, ref_attr_name=to, type=AttributeProto.FLOAT))
    return made


def model(functions: list[FunctionProto], nodes: list[NodeProto]) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=OPSETS, functions=functions, ir_version=10)


def parse(made: ModelProto, limits: Limits = Limits()) -> Any:
    return parse_untrusted(made.SerializeToString(), limits)


def answer(made: ModelProto) -> np.ndarray:
    return Session(parse(made)).run({"x": X})["y"]


def leaky(slope: float) -> np.ndarray:
    return np.where(X < 0, X * np.float32(slope), X)


LEAKY = refers(node("LeakyRelu", ["a"], ["b"]), "alpha", "slope")


@pytest.mark.parametrize(
    ("functions", "nodes"),
    [
        ([function("f", ["a"], ["b"], [LEAKY], ("slope",))], [call("f", ["x"], ["y"], slope=0.5)]),
        ([function("f", ["a"], ["b"], [LEAKY], ("slope",))], [call("f", ["x"], ["y"])]),
        (
            [
                function("f", ["a"], ["b"], [LEAKY], ("slope",)),
                function(
                    "g", ["b"], ["a"], [refers(call("f", ["b"], ["a"]), "slope", "k")], ("k",)
                ),
            ],
            [call("g", ["x"], ["t"], k=0.1), call("f", ["t"], ["y"], slope=3.0)],
        ),
        (
            [
                function(
                    "two",
                    ["a", "low"],
                    ["one", "other"],
                    [node("Relu", ["a"], ["one"]), node("Clip", ["a", "low"], ["other"])],
                )
            ],
            [call("two", ["x", ""], ["", "y"])],
        ),
    ],
    ids=["attribute", "attribute left out", "calls within calls", "left out"],
)
def test_calls_are_what_onnx_runtime_makes_of_them(functions, nodes):
    made = model(functions, nodes)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert np.allclose(answer(made), session.run(None, {"x": X})[0])


def test_default_of_an_attribute():
    f = function("f", ["a"], ["b"], [LEAKY], slope=0.25)
    assert np.allclose(answer(model([f], [call("f", ["x"], ["y"])])), leaky(0.25))
    assert np.allclose(answer(model([f], [call("f", ["x"], ["y"], slope=0.5)])), leaky(0.5))


def test_what_a_function_is_given_it_may_give_back():
    f = function(
        "f", ["a"], ["a", "b", "b2"], [node("Neg", ["a"], ["b"]), node("Neg", ["b"], ["b2"])]
    )
    made = model([f], [call("f", ["x"], ["p", "", "q"]), node("Add", ["p", "q"], ["y"])])
    assert np.allclose(answer(made), 2 * X)


def test_names_within_a_function_are_its_own():
    """The graph within the function has a name that the model calls it with."""
    yes = node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    inner = helper.make_graph(
        [
            node("Neg", ["a"], ["x"]),
            node("Add", ["x", "a"], ["sum"]),
            node("Sub", ["sum", "a"], ["n"]),
        ],
        "branch",
        [],
        [helper.make_tensor_value_info("n", TensorProto.FLOAT, None)],
    )
    f = function(
        "f", ["a"], ["b"], [yes, node("If", ["c"], ["b"], then_branch=inner, else_branch=inner)]
    )
    made = model([f], [call("f", ["x"], ["c"]), call("f", ["c"], ["y"])])
    assert np.allclose(answer(made), X)


def test_a_function_that_nobody_calls_is_not_looked_at():
    f = function("f", ["a"], ["b"], [call("f", ["a"], ["b"])])
    assert np.allclose(answer(model([f], [node("Neg", ["x"], ["y"])])), -X)


RELU = function("f", ["a"], ["b"], [node("Relu", ["a"], ["b"])])
SELF = function("f", ["a"], ["b"], [call("g", ["a"], ["b"])])
GIVES_BACK = function("g", ["a"], ["b"], [call("f", ["a"], ["b"])])


@pytest.mark.parametrize(
    ("functions", "name", "nodes", "why"),
    [
        ([SELF, GIVES_BACK], "mine.f", [call("f", ["x"], ["y"])], "it calls itself"),
        ([RELU, RELU], "mine.f", [call("f", ["x"], ["y"])], "it is defined twice"),
        (
            [RELU],
            "mine.f",
            [call("f", ["x", "x", "x"], ["y"])],
            "it is called with 3 inputs of 1",
        ),
        ([RELU], "mine.f", [call("f", ["x"], ["y", "z"])], "it is called with 2 outputs of 1"),
        (
            [function(f"f{i}", ["a"], ["b"], [call(f"f{i + 1}", ["a"], ["b"])]) for i in range(33)],
            "mine.f32",
            [call("f0", ["x"], ["y"])],
            "calls nest more than 32 deep",
        ),
        (
            [helper.make_function("", "Relu", ["a"], ["b"], [node("Neg", ["a"], ["b"])], OPSETS)],
            "Relu",
            [node("Relu", ["x"], ["y"])],
            "it has the name of a standard operator; rename it",
        ),
        (
            [function("f", ["a"], ["b"], [node("ReduceSum", ["a"], ["b"], axes=[1])], opset=11)],
            "mine.f",
            [call("f", ["x"], ["y"])],
            "'ReduceSum' means in its opset 11 something else than in the model's opset 17; "
            "export both for one opset",
        ),
    ],
)
def test_refused(functions: list[FunctionProto], name: str, nodes: list[NodeProto], why: str):
    with rejects(
        Reason.MODEL_FUNCTION_REFUSED,
        f"function '{name}' of the model cannot be written out where it is called: {why}",
    ):
        parse(model(functions, nodes))


def test_other_opset_in_which_the_operators_are_the_same():
    f = function("f", ["a"], ["b"], [node("Neg", ["a"], ["b"])], opset=16)
    assert np.allclose(answer(model([f], [call("f", ["x"], ["y"])])), -X)


@pytest.mark.parametrize("doubled", [0, 1])
def test_calls_that_double_again_and_again(doubled: int):
    """2^30 calls, of one node each or of none."""
    functions = [function("f0", ["a"], ["a"], [])]
    if doubled:
        functions = [function("f0", ["a"], ["b"], [node("Neg", ["a"], ["b"])])]
    for i in range(1, 31):
        twice = [call(f"f{i - 1}", ["a"], ["m"]), call(f"f{i - 1}", ["m"], ["b"])]
        functions.append(function(f"f{i}", ["a"], ["b"], twice))
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 20000 nodes"):
        parse(model(functions, [call("f30", ["x"], ["y"])]))


def test_bytes_of_calls_are_counted():
    table = helper.make_tensor("t", TensorProto.FLOAT, [100], np.ones(100))
    f = function(
        "f", ["a"], ["b"], [node("Constant", [], ["k"], value=table), node("Neg", ["a"], ["b"])]
    )
    made = model([f], [call("f", [f"x{i}" if i else "x"], [f"x{i + 1}"]) for i in range(20)])
    limit = len(made.SerializeToString()) + 3000
    with pytest.raises(ModelRejected) as refused:
        parse(made, Limits(file_bytes=limit))
    assert refused.value.reason is Reason.MODEL_TOO_LARGE


def test_a_name_that_a_function_takes_and_makes():
    f = function("f", ["a"], ["b"], [node("Neg", ["a"], ["a"]), node("Neg", ["a"], ["b"])])
    with rejects(Reason.MODEL_DUPLICATE_NAME, "the name 'a' is defined twice"):
        parse(model([f], [call("f", ["x"], ["y"])]))


def test_an_operator_of_a_domain_that_has_no_such_function():
    with rejects(
        Reason.MODEL_UNKNOWN_DOMAIN,
        "operator 'g' is of the domain 'mine', which is not accepted; replace it by standard "
        "operators when exporting",
    ):
        parse(model([RELU], [call("g", ["x"], ["y"])]))
