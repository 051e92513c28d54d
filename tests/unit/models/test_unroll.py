"""Control flow written out gives what ONNX Runtime gives for the file as it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inferproof.inference.session import Session
from inferproof.models.loaded import LoadedModel
from inferproof.models.parse import parse_untrusted

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, shape: Sequence[int | str] | None = None, dtype: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def constant(name: str, value: Any, dtype: str = "f4") -> NodeProto:
    tensor = numpy_helper.from_array(np.asarray(value, dtype), name)
    return helper.make_node("Constant", [], [name], value=tensor)


def body(nodes: list[NodeProto], inputs: list[Any], outputs: list[Any]) -> Any:
    return helper.make_graph(nodes, "body", inputs, outputs)


def node(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op, inputs, outputs, **attributes)


def model(
    nodes: list[NodeProto], outputs: list[Any], x: Sequence[int] = (3, 4), opset: int = 17
) -> ModelProto:
    graph = helper.make_graph(nodes, "g", [info("x", list(x))], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def same(made: ModelProto, least_nodes: int = 1) -> LoadedModel:
    """The loaded model, which answers as the file does and holds no graph within an operator."""
    raw = made.SerializeToString()
    loaded = parse_untrusted(raw)
    kept = ModelProto.FromString(loaded.onnx)
    assert not any(item.HasField("g") for n in kept.graph.node for item in n.attribute)
    assert loaded.nodes >= least_nodes
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(1)
    for _ in range(3):
        given = {"x": random.normal(size=loaded.inputs[0].shape).astype("f4")}
        right = session.run([spec.name for spec in loaded.outputs], given)
        answers = Session(loaded).run(given)
        for spec, array in zip(loaded.outputs, right, strict=True):
            assert np.allclose(answers[spec.name], array, rtol=1e-5, atol=1e-6)
    return loaded


def choice(condition: list[NodeProto], opset: int = 17) -> ModelProto:
    """y = x + 1 where c, else x · k, with k from around the branch."""
    then = body([constant("one", 1), node("Add", ["x", "one"], ["t"])], [], [info("t")])
    other = body([node("Mul", ["x", "k"], ["e"])], [], [info("e")])
    split = node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    return model([constant("k", 3), *condition, split], [info("y", [3, 4])], opset=opset)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21])
@pytest.mark.parametrize("truth", [True, False])
def test_if_is_its_branch(opset: int, truth: bool):
    loaded = same(choice([constant("c", truth, "?")], opset))
    assert ("Add" if truth else "Mul") in dict(loaded.operators)


def test_condition_from_the_shape_of_the_input():
    """As exporters ask whether a dimension is 1 before they squeeze it."""
    asked = [
        node("Shape", ["x"], ["s"]),
        constant("first", 0, "i8"),
        node("Gather", ["s", "first"], ["d"]),
        constant("three", 3, "i8"),
        node("Equal", ["d", "three"], ["c"]),
    ]
    assert same(choice(asked)).operators[0] == ("Add", 1)


def test_branch_that_is_not_taken_is_not_looked_at():
    made = choice([constant("c", True, "?")])
    for item in made.graph.node[-1].attribute:
        if item.name == "else_branch":
            item.g.node[0].op_type = "Mystery"
    assert parse_untrusted(made.SerializeToString()).operators[0] == ("Add", 1)


def counted(opset: int = 17, rank: int = 0, trips: int = 5) -> ModelProto:
    """Five times s = s · 0.5 + x + i, each s kept; the condition is passed through."""
    turn = body(
        [
            constant("half", 0.5),
            node("Cast", ["i"], ["f"], to=FLOAT),
            node("Mul", ["s", "half"], ["a"]),
            node("Add", ["a", "x"], ["b"]),
            node("Add", ["b", "f"], ["n"]),
            node("Relu", ["n"], ["kept"]),
        ],
        [info("i", [1] * rank, INT64), info("c", [], BOOL), info("s")],
        [info("c", [], BOOL), info("n"), info("kept")],
    )
    nodes = [
        constant("m", trips, "i8"),
        constant("go", True, "?"),
        node("Loop", ["m", "go", "x"], ["y", "all"], body=turn),
    ]
    return model(nodes, [info("y", [3, 4]), info("all", [trips, 3, 4])], opset=opset)


@pytest.mark.parametrize(("opset", "rank"), [(9, 0), (9, 1), (11, 0), (13, 0), (21, 1)])
def test_loop_with_a_constant_number_of_steps(opset: int, rank: int):
    same(counted(opset, rank), 20)


def test_loop_that_its_condition_ends():
    """While i < 4, with a condition that is computed from the step's number."""
    turn = body(
        [
            constant("three", 3, "i8"),
            node("Less", ["i", "three"], ["go"]),
            node("Add", ["s", "x"], ["n"]),
        ],
        [info("i", [], INT64), info("c", [], BOOL), info("s")],
        [info("go", [], BOOL), info("n")],
    )
    for limit in ([constant("m", 2**63 - 1, "i8")], []):
        loop = node("Loop", ["m" if limit else "", "", "x"], ["y"], body=turn)
        loaded = same(model([*limit, loop], [info("y", [3, 4])]))
        assert loaded.operators == (("Add", 4), ("Identity", 1))


