"""Operators of classical machine learning: as ONNX Runtime has them, once written with others."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.classical import EXPANDED, FORMS, svm
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


def same(made: ModelProto, within: float = 1e-6, rows: Any = None) -> None:
    """Asserts the answers of ONNX Runtime, which takes the operators as they are."""
    theirs = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ours = Session(parse_untrusted(made.SerializeToString()))
    rows = RNG.standard_normal((16, 1, FEATURES)).astype("f4") if rows is None else rows
    for row in rows:
        exact = theirs.run(None, {"x": row})
        got = ours.run({"x": row})
        for item, expected in zip(theirs.get_outputs(), exact, strict=True):
            assert got[item.name].shape == expected.shape
            assert got[item.name].dtype == expected.dtype
            np.testing.assert_allclose(got[item.name], expected, rtol=1e-5, atol=within)


@pytest.mark.parametrize("opset", [9, 12, 13, 17, 21])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
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


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
def test_one_score_for_two_classes(transform: str) -> None:
    classifier = ml(
        *("LinearClassifier", ["label", "scores"]),
        classlabels_ints=[3, 9],
        coefficients=NUMBERS[:FEATURES],
        intercepts=[0.25],
        post_transform=transform,
    )
    same(model([classifier], {"label": INT, "scores": FLOAT}))


def test_one_score_without_labels_and_of_a_regressor_stays_what_it_is() -> None:
    one = {"coefficients": NUMBERS[:FEATURES], "intercepts": [0.25], "post_transform": "LOGISTIC"}
    same(model([ml("LinearClassifier", ["label", "y"], **one)], {"label": INT, "y": FLOAT}))
    same(model([ml("LinearRegressor", ["y"], **one)], {"y": FLOAT}))


def test_probabilities_become_quantiles() -> None:
    small = {"coefficients": [value / 20 for value in NUMBERS], "intercepts": [0.5, 0.4, 0.6]}
    regressor = ml(*("LinearRegressor", ["y"]), targets=CLASSES, post_transform="PROBIT", **small)
    # Near 1/2 both lose figures to the difference of near numbers.
    same(model([regressor], {"y": FLOAT}), within=1e-4)
    one = {"coefficients": small["coefficients"][:FEATURES], "intercepts": [0.5]}
    made = model([ml("LinearRegressor", ["y"], post_transform="PROBIT", **one)], {"y": FLOAT})
    same(made, within=1e-4)


@pytest.mark.parametrize("opset", [9, 13, 18])
def test_a_score_of_nothing_has_no_share(opset: int) -> None:
    weights = [*NUMBERS[: 2 * FEATURES], *[0.0] * FEATURES]
    regressor = ml(
        *("LinearRegressor", ["y"]),
        coefficients=weights,
        targets=CLASSES,
        post_transform="SOFTMAX_ZERO",
    )
    same(model([regressor], {"y": FLOAT}, opset))


def test_no_intercepts() -> None:
    same(model([ml("LinearRegressor", ["y"], coefficients=NUMBERS[:FEATURES])], {"y": FLOAT}))


@pytest.mark.parametrize(
    "node",
    [
        ml("Scaler", ["y"], offset=NUMBERS[:FEATURES], scale=NUMBERS[5 : 5 + FEATURES]),
        ml("Scaler", ["y"], offset=[0.5], scale=[2.0]),
        ml("Normalizer", ["y"]),
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


def machine(classes: int, kernel: str, opset: int = 17, **more: Any) -> ModelProto:
    """A classifier with one to three support vectors a class."""
    rng = np.random.default_rng(classes)
    counts = rng.integers(1, 4, classes)
    total, pairs = int(counts.sum()), classes * (classes - 1) // 2
    given: dict[str, Any] = {
        "kernel_type": kernel,
        "kernel_params": [0.25, 0.5, 2.0],
        "vectors_per_class": counts.tolist(),
        "coefficients": rng.standard_normal(total * (classes - 1)).tolist(),
        "support_vectors": rng.standard_normal(total * FEATURES).tolist(),
        "rho": (rng.standard_normal(pairs) / 4).tolist(),
        "classlabels_ints": [7, -2, 4, 9, 11][:classes],
    }
    node = ml("SVMClassifier", ["label", "y"], **{**given, **more})
    return model([node], {"label": INT, "y": FLOAT}, opset)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
def test_machines_that_decide_by_pairs(kernel: str, classes: int) -> None:
    same(machine(classes, kernel))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("transform", ["LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
def test_machines_with_a_post_transform(transform: str, classes: int) -> None:
    same(machine(classes, "RBF", post_transform=transform))


def platt(classes: int) -> dict[str, list[float]]:
    pairs, rng = classes * (classes - 1) // 2, np.random.default_rng(classes)
    return {
        "prob_a": (-1 - rng.random(pairs)).tolist(),
        "prob_b": (rng.standard_normal(pairs) / 4).tolist(),
    }


@pytest.mark.parametrize("opset", [9, 11, 21])
def test_two_classes_with_probabilities(opset: int) -> None:
    same(machine(2, "RBF", opset=opset, **platt(2)), within=0.005)
    same(machine(2, "RBF", **platt(2), post_transform="SOFTMAX"), within=0.005)


@pytest.mark.parametrize("classes", [3, 4, 5])
def test_several_classes_with_probabilities(classes: int) -> None:
    """ONNX Runtime stops once a gradient is below 0.005 / classes."""
    same(machine(classes, "RBF", **platt(classes)), within=0.01 / classes)


def test_coupled_probabilities_solve_their_equations() -> None:
    made = machine(4, "RBF", **platt(4))
    ours = Session(parse_untrusted(made.SerializeToString()))
    row = RNG.standard_normal((1, FEATURES)).astype("f4")
    without = machine(4, "RBF")
    decisions = Session(parse_untrusted(without.SerializeToString())).run({"x": row})["y"][0]
    slopes, offsets = platt(4).values()
    chances = 1 / (1 + np.exp(decisions * slopes + offsets))
    against = np.zeros((4, 4))
    for (first, second), chance in zip(combinations(range(4), 2), chances, strict=True):
        against[second, first], against[first, second] = 1 - chance, chance
    matrix = -against * against.T + np.diag((against**2).sum(axis=0))
    exact = np.linalg.solve(matrix + 1, np.ones(4))
    shares = ours.run({"x": row})["y"][0]
    np.testing.assert_allclose(shares, exact / exact.sum(), atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("positive", [True, False])
def test_a_linear_machine_with_a_score_for_each_class(positive: bool, classes: int) -> None:
    weights = np.random.default_rng(classes).standard_normal(classes * FEATURES)
    node = ml(
        *("SVMClassifier", ["label", "y"]),
        coefficients=(np.abs(weights) if positive else weights).tolist(),
        rho=[0.125],
        classlabels_ints=[7, -2, 4][:classes],
        kernel_params=[0.25, 0.5, 3.0],
    )
    same(model([node], {"label": INT, "y": FLOAT}))


@pytest.mark.parametrize(
    "given",
    [
        {"imputed_value_floats": NUMBERS[:FEATURES], "replaced_value_float": 0.5},
        {"imputed_value_floats": [2.5], "replaced_value_float": -1.0},
        {"imputed_value_floats": [2.5], "replaced_value_float": math.nan},
        {"imputed_value_floats": [2.5], "replaced_value_float": math.inf},
        {"imputed_value_floats": [2.5], "replaced_value_float": -math.inf},
    ],
)
def test_missing_values_are_imputed(given: dict[str, Any]) -> None:
    rows = np.random.default_rng(5).choice([0.5, -1.0, 3.0], (16, 1, FEATURES)).astype("f4")
    same(model([ml("Imputer", ["y"], **given)], {"y": FLOAT}), rows=rows)


def test_a_value_that_is_no_number_is_imputed_inside_of_a_model() -> None:
    roots = helper.make_node("Sqrt", ["x"], ["root"])
    filled = helper.make_node(
        *("Imputer", ["root"], ["y"]),
        domain=ML,
        imputed_value_floats=NUMBERS[:FEATURES],
        replaced_value_float=math.nan,
    )
    same(model([roots, filled], {"y": FLOAT}))


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
        ml("LinearRegressor", ["y"], targets=CLASSES, post_transform="CUBE", **FITS),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'LinearRegressor': there is no post_transform 'CUBE'",
    ),
    (
        ml(
            *("LinearClassifier", ["", "y"]),
            coefficients=NUMBERS[:5],
            intercepts=[0.5],
            classlabels_ints=[0, 1],
            post_transform="PROBIT",
        ),
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'LinearClassifier' is not accepted: its post_transform PROBIT has one score; "
        "export it without",
    ),
    (
        ml("SVMClassifier", ["y"], classlabels_ints=[1], rho=[0.5]),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'SVMClassifier': it needs two classes or more, and rho",
    ),
    (
        ml(
            *("SVMClassifier", ["y"]),
            classlabels_ints=[1, 2],
            rho=[0.5],
            vectors_per_class=[2, -1],
            coefficients=[1.0],
            support_vectors=NUMBERS[:5],
        ),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'SVMClassifier': its support vectors and coefficients "
        "do not fit each other",
    ),
    (
        ml(
            *("SVMClassifier", ["", "y"]),
            classlabels_ints=[*range(33)],
            rho=[0.0] * 528,
            prob_a=[-1.0] * 528,
            prob_b=[0.0] * 528,
            vectors_per_class=[1, *[0] * 32],
            coefficients=[1.0] * 32,
            support_vectors=NUMBERS[:5],
        ),
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'SVMClassifier' is not accepted: it has probabilities of 33 classes, of which at "
        "most 32 are taken; export it without probabilities",
    ),
    (
        ml(
            *("SVMClassifier", ["", "y"]),
            classlabels_ints=[1, 2],
            rho=[0.5],
            prob_a=[1.0, 2.0],
            prob_b=[0.0],
            vectors_per_class=[1, 0],
            coefficients=[1.0],
            support_vectors=NUMBERS[:5],
        ),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'SVMClassifier': its prob_a and prob_b do not fit its "
        "pairs of classes",
    ),
    (
        ml("Imputer", ["y"], replaced_value_float=0.5),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Imputer': it needs finite imputed values and one "
        "replaced value",
    ),
    (
        ml("Imputer", ["y"], imputed_value_floats=[math.nan]),
        Reason.MODEL_NOT_FINITE,
        "attribute 'imputed_value_floats' of operator 'Imputer' holds NaN or an infinity; what is "
        "proven is finite: store a number instead, and leave out the step that fills in missing "
        "values, which no input has",
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
        ml("Normalizer", ["y"], norm="L3"),
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Normalizer': there is no norm 'L3'",
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


def test_more_pairs_of_classes_than_are_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = machine(3, "RBF").SerializeToString()
    parse_untrusted(made)
    total = int(np.random.default_rng(3).integers(1, 4, 3).sum())
    monkeypatch.setattr(svm, "MOST_PAIRED", 3 * total - 1)
    message = (
        f"operator 'SVMClassifier' is not accepted: it has {total} support vectors and 3 pairs of "
        f"classes, whose product is above {3 * total - 1}; fit it with fewer support vectors"
    )
    with rejects(Reason.MODEL_OPERATOR_REFUSED, message):
        parse_untrusted(made)


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
