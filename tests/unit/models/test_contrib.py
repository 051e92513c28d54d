"""Operators of ONNX Runtime's optimiser and quantiser, written with others: as it runs them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, helper, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.contrib import FOREIGN, QUANTISED
from inferproof.models.contrib.forms import FORMS
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects

MS = "com.microsoft"
RNG = np.random.default_rng(11)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("f4")


def numbers(dtype: str, *shape: int) -> np.ndarray:
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)


@dataclass
class Case:
    """A model in the making: inputs, constants and nodes."""

    opset: int = 17
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    nodes: list[NodeProto] = field(default_factory=list)

    def give(self, array: np.ndarray) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs[name] = array
        return name

    def hold(self, values: Any, dtype: str = "f4") -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def add(self, op: str, inputs: list[str], outputs: int = 1, **more: Any) -> list[str]:
        names = [f"{op}{len(self.nodes)}_{i}" for i in range(outputs)]
        domain = more.pop("domain", MS)
        self.nodes.append(helper.make_node(op, inputs, names, domain=domain, **more))
        return names

    def file(self, outputs: list[str]) -> bytes:
        given = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in self.inputs.items()
        ]
        graph = helper.make_graph(
            self.nodes,
            "test",
            given,
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()

    def check(self, outputs: list[str], atol: float = 2e-5) -> None:
        """Asserts the answers of ONNX Runtime, which takes the operators as they are."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        theirs = onnxruntime.InferenceSession(
            self.file(outputs), options, providers=["CPUExecutionProvider"]
        )
        exact = theirs.run(outputs, self.inputs)
        made = parse_untrusted(self.typed(outputs, exact))
        got = Session(made).run(self.inputs)
        for name, expected in zip(outputs, exact, strict=True):
            assert got[name].shape == expected.shape
            assert got[name].dtype == expected.dtype
            np.testing.assert_allclose(got[name], expected, rtol=1e-4, atol=atol)

    def typed(self, outputs: list[str], like: list[np.ndarray]) -> bytes:
        """The model with its outputs declared."""
        model = ModelProto.FromString(self.file(outputs))
        del model.graph.output[:]
        for name, array in zip(outputs, like, strict=True):
            code = helper.np_dtype_to_tensor_dtype(array.dtype)
            model.graph.output.append(helper.make_tensor_value_info(name, code, array.shape))
        return model.SerializeToString()


def scales(c: Case, scale: Any, zero: Any, dtype: str) -> list[str]:
    return [c.hold(scale), c.hold(zero, dtype)]


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul", "QLinearMatMul", "QLinearConcat"])
def test_two_quantised(op: str, dtype: str) -> None:
    c = Case()
    a = [c.give(numbers(dtype, 4, 4)), *scales(c, 0.05, 3, dtype)]
    b = [c.give(numbers(dtype, 4, 4)), *scales(c, 0.02, 7, dtype)]
    result = scales(c, 0.11, 20, dtype)
    if op == "QLinearConcat":
        made = c.add(op, [*result, *a, *b], axis=1)
    else:
        domain = "" if op == "QLinearMatMul" else MS
        made = c.add(op, [*a, *b, *result], domain=domain)
    c.check(made, atol=1)


