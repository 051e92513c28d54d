"""Every way in which a model file is refused before its shapes are looked at."""

import os
from pathlib import Path

import hostile as h
import numpy as np
import pytest
from onnx import TensorProto, defs, helper, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Axes, OpenAxis
from inferproof.models.limits import NEWEST_OPSET, NEWEST_READ, Limits
from inferproof.models.operators import ACCEPTED
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects


def parse(made, limits: Limits = Limits(), folder: Path | None = None, axes: Axes = Axes()):
    data = made if isinstance(made, bytes) else made.SerializeToString()
    return parse_untrusted(data, limits, folder, axes)


def test_sound_model_is_loaded():
    loaded = parse(h.dense())
    assert loaded.operators == (("Add", 1), ("MatMul", 1), ("Relu", 1))
    assert loaded.parameters == 15
    assert loaded.open_axes == (OpenAxis("x", 0, "N", 1),)
    assert loaded.inputs[0].shape == (1, 4)
    assert loaded.outputs[0].shape == (1, 3)


# -- bytes ---------------------------------------------------------------------------------


def test_too_large():
    data = h.dense().SerializeToString()
    with rejects(Reason.MODEL_TOO_LARGE, f"the model file is {len(data)} bytes, the limit is 100"):
        parse(data, Limits(file_bytes=100))
    parse(data, Limits(file_bytes=len(data)))


def test_truncated():
    with rejects(
        Reason.MODEL_MALFORMED,
        "the file is not a whole ONNX model: it is cut short, or a length points beyond its end",
    ):
        parse(h.dense().SerializeToString()[:-3])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it holds no graph"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a number is longer than ten bytes"),
        (b"\x00\x01", "a field has no valid number"),
        (b"\x3b", "a field has an encoding that ONNX does not use"),
        (h.field(7, h.field(2, b"\xff\xfe")), "a string is not UTF-8 text"),
        (b"hello, world\n", "a field has an encoding that ONNX does not use"),
    ],
)
def test_malformed(data: bytes, why: str):
    with rejects(Reason.MODEL_MALFORMED, f"the file is not a whole ONNX model: {why}"):
        parse(data)


def test_length_beyond_its_message():
    # A graph of 3 bytes in which a node claims 2^40 bytes.
    with rejects(
        Reason.MODEL_MALFORMED,
        "the file is not a whole ONNX model: it is cut short, or a length points beyond its end",
    ):
        parse(h.field(7, b"\x0a" + h.varint(2**40)))


def test_nested_too_deep():
    with rejects(Reason.MODEL_NESTED_TOO_DEEP, "the model nests messages more than 32 levels deep"):
        parse(h.with_attribute_graphs(20))


def test_type_nested_a_million_deep():
    body = b""
    for _ in range(2000):
        body = h.field(4, h.field(1, body))
    with rejects(Reason.MODEL_NESTED_TOO_DEEP, "the model nests messages more than 32 levels deep"):
        parse(h.field(7, h.field(11, h.field(2, body))))


def test_ten_million_empty_nodes():
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 20000 nodes"):
        parse(h.field(7, b"\x0a\x00" * 10_000_000))


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(nodes=2), "2 nodes"),
        (Limits(tensors=1), "1 tensors"),
        (Limits(fields=9), "9 fields"),
    ],
)
def test_too_many(limits: Limits, what: str):
    with rejects(Reason.MODEL_TOO_MANY, f"the model holds more than {what}"):
        parse(h.dense(), limits)


def test_too_many_inputs_of_one_node():
    made = h.model([h.node("Sum", ["x"] * 5, ["y"])])
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 4 inputs of one node"):
        parse(made, Limits(node_arguments=4))
    parse(made, Limits(node_arguments=5))


def test_too_many_attributes():
    made = h.model([h.node("LeakyRelu", ["x"], ["y"], alpha=0.1)])
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 0 attributes of one node"):
        parse(made, Limits(node_attributes=0))


