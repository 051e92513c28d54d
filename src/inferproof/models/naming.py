"""What nodes are called in messages, and names for values that are made."""

from onnx import NodeProto

from inferproof.models.show import printable, shown


def named(node: NodeProto) -> str:
    """What the file calls a node: its name, or that of its first output. Printable."""
    return printable(node.name or next(filter(None, node.output), ""))


def located(node: NodeProto) -> str:
    """A node's operator in quotes, and where in the file it is."""
    return f"{shown(node.op_type)} of node '{named(node)}'"


class FreshNames:
    """Names that a graph does not have yet."""

    def __init__(self, taken: set[str]) -> None:
        """`taken` is kept: who adds to it later is heeded, and each name given out is added."""
        self._taken = taken
        self._next = 0

    def like(self, stem: str) -> str:
        """The stem itself where nothing has that name, or else the stem and a number."""
        name = stem
        while name in self._taken:
            self._next += 1
            name = f"{stem}/{self._next}"
        self._taken.add(name)
        return name
