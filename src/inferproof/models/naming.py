"""What the nodes of a file are called in messages."""

from onnx import NodeProto

from inferproof.models.show import printable, shown


def named(node: NodeProto) -> str:
    """What the file calls a node: its name, or that of its first output. Printable."""
    return printable(node.name or next(filter(None, node.output), ""))


def located(node: NodeProto) -> str:
    """A node's operator in quotes, and where in the file it is."""
    return f"{shown(node.op_type)} of node '{named(node)}'"
