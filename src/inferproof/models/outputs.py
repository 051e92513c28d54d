"""Outputs as tensors with the shapes that they have, whatever the file declares them as."""

from dataclasses import replace
from typing import Protocol

import numpy as np
from onnx import NodeProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.declared import Misdeclared, Unpacked, declared_as, in_words
from inferproof.models.graph import Declared
from inferproof.models.shaped import Shaped
from inferproof.models.show import shown
from inferproof.models.tensors import Array


class Walk(Protocol):
    """A graph whose nodes have all been visited, and what may be added to it."""

    @property
    def shaped(self) -> Shaped:
        """What was found."""

    @property
    def names(self) -> set[str]:
        """All names of the graph."""

    def held(self, name: str) -> list[str] | None:
        """The tensors of a sequence; None for what is none."""

    def rename(self, name: str, new: str) -> None:
        """Gives a value that nodes make another name."""

    def define(self, name: str, value: Array) -> None:
        """Adds a constant."""

    def visit(self, node: NodeProto) -> None:
        """Adds a node."""


def settle(walk: Walk, output: Declared) -> None:
    """Gives an output its shape, or the outputs that stand for it theirs.

    Raises: ModelRejected MODEL_OUTPUT_MISDECLARED, MODEL_OUTPUT_NOT_COMPUTED,
    MODEL_DUPLICATE_NAME.
    """
    names = walk.held(output.name)
    if names is None and not output.sequence:
        _take(walk, output)
        return
    if names is None or not output.sequence:
        computed = "a tensor" if names is None else "a sequence"
        raise _misdeclared(output, "a sequence" if output.sequence else "a tensor", computed)
    if not names:
        raise ModelRejected(Reason.MODEL_OUTPUT_NOT_COMPUTED, name=shown(output.name))
    made = Unpacked(output.name, len(names))
    for own, name in zip(made.names, names, strict=True):
        part = replace(output, name=own, sequence=False)
        if part.name in walk.names:
            raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(part.name))
        walk.names.add(part.name)
        walk.visit(helper.make_node("Identity", [name], [part.name]))
        _take(walk, part)
    walk.shaped.unpacked.append(made)


def _take(walk: Walk, output: Declared) -> None:
    """A tensor: as declared, where only axes of size 1 differ, or as computed.

    Runtimes take either. Another type than the declared one they refuse.
    """
    dtype, shape = walk.shaped.types[output.name]
    declared = in_words(output.dtype.name, output.shape)
    computed = in_words(dtype.name, shape)
    if dtype != output.dtype:
        raise _misdeclared(output, declared, computed)
    walk.shaped.outputs.append(output)
    if output.shape is None:
        return
    wanted = declared_as(output.shape, shape, walk.shaped.graph.open_axes)
    if wanted is None:
        walk.shaped.misdeclared.append(Misdeclared(output.name, declared, computed))
    elif wanted != shape:
        _reshape(walk, output.name, wanted)


def _reshape(walk: Walk, name: str, shape: tuple[int, ...]) -> None:
    """Gives an output that a node makes this shape."""
    within = f"{name}/computed"
    while within in walk.shaped.types:
        within += "/"
    walk.rename(name, within)
    walk.define(f"{within}/shape", np.array(shape, dtype="<i8"))
    walk.visit(helper.make_node("Reshape", [within, f"{within}/shape"], [name]))
    walk.shaped.reshaped.append(name)


def _misdeclared(output: Declared, declared: str, computed: str) -> ModelRejected:
    return ModelRejected(
        Reason.MODEL_OUTPUT_MISDECLARED,
        name=shown(output.name),
        declared=declared,
        computed=computed,
    )
