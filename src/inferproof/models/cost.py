"""How many multiply-adds one node takes, from the shapes of its inputs and outputs."""

import math

from onnx import NodeProto

Shape = tuple[int, ...]
_RECURRENT = frozenset({"RNN", "GRU", "LSTM"})
_POOLS = frozenset({"AveragePool", "MaxPool", "LpPool"})


def multiply_adds(node: NodeProto, shapes: dict[str, Shape]) -> int:
    """The node's multiply-adds; for an operator without a product, its largest tensor.

    An upper bound for padded convolutions, whose products with padding are counted too.
    """
    largest = max((math.prod(shape) for shape in shapes.values()), default=0)
    inputs = [shapes[name] if name else () for name in node.input]
    out = math.prod(shapes[node.output[0]]) if node.output and node.output[0] else 0
    op = node.op_type
    if op == "MatMul":
        return max(out * (inputs[0][-1] if inputs[0] else 1), largest)
    if op == "Gemm":
        transposed = any(item.name == "transA" and item.i for item in node.attribute)
        return max(out * inputs[0][0 if transposed else 1], largest)
    if op == "Conv":
        return max(out * math.prod(inputs[1][1:]), largest)
    if op == "ConvTranspose":
        return max(math.prod(inputs[0]) * math.prod(inputs[1][1:]), largest)
    if op == "Einsum":
        return max(_einsum(node, inputs), largest)
    if op in _RECURRENT:
        steps = inputs[0][0] * inputs[0][1]
        weights = math.prod(inputs[1]) + math.prod(inputs[2])
        return max(steps * weights, largest)
    if op in _POOLS:
        return max(out * math.prod(_numbers(node, "kernel_shape")), largest)
    if op == "LRN":
        return out * _numbers(node, "size")[0]
    return largest


def scratch_elements(node: NodeProto, shapes: dict[str, Shape]) -> int:
    """The largest buffer that a runtime fills besides the node's own tensors, in elements.

    Only for operators whose buffer can be far larger than all their tensors.
    """
    inputs = [shapes[name] if name else () for name in node.input]
    op = node.op_type
    if op == "ConvTranspose":
        # One column per input place and kernel place, for one sample.
        return math.prod(inputs[0][2:]) * math.prod(inputs[1][1:])
    if op == "LRN":
        channels, *places = inputs[0][1:]
        return (channels + _numbers(node, "size")[0]) * math.prod(places)
    if op == "Einsum":
        # Operands are joined from the left; what is joined may hold every index so far.
        return max((_einsum(node, inputs[: n + 1]) for n in range(1, len(inputs) - 1)), default=0)
    return 0


def _numbers(node: NodeProto, name: str) -> list[int]:
    for item in node.attribute:
        if item.name == name:
            return list(item.ints) or [item.i]
    return []


def _einsum(node: NodeProto, inputs: list[Shape]) -> int:
    """The product of all index sizes; dimensions behind an ellipsis each count once."""
    equation = next((item.s for item in node.attribute if item.name == "equation"), b"")
    sizes: dict[str, int] = {}
    for number, (term, shape) in enumerate(
        zip(equation.decode("ascii", "replace").split("->")[0].split(","), inputs, strict=False)
    ):
        letters = term.replace(" ", "").replace("...", "." * (len(shape) - len(term.strip()) + 3))
        for place, (letter, size) in enumerate(zip(letters, shape, strict=False)):
            key = letter if letter != "." else f"{number}.{place}"
            sizes[key] = max(sizes.get(key, 1), size)
    return math.prod(sizes.values())
