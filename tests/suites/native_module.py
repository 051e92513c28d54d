"""Whether the native module of proof system sumcheck is here, and one run with its proof in each
mode."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from inferproof.errors import MissingPart
from inferproof.proving.sumcheck.library import Int8s, Int32s, library

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


def privately_proven(
    graph: bytes, weights: Int8s, inputs: Sequence[Int32s], statement: bytes
) -> tuple[bytes, list[Int32s], bytes]:
    """A new key of mode private, the outputs of one run, and its proof."""
    native = library()
    key, _secret, owner = native.commit_private(graph, weights, np.zeros(0, np.int32), "default")
    epoch = owner.begin(0)
    if not epoch.proves():
        epoch = epoch.begin(0)
    execution = owner.execute(inputs)
    return key, execution.outputs(), epoch.prove(execution, statement, 0)