@pytest.mark.parametrize(
    ("op", "more"),
    [
        ("QLinearSigmoid", {}),
        ("QLinearLeakyRelu", {"alpha": 0.2}),
        ("QLinearSoftmax", {"axis": -1, "opset": 13}),
        ("QLinearSoftmax", {"axis": 1, "opset": 13}),
        ("QLinearSoftmax", {"axis": 1, "opset": 11}),
        ("QLinearGlobalAveragePool", {}),
        ("QLinearGlobalAveragePool", {"channels_last": 1}),
        ("QLinearAveragePool", {"kernel_shape": [2, 2], "strides": [2, 1]}),
        ("QLinearAveragePool", {"kernel_shape": [2, 2], "channels_last": 1}),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_one_quantised(op: str, more: dict[str, Any], dtype: str) -> None:
    c = Case()
    x = [c.give(numbers(dtype, 1, 4, 5, 6)), *scales(c, 0.03, 9, dtype)]
    made = c.add(op, [*x, *scales(c, 0.01, 2, dtype)], **more)
    c.check(made, atol=1)


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("rows", [1, 6])
def test_qlinear_conv(rows: int, last: int) -> None:
    c = Case()
    shape = (1, 7, 8, 4) if last else (1, 4, 7, 8)
    x = [c.give(numbers("uint8", *shape)), *scales(c, 0.04, 100, "uint8")]
    w = c.hold(numbers("int8", 6, 2, 3, 3), "i1")
    unit = 0.01 + 0.01 * RNG.random(rows)
    w_scale, w_zero = c.hold(unit if rows > 1 else unit[0]), c.hold(np.zeros(rows), "i1")
    bias = c.hold(RNG.integers(-9000, 9000, 6), "i4")
    given = {"group": 2, "pads": [1, 0, 1, 2], "strides": [2, 1]}
    more = {"channels_last": 1, "domain": MS} if last else {"domain": ""}
    w_zero = w_zero if rows > 1 else c.hold(0, "i1")
    result = scales(c, 0.5, 90, "uint8")
    made = c.add("QLinearConv", [*x, w, w_scale, w_zero, *result, bias], **given, **more)
    c.check(made, atol=1)


@pytest.mark.parametrize("quantised", [True, False])
@pytest.mark.parametrize("rows", [1, 5])
def test_qgemm(rows: int, quantised: bool) -> None:
    c = Case()
    a = [c.give(numbers("uint8", 2, 4)), *scales(c, 0.02, 120, "uint8")]
    unit = np.full(rows, 0.01) * RNG.uniform(1, 2, rows)
    weights = c.hold(numbers("int8", 5, 4), "i1")
    zero = c.hold(np.zeros(rows) if rows > 1 else 0, "i1")
    b = [weights, c.hold(unit if rows > 1 else unit[0]), zero]
    bias = c.hold(RNG.integers(-900, 900, 5), "i4")
    result = scales(c, 0.05, 128, "uint8") if quantised else []
    made = c.add("QGemm", [*a, *b, bias, *result], transB=1)
    c.check(made, atol=1 if quantised else 1e-5)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [True, False])
def test_matmul_n_bits(bits: int, zeros: bool) -> None:
    c = Case()
    x = c.give(floats(3, 40))
    packed = c.hold(numbers("uint8", 6, 3, 16 * bits // 8), "u1")
    operands = [x, packed, c.hold(RNG.uniform(0.01, 0.1, 18))]
    operands += [c.hold(numbers("uint8", 6 * -(-3 * bits // 8)), "u1")] if zeros else []
    made = c.add("MatMulNBits", operands, K=40, N=6, bits=bits, block_size=16)
    c.check(made, atol=1e-4)


@pytest.mark.parametrize("per_column", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_whole_number_products(dtype: str, per_column: bool) -> None:
    c = Case()
    x = c.give(numbers("uint8", 3, 7))
    b = c.hold(numbers(dtype, 7, 5), dtype)
    zero = c.hold(numbers(dtype, 5) if per_column else 3, dtype)
    made = c.add("MatMulInteger", [x, b, c.hold(17, "u1"), zero], domain="")
    scale = c.hold(RNG.uniform(0.1, 1, 5) if per_column else 0.3)
    more = [c.hold(0.7), scale, c.hold(17, "u1"), zero, c.hold(floats(5))]
    made += c.add("MatMulIntegerToFloat", [x, b, *more])
    c.check(made, atol=1e-3)


def test_conv_integer() -> None:
    c = Case()
    x, w = c.give(numbers("uint8", 1, 3, 6, 6)), c.hold(numbers("uint8", 4, 3, 3, 3), "u1")
    zeros = [c.hold(128, "u1"), c.hold(120, "u1")]
    c.check(c.add("ConvInteger", [x, w, *zeros], domain="", pads=[1, 1, 1, 1]))


def test_dynamic_quantisation() -> None:
    c = Case()
    x = c.give(floats(3, 7))
    steps = c.add("DynamicQuantizeLinear", [x], 3, domain="")
    b = [c.hold(numbers("int8", 7, 5), "i1"), c.hold(0.02), c.hold(0, "i1"), c.hold(floats(5))]
    c.check([*steps, *c.add("DynamicQuantizeMatMul", [x, *b])], atol=1e-4)


def test_dynamic_quantisation_of_zeros() -> None:
    c = Case()
    x = c.give(np.zeros((3, 7), "f4"))
    steps = c.add("DynamicQuantizeLinear", [x], 3, domain="")
    c.check([steps[0], steps[2]])


@pytest.mark.parametrize("opset", [13, 21])
def test_sixteen_bits_before_the_standard_had_them(opset: int) -> None:
    c = Case(opset)
    x, unit = c.give(floats(3, 7) * 40), scales(c, 0.01, 1200, "uint16")
    whole = c.add("QuantizeLinear", [x, *unit])
    c.check([*whole, *c.add("DequantizeLinear", [whole[0], *unit])], atol=1)


@pytest.mark.parametrize("opset", [9, 13, 17, 20])
@pytest.mark.parametrize("op", ["Gelu", "BiasGelu", "FastGelu", "QuickGelu"])
def test_gelu(op: str, opset: int) -> None:
    c = Case(opset)
    x = c.give(floats(2, 5) * 3)
    more = [c.hold(floats(5))] if op in ("BiasGelu", "FastGelu") else []
    c.check(c.add(op, [x, *more]))


@pytest.mark.parametrize("more", [{}, {"transA": 1}, {"transB": 1, "alpha": 0.3}])
@pytest.mark.parametrize("batch", [0, 1])
def test_fused_matmul(more: dict[str, Any], batch: int) -> None:
    c = Case()
    a, b = c.give(floats(2, 3, 3)), c.give(floats(2, 3, 3))
    if batch:
        a, b = c.give(floats(3, 2, 3)), c.give(floats(3, 2, 3))
        more = more | {"transBatchA": 1, "transBatchB": 1}
    c.check(c.add("FusedMatMul", [a, b], **more))


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("Relu", []), ("LeakyRelu", [0.3]), ("HardSigmoid", [0.3, 0.4]), ("Clip", [-0.2, 0.4])],
)
def test_fused_activation(name: str, numbers: list[float]) -> None:
    c = Case()
    x, w, bias = c.give(floats(1, 3, 5, 5)), c.hold(floats(4, 3, 3, 3)), c.hold(floats(4))
    more = {"activation_params": numbers} if numbers else {}
    made = c.add("FusedConv", [x, w, bias], activation=name, **more)
    other = c.give(floats(1, 4, 3, 3))
    if name == "Relu":
        made += c.add("FusedConv", [x, w, bias, other], activation=name)
    a = c.give(floats(2, 3))
    given = dict(zip(("activation_alpha", "activation_beta"), numbers, strict=False))
    gemm = [a, c.hold(floats(4, 3)), c.hold(floats(4))]
    if name != "Clip":
        made += c.add("FusedGemm", gemm, activation=name, transB=1, **given)
    c.check(made)


@pytest.mark.parametrize("opset", [13, 17])
def test_layer_normalisation(opset: int) -> None:
    c = Case(opset)
    x, skip = c.give(floats(2, 3, 8)), c.give(floats(2, 3, 8))
    scale, bias, extra = (c.hold(floats(8)) for _ in range(3))
    made = c.add("LayerNormalization", [x, scale, bias], domain="", epsilon=1e-4)
    made += c.add("SimplifiedLayerNormalization", [x, scale], domain="", epsilon=1e-4)
    whole = c.add("SkipLayerNormalization", [x, skip, scale, bias, extra], 4, epsilon=1e-4)
    plain = c.add("SkipSimplifiedLayerNormalization", [x, skip, scale], 4, epsilon=1e-4)
    made += [whole[0], whole[3], plain[0], plain[3]]
    c.nodes[-1].output[1] = c.nodes[-1].output[2] = ""
    c.nodes[-2].output[1] = c.nodes[-2].output[2] = ""
    c.check(made)


def test_embed_layer_normalisation() -> None:
    c = Case()
    words, kinds = c.give(RNG.integers(0, 9, (2, 4)).astype("i4")), c.give(np.ones((2, 4), "i4"))
    tables = [c.hold(floats(rows, 8)) for rows in (9, 6, 2)]
    rest = [c.hold(floats(8)), c.hold(floats(8))]
    mask = c.give(np.array([[1, 1, 1, 0], [1, 1, 0, 0]], "i4"))
    made = c.add("EmbedLayerNormalization", [words, kinds, *tables, *rest, mask], 3)
    made += c.add("EmbedLayerNormalization", [words, "", *tables[:2], "", *rest], 2)
    c.check([made[0], made[1], made[3]])


def test_quantised_embeddings() -> None:
    c = Case()
    words, kinds = c.give(RNG.integers(0, 9, (2, 4)).astype("i4")), c.give(np.ones((2, 4), "i4"))
    tables = [
        c.hold(numbers("uint8", *shape), "u1") for shape in ((9, 8), (6, 8), (2, 8), (8,), (8,))
    ]
    mask = c.give(np.array([[1, 1, 1, 0], [1, 1, 0, 0]], "i4"))
    units = [c.hold(0.01 * (i + 1)) for i in range(5)]
    zeros = [c.hold(100 + i, "u1") for i in range(5)]
    operands = [words, kinds, *tables, mask, *units, *zeros]
    c.check(c.add("QEmbedLayerNormalization", operands, 2))


@pytest.mark.parametrize("mask", ["none", "ends", "both", "keys", "pairs"])
@pytest.mark.parametrize("more", [{}, {"unidirectional": 1}, {"scale": 0.2}])
def test_attention(mask: str, more: dict[str, Any]) -> None:
    c = Case()
    x, w, bias = c.give(floats(2, 4, 8)), c.hold(floats(8, 24)), c.hold(floats(24))
    masks = {
        "none": None,
        "ends": np.array([4, 3]),
        "both": np.array([4, 3, 0, 1]),
        "keys": np.array([[1, 1, 1, 1], [1, 1, 0, 0]]),
        "pairs": RNG.integers(0, 2, (2, 4, 4)) | np.eye(4, dtype=int),
    }
    given = masks[mask]
    if mask == "both" and more:
        pytest.skip("its first row may have nothing left")
    name = c.give(given.astype("i4")) if given is not None else ""
    c.check(c.add("Attention", [x, w, bias, name], num_heads=2, **more), atol=1e-4)


def test_attention_with_a_past() -> None:
    c = Case()
    x, w, bias = c.give(floats(2, 1, 8)), c.hold(floats(8, 24)), c.hold(floats(24))
    past = c.give(floats(2, 2, 2, 3, 4))
    made = c.add("Attention", [x, w, bias, "", past], 2, num_heads=2, unidirectional=1)
    made += c.add("Attention", [x, w, bias, "", "", c.give(floats(2, 2, 1, 1))], num_heads=2)
    c.check(made, atol=1e-4)


def test_quantised_attention() -> None:
    c = Case()
    x, w = c.give(numbers("uint8", 2, 4, 8)), c.hold(numbers("int8", 8, 24), "i1")
    mask = c.give(np.array([4, 3], "i4"))
    operands = [x, w, c.hold(floats(24)), c.hold(0.01), c.hold(0.02), mask]
    operands += [c.hold(120, "u1"), c.hold(0, "i1")]
    c.check(c.add("QAttention", operands, num_heads=2), atol=1e-4)


@pytest.mark.parametrize("cross", [True, False])
def test_multi_head_attention(cross: bool) -> None:
    c = Case()
    query = c.give(floats(2, 3, 8))
    if cross:
        key, value, bias, columns = c.give(floats(2, 2, 5, 4)), c.give(floats(2, 2, 5, 4)), "", 5
    else:
        key, value, bias = c.give(floats(2, 3, 8)), c.give(floats(2, 3, 8)), c.hold(floats(24))
        columns = 3
    mask = np.ones((2, columns), "i4")
    mask[1, -1] = 0
    operands = [query, key, value, bias, c.give(mask), c.give(floats(2, 2, 3, columns))]
    c.check(c.add("MultiHeadAttention", operands, num_heads=2), atol=1e-4)


def test_multi_head_attention_with_a_past() -> None:
    c = Case()
    parts = [c.give(floats(2, 1, 8)) for _ in range(3)]
    pasts = [c.give(floats(2, 2, 3, 4)) for _ in range(2)]
    operands = [*parts, c.hold(floats(24)), "", "", *pasts]
    c.check(c.add("MultiHeadAttention", operands, 3, num_heads=2), atol=1e-4)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("width", [8, 4])
def test_rotary_embedding(width: int, interleaved: int) -> None:
    c = Case()
    x = c.give(floats(2, 5, 16))
    angles = RNG.random((9, width // 2))
    caches = [c.hold(np.cos(angles)), c.hold(np.sin(angles))]
    more = {"num_heads": 2, "rotary_embedding_dim": width} if width < 8 else {}
    start = c.hold([2], "i8")
    made = c.add("RotaryEmbedding", [x, start, *caches], interleaved=interleaved, **more)
    places = c.give(np.tile(np.arange(5), (2, 1)))
    made += c.add("RotaryEmbedding", [x, places, *caches], interleaved=interleaved, **more)
    c.check(made)


def test_channels_last_conv_is_a_conv_between_transposes() -> None:
    x, w, bias = floats(1, 6, 7, 4), floats(5, 4, 3, 3), floats(5)
    last = Case()
    given = [last.give(x), last.hold(w.transpose(0, 2, 3, 1)), last.hold(bias)]
    made = last.add("NhwcConv", given, pads=[1, 1, 1, 1], strides=[2, 1])
    plain = Case()
    turned = plain.add("Transpose", [plain.give(x)], domain="", perm=[0, 3, 1, 2])
    more = {"pads": [1, 1, 1, 1], "strides": [2, 1], "domain": ""}
    result = plain.add("Conv", [*turned, plain.hold(w), plain.hold(bias)], **more)
    expected = plain.add("Transpose", result, domain="", perm=[0, 2, 3, 1])
    answers = []
    for case, names in ((last, made), (plain, expected)):
        loaded = parse_untrusted(case.typed(names, [np.zeros((1, 3, 7, 5), "f4")]))
        answers += Session(loaded).run({"x0": x}).values()
    np.testing.assert_allclose(*answers, atol=1e-5)


@pytest.mark.parametrize("read", [1, 2, 3])
def test_dynamic_lstm(read: int) -> None:
    """Its own states are rounded to 8 bits at each step, ours are not."""
    c = Case()
    x = c.give(floats(5, 1, 6))
    w, r = c.hold(numbers("int8", 1, 6, 16), "i1"), c.hold(numbers("int8", 1, 4, 16), "i1")
    bias = c.hold(floats(1, 32))
    units = [c.hold([0.004]), c.hold([0], "i1"), c.hold([0.005]), c.hold([0], "i1")]
    operands = [x, w, r, bias, "", "", "", "", *units]
    outputs = c.add("DynamicQuantizeLSTM", operands, 3, hidden_size=4)
    c.check(outputs[:read], atol=0.05)


def refused(case: Case, outputs: list[str], reason: Reason, message: str) -> None:
    with rejects(reason, message):
        parse_untrusted(case.typed(outputs, [np.zeros(1, "f4")] * len(outputs)))


def test_a_mask_of_another_form_is_refused() -> None:
    c = Case()
    x, w, mask = c.give(floats(2, 4, 8)), c.hold(floats(8, 24)), c.give(np.ones((2, 1, 4, 4), "i4"))
    refused(
        c,
        c.add("Attention", [x, w, "", mask], num_heads=2),
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'Attention' is not accepted: its mask has the shape [2, 1, 4, 4]; "
        "[batch, columns] is taken",
    )


def test_heads_that_do_not_divide() -> None:
    c = Case()
    x, w = c.give(floats(2, 4, 8)), c.hold(floats(8, 24))
    refused(
        c,
        c.add("Attention", [x, w], num_heads=3),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Attention': its num_heads does not divide the width "
        "of queries, keys or values",
    )


def test_an_output_for_training_is_refused() -> None:
    c = Case()
    x, scale = c.give(floats(2, 3, 8)), c.hold(floats(8))
    refused(
        c,
        c.add("SkipLayerNormalization", [x, x, scale], 2)[1:],
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'SkipLayerNormalization' is not accepted: its output 1 is used, which is for "
        "training or caching",
    )


@pytest.mark.parametrize(
    ("op", "domain", "instead"),
    [
        (
            *("SparseAttention", MS),
            "save the model before ONNX Runtime optimises it, or with this fusion disabled",
        ),
        (
            *("ReorderInput", "com.microsoft.nchwc"),
            "save the optimised model with ORT_ENABLE_EXTENDED, not with all",
        ),
    ],
)
def test_other_operators_have_a_way_out(op: str, domain: str, instead: str) -> None:
    c = Case()
    refused(
        c,
        c.add(op, [c.give(floats(2, 4))], domain=domain),
        Reason.MODEL_UNKNOWN_DOMAIN,
        f"operator '{op}' is of the domain '{domain}', which is not accepted; {instead}",
    )


def test_names_of_its_own_are_not_taken_over() -> None:
    c = Case()
    (y,) = c.add("QuickGelu", [c.give(floats(2, 4))])
    c.hold(1.0)
    c.constants[f"{y}/QuickGelu/0"] = c.constants.pop("c0")
    (z,) = c.add("Add", [y, f"{y}/QuickGelu/0"], domain="")
    refused(c, [z], Reason.MODEL_DUPLICATE_NAME, f"the name '{y}/QuickGelu/0' is defined twice")


def test_every_operator_is_described() -> None:
    assert FORMS.keys() == FOREIGN | QUANTISED


OPERATORS = sorted(FOREIGN) + sorted(QUANTISED)
VALUES = [0, 1, 2, 3, 16, -1, 2**31 - 1, 0.5, "Relu", [1, 2], [0.5], [2**31 - 1] * 3]
NAMES = [
    "alpha",
    "axis",
    "bits",
    "block_size",
    "channels_last",
    "group",
    "K",
    "kernel_shape",
    "N",
    "num_heads",
    "opset",
    "pads",
    "qkv_hidden_sizes",
    "strides",
    "transA",
    "unidirectional",
    "activation",
    "activation_params",
    "epsilon",
    "scale",
]


@pytest.mark.parametrize("op", OPERATORS)
def test_nonsense_is_refused_with_a_reason(op: str) -> None:
    """Whatever inputs and attributes are put together."""
    rng = np.random.default_rng(OPERATORS.index(op))
    kinds = ["f4", "u1", "i1", "i4", "i8", "?"]
    for _ in range(25):
        c = Case(opset=int(rng.choice([9, 11, 13, 17, 21])))
        operands = []
        for _ in range(int(rng.integers(0, 12))):
            shape = tuple(rng.choice([1, 2, 3, 4, 8], rng.integers(0, 5)))
            array = rng.integers(0, 3, shape).astype(str(rng.choice(kinds)))
            held = int(rng.integers(0, 3))
            operands.append(["", c.give(array), c.hold(array, array.dtype.str)][held])
        c.give(np.zeros((1, 2), "f4"))
        more = {
            str(name): VALUES[int(rng.integers(0, len(VALUES)))]
            for name in rng.choice(NAMES, 6, replace=False)
        }
        domain = MS if op in FOREIGN else ""
        made = c.add(op, operands, int(rng.integers(1, 5)), domain=domain, **more)
        try:
            parse_untrusted(c.typed(made[:1], [np.zeros(1, "f4")]))
        except ModelRejected:
            continue
