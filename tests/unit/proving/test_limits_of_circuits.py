"""Refusals that need a large circuit, made small by a lowered limit, and files of the commands."""

import numpy as np
import pytest
from small_models import calibration, mlp

from inferproof.cli.files import read_file, write_file
from inferproof.errors import InputRejected, ModelRejected, Reason, RequestRejected
from inferproof.models.arrays import read_arrays
from inferproof.models.load import load_model
from inferproof.proving.base import no_progress
from inferproof.proving.ezkl import tune as tuning
from inferproof.proving.ezkl.bench import Bench, Parameters
from inferproof.proving.ezkl.circuit import bind
from inferproof.proving.ezkl.reference import float_outputs
from inferproof.testing.rejections import rejects
from inferproof.types.proof import Visibility


@pytest.fixture
def bench(tmp_path):
    """A bench of a small model, with samples and their float answers."""
    model = load_model(mlp(tmp_path / "m.onnx", 4, 6, 3))
    graph = bind(model.onnx, model.inputs, Visibility.PUBLIC)
    made = Bench(tmp_path, graph, model.inputs, model.outputs, Visibility.PUBLIC)
    samples = [[array] for array in calibration(1, 4)]
    return made, samples, float_outputs(model.onnx, model.inputs, model.outputs, samples)


def test_a_circuit_beyond_the_limit_is_refused_before_keys_are_made(bench, monkeypatch):
    made, samples, expected = bench
    monkeypatch.setattr(tuning, "MAX_LOGROWS", 7)
    message = "the circuit needs 2^10 rows; at most 2^7 are supported"
    with rejects(Reason.CIRCUIT_TOO_LARGE, message, kind=ModelRejected):
        tuning.tune(made, samples, expected, 0.05, no_progress)


def test_a_tighter_bound_takes_a_larger_scale(bench):
    made, samples, expected = bench
    loose = tuning.tune(made, samples, expected, 0.1, no_progress)
    tight = tuning.tune(made, samples, expected, 0.0005, no_progress)
    assert tight.parameters.scale > loose.parameters.scale
    assert tight.score.relative <= 0.0005
    assert loose.score.relative <= 0.1


def test_the_chosen_circuit_is_smaller_than_ezkls_default(bench):
    made, samples, expected = bench
    tuned = tuning.tune(made, samples, expected, 0.05, no_progress)
    assert tuned.size.logrows < made.measure(Parameters(7, 14, 2)).logrows
    assert tuned.parameters.bits >= 18
    assert {"scale", "decomposition"} <= {trial["step"] for trial in tuned.trials}


def test_files_of_the_commands(tmp_path):
    none = tmp_path / "none"
    message = f"{none} cannot be read: no such file or directory"
    with rejects(Reason.FILE_UNREADABLE, message, kind=RequestRejected):
        read_file(none, 10)
    (tmp_path / "long").write_bytes(bytes(11))
    message = f"{tmp_path / 'long'} is larger than 10 bytes"
    with rejects(Reason.FILE_TOO_LARGE, message, kind=RequestRejected):
        read_file(tmp_path / "long", 10)
    out = none / "proof"
    message = f"{out} cannot be written: no such file or directory"
    with rejects(Reason.FILE_NOT_WRITTEN, message, kind=RequestRejected):
        write_file(out, b"")
    np.savez(tmp_path / "good.npz", x=np.zeros(3))
    assert read_arrays(tmp_path / "good.npz")["x"].shape == (3,)
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    message = (
        f"{tmp_path / 'bad.npz'} is not a readable .npz file of number arrays: "
        "File is not a zip file"
    )
    with rejects(Reason.NPZ_MALFORMED, message, kind=InputRejected):
        read_arrays(tmp_path / "bad.npz")
