"""inferproof: machine-learning answers that prove themselves."""

from typing import Any

from inferproof.protocol.proof_mode import rest_on


def __getattr__(name: str) -> Any:
    """`__version__`, read from the installed package when it is asked for: it takes a tenth of a
    command's start."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("inferproof")


def _evidence(private_input: bool) -> bool:
    from inferproof.proving.sumcheck.evidence import evidence_holds

    return evidence_holds(private_input=private_input)


rest_on(_evidence)
