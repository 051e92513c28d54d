"""Texts in front of a model: the steps that make numbers of them leave the graph.

From the graph's text inputs on, every node that reads a text becomes a step of the declarative
pre-processing (`inference.preprocess.steps` says what each does), and what numbers they make
becomes inputs of the graph that is left. Fitted numbers do not leave it: texts whose values are
real numbers become places in a table of the graph, and weights of counted terms a product in it.
"""

import math
from collections.abc import Callable
from typing import Any

from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
)

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import shown
from inferproof.models.texts.reading import (
    MAX_TEXTS,
    Texts,
    distinct,
    invalid,
    number,
    refused,
    strings,
)

Shape = tuple[int, ...]
"""Of texts; -1 is the number of words in one."""
Json = dict[str, Any]
MAX_CODE = 2**24
"""Whole numbers up to this are exact in float32, in which inputs are committed to."""
MAX_BYTES = 4 * 2**20
"""Of all texts together."""
MAX_INPUTS = 1024
MAX_STEPS = 4096
MAX_NAME = 200
_WHOLE = frozenset(
    {TensorProto.INT64, TensorProto.INT32, TensorProto.INT16, TensorProto.INT8}
    | {TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64}
    | {TensorProto.BOOL}
)
INSTEAD = (
    "texts can be encoded (OneHotEncoder, LabelEncoder, CategoryMapper), put in lower or upper "
    "case (StringNormalizer), and split into words that are counted (Tokenizer, "
    "TfIdfVectorizer); do what else is done with them before the model"
)


def move_texts(model: ModelProto, texts: Texts) -> Json | None:
    """The pre-processing that takes the place of all nodes that read texts, in canonical form;
    None for a model that takes none. The graph is changed in place.

    Shapes: those of numbers are not known yet; `settled` fills them in.
    Raises: ModelRejected MODEL_TEXT_REFUSED, MODEL_TEXT_TOO_MANY, MODEL_INVALID,
    MODEL_DUPLICATE_NAME, MODEL_TOO_MANY, MODEL_ATTRIBUTE_TOO_LONG.
    """
    if not any(_is_text(info) for info in model.graph.input):
        return None
    return Front(model.graph, texts).move()


def _is_text(info: ValueInfoProto) -> bool:
    return info.type.tensor_type.elem_type == TensorProto.STRING


