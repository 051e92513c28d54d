"""ONNX Runtime as every part of this package uses it: one thread, nothing rewritten."""

from typing import Any

import numpy.typing as npt

from inferproof.errors import InputRejected, MissingPart, ModelRejected, Reason
from inferproof.models.show import first_line, shown
from inferproof.types.tensor import TensorSpec

Array = npt.NDArray[Any]


def open_session(onnx: bytes | str) -> Any:
    """An ONNX Runtime session on the CPU, of a model's bytes or of the file of that path.

    Raises: ModelRejected MODEL_NOT_RUNNABLE.
    """
    runtime = onnx_runtime()
    try:
        return runtime.InferenceSession(
            onnx,
            _session_options(runtime),
            providers=["CPUExecutionProvider"],
            # Its fallback tries the same once more and prints on standard output.
            enable_fallback=0,
        )
    except _runtime_errors(runtime) as error:
        raise ModelRejected(Reason.MODEL_NOT_RUNNABLE, why=_what_it_says(error)) from None


def run_session(
    session: Any, inputs: dict[str, Array], specs: tuple[TensorSpec, ...]
) -> list[Array]:
    """One array for each spec, of its type and shape.

    Raises: InputRejected INPUT_RUN_FAILED; ModelRejected MODEL_NOT_RUNNABLE when the runtime
    understands an operator in another way than the standard's shape rules do.
    """
    results: list[Array] = run_any(session, inputs, [spec.name for spec in specs])
    for spec, array in zip(specs, results, strict=True):
        if array is not None and array.dtype == spec.dtype and array.shape == spec.shape:
            continue
        got = "nothing" if array is None else f"{array.dtype.name}{list(array.shape)}"
        wanted = f"{spec.dtype}{list(spec.shape)}"
        if got != wanted:
            raise ModelRejected(
                Reason.MODEL_NOT_RUNNABLE,
                why=f"tensor {shown(spec.name)} comes out as {got}, the standard says {wanted}",
            )
    return results


def run_any(session: Any, inputs: dict[str, Array], names: list[str]) -> list[Any]:
    """What the session gives for these outputs, whatever it is. Raises: InputRejected
    INPUT_RUN_FAILED."""
    try:
        results: list[Any] = session.run(names, inputs)
    except _runtime_errors(onnx_runtime()) as error:
        raise InputRejected(Reason.INPUT_RUN_FAILED, why=_what_it_says(error)) from None
    return results


def _session_options(runtime: Any) -> Any:
    """ONNX Runtime options under which the same input gives the same bits every time."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.use_deterministic_compute = True
    # The arena keeps the peak of every session for ever.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # Its own messages go to standard error, where nobody asked for them; errors are raised.
    options.log_severity_level = 4
    return options


def _runtime_errors(runtime: Any) -> tuple[type[Exception], ...]:
    """The exceptions that ONNX Runtime raises; they share no base of their own."""
    state = runtime.capi.onnxruntime_pybind11_state
    return (
        state.EPFail,
        state.EngineError,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,
    )


def _what_it_says(error: Exception) -> str:
    """The heart of an ONNX Runtime message, without its code and the node that has no name."""
    text = str(error)
    marker = "Status Message: "
    if marker in text:
        return first_line(text.split(marker, 1)[1])
    parts = text.split(" : ", 3)
    return first_line(parts[3] if len(parts) == 4 and parts[1].isdigit() else text)


def onnx_runtime() -> Any:
    """The onnxruntime package. Raises: MissingPart MISSING_LIBRARY."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature="running a model",
            package="onnxruntime",
            command="pip install 'inferproof[models]'",
        ) from None
    return onnxruntime
