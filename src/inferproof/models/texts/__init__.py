"""Texts at the edges of a model: they leave the graph, which holds numbers alone.

Before the graph is read, nodes that make or take texts are replaced in the parsed file: labels of
classes behind the scores by class numbers, whose names are kept with the model (`classes`). What
is left of texts is refused where the graph is read.
"""

from dataclasses import dataclass, field

from onnx import ModelProto, TensorProto

from inferproof.models.texts.classes import name_classes
from inferproof.models.texts.reading import Texts

Labels = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Edges:
    """What stood in texts: labels of the graph's outputs, by the output's name."""

    labels: Labels = field(default_factory=dict)


def take_texts(model: ModelProto) -> Edges:
    """The texts at the model's edges, which are taken out of it.

    Soundness: called before the graph was looked at, on a file whose counts and lengths are
    bounded (`wire.prescan`). Raises: ModelRejected MODEL_TEXT_REFUSED, MODEL_TEXT_TOO_MANY,
    MODEL_INVALID.
    """
    if not model.HasField("graph"):
        return Edges()
    texts = Texts(model)
    labels = name_classes(model, texts)
    texts.drop_unused()
    for info in model.graph.output:
        if info.type.tensor_type.elem_type == TensorProto.STRING and info.name in labels:
            info.type.tensor_type.elem_type = TensorProto.INT64
    return Edges(
        {info.name: labels[info.name] for info in model.graph.output if info.name in labels}
    )
