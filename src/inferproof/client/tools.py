"""The verifier's tools as they are installed here."""

from inferproof.protocol.encoding import Json
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import ProofChecker
from inferproof.verify.receipt import Tools


def installed_tools() -> Tools:
    """Tools that know the proof systems of this release.

    Asked for one that this release does not know, they raise NotFound SYSTEM_UNKNOWN; for one
    whose library is missing, MissingPart. Nothing is imported before it is asked for.
    """
    return Tools(_checker, _preprocess)


def _checker(system: str) -> ProofChecker:
    from inferproof.proving.registry import get_system

    return get_system(system)


def _preprocess(canonical: dict[str, Json], body: bytes) -> Tensors:
    from inferproof.inference.request import request_tensors

    return request_tensors(canonical, body)
