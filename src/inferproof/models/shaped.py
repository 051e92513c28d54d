"""A graph whose every tensor has a known type and shape."""

from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto

from inferproof.models.declared import Misdeclared, Unpacked
from inferproof.models.graph import Declared, Graph
from inferproof.models.tensors import Array


@dataclass(slots=True)
class Shaped:
    """A graph whose every tensor has a known type and shape, and what one run costs."""

    graph: Graph
    types: dict[str, tuple[np.dtype[np.generic], tuple[int, ...]]]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    """The graph's constants and those that were folded."""
    activations: int = 0
    multiply_adds: int = 0
    outputs: list[Declared] = field(default_factory=list)
    """The graph's, a sequence as its tensors."""
    reshaped: list[str] = field(default_factory=list)
    """Outputs that the file declares with more or fewer axes of size 1 than the graph computes."""
    misdeclared: list[Misdeclared] = field(default_factory=list)
    unpacked: list[Unpacked] = field(default_factory=list)
