"""Bombs and misfits: tensors that would grow beyond bounds, and shapes that cannot be."""

import hostile as h
import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from inferproof.errors import Reason
from inferproof.models.limits import Limits
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects

TERA = 2**20


def parse(made: ModelProto, limits: Limits = Limits()):
    return parse_untrusted(made.SerializeToString(), limits)


def grown(op: str, inputs: list[str], operand: list[float], dtype: str = "i8") -> ModelProto:
    """x goes into an operator that sizes its result by a constant k."""
    return h.model(
        [h.node(op, inputs, ["big"]), h.node("ReduceMax", ["big"], ["y"])],
        [h.weight("k", operand, dtype)],
        inputs=[h.info("x", [1, 1, 4, 4])],
    )


@pytest.mark.parametrize(
    ("made", "elements"),
    [
        (grown("Expand", ["x", "k"], [TERA, TERA, 4, 4]), 16 * TERA * TERA),
        (grown("Tile", ["x", "k"], [TERA, TERA, 1, 1]), 16 * TERA * TERA),
        (grown("Pad", ["x", "k"], [0, 0, 0, 0, 0, 0, 0, 2**30]), 4 * (2**30 + 4)),
        (grown("Resize", ["x", "", "k"], [1, 1, 1e6, 1e6], "f4"), 16 * 10**12),
    ],
    ids=["Expand", "Tile", "Pad", "Resize"],
)
def test_bomb(made: ModelProto, elements: int):
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        f"tensor 'big' would hold {elements} elements, the limit is 67108864",
    ):
        parse(made)


def test_constant_that_expands_to_terabytes():
    made = h.model(
        [h.node("ConstantOfShape", ["s"], ["big"]), h.node("Add", ["x", "big"], ["y"])],
        [h.weight("s", [TERA, TERA], "i8")],
    )
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        "tensor 'big' would hold 1099511627776 elements, the limit is 67108864",
    ):
        parse(made)


def test_range_bomb():
    numbers = [h.weight("a", 0, "i8"), h.weight("b", 2**31 - 1, "i8"), h.weight("c", 1, "i8")]
    made = h.model([h.node("Range", ["a", "b", "c"], ["big"]), h.relu()], numbers)
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        "tensor 'big' would hold 2147483647 elements, the limit is 67108864",
    ):
        parse(made)


def test_one_hot_bomb():
    made = h.model(
        [
            h.node("OneHot", ["x", "depth", "values"], ["big"]),
            h.node("ReduceMax", ["big"], ["y"]),
        ],
        [h.weight("depth", 2**30, "i8"), h.weight("values", [0.0, 1.0])],
        inputs=[h.info("x", [1], TensorProto.INT64)],
    )
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        "tensor 'big' would hold 1073741824 elements, the limit is 67108864",
    ):
        parse(made)


def test_broadcast_bomb():
    # Two columns of a million make a table of 10^12.
    made = h.model(
        [h.node("Add", ["x", "z"], ["big"]), h.node("ReduceMax", ["big"], ["y"])],
        inputs=[h.info("x", [TERA, 1]), h.info("z", [1, TERA])],
    )
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        "tensor 'big' would hold 1099511627776 elements, the limit is 67108864",
    ):
        parse(made)


def test_bomb_in_a_part_that_no_output_needs():
    made = h.dense()
    made.graph.node.append(h.node("ConstantOfShape", ["s"], ["unused"]))
    made.graph.initializer.append(h.weight("s", [TERA, TERA], "i8"))
    with rejects(
        Reason.MODEL_TENSOR_TOO_LARGE,
        "tensor 'unused' would hold 1099511627776 elements, the limit is 67108864",
    ):
        parse(made)


def test_size_that_would_wrap_around():
    # 4 × 2^62 is 0 in 64 bits: without a bound on the repeat the tensor would look empty.
    made = grown("Tile", ["x", "k"], [1, 1, 1, 2**62])
    with rejects(
        Reason.MODEL_SIZE_OPERAND,
        "operator 'Tile' is given the size 4611686018427387904, the limit is 2147483647",
    ):
        parse(made)


def test_attribute_that_would_wrap_around():
    made = h.model(
        [h.node("DepthToSpace", ["x"], ["y"], blocksize=2**33)], inputs=[h.info("x", [1, 4, 1, 1])]
    )
    with rejects(
        Reason.MODEL_SIZE_OPERAND,
        "operator 'DepthToSpace' is given the size 8589934592, the limit is 2147483647",
    ):
        parse(made)


def test_slice_to_the_end_is_no_size():
    bounds = [h.weight("a", [1], "i8"), h.weight("b", [2**63 - 1], "i8"), h.weight("c", [1], "i8")]
    loaded = parse(h.model([h.node("Slice", ["x", "a", "b", "c"], ["y"])], bounds))
    assert loaded.outputs[0].shape == (1, 3)


def test_activations_together():
    chain = [h.relu("x" if i == 0 else f"t{i}", f"t{i + 1}" if i < 9 else "y") for i in range(10)]
    with rejects(
        Reason.MODEL_ACTIVATIONS_TOO_LARGE,
        "one run of the model computes more than 39 intermediate elements",
    ):
        parse(h.model(chain), Limits(activation_elements=39))
    assert parse(h.model(chain), Limits(activation_elements=40)).activations == 40


def test_too_much_work():
    with rejects(
        Reason.MODEL_TOO_MUCH_WORK, "one run of the model takes more than 17 multiply-adds"
    ):
        parse(h.dense(), Limits(multiply_adds=17))
    # 4 × 3 for the product, 3 each for the sum and the relu.
    assert parse(h.dense(), Limits(multiply_adds=18)).multiply_adds == 18


