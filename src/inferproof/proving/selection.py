"""Compiles a model with the first proof system that takes it, and says which and why."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from inferproof.errors import InferproofError, MissingPart, ModelRejected, Reason
from inferproof.proving.base import (
    CompileReport,
    CompileRequest,
    Progress,
    ProofSystem,
    no_progress,
)
from inferproof.proving.openings import OpeningsAt
from inferproof.proving.registry import get_system

AUTO = "auto"
ORDER = ("sumcheck", "ezkl")
"""The faster goes first: `sumcheck` proves in a thousandth of the other's time."""


Compiler = Callable[[CompileRequest, Progress], CompileReport]


def compiler_of(name: str, openings: OpeningsAt | None = None) -> Compiler:
    """What compiles with the proof system of that name, or with the first that takes a model.
    `openings` is as for `get_system`.

    Raises: NotFound SYSTEM_UNKNOWN.
    """
    if name != AUTO:
        return get_system(name, openings=openings).compile
    return partial(compile_with_first, tuple(get_system(each, openings=openings) for each in ORDER))


def compile_with_first(
    systems: Iterable[ProofSystem], request: CompileRequest, report: Progress = no_progress
) -> CompileReport:
    """Compiles with the first system that takes the model and the request's options; the first of
    the report's notes says which it is, and what those before it said.

    Raises: what every system says where all say the same; else ModelRejected SYSTEM_NONE.
    """
    refused: dict[str, InferproofError] = {}
    for system in systems:
        try:
            done = system.compile(request, report)
        except (ModelRejected, MissingPart) as error:
            refused[system.name] = error
        else:
            return replace(done, notes=(_chosen(system.name, refused), *done.notes))
    first, *others = refused.values()
    if all(error.message == first.message for error in others):
        raise first
    raise ModelRejected(Reason.SYSTEM_NONE, why=_told(refused)) from first


def _chosen(name: str, refused: dict[str, InferproofError]) -> str:
    if not refused:
        return f"proof system {name} takes the model and is the fastest"
    return f"proof system {name} takes the model; {_told(refused)}"


def _told(refused: dict[str, InferproofError]) -> str:
    return "; ".join(f"{name} refused it: {error.message}" for name, error in refused.items())
