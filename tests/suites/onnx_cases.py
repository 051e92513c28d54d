"""The onnx package's own test cases of single operators, as models that can be lowered.

The cases give every operand as an input of the graph. What shapes or selects is made a constant
here; operands of two-sided operators stay inputs.
"""

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from inferproof.models.limits import NEWEST_OPSET

_TWO_SIDED_NAMES = (
    "Add Sub Mul Div Max Min Sum Mean MatMul Gemm Greater Less GreaterOrEqual LessOrEqual Equal "
    "And Or Xor Where Concat PRelu Einsum Attention RotaryEmbedding"
)
_TWO_SIDED = frozenset(_TWO_SIDED_NAMES.split())


@dataclass(frozen=True, slots=True)
class Case:
    """A model of one operator and one sample for each input."""

    name: str
    operator: str
    model: ModelProto
    samples: dict[str, Any]


def cases_of(module: str) -> Iterator[Case]:
    """The cases that a module of onnx.backend.test.case.node defines, of one standard operator.

    Cases with element types that no model may have (4 and 8 bit floats, strings) are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case import node as cases

        importlib.import_module(f"{cases.__name__}.{module}")
    operator = module.replace("_", "")
    for case in cases._NodeTestCases:
        node = case.model.graph.node
        if len(node) != 1 or node[0].op_type.lower() != operator or node[0].domain:
            continue
        made = _case(case)
        if made is not None:
            yield made


def _case(case: Any) -> Case | None:
    model = ModelProto.FromString(case.model.SerializeToString())
    (node,) = model.graph.node
    given, _ = case.data_sets[0]
    arrays = [
        np.asarray(numpy_helper.to_array(x) if isinstance(x, TensorProto) else x) for x in given
    ]
    if any(a.dtype.kind not in "fiub" or a.size == 0 for a in arrays) or not arrays:
        return None
    if any(a.dtype.kind == "f" and not np.isfinite(a).all() for a in arrays):
        return None
    if node.op_type == "LayerNormalization":
        # Mean and deviation are for training.
        del node.output[1:], model.graph.output[1:]
    version = model.opset_import[0].version
    model.opset_import[0].version = min(max(version, 7), NEWEST_OPSET)
    kept, samples = [], {}
    for place, (info, array) in enumerate(zip(model.graph.input, arrays, strict=True)):
        if place == 0 or node.op_type in _TWO_SIDED:
            kept.append(info)
            samples[info.name] = array[None]
        else:
            model.graph.initializer.append(numpy_helper.from_array(array, info.name))
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return Case(case.name, node.op_type, model, samples)
