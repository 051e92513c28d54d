"""Whether the native module of proof system sumcheck is here, and one run with its proof."""

from collections.abc import Sequence

import numpy as np

from inferproof.errors import MissingPart
from inferproof.proving.sumcheck.library import Int8s, Int32s, library

HOW = "get Rust from https://rustup.rs and run: make native"


def available() -> bool:
    """True where tests of the native prover can run."""
    try:
        library()
    except MissingPart:
        return False
    return True


def natively_proven(
    graph: bytes,
    weights: Int8s,
    inputs: Sequence[Int32s],
    statement: bytes,
    profile: str = "default",
) -> tuple[bytes, bytes, list[Int32s], bytes]:
    """A new key, what shows its ranges, the outputs of one run, and its proof."""
    native = library()
    key, _secret, owner = native.commit_private(graph, weights, np.zeros(0, np.int32), profile)
    epoch = owner.begin(0)
    if not epoch.proves():
        epoch = epoch.begin(0)
    execution = owner.execute(inputs)
    ranges = b"".join(owner.prove_ranges(part, part + 1) for part in range(owner.range_parts()))
    return key, ranges, execution.outputs(), epoch.prove(execution, statement, 0)
