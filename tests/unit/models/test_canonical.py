"""The canonical form: what changes it, and what does not."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from inferproof.inference.session import Session
from inferproof.models.loaded import LoadedModel
from inferproof.models.parse import parse_untrusted


def build() -> ModelProto:
    """A two-layer model with a Constant node, a Shape chain and an attribute."""
    weights = {
        "layer1.weight": (np.arange(30) % 7 - 3).reshape(6, 5) / 4,
        "layer1.bias": np.arange(5) / 8,
        "layer2.weight": (np.arange(10) % 3 - 1).reshape(5, 2) / 2,
    }
    last = numpy_helper.from_array(np.array([-1], dtype="i8"))
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], name="s"),
        helper.make_node("Constant", [], ["zero"], value_ints=[0]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Constant", [], ["rest"], value=last),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("MatMul", ["flat", "layer1.weight"], ["a"], name="/layer1/MatMul"),
        helper.make_node("Add", ["a", "layer1.bias"], ["b"], doc_string="where it came from"),
        helper.make_node("LeakyRelu", ["b"], ["c"], alpha=0.25),
        helper.make_node("MatMul", ["c", "layer2.weight"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(v.astype("f4"), k) for k, v in weights.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="pytorch"
    )


def load(model: ModelProto) -> LoadedModel:
    return parse_untrusted(model.SerializeToString())


@pytest.fixture
def reference() -> LoadedModel:
    return load(build())


def test_shape_arithmetic_and_constants_are_evaluated(reference: LoadedModel):
    assert dict(reference.operators) == {"Reshape": 1, "MatMul": 2, "Add": 1, "LeakyRelu": 1}
    assert [spec.shape for spec in reference.values] == [(1, 6), (1, 5), (1, 5), (1, 5), (1, 2)]
    assert reference.nodes == 5
    assert reference.parameters == 6 * 5 + 5 + 5 * 2 + 2


def test_canonical_file_is_valid_and_gives_itself(reference: LoadedModel):
    onnx.checker.check_model(ModelProto.FromString(reference.onnx), full_check=True)
    again = parse_untrusted(reference.onnx)
    assert again.onnx == reference.onnx
    assert again.graph_digest == reference.graph_digest
    assert again.weights_digest == reference.weights_digest


def test_canonical_file_computes_what_the_file_computes(reference: LoadedModel):
    import onnxruntime

    x = np.random.default_rng(0).normal(size=(1, 2, 3)).astype("f4")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    made = build()
    made.ir_version = 8
    whole = onnxruntime.InferenceSession(made.SerializeToString(), options)
    np.testing.assert_array_equal(
        Session(reference).run({"x": x})["scores"], whole.run(None, {"x": x})[0]
    )


def rename(model: ModelProto) -> None:
    for node in model.graph.node:
        node.name = "n" + node.name
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = name if name in ("x", "scores") else f"renamed/{name}"
    for tensor in model.graph.initializer:
        tensor.name = f"renamed/{tensor.name}"


def shuffle(model: ModelProto) -> None:
    nodes = list(model.graph.node)
    del model.graph.node[:]
    # Constants and the second half first: still a graph that can run in some order.
    model.graph.node.extend(reversed(nodes))
    weights = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(reversed(weights))


def typed_data(model: ModelProto) -> None:
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).reshape(-1).tolist()
        tensor.ClearField("raw_data")
        tensor.float_data.extend(values)


def weights_as_inputs(model: ModelProto) -> None:
    # How files of IR version 3 declare their weights.
    for tensor in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )


def words(model: ModelProto) -> None:
    model.producer_name, model.producer_version, model.doc_string = "other", "2", "a description"
    model.model_version = 9
    model.graph.name, model.graph.doc_string = "g2", "text"
    model.metadata_props.add(key="author", value="someone")
    model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [None]))
    model.graph.node[0].doc_string = "text"


def dead_parts(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["b"], ["unused"]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, "f4"), "unused.weight"))


def fixed_batch(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "anything"


@pytest.mark.parametrize(
    "change",
    [rename, shuffle, typed_data, weights_as_inputs, words, dead_parts, fixed_batch],
    ids=lambda change: change.__name__,
)
def test_what_does_not_matter_changes_nothing(reference: LoadedModel, change):
    model = build()
    change(model)
    changed = load(model)
    assert changed.onnx == reference.onnx
    assert changed.graph_digest == reference.graph_digest
    assert changed.weights_digest == reference.weights_digest


def test_every_bit_of_a_weight_counts(reference: LoadedModel):
    digests = {reference.weights_digest}
    for position in range(20):
        for bit in (0, 5):
            model = build()
            tensor = model.graph.initializer[1]
            raw = bytearray(tensor.raw_data)
            raw[position] ^= 1 << bit
            tensor.raw_data = bytes(raw)
            changed = load(model)
            assert changed.graph_digest == reference.graph_digest
            digests.add(changed.weights_digest)
    assert len(digests) == 41


def swap_layers(model: ModelProto) -> None:
    model.graph.node[7].op_type = "Sub"


def alpha(model: ModelProto) -> None:
    model.graph.node[8].attribute[0].f = np.nextafter(np.float32(0.25), np.float32(1))


def output_name(model: ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[9].output[0] = "logits"


def input_name(model: ModelProto) -> None:
    model.graph.input[0].name = "pixels"
    model.graph.node[0].input[0] = model.graph.node[5].input[0] = "pixels"


def opset(model: ModelProto) -> None:
    model.opset_import[0].version = 18


def batch_of_two(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2


def another_output(model: ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, None))


def turned_weight(model: ModelProto) -> None:
    # The same bytes in another shape, and a node that turns them back.
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([5, 6])
    model.graph.node[6].input[1] = "turned"
    model.graph.node.append(helper.make_node("Transpose", ["layer1.weight"], ["turned"]))


@pytest.mark.parametrize(
    "change",
    [
        swap_layers,
        alpha,
        output_name,
        input_name,
        opset,
        batch_of_two,
        another_output,
        turned_weight,
    ],
    ids=lambda change: change.__name__,
)
def test_what_matters_changes_the_graph_digest(reference: LoadedModel, change):
    model = build()
    change(model)
    assert load(model).graph_digest != reference.graph_digest


def test_digests_are_those_written_down(reference: LoadedModel):
    # A change of the canonical form changes every model commitment: raise the tag's version.
    assert reference.graph_digest.hex == GRAPH
    assert reference.weights_digest.hex == WEIGHTS


GRAPH = "0x48a8591a7d32d5677c3cd07116d32455ee524d897c3b528c8524dece8f3175bc"
WEIGHTS = "0x67bebf850271e1d300b62a0e6d2540351bd2870e7aade468f2f86dd718979c93"


def test_interface_names_never_meet_given_names():
    node = helper.make_node("Add", ["w_0", "k"], ["t_1"])
    graph = helper.make_graph(
        [node, helper.make_node("Relu", ["t_1"], ["_w_5"])],
        "g",
        [helper.make_tensor_value_info("w_0", 1, [2])],
        [helper.make_tensor_value_info("_w_5", 1, [2])],
        [numpy_helper.from_array(np.ones(2, "f4"), "k")],
    )
    loaded = load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
    proto = ModelProto.FromString(loaded.onnx)
    names = [name for n in proto.graph.node for name in (*n.input, *n.output)]
    assert len(set(names)) == 4
    out = Session(loaded).run({"w_0": np.array([1, -3], "f4")})
    assert out["_w_5"].tolist() == [2.0, 0.0]
