"""Operators of other tools written with those of ONNX, when the model is read: `forms`.

What ONNX Runtime's optimiser fuses and its quantiser emits (domain com.microsoft), and the
standard's own operators on quantised tensors. So everything behind the intake sees floats,
QuantizeLinear and DequantizeLinear. Source: onnxruntime/docs/ContribOperators.md, and what ONNX
Runtime makes of the operators, which tests hold each to.
"""

from collections.abc import Iterable, Mapping

from onnx import NodeProto

from inferproof.errors import ModelRejected, Reason
from inferproof.models.contrib import (  # noqa: F401  (they register themselves)
    attention,
    fused,
    normalisation,
    quantised,
    recurrent,
)
from inferproof.models.contrib.rewriting import MICROSOFT, REGISTRY, STANDARD, Rewriting, Types
from inferproof.models.show import shown
from inferproof.models.tensors import Array

_WAYS_OUT = {
    MICROSOFT: "save the model before ONNX Runtime optimises it, or with this fusion disabled",
    "com.microsoft.nchwc": "save the optimised model with ORT_ENABLE_EXTENDED, not with all",
    "com.ms.internal.nhwc": "save the model before ONNX Runtime lays it out for a device",
}
_OLDER = {"LayerNormalization": 17}
"""Operators that ONNX Runtime writes in the standard's domain before the standard had them."""
FOREIGN = frozenset(name for domain, name in REGISTRY if domain == MICROSOFT)
"""The operators of ONNX Runtime's own domain that are written with the standard's."""
QUANTISED = frozenset(name for domain, name in REGISTRY if domain == STANDARD)
"""The standard's domain's operators that are."""


def is_rewritten(node: NodeProto, opset: int) -> bool:
    """Whether the node is of an operator that `rewritten` takes."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    older = domain == STANDARD and opset < _OLDER.get(node.op_type, 0)
    return older or (domain, node.op_type) in REGISTRY


def is_unnamed(node: NodeProto, opset: int) -> bool:
    """Whether the onnx package has no schema of a node that is rewritten."""
    own = node.domain in (STANDARD, "ai.onnx")
    new = own and opset < _OLDER.get(node.op_type, 0)
    return new or node.op_type == "SimplifiedLayerNormalization" or not own


def way_out(domain: str) -> str:
    """What to do about an operator of a domain that is not taken."""
    return _WAYS_OUT.get(domain, "replace it by standard operators when exporting")


def rewritten(
    node: NodeProto,
    opset: int,
    types: Types,
    constants: Mapping[str, Array],
    used: Iterable[str],
) -> Rewriting:
    """What stands for a node that `is_rewritten`, given the types of all its inputs.

    Raises: ModelRejected MODEL_INVALID, MODEL_OPERATOR_REFUSED.
    """
    made = Rewriting(node, opset, types, constants, used)
    if not any(made.output(place) for place in range(len(node.output))):
        return made
    if opset < _OLDER.get(node.op_type, 0) and node.domain in (STANDARD, "ai.onnx"):
        normalisation.older_layer_norm(made)
    else:
        domain = "" if node.domain == "ai.onnx" else node.domain
        REGISTRY[domain, node.op_type](made)
    left = [name for place, name in enumerate(node.output) if made.output(place)]
    written = {name for item in made.nodes for name in item.output}
    if not written.issuperset(left):
        missing = next(name for name in left if name not in written)
        raise ModelRejected(
            Reason.MODEL_OPERATOR_REFUSED,
            op=shown(node.op_type),
            why=f"its output {shown(missing)} is for training or caching",
        )
    return made
