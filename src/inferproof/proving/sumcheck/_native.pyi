"""The native module, compiled from native/python. Import it through `library.library()`.

Arrays are one-dimensional: tensors row-major, weights as all matrices of the graph one after
another, parameters as the elements of all that it has. Every function lets go of the interpreter's
lock while it works.

Loading the module tells glibc to keep up to 512 MiB of the memory that is given back to it, in the
whole process, so that the next proof finds it (docs/measurements.md, entries 37 and 50). Other C
libraries are left as they are.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

class NativeError(Exception):
    """A failure. `args` are a stable code and a message, and for a graph that is not well formed, a
    key that would cost too much or a node that no proof can hide the facts in the message, by
    name."""

def build() -> str:
    """The set of instructions this build uses: portable, avx2 or avx512."""

def sources() -> str:
    """The digest of the sources of prover, verifier and commitment that this build is made of, as
    scripts/native.py computes it; empty where that script has not built it."""

def use_threads(count: int) -> int:
    """Makes each call that proves, runs or makes a key work on so many threads from now on, in the
    whole process; returns the number. By 0, on as many as RAYON_NUM_THREADS says, or else as there
    are cores that this process may use.

    What is made does not depend on the number. Calls that come at a time have threads of their own,
    and so has a fork. With more than one, `goes_on` is called in another thread than the caller's.
    """

def threads() -> int:
    """On how many threads calls work; what `use_threads` has said last, or else would by 0."""

def check_graph(graph: bytes) -> None:
    """Returns when these bytes are a well-formed graph."""

def graph_size(graph: bytes) -> tuple[int, int, int]:
    """What proving the graph costs: its weights, the multiply-adds of their contractions, and the
    other elementary steps of a run."""

def run_graph(
    graph: bytes,
    weights: npt.NDArray[np.int8],
    inputs: Sequence[npt.NDArray[np.int32]],
    parameters: npt.NDArray[np.int32] | None = None,
) -> list[npt.NDArray[np.int32]]:
    """The graph's outputs."""

def security(graph: bytes, profile: str) -> str:
    """The provable bits of proofs for this graph and each of their terms, as JSON."""

def commit_private(
    graph: bytes,
    weights: npt.NDArray[np.int8],
    parameters: npt.NDArray[np.int32],
    profile: str,
) -> tuple[bytes, bytes, PrivateKey]:
    """The verifying key, the secret of 32 bytes that hides its commitment, and the key, loaded.

    Randomness is the operating system's. `parameters` are those of the graph one after another, of
    length 0 where it has none.
    """

class PrivateKey:
    """A key with its weights and parameters, under a commitment of their own.

    That is opened for epochs and never for proofs. Threads may share the key.

    The commitment is made again from the secret and held against the key: WEIGHTS_OTHER.
    """

    def __init__(
        self,
        verifying_key: bytes,
        weights: npt.NDArray[np.int8],
        parameters: npt.NDArray[np.int32],
        secret: bytes,
        links: bytes = b"",
    ) -> None:
        """`links` are those of its rotations, as `rotate` gives them, and the secret the last's."""

    def name(self) -> bytes:
        """The 32 bytes under which openings of its commitment are counted."""

    def openings(self) -> int:
        """How many openings its commitment serves, with the one that is left for rotation."""

    def execute(
        self, inputs: Sequence[npt.NDArray[np.int32]], secret: bytes | None = None
    ) -> PrivateExecution:
        """One run of the graph; with a secret of 32 bytes one on private inputs, under their root.

        KEY_UNSUPPORTED and other codes of keys where the graph has no plan for private inputs.
        """

    def input_root(self, inputs: Sequence[npt.NDArray[np.int32]], secret: bytes) -> bytes:
        """As that of `VerifyingKey`."""

    def begin(
        self,
        slot: int,
        goes_on: Callable[[str], bool] | None = None,
        private_inputs: bool = False,
    ) -> Epoch:
        """An epoch, by the opening of this number of the key's commitment.

        It is for links where one key is to serve more proofs than its own openings come to, and
        else for proofs, of private inputs where it is asked for. The caller has counted the slot
        before, and counts it once: SLOT_RANGE for
        one that is not among `openings` or the last of them, OPENINGS_SPENT for one that this
        process has used. `goes_on` is called with the names of the phases commit and open.
        """

    def range_parts(self) -> int:
        """How many proofs show that weights are int8 and parameters in their ranges.

        Each takes an opening of the key. KEY_RANGES where there would be too many.
        """

    def prove_ranges(
        self, part: int, slot: int, goes_on: Callable[[str], bool] | None = None
    ) -> bytes:
        """The proof of one part, by the opening of this number, whose caller has counted it.

        The proofs of all parts, one after another, show the ranges of a key. They are made once,
        before the key is renewed: RANGES_ROTATED. Phases are those of `begin` and of
        `Epoch.prove`.
        """

    def rotate(self, slot: int) -> tuple[bytes, bytes]:
        """Links and secret of a new commitment to the same weights, for the same verifying key.

        Any slot may be the one: ROTATIONS_SPENT where proofs have no room for one link more.
        """

