"""The shipped models are what their scripts make, and are as good as their metrics say."""

import csv
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from inferproof.inference.preprocess import VectorSpec, load_preprocessing, preprocess
from inferproof.inference.preprocess.vector import log1p
from inferproof.models.card import load_card

ROOT = Path(__file__).parents[3]
ZOO = ROOT / "zoo"
MODELS = ["sentiment", "token_risk", "fraud"]
VECTOR_MODELS = {"token_risk": "tokens.csv", "fraud": "transfers.csv"}


def logits(folder: Path, name: str, arrays: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        (folder / "model.onnx").read_bytes(), providers=["CPUExecutionProvider"]
    )
    return np.array([session.run(None, {name: array})[0][0] for array in arrays])


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_training_again_gives_the_same_bytes(model: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"zoo.{model}.train", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=500)
    for name in ("model.onnx", "calibration.npz", "test.npz"):
        shipped = (ZOO / model / name).read_bytes()
        again = (tmp_path / name).read_bytes()
        assert hashlib.sha256(again).hexdigest() == hashlib.sha256(shipped).hexdigest(), name


@pytest.mark.parametrize("model", MODELS)
def test_metrics_are_those_of_the_shipped_model_on_the_shipped_test_set(model: str) -> None:
    folder = ZOO / model
    metrics = json.loads((folder / "metrics.json").read_text())
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert metrics["model_sha256"] == digest
    card = load_card(folder)
    (name,) = load_preprocessing(card.preprocessing, folder).shapes
    test = np.load(folder / "test.npz")
    predicted = logits(folder, name, test[name]).argmax(axis=1)
    assert len(predicted) == metrics["test_samples"]
    # Not above: every process of a test run would import it, to collect the tests.
    from sklearn.metrics import accuracy_score, f1_score

    accuracy = accuracy_score(test["labels"], predicted)
    macro_f1 = f1_score(test["labels"], predicted, average="macro")
    assert metrics["test"]["accuracy"] == round(accuracy, 4)
    assert metrics["test"]["macro_f1"] == round(macro_f1, 4)


@pytest.mark.parametrize("model", MODELS)
def test_model_beats_its_baselines(model: str) -> None:
    metrics = json.loads((ZOO / model / "metrics.json").read_text())
    for baseline in metrics["baselines"].values():
        assert metrics["test"]["macro_f1"] > baseline["macro_f1"]
        assert metrics["test"]["roc_auc"] > baseline["roc_auc"]


@pytest.mark.parametrize("model", MODELS)
def test_examples_of_the_card_get_their_labels(model: str) -> None:
    card = load_card(ZOO / model)
    step = load_preprocessing(card.preprocessing, card.folder)
    (name,) = step.shapes
    assert {example.label for example in card.input.examples} == set(card.output.labels)
    for example in card.input.examples:
        (answer,) = logits(card.folder, name, preprocess(step, example.value)[name][np.newaxis])
        assert card.output.labels[int(answer.argmax())] == example.label, example.title


@pytest.mark.parametrize("model", MODELS)
def test_arrays_have_the_shape_of_the_graph(model: str) -> None:
    card = load_card(ZOO / model)
    graph = onnx.load(card.model_path).graph
    ((name, shape),) = load_preprocessing(card.preprocessing, card.folder).shapes.items()
    assert [graph_input.name for graph_input in graph.input] == [name]
    assert tuple(d.dim_value for d in graph.input[0].type.tensor_type.shape.dim) == shape
    assert {node.op_type for node in graph.node} == {"Gemm", "Relu"}
    for file in ("calibration.npz", "test.npz"):
        array = np.load(card.folder / file)[name]
        assert array.dtype == np.float32
        assert array.shape[1:] == shape
        assert np.abs(array).max() <= 8.0


@pytest.mark.slow
@pytest.mark.parametrize("model", VECTOR_MODELS)
def test_generating_again_gives_the_same_data(model: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", f"zoo.{model}.generate", "--out", str(tmp_path / "again")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=500)
    shipped = (ZOO / model / "data" / VECTOR_MODELS[model]).read_bytes()
    assert (tmp_path / "again").read_bytes() == shipped


@pytest.mark.slow
@pytest.mark.parametrize("model", VECTOR_MODELS)
def test_means_and_scales_of_the_card_are_those_of_the_training_rows(model: str) -> None:
    card = load_card(ZOO / model)
    spec = load_preprocessing(card.preprocessing, card.folder).spec
    assert isinstance(spec, VectorSpec)
    with (card.folder / "data" / VECTOR_MODELS[model]).open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    for field in spec.fields:
        values = np.array([float(row[field.name]) for row in rows])
        if field.transform == "log1p":
            values = np.array([log1p(value) for value in values])
        assert field.mean == pytest.approx(values.mean(), abs=6e-5)
        assert field.scale == pytest.approx(values.std(), abs=6e-5)


def test_held_out_headlines_have_no_near_duplicate_in_the_training_part() -> None:
    with (ZOO / "sentiment" / "data" / "headlines.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["text"].lower() for row in rows}) == len(rows)

    def words(row: dict[str, str]) -> set[str]:
        return set(re.findall(r"[a-z0-9']+", row["text"].lower()))

    train = [words(row) for row in rows if row["split"] == "train"]
    for row in rows:
        if row["split"] in ("test", "fresh"):
            own = words(row)
            closest = max(len(own & other) / len(own | other) for other in train)
            assert closest < 0.5, row["text"]


def test_vocabulary_is_128_groups_of_terms_that_appear_once() -> None:
    lines = (ZOO / "sentiment" / "vocabulary.txt").read_text().splitlines()
    terms = " ".join(lines).split(" ")
    assert len(lines) == 128
    assert len(set(terms)) == len(terms)
