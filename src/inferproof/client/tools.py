"""The verifier's tools as they are installed here."""

import importlib.util
from functools import cache, partial
from typing import TYPE_CHECKING

from inferproof.errors import MissingPart, Reason
from inferproof.protocol.encoding import Json
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import ProofChecker

if TYPE_CHECKING:
    from inferproof.proving.isolated import IsolatedCheckers
    from inferproof.verify.receipt import Tools

LIBRARIES = {"ezkl": "ezkl"}
"""The Python package without which a proof system cannot check."""


def installed_tools(*, isolated: bool = False) -> "Tools":
    """Tools that know the proof systems of this release, by `installed_checker`, and the methods
    of payment. Nothing is imported before it is asked for.
    """
    from inferproof.payments.parts import payment_parts
    from inferproof.verify.receipt import Tools

    return Tools(partial(installed_checker, isolated=isolated), _preprocess, payment_parts())


def installed_checker(system: str, *, isolated: bool) -> ProofChecker:
    """What checks proofs of a proof system of this release.

    With `isolated` it checks in a process with limits of time and memory, as is due where the
    file comes from anyone; a buyer's own jobs are bounded by what is counted of their keys.
    Raises: NotFound SYSTEM_UNKNOWN; MissingPart MISSING_LIBRARY, MISSING_NATIVE.
    """
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
    # A library that was not written for strangers' keys always checks in a process of its own.
    checkers = _checkers()
    if system in LIBRARIES or (isolated and system in checkers):
        return checkers.find(system)
    return get_system(system)


@cache
def _checkers() -> "IsolatedCheckers":
    from inferproof.proving.isolated import IsolatedCheckers

    return IsolatedCheckers()


def _preprocess(canonical: dict[str, Json], body: bytes) -> Tensors:
    from inferproof.inference.request import request_tensors

    return request_tensors(canonical, body)
