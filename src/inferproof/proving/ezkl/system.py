"""ezkl as a ProofSystem: checks what comes in, and lets worker processes do the work."""

import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason, Unavailable
from inferproof.models.loaded import LoadedModel
from inferproof.protocol.proof_file import ProofFile, decode_proof_file
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import Artifact, new_folder, open_artifact
from inferproof.proving.base import (
    PROVE_LIMIT_S,
    SPENT,
    Cancelled,
    CompileReport,
    CompileRequest,
    ComputeBackend,
    Description,
    Estimate,
    Progress,
    Proof,
    Ran,
    never,
    no_progress,
)
from inferproof.proving.ezkl import check as checker
from inferproof.proving.ezkl.library import library
from inferproof.proving.ezkl.operators import SUPPORTED
from inferproof.proving.ezkl.prove import RUN
from inferproof.proving.ezkl.settings import VERSION
from inferproof.proving.inputs import (
    check_calibration,
    check_found_precision,
    check_inputs,
    write_arrays,
)
from inferproof.proving.opening import Hidden
from inferproof.proving.pool import WorkerPool
from inferproof.proving.worker import peak_bytes
from inferproof.types.digest import Digest
from inferproof.types.proof import Assurance, Statement
from inferproof.types.tensor import Tensors, TensorSpec

COMPILE_LIMIT_S = 6 * 3600.0
EVALUATE_LIMIT_S = 3600.0
PROFILE = "default"
"""It has no choice of what its soundness rests on."""
_TASKS = "inferproof.proving.ezkl"


