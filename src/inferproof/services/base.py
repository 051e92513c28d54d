"""What every service is given: clock, randomness, proof systems, pre-processing."""

from collections.abc import Callable

from inferproof.errors import InferproofError
from inferproof.proving.base import ProofSystem
from inferproof.storage.ports.jobs import Failure

Clock = Callable[[], int]
"""The time in Unix seconds."""

Entropy = Callable[[int], bytes]
"""As many unpredictable bytes as asked for."""

Systems = Callable[[str], ProofSystem]
"""The proof system with this name. Raises: MissingPart where it is not installed."""


def failure_of(error: InferproofError) -> Failure:
    """The failure that a job keeps of an error."""
    facts = {name: str(value) for name, value in error.facts.items()}
    return Failure(error.code, error.message, facts)
