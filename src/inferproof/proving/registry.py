"""Proof systems by name."""

from collections.abc import Callable

from inferproof.errors import NotFound, Reason
from inferproof.proving.base import ProofSystem
from inferproof.proving.ezkl.system import EzklSystem
from inferproof.proving.pool import WorkerPool
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.system import SumcheckSystem

_SYSTEMS: dict[str, Callable[[WorkerPool | None], ProofSystem]] = {
    "ezkl": EzklSystem,
    "sumcheck": SumcheckSystem,
}


def known_systems() -> tuple[str, ...]:
    """The names of the proof systems of this release, sorted."""
    return tuple(sorted(_SYSTEMS))


def get_system(name: str, pool: WorkerPool | None = None) -> ProofSystem:
    """The proof system of that name; with a pool it shares the pool's workers.

    Raises: NotFound SYSTEM_UNKNOWN with the names that are known. External provers and toys are
    never found here: whoever wants one builds it and says so.
    """
    make = _SYSTEMS.get(name)
    if make is None:
        raise NotFound(Reason.SYSTEM_UNKNOWN, name=name, known=", ".join(known_systems()))
    return make(pool)


def require_native(name: str) -> None:
    """Returns when the proof system needs no native module of ours, or it is there.

    Raises: MissingPart MISSING_NATIVE.
    """
    if name == SumcheckSystem.name:
        library()
