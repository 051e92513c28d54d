"""The native module, compiled from native/python. Import it through `library.library()`.

Arrays are one-dimensional: tensors row-major, weights as all matrices of the graph one after
another. Every function lets go of the interpreter's lock while it works.

Loading the module tells glibc to keep up to 512 MiB of the memory that is given back to it, in the
whole process, so that the next proof finds it (docs/measurements.md, entries 37 and 50). Other C
libraries are left as they are.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

class NativeError(Exception):
    """A failure. `args` are a stable code and a message, and for a graph that is not well formed or
    a key that would cost too much the facts in the message, by name."""

def build() -> str:
    """The set of instructions this build uses: portable, avx2 or avx512."""

def check_graph(graph: bytes) -> None:
    """Returns when these bytes are a well-formed graph."""

def graph_size(graph: bytes) -> tuple[int, int, int]:
    """What proving the graph costs: its weights, the multiply-adds of their contractions, and the
    other elementary steps of a run."""

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
    def execute(self, inputs: Sequence[npt.NDArray[np.int32]]) -> Execution:
        """One run of the graph."""

class Execution:
    """A run of a graph. What a proof is made of stays in memory until it is proven."""

    def outputs(self) -> list[npt.NDArray[np.int32]]:
        """The graph's outputs."""

    def prove(self, statement: bytes, goes_on: Callable[[str], bool] | None = None) -> bytes:
        """The proof of this run for a statement digest. The graph is not run again; a run is
        proven once.

        `goes_on` is called with the name of each phase that begins; False cancels. In mode clear
        they are reduce, open; in mode committed commit, look up, reduce, open witness, open.
        """

class VerifyingKey:
    """A decoded verifying key; threads may share it.

    What a proof under it may cost is counted before anything is made of it: KEY_TOO_COSTLY.
    """

    def __init__(self, verifying_key: bytes) -> None: ...
    def graph(self) -> bytes:
        """The graph in it."""

    def inputs(self) -> list[tuple[list[int], int, int]]:
        """Shape, least and greatest value of each of the graph's inputs."""

    def outputs(self) -> list[list[int]]:
        """The shape of each of its outputs."""

    def size(self) -> tuple[int, int, int]:
        """As the function `graph_size`."""

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
