"""What is checked of a key's graph and of public values beside the relations.

Source: specs/relations.md, sections 2 and 5.
"""

from collections.abc import Sequence

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import P
from inferproof.second_verifier.keys import Tensors
from inferproof.second_verifier.reader import Rejected


def check_public(graph: g.Graph, inputs: Tensors, outputs: Tensors) -> None:
    """Raises: Rejected INPUT_MISMATCH, OUTPUT_MISMATCH where sizes or ranges are not declared."""
    check_declared("INPUT_MISMATCH", graph.inputs, inputs)
    declared = [graph.tensor(number) for number in graph.outputs]
    check_declared("OUTPUT_MISMATCH", declared, outputs)


def check_declared(code: str, tensors: Sequence[g.Tensor], given: Tensors) -> None:
    """Raises: Rejected with the code where sizes or ranges are not declared."""
    if len(tensors) != len(given):
        raise Rejected(code, "their number")
    for tensor, values in zip(tensors, given, strict=True):
        fits = all(tensor.lo <= value <= tensor.hi for value in values)
        if len(values) != tensor.size or not fits:
            raise Rejected(code, "size or range")


def all_read(graph: g.Graph, related: list[bool]) -> None:
    """Raises: Rejected KEY_UNREAD where no output depends on a matrix or parameter."""
    read = set(graph.outputs)
    for place, node in reversed(list(enumerate(graph.nodes))):
        own = len(graph.inputs) + place
        if own not in read and not related[place]:
            if node.op in (g.LINEAR, g.CONV, g.PARAMETER):
                raise Rejected("KEY_UNREAD", f"the weights of node {place}")
            continue
        if node.op == g.ADD:
            pairs = zip(node.operands, node.coefficients, strict=True)
            read.update(number for number, c in pairs if c % P)
        else:
            read.update(node.operands)
