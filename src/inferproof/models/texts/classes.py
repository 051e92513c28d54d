"""Class labels in texts: the graph answers with class numbers, and the labels are kept beside it.

Source: the operators' texts in onnx/docs/Operators-ml.md.
"""

from collections.abc import Callable, Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inferproof.models.operators import ML_DOMAIN
from inferproof.models.texts.reading import (
    Texts,
    distinct,
    drop,
    invalid,
    number,
    numbers,
    refused,
    set_number,
    set_numbers,
    string,
    strings,
)
from inferproof.protocol.labels import MAX_LABEL, MAX_LABELS

Names = tuple[str, ...]
_CLASSES = {
    "LinearClassifier": "classlabels_ints",
    "SVMClassifier": "classlabels_ints",
    "TreeEnsembleClassifier": "classlabels_int64s",
}
"""Operators that answer a class, and where they keep classes that are whole numbers."""
_SAME_NUMBERS = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose"})
_SAME_COLUMNS = frozenset({"Identity", "Cast", "Normalizer", "Softmax", "Sigmoid"})
_UNKNOWN = "_Unused"
"""What LabelEncoder and CategoryMapper answer, by default, for what they do not know."""


def _by_pairs(node: NodeProto, classes: int) -> bool:
    """Whether a classifier's columns are decisions between pairs of classes, not classes."""
    pairs = node.op_type == "SVMClassifier" and classes > 2
    given = {item.name for item in node.attribute if item.ints or item.floats}
    return pairs and "vectors_per_class" in given and "prob_a" not in given


