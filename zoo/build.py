"""What the three training scripts share: reading data, export, evaluation, files.

A folder of the zoo holds its card, its data and its script; the script writes `model.onnx`,
`calibration.npz`, `test.npz` and `metrics.json` into it, or into `--out`.
"""

import argparse
import csv
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, roc_auc_score

from inferproof.inference.preprocess import Preprocessing, load_preprocessing, preprocess
from inferproof.models.card import ModelCard, load_card
from zoo.training import Layers, Recipe, fit

OUTPUT = "logits"
OPSET = 17
# The newest that both onnxruntime and ezkl 23 read without complaint.
IR_VERSION = 8
CALIBRATION_SAMPLES = 200

Labels = npt.NDArray[np.int64]
Inputs = npt.NDArray[np.float32]
Row = dict[str, str]


def build(
    folder: Path, out: Path, data: str, recipe: Recipe, raw_input: Callable[[Row], Any]
) -> dict[str, Any]:
    """Trains, exports and evaluates one model; returns its metrics.

    `raw_input` makes the raw input of the card's type from a row of the data file. Rows of the
    split `fresh` were written after the model was fixed; they are only ever scored.
    """
    card = load_card(folder)
    step = load_preprocessing(card.preprocessing, folder)
    rows = read_rows(folder / "data" / data)
    train = [row for row in rows if row["split"] == "train"]
    test = [row for row in rows if row["split"] == "test"]
    x_train, y_train = encode(card, step, train, raw_input)
    x_test, y_test = encode(card, step, test, raw_input)
    name = next(iter(step.shapes))

    flat = x_train.reshape(len(x_train), -1).astype(np.float64)
    layers = fit(flat, y_train, len(card.output.labels), recipe)
    model = export(card, name, layers)
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(model)
    chosen = np.linspace(0, len(x_train) - 1, CALIBRATION_SAMPLES).astype(np.int64)
    write_arrays(out / "calibration.npz", {name: x_train[chosen]})
    write_arrays(out / "test.npz", {name: x_test, "labels": y_test})
    metrics = {
        "model": card.name,
        "model_sha256": hashlib.sha256(model).hexdigest(),
        "parameters": sum(w.size + b.size for w, b in layers),
        "largest_weight": max(float(np.abs(w).max()) for w, _ in layers),
        "train_samples": len(train),
        "test_samples": len(test),
        "test": score(card, run(model, name, x_test), y_test),
        "train": score(card, run(model, name, x_train), y_train),
        "baselines": baselines(card, x_train, y_train, x_test, y_test),
    }
    fresh = [row for row in rows if row["split"] == "fresh"]
    if fresh:
        x_fresh, y_fresh = encode(card, step, fresh, raw_input)
        metrics["fresh_samples"] = len(fresh)
        metrics["fresh"] = score(card, run(model, name, x_fresh), y_fresh)
    text = json.dumps(metrics, indent=2) + "\n"
    (out / "metrics.json").write_text(text, encoding="utf-8")
    return metrics


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes an npz file. Equal arrays give equal bytes: no time enters the archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def encode(
    card: ModelCard, step: Preprocessing, rows: Sequence[Row], raw_input: Callable[[Row], Any]
) -> tuple[Inputs, Labels]:
    """Tensors `[rows, *graph shape]` and label indices, through the card's own pre-processing.

    A row that the pre-processing would refuse (a text without a known word) is kept as zeros,
    so that it counts against the model and is never left out of a metric.
    """
    arrays = []
    lenient = _lenient(step)
    for row in rows:
        (array,) = preprocess(lenient, raw_input(row)).values()
        arrays.append(array)
    labels = np.array([card.output.labels.index(row["label"]) for row in rows], dtype=np.int64)
    return np.stack(arrays), labels


def export(card: ModelCard, name: str, layers: Layers) -> bytes:
    """The ONNX file: Gemm and Relu in turn. Equal layers give equal bytes."""
    nodes, tensors, value = [], [], name
    for index, (weights, bias) in enumerate(layers, start=1):
        last = index == len(layers)
        w, b, sums = f"w{index}", f"b{index}", OUTPUT if last else f"sum{index}"
        tensors.append(numpy_helper.from_array(weights.astype(np.float32), w))
        tensors.append(numpy_helper.from_array(bias.astype(np.float32), b))
        nodes.append(helper.make_node("Gemm", [value, w, b], [sums], name=f"gemm{index}"))
        if not last:
            value = f"hidden{index}"
            nodes.append(helper.make_node("Relu", [sums], [value], name=f"relu{index}"))
    features, classes = layers[0][0].shape[0], layers[-1][0].shape[1]
    graph = helper.make_graph(
        nodes,
        card.id,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, features])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, classes])],
        tensors,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="inferproof-zoo",
        producer_version=card.version,
    )
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def run(model: bytes, name: str, inputs: Inputs) -> npt.NDArray[np.float64]:
    """Logits `[samples, classes]` from onnxruntime, one sample at a time as in service."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.array([session.run([OUTPUT], {name: x})[0][0] for x in inputs], dtype=np.float64)


def score(card: ModelCard, logits: npt.NDArray[np.float64], labels: Labels) -> dict[str, Any]:
    """Accuracy, macro F1, ROC AUC (one against the rest) and the confusion matrix."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = shifted / shifted.sum(axis=1, keepdims=True)
    return _scores(card, chances, chances.argmax(axis=1), labels)


def baselines(
    card: ModelCard, x_train: Inputs, y_train: Labels, x_test: Inputs, y_test: Labels
) -> dict[str, Any]:
    """The same scores for what is simpler: the commonest class, and a linear model."""
    counts = np.bincount(y_train, minlength=len(card.output.labels))
    commonest = np.full_like(y_test, int(counts.argmax()))
    chances = np.tile(counts / counts.sum(), (len(y_test), 1))
    linear = LogisticRegression(C=3.0, max_iter=2000)
    linear.fit(x_train.reshape(len(x_train), -1), y_train)
    linear_chances = linear.predict_proba(x_test.reshape(len(x_test), -1))
    return {
        "majority_class": _scores(card, chances, commonest, y_test),
        "logistic_regression": _scores(card, linear_chances, linear_chances.argmax(axis=1), y_test),
    }


def main(build_into: Callable[[Path], Mapping[str, Any]], folder: Path) -> None:
    """The command line of a training script."""
    parser = argparse.ArgumentParser(description="Retrain this model of the zoo.")
    parser.add_argument("--out", type=Path, default=folder, help="folder to write to")
    metrics = build_into(parser.parse_args().out)
    test = metrics["test"]
    print(
        f"{metrics['model']}: accuracy {test['accuracy']:.4f}, macro F1 {test['macro_f1']:.4f}, "
        f"ROC AUC {test['roc_auc']:.4f} on {metrics['test_samples']} held-out samples; "
        f"sha256 {metrics['model_sha256']}"
    )


def _lenient(step: Preprocessing) -> Preprocessing:
    form = step.canonical()
    return Preprocessing.from_canonical(form | {"min_known": 0} if "min_known" in form else form)


def _scores(
    card: ModelCard, chances: npt.NDArray[np.float64], predicted: Labels, labels: Labels
) -> dict[str, Any]:
    several = len(card.output.labels) > 2
    auc = roc_auc_score(labels, chances if several else chances[:, 1], multi_class="ovr")
    return {
        "accuracy": round(float(accuracy_score(labels, predicted)), 4),
        "macro_f1": round(float(f1_score(labels, predicted, average="macro")), 4),
        "roc_auc": round(float(auc), 4),
        "confusion": confusion_matrix(labels, predicted).tolist(),
    }
