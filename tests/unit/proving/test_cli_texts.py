"""A model of texts on the command line: raw arrays in, names beside the answer's numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import typer
from onnx import TensorProto, helper
from typer.testing import CliRunner

from inferproof.app.compiling import compile_card
from inferproof.app.openings import local_openings
from inferproof.cli import inspect, model, offline, verify
from inferproof.errors import InferproofError, ModelRejected, Reason
from inferproof.inference.request import request_tensors
from inferproof.models.axes import Axes
from inferproof.models.card import load_card
from inferproof.models.fixing import fix_here
from inferproof.models.limits import DEFAULT_LIMITS
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.proving.base import CompileRequest
from inferproof.proving.registry import get_system
from inferproof.testing.rejections import rejects

RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, verify, inspect, model):
    room.register(APP)
pytestmark = pytest.mark.native
ML = "ai.onnx.ml"
CARD = """\
schema = "inferproof/model-card/1"
id = "fraud"
version = "1.0.0"
title = "Fraud"
description = "A country and an amount in, two probabilities out."
category = "testing"
developer = "The inferproof authors"
license = "MIT"
preprocessing = {{ kind = "{kind}", {more} }}

[files]
model = "m.onnx"
calibration = "X.npz"

[input]
type = "{kind}"
max_bytes = 1000

[[input.examples]]
title = "Small"
value = {{ country = "de", amount = 1.5 }}
label = "fine"

[output]
type = "classification"
labels = {labels}
unit = "probability"

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


def run(*arguments: object) -> Any:
    return RUNNER.invoke(APP, [str(item) for item in arguments])