class EzklSystem:
    """Succinct proofs of whole inferences with ezkl. Thread-safe; give it a backend to share."""

    name = "ezkl"
    version = VERSION

    def __init__(self, backend: ComputeBackend | None = None) -> None:
        self._backend = backend or WorkerPool()

    def supports(self, operator: str) -> bool:
        return operator in SUPPORTED

    def describe(self) -> Description:
        return Description(
            name=self.name,
            version=self.version,
            assurance=Assurance.ZK_INTEGRITY,
            proven=(
                "The outputs are exactly what the committed, quantised model computes on the "
                "committed input, for this job and this provider; shown by a Halo2 proof with "
                "KZG commitments over BN254."
            ),
            not_proven=(
                "That the quantised model is as good as the float model; that the model is "
                "right; and nothing at all where the SRS is a development one, whose maker can "
                "forge proofs. Weights are not shown, but a guess at them can be confirmed."
            ),
            shows=(
                "the input, or of a hashed one its salted hash, and the outputs; weights are not "
                "shown, but a guess at them can be confirmed"
            ),
        )

    def compile(self, request: CompileRequest, progress: Progress = no_progress) -> CompileReport:
        """See ProofSystem. Raises also: Unavailable PROVER_ reasons; ModelRejected
        PROFILE_UNKNOWN, OPTION_UNUSED.
        """
        library()
        if request.profile != PROFILE:
            raise ModelRejected(Reason.PROFILE_UNKNOWN, name=request.profile, known=PROFILE)
        check_found_precision(self.name, request)
        began = time.perf_counter()
        progress("reading the model", 0.0)
        model = request.loaded()
        calibration = check_calibration(model.inputs, request.calibration)
        with (
            new_folder(request.out) as folder,
            tempfile.TemporaryDirectory(prefix="inferproof-compile-") as scratch,
        ):
            hidden = Hidden(request, model)
            (folder / "model.onnx").write_bytes(model.onnx)
            arrays = Path(scratch) / "calibration.npz"
            write_arrays(arrays, calibration)
            result = self._backend.run(
                f"{_TASKS}.compile:compile_task",
                _compile_args(request, model, folder, Path(scratch), arrays)
                | {"graph": hidden.graph.hex, "weights": hidden.weights.hex},
                time_limit_s=COMPILE_LIMIT_S,
                progress=progress,
            )
            hidden.keep(folder, self._open(folder).commitment)
        artifact = self._open(request.out)
        peak = max(result["peak_bytes"], result["compile_peak_bytes"]) + peak_bytes()
        return CompileReport(
            commitment=artifact.commitment,
            parts=artifact.bundle.parts,
            parameters=model.parameters,
            compile_s=time.perf_counter() - began,
            key_bytes=result["key_bytes"],
            peak_mb=peak / 1e6,
            max_error=result["max_error"],
            agreement=result["agreement"],
            trials=tuple(result["trials"]),
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
    ) -> "EzklExecution":
        """See Executor; `cancelled` is asked several times a second."""
        library()
        artifact = self._open(model)
        tensors = check_inputs(artifact.bundle.inputs, inputs)
        folder = tempfile.TemporaryDirectory(prefix="inferproof-run-")
        try:
            path = Path(folder.name)
            write_arrays(path / "inputs.npz", tensors)
            result = self._backend.run(
                f"{_TASKS}.prove:execute_task",
                {
                    "artifact": str(model.absolute()),
                    "inputs": str(path / "inputs.npz"),
                    "salt": salt.hex(),
                    "folder": folder.name,
                },
                time_limit_s=time_limit_s,
                progress=progress,
                cancelled=cancelled,
            )
            run = decode_proof_file((path / RUN).read_bytes())
        except BaseException:
            folder.cleanup()
            raise
        ran = Ran.of(run, load_s=result["load_s"], run_s=result["run_s"])
        return EzklExecution(self._backend, model, folder, ran)

    def evaluate(
        self, artifact: Path, samples: dict[str, npt.NDArray[np.float32]]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """See Evaluator."""
        library()
        opened = self._open(artifact)
        checked = check_calibration(opened.bundle.inputs, samples)
        with tempfile.TemporaryDirectory(prefix="inferproof-evaluate-") as name:
            folder = Path(name)
            write_arrays(folder / "inputs.npz", checked)
            self._backend.run(
                f"{_TASKS}.prove:evaluate_task",
                {
                    "artifact": str(artifact.absolute()),
                    "inputs": str(folder / "inputs.npz"),
                    "out": str(folder / "outputs.npz"),
                },
                time_limit_s=EVALUATE_LIMIT_S,
            )
            with np.load(folder / "outputs.npz", allow_pickle=False) as stored:
                return {spec.name: stored[f"a{i}"] for i, spec in enumerate(opened.bundle.outputs)}

    def verifier(self, artifact: Path) -> VerifierBundle:
        return self._open(artifact).bundle

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        checker.check(bundle, file, statement)

    def estimate(self, artifact: Path) -> Estimate:
        return self._open(artifact).estimate

    def close(self) -> None:
        """Ends the worker processes."""
        self._backend.close()

    def _open(self, folder: Path) -> Artifact:
        return open_artifact(folder, self.name, self.version)


class EzklExecution:
    """Implements proving.base.Execution: the witness lies in a folder until it is proven."""

    def __init__(
        self,
        backend: ComputeBackend,
        artifact: Path,
        folder: tempfile.TemporaryDirectory[str],
        ran: Ran,
    ) -> None:
        self.ran = ran
        self._backend = backend
        self._artifact = artifact
        self._folder = folder

    def prove(
        self,
        statement: Statement,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Proof:
        """See Execution; `cancelled` is asked several times a second."""
        self.ran.require(statement)
        out = Path(self._folder.name) / "proof"
        if not out.parent.exists():
            raise Unavailable(Reason.PROVER_FAILED, why=SPENT)
        with self._folder:
            result = self._backend.run(
                f"{_TASKS}.prove:prove_task",
                {
                    "artifact": str(self._artifact.absolute()),
                    "folder": self._folder.name,
                    "job_id": statement.job_id.hex,
                    "provider": statement.provider.hex,
                    "out": str(out),
                },
                time_limit_s=time_limit_s,
                progress=progress,
                cancelled=cancelled,
            )
            data = out.read_bytes()
        return Proof(data, result["prove_s"], (result["peak_bytes"] + peak_bytes()) / 1e6)

    def close(self) -> None:
        """See Execution."""
        self._folder.cleanup()


def _compile_args(
    request: CompileRequest, model: LoadedModel, folder: Path, scratch: Path, arrays: Path
) -> dict[str, object]:
    srs = request.srs
    return {
        "folder": str(folder.absolute()),
        "scratch": str(scratch),
        "calibration": str(arrays),
        "inputs": [_spec(s) for s in model.inputs],
        "outputs": [_spec(s) for s in model.outputs],
        "parameters": model.parameters,
        "preprocessing": request.committed(model),
        "visibility": request.visibility.value,
        "max_error": request.max_error,
        "srs": {"path": str(srs.path.absolute()), "sha256": srs.sha256} if srs else None,
    }


def _spec(spec: TensorSpec) -> list[object]:
    return [spec.name, spec.dtype, list(spec.shape), list(spec.labels)]
