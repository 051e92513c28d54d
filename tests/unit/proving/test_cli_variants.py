"""One model compiled for several sizes: which one commands take, and what is offered."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import typer
from onnx import TensorProto, helper, numpy_helper, save
from typer.testing import CliRunner

from inferproof.app.publishing import install_model, submissions
from inferproof.cli import inspect, model, offline, provider, verify
from inferproof.cli.compiled import model_for_input, place_of
from inferproof.errors import Reason, RequestRejected
from inferproof.models.arrays import read_arrays
from inferproof.models.axes import choices
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.services.models.submission import read_submission
from inferproof.settings import Settings
from inferproof.testing.rejections import rejects

RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, verify, inspect, provider, model):
    room.register(APP)
pytestmark = pytest.mark.native
KEY = SigningKey(b"\x05" * 32)
CARD = """\
schema = "inferproof/model-card/1"
id = "words"
version = "1.0.0"
title = "Words"
description = "Token numbers in, two scores out."
category = "testing"
developer = "The inferproof authors"
license = "MIT"

[preprocessing]
kind = "tensor"
inputs = [{ name = "ids", shape = [1, "tokens"], min = 0, max = 19 }]

[files]
model = "m.onnx"
calibration = "X.npz"

[input]
type = "tensor"
max_bytes = 1000
shape = { tokens = [4, 6] }
examples = [
  { title = "Four", value = [[1, 2, 3, 4]] },
  { title = "Six", value = { ids = [[1, 2, 3, 4, 5, 6]] } },
]

[output]
type = "classification"
labels = ["fine", "fraud"]
unit = "score"

[price]
amount = "0.25"
currency = "USDC"

[proof]
system = "sumcheck"
input_visibility = "public"

[revenue]
developer_bps = 7000
platform_bps = 3000
"""


def run(*words: object) -> tuple[int, dict[str, Any]]:
    result = RUNNER.invoke(APP, [*map(str, words), "--json"])
    return result.exit_code, json.loads(result.stdout)


def refused(reason: str, *words: object) -> str:
    code, told = run(*words)
    assert (code, told["reason"]) == (1, reason), told
    return str(told["message"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that averages embeddings, with its card, samples and inputs of several lengths."""
    made = tmp_path_factory.mktemp("variants")
    rng = np.random.default_rng(4)
    weights = {"table": rng.normal(size=(20, 4)), "w": rng.normal(size=(4, 2))}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["e"]),
        helper.make_node("ReduceMean", ["e"], ["m"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "tokens"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(v.astype("f4"), k) for k, v in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), made / "m.onnx")
    np.savez(made / "X.npz", ids=rng.integers(0, 20, (40, 1, 6)))
    for length in (4, 5, 6):
        np.savez(made / f"{length}.npz", ids=rng.integers(0, 20, (1, length)))
    (made / "card.toml").write_text(CARD)
    return made


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    code, told = run(
        *("compile", folder / "m.onnx", "--calibration", folder / "X.npz"),
        *("--shape", "tokens=4,6", "--out", folder / "all"),
    )
    assert code == 0, told
    places = [each["out"] for each in told["variants"]]
    assert places == [str(folder / "all" / f"tokens-{size}") for size in (4, 6)]
    assert len({each["model_commitment"] for each in told["variants"]}) == 2
    return folder / "all"


@pytest.fixture(scope="module")
def carded(folder: Path) -> Path:
    code, told = run("provider", "compile", folder, "--out", folder / "carded")
    assert code == 0, told
    assert len(told["variants"]) == 2
    return folder / "carded"


def commitment(place: Path) -> str:
    return decode_bundle((place / "verifier.json").read_bytes()).commitment.hex


@pytest.mark.parametrize("size", [4, 6])
def test_the_input_and_the_proof_say_which_is_meant(
    folder: Path, compiled: Path, size: int
) -> None:
    given, proof = folder / f"{size}.npz", folder / f"{size}.proof"
    code, proved = run("prove", compiled, "--input", given, "--out", proof)
    assert code == 0, proved
    session = onnxruntime.InferenceSession(folder / "m.onnx", providers=["CPUExecutionProvider"])
    (exact,) = session.run(None, dict(np.load(given)))
    np.testing.assert_allclose(proved["outputs"]["y"], exact, atol=0.02)
    code, verified = run("verify", compiled, proof)
    assert (code, verified["verified"]) == (0, True)
    assert verified["model_commitment"] == commitment(compiled / f"tokens-{size}")
    # Each is a compiled model like any other.
    assert run("verify", compiled / f"tokens-{size}", proof)[0] == 0
    assert run("inspect", compiled / f"tokens-{size}")[0] == 0


def test_no_size_is_taken_for_another(folder: Path, compiled: Path) -> None:
    given = folder / "5.npz"
    with rejects(
        Reason.INPUT_NO_VARIANT,
        f"no model in {compiled} takes ids [1, 5]; tokens-4 takes ids [1, 4]; "
        "tokens-6 takes ids [1, 6]",
    ):
        model_for_input(compiled, lambda: read_arrays(given))
    refused("INPUT_NO_VARIANT", "prove", compiled, "--input", given, "--out", folder / "no")
    proof = folder / "six.proof"
    run("prove", compiled / "tokens-6", "--input", folder / "6.npz", "--out", proof)
    refused("PROOF_OTHER_MODEL", "verify", compiled / "tokens-4", proof)


