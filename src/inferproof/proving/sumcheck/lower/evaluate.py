"""Evaluates one ONNX operator on arrays with the onnx package's reference implementation.

It is used where the result enters the graph as constants: on the model's own constants, and on
the grid of points of a table.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from inferproof.proving.sumcheck.lower.program import Step, unsupported

Array = npt.NDArray[Any]

_FAULTS = (
    *(RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(NotImplementedError, AssertionError, ZeroDivisionError, OverflowError),
)
"""What the reference implementation raises on operands that it does not take."""

_CANONICAL_IR_VERSION = 8
_SINCE = {"DequantizeLinear": 21, "QuantizeLinear": 21}
"""Operators that it has only from this opset on; earlier forms mean the same."""


def evaluate(step: Step, inputs: list[Array | None], opset: int) -> list[Array]:
    """The step's outputs on these inputs; None stands for an input that is left out.

    Raises: ModelRejected LOWERING_UNSUPPORTED when the operator cannot be evaluated.
    """
    names = [f"x{place}" if value is not None else "" for place, value in enumerate(inputs)]
    outputs = [f"y{place}" for place in range(len(step.outputs))]
    attributes = {name: _attribute(value) for name, value in step.attributes.items()}
    node = helper.make_node(step.op, names, outputs, **attributes)
    given = {name: value for name, value in zip(names, inputs, strict=True) if value is not None}
    declared = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), None)
        for name, value in given.items()
    ]
    results = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    graph = helper.make_graph([node], "one", declared, results)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", max(opset, _SINCE.get(step.op, 0)))],
        ir_version=_CANONICAL_IR_VERSION,
    )
    try:
        with np.errstate(all="ignore"):
            return [np.asarray(value) for value in ReferenceEvaluator(model).run(None, given)]
    except _FAULTS as error:
        why = (
            f"it cannot be evaluated: {str(error).splitlines()[0] if str(error) else 'no details'}"
        )
        raise unsupported(step, why, "replace it by its result before exporting") from None


def _attribute(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        from onnx import numpy_helper

        return numpy_helper.from_array(value)
    return value
