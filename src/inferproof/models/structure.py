"""The nodes of a loaded model and what they are computed from, for pictures and tables."""

from dataclasses import dataclass

from inferproof.models.loaded import LoadedModel


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node of the canonical graph, by its place in it.

    `operands` are the computed values and graph inputs that it reads, constants left out.
    """

    node: int
    operator: str
    operands: tuple[str, ...]
    results: tuple[str, ...]


def nodes_of(model: LoadedModel) -> tuple[NodeFacts, ...]:
    """The model's nodes in the order in which they run."""
    from onnx import ModelProto

    proto = ModelProto.FromString(model.onnx)
    computed = {spec.name for spec in (*model.inputs, *model.values)}
    return tuple(
        NodeFacts(
            number,
            node.op_type,
            tuple(dict.fromkeys(name for name in node.input if name in computed)),
            tuple(name for name in node.output if name),
        )
        for number, node in enumerate(proto.graph.node)
    )