@pytest.mark.parametrize(
    ("made", "op", "elements"),
    [
        (
            h.model(
                [h.node("Einsum", ["x", "b", "c"], ["y"], equation="a,b,c->")],
                [h.weight("b", np.ones(4096)), h.weight("c", np.ones(1))],
                inputs=[h.info("x", [2**20])],
            ),
            "Einsum",
            2**32,
        ),
        (
            h.model([h.node("LRN", ["x"], ["y"], size=2**30)], inputs=[h.info("x", [1, 4, 1, 1])]),
            "LRN",
            2**30 + 4,
        ),
        (
            h.model(
                [h.node("ConvTranspose", ["x", "w"], ["y"], strides=[1, 1])],
                [h.weight("w", np.ones((1, 1, 64, 64)))],
                inputs=[h.info("x", [1, 1, 256, 256])],
            ),
            "ConvTranspose",
            2**28,
        ),
    ],
    ids=["Einsum", "LRN", "ConvTranspose"],
)
def test_hidden_buffer(made: ModelProto, op: str, elements: int):
    with rejects(
        Reason.MODEL_SCRATCH_TOO_LARGE,
        f"operator '{op}' would need a buffer of {elements} elements, the limit is 67108864",
    ):
        parse(made)


def test_split_that_miscounts_its_outputs():
    # Without the check the onnx library writes beyond its own list and aborts.
    made = h.model([h.node("Split", ["x"], ["y", "z"], num_outputs=3, axis=1)], opset=18)
    with rejects(
        Reason.MODEL_SHAPES_DISAGREE,
        "the inputs of operator 'Split' of node 'y' do not fit together: "
        "it has 2 outputs, but says that it has 3",
    ):
        parse(made)
    made.graph.node[0].attribute[1].i = 2
    assert parse(made).values[1].shape == (1, 2)


def test_empty_value():
    bounds = [h.weight(n, [v], "i8") for n, v in (("a", 2), ("b", 2), ("c", 1))]
    made = h.model([h.node("Slice", ["x", "a", "b", "c"], ["y"])], bounds)
    with rejects(Reason.MODEL_BAD_SHAPE, "tensor 'y' has the shape [1, 0]; sizes must be positive"):
        parse(made)


def test_empty_matrix():
    made = h.model([h.node("Concat", ["x", "w"], ["y"], axis=0)], [h.weight("w", np.ones((0, 4)))])
    with rejects(Reason.MODEL_BAD_SHAPE, "tensor 'w' has the shape [0, 4]; sizes must be positive"):
        parse(made)


def test_empty_list_of_sizes():
    made = h.model(
        [h.node("ReduceSum", ["x"], ["s"], keepdims=0), h.node("Reshape", ["s", "k"], ["y"])],
        [h.weight("k", np.ones(0), "i8")],
    )
    assert parse(made).outputs[0].shape == ()


def test_shape_that_depends_on_the_input():
    made = h.model(
        [h.node("Reshape", ["x", "s"], ["y"])],
        inputs=[h.info("x", [1, 4]), h.info("s", [2], h.INT64)],
    )
    with rejects(
        Reason.MODEL_SHAPE_UNKNOWN,
        "the shape of tensor 'y', made by operator 'Reshape', is not known before the model runs",
    ):
        parse(made)


def test_shapes_that_do_not_fit():
    made = h.model([h.node("MatMul", ["x", "w"], ["y"])], [h.weight("w", np.ones((5, 3)))])
    with rejects(
        Reason.MODEL_SHAPES_DISAGREE,
        "the inputs of operator 'MatMul' of node 'y' do not fit together: "
        "[ShapeInferenceError] Incompatible dimensions for matrix multiplication",
    ):
        parse(made)


def test_a_type_that_the_operator_does_not_take():
    made = h.model(
        [h.node("Cast", ["x"], ["c"], to=TensorProto.INT8), h.node("MatMul", ["c", "w"], ["y"])],
        [h.weight("w", np.ones((4, 3)), "i1")],
    )
    with rejects(
        Reason.MODEL_SHAPES_DISAGREE,
        "the inputs of operator 'MatMul' of node 'y' do not fit together: the file's "
        "operator set lets it take no tensor(int8), and runtimes refuse the file too; export for "
        "a newer operator set, or cast before it",
    ):
        parse(made)


def test_checker():
    made = h.model([h.node("Relu", ["x", "x"], ["y"])])
    with rejects(
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Relu': "
        "Node with schema(::Relu:14) has input size 2 not in range [min=1, max=1].",
    ):
        parse(made)


def test_attribute_of_a_kind_that_no_operator_has():
    made = h.model([h.relu()])
    tensor = h.weight("t", [1.0])
    made.graph.node[0].attribute.append(helper.make_attribute("more", [tensor, tensor]))
    with rejects(
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Relu': an attribute is of a kind that it cannot have",
    ):
        parse(made)


@pytest.mark.parametrize(
    ("output", "declared"),
    [
        (h.info("y", [1, 4], h.INT64), "int64[1, 4]"),
        (h.info("y", ["N", 5], h.INT64), "int64[N, 5]"),
        (h.undeclared("y", TensorProto.BOOL), "bool"),
    ],
)
def test_output_misdeclared(output, declared: str):
    with rejects(
        Reason.MODEL_OUTPUT_MISDECLARED,
        f"output 'y' is declared as {declared}, but the graph computes float32[1, 4], and runtimes "
        "refuse another type; declare the computed one, or cast to the declared one",
    ):
        parse(h.model([h.relu()], outputs=[output]))
