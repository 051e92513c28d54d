"""scikit-learn, by skl2onnx."""

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

LIBRARY = "scikit-learn"
OPSETS = {"": 17, "ai.onnx.ml": 3}
"""Read by every runtime in use, and enough for every converter."""


def from_sklearn(estimator: Any, sample: Any) -> Imported:
    """The model of a fitted estimator or pipeline, for one row of the sample's columns.

    Shapes: the sample is [rows, features]: an array, or a mapping of one array, whose name the
    input gets. Classes that are texts are numbered in order, and are the labels of the outputs.
    Raises: MissingPart MISSING_LIBRARY; InputRejected IMPORT_SAMPLE; ModelRejected EXPORT_REFUSED,
    IMPORT_DIFFERS, and whatever intake says to the exported model.
    """
    return imported(export(estimator, sample))


def export(estimator: Any, sample: Any) -> Exported:
    """What skl2onnx writes for one row at a time. Raises: as `from_sklearn`."""
    need_libraries(LIBRARY, own="sklearn", exporter="skl2onnx")
    name, rows = one_table(sample)
    with exporting(LIBRARY):
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        model = to_onnx(
            estimator,
            initial_types=[(name, FloatTensorType([1, rows.shape[1]]))],
            target_opset=OPSETS,
        )
        answers = _answers(estimator, rows)
    return Exported(LIBRARY, model.SerializeToString(), {name: rows[:, np.newaxis]}, answers)


def _answers(estimator: Any, rows: Array) -> tuple[Array | None, ...]:
    """What the estimator says, in the order of the exporter's outputs."""
    if not hasattr(estimator, "predict"):
        return (_dense(estimator.transform(rows)),)
    predicted = np.asarray(estimator.predict(rows))
    if predicted.dtype.kind in "OUS":
        predicted = np.searchsorted(estimator.classes_, predicted)
    for method in ("predict_proba", "decision_function"):
        if hasattr(estimator, method):
            return (predicted, np.asarray(getattr(estimator, method)(rows)))
    return (predicted,)


def _dense(values: Any) -> Array:
    return np.asarray(values.todense() if hasattr(values, "todense") else values)
