"""Operators that find, put and resize elements, held to ONNX Runtime on random inputs."""

from typing import Any

import numpy as np
import pytest
from lowering import Array, close, model_of
from lowering import lowered as lowered_model
from onnx import helper

from inferproof.errors import Reason
from inferproof.proving.sumcheck.lower.compile import run
from inferproof.testing.rejections import rejects

RNG = np.random.default_rng(17)


def normal(*shape: int, samples: int = 3) -> Array:
    return RNG.standard_normal((samples, *shape)).astype(np.float32)


def constant(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def whole(low: int, high: int, *shape: int, samples: int = 4) -> Array:
    return RNG.integers(low, high, (samples, *shape))


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize(("size", "k"), [(40, 3), (9, 9), (6, 1)])
def test_top_k_by_rounds_and_by_ranks(size: int, k: int, largest: int) -> None:
    """Distinct elements far apart: places are exact."""
    x = np.stack([RNG.permutation(2 * size).reshape(2, size) for _ in range(3)])
    number = {"k": np.array([k])}
    close("TopK", {"x": x.astype(np.float32)}, number, outputs=2, largest=largest)
    turned = x.astype(np.float32).swapaxes(1, 2).copy()
    close("TopK", {"x": turned}, number, outputs=2, largest=largest, axis=0)


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize(("size", "k"), [(40, 4), (9, 7)])
def test_top_k_of_equal_elements_takes_the_first(size: int, k: int, largest: int) -> None:
    x = whole(0, 4, 3, size).astype(np.float32)
    close("TopK", {"x": x}, {"k": np.array([k])}, outputs=2, largest=largest, within=0)


def test_more_elements_to_find_than_a_proof_holds_are_refused() -> None:
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (TopK) has no form in whole numbers: it finds 300 of 65536 elements; supported "
        "is a smaller k, or fewer elements",
    ):
        close("TopK", {"x": normal(65536)}, {"k": np.array([300])}, outputs=2)


@pytest.mark.parametrize("how", ["none", "add", "mul", "max", "min"])
def test_elements_put_at_constant_places(how: str) -> None:
    x, u = {"x": normal(4, 5)}, normal(3, 5)
    places = np.stack([RNG.permutation(4)[:3] for _ in range(5)], 1)
    more = {} if how == "none" else {"reduction": how}
    model: dict[str, Any] = {"names": ["x", "i", "u"], "opset": 18, "within": 0.008, **more}
    close("ScatterElements", {**x, "u": u}, {"i": places}, axis=0, **model)
    close("ScatterElements", {**x, "u": u}, {"i": places - 4}, axis=0, **model)
    if how != "none":
        # Several in one place.
        again = RNG.integers(0, 4, (3, 5))
        close("ScatterElements", {**x, "u": u}, {"i": again}, axis=0, **model)
    rows = np.array([[3], [0]])
    close("ScatterND", {**x, "u": normal(2, 5)}, {"i": rows}, **model)
    close(
        "ScatterND",
        {"u": normal(2)},
        {"x": constant(4, 5), "i": np.array([[1, 2], [-1, 4]])},
        **model,
    )


@pytest.mark.parametrize("how", ["none", "add"])
def test_elements_put_at_computed_places(how: str) -> None:
    more: dict[str, Any] = {} if how == "none" else {"reduction": how}
    names = {"names": ["x", "i", "u"], "opset": 18}
    places = np.stack([np.stack([RNG.permutation(6)[:2] for _ in range(3)]) for _ in range(4)])
    inputs = {"x": normal(3, 6, samples=4), "i": places, "u": normal(3, 2, samples=4)}
    close("ScatterElements", inputs, axis=1, **names, **more)
    rows = np.stack([RNG.permutation(6)[:2].reshape(2, 1) for _ in range(4)])
    inputs = {"x": normal(6, 3, samples=4), "i": rows, "u": normal(2, 3, samples=4)}
    close("ScatterND", inputs, **names, **more)
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (ScatterND) has no form in whole numbers: its indices are computed and it takes "
        "the max; supported is reduction none or add",
    ):
        close("ScatterND", inputs, reduction="max", **names)


def test_places_picked_by_computed_indices() -> None:
    index = np.stack([whole(0, 3, 4), whole(-2, 4, 4)], axis=-1)
    close("GatherND", {"x": normal(3, 5, 2, samples=4), "i": index})
    batched = whole(0, 5, 2, 1)
    close("GatherND", {"x": normal(2, 5, 3, samples=4), "i": batched}, batch_dims=1)


def test_where_maxima_are_and_back() -> None:
    x = {"x": normal(1, 2, 6, 6)}
    shape = {"kernel_shape": [2, 2], "strides": [2, 2]}
    close("MaxPool", x, outputs=2, **shape)
    close("MaxPool", x, outputs=2, kernel_shape=[3, 2], pads=[1, 1, 0, 1], storage_order=1)
    nodes = [
        helper.make_node("MaxPool", ["x"], ["p", "i"], **shape),
        helper.make_node("MaxUnpool", ["p", "i"], ["y"], **shape),
    ]
    made, measured = lowered_model(model_of(nodes, x, ["y"]), x)
    for place, sample in enumerate(x["x"]):
        got = run(made, {"x": sample})["y"]
        np.testing.assert_allclose(got, measured.outputs["y"][place], atol=0.003)


