"""The native module, compiled from native/python. Import it through `library.library()`.

Arrays are one-dimensional: tensors row-major, weights as all matrices of the graph one after
another. Every function lets go of the interpreter's lock while it works.

Loading the module tells glibc to keep up to 128 MiB of the memory that is given back to it, in the
whole process, so that the next proof finds it (docs/measurements.md, entry 37). Other C libraries
are left as they are.
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

def commit(graph: bytes, weights: npt.NDArray[np.int8], profile: str, mode: str = "clear") -> bytes:
    """The verifying key: mode (clear or committed), security profile, commitment to the weights,
    graph."""

def security(graph: bytes, profile: str, mode: str = "clear") -> str:
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

        `goes_on` is called with the name of each phase that begins; False cancels. In mode clear
        they are execute, reduce, open; in mode committed execute, commit, look up, reduce, open
        witness, open.
        """

class VerifyingKey:
    """A decoded verifying key; threads may share it."""

    def __init__(self, verifying_key: bytes) -> None: ...
    def graph(self) -> bytes:
        """The graph in it."""

    def mode(self) -> str:
        """The mode that it names: clear or committed."""

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