class Front:
    def __init__(self, graph: GraphProto, texts: Texts) -> None:
        self.graph = graph
        self.texts = texts
        self.shapes: dict[str, Shape] = {}
        self.steps: list[Json] = []
        self.made: list[tuple[str, int, Shape]] = []
        self.added: list[NodeProto] = []
        self.inputs: set[str] = set()
        self.taken: set[str] = set()
        """Names of inputs, constants and what steps made: each stands for one thing."""
        self._bytes = 0

    def move(self) -> Json:
        constants = {item.name for item in self.graph.initializer}
        given = [info for info in self.graph.input if info.name not in constants]
        inputs = [self._input(info) for info in given]
        if len(inputs) > MAX_INPUTS:
            raise ModelRejected(Reason.MODEL_TOO_MANY, what="inputs of texts", limit=MAX_INPUTS)
        self.inputs = {item["name"] for item in inputs}
        self.taken = constants | self.inputs
        if len(self.taken) < len(constants) + len(inputs):
            twice = next(i.name for i in given if sum(j.name == i.name for j in given) > 1)
            raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(twice))
        kept: list[NodeProto] = []
        for node in self.graph.node:
            if any(name in self.shapes for name in node.input):
                self._move(node)
            else:
                kept.append(node)
        self._check_outputs()
        self._number_steps()
        stay = [info for info in self.graph.input if not _is_text(info)]
        kept = [*self.added, *kept]
        new = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in self.made]
        for field, items in ((self.graph.node, kept), (self.graph.input, [*stay, *new])):
            copies = [type(item).FromString(item.SerializeToString()) for item in items]
            del field[:]
            field.extend(copies)
        numbers_through = [
            {"name": item["name"], "shape": item["shape"]}
            for item in inputs
            if item["type"] != "text"
        ]
        for name, _, _ in self.made:
            if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
                raise ModelRejected(
                    Reason.MODEL_TEXT_REFUSED,
                    op=shown("Identity"),
                    name=shown(name),
                    why="has a name that cannot be shown",
                    instead="name it otherwise",
                )
        made = [{"name": name, "shape": list(shape)} for name, _, shape in self.made]
        return {
            "kind": "features",
            "inputs": inputs,
            "steps": self.steps,
            "outputs": [*numbers_through, *made],
        }

    def _input(self, info: ValueInfoProto) -> Json:
        tensor = info.type.tensor_type
        shape: Shape = tuple(
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else 1
            for dim in tensor.shape.dim
        )
        open_axes = [axis for axis, dim in enumerate(tensor.shape.dim) if not dim.dim_value > 0]
        if _is_text(info) and any(axis > 0 for axis in open_axes):
            why = f"leaves axis {open_axes[-1]} open"
            raise _refused_input(info, why, "declare how many texts there are")
        if not 1 <= len(info.name) <= MAX_NAME or not info.name.isprintable():
            raise _refused_input(info, "has a name that cannot be shown", "name it otherwise")
        if _is_text(info) and (len(shape) > 8 or math.prod(shape) > MAX_TEXTS):
            raise _refused_input(info, f"holds {math.prod(shape)} values", "give it fewer")
        if not tensor.HasField("shape"):
            raise _refused_input(info, "has no shape", "declare one, such as [None, 1]")
        if _is_text(info):
            self.shapes[info.name] = shape
            kind = "text"
        else:
            kind = "whole" if tensor.elem_type in _WHOLE else "number"
        return {"name": info.name, "type": kind, "shape": list(shape)}

    def _move(self, node: NodeProto) -> None:
        handler = REGISTRY.get((node.domain if node.domain != "ai.onnx" else "", node.op_type))
        reads_others = node.op_type != "Concat" and any(
            name in self.shapes for name in node.input[1:]
        )
        if handler is None or reads_others or not node.output or not node.output[0]:
            raise refused(node, "reads texts", INSTEAD)
        handler(self, node)

    def _check_outputs(self) -> None:
        made = {name for name, _, _ in self.made}
        for info in self.graph.output:
            if info.name in self.shapes or info.name in made:
                raise ModelRejected(
                    Reason.MODEL_TEXT_REFUSED,
                    op=shown("Identity"),
                    name=shown(info.name),
                    why="answers with what is done to texts before the model",
                    instead="there is nothing to prove in it; leave this output out",
                )

    def _number_steps(self) -> None:
        """Gives what lies between inputs and outputs short names, so that equal steps have equal
        forms, and no name of a file is read by who runs them."""
        kept = {name for name, _, _ in self.made} | self.inputs
        prefix = "t"
        while any(name.startswith(prefix) for name in kept):
            prefix += "_"
        short: dict[str, str] = {}
        for step in self.steps:
            step["read"] = [short.get(name, name) for name in step["read"]]
            made = step["made"]
            if made not in kept:
                step["made"] = short.setdefault(made, f"{prefix}{len(short)}")

    # -- what a step makes -------------------------------------------------------------------

    def step(self, node: NodeProto, do: str, **more: Any) -> None:
        read = [name for name in node.input if name in self.shapes]
        self.add(node.output[0], do, read, **more)

    def add(self, made: str, do: str, read: list[str], **more: Any) -> None:
        if made in self.taken:
            raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(made))
        self.taken.add(made)
        if len(self.steps) >= MAX_STEPS:
            raise ModelRejected(Reason.MODEL_TOO_MANY, what="steps on texts", limit=MAX_STEPS)
        self.steps.append({"do": do, "made": made, "read": read, **more})

    def text(self, node: NodeProto, made: Shape, do: str, **more: Any) -> None:
        self.step(node, do, **more)
        self.shapes[node.output[0]] = made

    def number(self, node: NodeProto, kind: int, shape: Shape, do: str, **more: Any) -> None:
        if -1 in shape:
            raise refused(node, "encodes each word of a text", "count the words (TfIdfVectorizer)")
        self.step(node, do, **more)
        self.made.append((node.output[0], kind, shape))

    def read(self, node: NodeProto) -> Shape:
        return self.shapes[node.input[0]]

    def known(self, node: NodeProto, name: str, *, once: bool = True) -> list[str]:
        found = strings(node, name)
        if once:
            distinct(node, name, found)
        self._bytes += sum(len(text.encode("utf-8")) for text in found)
        if self._bytes > MAX_BYTES:
            raise ModelRejected(
                Reason.MODEL_ATTRIBUTE_TOO_LONG,
                attribute=shown(name),
                op=shown(node.op_type),
                size=self._bytes,
                limit=MAX_BYTES,
            )
        if any(len(text) > 4096 for text in found):
            raise refused(node, "knows a text of over 4096 characters", "leave it out")
        return list(found)

    def axis(self, node: NodeProto, default: int, rank: int) -> int:
        axis = number(node, "axis", default)
        if not -rank <= axis < rank:
            raise invalid(node, f"its axis {axis} is none of the {rank} of what it reads")
        return axis % rank

    def whole(self, node: NodeProto, place: int) -> tuple[int, ...]:
        """A constant operand."""
        name = node.input[place] if len(node.input) > place else ""
        array = self.texts.whole_numbers(name)
        if array is None:
            raise refused(node, "moves texts to where its input says", "give it a constant")
        return array


def _refused_input(info: ValueInfoProto, why: str, instead: str) -> ModelRejected:
    return ModelRejected(
        Reason.MODEL_TEXT_REFUSED,
        op=shown("input"),
        name=shown(info.name),
        why=why,
        instead=instead,
    )


Mover = Callable[[Front, NodeProto], None]
REGISTRY: dict[tuple[str, str], Mover] = {}
"""What takes each operator out of the graph, by domain and name."""


def moves(op: str, domain: str = "") -> Callable[[Mover], Mover]:
    """Declares what takes an operator that reads texts out of the graph."""

    def declare(mover: Mover) -> Mover:
        REGISTRY[domain, op] = mover
        return mover

    return declare