def run_json(*arguments: object) -> tuple[int, dict[str, Any]]:
    result = run(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The everyday fraud model: a category, an amount, two classes with names."""
    folder = tmp_path_factory.mktemp("texts")
    nodes = [
        helper.make_node(
            *("OneHotEncoder", ["country"], ["c"]), domain=ML, cats_strings=["de", "fr", "us"]
        ),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Concat", ["f", "amount"], ["x"], axis=1),
        helper.make_node(
            *("LinearClassifier", ["x"], ["l", "p"]),
            domain=ML,
            classlabels_strings=["fine", "fraud"],
            coefficients=[0.5, -0.25, -2.0, -0.01, -0.5, 0.25, 2.0, 0.01],
            intercepts=[0.5, -0.5],
            post_transform="SOFTMAX",
            multi_class=1,
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "fraud",
        [
            helper.make_tensor_value_info("country", TensorProto.STRING, [None, 1]),
            helper.make_tensor_value_info("amount", TensorProto.FLOAT, [None, 1]),
        ],
        [
            helper.make_tensor_value_info("l", TensorProto.STRING, [None]),
            helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 2)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    rng = np.random.default_rng(1)
    countries = rng.choice(["de", "fr", "us"], 64)
    np.savez(folder / "X.npz", country=countries, amount=rng.uniform(0, 200, (64, 1)).astype("f4"))
    return folder


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    out = folder / "compiled"
    code, told = run_json(
        "compile", folder / "m.onnx", "--calibration", folder / "X.npz", "--out", out
    )
    assert code == 0, told
    return out


@pytest.mark.parametrize(("country", "amount"), [("us", 150.0), ("de", 3.0), ("zz", 40.0)])
def test_the_answer_is_that_of_the_file(
    folder: Path, compiled: Path, country: str, amount: float
) -> None:
    raw = folder / "I.npz"
    np.savez(raw, country=np.array([[country]]), amount=np.array([[amount]], "f4"))
    code, proved = run_json("prove", compiled, "--input", raw, "--out", folder / "proof")
    assert code == 0, proved
    session = onnxruntime.InferenceSession(folder / "m.onnx")
    arrays = {
        "country": np.array([[country]], object),
        "amount": np.array([[amount]], np.float32),
    }
    label, scores = session.run(None, arrays)
    assert proved["label"] == label[0]
    assert proved["labels"] == {"l": ["fine", "fraud"], "p": ["fine", "fraud"]}
    np.testing.assert_allclose(proved["outputs"]["p"], scores, atol=0.01)
    code, verified = run_json("verify", compiled, folder / "proof")
    assert (code, verified["label"]) == (0, label[0])
    # What a buyer sends is read to the very tensors that were proven.
    bundle = decode_bundle((compiled / "verifier.json").read_bytes())
    body = json.dumps({"input": {"country": country, "amount": amount}}).encode()
    disclosed = decode_proof_file((folder / "proof").read_bytes()).disclosed
    assert disclosed is not None
    tensors = request_tensors(bundle.preprocessing, body)
    assert {name: a.tolist() for name, a in tensors.items()} == {
        name: a.tolist() for name, a in disclosed.tensors.items()
    }


def test_people_see_names_and_what_is_public(folder: Path, compiled: Path) -> None:
    shown = run("model", "inspect", folder / "m.onnx").stdout
    assert "one_hot of country: 3 texts: de, fr, us" in shown
    assert "fine, fraud" in shown
    assert "names in p" in run("inspect", compiled).stdout
    np.savez(folder / "J.npz", country=np.array([["us"]]), amount=np.array([[150.0]], "f4"))
    proved = run("prove", compiled, "--input", folder / "J.npz", "--out", folder / "told")
    assert proved.exit_code == 0, proved.output
    verified = run("verify", compiled, folder / "told").stdout
    assert "fraud 0." in verified
    _, told = run_json("model", "inspect", folder / "m.onnx")
    assert told["preprocessing"]["steps"][0]["known"] == ["de", "fr", "us"]


def test_without_a_file_it_asks_for_texts(folder: Path) -> None:
    code, told = run_json("compile", folder / "m.onnx", "--out", folder / "none")
    assert (code, told["reason"]) == (1, "CALIBRATION_WANTED")
    assert "'country' U32[samples, 1, 1], 'amount' float32[samples, 1, 1]" in told["message"]


def test_raw_arrays_that_do_not_fit(folder: Path, compiled: Path) -> None:
    raw = folder / "I.npz"
    np.savez(raw, country=np.array([["us", "de"]]), amount=np.array([[1.0]], "f4"))
    code, told = run_json("prove", compiled, "--input", raw, "--out", folder / "no")
    assert (code, told["reason"]) == (1, "INPUT_SHAPE_MISMATCH")
    np.savez(raw, c=np.zeros((1, 1, 3), "f4"), amount=np.array([[1.0]], "f4"))
    code, told = run_json("prove", compiled, "--input", raw, "--out", folder / "no")
    assert (code, told["reason"]) == (1, "INPUT_UNKNOWN_FIELD")


def test_a_fixed_file_would_lose_the_texts(folder: Path) -> None:
    with rejects(
        Reason.MODEL_TEXTS_KEPT,
        "the model has texts at its edges, which are kept beside the graph and which a file of "
        "the graph alone would lack; compile the file as it is",
    ):
        fix_here(folder / "m.onnx", [], DEFAULT_LIMITS, Axes())


def card(folder: Path, kind: str, more: str, labels: str = '["fine", "fraud"]') -> Any:
    (folder / "card.toml").write_text(CARD.format(kind=kind, more=more, labels=labels))
    return load_card(folder)


def test_a_card_of_texts(folder: Path, compiled: Path) -> None:
    system = get_system("sumcheck", openings=local_openings)
    out = folder / "carded"
    compile_card(card(folder, "features", 'model = "m.onnx"'), out, system)
    bundles = [decode_bundle((place / "verifier.json").read_bytes()) for place in (out, compiled)]
    assert bundles[0].preprocessing == bundles[1].preprocessing
    assert [spec.labels for spec in bundles[0].outputs] == [("fine", "fraud")] * 2
    turned = card(folder, "features", 'model = "m.onnx"', '["fraud", "fine"]')
    with pytest.raises(ModelRejected) as told:
        compile_card(turned, out, system)
    assert told.value.reason is Reason.CARD_LABELS


def test_a_card_that_declares_something_else(folder: Path) -> None:
    system = get_system("sumcheck", openings=local_openings)
    other = CompileRequest(
        folder / "m.onnx",
        {"c": np.zeros((2, 1, 1, 3), "f4"), "amount": np.ones((2, 1, 1), "f4")},
        folder / "none",
        preprocessing={"kind": "vector"},
    )
    with rejects(
        Reason.MODEL_TEXTS_UNDECLARED,
        "the model turns texts into numbers itself, and the card declares the pre-processing "
        'vector; declare kind features with the model\'s file: { kind = "features", model = '
        '"model.onnx" }',
    ):
        system.compile(other)


def test_a_card_of_texts_for_a_model_of_numbers(folder: Path, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "numbers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
    )
    opsets = [helper.make_opsetid("", 17)]
    plain = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (tmp_path / "m.onnx").write_bytes(plain.SerializeToString())
    np.savez(tmp_path / "X.npz", x=np.ones((4, 1, 2), "f4"))
    with pytest.raises(InferproofError, match="this model takes no texts"):
        compile_card(
            card(tmp_path, "features", 'model = "m.onnx"'), tmp_path / "out", get_system("sumcheck")
        )
