"""compile, prove, verify on the command line: JSON keys, exit codes, messages."""

import json
import zipfile

import numpy as np
import pytest
import typer
from small_models import JOB, PROVIDER, calibration, mlp
from typer.testing import CliRunner

from inferproof.cli import offline, verify
from inferproof.models import arrays

RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, verify):
    room.register(APP)


def run(*arguments):
    return RUNNER.invoke(APP, [str(a) for a in arguments])


def run_json(*arguments):
    result = run(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model, its arrays, its compiled form and a proof, all made by the commands."""
    folder = tmp_path_factory.mktemp("cli")
    mlp(folder / "m.onnx", 4, 6, 3)
    np.savez(folder / "X.npz", x=calibration(1, 4))
    np.savez(folder / "I.npz", x=calibration(1, 4)[0])
    compiled = run_json(
        *("compile", folder / "m.onnx", "--calibration", folder / "X.npz"),
        *("--out", folder / "dir", "--system", "ezkl"),
    )
    proved = run_json(
        *("prove", folder / "dir", "--input", folder / "I.npz", "--out", folder / "proof"),
        *("--repeat", 2, "--job-id", JOB, "--provider", PROVIDER),
    )
    return folder, compiled, proved


def test_compile_reports(files):
    _, (code, report), _ = files
    assert code == 0
    assert {"model_commitment", "parameters", "compile_s", "key_bytes", "peak_mb"} <= set(report)
    assert report["parameters"] == 4 * 6 + 6 + 6 * 3 + 3
    assert report["peak_mb"] > 20
    assert report["setup"] == "development"


def test_prove_reports(files):
    folder, _, (code, report) = files
    assert code == 0
    names = {"outputs", "load_s", "witness_s", "prove_s", "proof_bytes", "peak_mb"}
    assert names <= set(report)
    assert np.shape(report["outputs"]["y"]) == (1, 3)
    assert report["proof_bytes"] == (folder / "proof").stat().st_size
    assert 0 < report["witness_s"] < report["prove_s"]


def test_a_proof_that_is_repeated_tells_of_each_round_by_one_line(files):
    folder, _, _ = files
    proved = run(
        *("prove", folder / "dir", "--input", folder / "I.npz"),
        *("--out", folder / "again", "--repeat", 2),
    )
    assert proved.exit_code == 0
    rounds = [line for line in proved.stderr.splitlines() if "again" in line]
    assert rounds == ["proving: again, 1 of 2", "proving: again, 2 of 2"]
    assert proved.stderr.count("loading keys") <= 1


def test_verify_reports(files):
    folder, (_, compiled), (_, proved) = files
    code, report = run_json("verify", folder / "dir", folder / "proof")
    assert code == 0
    assert report["verified"] is True
    assert report["verify_s"] > 0
    assert report["assurance"] == "zk-integrity"
    assert report["outputs"] == proved["outputs"]
    assert report["job_id"] == JOB.hex
    assert report["provider"] == PROVIDER.hex
    assert report["model_commitment"] == compiled["model_commitment"]


def test_verify_needs_only_the_bundle(files):
    folder, _, _ = files
    assert run_json("verify", folder / "dir" / "verifier.json", folder / "proof")[0] == 0


def test_people_get_a_sentence(files):
    folder, _, _ = files
    result = run("verify", folder / "dir", folder / "proof")
    assert result.exit_code == 0
    assert "verified in" in result.stdout
    assert "zk-integrity" in result.stdout


def test_a_flipped_bit_is_rejected_with_a_reason(files, tmp_path):
    folder, _, _ = files
    data = bytearray((folder / "proof").read_bytes())
    data[len(data) // 3] ^= 2
    (tmp_path / "bad").write_bytes(bytes(data))
    code, report = run_json("verify", folder / "dir", tmp_path / "bad")
    assert code == 1
    assert set(report) == {"reason", "message"}
    result = run("verify", folder / "dir", tmp_path / "bad")
    assert result.exit_code == 1
    assert report["reason"] in result.stderr


def test_missing_files_are_rejections(files, tmp_path):
    folder, _, _ = files
    none = tmp_path / "none"
    assert run_json("verify", folder / "dir", none) == (
        1,
        {
            "reason": "FILE_UNREADABLE",
            "message": f"{none} cannot be read: no such file or directory",
        },
    )
    code, report = run_json("verify", none, folder / "proof")
    assert (code, report["reason"]) == (1, "ARTIFACT_NOT_FOUND")
    code, report = run_json("prove", none, "--input", folder / "I.npz", "--out", none)
    assert (code, report["reason"]) == (1, "ARTIFACT_NOT_FOUND")
    code, report = run_json("prove", folder / "dir", "--input", none, "--out", none)
    assert (code, report["reason"]) == (1, "NPZ_MALFORMED")


def test_an_unwritable_proof_is_a_rejection(files, tmp_path):
    folder, _, _ = files
    out = tmp_path / "no" / "proof"
    code, report = run_json("prove", folder / "dir", "--input", folder / "I.npz", "--out", out)
    message = f"{out} cannot be written: no such file or directory"
    assert (code, report) == (1, {"reason": "FILE_NOT_WRITTEN", "message": message})


def test_a_receipts_and_a_models_arguments_do_not_mix(files):
    folder, _, _ = files
    assert run("verify").exit_code == 2
    result = run("verify", folder / "dir", folder / "proof", "--on-chain", "http://127.0.0.1:1")
    assert result.exit_code == 2


def test_srs_and_its_digest_go_together(files, tmp_path):
    folder, _, _ = files
    result = run(
        *("compile", folder / "m.onnx", "--calibration", folder / "X.npz"),
        *("--out", tmp_path / "out", "--srs", folder / "X.npz"),
    )
    assert result.exit_code == 2


def test_an_unknown_system_is_a_rejection(files, tmp_path):
    folder, _, _ = files
    code, report = run_json(
        *("compile", folder / "m.onnx", "--calibration", folder / "X.npz"),
        *("--out", tmp_path / "out", "--system", "magic"),
    )
    assert (code, report["reason"]) == (1, "SYSTEM_UNKNOWN")


def test_arrays_of_objects_are_not_unpickled(files, tmp_path):
    folder, _, _ = files
    path = tmp_path / "evil.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    code, report = run_json("prove", folder / "dir", "--input", path, "--out", tmp_path / "p")
    assert (code, report["reason"]) == (1, "NPZ_MALFORMED")
    assert report["message"].endswith("x.npy holds Python objects, which are never loaded")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip at all"])
def test_other_files_are_no_arrays(files, tmp_path, data):
    folder, _, _ = files
    path = tmp_path / "bad.npz"
    path.write_bytes(data)
    code, report = run_json("prove", folder / "dir", "--input", path, "--out", tmp_path / "p")
    message = f"{path} is not a readable .npz file of number arrays: File is not a zip file"
    assert (code, report) == (1, {"reason": "NPZ_MALFORMED", "message": message})


def test_an_archive_that_unpacks_to_terabytes_is_refused(files, tmp_path, monkeypatch):
    folder, _, _ = files
    monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", 1000)
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(10**6))
    code, report = run_json("prove", folder / "dir", "--input", path, "--out", tmp_path / "p")
    assert code == 1
    assert report["message"].endswith("it unpacks to 1000000 bytes, the limit is 1000")