def test_a_proof_of_none_of_them(folder: Path, compiled: Path, carded: Path) -> None:
    proof = folder / "carded.proof"
    run("prove", carded, "--input", folder / "6.npz", "--out", proof)
    model = commitment(carded / "tokens-6")
    assert refused("PROOF_OTHER_MODEL", "verify", compiled, proof) == (
        f"the proof is for model {model}, not for any in {compiled}"
    )
    assert run("verify", carded, proof)[0] == 0


def test_two_that_take_the_same_input(folder: Path, compiled: Path, tmp_path: Path) -> None:
    for name in ("one", "other", ".under-way"):
        shutil.copytree(compiled / "tokens-4", tmp_path / name)
    given = folder / "4.npz"
    with rejects(
        Reason.INPUT_SEVERAL_VARIANTS,
        f"several models in {tmp_path} take this input, name one of them: one, other",
    ):
        model_for_input(tmp_path, lambda: read_arrays(given))
    words = ("--input", given, "--out", tmp_path / "proof")
    refused("INPUT_SEVERAL_VARIANTS", "prove", tmp_path, *words)
    assert run("prove", tmp_path / "one", *words)[0] == 0


def test_a_folder_without_any(folder: Path, compiled: Path, tmp_path: Path) -> None:
    words = ("--input", folder / "4.npz", "--out", tmp_path / "proof")
    refused("ARTIFACT_NOT_FOUND", "prove", tmp_path, *words)
    refused("ARTIFACT_NOT_FOUND", "inspect", compiled)


def test_a_compiled_model_is_not_made_a_folder_of_them(folder: Path, compiled: Path) -> None:
    place = compiled / "tokens-4"
    with rejects(
        Reason.ARTIFACT_HOLDS_MODEL,
        f"{place} is a compiled model; name another folder for those of several sizes",
    ):
        place_of(choices(1, {"tokens": [4, 6]})[0], place)
    words = ("--calibration", folder / "X.npz", "--shape", "tokens=4,6", "--out", place)
    refused("ARTIFACT_HOLDS_MODEL", "compile", folder / "m.onnx", *words)
    assert place_of(choices(1, {"tokens": 4})[0], place) == place


def test_samples_that_are_too_short_for_one(folder: Path, tmp_path: Path) -> None:
    words = ("--calibration", folder / "X.npz", "--shape", "tokens=6,8", "--out", tmp_path / "all")
    message = refused("CALIBRATION_SHAPE", "compile", folder / "m.onnx", *words)
    assert "ids" in message
    assert "8" in message


def test_each_is_offered_as_a_version_of_its_own(carded: Path, folder: Path) -> None:
    made = submissions(folder, carded, KEY)
    read = [read_submission(each.document) for each in made]
    assert [each.card.name for each in read] == ["words@1.0.0-tokens-4", "words@1.0.0-tokens-6"]
    assert [[e.title for e in each.card.input.examples] for each in read] == [["Four"], ["Six"]]
    assert [each.bundle.inputs[0].shape for each in read] == [(1, 4), (1, 6)]
    assert [each.bundle.commitment for each in read] == [each.commitment for each in made]


def test_a_variant_of_another_size_is_not_offered(
    carded: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(carded, tmp_path / "turned")
    (tmp_path / "turned/tokens-4").rename(tmp_path / "turned/kept")
    (tmp_path / "turned/tokens-6").rename(tmp_path / "turned/tokens-4")
    (tmp_path / "turned/kept").rename(tmp_path / "turned/tokens-6")
    with pytest.raises(RequestRejected, match="pre-processing"):
        submissions(folder, tmp_path / "turned", KEY)


async def test_they_are_published_together(carded: Path, folder: Path, tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, token_address="0x" + "22" * 20)
    views = await install_model(settings, folder, carded, key=KEY)
    assert [view.name for view in views] == ["words@1.0.0-tokens-4", "words@1.0.0-tokens-6"]
    assert {view.status.value for view in views} == {"active"}
    assert [view.commitment.hex for view in views] == [
        commitment(carded / f"tokens-{size}") for size in (4, 6)
    ]


def test_a_size_is_audited_by_its_own_opening(folder: Path, compiled: Path, tmp_path: Path) -> None:
    for size in (4, 6):
        place, opening = compiled / f"tokens-{size}", tmp_path / f"{size}.json"
        code, told = run("model", "open", place, "--out", opening)
        assert code == 0, told
        code, told = run(
            *("model", "audit", folder / "m.onnx", place / "verifier.json"),
            *("--opening", opening, "--calibration", folder / "X.npz"),
        )
        assert (code, {each["agrees"] for each in told["parts"]}) == (0, {True})
    refused(
        "OPENING_OTHER_MODEL",
        *("model", "audit", folder / "m.onnx", compiled / "tokens-4" / "verifier.json"),
        *("--opening", tmp_path / "6.json", "--calibration", folder / "X.npz"),
    )
