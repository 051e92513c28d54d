"""Checking with strangers' bundles, in a process of its own with limits of time and memory.

A verifier bundle from anyone reaches parsers of keys and reference strings. What it may take is
counted before it is done, where it is ours to count; but libraries that were not written for
hostile files may panic, allocate without end or abort, and a count may be wrong. Here that costs a
worker process and a typed rejection, and never the process that asked.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inferproof.errors import (
    ArtifactRejected,
    InferproofError,
    Reason,
    RequestRejected,
    Unavailable,
)
from inferproof.protocol.proof_file import ProofFile, decode_proof_file, encode_proof_file
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle, encode_bundle
from inferproof.proving.base import Progress
from inferproof.proving.bounds import Limits, Met, bound_time, limit_met
from inferproof.proving.pool import WorkerPool
from inferproof.proving.registry import get_system
from inferproof.proving.sumcheck.check import forget_keys
from inferproof.types.digest import Digest
from inferproof.types.proof import SecurityReport
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import (
    InputCommitter,
    SecurityReporter,
    out_of_range,
    security_of,
)

TIME_LIMIT_S = 60.0
"""By the clock, waiting for a free worker included: beyond it the machine is at fault."""
THREADS = 4
"""Each reserves address space; the more a machine has, the less of the limit would be left."""
_CHECK = "inferproof.proving.isolated:check_task"
_SECURITY = "inferproof.proving.isolated:security_task"


LIMITS = {
    # Most of the space is only reserved, for thread stacks and maps. The largest circuit that was
    # measured is verified in a quarter of a second.
    "ezkl": Limits(60, 16 * 2**30),
    # The dearest keys within what is counted took 7 s and 420 MB; an idle worker maps 152 MB.
    "sumcheck": Limits(20, 2 * 2**30),
}


class IsolatedWorker:
    """One worker process with limits of its own. Thread-safe; tasks wait for one another."""

    def __init__(self, limits: Limits, *, time_limit_s: float = TIME_LIMIT_S) -> None:
        self._limits = limits
        self._time_limit_s = time_limit_s
        self._pool = WorkerPool(1, threads=THREADS, memory_bytes=limits.memory_bytes)

    def run(self, task: str, args: dict[str, Any]) -> dict[str, Any]:
        """What the task returns, which calls `bound_time` with `cpu_s` of its arguments.

        Raises: the task's own typed error; ArtifactRejected CHECK_TIME_LIMIT, CHECK_MEMORY_LIMIT;
        Unavailable PROVER_TIME_LIMIT, PROVER_CRASHED, PROVER_FAILED, PROVER_CLOSED.
        """
        try:
            return self._pool.run(
                task, {**args, "cpu_s": self._limits.cpu_s}, time_limit_s=self._time_limit_s
            )
        except Unavailable as error:
            raise self._limit_met(error) or error from None

    def close(self) -> None:
        """Ends the process; tasks in progress fail with PROVER_CRASHED."""
        self._pool.close()

    def _limit_met(self, error: Unavailable) -> InferproofError | None:
        match limit_met(error):
            case Met.TIME:
                return ArtifactRejected(Reason.CHECK_TIME_LIMIT, seconds=self._limits.cpu_s)
            case Met.MEMORY:
                limit = self._limits.memory_bytes
                return ArtifactRejected(Reason.CHECK_MEMORY_LIMIT, limit=limit)
        return None


class IsolatedChecker:
    """A ProofChecker that lets a worker process check."""

    def __init__(self, system: str, worker: IsolatedWorker) -> None:
        self._system = system
        self._worker = worker

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        """Returns when the proof holds.

        Raises: as the system's own check and `IsolatedWorker.run`.
        """
        with tempfile.TemporaryDirectory(prefix="inferproof-check-") as name:
            folder = Path(name)
            (folder / "bundle").write_bytes(encode_bundle(bundle))
            (folder / "proof").write_bytes(encode_proof_file(file))
            args = {"system": self._system, "folder": name, "statement": statement.hex}
            self._worker.run(_CHECK, args)

    def out_of_range(self, bundle: VerifierBundle, inputs: Tensors) -> int | None:
        """See RangeReporter; a bundle that was checked is safe to count with in this process."""
        return out_of_range(get_system(self._system), bundle, inputs)

    def input_root(self, bundle: VerifierBundle, inputs: Tensors, secret: bytes) -> Digest:
        """See InputCommitter; in this process likewise."""
        system = get_system(self._system)
        if not isinstance(system, InputCommitter):
            why = f"proof system {self._system} has none"
            raise RequestRejected(Reason.PRIVATE_INPUT_UNSUPPORTED, why=why)
        return system.input_root(bundle, inputs, secret)

    def security(
        self, bundle: VerifierBundle, *, private_input: bool = False
    ) -> SecurityReport | None:
        """See SecurityReporter. Raises: as `check`."""
        if not isinstance(get_system(self._system), SecurityReporter):
            return None
        with tempfile.TemporaryDirectory(prefix="inferproof-check-") as name:
            (Path(name) / "bundle").write_bytes(encode_bundle(bundle))
            args = {"system": self._system, "folder": name, "private_input": private_input}
            told = self._worker.run(_SECURITY, args)
        terms = tuple((str(term), float(bits)) for term, bits in told["terms"])
        return SecurityReport(told["provable_bits"], told["profile"], terms)


class IsolatedCheckers:
    """Checkers of the systems of LIMITS, each with a worker process, started when it is needed."""

    def __init__(self) -> None:
        self._workers = {name: IsolatedWorker(limits) for name, limits in LIMITS.items()}

    def __contains__(self, system: str) -> bool:
        return system in self._workers

    def find(self, system: str) -> IsolatedChecker:
        """The checker of a system of LIMITS."""
        return IsolatedChecker(system, self._workers[system])

    def close(self) -> None:
        """Ends all worker processes."""
        for worker in self._workers.values():
            worker.close()


def security_task(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Runs in the worker process. Raises: as the system's `security`."""
    bound_time(args)
    bundle = decode_bundle((Path(args["folder"]) / "bundle").read_bytes())
    try:
        system = get_system(args["system"])
        report = security_of(system, bundle, private_input=args["private_input"])
    finally:
        forget_keys()
    return {} if report is None else asdict(report)


def check_task(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Runs in the worker process. Raises: as the system's check."""
    bound_time(args)
    folder = Path(args["folder"])
    try:
        get_system(args["system"]).check(
            decode_bundle((folder / "bundle").read_bytes()),
            decode_proof_file((folder / "proof").read_bytes()),
            Digest.from_hex(args["statement"]),
        )
    finally:
        # What one stranger's key takes must not count against the next one's.
        forget_keys()
    return {}
