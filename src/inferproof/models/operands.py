"""What is looked at in a node before the onnx package infers its shapes in native code."""

import re

from onnx import NodeProto

from inferproof.errors import ModelRejected, Reason
from inferproof.models.limits import Limits
from inferproof.models.naming import located
from inferproof.models.show import shown
from inferproof.models.tensors import Array

# Inputs that size the output, by position. (Resize and Upsample also have factors.)
_SIZING_INPUTS = {
    "BlackmanWindow": (0,),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "DFT": (1,),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "MelWeightMatrix": (0, 1),
    "OneHot": (1,),
    "Pad": (1,),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "STFT": (1, 3),
    "Tile": (1,),
    "TopK": (1,),
    "Upsample": (1,),
}


def check_operands(node: NodeProto, values: list[Array | None], limits: Limits) -> None:
    """Returns when nothing in the node's constants and attributes could mislead the library.

    `values` are the constants among its inputs. Raises: ModelRejected MODEL_SHAPES_DISAGREE,
    MODEL_INVALID, MODEL_OPERATOR_REFUSED (a Dropout in training), MODEL_SIZE_OPERAND.
    """
    if node.op_type == "Split":
        told = next((a.i for a in node.attribute if a.name == "num_outputs"), None)
        if told not in (None, len(node.output)):
            # The library believes the number and writes beyond its lists.
            raise ModelRejected(
                Reason.MODEL_SHAPES_DISAGREE,
                op=located(node),
                why=f"it has {len(node.output)} outputs, but says that it has {told}",
            )
    if node.op_type == "Einsum":
        _check_equation(node)
    if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
        training = values[2]
        if training is None or training.any():
            raise ModelRejected(
                Reason.MODEL_OPERATOR_REFUSED,
                op=located(node),
                why="in training its result is random; export the model for inference",
            )
    for place in _SIZING_INPUTS.get(node.op_type, ()):
        value = values[place] if place < len(values) else None
        if value is None or value.size == 0:
            continue
        worst = max(value.reshape(-1).tolist(), key=abs)
        if abs(worst) > limits.size_operand:
            raise ModelRejected(
                Reason.MODEL_SIZE_OPERAND,
                op=shown(node.op_type),
                value=str(worst),
                limit=limits.size_operand,
            )


_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


def _check_equation(node: NodeProto) -> None:
    """Raises: ModelRejected MODEL_INVALID. The library can run for ever over another text."""
    text = next((item.s for item in node.attribute if item.name == "equation"), b"").decode("ascii")
    left, _, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(node.input) or not all(_TERM.fullmatch(t) for t in (*terms, right)):
        raise ModelRejected(
            Reason.MODEL_INVALID,
            op=shown(node.op_type),
            why="its equation is not one term of letters for each input, with at most one ellipsis",
        )
