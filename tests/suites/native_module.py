"""Whether the native module of proof system sumcheck is here, and one run with its proof."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from inferproof.errors import MissingPart
from inferproof.proving.sumcheck.library import Int32s, library

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

HOW = "get Rust from https://rustup.rs and run: make native"


def available() -> bool:
    """True where tests of the native prover can run."""
    try:
        library()
    except MissingPart:
        return False
    return True


def natively_proven(
    key: "_native.ProvingKey",
    inputs: Sequence[Int32s],
    statement: bytes,
    goes_on: Callable[[str], bool] | None = None,
) -> tuple[list[Int32s], bytes]:
    """The outputs of one run, and its proof."""
    run = key.execute(inputs)
    return run.outputs(), run.prove(statement, goes_on)