def test_a_loop_that_never_runs_gives_its_states_back():
    never = counted(trips=0)
    never.graph.node[-1].output[1] = ""
    never.graph.node.append(node("Relu", ["y"], ["z"]))
    del never.graph.output[:]
    never.graph.output.append(info("z", [3, 4]))
    loaded = parse_untrusted(never.SerializeToString())
    assert loaded.operators == (("Relu", 1),)
    x = np.arange(-6, 6, dtype="f4").reshape(3, 4)
    assert (Session(loaded).run({"x": x})["z"] == np.maximum(x, 0)).all()


def scan(**attributes: Any) -> ModelProto:
    """Running sums along one axis of x, and the sums so far turned about."""
    turn = body(
        [node("Add", ["s", "r"], ["n"]), node("Mul", ["n", "t"], ["o"])],
        [info("s"), info("r"), info("t")],
        [info("n"), info("o")],
    )
    nodes = [
        constant("zero", np.zeros(4)),
        constant("other", np.arange(12).reshape(3, 4)),
        node("Scan", ["zero", "x", "other"], ["last", "y"], body=turn, num_scan_inputs=2),
    ]
    nodes[-1].attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
    return model(nodes, [info("last"), info("y")])


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"scan_input_directions": [1, 0]},
        {"scan_input_directions": [1, 1], "scan_output_directions": [1]},
        {"scan_output_axes": [1]},
        {"scan_output_axes": [-1], "scan_input_axes": [-2, 0]},
    ],
)
def test_scan(attributes: dict[str, Any]):
    same(scan(**attributes), 6)


def test_scan_along_another_axis():
    made = scan(scan_input_axes=[1, -1])
    made.graph.node[0].CopyFrom(constant("zero", np.zeros(3)))
    same(made, 8)


@pytest.mark.parametrize("backwards", [0, 1])
def test_scan_of_opset_8_has_samples(backwards: int):
    turn = body(
        [node("Add", ["s", "r"], ["n"]), node("Relu", ["n"], ["o"])],
        [info("s", [4]), info("r", [4])],
        [info("n", [4]), info("o", [4])],
    )
    scanned = node(
        "Scan",
        ["", "zero", "x"],
        ["last", "y"],
        body=turn,
        num_scan_inputs=1,
        directions=[backwards],
    )
    nodes = [constant("zero", np.ones((2, 4))), scanned]
    outputs = [info("last", [2, 4]), info("y", [2, 3, 4])]
    same(model(nodes, outputs, x=(2, 3, 4), opset=8), 12)


def test_graphs_within_graphs_read_names_around_them():
    inner = body(
        [node("Add", ["u", "r"], ["v"]), node("Add", ["v", "s"], ["w"])],
        [info("i2", [], INT64), info("c2", [], BOOL), info("u", [4])],
        [info("c2", [], BOOL), info("w", [4])],
    )
    taken = body([node("Mul", ["p", "r"], ["q"])], [], [info("q")])
    other = body([node("Identity", ["p"], ["q2"])], [], [info("q2")])
    turn = body(
        [
            constant("two", 2, "i8"),
            constant("yes", True, "?"),
            node("Loop", ["two", "yes", "s"], ["p"], body=inner),
            node("If", ["yes"], ["n"], then_branch=taken, else_branch=other),
        ],
        [info("s", [4]), info("r", [4])],
        [info("n", [4]), info("p", [4])],
    )
    nodes = [
        constant("start", np.ones(4)),
        node("Scan", ["start", "x"], ["last", "y"], body=turn, num_scan_inputs=1),
    ]
    same(model(nodes, [info("last", [4]), info("y", [3, 4])]), 15)


def test_what_is_taken_of_a_constant_again_and_again_is_kept_once():
    inner = body([node("Add", ["u", "k"], ["v"])], [info("u"), info("k")], [info("v")])
    turn = body(
        [node("Scan", ["s", "table"], ["n"], body=inner, num_scan_inputs=1)],
        [info("i", [], INT64), info("c", [], BOOL), info("s", [3, 4])],
        [info("c", [], BOOL), info("n", [3, 4])],
    )
    nodes = [
        constant("table", np.arange(60).reshape(5, 3, 4)),
        constant("m", 7, "i8"),
        node("Loop", ["m", "", "x"], ["y"], body=turn),
    ]
    inner.output[0].CopyFrom(info("v", [3, 4]))
    assert same(model(nodes, [info("y", [3, 4])]), 35).parameters == 60
