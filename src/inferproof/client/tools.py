"""The verifier's tools as they are installed here."""

import importlib.util
from functools import cache
from typing import TYPE_CHECKING

from inferproof.errors import MissingPart, Reason
from inferproof.protocol.encoding import Json
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Tools

if TYPE_CHECKING:
    from inferproof.proving.isolated import IsolatedCheckers

LIBRARIES = {"ezkl": "ezkl"}
"""The Python package without which a proof system cannot check."""


def installed_tools() -> Tools:
    """Tools that know the proof systems of this release, and check in processes with limits.

    Asked for one that this release does not know, they raise NotFound SYSTEM_UNKNOWN; for one
    whose library is missing, MissingPart MISSING_LIBRARY or MISSING_NATIVE. Nothing is imported
    before it is asked for.
    """
    return Tools(_checker, _preprocess)


def _checker(system: str) -> ProofChecker:
    package = LIBRARIES.get(system)
    # Looked for here and not at the first proof: a buyer must hear of it before it pays.
    if package is not None and importlib.util.find_spec(package) is None:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature=f"verifying {system} proofs",
            package=package,
            command=f"pip install 'inferproof[{system}]'",
        )
    from inferproof.proving.registry import get_system, require_native

    require_native(system)
    # A release that knows a system by name alone has no limits for it; it says who it knows.
    isolated = _isolated()
    return isolated.find(system) if system in isolated else get_system(system)


@cache
def _isolated() -> "IsolatedCheckers":
    from inferproof.proving.isolated import IsolatedCheckers

    return IsolatedCheckers()


def _preprocess(canonical: dict[str, Json], body: bytes) -> Tensors:
    from inferproof.inference.request import request_tensors

    return request_tensors(canonical, body)