def test_name_too_long():
    made = h.model([h.relu("x", "y" * 1025)])
    with rejects(
        Reason.MODEL_NAME_TOO_LONG, "a name in the model is 1025 bytes long, the limit is 1024"
    ):
        parse(made)


def test_long_documentation_is_no_name():
    made = h.dense()
    made.doc_string = "d" * 100_000
    parse(made)


# -- what a model may be made of -------------------------------------------------------------


@pytest.mark.parametrize("opset", [5, 29])
def test_opset(opset: int):
    with rejects(
        Reason.MODEL_OPSET_UNSUPPORTED,
        f"the model is written for ONNX opset {opset}; opsets 6 to 28 are supported, "
        "onnx.version_converter brings it there",
    ):
        parse(h.model([h.relu()], opset=opset))


@pytest.mark.parametrize("opset", [9, 13, 17, 21, 26, 28])
def test_supported_opset(opset: int):
    assert parse(h.model([h.relu()], opset=opset)).opset == min(opset, 26)


def test_the_newest_operators_are_refused_and_so_are_their_new_attributes():
    with rejects(Reason.MODEL_UNKNOWN_OPERATOR, "ONNX opset 26 has no operator 'SwiGLU'"):
        parse(h.model([h.node("SwiGLU", ["x"], ["y"])], opset=28))
    columns = h.node("SpaceToDepth", ["x"], ["y"], blocksize=2, mode="CRD")
    with rejects(
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'SpaceToDepth': Unrecognized attribute: mode for "
        "operator SpaceToDepth",
    ):
        parse(h.model([columns], inputs=[h.info("x", [1, 1, 4, 4])], opset=28))


def test_operators_only_gained_types_and_attributes_since_the_newest_opset_that_runs():
    """Why NEWEST_READ may be read as NEWEST_OPSET; look at the texts when this number grows."""
    assert defs.onnx_opset_version() == NEWEST_READ == 28
    for name in ACCEPTED:
        new, old = (defs.get_schema(name, opset, "") for opset in (NEWEST_READ, NEWEST_OPSET))
        for attribute, told in old.attributes.items():
            assert new.attributes[attribute].default_value == told.default_value, name
        for more in set(new.attributes) - set(old.attributes):
            assert not new.attributes[more].required, name
        assert [item.name for item in new.inputs] == [item.name for item in old.inputs], name


@pytest.mark.parametrize("opset", [6, 7, 8])
def test_an_old_opset_is_converted(opset: int):
    assert parse(h.model([h.relu()], opset=opset)).opset == 13


