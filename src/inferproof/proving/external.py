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
from inferproof.models.load import load_model
from inferproof.protocol.proof_file import ProofFile, decode_proof_file, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import (
    MAX_BYTES,
    VerifierBundle,
    decode_bundle,
    encode_bundle,
)
from inferproof.proving.artifact import BUNDLE, new_folder
from inferproof.proving.base import (
    CompileReport,
    CompileRequest,
    Description,
    Estimate,
    Progress,
    Proved,
    ProveRequest,
    no_progress,
)
from inferproof.proving.inputs import check_calibration, check_inputs, check_mode, write_arrays
from inferproof.proving.program import Limits, Program
from inferproof.types.digest import Digest
from inferproof.types.proof import Assurance
from inferproof.verify.proof import check_version

Reader = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class _About:
    description: Description
    operators: frozenset[str]


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
            self._about = self._ask("describe", {}, _read_about)
        return self._about

    def compile(self, request: CompileRequest, progress: Progress = no_progress) -> CompileReport:
        """See ProofSystem. Raises also: Unavailable PROVER_ reasons; ModelRejected MODE_UNKNOWN."""
        check_mode(self.name, request.mode)
        began = time.perf_counter()
        model = load_model(request.model)
        calibration = check_calibration(model.inputs, request.calibration)
        with (
            new_folder(request.out) as folder,
            tempfile.TemporaryDirectory(prefix="inferproof-external-") as scratch,
        ):
            source = Path(scratch) / "model.onnx"
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
                    "preprocessing": request.preprocessing,
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
            wanted = (model.graph_digest, model.weights_digest, request.visibility)
            got = (bundle.parts.graph, bundle.parts.weights, bundle.parts.visibility)
            if got != wanted or (bundle.inputs, bundle.outputs) != (model.inputs, model.outputs):
                raise self._wrong("compile", "it compiled another model")
        return CompileReport(
            commitment=bundle.commitment,
            parts=bundle.parts,
            parameters=model.parameters,
            compile_s=time.perf_counter() - began,
            **report,
        )

    def prove(
        self,
        request: ProveRequest,
        progress: Progress = no_progress,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Proved:
        """See ProofSystem."""
        bundle = self.verifier(request.artifact)
        tensors = check_inputs(bundle.inputs, request.inputs)
        with tempfile.TemporaryDirectory(prefix="inferproof-external-") as name:
            folder = Path(name)
            write_arrays(folder / "inputs.npz", tensors)
            times = self._ask(
                "prove",
                {
                    "artifact": str(request.artifact.absolute()),
                    "inputs": str(folder / "inputs.npz"),
                    "job_id": request.job_id.hex,
                    "provider": request.provider.hex,
                    "salt": "0x" + request.salt.hex(),
                    "out": str(folder / "proof"),
                },
                _read_times,
                progress,
                cancelled,
                request.time_limit_s,
            )
            data = self._output(folder / "proof", "prove")
        file = decode_proof_file(data)
        statement = file.statement
        asked = (request.job_id, request.provider, bundle.commitment, self.name)
        if asked != (
            statement.job_id,
            statement.provider,
            statement.model_commitment,
            statement.proof_system,
        ):
            raise self._wrong("prove", "its statement is not the one asked for")
        began = time.perf_counter()
        self.check(bundle, file, statement_digest(statement))
        verify_s = time.perf_counter() - began
        return Proved(file=data, outputs=file.outputs, verify_s=verify_s, **times)

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
        cancelled: Callable[[], bool] = lambda: False,
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
        **texts,
    )
    operators = _typed(answer, "operators", list)
    return _About(description, frozenset(str(op) for op in operators))


def _read_report(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "key_bytes": int(_number(answer, "key_bytes")),
        **{name: _number(answer, name) for name in ("peak_mb", "max_error", "agreement")},
        "trials": tuple(t for t in _typed(answer, "trials", list) if isinstance(t, dict)),
    }


def _read_times(answer: dict[str, Any]) -> dict[str, float]:
    return {name: _number(answer, name) for name in ("load_s", "witness_s", "prove_s", "peak_mb")}


def _read_estimate(answer: dict[str, Any]) -> Estimate:
    counts = ("peak_bytes", "key_bytes", "proof_bytes", "verify_gas")
    return Estimate(
        prove_s=_number(answer, "prove_s"),
        verify_s=_number(answer, "verify_s"),
        **{name: int(_number(answer, name)) for name in counts},
    )
