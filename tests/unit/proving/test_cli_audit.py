"""`model open`, `model audit` and `compile --opening`: from a compiled model to the auditor's
verdict, as the commands tell it."""

import json
import stat
from dataclasses import replace
from hashlib import sha256

import numpy as np
import onnx
import pytest
import typer
from onnx import numpy_helper
from small_models import calibration, mlp
from typer.testing import CliRunner

from inferproof.app.publishing import submissions
from inferproof.cli import model, offline, provider
from inferproof.cli.audit import salts_of
from inferproof.errors import ArtifactRejected, Reason
from inferproof.models.load import load_model
from inferproof.protocol.opening import decode_opening
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.proving.sumcheck.audit import COMMITMENT
from inferproof.services.models.submission import read_submission
from inferproof.testing.rejections import rejects

RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, model, provider):
    room.register(APP)
pytestmark = pytest.mark.native
CARD = """\
schema = "inferproof/model-card/1"
id = "fields"
version = "1.0.0"
title = "Fields"
description = "Four numbers in, three scores out."
category = "testing"
developer = "The inferproof authors"
license = "MIT"

[preprocessing]
kind = "vector"
input = "x"
clip = 8.0
fields = [
%s]

[files]
model = "m.onnx"

[input]
type = "vector"
max_bytes = 1000
examples = [{ title = "Ones", value = { a = 1, b = 1, c = 1, d = 1 } }]

[output]
type = "classification"
labels = ["x", "y", "z"]
unit = "score"

[proof]
system = "sumcheck"
input_visibility = "public"

[price]
amount = "0.25"
currency = "USDC"

[revenue]
developer_bps = 7000
platform_bps = 3000
"""
FIELD = (
    '  {{ name = "{}", type = "number", unit = "share", min = 0, max = 1, transform = "none", '
    "mean = 0, scale = 1 }},\n"
)
CARD %= "".join(map(FIELD.format, "abcd"))


def run(*arguments):
    return RUNNER.invoke(APP, [str(a) for a in arguments])


def run_json(*arguments):
    result = run(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, its samples, its compiled form, and the opening."""
    place = tmp_path_factory.mktemp("audit")
    mlp(place / "m.onnx", 4, 6, 3)
    np.savez(place / "X.npz", x=calibration(1, 4))
    code, _ = run_json(
        *("compile", place / "m.onnx", "--calibration", place / "X.npz", "--bits", 12),
        *("--out", place / "dir"),
    )
    assert code == 0
    code, told = run_json("model", "open", place / "dir", "--out", place / "opening.json")
    assert (code, told["opens"]) == (0, ["graph", "weights", "key"])
    return place


@pytest.fixture
def audited(folder):
    """The auditor's command on the published bundle, with other files where they are given."""

    def audit(file="m.onnx", opening="opening.json", samples="X.npz"):
        return (
            *("model", "audit", folder / file, folder / "dir" / "verifier.json"),
            *("--opening", folder / opening, "--calibration", folder / samples),
        )

    return audit


def _other_weights(folder, target):
    changed = onnx.load(folder / "m.onnx")
    tensor = changed.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 2, tensor.name))
    onnx.save(changed, target)
    return target


def test_the_published_model_agrees(folder, audited):
    code, told = run_json(*audited())
    assert code == 0
    compiled = run_json("model", "open", folder / "dir", "--out", folder / "again.json")[1]
    assert told["model_commitment"] == compiled["model_commitment"]
    assert {each["part"] for each in told["parts"]} >= {"graph", "weights", COMMITMENT}
    assert all(each["agrees"] is True and each["why"] is None for each in told["parts"])
    result = run(*audited())
    assert result.exit_code == 0
    assert f"{COMMITMENT} agrees" in " ".join(result.stdout.split())
    assert "DIFFERS" not in result.stdout


def test_another_file_is_a_failure_with_its_parts(folder, audited, tmp_path):
    other = _other_weights(folder, tmp_path / "other.onnx")
    code, told = run_json(*audited(file=other))
    assert (code, told["reason"]) == (1, "AUDIT_DIFFERS")
    agrees = {each["part"]: each["agrees"] for each in told["parts"]}
    assert (agrees["graph"], agrees["weights"], agrees[COMMITMENT]) == (True, False, False)
    result = run(*audited(file=other))
    assert result.exit_code == 1
    assert "weights DIFFERS" in " ".join(result.stdout.split())
    assert "AUDIT_DIFFERS" in result.stderr


def test_a_tampered_opening_is_refused(folder, audited, tmp_path):
    data = bytearray((folder / "opening.json").read_bytes())
    at = data.index(b'"salt":"0x') + 12
    data[at] = ord("1") if data[at] != ord("1") else ord("2")
    (tmp_path / "bad.json").write_bytes(bytes(data))
    code, told = run_json(*audited(opening=tmp_path / "bad.json"))
    assert (code, told["reason"]) == (1, "DOCUMENT_CHECKSUM")


def test_the_opening_of_another_compilation_is_refused(folder, audited, tmp_path):
    arguments = ("--calibration", folder / "X.npz", "--out", tmp_path / "dir")
    assert run_json("compile", folder / "m.onnx", *arguments)[0] == 0
    run_json("model", "open", tmp_path / "dir", "--out", tmp_path / "opening.json")
    code, told = run_json(*audited(opening=tmp_path / "opening.json"))
    assert (code, told["reason"]) == (1, "OPENING_OTHER_MODEL")


