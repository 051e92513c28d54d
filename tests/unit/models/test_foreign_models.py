"""Model files that this project did not make: the onnx package's own, and its operator cases."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from inferproof.errors import InferproofError, InputRejected, ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.models.parse import parse_untrusted

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
FILES = sorted(DATA.rglob("*.onnx"))


def read(data: bytes, folder: Path | None = None) -> LoadedModel | Reason:
    try:
        return parse_untrusted(data, folder=folder)
    except ModelRejected as rejected:
        return rejected.reason


@pytest.mark.slow
def test_every_shipped_file_is_a_model_or_a_typed_rejection():
    seen = Counter(
        "loaded" if isinstance(result, LoadedModel) else result.code
        for result in (read(path.read_bytes(), path.parent) for path in FILES)
    )
    assert len(FILES) > 100
    assert seen["MODEL_OPSET_UNSUPPORTED"] == 0
    assert seen["loaded"] >= 120


def sample(folder: Path, kind: str, number: int) -> np.ndarray:
    tensor = onnx.TensorProto()
    tensor.ParseFromString((folder / f"{kind}_{number}.pb").read_bytes())
    return numpy_helper.to_array(tensor)


@pytest.mark.slow
def test_old_exports_give_the_answers_that_were_shipped_with_them():
    """PyTorch exports of opset 6, converted on the way in."""
    agreed = 0
    for path in FILES:
        if not path.parent.parent.name.startswith("pytorch"):
            continue
        result = read(path.read_bytes())
        if isinstance(result, Reason):
            assert result is Reason.MODEL_OPSET_NOT_CONVERTED, path
            continue
        data = path.parent / "test_data_set_0"
        if result.as_float32:
            # Some of these hold numbers that float32 has not.
            continue
        inputs = {s.name: sample(data, "input", i) for i, s in enumerate(result.inputs)}
        try:
            answers = Session(result).run(inputs)
        except InputRejected:
            # These two are given negative numbers to take roots of.
            assert path.parent.name in ("test_operator_pow", "test_operator_sqrt")
            continue
        for i, spec in enumerate(result.outputs):
            expected = sample(data, "output", i)
            assert np.allclose(answers[spec.name], expected, atol=1e-3, rtol=1e-3), path
        agreed += 1
    assert agreed >= 100


@pytest.mark.parametrize(
    "name", ["light/light_squeezenet.onnx", "simple/test_sign_model/model.onnx"]
)
def test_shipped_file_through_the_sandbox(name: str):
    path = DATA / name
    loaded = load_model(path)
    assert loaded == parse_untrusted(path.read_bytes(), folder=path.parent)
    assert loaded.parameters > 1000 or loaded.nodes == 1


def plain(value: Any) -> np.ndarray:
    """The numbers of an example, some of which are stored tensors."""
    stored = isinstance(value, onnx.TensorProto)
    return numpy_helper.to_array(value) if stored else np.asarray(value)


@pytest.mark.slow
def test_operator_cases_run_with_the_shapes_that_were_inferred():
    """Each of the standard's operator examples that is accepted gives its expected output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    agreed = wrong = 0
    for case in cases:
        result = read(case.model.SerializeToString())
        if isinstance(result, Reason):
            continue
        names = [item.name for item in case.model.graph.input]
        wanted = {spec.name for spec in result.inputs}
        for given, expected in case.data_sets or []:
            arrays = {n: plain(v) for n, v in zip(names, given, strict=False) if n in wanted}
            try:
                answers = Session(result).run(arrays)
            except InferproofError:
                continue
            # A sequence of tensors is an output for each of them.
            flat = [
                one for told in expected for one in (told if isinstance(told, list) else [told])
            ]
            for spec, told in zip(result.outputs, flat, strict=True):
                right = numpy_helper.to_array(told) if isinstance(told, TensorProto) else told
                assert answers[spec.name].shape == spec.shape, case.name
                assert answers[spec.name].dtype.name == spec.dtype, case.name
                same = np.allclose(
                    answers[spec.name].astype("f8"),
                    plain(right).astype("f8"),
                    rtol=1e-2,
                    atol=1e-3,
                )
                agreed, wrong = agreed + same, wrong + (not same)
    assert wrong == 0
    assert agreed > 700