def test_columns_become_an_image() -> None:
    shapes = {"size": np.array([5, 6]), "block": np.array([2, 3])}
    close("Col2Im", {"x": normal(1, 12, 16)}, shapes, opset=18)
    more = {"strides": [2, 1], "pads": [1, 0, 1, 0], "dilations": [1, 2]}
    close("Col2Im", {"x": normal(1, 6, 6)}, shapes, opset=18, **more)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize(
    "way",
    ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"],
)
@pytest.mark.parametrize("scale", [2.0, 0.6])
def test_resize(mode: str, way: str, scale: float) -> None:
    scales = np.array([1, 1, scale, 1.5], np.float32)
    more = {"mode": mode, "coordinate_transformation_mode": way}
    names = ["x", "", "s"]
    close("Resize", {"x": normal(1, 2, 5, 4)}, {"s": scales}, names=names, opset=19, **more)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_resize_of_a_smaller_result_that_is_smoothed(mode: str) -> None:
    scales = np.array([1, 1, 0.3, 0.55], np.float32)
    x, names = {"x": normal(1, 2, 12, 9)}, ["x", "", "s"]
    close("Resize", x, {"s": scales}, names=names, opset=19, mode=mode, antialias=1)
    alone = {"mode": "cubic", "exclude_outside": 1}
    close(
        "Resize", x, {"s": np.array([1, 1, 1.6, 0.7], np.float32)}, names=names, opset=19, **alone
    )


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_resize_to_sizes(policy: str) -> None:
    names, more = ["x", "", "", "s"], {"axes": [2, 3], "mode": "linear"}
    sizes = {"s": np.array([7, 9])}
    x = {"x": normal(1, 1, 4, 4)}
    close("Resize", x, sizes, names=names, opset=19, keep_aspect_ratio_policy=policy, **more)


def test_resize_of_a_part_with_a_number_around_it() -> None:
    region = np.array([0, 0, 0.2, -0.3, 1, 1, 0.9, 1.2], np.float32)
    more = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 2.5}
    sizes = {"r": region, "s": np.array([1, 1, 5, 7])}
    for mode in ("nearest", "linear"):
        x = {"x": normal(1, 1, 4, 5)}
        close("Resize", x, sizes, names=["x", "r", "", "s"], opset=13, mode=mode, **more)


@pytest.mark.parametrize("opset", [9, 10])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_before_opset_11(mode: str, opset: int) -> None:
    operator = "Upsample" if opset == 9 else "Resize"
    scales = {"s": np.array([1, 1, 2, 3], np.float32)}
    close(operator, {"x": normal(1, 2, 3, 4)}, scales, opset=opset, mode=mode)


def test_norms_of_windows_and_of_channels() -> None:
    x = {"x": normal(1, 5, 6, 7)}
    for p in (1, 2):
        close("LpPool", x, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], p=p)
        close("GlobalLpPool", x, p=p)
    close("LRN", x, size=3, alpha=0.3, beta=0.6, bias=1.5)
    close("LRN", x, size=5)
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (LpPool) has no form in whole numbers: its p is 3; supported is p = 1 or 2",
    ):
        close("LpPool", x, kernel_shape=[2, 2], p=3)


@pytest.mark.parametrize("parts", [1, 2])
def test_transforms_of_waves(parts: int) -> None:
    x = {"x": normal(2, 6, 3, parts)}
    close("DFT", x, axis=1)
    close("DFT", x, axis=2, inverse=1, within=0.005)
    axis = {"n": np.array(8), "a": np.array(1)}
    close("DFT", x, axis, opset=20, **({"onesided": 1} if parts == 1 else {}))


def test_transforms_of_frames() -> None:
    constants = {"hop": np.array(3), "w": constant(8), "n": np.array(8)}
    close("STFT", {"x": normal(2, 20, 1)}, constants, onesided=1)
    whole_ = {"hop": np.array(5), "n": np.array(10)}
    close("STFT", {"x": normal(1, 30, 1)}, whole_, names=["x", "hop", "", "n"], onesided=0)


@pytest.mark.parametrize("mode", ["linear", "circular"])
def test_slices_put_into_a_cache(mode: str) -> None:
    x = {"x": normal(2, 1, 5, 3), "u": normal(2, 1, 2, 3)}
    first = np.array([1, 4 if mode == "circular" else 3])
    close("TensorScatter", x, {"i": first}, opset=24, mode=mode)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("beyond", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("aligned", [0, 1])
def test_samples_at_constant_places(mode: str, beyond: str, aligned: int) -> None:
    grid = (RNG.random((2, 3, 4, 2)) * 2.8 - 1.4).astype(np.float32)
    more = {"mode": mode, "padding_mode": beyond, "align_corners": aligned}
    close("GridSample", {"x": normal(2, 2, 5, 6)}, {"g": grid}, opset=20, **more)
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (GridSample) has no form in whole numbers: its grid depends on the model's "
        "input; supported is a grid that is a constant of the model",
    ):
        close("GridSample", {"x": normal(2, 2, 5, 6), "g": np.stack([grid] * 3)}, opset=20)
