"""Whether the native module of proof system sumcheck is here."""

from inferproof.errors import MissingPart
from inferproof.proving.sumcheck.library import library

HOW = "get Rust from https://rustup.rs and run: make native"


def available() -> bool:
    """True where tests of the native prover can run."""
    try:
        library()
    except MissingPart:
        return False
    return True