def old(nodes, constant):
    """A model of opset 6 with input x of 1 × 3 × 3 × 3 and one constant b."""
    shape = [1, 3, 3, 3]
    graph = helper.make_graph(
        nodes,
        "old",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(constant.astype(np.float32), "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 6)], ir_version=3)


def test_an_alignment_that_the_converter_forgets():
    channels = np.arange(3)
    for node, why in [
        (
            helper.make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=1),
            "Add aligns its second input by an axis",
        ),
        (
            helper.make_node("PRelu", ["x", "b"], ["y"]),
            "PRelu aligns its slopes with the channels",
        ),
    ]:
        with rejects(
            Reason.MODEL_OPSET_NOT_CONVERTED,
            f"the model is written for ONNX opset 6 and cannot be brought to opset 13: {why}",
        ):
            parse(old([node], channels))
    parse(old([helper.make_node("Add", ["x", "b"], ["y"], broadcast=1)], channels))
    parse(old([helper.make_node("PRelu", ["x", "b"], ["y"])], channels[:1]))


def test_what_the_converter_itself_refuses():
    training = helper.make_node("Dropout", ["x"], ["y"], is_test=0)
    with pytest.raises(ModelRejected) as refused:
        parse(old([training], np.zeros(1)))
    assert refused.value.reason is Reason.MODEL_OPSET_NOT_CONVERTED
    assert "Attribute is_test must not have value 0" in refused.value.message


def test_an_opset_named_twice_alike():
    made = h.model([h.relu()])
    made.opset_import.extend([helper.make_opsetid(domain, 17) for domain in ("", "ai.onnx")])
    assert parse(made).opset == 17


def test_two_opsets():
    made = h.model([h.relu()])
    made.opset_import.append(helper.make_opsetid("ai.onnx", 13))
    with rejects(
        Reason.MODEL_MALFORMED,
        "the file is not a whole ONNX model: it does not name one version of the ONNX operators",
    ):
        parse(made)


def test_no_opset():
    made = h.model([h.relu()])
    made.opset_import[0].domain = "com.example"
    with rejects(
        Reason.MODEL_MALFORMED,
        "the file is not a whole ONNX model: it does not name one version of the ONNX operators",
    ):
        parse(made)


def test_unknown_domain():
    made = h.model([h.node("Gelu", ["x"], ["y"], domain="com.example")])
    with rejects(
        Reason.MODEL_UNKNOWN_DOMAIN,
        "operator 'Gelu' is of the domain 'com.example', which is not accepted; replace it by "
        "standard operators when exporting",
    ):
        parse(made)


def test_unused_domain_is_dropped():
    made = h.model([h.relu()])
    made.opset_import.append(helper.make_opsetid("com.example", 3))
    assert parse(made) == parse(h.model([h.relu()]))


def test_unknown_operator():
    with rejects(Reason.MODEL_UNKNOWN_OPERATOR, "ONNX opset 17 has no operator 'Frobnicate'"):
        parse(h.model([h.node("Frobnicate", ["x"], ["y"])]))


def test_operator_of_a_later_opset():
    with rejects(Reason.MODEL_UNKNOWN_OPERATOR, "ONNX opset 17 has no operator 'Gelu'"):
        parse(h.model([h.node("Gelu", ["x"], ["y"])]))
    parse(h.model([h.node("Gelu", ["x"], ["y"])], opset=20))


@pytest.mark.parametrize(
    ("op", "why"),
    [
        ("SequenceMap", "it works on sequences; export it as a Loop or Scan over a tensor"),
        (
            "NonZero",
            "the size of its result would depend on the input; do this step outside of the model, "
            "or keep the size and mask with Where",
        ),
        (
            "RandomNormalLike",
            "its result is random; export the model for inference, or make the numbers an input",
        ),
        (
            "NonMaxSuppression",
            "the size of its result would depend on the input; end the model in the boxes and "
            "their scores, and suppress outside of it",
        ),
        (
            "Optional",
            "it makes or takes optional values; export the model with the value there, or without "
            "it",
        ),
        ("StringNormalizer", "it works on text or files; do this step outside of the model"),
        ("SoftmaxCrossEntropyLoss", "it is for training; export the model for inference"),
        (
            "RoiAlign",
            "which elements it reads would depend on the input; cut the regions outside of the "
            "model and prove the part behind them",
        ),
    ],
)
def test_operator_refused(op: str, why: str):
    message = f"operator '{op}' of node 'y' is not accepted: {why}"
    with rejects(Reason.MODEL_OPERATOR_REFUSED, message):
        parse(h.model([h.node(op, ["x"], ["y"])]))
    with rejects(Reason.MODEL_OPERATOR_REFUSED, message.replace("'y'", "'block/1'")):
        parse(h.model([h.node(op, ["x"], ["y"], name="block/1")]))


def test_dropout_in_training():
    true = h.weight("yes", True, "?")
    made = h.model([h.node("Dropout", ["x", "", "yes"], ["y"])], [true])
    with rejects(
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'Dropout' of node 'y' is not accepted: in training its result is random; "
        "export the model for inference",
    ):
        parse(made)
    made.graph.initializer[0].raw_data = b"\0"
    parse(made)


def test_training_info():
    made = h.dense()
    made.training_info.add()
    with rejects(
        Reason.MODEL_HAS_TRAINING_INFO,
        "the model carries training steps; export it for inference only",
    ):
        parse(made)


def test_subgraph_in_a_plain_operator():
    made = h.model([h.relu()])
    made.graph.node[0].attribute.append(helper.make_attribute("body", made.graph))
    with rejects(
        Reason.MODEL_HAS_SUBGRAPH,
        "operator 'Relu' carries a graph of its own; only flat graphs are accepted",
    ):
        parse(made)


def test_sparse_initializer():
    made = h.dense()
    made.graph.sparse_initializer.add().values.name = "s"
    with rejects(Reason.MODEL_SPARSE_TENSOR, "tensor 's' is stored sparse; store it dense"):
        parse(made)


def test_string_input():
    made = h.model(
        [h.node("Identity", ["x"], ["y"])], inputs=[h.info("x", [1], TensorProto.STRING)]
    )
    with rejects(
        Reason.MODEL_TEXT_REFUSED,
        "operator 'Identity', which makes 'y', answers with what is done to texts before the "
        "model; there is nothing to prove in it; leave this output out",
    ):
        parse(made)


def test_string_constant():
    unused = h.model([h.node("Constant", [], ["t"], value_string="s"), h.relu()])
    assert parse(unused).nodes == 1
    said = [h.node("Constant", [], ["t"], value_string="s"), h.node("Identity", ["t"], ["u"])]
    made = h.model([*said, h.relu()])
    with rejects(
        Reason.MODEL_STRING_TENSOR,
        "tensor 't' holds strings; turn text into numbers before the model",
    ):
        parse(made)


def test_element_type():
    made = h.model([h.relu()], inputs=[h.info("x", [1], TensorProto.COMPLEX64)])
    with rejects(
        Reason.MODEL_DTYPE_UNSUPPORTED,
        "tensor 'x' has the element type COMPLEX64; accepted are floats of 16, 32 and 64 bits, "
        "whole numbers of 8 to 64 bits and booleans, and such of 4 bits where DequantizeLinear "
        "reads them",
    ):
        parse(made)


def test_input_that_is_a_sequence():
    made = h.model([h.relu()])
    made.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", 1, [1]))
    with rejects(Reason.MODEL_NOT_A_TENSOR, "'x' is not declared as a tensor with a shape"):
        parse(made)


def test_open_axes_need_a_size():
    made = h.model(
        [h.node("Concat", ["x", "z"], ["y"], axis=3)],
        inputs=[h.info("x", ["N", 3, "a + 1", None]), h.info("z", ["N", 3, "a + 1", "N"])],
    )
    with rejects(
        Reason.MODEL_DYNAMIC_DIM,
        "the model leaves axes open: 'N' (dimension 0 of 'x', dimension 0 of 'z', dimension 3 of "
        "'z'), 'a + 1' (dimension 2 of 'x', dimension 2 of 'z'), 'x.3' (dimension 3 of 'x'); give "
        "each a size: --shape N=SIZE --shape 'a + 1=SIZE' --shape x.3=SIZE",
    ):
        parse(made)
    loaded = parse(made, axes=Axes(named={"N": 2, "a + 1": 5, "x.3": 4}))
    assert [spec.shape for spec in loaded.inputs] == [(2, 3, 5, 4), (2, 3, 5, 2)]
    assert loaded.outputs[0].shape == (2, 3, 5, 6)
    assert loaded.open_axes[:2] == (OpenAxis("x", 0, "N", 2), OpenAxis("x", 2, "a + 1", 5))


def test_batch():
    assert parse(h.dense(), axes=Axes(batch=8)).outputs[0].shape == (8, 3)
    assert parse(h.dense(), axes=Axes(named={"N": 4})).outputs[0].shape == (4, 3)


@pytest.mark.parametrize(
    ("made", "axes", "name", "known"),
    [
        (h.dense(), Axes(named={"tokens": 4}), "tokens", "'N'"),
        (h.dense(), Axes(2, {"N": 4}), "batch", "'N'"),
        (h.model([h.relu()]), Axes(2), "batch", "none"),
    ],
)
def test_sizes_for_axes_that_are_not_open(made, axes: Axes, name: str, known: str):
    with rejects(
        Reason.MODEL_AXIS_UNKNOWN,
        f"the model leaves no axis '{name}' open; its open axes are: {known}",
    ):
        parse(made, axes=axes)


def test_a_size_beyond_the_limits():
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        "tensor 'x' would hold 4000000000 elements, the limit is 67108864",
    ):
        parse(h.dense(), axes=Axes(10**9))


