"""Checking with strangers' keys, in a process of its own.

A verifier bundle from anyone reaches native parsers of keys and reference strings, which were
not written for hostile files: they may panic, allocate without end or abort. Here that costs a
worker process and a typed failure, and never the process that asked.
"""

import tempfile
from pathlib import Path
from typing import Any

from inferproof.protocol.proof_file import ProofFile, decode_proof_file, encode_proof_file
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle, encode_bundle
from inferproof.proving.base import Progress
from inferproof.proving.pool import WorkerPool
from inferproof.proving.registry import get_system
from inferproof.types.digest import Digest

TIME_LIMIT_S = 60.0
"""The largest circuit that was measured is verified in a quarter of a second."""
MEMORY_BYTES = 16 * 2**30
"""Address space, most of which ezkl's thread stacks and maps only reserve."""
_TASK = "inferproof.proving.isolated:check_task"


class IsolatedChecker:
    """A ProofChecker that lets a worker process check. Give it a pool with a memory limit."""

    def __init__(self, system: str, pool: WorkerPool, *, time_limit_s: float = TIME_LIMIT_S):
        self._system = system
        self._pool = pool
        self._time_limit_s = time_limit_s

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        """Returns when the proof holds.

        Raises: as the system's own check; Unavailable PROVER_TIME_LIMIT, PROVER_CRASHED,
        PROVER_FAILED.
        """
        with tempfile.TemporaryDirectory(prefix="inferproof-check-") as name:
            folder = Path(name)
            (folder / "bundle").write_bytes(encode_bundle(bundle))
            (folder / "proof").write_bytes(encode_proof_file(file))
            self._pool.run(
                _TASK,
                {"system": self._system, "folder": name, "statement": statement.hex},
                time_limit_s=self._time_limit_s,
            )


def check_task(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Runs in the worker process. Raises: as the system's check."""
    folder = Path(args["folder"])
    get_system(args["system"]).check(
        decode_bundle((folder / "bundle").read_bytes()),
        decode_proof_file((folder / "proof").read_bytes()),
        Digest.from_hex(args["statement"]),
    )
    return {}
