"""The native system on the command line: compile, prove, verify, inspect."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import typer
from small_models import JOB, PROVIDER, calibration, mlp
from typer.testing import CliRunner

from inferproof.cli import inspect, offline, verify
from inferproof.errors import NotFound, Reason
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.proving.sumcheck import library as door
from inferproof.proving.sumcheck.evidence import evidence_holds
from inferproof.proving.sumcheck.profiles import PROFILES
from inferproof.testing.rejections import rejects
from inferproof.verify.proof import SecurityReporter

RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, verify, inspect):
    room.register(APP)
pytestmark = pytest.mark.native


def run(*arguments):
    return RUNNER.invoke(APP, [str(a) for a in arguments])


def run_json(*arguments):
    result = run(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, its arrays, and its compiled form in each profile."""
    folder = tmp_path_factory.mktemp("cli")
    mlp(folder / "m.onnx", 4, 6, 3)
    np.savez(folder / "X.npz", x=calibration(1, 4))
    np.savez(folder / "I.npz", x=calibration(1, 4)[0])
    for profile in PROFILES:
        code, report = run_json(
            *("compile", folder / "m.onnx", "--calibration", folder / "X.npz"),
            *("--out", folder / profile, "--profile", profile),
        )
        assert code == 0, report
    return folder


@pytest.fixture(scope="module")
def proof(folder):
    """A proof by the model in the profile default."""
    out = folder / "proof"
    code, report = run_json(
        *("prove", folder / "default", "--input", folder / "I.npz", "--out", out),
        *("--repeat", 3, "--job-id", JOB, "--provider", PROVIDER),
    )
    assert code == 0, report
    assert 0 < report["witness_s"] < report["prove_s"]
    return out


def test_compile_prove_verify(folder, proof):
    assert run("verify", folder / "default", proof).exit_code == 0
    for other in set(PROFILES) - {"default"}:
        assert run("verify", folder / other, proof).exit_code == 1
    file = decode_proof_file(proof.read_bytes())
    changed = file.proof[:-1] + bytes([file.proof[-1] ^ 1])
    (folder / "forged").write_bytes(encode_proof_file(replace(file, proof=changed)))
    code, refused = run_json("verify", folder / "default", folder / "forged")
    assert (code, refused["reason"]) == (1, "PROOF_INVALID")


def test_verify_says_how_sound_a_proof_is_and_asks_for_a_least(folder, proof):
    given = ("verify", folder / "default", proof)
    code, report = run_json(*given)
    assert code == 0
    security = report["security"]
    assert security["profile"] == "default"
    assert security["provable_bits"] >= 100
    assert report["out_of_range"] == 0
    shown = run(*given).stdout
    assert "security  profile default, 10" in shown
    assert "provable bits" in shown
    assert run(*given, "--minimum-bits", 100, "--minimum-profile", "default").exit_code == 0
    code, report = run_json(*given, "--minimum-profile", "conservative")
    message = "the profile of the proof is default, at least conservative is asked for"
    assert (code, report["reason"], report["message"]) == (1, "POLICY_SECURITY", message)
    code, report = run_json(*given, "--minimum-bits", 128)
    assert (code, report["reason"]) == (1, "POLICY_SECURITY")
    assert run(*given, "--minimum-profile", "small").exit_code == 2


def test_the_security_report_itemises_a_hundred_bits(folder):
    for profile in PROFILES:
        _check_report(folder / profile, profile)


def _check_report(folder, profile):
    code, report = run_json("inspect", folder, "--security")
    assert code == 0
    assert set(report) == {"provable_bits", "profile", "terms", "shows_ranges"}
    assert report["profile"] == profile
    assert 100 <= report["provable_bits"] <= min(term["bits"] for term in report["terms"])
    assert {tuple(term) for term in report["terms"]} == {("name", "bits")}
    shown = run("inspect", folder, "--security")
    assert shown.exit_code == 0
    assert "provable bits" in shown.stdout
    assert f"sumcheck, profile {profile}" in shown.stdout
    assert report["terms"][0]["name"] in shown.stdout


def test_inspect_shows_what_is_committed_to(folder):
    code, report = run_json("inspect", folder / "default")
    assert (code, report["system"], report["setup"]) == (0, "sumcheck", "none")
    shown = run("inspect", folder / "default" / "verifier.json")
    assert shown.exit_code == 0
    assert report["model_commitment"] in shown.stdout
    code, report = run_json("inspect", folder / "nothing")
    assert (code, report["reason"]) == (1, "ARTIFACT_NOT_FOUND")


def test_without_the_native_module_no_other_system_takes_its_place(folder, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, door.NAME, raising=False)
    monkeypatch.setattr(door, "installed", lambda: ())
    code, report = run_json(
        *("compile", folder / "m.onnx", "--calibration", folder / "X.npz"),
        *("--out", tmp_path / "out"),
    )
    assert (code, report["reason"]) == (1, "MISSING_NATIVE")
    assert "make native" in report["message"]
    assert not (tmp_path / "out").exists()


def test_other_systems_have_no_itemised_account(ezkl_system, ezkl_compiled):
    assert not isinstance(ezkl_system, SecurityReporter)
    message = "proof system ezkl has no itemised account of its soundness; sumcheck has one"
    with rejects(Reason.SECURITY_NOT_ITEMISED, message, kind=NotFound):
        inspect.security_of(ezkl_system.verifier(ezkl_compiled))
    code, report = run_json("inspect", ezkl_compiled, "--security")
    assert (code, report) == (1, {"reason": "SECURITY_NOT_ITEMISED", "message": message})


def test_hashed_input_is_refused(folder, tmp_path):
    code, report = run_json(
        *("compile", folder / "m.onnx", "--calibration", folder / "X.npz"),
        *("--out", tmp_path / "out", "--system", "sumcheck", "--visibility", "hashed"),
    )
    assert (code, report["reason"]) == (1, "VISIBILITY_UNSUPPORTED")


def test_compiling_says_in_one_line_what_a_proof_will_show(tmp_path, monkeypatch):
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    shows = (
        "the input, the outputs, and what the key says (inspect --privacy); weights and what is "
        "computed in between are under one-time pads"
    )
    if not evidence_holds():
        shows += ", for which the evidence is not complete"
    mlp(tmp_path / "m.onnx", 4, 6, 3)
    arguments = ("compile", tmp_path / "m.onnx", "--range", "0:1", "--out", tmp_path / "dir")
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert f"a proof shows {shows} written to" in " ".join(done.stdout.split())
    assert run_json(*arguments)[1]["shows"] == shows
