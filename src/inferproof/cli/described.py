"""What proofs of a compiled model prove and show, in the words of its proof system."""

from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.base import Description
from inferproof.proving.registry import get_system, known_systems


def description_of(bundle: VerifierBundle) -> Description | None:
    """What proofs of the model prove and what they do not; None for systems that are not ours."""
    if bundle.parts.proof_system not in known_systems():
        return None
    return get_system(bundle.parts.proof_system).describe()


def shown_by_proofs(bundle: VerifierBundle) -> str:
    """What a proof of the model shows of a run and what not, in one line; empty for systems that
    are not ours."""
    described = description_of(bundle)
    return described.shows if described else ""