def test_stored_tensors_that_nothing_uses_are_not_looked_at():
    made = h.dense()
    made.graph.initializer.add(name="text", data_type=TensorProto.STRING, dims=[-1])
    assert parse(made) == parse(h.dense())
    made.graph.node[0].input[1] = "text"
    with rejects(
        Reason.MODEL_STRING_TENSOR,
        "tensor 'text' holds strings; turn text into numbers before the model",
    ):
        parse(made)


def test_no_input():
    made = h.model([h.node("Constant", [], ["y"], value_float=1.0)], inputs=[])
    with rejects(
        Reason.MODEL_NO_INPUT,
        "the graph has no input, so that its output is always the same; export it with the values "
        "that vary as inputs",
    ):
        parse(made)


def test_no_output():
    with rejects(Reason.MODEL_NO_OUTPUT, "the graph has no output"):
        parse(h.model([h.relu()], outputs=[]))


@pytest.mark.parametrize("source", ["x", "k"])
def test_output_not_computed(source: str):
    made = h.model([h.relu()], [h.weight("k", [1.0])], outputs=[h.undeclared(source)])
    with rejects(
        Reason.MODEL_OUTPUT_NOT_COMPUTED, f"output '{source}' does not depend on any input"
    ):
        parse(made)


def test_text_attribute_of_other_bytes():
    made = h.model([h.node("Gelu", ["x"], ["y"], approximate=b"t\xe4nh")], opset=20)
    with rejects(
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Gelu': a text attribute is not plain ASCII",
    ):
        parse(made)


