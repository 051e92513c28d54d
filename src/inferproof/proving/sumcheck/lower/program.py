"""A canonical ONNX model as plain steps and constants, which the passes rewrite."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import ValueRange
from inferproof.models.show import shown
from inferproof.types.tensor import TensorSpec

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One operator. `node` is what the file calls it, for messages; `index` is its place in the
    canonical graph."""

    node: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    index: int = -1

    def input(self, place: int) -> str:
        """The name of an input, empty where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else ""


@dataclass(slots=True)
class Program:
    """Steps in an order in which they run, the constants they use, and what is known of values.

    `ranges` are those of the float model on the calibration data.
    """

    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: list[Step]
    constants: dict[str, Array]
    specs: dict[str, TensorSpec]
    ranges: dict[str, ValueRange]

    def uses(self) -> Counter[str]:
        """How often each value is read, by steps and as an output of the model."""
        used = Counter(name for step in self.steps for name in step.inputs if name)
        used.update(spec.name for spec in self.outputs)
        return used

    def drop_unused(self) -> None:
        """Removes steps whose results nobody reads."""
        wanted = {spec.name for spec in self.outputs}
        kept = []
        for step in reversed(self.steps):
            if wanted.intersection(step.outputs):
                kept.append(step)
                wanted.update(step.inputs)
        self.steps = kept[::-1]


def read_program(model: LoadedModel, ranges: tuple[ValueRange, ...]) -> Program:
    """The model's steps and constants."""
    proto = ModelProto.FromString(model.onnx)
    specs = {spec.name: spec for spec in (*model.inputs, *model.values)}
    return Program(
        opset=model.opset,
        inputs=model.inputs,
        outputs=model.outputs,
        steps=[
            _step(place, name, node)
            for place, (name, node) in enumerate(zip(model.names, proto.graph.node, strict=True))
        ],
        constants={item.name: numpy_helper.to_array(item) for item in proto.graph.initializer},
        specs=specs,
        ranges={item.name: item for item in ranges},
    )


def _step(index: int, name: str, node: NodeProto) -> Step:
    attributes = {item.name: _plain(item) for item in node.attribute}
    return Step(name, node.op_type, tuple(node.input), tuple(node.output), attributes, index)


def _plain(attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if attribute.type == AttributeProto.STRINGS:
        return [item.decode("utf-8", "replace") for item in value]
    return list(value) if not isinstance(value, int | float) else value


def unsupported(step: Step, why: str, instead: str) -> ModelRejected:
    """The rejection of a step that has no integer form. `instead` names the nearest one."""
    return ModelRejected(
        Reason.LOWERING_UNSUPPORTED,
        node=shown(step.node),
        operator=step.op,
        why=why,
        instead=instead,
    )


def numbers(array: Array) -> npt.NDArray[np.float64]:
    """A constant in binary64."""
    return np.asarray(array, dtype=np.float64)


def renamed(step: Step, **changes: Any) -> Step:
    """The step with some of its parts replaced."""
    return replace(step, **changes)