class PrivateExecution:
    """A run of a graph. What proofs are made of stays in memory with it."""

    def outputs(self) -> list[npt.NDArray[np.int32]]:
        """The graph's outputs."""

    def input_root(self) -> bytes | None:
        """The root of its inputs, where they are private."""

class Epoch:
    """A commitment to the weights in memory, with the links that tie it to its key.

    Its randomness is nowhere else, and ends with it. Threads may share it.
    """

    def name(self) -> bytes:
        """The 32 bytes under which its openings are counted."""

    def openings(self) -> int:
        """How many openings it serves."""

    def proves(self) -> bool:
        """Whether it is opened by proofs; else by links, for epochs."""

    def private_inputs(self) -> bool:
        """Whether it is opened by proofs of private inputs."""

    def begin(
        self,
        slot: int,
        goes_on: Callable[[str], bool] | None = None,
        private_inputs: bool = False,
    ) -> Epoch:
        """An epoch for proofs, by the opening of this number: EPOCH_KIND where this one is such.

        It is for proofs of private inputs where it is asked for, and EPOCH_KIND where the graph
        has no plan for them.
        """

    def prove(
        self,
        execution: PrivateExecution,
        statement: bytes,
        slot: int,
        goes_on: Callable[[str], bool] | None = None,
        attempt: int = 0,
    ) -> bytes:
        """The proof of a run for a statement digest, with its links, by the opening of this number.

        EPOCH_KIND where the epoch is for links or for other inputs, RUN_OTHER for a run of another
        key. Of private inputs it is the attempt of this number, counted by the caller for the job
        that the secret was drawn for: SLOT_RANGE from 8 on. A run is proven once: RUN_SPENT.
        `goes_on` is called with the name of each phase that begins; False
        cancels. They are commit, look up, reduce, relate, open.
        """

class VerifyingKey:
    """A decoded verifying key; threads may share it.

    What a proof under it may cost is counted before anything is made of it: KEY_TOO_COSTLY.
    """

    def __init__(self, verifying_key: bytes, ranges: bytes = b"") -> None:
        """A key is read with what shows its ranges, which is checked.

        RANGES_MISSING or RANGES_INVALID without, KEY_RANGES where they cannot be shown.
        """

    def graph(self) -> bytes:
        """The graph in it."""

    def inputs(self) -> list[tuple[list[int], int, int]]:
        """Shape, least and greatest value of each of the graph's inputs."""

    def outputs(self) -> list[list[int]]:
        """The shape of each of its outputs."""

    def size(self) -> tuple[int, int, int]:
        """As the function `graph_size`."""

    def security(self, private_inputs: bool = False) -> str:
        """As the function `security`; of proofs of private inputs where it is asked for.

        KEY_UNSUPPORTED and other codes of keys where the graph has no plan for them.
        """

    def input_root(self, inputs: Sequence[npt.NDArray[np.int32]], secret: bytes) -> bytes:
        """The root of the commitment to private inputs that a secret of 32 bytes makes.

        The payer computes it and holds it against the statement. EXECUTION for inputs that the
        graph does not take; otherwise as `security`.
        """

    def verify(
        self,
        inputs: Sequence[npt.NDArray[np.int32]] | None,
        outputs: Sequence[npt.NDArray[np.int32]],
        statement: bytes,
        proof: bytes,
        input_root: bytes | None = None,
    ) -> None:
        """Returns when the proof holds for these inputs, outputs and statement digest.

        Where inputs are None it holds for some inputs in range under the root. Which of both it is
        MUST come from the statement, not with the proof.

        A proof comes with its links; those that were checked are remembered.
        """