# -- names and order ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (h.model([h.relu("x", "t"), h.relu("x", "t"), h.relu("t")]), "t"),
        (h.model([h.relu("x", "x")]), "x"),
        (h.model([h.relu()], inputs=[h.info("x", [1]), h.info("x", [1])]), "x"),
        (h.model([h.relu()], outputs=[h.info("y", [1, 4]), h.info("y", [1, 4])]), "y"),
        (h.model([h.relu()], [h.weight("w", [1.0]), h.weight("w", [1.0])]), "w"),
    ],
    ids=["nodes", "input-and-node", "inputs", "outputs", "weights"],
)
def test_duplicate_name(made, name: str):
    with rejects(Reason.MODEL_DUPLICATE_NAME, f"the name '{name}' is defined twice"):
        parse(made)


def test_attribute_given_twice():
    made = h.model([h.node("LeakyRelu", ["x"], ["y"], alpha=0.1)])
    made.graph.node[0].attribute.append(made.graph.node[0].attribute[0])
    with rejects(Reason.MODEL_DUPLICATE_NAME, "the name 'alpha' is defined twice"):
        parse(made)


def test_undefined_name():
    with rejects(Reason.MODEL_UNDEFINED_NAME, "the graph uses 'ghost', which nothing defines"):
        parse(h.model([h.node("Add", ["x", "ghost"], ["y"])]))


def test_cycle():
    made = h.model([h.node("Add", ["x", "b"], ["a"]), h.relu("a", "b"), h.relu("b")])
    with rejects(Reason.MODEL_CYCLE, "the graph runs in a circle through operator 'Add'"):
        parse(made)


def test_unprintable_names_are_escaped():
    with rejects(
        Reason.MODEL_UNDEFINED_NAME, "the graph uses 'a\\x1b[2J\\nb', which nothing defines"
    ):
        parse(h.model([h.relu("a\x1b[2J\nb")]))


# -- stored values -----------------------------------------------------------------------


