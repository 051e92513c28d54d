"""The preflight report: ranges, agreement, and what each proof system says."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from inferproof.errors import MissingPart, ModelRejected, Reason
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import measure
from inferproof.models.parse import parse_untrusted
from inferproof.models.preflight import Quantised, SystemProbe, preflight
from inferproof.proving.base import Estimate
from inferproof.testing.rejections import rejects


@pytest.fixture
def model() -> LoadedModel:
    """y = relu(x·diag(1, -2)), log(relu) on the side."""
    w = np.array([[1, 0], [0, -2]], dtype="f4")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("Relu", ["a"], ["y"]),
            helper.make_node("Log", ["y"], ["l"]),
            helper.make_node("ReduceSum", ["l"], ["z"]),
            helper.make_node("IsInf", ["z"], ["flag"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2]),
            helper.make_tensor_value_info("flag", TensorProto.BOOL, None),
        ],
        [numpy_helper.from_array(w, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return parse_untrusted(made.SerializeToString())


SAMPLES = {"x": np.array([[[1.0, -3.0]], [[4.0, 0.5]], [[-2.0, -1.0]]], dtype="f4")}
ESTIMATE = Estimate(0.5, 0.01, 62_000_000, 17_000_000, 3100, 430_000)


def supports_all(_op: str) -> bool:
    return True


def test_measure(model: LoadedModel):
    measured = measure(model, SAMPLES)
    assert measured.samples == 3
    assert measured.outputs["y"].tolist() == [[[1, 6]], [[4, 0]], [[0, 2]]]
    ranges = {seen.name: seen for seen in measured.ranges}
    assert (ranges["x"].low, ranges["x"].high) == (-3.0, 4.0)
    product = model.values[0].name
    assert (ranges[product].low, ranges[product].high) == (-2.0, 6.0)
    assert ranges["y"].finite
    logarithm = ranges[model.values[2].name]
    assert not logarithm.finite
    assert logarithm.high == pytest.approx(np.log(6), abs=1e-6)


def test_report_without_calibration(model: LoadedModel):
    report = preflight(model, {"ezkl": SystemProbe(supports_all, estimate=lambda _m: ESTIMATE)})
    told = report.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["ranges"] == []
    assert told["parameters"] == 4
    assert told["systems"][0]["agreement"] is None
    assert told["systems"][0]["estimate"] == {
        "prove_s": 0.5,
        "verify_s": 0.01,
        "peak_bytes": 62_000_000,
        "key_bytes": 17_000_000,
        "proof_bytes": 3100,
        "verify_gas": 430_000,
    }


def test_unsupported_operator_is_named_and_nothing_else_asked(model: LoadedModel):
    def never(*_args):
        raise AssertionError("a system is not asked about a model that it cannot prove")

    probe = SystemProbe(lambda op: op != "Log", quantise=never, estimate=never)
    report = preflight(model, {"ezkl": probe, "other": SystemProbe(supports_all)}, SAMPLES)
    assert [(r.system, r.unsupported) for r in report.systems] == [
        ("ezkl", ("Log",)),
        ("other", ()),
    ]
    operators = {item["name"]: item["supported"] for item in report.to_json()["operators"]}
    assert operators["Log"] == {"ezkl": False, "other": True}
    assert operators["Relu"] == {"ezkl": True, "other": True}


@pytest.mark.parametrize(
    "error",
    [
        MissingPart(Reason.MISSING_NATIVE),
        ModelRejected(Reason.CIRCUIT_REFUSED, system="s", why="it is too large"),
    ],
    ids=["not installed", "refused"],
)
def test_what_one_system_refuses_the_others_may_take(model: LoadedModel, error):
    def refuse(_model, _calibration):
        raise error

    def quantise(_model, _calibration):
        return Quantised({"y": SAMPLES["x"], "flag": np.ones((3, 1, 1), dtype=bool)}, ESTIMATE)

    probes = {"s": SystemProbe(supports_all, refuse), "t": SystemProbe(supports_all, quantise)}
    refused, taken = preflight(model, probes, SAMPLES).systems
    assert refused.refused == {"reason": error.code, "message": error.message}
    assert (refused.supported, refused.agreement, refused.estimate) == (False, None, None)
    assert (taken.supported, taken.refused) == (True, None)
    assert taken.estimate is not None


def test_agreement(model: LoadedModel):
    y = np.array([[[1.0, 6.5]], [[4.0, 0.0]], [[3.0, 2.0]]])
    flags = np.ones((3, 1, 1), dtype=bool)

    def quantise(_model, calibration):
        assert calibration is SAMPLES
        return Quantised({"y": y, "flag": flags}, ESTIMATE)

    labels = np.array([1, 0, 0])
    report = preflight(model, {"s": SystemProbe(supports_all, quantise)}, SAMPLES, labels)
    agreement = report.systems[0].agreement
    assert agreement is not None
    assert agreement.max_error == 3.0
    assert agreement.relative_error == 0.5
    assert agreement.same_choice == pytest.approx(2 / 3)
    assert agreement.float_accuracy == pytest.approx(2 / 3)
    assert agreement.quantised_accuracy == 1.0
    assert report.systems[0].estimate is not None
    assert report.samples == 3


@pytest.mark.parametrize(
    ("arrays", "reason", "message"),
    [
        ({}, Reason.INPUT_MISSING_FIELD, "the input lacks the field x"),
        (
            {**SAMPLES, "z": SAMPLES["x"]},
            Reason.INPUT_UNKNOWN_FIELD,
            "the input has the unknown field z; the fields are: x",
        ),
        (
            {"x": SAMPLES["x"][:, :, :1]},
            Reason.INPUT_SHAPE_MISMATCH,
            "input x has shape [3, 1, 1]; this model takes [3, 1, 2] or [3, 2]",
        ),
        (
            {"x": SAMPLES["x"][:0]},
            Reason.INPUT_SHAPE_MISMATCH,
            "input x has shape [0, 1, 2]; this model takes [samples, 1, 2] or [samples, 2]",
        ),
        (
            {"x": SAMPLES["x"].astype("f8")},
            Reason.INPUT_TYPE_MISMATCH,
            "input x must be float32, got float64",
        ),
        (
            {"x": SAMPLES["x"] * np.inf},
            Reason.INPUT_NOT_FINITE,
            "input x holds a NaN or an infinity",
        ),
    ],
)
def test_calibration_is_checked(model: LoadedModel, arrays, reason: Reason, message: str):
    with rejects(reason, message):
        measure(model, arrays)


def test_calibration_may_be_stacked_along_the_batch_axis(model: LoadedModel):
    assert measure(model, {"x": SAMPLES["x"][:, 0]}).ranges == measure(model, SAMPLES).ranges
