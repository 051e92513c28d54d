"""The float model's answers, which the quantised ones are measured against."""

from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import MissingPart, Reason
from inferproof.types.tensor import TensorSpec


def float_outputs(
    model: bytes,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    samples: list[list[npt.NDArray[np.float32]]],
) -> list[list[npt.NDArray[np.float64]]]:
    """ONNX Runtime's outputs for each sample, as float64. Raises: MissingPart."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature="compiling models",
            package="onnxruntime",
            command="pip install 'inferproof[models]'",
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [spec.name for spec in outputs]
    answers = []
    for sample in samples:
        feed: dict[str, Any] = {
            spec.name: array.astype(spec.dtype).reshape(spec.shape)
            for spec, array in zip(inputs, sample, strict=True)
        }
        answers.append([np.asarray(a, dtype=np.float64) for a in session.run(names, feed)])
    return answers