def test_weight_not_a_number():
    made = h.model([h.node("Add", ["x", "w"], ["y"])], [h.weight("w", [0, np.nan, 0, 0])])
    with rejects(
        Reason.MODEL_NOT_FINITE,
        "tensor 'w' holds NaN; what is proven is finite: store a number instead, and leave out the "
        "step that fills in missing values, which no input has",
    ):
        parse(made)
    # Masks are infinite.
    for bound in (np.inf, -np.inf):
        parse(h.model([h.node("Add", ["x", "w"], ["y"])], [h.weight("w", [0, bound, 0, 0])]))


def test_attribute_not_finite():
    made = h.model([h.node("LeakyRelu", ["x"], ["y"], alpha=float("nan"))])
    with rejects(
        Reason.MODEL_NOT_FINITE,
        "attribute 'alpha' of operator 'LeakyRelu' holds NaN or an infinity; what is proven is "
        "finite: store a number instead, and leave out the step that fills in missing values, "
        "which no input has",
    ):
        parse(made)


def test_fill_value_not_finite():
    fill = helper.make_tensor("value", h.FLOAT, [1], [float("nan")])
    made = h.model(
        [h.node("ConstantOfShape", ["s"], ["c"], value=fill), h.node("Add", ["x", "c"], ["y"])],
        [h.weight("s", [4], "i8")],
    )
    with rejects(
        Reason.MODEL_NOT_FINITE,
        "tensor 'value' holds NaN; what is proven is finite: store a number instead, and leave out "
        "the step that fills in missing values, which no input has",
    ):
        parse(made)


def test_attribute_too_long():
    made = h.model([h.node("Transpose", ["x"], ["y"], perm=list(range(70_000)))])
    with rejects(
        Reason.MODEL_ATTRIBUTE_TOO_LONG,
        "attribute 'perm' of operator 'Transpose' holds 560000 bytes, the limit is 524288",
    ):
        parse(made)


def test_ensembles_of_trees_have_long_attributes_and_not_endless_ones():
    made = h.model([h.node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", scale=[1.0] * 200_000)])
    with rejects(
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Scaler': it needs offset and scale",
    ):
        parse(made)
    with rejects(
        Reason.MODEL_ATTRIBUTE_TOO_LONG,
        "attribute 'scale' of operator 'Scaler' holds 800000 bytes, the limit is 799999",
    ):
        parse(made, limits=Limits(ensemble_bytes=799_999))


def test_claimed_terabytes():
    made = h.dense()
    del made.graph.initializer[0].dims[:]
    made.graph.initializer[0].dims.extend([2**20, 2**20])
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        "tensor 'w' would hold 1099511627776 elements, the limit is 67108864",
    ):
        parse(made)


def test_negative_size():
    made = h.dense()
    made.graph.initializer[0].dims[0] = -4
    with rejects(
        Reason.MODEL_BAD_SHAPE, "tensor 'w' has the shape [-4, 3]; sizes must be positive"
    ):
        parse(made)


def test_rank():
    made = h.model([h.relu()], inputs=[h.info("x", [1] * 9)])
    with rejects(Reason.MODEL_RANK_TOO_HIGH, "tensor 'x' has 9 dimensions, the limit is 8"):
        parse(made)


def test_weights_together():
    with rejects(
        Reason.MODEL_WEIGHTS_TOO_LARGE, "the model's weights take 60 bytes, the limit is 59"
    ):
        parse(h.dense(), Limits(weight_bytes=59))
    parse(h.dense(), Limits(weight_bytes=60))


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda t: setattr(t, "raw_data", t.raw_data[:-4]), "11"),
        (lambda t: setattr(t, "raw_data", t.raw_data[:-2]), "11.5"),
        (lambda t: t.float_data.append(1.0), "other or several types of"),
        (lambda t: t.ClearField("raw_data"), "0"),
        (lambda t: t.segment.CopyFrom(TensorProto.Segment(begin=0, end=1)), "part of its"),
    ],
    ids=["short", "half", "two-kinds", "none", "segment"],
)
def test_tensor_data_mismatch(change, got: str):
    made = h.dense()
    change(made.graph.initializer[0])
    with rejects(
        Reason.MODEL_TENSOR_DATA_MISMATCH,
        f"tensor 'w' has the shape [4, 3], but its data is for {got} elements",
    ):
        parse(made)


