"""Runs the second verifier on nodes: within `tracing`, its arithmetic makes nodes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from inferproof.second_verifier import field
from inferproof.second_verifier.field import ZERO
from inferproof.second_verifier.program import dense, nodes
from inferproof.second_verifier.program.nodes import Known, known
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations import tables, tensors, values


def _lift(value: object) -> object:
    return value if isinstance(value, Known) else _lift_of_integers(value)  # type: ignore[arg-type]


def _inverse(a: object) -> object:
    if isinstance(a, Known):
        return known("inv", a)
    if a == ZERO:
        raise Rejected("REDUCTION_MISMATCH", "a challenge is a root")
    return _inverse_of_elements(a)  # type: ignore[arg-type]


_OWN = "inferproof.second_verifier."
_inverse_of_elements = tensors.inverse
_lift_of_integers = field.lift
_REPLACED: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (field.add, nodes.add),
    (field.sub, nodes.sub),
    (field.mul, nodes.mul),
    (field.scale, nodes.scale),
    (field.lift, _lift),
    (field.equality, nodes.Equality),
    (field.equality_at, nodes.equality_at),
    (field.dot_integers, dense.dot_integers),
    (values.add, nodes.add),
    (values.sub, nodes.sub),
    (values.mul, nodes.mul),
    (values.scale, nodes.scale),
    (tensors.inverse, _inverse),
    (tensors.ones, dense.below),
]


@contextmanager
def tracing() -> Iterator[None]:
    """Within, every module of the second verifier makes nodes; its own are as before behind it."""
    nodes.begin()
    before = {id(old): new for old, new in _REPLACED}
    changed: list[tuple[Any, str, Any]] = []
    for name, module in list(sys.modules.items()):
        if not name.startswith(_OWN) or name.startswith(_OWN + "program"):
            continue
        for key, value in list(vars(module).items()):
            if id(value) in before and callable(value):
                changed.append((module, key, value))
                setattr(module, key, before[id(value)])
    at = tables.Table.at
    tables.Table.at = dense.table_at  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        tables.Table.at = at  # type: ignore[method-assign]
        for module, key, value in changed:
            setattr(module, key, value)
