"""ONNX Runtime as every part of this package uses it: one thread, nothing rewritten."""

from typing import Any

from inferproof.errors import MissingPart, Reason
from inferproof.models.show import first_line


def session_options(runtime: Any) -> Any:
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


def runtime_errors(runtime: Any) -> tuple[type[Exception], ...]:
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


def what_it_says(error: Exception) -> str:
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
