"""Operators of classical machine learning: as ONNX Runtime has them, once written with others."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.classical import EXPANDED, FORMS
from inferproof.models.limits import Limits
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects

ML, FLOAT, INT = "ai.onnx.ml", TensorProto.FLOAT, TensorProto.INT64
RNG = np.random.default_rng(7)
FEATURES, CLASSES = 5, 3
NUMBERS = RNG.standard_normal(FEATURES * CLASSES).tolist()
OFFSETS = RNG.standard_normal(CLASSES).tolist()


def model(nodes: list[NodeProto], outputs: dict[str, int], opset: int = 17) -> ModelProto:
    """The nodes on x[1, FEATURES], with outputs of these types."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", FLOAT, [1, FEATURES])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def ml(op: str, outputs: list[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op, ["x"], outputs, domain=ML, **attributes)


def same(made: ModelProto) -> None:
    """Asserts the answers of ONNX Runtime, which takes the operators as they are."""
    theirs = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ours = Session(parse_untrusted(made.SerializeToString()))
    for row in RNG.standard_normal((16, 1, FEATURES)).astype("f4"):
        exact = theirs.run(None, {"x": row})
        got = ours.run({"x": row})
        for item, expected in zip(theirs.get_outputs(), exact, strict=True):
            assert got[item.name].shape == expected.shape
            assert got[item.name].dtype == expected.dtype
            np.testing.assert_allclose(got[item.name], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", [9, 12, 13, 17, 21])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_linear_scores(transform: str, opset: int) -> None:
    regressor = ml(
        *("LinearRegressor", ["y"]),
        coefficients=NUMBERS,
        intercepts=OFFSETS,
        targets=CLASSES,
        post_transform=transform,
    )
    same(model([regressor], {"y": FLOAT}, opset))
    classifier = ml(
        *("LinearClassifier", ["label", "scores"]),
        classlabels_ints=[7, -2, 4],
        coefficients=NUMBERS,
        intercepts=OFFSETS,
        multi_class=1,
        post_transform=transform,
    )
    same(model([classifier], {"label": INT, "scores": FLOAT}, opset))


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_one_score_for_two_classes(transform: str) -> None:
    classifier = ml(
        *("LinearClassifier", ["label", "scores"]),
        classlabels_ints=[3, 9],
        coefficients=NUMBERS[:FEATURES],
        intercepts=[0.25],
        post_transform=transform,
    )
    same(model([classifier], {"label": INT, "scores": FLOAT}))


def test_no_intercepts() -> None:
    same(model([ml("LinearRegressor", ["y"], coefficients=NUMBERS[:FEATURES])], {"y": FLOAT}))


@pytest.mark.parametrize(
    "node",
    [
        ml("Scaler", ["y"], offset=NUMBERS[:FEATURES], scale=NUMBERS[5 : 5 + FEATURES]),
        ml("Scaler", ["y"], offset=[0.5], scale=[2.0]),
        ml("Normalizer", ["y"], norm="L1"),
        ml("Normalizer", ["y"], norm="L2"),
        ml("Binarizer", ["y"], threshold=0.25),
        ml("Binarizer", ["y"]),
        helper.make_node("FeatureVectorizer", ["x", "x"], ["y"], domain=ML),
    ],
    ids=lambda node: node.op_type,
)
def test_features(node: NodeProto) -> None:
    if node.op_type == "FeatureVectorizer":
        node.attribute.append(helper.make_attribute("inputdimensions", [FEATURES, FEATURES]))
    same(model([node], {"y": FLOAT}))


@pytest.mark.parametrize("one_class", [0, 1])
@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
def test_support_vectors(kernel: str, one_class: int) -> None:
    machine = ml(
        *("SVMRegressor", ["y"]),
        kernel_type=kernel,
        kernel_params=[0.25, 0.5, 3.0],
        coefficients=OFFSETS,
        support_vectors=NUMBERS,
        n_supports=CLASSES,
        rho=[0.125],
        one_class=one_class,
    )
    same(model([machine], {"y": FLOAT}))


def test_a_linear_machine_without_support_vectors() -> None:
    machine = ml(
        *("SVMRegressor", ["y"]),
        kernel_type="LINEAR",
        kernel_params=[0.25, 0.5, 3.0],
        coefficients=NUMBERS[:FEATURES],
        rho=[0.125],
    )
    same(model([machine], {"y": FLOAT}))


def test_columns_by_their_numbers() -> None:
    places = helper.make_node("Constant", [], ["places"], value_ints=[4, 0, 4])
    chosen = helper.make_node("ArrayFeatureExtractor", ["x", "places"], ["y"], domain=ML)
    same(model([places, chosen], {"y": FLOAT}, 13))


def test_a_list_of_dictionaries_is_the_tensor_of_its_values() -> None:
    scores = ml("Scaler", ["scores"], offset=[0.5], scale=[2.0])
    zipped = helper.make_node(
        *("ZipMap", ["scores"], ["zipped"]), domain=ML, classlabels_int64s=[*range(FEATURES)]
    )
    made = model([scores, zipped], {"zipped": FLOAT})
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(INT, helper.make_tensor_type_proto(FLOAT, []))
    )
    made.graph.output[0].type.CopyFrom(kind)
    row = RNG.standard_normal((1, FEATURES)).astype("f4")
    theirs = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ((exact,),) = theirs.run(None, {"x": row})
    got = Session(parse_untrusted(made.SerializeToString())).run({"x": row})["zipped"]
    assert got.shape == (1, FEATURES)
    np.testing.assert_allclose(got[0], [exact[number] for number in range(FEATURES)], rtol=1e-6)


FITS = {"coefficients": NUMBERS, "intercepts": OFFSETS}
REFUSED = [
    (
        ml("LinearClassifier", ["y"], classlabels_ints=[1, 2], **FITS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearClassifier': it has another number of classes "
        "than of scores",
    ),
    (
        ml("LinearRegressor", ["y"], targets=4, **FITS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearRegressor': its coefficients and intercepts do "
        "not fit each other",
    ),
    (
        ml("LinearRegressor", ["y"], targets=0, coefficients=NUMBERS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearRegressor': its coefficients and intercepts do "
        "not fit each other",
    ),
    (
        ml("LinearRegressor", ["y"], targets=CLASSES, post_transform="PROBIT", **FITS),
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'LinearRegressor' is not accepted: its post_transform 'PROBIT' is not one of "
        "NONE, LOGISTIC, SOFTMAX",
    ),
    (
        ml("LinearRegressor", ["y"], coefficients="text"),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearRegressor': its coefficients are no numbers",
    ),
    (
        ml("LinearRegressor", ["y"], coefficients=NUMBERS[:5], post_transform=1),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearRegressor': its post_transform is no text",
    ),
    (
        ml("LinearRegressor", ["y"], targets="many", **FITS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearRegressor': its targets are no whole number",
    ),
    (
        ml("LinearRegressor", ["y"], targets=[1, 2], **FITS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearRegressor': its targets are no whole number",
    ),
    (
        ml("LinearClassifier", ["y"], classlabels_ints="many", **FITS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearClassifier': its classlabels_ints are no whole "
        "numbers",
    ),
    (
        ml("SVMRegressor", ["y"], coefficients=OFFSETS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'SVMRegressor': it needs coefficients and one rho",
    ),
    (
        ml(
            *("SVMRegressor", ["y"]),
            coefficients=OFFSETS,
            support_vectors=NUMBERS[:7],
            n_supports=CLASSES,
            rho=[0.5],
        ),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'SVMRegressor': its support vectors and coefficients do "
        "not fit each other",
    ),
    (
        ml(
            *("SVMRegressor", ["y"]),
            coefficients=OFFSETS,
            support_vectors=NUMBERS,
            n_supports=CLASSES,
            rho=[0.5],
            kernel_type="CUBIC",
        ),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'SVMRegressor': there is no kernel 'CUBIC'",
    ),
    (
        ml("Scaler", ["y"], scale=[1.0]),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Scaler': it needs offset and scale",
    ),
    (
        ml("Normalizer", ["y"]),
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'Normalizer' is not accepted: its norm 'MAX' is not one of L1, L2",
    ),
    (
        ml("Binarizer", ["y"], threshold="high"),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Binarizer': its threshold is no number",
    ),
    (
        ml("ArrayFeatureExtractor", ["y"]),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'ArrayFeatureExtractor': it needs a tensor and indices",
    ),
    (
        ml("Scaler", [], offset=[0.5], scale=[2.0]),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Scaler': it lacks an input or an output",
    ),
]


@pytest.mark.parametrize(("node", "reason", "message"), REFUSED)
def test_what_is_refused(node: NodeProto, reason: Reason, message: str) -> None:
    with rejects(reason, message, kind=ModelRejected):
        parse_untrusted(model([node], {"y": FLOAT}).SerializeToString())


def test_a_node_that_is_written_with_many_counts_as_many() -> None:
    scalers = [
        helper.make_node("Scaler", ["x"], [f"y{n}"], domain=ML, offset=[0.5], scale=[2.0])
        for n in range(4)
    ]
    made = model(scalers, {"y0": FLOAT}).SerializeToString()
    parse_untrusted(made, Limits(nodes=12))
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 11 nodes"):
        parse_untrusted(made, Limits(nodes=11))


def test_every_operator_that_is_written_with_others_has_its_line() -> None:
    assert FORMS.keys() == EXPANDED
