"""Any prover program behind a small JSON contract. Source: specs/external-prover.md.

The program is not trusted with anything but its own proofs: it runs with limits on time, memory
and output and without our environment, and what it returns is decoded and compared with what was
asked. Whether a proof holds is the program's word, as it is for any verifier one installs.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferproof.errors import ArtifactRejected, InferproofError, ProofRejected, Reason, Unavailable
from inferproof.protocol.proof_file import ProofFile, decode_proof_file, encode_proof_file
from inferproof.protocol.verifier_bundle import (
    MAX_BYTES,
    VerifierBundle,
    decode_bundle,
    encode_bundle,
)
from inferproof.proving.artifact import BUNDLE, new_folder
from inferproof.proving.base import (
    PROVE_LIMIT_S,
    SPENT,
    Cancelled,
    CompileReport,
    CompileRequest,
    Description,
    Estimate,
    Progress,
    Proof,
    Ran,
    never,
    no_progress,
)
from inferproof.proving.inputs import (
    check_calibration,
    check_found_precision,
    check_inputs,
    write_arrays,
)
from inferproof.proving.opening import Hidden
from inferproof.proving.program import Limits, Program
from inferproof.types.digest import Digest
from inferproof.types.proof import Assurance, Statement
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import check_version

Reader = Callable[[dict[str, Any]], Any]
CONTRACT = 3
"""The version of specs/external-prover.md."""


@dataclass(frozen=True, slots=True)
class _About:
    description: Description
    operators: frozenset[str]
    contract: int


class ExternalSystem:
    """A ProofSystem whose work a program does. `command` is the program and leading arguments."""

    def __init__(self, command: Sequence[str], limits: Limits | None = None) -> None:
        self._program = Program(tuple(command), limits or Limits())
        self._about: _About | None = None

    @property
    def name(self) -> str:
        return self.describe().name

    @property
    def version(self) -> str:
        return self.describe().version

    def supports(self, operator: str) -> bool:
        return operator in self._described().operators

    def describe(self) -> Description:
        """What the program says of itself; asked once."""
        return self._described().description

    def _described(self) -> _About:
        if self._about is None:
            about = self._ask("describe", {}, _read_about)
            if about.contract != CONTRACT:
                why = f"it speaks version {about.contract} of the contract, not {CONTRACT}"
                raise self._wrong("describe", why)
            self._about = about
        return self._about

    def compile(self, request: CompileRequest, progress: Progress = no_progress) -> CompileReport:
        """See ProofSystem. Raises also: Unavailable PROVER_ reasons; ModelRejected
        OPTION_UNUSED.
        """
        check_found_precision(self.name, request)
        began = time.perf_counter()
        model = request.loaded()
        calibration = check_calibration(model.inputs, request.calibration)
        with (
            new_folder(request.out) as folder,
            tempfile.TemporaryDirectory(prefix="inferproof-external-") as scratch,
        ):
            source = Path(scratch) / "model.onnx"
            hidden = Hidden(request, model)
            source.write_bytes(model.onnx)
            arrays = Path(scratch) / "calibration.npz"
            write_arrays(arrays, calibration)
            srs = request.srs
            report = self._ask(
                "compile",
                {
                    "model": str(source),
                    "calibration": str(arrays),
                    "out": str((folder / "artifact").absolute()),
                    "visibility": request.visibility.value,
                    "preprocessing": request.committed(model),
                    "labels": {
                        spec.name: list(spec.labels) for spec in model.outputs if spec.labels
                    },
                    "salts": {
                        "graph": "0x" + hidden.salts.graph.hex(),
                        "weights": "0x" + hidden.salts.weights.hex(),
                    },
                    "max_error": request.max_error,
                    "srs": {"path": str(srs.path.absolute()), "sha256": srs.sha256}
                    if srs
                    else None,
                },
                _read_report,
                progress,
            )
            for path in (folder / "artifact").iterdir():
                path.rename(folder / path.name)
            (folder / "artifact").rmdir()
            bundle = self._bundle(folder)
            wanted = (hidden.graph, hidden.weights, request.visibility)
            got = (bundle.parts.graph, bundle.parts.weights, bundle.parts.visibility)
            if got != wanted or (bundle.inputs, bundle.outputs) != (model.inputs, model.outputs):
                raise self._wrong("compile", "it compiled another model")
            hidden.keep(folder, bundle.commitment)
        return CompileReport(
            commitment=bundle.commitment,
            parts=bundle.parts,
            parameters=model.parameters,
            compile_s=time.perf_counter() - began,
            **report,
        )

    def execute(
        self,
        model: Path,
        inputs: Tensors,
        salt: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> "ExternalExecution":
        """See Executor."""
        bundle = self.verifier(model)
        tensors = check_inputs(bundle.inputs, inputs)
        folder = tempfile.TemporaryDirectory(prefix="inferproof-external-")
        try:
            path = Path(folder.name)
            write_arrays(path / "inputs.npz", tensors)
            (path / "kept").mkdir()
            request = {
                "artifact": str(model.absolute()),
                "inputs": str(path / "inputs.npz"),
                "salt": "0x" + salt.hex(),
                "kept": str(path / "kept"),
            }
            times = self._ask(
                "execute",
                {**request, "out": str(path / "run")},
                _read_run_times,
                progress,
                cancelled,
                time_limit_s,
            )
            run = decode_proof_file(self._output(path / "run", "execute"))
        except BaseException:
            folder.cleanup()
            raise
        if (run.statement.model_commitment, run.statement.proof_system) != (
            bundle.commitment,
            self.name,
        ):
            folder.cleanup()
            raise self._wrong("execute", "its run is not of the model asked for")
        return ExternalExecution(self, folder, request, Ran.of(run, **times))

    def prove_run(
        self,
        request: dict[str, Any],
        statement: Statement,
        out: Path,
        time_limit_s: float,
        progress: Progress,
        cancelled: Cancelled,
    ) -> Proof:
        """The proof that the program makes of a run that it kept. Raises: as Execution.prove."""
        times = self._ask("prove", request, _read_times, progress, cancelled, time_limit_s)
        data = self._output(out, "prove")
        if decode_proof_file(data).statement != statement:
            raise self._wrong("prove", "its statement is not the one asked for")
        return Proof(file=data, **times)

    def verifier(self, artifact: Path) -> VerifierBundle:
        """See ProofSystem."""
        return self._bundle(artifact)

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        """See ProofSystem. Raises ProofRejected PROOF_INVALID also for an answer about another
        statement.
        """
        check_version(bundle, self.version)
        with tempfile.TemporaryDirectory(prefix="inferproof-external-") as name:
            folder = Path(name)
            (folder / "bundle").write_bytes(encode_bundle(bundle))
            (folder / "proof").write_bytes(encode_proof_file(file))
            verified, echoed = self._ask(
                "verify",
                {
                    "bundle": str(folder / "bundle"),
                    "proof": str(folder / "proof"),
                    "statement": statement.hex,
                },
                lambda answer: (_typed(answer, "verified", bool), _typed(answer, "statement", str)),
            )
        if verified is not True or echoed != statement.hex:
            raise ProofRejected(Reason.PROOF_INVALID)

    def estimate(self, artifact: Path) -> Estimate:
        """See ProofSystem."""
        args = {"artifact": str(artifact.absolute())}
        return self._ask("estimate", args, _read_estimate)  # type: ignore[no-any-return]

    def _bundle(self, folder: Path) -> VerifierBundle:
        path = folder / BUNDLE
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ArtifactRejected(Reason.ARTIFACT_FILE, file=BUNDLE)
        bundle = decode_bundle(path.read_bytes())
        if bundle.parts.proof_system != self.name:
            raise ArtifactRejected(
                Reason.ARTIFACT_OTHER_SYSTEM, got=bundle.parts.proof_system, expected=self.name
            )
        return bundle

    def _output(self, path: Path, command: str) -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            raise self._wrong(command, "it wrote no file") from None

    def _ask(
        self,
        command: str,
        args: dict[str, Any],
        read: Reader,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
        time_limit_s: float | None = None,
    ) -> Any:
        answer = self._program.run(command, args, progress, cancelled, time_limit_s)
        try:
            return read(answer)
        except (KeyError, TypeError, ValueError):
            raise self._wrong(command, "its answer lacks a field or has a wrong one") from None

    def _wrong(self, command: str, why: str) -> InferproofError:
        return Unavailable(
            Reason.PROVER_ANSWER, program=self._program.name, command=command, why=why
        )


class ExternalExecution:
    """Implements proving.base.Execution: the program keeps what it likes in a folder."""

    def __init__(
        self,
        system: ExternalSystem,
        folder: tempfile.TemporaryDirectory[str],
        request: dict[str, Any],
        ran: Ran,
    ) -> None:
        self.ran = ran
        self._system = system
        self._folder = folder
        self._request = request

    def prove(
        self,
        statement: Statement,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Proof:
        """See Execution. Raises also: Unavailable PROVER_ANSWER for a proof of something else."""
        self.ran.require(statement)
        out = Path(self._folder.name) / "proof"
        if not out.parent.exists():
            raise Unavailable(Reason.PROVER_FAILED, why=SPENT)
        request = {
            **self._request,
            "job_id": statement.job_id.hex,
            "provider": statement.provider.hex,
            "out": str(out),
        }
        with self._folder:
            return self._system.prove_run(
                request, statement, out, time_limit_s, progress, cancelled
            )

    def close(self) -> None:
        """See Execution."""
        self._folder.cleanup()


def _typed(answer: dict[str, Any], name: str, kind: type) -> Any:
    value = answer[name]
    if type(value) is not kind:
        raise TypeError(name)
    return value


def _number(answer: dict[str, Any], name: str) -> float:
    value = answer[name]
    if type(value) not in (int, float) or not 0 <= value < 1e18:
        raise TypeError(name)
    return float(value)


def _read_about(answer: dict[str, Any]) -> _About:
    texts = {name: _typed(answer, name, str)[:2000] for name in ("proven", "not_proven")}
    description = Description(
        name=_typed(answer, "name", str)[:64],
        version=_typed(answer, "version", str)[:64],
        assurance=Assurance(answer["assurance"]),
        shows=_typed(answer, "shows", str)[:2000] if "shows" in answer else "",
        **texts,
    )
    operators = _typed(answer, "operators", list)
    # Version 1 did not name itself.
    contract = _typed(answer, "contract", int) if "contract" in answer else 1
    return _About(description, frozenset(str(op) for op in operators), contract)


def _read_report(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "key_bytes": int(_number(answer, "key_bytes")),
        **{name: _number(answer, name) for name in ("peak_mb", "max_error", "agreement")},
        "trials": tuple(t for t in _typed(answer, "trials", list) if isinstance(t, dict)),
    }


def _read_run_times(answer: dict[str, Any]) -> dict[str, float]:
    return {name: _number(answer, name) for name in ("load_s", "run_s")}


def _read_times(answer: dict[str, Any]) -> dict[str, float]:
    return {name: _number(answer, name) for name in ("prove_s", "peak_mb")}


def _read_estimate(answer: dict[str, Any]) -> Estimate:
    counts = ("peak_bytes", "key_bytes", "proof_bytes", "verify_gas")
    return Estimate(
        prove_s=_number(answer, "prove_s"),
        verify_s=_number(answer, "verify_s"),
        **{name: int(_number(answer, name)) for name in counts},
    )
