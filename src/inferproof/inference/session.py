"""Runs canonical models: one thread, no rewriting of the graph, the same answer every time."""

from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, Reason
from inferproof.models.loaded import LoadedModel
from inferproof.models.runtime import open_session, run_session
from inferproof.models.show import printable
from inferproof.types.tensor import TensorSpec

Array = npt.NDArray[Any]


def check_inputs(inputs: dict[str, Array], specs: tuple[TensorSpec, ...]) -> None:
    """Returns when the inputs are exactly what the specs ask for.

    Raises: InputRejected with INPUT_MISSING_FIELD, INPUT_UNKNOWN_FIELD, INPUT_TYPE_MISMATCH,
    INPUT_SHAPE_MISMATCH or INPUT_NOT_FINITE.
    """
    known = {spec.name for spec in specs}
    for name in inputs:
        if name not in known:
            raise InputRejected(
                Reason.INPUT_UNKNOWN_FIELD, field=printable(name), known=", ".join(sorted(known))
            )
    for spec in specs:
        if spec.name not in inputs:
            raise InputRejected(Reason.INPUT_MISSING_FIELD, field=printable(spec.name))
        array = inputs[spec.name]
        if array.dtype.name != spec.dtype:
            raise InputRejected(
                Reason.INPUT_TYPE_MISMATCH,
                name=printable(spec.name),
                expected=spec.dtype,
                got=array.dtype.name,
            )
        if array.shape != spec.shape:
            raise InputRejected(
                Reason.INPUT_SHAPE_MISMATCH,
                name=printable(spec.name),
                got=list(array.shape),
                expected=list(spec.shape),
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputRejected(Reason.INPUT_NOT_FINITE, name=printable(spec.name))


class Session:
    """An ONNX Runtime session of one canonical model, on the CPU.

    Soundness: for models from `load_model`, whose shapes and work are bounded. The graph is
    run as it is written: rewriting it, even by folding a batch normalisation into a
    convolution, changes the last bits. The answers are float; the proven answer is the
    proof system's quantised one.
    """

    def __init__(self, model: LoadedModel) -> None:
        """Raises: ModelRejected MODEL_NOT_RUNNABLE; MissingPart MISSING_LIBRARY."""
        self.model = model
        self._session = open_session(model.onnx)

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """The model's outputs by name.

        Shapes: one array per graph input, of exactly its type and shape.
        Raises: InputRejected with the reasons of `check_inputs`, INPUT_RUN_FAILED (an index
        out of range, a division by zero) or OUTPUT_NOT_FINITE; ModelRejected
        MODEL_NOT_RUNNABLE.
        """
        check_inputs(inputs, self.model.inputs)
        results = run_session(self._session, inputs, self.model.outputs)
        outputs = {spec.name: a for spec, a in zip(self.model.outputs, results, strict=True)}
        for name, array in outputs.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputRejected(Reason.OUTPUT_NOT_FINITE, name=printable(name))
        return outputs
