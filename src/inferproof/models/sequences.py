"""Sequences of tensors whose length is known beforehand: each is the list of its tensors' names.

Exporters write them for `split`, `chunk` and `stack`, and as an output for models of several
answers. Nothing behind the intake sees them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import NodeProto

from inferproof.errors import ModelRejected, Reason
from inferproof.models.expansion import Expansion
from inferproof.models.naming import located
from inferproof.models.show import shown
from inferproof.models.tensors import Array

Types = Mapping[str, tuple[np.dtype[np.generic], tuple[int, ...]]]

_NAMES = (
    "ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert "
    "SequenceLength SplitToSequence"
)
SEQUENCES = frozenset(_NAMES.split())
"""Operators that make, change or read a sequence."""


class Held:
    """The sequences that a graph holds so far, by name."""

    def __init__(self, limit: int, opset: int) -> None:
        """`limit` is how many tensors all sequences together may hold."""
        self._opset = opset
        self._lists: dict[str, list[str]] = {}
        self._left = limit

    def __contains__(self, name: str) -> bool:
        return name in self._lists

    def names_of(self, name: str) -> list[str] | None:
        """The tensors of the sequence of this name; None where there is none."""
        return self._lists.get(name)

    def check(self, node: NodeProto) -> None:
        """Raises: ModelRejected MODEL_OPERATOR_REFUSED when the node reads a sequence otherwise."""
        if any(name in self._lists for name in node.input):
            raise _refused(
                node,
                "it takes a sequence",
                "take the tensors out of it with SequenceAt or ConcatFromSequence",
            )

    def read(self, node: NodeProto, values: Sequence[Array | None], types: Types) -> Expansion:
        """What stands for a node of an operator in SEQUENCES; its sequence is kept.

        `values` are the constants among its inputs. Raises: ModelRejected MODEL_INVALID,
        MODEL_OPERATOR_REFUSED, MODEL_TOO_MANY.
        """
        made = Expansion(node, self._opset)
        op, output = node.op_type, node.output[0]
        attributes = {item.name: item.i for item in node.attribute}
        match op:
            case "SequenceConstruct":
                self._keep(made, output, list(node.input))
            case "SequenceEmpty":
                self._keep(made, output, [])
            case "SplitToSequence":
                self._keep(made, output, _split(made, node, values, attributes, types))
            case "ConcatFromSequence":
                _join(made, output, self._list(node), attributes, types)
            case "SequenceLength":
                made.constants[output] = np.array(len(self._list(node)), "<i8")
            case "SequenceAt":
                names = self._list(node)
                made.node("Identity", [names[_place(node, values, 1, len(names))]], output)
            case "SequenceErase":
                names = self._list(node)
                gone = _place(node, values, 1, len(names))
                self._keep(made, output, names[:gone] + names[gone + 1 :])
            case _:
                names = self._list(node)
                place = _place(node, values, 2, len(names) + 1)
                self._keep(made, output, [*names[:place], node.input[1], *names[place:]])
        return made

    def _list(self, node: NodeProto) -> list[str]:
        if node.input[0] not in self._lists:
            raise _refused(
                node, "its sequence is not one that the graph makes", "give the model tensors"
            )
        return self._lists[node.input[0]]

    def _keep(self, made: Expansion, output: str, names: list[str]) -> None:
        if any(name in self._lists for name in names):
            raise made.invalid("a sequence holds a sequence")
        self._left -= len(names)
        if self._left < 0:
            raise ModelRejected(
                Reason.MODEL_TOO_MANY, what="tensors in sequences", limit=self._left + len(names)
            )
        self._lists[output] = names


def _refused(node: NodeProto, why: str, instead: str) -> ModelRejected:
    return ModelRejected(Reason.MODEL_OPERATOR_REFUSED, op=located(node), why=f"{why}; {instead}")


def _place(node: NodeProto, values: Sequence[Array | None], at: int, count: int) -> int:
    """The constant place that an input names among so many; the last one where it is left out."""
    if at >= len(node.input) or not node.input[at]:
        place = count - 1
    else:
        told = values[at]
        if told is None or told.size != 1:
            raise _refused(
                node, "its place depends on the model's input", "a place that is a constant"
            )
        place = int(told.reshape(-1)[0])
    if not -count <= place < count:
        raise ModelRejected(
            Reason.MODEL_INVALID, op=shown(node.op_type), why=f"the sequence has no place {place}"
        )
    return place % count


def _split(
    made: Expansion,
    node: NodeProto,
    values: Sequence[Array | None],
    attributes: Mapping[str, int],
    types: Types,
) -> list[str]:
    """The names of the parts, each a Slice."""
    shape = types[node.input[0]][1]
    axis = attributes.get("axis", 0)
    if not -len(shape) <= axis < len(shape):
        raise made.invalid(f"its input has no axis {axis}")
    axis %= len(shape)
    size = shape[axis]
    told = values[1] if len(node.input) > 1 and node.input[1] else np.ones((), np.int64)
    if told is None:
        raise _refused(node, "its sizes depend on the model's input", "sizes that are constants")
    if told.ndim == 0:
        step = int(told)
        if step < 1:
            raise made.invalid("a part has no elements")
        starts = list(range(0, size, step))
        sizes = [min(step, size - start) for start in starts]
    else:
        sizes = [int(value) for value in told]
        starts = [sum(sizes[:place]) for place in range(len(sizes))]
        if sum(sizes) != size or min(sizes, default=0) < 1:
            raise made.invalid("its parts are not as long as its input together")
    dropped = not attributes.get("keepdims", 1) and not (len(node.input) > 1 and node.input[1])
    rest = [*shape[:axis], *shape[axis + 1 :]]
    names = []
    for start, count in zip(starts, sizes, strict=True):
        ends = [made.constant([value], "<i8") for value in (start, start + count, axis)]
        name = made.node("Slice", [node.input[0], *ends])
        names.append(made.node("Reshape", [name, made.constant(rest, "<i8")]) if dropped else name)
    return names


def _join(
    made: Expansion,
    output: str,
    names: list[str],
    attributes: Mapping[str, int],
    types: Types,
) -> None:
    if not names:
        raise made.invalid("its sequence is empty")
    axis = attributes.get("axis", 0)
    if attributes.get("new_axis", 0):
        rank = len(types[names[0]][1]) + 1
        if not -rank <= axis < rank:
            raise made.invalid(f"its result has no axis {axis}")
        wide = []
        for name in names:
            shape = list(types[name][1])
            shape.insert(axis % rank, 1)
            wide.append(made.node("Reshape", [name, made.constant(shape, "<i8")]))
        names = wide
    made.node("Concat", names, output, axis=axis)
