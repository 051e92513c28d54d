"""`model fix`: the mechanical ways out, told in words, and how far the outputs move."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from inferproof.cli.main import app
from inferproof.errors import InferproofError, ModelRejected, Reason
from inferproof.models.comparing import compare_with_file
from inferproof.models.drawing import drawn
from inferproof.models.fixing import fix_model
from inferproof.models.load import load_model
from inferproof.testing.rejections import rejects

RUNNER = CliRunner()
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
PROBABILITIES = "output 'p': a sequence of dictionaries → float32[1, 2]"


def exported(path: Path, scale: float = 2.0, *, outside: bool = False) -> Path:
    """As exporters write a classifier: an open batch axis, dictionaries, constants as nodes, a
    stored tensor that nothing uses, an output that is constant, and steps of training."""
    weights = numpy_helper.from_array(np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2), "w")
    unused = numpy_helper.from_array(np.zeros(2000, np.float32), "unused")
    nodes = [
        helper.make_node(
            "Scaler", ["x"], ["s"], "s", None, "ai.onnx.ml", offset=[0.5], scale=[scale]
        ),
        helper.make_node("MatMul", ["s", "w"], ["scores"]),
        helper.make_node("Constant", [], ["one"], value_float=1.0),
        helper.make_node("Mul", ["scores", "one"], ["same"]),
        helper.make_node("Softmax", ["same"], ["soft"], axis=1),
        helper.make_node("ArgMax", ["soft"], ["label"], axis=1, keepdims=0),
        helper.make_node(
            "ZipMap", ["soft"], ["p"], "z", None, "ai.onnx.ml", classlabels_int64s=[0, 1]
        ),
        helper.make_node("Identity", ["w"], ["about"]),
    ]
    zipped = helper.make_sequence_type_proto(
        helper.make_map_type_proto(INT, helper.make_tensor_type_proto(FLOAT, None))
    )
    outputs = [
        helper.make_tensor_value_info("label", INT, ["N"]),
        helper.make_value_info("p", zipped),
        helper.make_tensor_value_info("about", FLOAT, [3, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 3])],
        outputs,
        [weights, unused],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=sets, ir_version=8)
    model.training_info.add()
    onnx.save(model, path, save_as_external_data=outside, location="w.bin", size_threshold=8)
    return path


def test_what_an_exporter_writes_is_fixed_and_told(tmp_path: Path) -> None:
    fixed = fix_model(exported(tmp_path / "m.onnx"))
    assert set(fixed.changes) >= {
        "training steps: 1 left out",
        "output 'about': left out, depends on no input",
        "input 'x': float32[N, 3] → float32[1, 3]",
        PROBABILITIES,
        "operator ZipMap: 1 → 0, written as: the tensor whose columns it would name",
        "operator Scaler: 1 → 0, written as: Sub, Mul",
        "operator Constant: 1 → 0, kept as stored tensors",
    }
    assert [spec.name for spec in fixed.model.outputs] == ["label", "p"]
    # A runtime takes the fixed file as it is, and intake finds nothing more to change.
    (tmp_path / "f.onnx").write_bytes(fixed.model.onnx)
    onnx.checker.check_model(onnx.load(tmp_path / "f.onnx"), full_check=True)
    again = fix_model(tmp_path / "f.onnx")
    assert (again.changes, again.model.onnx) == ((), fixed.model.onnx)


def test_data_beside_the_file_is_built_in(tmp_path: Path) -> None:
    fixed = fix_model(exported(tmp_path / "m.onnx", outside=True))
    assert "tensors in files beside the model: 2 built in" in fixed.changes
    (tmp_path / "w.bin").unlink()
    (tmp_path / "f.onnx").write_bytes(fixed.model.onnx)
    assert load_model(tmp_path / "f.onnx").onnx == fixed.model.onnx


def test_outputs_are_kept_by_name(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.onnx")
    fixed = fix_model(path, ["label"])
    assert [spec.name for spec in fixed.model.outputs] == ["label"]
    assert "output 'p': left out, not asked for" in fixed.changes
    with rejects(
        Reason.MODEL_OUTPUT_UNKNOWN,
        "the model has no output 'q'; its outputs are: label, p, about",
        kind=ModelRejected,
    ):
        fix_model(path, ["q"])
    with pytest.raises(ModelRejected) as refused:
        fix_model(path, ["about"])
    assert refused.value.reason is Reason.MODEL_OUTPUT_NOT_COMPUTED


def test_the_largest_difference_is_that_of_the_two_models(tmp_path: Path) -> None:
    path, other = exported(tmp_path / "m.onnx"), exported(tmp_path / "o.onnx", scale=2.5)
    model = fix_model(path).model
    samples = drawn(model, {"": (-1.0, 1.0)}, 8)
    for item in compare_with_file(path, model, samples):
        assert (item.difference <= 1e-6, item.why_not) == (True, "")
        assert 0 < item.largest <= 1
    _, p = compare_with_file(other, model, samples)
    assert p.difference > 0.02


def test_the_tensors_of_a_sequence_are_compared_one_by_one(tmp_path: Path) -> None:
    def written(name: str, factor: float) -> Path:
        nodes = [
            helper.make_node("Mul", ["x", "factor"], ["a"]),
            helper.make_node("Neg", ["x"], ["b"]),
            helper.make_node("SequenceConstruct", ["a", "b"], ["s"]),
        ]
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", FLOAT, [1, 3])],
            [helper.make_tensor_sequence_value_info("s", FLOAT, None)],
            [numpy_helper.from_array(np.array(factor, np.float32), "factor")],
        )
        sets = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=8), tmp_path / name)
        return tmp_path / name

    fixed = fix_model(written("m.onnx", 2.0))
    assert "output 's_0': a part of a sequence → float32[1, 3]" in fixed.changes
    samples = drawn(fixed.model, {"": (-1.0, 1.0)}, 8)
    for item in compare_with_file(tmp_path / "m.onnx", fixed.model, samples):
        assert (item.difference, item.why_not) == (0.0, "")
    first, second = compare_with_file(written("o.onnx", 3.0), fixed.model, samples)
    assert first.difference > 0.1
    assert second.difference == 0.0


def test_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    path = exported(tmp_path / "m.onnx")
    model = fix_model(path).model
    samples = drawn(model, {"": (-1.0, 1.0)}, 2)
    (tmp_path / "o.onnx").write_bytes(b"")
    for item in compare_with_file(tmp_path / "o.onnx", model, samples):
        assert item.why_not.startswith("ONNX Runtime does not run both: ")


def test_the_command_writes_and_says_it(tmp_path: Path) -> None:
    source, target = exported(tmp_path / "m.onnx"), tmp_path / "f.onnx"
    words = ["model", "fix", str(source), "--out", str(target)]
    told = json.loads(RUNNER.invoke(app, [*words, "--json"]).stdout)
    assert PROBABILITIES in told["changes"]
    assert [(item["name"], item["why_not"]) for item in told["outputs"]] == [
        ("label", None),
        ("p", None),
    ]
    assert target.read_bytes() == fix_model(source).model.onnx
    shown = RUNNER.invoke(app, words)
    assert f"changed {PROBABILITIES}" in shown.stdout
    assert "differs label: 0, where the largest is 1" in shown.stdout
    np.savez(tmp_path / "s.npz", x=np.ones((40, 3), np.float32))
    given = RUNNER.invoke(app, [*words, "--calibration", str(tmp_path / "s.npz")])
    assert given.exit_code == 0, given.output
    np.savez(tmp_path / "s.npz", x=np.ones((40, 4), np.float32))
    assert RUNNER.invoke(app, [*words, "--calibration", str(tmp_path / "s.npz")]).exit_code == 1


@pytest.mark.parametrize("content", [b"", bytes(range(256)), b"\x3a\x00", b"\x3a\xff\xff\xff\x7f"])
def test_what_is_no_model_is_refused_and_nothing_written(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InferproofError):
        fix_model(tmp_path / "m.onnx")
    words = ["model", "fix", str(tmp_path / "m.onnx"), "--out", str(tmp_path / "f.onnx"), "--json"]
    assert RUNNER.invoke(app, words).exit_code == 1
    assert not (tmp_path / "f.onnx").exists()
