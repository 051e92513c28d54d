"""scikit-learn, by skl2onnx."""

from copy import copy
from typing import Any

import numpy as np

from inferproof.errors import InputRejected, Reason
from inferproof.models.importing.base import (
    Array,
    Exported,
    Imported,
    exporting,
    imported,
    need_libraries,
    one_table,
)
from inferproof.models.show import printable

LIBRARY = "scikit-learn"
OPSETS = {"": 17, "ai.onnx.ml": 3}
"""Read by every runtime in use, and enough for every converter."""


def from_sklearn(estimator: Any, sample: Any) -> Imported:
    """The model of a fitted estimator or pipeline, for one row of the sample's columns.

    Shapes: the sample is [rows, features]: an array, or a mapping of one array, whose name the
    input gets; or a data frame of numbers, each column of which becomes an input of its own,
    as pipelines need that choose columns by name. Classes that are texts are numbered in order,
    and are the labels of the outputs.
    Raises: MissingPart MISSING_LIBRARY; InputRejected IMPORT_SAMPLE; ModelRejected EXPORT_REFUSED,
    IMPORT_DIFFERS, and whatever intake says to the exported model.
    """
    return imported(export(estimator, sample))


def export(estimator: Any, sample: Any) -> Exported:
    """What skl2onnx writes for one row at a time. Raises: as `from_sklearn`."""
    need_libraries(LIBRARY, own="sklearn", exporter="skl2onnx")
    named = hasattr(sample, "columns")
    columns = _columns(sample) if named else dict([one_table(sample)])
    with exporting(LIBRARY):
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

        if getattr(estimator, "flatten_transform", False):
            # Of votes it only says how `transform` lays them out, and the converter has one way.
            estimator = copy(estimator).set_params(flatten_transform=False)
        types = {"f": FloatTensorType, "i": Int64TensorType}
        model = to_onnx(
            estimator,
            initial_types=[
                (name, types[rows.dtype.kind]([1, rows.shape[1]])) for name, rows in columns.items()
            ],
            target_opset=OPSETS,
        )
        (table,) = columns.values() if not named else (_as_given(sample, columns),)
        answers = _answers(estimator, table)
    samples = {name: rows[:, np.newaxis] for name, rows in columns.items()}
    return Exported(LIBRARY, model.SerializeToString(), samples, answers)


def _columns(frame: Any) -> dict[str, Array]:
    """The columns of a data frame. Shapes: [rows, 1] each, float32 or int64.

    Raises: InputRejected IMPORT_SAMPLE.
    """
    made = {}
    for name in frame.columns:
        values = np.asarray(frame[name])
        if values.dtype.kind not in "fiub" or not values.size:
            told = printable(str(name))
            raise InputRejected(Reason.IMPORT_SAMPLE, why=f"its column {told} holds no numbers")
        dtype = np.float32 if values.dtype.kind == "f" else np.int64
        made[str(name)] = values.astype(dtype).reshape(-1, 1)
    if not made:
        raise InputRejected(Reason.IMPORT_SAMPLE, why="it has no columns")
    return made


def _as_given(frame: Any, columns: dict[str, Array]) -> Any:
    """The frame with the numbers that the exported model is given."""
    return frame.assign(**{name: rows[:, 0] for name, rows in columns.items()})


def _answers(estimator: Any, rows: Array) -> tuple[Array | None, ...]:
    """What the estimator says, in the order of the exporter's outputs."""
    if not hasattr(estimator, "predict"):
        return (_dense(estimator.transform(rows)),)
    predicted = np.asarray(estimator.predict(rows))
    if predicted.dtype.kind in "OUS":
        predicted = np.searchsorted(estimator.classes_, predicted)
    for method in ("predict_proba", "decision_function"):
        if hasattr(estimator, method):
            said = getattr(estimator, method)(rows)
            # Of several classes it says a list, which the exporter writes as a sequence.
            return (predicted, *map(np.asarray, said if isinstance(said, list) else [said]))
    return (predicted,)


def _dense(values: Any) -> Array:
    return np.asarray(values.todense() if hasattr(values, "todense") else values)
