"""One run and its verified proof, for who has one proof system and wants one file.

A service that keeps steps apart (to store a proof before it is verified, to release an answer
without one) calls `execute`, `Execution.prove` and `verify_proof` itself.
"""

import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from inferproof.errors import Reason, RequestRejected
from inferproof.proving.base import (
    PROVE_LIMIT_S,
    Cancelled,
    PrivateExecutor,
    Progress,
    ProofSystem,
    never,
    no_progress,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.tensor import FixedTensor, Tensors
from inferproof.verify.proof import VerifiedProof, verify_proof


@dataclass(frozen=True, slots=True)
class ProveRequest:
    """What to prove. `salt` is 32 random bytes of the caller; with `private_input` they are the
    secret of a private one (see `PrivateExecutor`). `time_limit_s` is for the run and its proof
    together, and ends in a kill."""

    artifact: Path
    inputs: Tensors
    job_id: Digest
    provider: Address
    salt: bytes = field(repr=False)
    time_limit_s: float = PROVE_LIMIT_S
    private_input: bool = False


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof file and what verifying it gave. `prove_s` includes `witness_s`, the run."""

    file: bytes = field(repr=False)
    verified: VerifiedProof = field(repr=False)
    load_s: float
    witness_s: float
    prove_s: float
    verify_s: float
    peak_mb: float

    @property
    def outputs(self) -> tuple[FixedTensor, ...]:
        """The proven outputs."""
        return self.verified.outputs


def prove(
    system: ProofSystem,
    request: ProveRequest,
    progress: Progress = no_progress,
    cancelled: Cancelled = never,
) -> Proved:
    """The verified proof of one run of a compiled model.

    Raises: as `ProofSystem.execute`, or `PrivateExecutor.execute_private`, `Execution.prove` and
    `verify_proof`.
    """
    deadline = time.monotonic() + request.time_limit_s
    execute = private_executor(system).execute_private if request.private_input else system.execute
    run = execute(
        request.artifact,
        request.inputs,
        request.salt,
        time_limit_s=request.time_limit_s,
        progress=progress,
        cancelled=cancelled,
    )
    with closing(run) as execution:
        ran = execution.ran
        proof = execution.prove(
            ran.statement(request.job_id, request.provider),
            time_limit_s=left(deadline),
            progress=progress,
            cancelled=cancelled,
        )
    progress("verifying", 0.95)
    began = time.perf_counter()
    verified = verify_proof(proof.file, system.verifier(request.artifact), system)
    verify_s = time.perf_counter() - began
    progress("done", 1.0)
    return Proved(
        file=proof.file,
        verified=verified,
        load_s=ran.load_s,
        witness_s=ran.run_s,
        prove_s=ran.run_s + proof.prove_s,
        verify_s=verify_s,
        peak_mb=proof.peak_mb,
    )


def private_executor(system: ProofSystem) -> PrivateExecutor:
    """The system, as one that proves about private inputs.

    Raises: RequestRejected PRIVATE_INPUT_UNSUPPORTED.
    """
    if isinstance(system, PrivateExecutor):
        return system
    why = f"proof system {system.name} has none"
    raise RequestRejected(Reason.PRIVATE_INPUT_UNSUPPORTED, why=why)


def left(deadline: float) -> float:
    """The seconds until a time of the monotonic clock; none once it is over."""
    return max(0.0, deadline - time.monotonic())
