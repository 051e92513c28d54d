"""A model that passed intake: canonical bytes, interface, and the digests that name it."""

from dataclasses import dataclass, field
from typing import Any

from inferproof.models.axes import OpenAxis
from inferproof.models.declared import Misdeclared, Unpacked
from inferproof.types.digest import Digest
from inferproof.types.tensor import TensorSpec


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checked, canonical ONNX model.

    Shapes: every tensor's shape is fixed. `values` are the computed tensors in the order in
    which the nodes run.
    Units: `multiply_adds` of one run; `parameters` and `activations` are element counts.
    Encoding: `onnx` is a serialised ModelProto without external data, text or unused parts;
    the same model always has the same bytes.
    Soundness: safe to parse and bounded to run, in memory and work. Says nothing about what
    the model computes.
    """

    onnx: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    values: tuple[TensorSpec, ...]
    opset: int
    operators: tuple[tuple[str, int], ...]
    """How often each operator occurs, by name."""
    parameters: int
    weight_bytes: int
    activations: int
    multiply_adds: int
    open_axes: tuple[OpenAxis, ...]
    """Axes of the inputs that the file leaves open, and what they were set to."""
    reshaped: tuple[str, ...]
    """Outputs that the file declares with more or fewer axes of size 1 than it computes: they are
    reshaped to what it declares."""
    misdeclared: tuple[Misdeclared, ...]
    """Outputs that the file declares with other sizes than it computes: those are computed."""
    unpacked: tuple[Unpacked, ...]
    """Outputs that are sequences in the file."""
    as_float32: tuple[str, ...]
    """Inputs and outputs that the file declares as floats of another width."""
    graph_digest: Digest
    """Binds operators, attributes, wiring, interface, and types and shapes of the weights. Not
    salted: who guesses the graph could confirm it by this, so it never leaves the provider."""
    weights_digest: Digest
    """Binds every constant's type, shape and bytes. Not salted either."""
    preprocessing: dict[str, Any] | None = None
    """What makes the inputs of texts, in canonical form: nodes that stood before the graph."""
    names: tuple[str, ...] = field(default=(), compare=False)
    """What the file calls each node, in the order in which they run: for messages alone."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was made of outputs that are not as the file declares them, in words."""
        return tuple(map(str, (*self.unpacked, *self.misdeclared)))

    @property
    def nodes(self) -> int:
        return sum(count for _, count in self.operators)
