"""Checking with strangers' keys, in a process of its own.

A verifier bundle from anyone reaches native parsers of keys and reference strings, which were
not written for hostile files: they may panic, allocate without end or abort. Here that costs a
worker process and a typed failure, and never the process that asked.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inferproof.protocol.proof_file import ProofFile, decode_proof_file, encode_proof_file
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle, encode_bundle
from inferproof.proving.base import ComputeBackend, Progress
from inferproof.proving.registry import get_system
from inferproof.types.digest import Digest
from inferproof.types.proof import SecurityReport
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import SecurityReporter, out_of_range, security_of

TIME_LIMIT_S = 60.0
"""The largest circuit that was measured is verified in a quarter of a second."""
MEMORY_BYTES = 16 * 2**30
"""Address space, most of which ezkl's thread stacks and maps only reserve."""
_TASK = "inferproof.proving.isolated:check_task"
_SECURITY = "inferproof.proving.isolated:security_task"


class IsolatedChecker:
    """A ProofChecker that lets a worker process check. Give it a backend with a memory limit."""

    def __init__(self, system: str, backend: ComputeBackend, *, time_limit_s: float = TIME_LIMIT_S):
        self._system = system
        self._backend = backend
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
            self._backend.run(
                _TASK,
                {"system": self._system, "folder": name, "statement": statement.hex},
                time_limit_s=self._time_limit_s,
            )

    def out_of_range(self, bundle: VerifierBundle, inputs: Tensors) -> int | None:
        """See RangeReporter; a bundle that was checked is safe to count with in this process."""
        return out_of_range(get_system(self._system), bundle, inputs)

    def security(self, bundle: VerifierBundle) -> SecurityReport | None:
        """See SecurityReporter. Raises: as `check`."""
        if not isinstance(get_system(self._system), SecurityReporter):
            return None
        with tempfile.TemporaryDirectory(prefix="inferproof-check-") as name:
            (Path(name) / "bundle").write_bytes(encode_bundle(bundle))
            told = self._backend.run(
                _SECURITY,
                {"system": self._system, "folder": name},
                time_limit_s=self._time_limit_s,
            )
        terms = tuple((str(term), float(bits)) for term, bits in told["terms"])
        return SecurityReport(told["provable_bits"], told["profile"], told["mode"], terms)


def security_task(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Runs in the worker process. Raises: as the system's `security`."""
    bundle = decode_bundle((Path(args["folder"]) / "bundle").read_bytes())
    report = security_of(get_system(args["system"]), bundle)
    return {} if report is None else asdict(report)


def check_task(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Runs in the worker process. Raises: as the system's check."""
    folder = Path(args["folder"])
    get_system(args["system"]).check(
        decode_bundle((folder / "bundle").read_bytes()),
        decode_proof_file((folder / "proof").read_bytes()),
        Digest.from_hex(args["statement"]),
    )
    return {}
