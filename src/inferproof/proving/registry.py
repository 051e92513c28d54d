"""Proof systems by name."""

from collections.abc import Callable
from pathlib import Path

from inferproof.errors import NotFound, Reason
from inferproof.proving.base import ComputeBackend, ProofSystem
from inferproof.proving.openings import OpeningsAt


def _ezkl(
    backend: ComputeBackend | None, _costs: Path | None, _openings: OpeningsAt | None
) -> ProofSystem:
    from inferproof.proving.ezkl.system import EzklSystem

    # What compiling measured is its record: its costs follow from rows, not from the graph.
    return EzklSystem(backend)


def _sumcheck(
    backend: ComputeBackend | None, costs: Path | None, openings: OpeningsAt | None
) -> ProofSystem:
    from inferproof.proving.sumcheck.system import SumcheckSystem

    return SumcheckSystem(backend, costs=costs, openings=openings)


_Make = Callable[[ComputeBackend | None, Path | None, OpeningsAt | None], ProofSystem]
_SYSTEMS: dict[str, _Make] = {
    "ezkl": _ezkl,
    "sumcheck": _sumcheck,
}
"""What makes each; a system is imported when it is asked for."""


def known_systems() -> tuple[str, ...]:
    """The names of the proof systems of this release, sorted."""
    return tuple(sorted(_SYSTEMS))


def get_system(
    name: str,
    backend: ComputeBackend | None = None,
    costs: Path | None = None,
    openings: OpeningsAt | None = None,
) -> ProofSystem:
    """The proof system of that name; with a backend it shares the backend's workers, and with the
    file of `inferproof calibrate` it estimates by what was measured. `openings` counts those of
    keys whose proofs are counted: without it, it makes and opens none.

    Raises: NotFound SYSTEM_UNKNOWN with the names that are known. External provers and toys are
    never found here: whoever wants one builds it and says so.
    """
    make = _SYSTEMS.get(name)
    if make is None:
        raise NotFound(Reason.SYSTEM_UNKNOWN, name=name, known=", ".join(known_systems()))
    return make(backend, costs, openings)


def require_native(name: str) -> None:
    """Returns when the proof system needs no native module of ours, or it is there.

    Raises: MissingPart MISSING_NATIVE.
    """
    if name == "sumcheck":
        from inferproof.proving.sumcheck.library import library

        library()
