"""The native module, compiled from native/python. Import it through `library.library()`.

Arrays are one-dimensional: tensors row-major, weights as all matrices of the graph one after
another. Every function lets go of the interpreter's lock while it works.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

class NativeError(Exception):
    """A failure. `args` are a stable code and a message."""

def build() -> str:
    """The set of instructions this build uses: portable, avx2 or avx512."""

def check_graph(graph: bytes) -> None:
    """Returns when these bytes are a well-formed graph."""

def run_graph(
    graph: bytes, weights: npt.NDArray[np.int8], inputs: Sequence[npt.NDArray[np.int32]]
) -> list[npt.NDArray[np.int32]]:
    """The graph's outputs."""

def commit(graph: bytes, weights: npt.NDArray[np.int8], profile: str) -> bytes:
    """The verifying key: graph, commitment to the weights, security profile."""

def security(graph: bytes, profile: str) -> str:
    """The provable bits of proofs for this graph and each of their terms, as JSON."""

class ProvingKey:
    """Weights with what their commitment is opened from; threads may share it."""

    def __init__(self, verifying_key: bytes, weights: npt.NDArray[np.int8]) -> None: ...
    def execute(self, inputs: Sequence[npt.NDArray[np.int32]]) -> list[npt.NDArray[np.int32]]:
        """The graph's outputs."""

    def prove(
        self,
        inputs: Sequence[npt.NDArray[np.int32]],
        statement: bytes,
        goes_on: Callable[[str], bool] | None = None,
    ) -> tuple[list[npt.NDArray[np.int32]], bytes]:
        """The graph's outputs and the proof of them for a statement digest.

        `goes_on` is called with each phase's name (execute, reduce, open); False cancels.
        """

class VerifyingKey:
    """A decoded verifying key; threads may share it."""

    def __init__(self, verifying_key: bytes) -> None: ...
    def graph(self) -> bytes:
        """The graph in it."""

    def security(self) -> str:
        """As the function `security`."""

    def verify(
        self,
        inputs: Sequence[npt.NDArray[np.int32]],
        outputs: Sequence[npt.NDArray[np.int32]],
        statement: bytes,
        proof: bytes,
    ) -> None:
        """Returns when the proof holds for these inputs, outputs and statement digest."""
