"""Named texts and numbers to the inputs of a graph, by the steps that were taken out of it.

Texts become categories, places and counts (`steps`); numbers go through as they are. Nothing is
scaled or weighted here: fitted numbers stay in the graph.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from inferproof.errors import InputRejected, ModelRejected, Reason
from inferproof.inference.preprocess.raw import (
    FLOAT32_MAX,
    read_array,
    show,
    show_shape,
    type_name,
)
from inferproof.inference.preprocess.steps import (
    LARGEST,
    MAX_ELEMENTS,
    Array,
    Join,
    Normal,
    Number,
    OneHot,
    Rename,
    Shape,
    Step,
    Take,
    objects,
    texts,
)
from inferproof.inference.preprocess.words import Count, Words
from inferproof.models.arrays import stacked
from inferproof.models.card import beside_card
from inferproof.models.card_table import Table
from inferproof.models.load import load_model
from inferproof.types.tensor import Tensors, TensorSpec

KINDS: dict[str, Any] = {
    kind.do: kind for kind in (Join, Take, Shape, Normal, Words, Rename, Number, OneHot, Count)
}
MAX_INPUTS = 1024
MAX_STEPS = 4096
MAX_TEXT_BYTES = 65_536
"""Of one text of a request, in UTF-8."""
CATEGORIES = 64
"""Samples that are added to a calibration for one step."""
TEXT, NUMBER, WHOLE = "text", "number", "whole"
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class FeatureInput:
    """A named input: texts, numbers or whole numbers."""

    name: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Features:
    """What is read, what is done with it, and which values are the graph's inputs."""

    kind: ClassVar[str] = "features"
    inputs: tuple[FeatureInput, ...]
    steps: tuple[Step, ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return dict(self.outputs)

    def canonical(self) -> dict[str, Any]:
        return {
            "inputs": [
                {"name": item.name, "type": item.type, "shape": list(item.shape)}
                for item in self.inputs
            ],
            "steps": [
                {"do": step.do, "made": step.made, "read": list(step.read), **step.canonical()}
                for step in self.steps
            ],
            "outputs": [{"name": name, "shape": list(shape)} for name, shape in self.outputs],
        }

    @classmethod
    def read(cls, table: Table, folder: Path | None) -> "Features":
        """The steps in a table, or those of the model beside a card, where a folder is given.

        Raises: ModelRejected CARD_*, and as `load_model`.
        """
        if folder is None:
            return _read(table)
        model = load_model(folder / beside_card(table, "model", folder))
        if model.preprocessing is None:
            table.fail("model", "this model takes no texts; declare its inputs by another kind")
        own = Table(model.preprocessing, table.path, hex_floats=True)
        own.exactly("kind", cls.kind)
        return _read(own)

    def specs(self) -> tuple[TensorSpec, ...]:
        """What is read, as arrays of a file have it."""
        types = {TEXT: "U32", NUMBER: "float32", WHOLE: "int64"}
        return tuple(TensorSpec(item.name, types[item.type], item.shape) for item in self.inputs)


def preprocess_features(spec: Features, raw: object) -> Tensors:
    """The graph's inputs. A single raw input may be given bare, an input of one element without
    its lists.

    Shapes: as declared, float32.
    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_MISSING_FIELD, INPUT_UNKNOWN_FIELD,
    INPUT_SHAPE_MISMATCH, INPUT_NOT_FINITE, INPUT_OUT_OF_RANGE, INPUT_NOT_WHOLE, INPUT_TOO_LARGE,
    INPUT_UNKNOWN_CATEGORY.
    """
    if not isinstance(raw, Mapping):
        if len(spec.inputs) != 1:
            raise InputRejected(
                Reason.INPUT_TYPE_MISMATCH,
                name=", ".join(item.name for item in spec.inputs)[:_SHOWN],
                expected="a table of named texts and numbers",
                got=type_name(raw),
            )
        raw = {spec.inputs[0].name: raw}
    known = {item.name for item in spec.inputs}
    for name in raw:
        if name not in known:
            told = ", ".join(item.name for item in spec.inputs)[:_SHOWN]
            raise InputRejected(Reason.INPUT_UNKNOWN_FIELD, field=show(name), known=told)
    values: dict[str, Array] = {}
    for item in spec.inputs:
        if item.name not in raw:
            raise InputRejected(Reason.INPUT_MISSING_FIELD, field=item.name)
        given = raw[item.name]
        values[item.name] = _texts(item, given) if item.type == TEXT else _numbers(item, given)
    return _run(spec, values)


def sample_tensors(spec: Features, arrays: Mapping[str, Any]) -> Tensors:
    """The graph's inputs for stacked samples, and beyond those one for each category.

    So that the model is calibrated for every number that a step may make, the first sample is
    repeated with them; of a large table with CATEGORIES evenly chosen.
    Shapes: [samples, *shape], where a batch axis of size 1 and axes behind the samples of an
    input of one element may be left out; made are [samples and more, *shape].
    Raises: InputRejected CALIBRATION_INPUTS, CALIBRATION_SHAPE, CALIBRATION_EMPTY, and as
    `preprocess_features`.
    """
    if set(arrays) != {item.name for item in spec.inputs}:
        expected = ", ".join(item.name for item in spec.inputs)
        raise InputRejected(Reason.CALIBRATION_INPUTS, expected=expected)
    given = {item.name: _samples(item, arrays[item.name]) for item in spec.inputs}
    lengths = {len(array) for array in given.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise InputRejected(Reason.CALIBRATION_EMPTY)
    rows = [
        preprocess_features(spec, {name: array[row] for name, array in given.items()})
        for row in range(lengths.pop())
    ]
    for step in spec.steps:
        if step.made in rows[0]:
            for value in step.spread(CATEGORIES):
                rows.append({**rows[0], step.made: np.full_like(rows[0][step.made], value)})
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _samples(item: FeatureInput, array: Any) -> Any:
    array = stacked(np.asarray(array), item.shape)
    if array.ndim == 1 and math.prod(item.shape) == 1:
        array = array.reshape(len(array), *item.shape)
    if array.ndim == 0 or array.shape[1:] != item.shape:
        raise InputRejected(
            Reason.CALIBRATION_SHAPE,
            name=item.name,
            got=show_shape(array.shape),
            expected=", ".join(map(str, item.shape)),
        )
    return array


def _run(spec: Features, values: dict[str, Array]) -> Tensors:
    made = "inputs"
    elements = 0
    try:
        for step in spec.steps:
            made = step.made
            values[made] = step.apply(values)
            elements += values[made].size
            if elements > MAX_ELEMENTS:
                raise ValueError("all steps make more than one may")
        return {
            name: np.ascontiguousarray(values[name], dtype=np.float32).reshape(shape)
            for name, shape in spec.outputs
        }
    except (ValueError, IndexError):
        # Intake makes no such steps: a stranger's bundle does.
        raise ModelRejected(
            Reason.CARD_BAD_VALUE,
            key="preprocessing.steps",
            problem=f"the step that makes {show(made)!r} does not fit what it reads",
        ) from None


def _texts(item: FeatureInput, raw: object) -> Array:
    level: list[object] = [raw.tolist() if isinstance(raw, np.ndarray) else raw]
    bare = not isinstance(level[0], list | tuple) and math.prod(item.shape) == 1
    for depth, length in enumerate(() if bare else item.shape):
        below: list[object] = []
        for one in level:
            if not isinstance(one, list | tuple):
                raise _not_text(item, f"{type_name(one)} at depth {depth}")
            if len(one) != length:
                raise InputRejected(
                    Reason.INPUT_SHAPE_MISMATCH,
                    name=item.name,
                    got=f"{len(one)} items at depth {depth}",
                    expected=show_shape(item.shape),
                )
            below.extend(one)
        level = below
    found: list[str] = []
    for one in level:
        if not isinstance(one, str):
            raise _not_text(item, type_name(one))
        size = len(one.encode("utf-8", "surrogatepass"))
        if size > MAX_TEXT_BYTES:
            raise InputRejected(
                Reason.INPUT_TOO_LARGE, name=item.name, size=size, limit=MAX_TEXT_BYTES
            )
        found.append(one)
    return objects(found).reshape(item.shape)


def _not_text(item: FeatureInput, got: str) -> InputRejected:
    expected = "a text" if math.prod(item.shape) == 1 else f"texts {show_shape(item.shape)}"
    return InputRejected(Reason.INPUT_TYPE_MISMATCH, name=item.name, expected=expected, got=got)


def _numbers(item: FeatureInput, raw: object) -> Array:
    if not isinstance(raw, list | tuple | np.ndarray) and math.prod(item.shape) == 1:
        for _ in item.shape:
            raw = [raw]
    most = float(LARGEST) if item.type == WHOLE else FLOAT32_MAX
    found = read_array(item.name, raw, item.shape, -most, most, "a number")
    if item.type == WHOLE and not (found == np.floor(found)).all():
        raise InputRejected(Reason.INPUT_NOT_WHOLE, name=item.name)
    return found


def _read(table: Table) -> Features:
    inputs = tuple(_input(item) for item in table.tables("inputs", MAX_INPUTS))
    names = {item.name for item in inputs}
    if len(names) != len(inputs):
        table.fail("inputs", "it names something twice")
    text = {item.name for item in inputs if item.type == TEXT}
    steps: list[Step] = []
    for one in table.tables("steps", MAX_STEPS):
        step = _step(one, names)
        if not text.issuperset(step.read):
            one.fail("read", "it names something that is no text before it")
        names.add(step.made)
        if step.do not in ("number", "one_hot", "count"):
            text.add(step.made)
        steps.append(step)
    outputs = tuple(_output(one, names - text) for one in table.tables("outputs", MAX_INPUTS))
    if len({name for name, _ in outputs}) != len(outputs):
        table.fail("outputs", "it names something twice")
    return Features(inputs, tuple(steps), outputs)


def _input(table: Table) -> FeatureInput:
    name = table.text("name", longest=_SHOWN)
    kind = table.choice("type", (TEXT, NUMBER, WHOLE))
    item = FeatureInput(name, kind, _shape(table))
    table.done()
    return item


def _output(table: Table, numbers: set[str]) -> tuple[str, tuple[int, ...]]:
    name = table.text("name", longest=1024)
    if name not in numbers:
        table.fail("name", "it must be a value that holds numbers")
    shape = _shape(table)
    table.done()
    return name, shape


def _shape(table: Table) -> tuple[int, ...]:
    if table.take("shape") == []:
        return ()
    shape = table.integers("shape", 8, highest=MAX_ELEMENTS)
    if math.prod(shape) > MAX_ELEMENTS:
        table.fail("shape", f"it has more than {MAX_ELEMENTS} elements")
    return shape


def _step(table: Table, names: set[str]) -> Step:
    kind = KINDS[table.choice("do", tuple(KINDS))]
    made = table.text("made", longest=1024)
    read = texts(table, "read", distinct=False)
    if made in names:
        table.fail("made", "it names something that was made before")
    if len(read) > 1 and kind.do != "join":
        table.fail("read", "it must be one name")
    step: Step = kind.parse(table, made, read)
    table.done()
    return step
