"""Texts at the edges of a model: they leave the graph, which holds numbers alone.

Before the graph is read, nodes that make or take texts are replaced in the parsed file: what reads
text inputs by the declarative pre-processing (`front`), labels of classes behind the scores by
class numbers, whose names are kept with the model (`classes`). What is left of texts is refused
where the graph is read.
"""

from dataclasses import dataclass, field

from onnx import ModelProto, TensorProto

from inferproof.models.texts import arranging, encoding  # noqa: F401  (they register)
from inferproof.models.texts.classes import name_classes
from inferproof.models.texts.front import REGISTRY, Json, move_texts
from inferproof.models.texts.reading import Texts
from inferproof.types.tensor import TensorSpec

Labels = dict[str, tuple[str, ...]]
MOVED = tuple(sorted(op for _, op in REGISTRY))
"""The operators that are taken out of the graph where they read texts."""


@dataclass(frozen=True, slots=True)
class Edges:
    """What stood in texts: labels of the graph's outputs, by the output's name; and what makes
    the graph's inputs of texts, as a pre-processing in canonical form, where something does."""

    labels: Labels = field(default_factory=dict)
    preprocessing: Json | None = None


def take_texts(model: ModelProto) -> Edges:
    """The texts at the model's edges, which are taken out of it.

    Soundness: called before the graph was looked at, on a file whose counts and lengths are
    bounded (`wire.prescan`). Raises: ModelRejected MODEL_TEXT_REFUSED, MODEL_TEXT_TOO_MANY,
    MODEL_INVALID.
    """
    if not model.HasField("graph"):
        return Edges()
    texts = Texts(model)
    preprocessing = move_texts(model, texts)
    labels = name_classes(model, texts)
    texts.drop_unused()
    for info in model.graph.output:
        if info.type.tensor_type.elem_type == TensorProto.STRING and info.name in labels:
            info.type.tensor_type.elem_type = TensorProto.INT64
    named = {info.name: labels[info.name] for info in model.graph.output if info.name in labels}
    return Edges(named, preprocessing)


def settled(preprocessing: Json | None, inputs: tuple[TensorSpec, ...]) -> Json | None:
    """The pre-processing with the shapes that the graph's inputs were given."""
    if preprocessing is None:
        return None
    shapes = {spec.name: list(spec.shape) for spec in inputs}
    return preprocessing | {
        field: [
            item | ({"shape": shapes[item["name"]]} if item["name"] in shapes else {})
            for item in preprocessing[field]
        ]
        for field in ("inputs", "outputs")
    }