class _Classes:
    """Which tensors hold class numbers in place of labels, and whose columns have names."""

    def __init__(self, model: ModelProto, texts: Texts) -> None:
        self.numbers: dict[str, Names] = {}
        self.columns: dict[str, Names] = {}
        self.texts = texts
        self._added: list[TensorProto] = []
        for node in model.graph.node:
            self._visit(node)
        model.graph.initializer.extend(self._added)

    def _visit(self, node: NodeProto) -> None:
        read = next(iter(node.input), "")
        made = next(iter(node.output), "")
        ml = node.domain == ML_DOMAIN
        if ml and node.op_type in _CLASSES:
            self._classifier(node)
        elif ml and node.op_type == "ZipMap":
            self._zip_map(node)
        elif ml and node.op_type in _ENCODERS:
            _ENCODERS[node.op_type](self, node)
        elif read in self.texts and node.op_type in _PICKS:
            _PICKS[node.op_type](self, node)
        elif node.op_type == "Cast" and read in self.numbers:
            if number(node, "to", 0) == TensorProto.STRING:
                set_number(node, "to", TensorProto.INT64)
            self.numbers[made] = self.numbers[read]
        elif node.op_type in _SAME_NUMBERS and read in self.numbers:
            self.numbers[made] = self.numbers[read]
        elif any(name in self.numbers for name in node.input):
            raise refused(
                node,
                "reads class labels, which are texts",
                "export the model with whole numbers as classes",
            )
        if node.op_type in _SAME_COLUMNS and read in self.columns:
            self.columns[made] = self.columns[read]

    def _classifier(self, node: NodeProto) -> None:
        kept = _CLASSES[node.op_type]
        names = strings(node, "classlabels_strings")
        if names:
            set_numbers(node, kept, range(len(names)))
            drop(node, "classlabels_strings")
            self._name(node, node.output[:1], self.numbers, names)
        else:
            names = _own_names(numbers(node, kept))
        if names and not _by_pairs(node, len(names)):
            self._name(node, node.output[1:2], self.columns, names)

    def _zip_map(self, node: NodeProto) -> None:
        names = strings(node, "classlabels_strings")
        drop(node, "classlabels_strings")
        names = names or _own_names(numbers(node, "classlabels_int64s"))
        if names:
            self._name(node, node.output[:1], self.columns, names)

    def _array_feature_extractor(self, node: NodeProto) -> None:
        self._pick(node)
        shape = f"{node.output[0]}/texts"
        self._added.append(numpy_helper.from_array(np.array([1, -1], "<i8"), shape))
        node.op_type, node.domain = "Reshape", ""
        node.input.append(shape)

    def _gather(self, node: NodeProto) -> None:
        if number(node, "axis", 0) not in (0, -1):
            raise refused(node, "gathers texts along an axis that they lack", "gather on axis 0")
        self._pick(node)
        node.op_type = "Identity"

    def _pick(self, node: NodeProto) -> None:
        """The node's places are the class numbers."""
        if len(node.input) != 2 or len(node.output) != 1:
            raise invalid(node, "it needs texts and places")
        self._name(node, node.output, self.numbers, self.texts.vector(node, node.input[0]))
        del node.input[0]
        drop(node, "axis")

    def _label_encoder(self, node: NodeProto) -> None:
        if strings(node, "keys_strings"):
            raise refused(node, "reads texts that no input holds", "encode texts of inputs alone")
        names = strings(node, "values_strings")
        old = strings(node, "classes_strings")  # its first version
        if old:
            names = old
            set_numbers(node, "keys_int64s", range(len(old)))
        if not names:
            return
        keys = numbers(node, "keys_int64s")
        unknown = string(node, "default_string", _UNKNOWN)
        drop(node, "values_strings", "classes_strings", "default_string")
        if keys:
            distinct(node, "keys_int64s", keys)
            if len(keys) != len(names):
                raise invalid(node, "it has another number of keys than of values")
        set_numbers(node, "values_int64s", range(len(names)))
        set_number(node, "default_int64", len(names))
        self._name(node, node.output[:1], self.numbers, (*names, unknown))

    def _category_mapper(self, node: NodeProto) -> None:
        """As a LabelEncoder of the same numbers and texts."""
        keys, names = numbers(node, "cats_int64s"), strings(node, "cats_strings")
        drop(node, "cats_int64s", "cats_strings", "default_int64")
        node.op_type = "LabelEncoder"
        set_numbers(node, "keys_int64s", keys)
        values = [name.encode() for name in names]
        node.attribute.append(helper.make_attribute("values_strings", values))
        self._label_encoder(node)

    def _name(
        self, node: NodeProto, made: Sequence[str], where: dict[str, Names], names: Names
    ) -> None:
        _check(node, names)
        if where is self.columns:
            distinct(node, "labels", names)
        where.update({name: names for name in made if name})


_PICKS: dict[str, Callable[[_Classes, NodeProto], None]] = {
    "ArrayFeatureExtractor": _Classes._array_feature_extractor,
    "Gather": _Classes._gather,
}
_ENCODERS: dict[str, Callable[[_Classes, NodeProto], None]] = {
    "CategoryMapper": _Classes._category_mapper,
    "LabelEncoder": _Classes._label_encoder,
}


def name_classes(model: ModelProto, texts: Texts) -> dict[str, Names]:
    """The labels of tensors, by tensor: of the class numbers in it, or of its columns. Nodes that
    made texts of class numbers pass the numbers on.

    Raises: ModelRejected MODEL_TEXT_REFUSED, MODEL_TEXT_TOO_MANY, MODEL_INVALID.
    """
    found = _Classes(model, texts)
    return found.columns | found.numbers


def _own_names(classes: Sequence[int]) -> Names:
    """Classes that are whole numbers, as names of columns; none where they number the columns."""
    return () if list(classes) == list(range(len(classes))) else tuple(map(str, classes))


def _check(node: NodeProto, names: Names) -> None:
    if len(names) > MAX_LABELS:
        raise refused(node, f"has {len(names)} classes", f"at most {MAX_LABELS} can have names")
    for name in names:
        if not 1 <= len(name) <= MAX_LABEL or not name.isprintable():
            raise refused(
                node,
                f"has the label {name[:MAX_LABEL]!r}",
                f"give it labels of 1 to {MAX_LABEL} characters that can be printed",
            )
