"""Models that were quantised before keep their own steps and weights in the integer graph."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.proving.sumcheck.lower.compile import run
from inferproof.proving.sumcheck.lower.units import units_of
from inferproof.testing.rejections import rejects
from suites.lowering import lowered, model_of

SAMPLES = 24


def steps_between(name: str, scale: float, zero: int, constants: dict[str, np.ndarray]) -> list:
    """QuantizeLinear and DequantizeLinear of a value, to `name` with a prime."""
    constants[f"{name}_s"] = np.array(scale, "f4")
    constants[f"{name}_z"] = np.array(zero, "u1")
    given = [f"{name}_s", f"{name}_z"]
    return [
        helper.make_node("QuantizeLinear", [name, *given], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", *given], [f"{name}'"]),
    ]


def weights_of(rows: int, shape: tuple[int, ...], constants: dict[str, np.ndarray], name: str):
    """A node that dequantises int8 weights: one scale, or one for each of the rows."""
    rng = np.random.default_rng(rows + len(shape))
    whole = rng.integers(-127, 128, shape).astype("i1")
    constants[name] = whole
    scale = rng.uniform(0.004, 0.02, rows).astype("f4")
    constants[f"{name}_s"] = scale if rows > 1 else scale[0]
    return whole, helper.make_node("DequantizeLinear", [name, f"{name}_s"], [f"{name}'"], axis=0)


def dense(per_row: bool) -> tuple[ModelProto, dict[str, np.ndarray], bytes]:
    """x in steps, Gemm, Relu, steps, Gemm; and the weights as one file."""
    constants: dict[str, np.ndarray] = {"b": np.random.default_rng(1).normal(size=12).astype("f4")}
    first, one = weights_of(12 if per_row else 1, (12, 9), constants, "w")
    second, other = weights_of(5 if per_row else 1, (5, 12), constants, "v")
    nodes = [
        *steps_between("x", 0.02, 128, constants),
        one,
        helper.make_node("Gemm", ["x'", "w'", "b"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        *steps_between("r", 0.03, 0, constants),
        other,
        helper.make_node("Gemm", ["r'", "v'"], ["z"], transB=1),
        *steps_between("z", 0.08, 120, constants),
        helper.make_node("Identity", ["z'"], ["y"]),
    ]
    x = np.random.default_rng(2).normal(size=(SAMPLES, 1, 9)).astype("f4")
    file = first.tobytes() + second.tobytes()
    return model_of(nodes, {"x": x}, ["y"], constants), {"x": x}, file


def exact_share(model: ModelProto, samples: dict[str, np.ndarray], step: float) -> float:
    """How many outputs are the very step that ONNX Runtime rounds to; none is two steps off."""
    made, measured = lowered(model, samples)
    share = []
    for place in range(SAMPLES):
        got = run(made, {name: array[place] for name, array in samples.items()})["y"]
        off = np.abs(got - measured.outputs["y"][place]) / step
        assert off.max() < 1.5
        share.append(float((off < 0.5).mean()))
    return float(np.mean(share))


@pytest.mark.parametrize("per_row", [False, True])
def test_weights_are_committed_as_they_are(per_row: bool) -> None:
    model, samples, file = dense(per_row)
    made, _ = lowered(model, samples)
    assert made.weights == file
    # The file's own order of whole products, sums and one rescaling.
    operations = [type(node.op).__name__ for node in made.graph.nodes]
    assert operations.count("Linear") == 2
    assert "Lookup" not in operations
    assert exact_share(model, samples, 0.08) > 0.97


def test_other_weights_are_rounded_anew() -> None:
    model, samples, file = dense(False)
    for item in model.graph.initializer:
        if item.name == "w_s":
            # A scale for each column is one for no row.
            scale = np.random.default_rng(3).uniform(0.01, 0.02, 9).astype("f4")
            item.CopyFrom(helper.make_tensor("w_s", 1, [9], scale))
    for node in model.graph.node:
        if node.input[0] == "w":
            node.attribute[0].i = 1
    made, _ = lowered(model, samples)
    assert len(made.weights) == len(file)
    assert made.weights[: 12 * 9] != file[: 12 * 9]
    assert made.weights[12 * 9 :] == file[12 * 9 :]


@pytest.mark.parametrize("per_row", [False, True])
def test_convolutions(per_row: bool) -> None:
    constants: dict[str, np.ndarray] = {}
    whole, node = weights_of(6 if per_row else 1, (6, 2, 3, 3), constants, "w")
    nodes = [
        *steps_between("x", 0.03, 120, constants),
        node,
        helper.make_node("Conv", ["x'", "w'"], ["c"], pads=[1, 1, 1, 1], group=2),
        helper.make_node("Relu", ["c"], ["h"]),
        helper.make_node("MaxPool", ["h"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        *steps_between("m", 0.05, 0, constants),
        helper.make_node("Identity", ["m'"], ["y"]),
    ]
    x = np.random.default_rng(4).normal(size=(SAMPLES, 1, 4, 6, 6)).astype("f4")
    model = model_of(nodes, {"x": x}, ["y"], constants)
    made, _ = lowered(model, {"x": x})
    assert made.weights == whole.tobytes()
    assert exact_share(model, {"x": x}, 0.05) > 0.97


def test_dynamic_quantisation() -> None:
    weights = np.random.default_rng(5).integers(-127, 128, (9, 6)).astype("i1")
    constants = {"w": weights, "s": np.array(0.01, "f4")}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "u", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=1),
        helper.make_node("Mul", ["u", "s"], ["us"]),
        helper.make_node("Mul", ["f", "us"], ["y"]),
    ]
    x = np.random.default_rng(6).normal(size=(SAMPLES, 3, 9)).astype("f4")
    model = model_of(nodes, {"x": x}, ["y"], constants)
    made, measured = lowered(model, {"x": x})
    assert made.weights == np.ascontiguousarray(weights.T).tobytes()
    step = float(np.abs(x).max()) * 2 / 255 * 127 * 0.01
    for place in range(SAMPLES):
        got = run(made, {"x": x[place]})["y"]
        assert np.abs(got - measured.outputs["y"][place]).max() < 1.1 * step


@pytest.mark.parametrize("spread", [3.0, 300.0])
def test_round(spread: float) -> None:
    x = (np.random.default_rng(7).normal(size=(SAMPLES, 1, 40)) * spread).astype("f4")
    model = model_of([helper.make_node("Round", ["x"], ["y"])], {"x": x}, ["y"])
    made, measured = lowered(model, {"x": x})
    wrong = 0
    for place in range(SAMPLES):
        got = run(made, {"x": x[place]})["y"]
        off = np.abs(got - measured.outputs["y"][place])
        assert off.max() <= 1.0
        wrong += int((off > 0).sum())
    assert wrong < SAMPLES * 40 * 0.05


@given(
    st.lists(st.integers(-127, 127), min_size=8, max_size=40),
    st.floats(2.0**-20, 2.0**20, width=32),
)
def test_whole_multiples_have_a_unit(counts: list[int], scale: float) -> None:
    stored = np.array(counts, "f4") * np.float32(scale)
    units = units_of(stored.astype("f8")[None])
    assert units is not None
    whole = stored / units[0]
    assert np.abs(whole - np.rint(whole)).max() < 1e-3
    assert np.abs(whole).max() <= 127.5


@given(st.integers(0, 2**32 - 1))
def test_other_numbers_have_none(seed: int) -> None:
    assert units_of(np.random.default_rng(seed).normal(size=(3, 24))) is None


@pytest.mark.parametrize("size", [1e-30, 1e-6, 1e6, 1e30])
@pytest.mark.parametrize("weight", [1e-20, 1.0, 1e20])
def test_steps_of_any_size(size: float, weight: float) -> None:
    """What saturates, or is nothing beside a step, does so here as well."""
    constants = {"w": np.array([[weight], [-weight]], "f4")}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        *steps_between("h", size, 7, constants),
        helper.make_node("Identity", ["h'"], ["y"]),
    ]
    x = np.random.default_rng(8).normal(size=(SAMPLES, 1, 2)).astype("f4")
    assert exact_share(model_of(nodes, {"x": x}, ["y"], constants), {"x": x}, size) > 0.9


def test_steps_without_a_size_are_refused() -> None:
    constants: dict[str, np.ndarray] = {}
    nodes = [
        *steps_between("x", 0.0, 7, constants),
        helper.make_node("Identity", ["x'"], ["y"]),
    ]
    x = np.ones((SAMPLES, 1, 2), "f4")
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'x_q' (QuantizeLinear) has no form in whole numbers: its scale is not above 0; "
        "supported is a scale above 0",
    ):
        lowered(model_of(nodes, {"x": x}, ["y"], constants), {"x": x})


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_an_input_in_steps_may_have_any(dtype: str) -> None:
    """Whatever part of its range the calibration data shows."""
    limits = np.iinfo(dtype)
    constants = {
        "s": np.array(0.02, "f4"),
        "z": np.array(3, dtype),
        "w": np.array([[0.5], [-0.25]], "f4"),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    seen = np.full((3, 1, 2), 5, dtype)
    made, _ = lowered(model_of(nodes, {"x": seen}, ["y"], constants), {"x": seen})
    (item,) = made.settings.inputs
    assert (item.lo, item.hi) == (limits.min, limits.max)
    ends = np.array([[limits.min, limits.max]], dtype)
    real = (ends.astype("f4") - 3) * 0.02
    np.testing.assert_allclose(run(made, {"x": ends})["y"], real @ constants["w"], atol=1e-4)


def test_a_place_in_a_table_may_not() -> None:
    table = np.random.default_rng(9).normal(size=(6, 2)).astype("f4")
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=7),
        helper.make_node("Gather", ["t", "i"], ["y"]),
    ]
    seen = np.array([[1, 2]] * 3, "u1")
    made, _ = lowered(model_of(nodes, {"x": seen}, ["y"], {"t": table}), {"x": seen})
    (item,) = made.settings.inputs
    assert (item.lo, item.hi) == (0, 5)


@pytest.mark.parametrize("side", [0, 1])
def test_what_is_added_behind_a_product_is_added_before_rounding(side: int) -> None:
    rng = np.random.default_rng(10)
    constants = {
        "w": rng.integers(-127, 128, (4, 4)).astype("f4") * np.float32(0.01),
        "c": rng.normal(size=(4, 4)).astype("f4") * 40,
    }
    operands = ["x", "w"] if side else ["w", "x"]
    nodes = [
        helper.make_node("Gemm", [*operands, "c"], ["h"]),
        *steps_between("h", 0.5, 128, constants),
        helper.make_node("Identity", ["h'"], ["y"]),
    ]
    x = rng.normal(size=(SAMPLES, 4, 4)).astype("f4")
    assert exact_share(model_of(nodes, {"x": x}, ["y"], constants), {"x": x}, 0.5) > 0.97


def test_sizes_that_binary64_does_not_hold_are_refused() -> None:
    constants = {"s": np.array(1e-38, "f4"), "one": np.array(1.0, "f4")}
    nodes = [helper.make_node("Identity", ["x"], ["y0"])]
    nodes += [helper.make_node("Mul", [f"y{i}", "s"], [f"y{i + 1}"]) for i in range(3)]
    nodes.append(helper.make_node("Add", ["y3", "one"], ["y"]))
    x = np.ones((SAMPLES, 1, 2), "f4")
    with pytest.raises(ModelRejected, match="its numbers are far too large or too small") as told:
        lowered(model_of(nodes, {"x": x}, ["y"], constants), {"x": x})
    assert told.value.reason is Reason.LOWERING_UNSUPPORTED