def test_number_beyond_its_type():
    made = h.model(
        [h.node("Expand", ["x", "k"], ["y"])], [helper.make_tensor("k", TensorProto.INT8, [1], [5])]
    )
    made.graph.initializer[0].ClearField("raw_data")
    del made.graph.initializer[0].int32_data[:]
    made.graph.initializer[0].int32_data.append(300)
    with rejects(
        Reason.MODEL_TENSOR_DATA_MISMATCH,
        "tensor 'k' has the shape [1], but its data is for out-of-range elements",
    ):
        parse(made)


# -- external data -----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with 48 bytes of weights, a link out of it, and a pipe."""
    inside = tmp_path / "model"
    (inside / "deep").mkdir(parents=True)
    raw = h.dense().graph.initializer[0].raw_data
    (inside / "w.bin").write_bytes(raw)
    (inside / "deep" / "w.bin").write_bytes(b"12345678" + raw)
    (tmp_path / "secret.bin").write_bytes(raw)
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "out").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe")
    return inside


@pytest.mark.parametrize(
    ("location", "offset", "length"),
    [("w.bin", None, None), ("./w.bin", "0", "48"), ("deep/w.bin", "8", "48")],
)
def test_external_data_is_built_in(folder: Path, location, offset, length):
    assert parse(h.external(location, offset, length), folder=folder) == parse(h.dense())


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin",
        "deep/../../secret.bin",
        "/etc/passwd",
        "C:\\secret.bin",
        "..\\secret.bin",
        "link.bin",
        "out/secret.bin",
        "deep",
        "pipe",
        "",
    ],
)
def test_external_data_escapes(folder: Path, location: str):
    with rejects(
        Reason.MODEL_EXTERNAL_DATA_ESCAPES,
        f"tensor 'w' keeps its data at '{location}'; external data must be a plain file below "
        "the model's own folder",
    ):
        parse(h.external(location), folder=folder)


def test_external_data_without_a_folder():
    with rejects(
        Reason.MODEL_EXTERNAL_DATA_ESCAPES,
        "tensor 'w' keeps its data at 'w.bin'; external data must be a plain file below the "
        "model's own folder",
    ):
        parse(h.external("w.bin"))


def test_external_data_missing(folder: Path):
    with rejects(
        Reason.MODEL_EXTERNAL_DATA_MISSING,
        "tensor 'w' keeps its data in 'other.bin', which is not there",
    ):
        parse(h.external("other.bin"), folder=folder)


@pytest.mark.parametrize(
    ("offset", "length", "why"),
    [
        ("8", None, "it reaches beyond the end of its file"),
        ("-1", None, "its offset is not a whole number"),
        ("99999999999999999999", None, "its offset is not a whole number"),
        (None, "47", "its length is 47 bytes, its shape needs 48"),
        (None, "x", "its length is not a whole number"),
    ],
)
def test_external_data_malformed(folder: Path, offset, length, why: str):
    with rejects(
        Reason.MODEL_EXTERNAL_DATA_MALFORMED,
        f"the external data of tensor 'w' is malformed: {why}",
    ):
        parse(h.external("w.bin", offset, length), folder=folder)


def test_external_data_key_twice(folder: Path):
    made = h.external("w.bin")
    made.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    with rejects(
        Reason.MODEL_EXTERNAL_DATA_MALFORMED,
        "the external data of tensor 'w' is malformed: 'location' is given twice",
    ):
        parse(made, folder=folder)


def test_external_data_too_large(folder: Path):
    with rejects(
        Reason.MODEL_EXTERNAL_DATA_TOO_LARGE,
        "the model's external data takes 48 bytes, the limit is 47",
    ):
        parse(h.external("w.bin"), Limits(external_bytes=47), folder)