def test_one_part_can_be_opened_without_the_other(folder, audited, tmp_path):
    target = tmp_path / "graph.json"
    arguments = ("model", "open", folder / "dir", "--out", target, "--part", "graph")
    assert run_json(*arguments)[1]["opens"] == ["graph"]
    opening = decode_opening(target.read_bytes())
    assert opening.graph is not None
    assert opening.weights is None
    weights = load_model(folder / "m.onnx").weights_digest.hex
    assert weights not in target.read_text()
    assert weights in (folder / "opening.json").read_text()
    code, told = run_json(*audited(opening=target))
    parts = {each["part"]: each for each in told["parts"]}
    assert code == 0
    assert parts["weights"]["why"] == "the opening keeps it hidden"
    message = "the opening keeps the weights hidden; this takes one of graph and weights"
    with rejects(Reason.OPENING_PARTIAL, message, kind=ArtifactRejected):
        salts_of(target)


def test_only_the_owner_reads_an_opening(folder, tmp_path):
    for path in (folder / "dir" / "opening.json", folder / "opening.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    target = tmp_path / "wide.json"
    target.write_text("")
    target.chmod(0o644)
    run("model", "open", folder / "dir", "--out", target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_model_without_salts_cannot_be_opened(folder, tmp_path):
    arguments = ("model", "open", folder / "dir" / "verifier.json", "--out", tmp_path / "o.json")
    code, told = run_json(*arguments)
    assert (code, told["reason"]) == (1, "OPENING_MISSING")
    assert not (tmp_path / "o.json").exists()


def test_what_is_told_and_published_names_no_unsalted_digest(folder, tmp_path):
    loaded = load_model(folder / "m.onnx")
    target = tmp_path / "dir"
    told = run("compile", folder / "m.onnx", "--calibration", folder / "X.npz", "--out", target)
    public = (target / "verifier.json").read_text() + told.stdout + told.stderr
    for digest in (loaded.graph_digest, loaded.weights_digest):
        assert digest.raw.hex() not in public
        assert digest.raw.hex() in (target / "opening.json").read_text()


def test_compiling_with_the_opening_gives_the_published_model_under_another_key(folder, tmp_path):
    published = decode_bundle((folder / "dir" / "verifier.json").read_bytes())
    arguments = (*("compile", folder / "m.onnx", "--calibration", folder / "X.npz", "--bits", 12),)
    opened = ("--opening", folder / "opening.json")
    assert run_json(*arguments, "--out", tmp_path / "same", *opened)[0] == 0
    same = decode_bundle((tmp_path / "same" / "verifier.json").read_bytes())
    key = same.parts.verifying_key
    assert key != published.parts.verifying_key
    assert replace(published.parts, verifying_key=key) == same.parts
    assert run_json(*arguments, "--out", tmp_path / "new")[0] == 0
    new = decode_bundle((tmp_path / "new" / "verifier.json").read_bytes())
    assert {new.parts.graph, new.parts.weights}.isdisjoint((same.parts.graph, same.parts.weights))


def test_an_opening_is_of_one_size(folder, tmp_path):
    result = run(
        *("compile", folder / "m.onnx", "--range", "0:1", "--out", tmp_path / "d"),
        *("--shape", "tokens=4,6", "--opening", folder / "opening.json"),
    )
    assert result.exit_code == 2
    assert "one size at a time" in result.stderr


def _check_submission(folder):
    """What a gateway is sent has neither the file's digest nor those of graph and weights."""
    (made,) = submissions(folder, folder / "dir", SigningKey(b"\x05" * 32))
    public = made.document + read_submission(made.document).bundle_bytes
    loaded, file = load_model(folder / "m.onnx"), (folder / "m.onnx").read_bytes()
    for raw in (loaded.graph_digest.raw, loaded.weights_digest.raw, sha256(file).digest()):
        assert raw.hex().encode() not in public
        assert raw not in public


def test_a_model_of_a_card_is_audited_by_its_card(tmp_path):
    (tmp_path / "card.toml").write_text(CARD)
    mlp(tmp_path / "m.onnx", 4, 6, 3)
    code, told = run_json("provider", "compile", tmp_path, "--out", tmp_path / "dir")
    assert code == 0, told
    run("model", "open", tmp_path / "dir", "--out", tmp_path / "opening.json")
    arguments = (
        *("model", "audit", tmp_path, tmp_path / "dir" / "verifier.json"),
        *("--opening", tmp_path / "opening.json"),
    )
    code, told = run_json(*arguments)
    assert code == 0, told
    assert all(each["agrees"] for each in told["parts"])
    _check_submission(tmp_path)
    (tmp_path / "card.toml").write_text(CARD.replace("clip = 8.0", "clip = 7.0"))
    code, told = run_json(*arguments)
    assert (code, told["reason"]) == (1, "AUDIT_DIFFERS")
    assert "pre-processing" in told["message"]
    result = run(*arguments, "--calibration", tmp_path / "X.npz")
    assert result.exit_code == 2
    assert "a card names its own calibration samples" in result.stderr
