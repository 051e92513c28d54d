"""Networks that another tool made smaller: ONNX Runtime's quantiser and optimiser, half floats."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from entry import Entry, Family, Made, Rows
from of_sklearn import ENTRIES as _CLASSICAL  # noqa: F401  (one import order for all families)
from of_torch import ENTRIES as NETWORKS
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

QUANTISED = Family("quantisers-onnxruntime")
OPTIMISED = Family("quantisers-optimised")
SUBJECTS = {
    "mlp": "torch-mlp.large",
    "lenet": "torch-cnn.lenet",
    "residual": "torch-cnn.resnet18",
    "encoder": "torch-transformer.encoder-gelu",
    "lstm": "torch-recurrent.LSTM",
}


@functools.cache
def subject(name: str) -> Made:
    wanted = SUBJECTS[name]
    return next(entry for entry in NETWORKS if f"{entry.family}.{entry.name}" == wanted).make()


class _Reader(CalibrationDataReader):
    def __init__(self, rows: Rows) -> None:
        count = len(next(iter(rows.values())))
        self._samples = iter([{name: rows[name][place] for name in rows} for place in range(count)])

    def get_next(self) -> Any:
        return next(self._samples, None)


def _through(name: str, change: Callable[[Path, Path, Rows], None]) -> Made:
    made = subject(name)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
        before.write_bytes(made.onnx)
        change(before, after, made.rows)
        return Made(after.read_bytes(), made.rows)


def _static(before: Path, after: Path, rows: Rows, **more: Any) -> None:
    ready = before.with_name("ready.onnx")
    quant_pre_process(str(before), str(ready))
    quantize_static(str(ready), str(after), _Reader(rows), **more)


def _dynamic(before: Path, after: Path, _rows: Rows, **more: Any) -> None:
    quantize_dynamic(str(before), str(after), **more)


def _optimised(before: Path, after: Path, _rows: Rows, level: Any) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(after)
    onnxruntime.InferenceSession(str(before), options, providers=["CPUExecutionProvider"])


def _half(before: Path, after: Path, _rows: Rows, keep: bool) -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(before), keep_io_types=keep), str(after))


_LEVELS = onnxruntime.GraphOptimizationLevel
for name in SUBJECTS:
    for label, change in {
        "qdq": functools.partial(_static, quant_format=QuantFormat.QDQ),
        "qdq-per-channel": functools.partial(
            _static, quant_format=QuantFormat.QDQ, per_channel=True
        ),
        "qdq-signed": functools.partial(
            _static,
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        ),
        "qoperator": functools.partial(_static, quant_format=QuantFormat.QOperator),
        "dynamic": _dynamic,
        "dynamic-unsigned": functools.partial(_dynamic, weight_type=QuantType.QUInt8),
    }.items():
        QUANTISED.add(f"{name}-{label}", functools.partial(_through, name, change))
    for label, change in {
        "basic": functools.partial(_optimised, level=_LEVELS.ORT_ENABLE_BASIC),
        "extended": functools.partial(_optimised, level=_LEVELS.ORT_ENABLE_EXTENDED),
        "half": functools.partial(_half, keep=False),
        "half-inside": functools.partial(_half, keep=True),
    }.items():
        OPTIMISED.add(f"{name}-{label}", functools.partial(_through, name, change))

ENTRIES: list[Entry] = [*QUANTISED, *OPTIMISED]
