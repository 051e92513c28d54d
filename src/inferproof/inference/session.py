"""Runs canonical models: one thread, no rewriting of the graph, the same answer every time."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, ModelRejected, Reason
from inferproof.models.loaded import LoadedModel
from inferproof.models.runtime import onnx_runtime, runtime_errors, session_options, what_it_says
from inferproof.models.show import printable
from inferproof.types.digest import Digest
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
        self._outputs = [spec.name for spec in model.outputs]
        runtime = onnx_runtime()
        try:
            self._session = runtime.InferenceSession(
                model.onnx, session_options(runtime), providers=["CPUExecutionProvider"]
            )
        except runtime_errors(runtime) as error:
            raise ModelRejected(Reason.MODEL_NOT_RUNNABLE, why=what_it_says(error)) from None

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """The model's outputs by name.

        Shapes: one array per graph input, of exactly its type and shape.
        Raises: InputRejected with the reasons of `check_inputs`, INPUT_RUN_FAILED (an index
        out of range, a division by zero) or OUTPUT_NOT_FINITE.
        """
        check_inputs(inputs, self.model.inputs)
        runtime = onnx_runtime()
        try:
            results = self._session.run(self._outputs, inputs)
        except runtime_errors(runtime) as error:
            raise InputRejected(Reason.INPUT_RUN_FAILED, why=what_it_says(error)) from None
        for name, array in zip(self._outputs, results, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputRejected(Reason.OUTPUT_NOT_FINITE, name=printable(name))
        return dict(zip(self._outputs, results, strict=True))


@dataclass(slots=True)
class SessionCache:
    """Keeps the sessions that were used last, by the model's digests. Safe among threads.

    `capacity` counts sessions: each holds its weights once, so it bounds memory together
    with the intake limits.
    """

    capacity: int = 16
    _sessions: OrderedDict[tuple[Digest, Digest], Session] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, model: LoadedModel) -> Session:
        """The model's session, made when it is not here. Raises: as `Session`."""
        key = (model.graph_digest, model.weights_digest)
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                session = Session(model)
                self._sessions[key] = session
            self._sessions.move_to_end(key)
            while len(self._sessions) > self.capacity:
                self._sessions.popitem(last=False)
            return session

    def __len__(self) -> int:
        return len(self._sessions)
