"""XGBoost and LightGBM by onnxmltools, CatBoost by itself."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.models.importing.base import (
    Array,
    Exported,
    Imported,
    exporting,
    imported,
    need_libraries,
    one_table,
)

XGBOOST, LIGHTGBM, CATBOOST = "XGBoost", "LightGBM", "CatBoost"
OPSET = 15
"""The newest that the converters of trees write."""


def from_xgboost(model: Any, sample: Any) -> Imported:
    """The model of a Booster, or of XGBoost's estimator, for one row of the sample's columns.

    Shapes and Raises: as `from_sklearn`.
    """
    return imported(export_xgboost(model, sample))


def from_lightgbm(model: Any, sample: Any) -> Imported:
    """The model of a Booster, or of LightGBM's estimator, for one row of the sample's columns.

    Shapes and Raises: as `from_sklearn`.
    """
    return imported(export_lightgbm(model, sample))


def from_catboost(model: Any, sample: Any) -> Imported:
    """The model of a fitted CatBoost, for one row of the sample's columns, which are numbers.

    Shapes and Raises: as `from_sklearn`.
    """
    return imported(export_catboost(model, sample))


def export_xgboost(model: Any, sample: Any) -> Exported:
    """What onnxmltools writes for it. Raises: as `from_xgboost`."""
    need_libraries(XGBOOST, own="xgboost", exporter="onnxmltools")
    name, rows = one_table(sample)
    with exporting(XGBOOST):
        import xgboost
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        booster = model.get_booster() if hasattr(model, "get_booster") else model
        best = booster.attr("best_iteration")
        # A copy, whose columns may lose their names: the converter wants numbers.
        plain = booster[: int(best) + 1] if best else booster.copy()
        plain.feature_names = plain.feature_types = None
        objective = json.loads(plain.save_config())["learner"]["objective"]["name"]
        if objective == "reg:logistic":
            # The same function, of which the converter forgets the sigmoid.
            plain.set_param({"objective": "binary:logistic"})
        said = np.asarray(plain.predict(xgboost.DMatrix(rows)))
        types = [(name, FloatTensorType([1, rows.shape[1]]))]
        made = convert_xgboost(plain, initial_types=types, target_opset=OPSET)
    return _exported(XGBOOST, made, name, rows, said)


def export_lightgbm(model: Any, sample: Any) -> Exported:
    """What onnxmltools writes for it. Raises: as `from_lightgbm`."""
    need_libraries(LIGHTGBM, own="lightgbm", exporter="onnxmltools")
    name, rows = one_table(sample)
    with exporting(LIGHTGBM):
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        booster = getattr(model, "booster_", model)
        said = np.asarray(booster.predict(rows))
        types = [(name, FloatTensorType([1, rows.shape[1]]))]
        made = convert_lightgbm(booster, initial_types=types, target_opset=OPSET, zipmap=False)
    return _exported(LIGHTGBM, made, name, rows, said)


def export_catboost(model: Any, sample: Any) -> Exported:
    """What CatBoost writes, with the sample's name for its input. Raises: as `from_catboost`."""
    need_libraries(CATBOOST, own="catboost")
    name, rows = one_table(sample)
    with exporting(CATBOOST), tempfile.TemporaryDirectory(prefix="inferproof-import-") as folder:
        import onnx

        path = Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        made = onnx.load(path)
        classes = np.asarray(model.classes_)
        if classes.size:
            said = np.asarray(model.predict(rows, prediction_type="Probability"))
        else:
            said = np.asarray(model.predict(rows))
        made = _named(made, name)
    return _exported(CATBOOST, made, name, rows, said)


def _exported(library: str, made: Any, name: str, rows: Array, said: Array) -> Exported:
    """The answers in the order of outputs, which are class and probabilities of a classifier."""
    answers: tuple[Array | None, ...] = (said,)
    if len(made.graph.output) > 1:
        if said.ndim == 1:
            said = np.stack([1 - said, said], axis=1)
        answers = (said.argmax(axis=1), said)
    return Exported(
        library,
        made.SerializeToString(),
        {name: rows[:, np.newaxis]},
        answers,
    )


def _named(made: Any, name: str) -> Any:
    """The model with this name for its one input, and one row at a time."""
    graph = made.graph
    (given,) = graph.input
    for node in graph.node:
        node.input[:] = [name if each == given.name else each for each in node.input]
    given.name = name
    given.type.tensor_type.shape.dim[0].dim_value = 1
    for info in graph.output:
        if info.type.HasField("tensor_type"):
            # What is declared lacks an axis where there is one answer; the nodes tell the shape.
            info.type.tensor_type.ClearField("shape")
    return made
