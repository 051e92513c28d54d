"""sumcheck as a ProofSystem: our own prover, in this process; compiling in a worker's.

A proof takes milliseconds and the native module lets go of the interpreter's lock, so the calling
thread waits for its proof, which threads of the module make from keys that stay in memory. The
module is Rust without unsafe code of our own, a panic in it is a typed failure, and every input was
checked before. Compiling takes seconds of Python, reads what the sandbox made of a stranger's file,
and runs in a worker process.
"""

import json
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import MissingPart, ModelRejected, Reason, Unavailable
from inferproof.models.load import to_head
from inferproof.protocol.encoding import Json
from inferproof.protocol.opening import KeyOpening
from inferproof.protocol.opening_budget import Budget
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.proof_mode import refuse_ended
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import Artifact, new_folder, open_artifact
from inferproof.proving.base import (
    PROVE_LIMIT_S,
    Cancelled,
    Compared,
    CompileReport,
    CompileRequest,
    ComputeBackend,
    Description,
    Estimate,
    Progress,
    never,
    no_progress,
)
from inferproof.proving.bounds import Limits
from inferproof.proving.costs import Size, read_costs
from inferproof.proving.inputs import check_calibration, check_inputs, write_arrays
from inferproof.proving.opening import Hidden
from inferproof.proving.openings import Openings, OpeningsAt
from inferproof.proving.pool import WorkerPool
from inferproof.proving.sumcheck import check as checker
from inferproof.proving.sumcheck.audit import compare_key
from inferproof.proving.sumcheck.check import VERSION
from inferproof.proving.sumcheck.compile_limits import beyond, compile_limits
from inferproof.proving.sumcheck.description import described
from inferproof.proving.sumcheck.graph_bytes import decode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.loaded import NAME, Cache, Loaded
from inferproof.proving.sumcheck.precision import MARGIN, check_precision
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.proving.sumcheck.profiles import check_profile
from inferproof.proving.sumcheck.prove import (
    SumcheckExecution,
    evaluate,
    execute,
    execute_private,
)
from inferproof.proving.sumcheck.public_facts import COMMITMENTS, public_facts
from inferproof.proving.sumcheck.quantisation import count_beyond, decode_settings
from inferproof.proving.worker import peak_bytes
from inferproof.types.digest import Digest
from inferproof.types.layer import QuantisedLayer
from inferproof.types.proof import SecurityReport, Visibility
from inferproof.types.tensor import Tensors

COMPILE_LIMIT_S = 3600.0
_COMPILE = "inferproof.proving.sumcheck.compile:compile_task"


class SumcheckSystem:
    """Proofs of whole inferences without a trusted set-up. Thread-safe."""

    name = NAME
    version = VERSION

    def __init__(
        self,
        backend: ComputeBackend | None = None,
        cache: Cache | None = None,
        costs: Path | None = None,
        openings: OpeningsAt | None = None,
    ) -> None:
        """`costs` is where `inferproof calibrate` keeps what it measured, if anything. `openings`
        counts those of keys; nothing is compiled or proven without it."""
        self._backend = backend or WorkerPool()
        self._cache = cache or Cache(openings=openings)
        self._costs = costs
        self._openings = openings

    def supports(self, operator: str) -> bool:
        # Not above: it needs the onnx package, and whoever only verifies has none.
        from inferproof.proving.sumcheck.lower.operators import SUPPORTED

        return operator in SUPPORTED

    def describe(self) -> Description:
        return described()

    def compile(self, request: CompileRequest, progress: Progress = no_progress) -> CompileReport:
        """See ProofSystem. Raises also: Unavailable PROVER_ reasons; ModelRejected
        VISIBILITY_UNSUPPORTED, SRS_UNUSED, PROFILE_UNKNOWN, MODEL_NOT_PROVABLE,
        OPTION_OUT_OF_RANGE, COMPILE_TIME_LIMIT, COMPILE_MEMORY_LIMIT; MissingPart
        MISSING_OPENINGS.
        """
        library()
        if request.visibility is not Visibility.PUBLIC:
            raise ModelRejected(
                Reason.VISIBILITY_UNSUPPORTED, system=self.name, got=request.visibility.value
            )
        if request.srs is not None:
            raise ModelRejected(Reason.SRS_UNUSED, system=self.name)
        check_profile(request.profile)
        openings = self._counted()
        check_precision(request)
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
            limits = compile_limits(model)
            result = self._compiled(
                limits,
                {
                    **asdict(limits),
                    "folder": str(folder.absolute()),
                    "calibration": str(arrays),
                    "model": to_head(model),
                    "graph": hidden.graph.hex,
                    "weights": hidden.weights.hex,
                    "parameters": model.parameters,
                    "preprocessing": request.committed(model),
                    "profile": request.profile,
                    "max_error": request.max_error,
                    "bits": request.bits,
                    "margin": request.margin or MARGIN,
                    "explain": request.explain,
                    "costs": None if self._costs is None else str(self._costs.absolute()),
                },
                progress,
            )
            hidden.keep(folder, self._open(folder).commitment)
            _count(folder, openings(folder), result["opened"])
        artifact = self._open(request.out)
        return CompileReport(
            commitment=artifact.commitment,
            parts=artifact.bundle.parts,
            parameters=model.parameters,
            compile_s=time.perf_counter() - began,
            key_bytes=result["key_bytes"],
            peak_mb=(result["peak_bytes"] + peak_bytes()) / 1e6,
            max_error=result["max_error"],
            agreement=result["agreement"],
            trials=tuple(result["trials"]),
            samples=result["samples"],
            held_out=result["held_out"],
            notes=tuple(result["notes"]),
            layers=tuple(QuantisedLayer(**item) for item in result["layers"]),
        )

    def _counted(self) -> OpeningsAt:
        """What counts openings. Raises: MissingPart MISSING_OPENINGS."""
        if self._openings is None:
            raise MissingPart(Reason.MISSING_OPENINGS)
        return self._openings

    def _compiled(self, limits: Limits, args: dict[str, Any], progress: Progress) -> dict[str, Any]:
        try:
            return self._backend.run(
                _COMPILE, args, time_limit_s=COMPILE_LIMIT_S, progress=progress
            )
        except Unavailable as error:
            raise beyond(error, limits) or error from None

    def execute(
        self,
        model: Path,
        inputs: Tensors,
        salt: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,  # noqa: ARG002 - a run takes milliseconds
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> SumcheckExecution:
        """See Executor. A run is not interrupted; its proof is, between its phases."""
        loaded, tensors, load_s = self._ready(model, inputs, progress, cancelled)
        return execute(loaded, tensors, salt, load_s)

    def execute_private(
        self,
        model: Path,
        inputs: Tensors,
        secret: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,  # noqa: ARG002 - as in execute
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> SumcheckExecution:
        """See PrivateExecutor."""
        loaded, tensors, load_s = self._ready(model, inputs, progress, cancelled)
        return execute_private(loaded, tensors, secret, load_s)

    def _ready(
        self, model: Path, inputs: Tensors, progress: Progress, cancelled: Cancelled
    ) -> tuple[Loaded, Tensors, float]:
        """The loaded model, the checked inputs, and the seconds that loading took."""
        if cancelled():
            raise Unavailable(Reason.PROVER_CANCELLED)
        progress("loading keys", 0.0)
        began = time.perf_counter()
        loaded = self._cache.get(model)
        load_s = time.perf_counter() - began
        tensors = check_inputs(loaded.bundle.inputs, inputs)
        progress("running the quantised model", 0.1)
        return loaded, tensors, load_s

    def evaluate(
        self, artifact: Path, samples: dict[str, npt.NDArray[np.float32]]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """See Evaluator."""
        loaded = self._cache.get(artifact)
        return evaluate(loaded, check_calibration(loaded.bundle.inputs, samples))

    def verifier(self, artifact: Path) -> VerifierBundle:
        return self._open(artifact).bundle

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        checker.check(bundle, file, statement)

    def out_of_range(self, bundle: VerifierBundle, inputs: Tensors) -> int:
        """See RangeReporter."""
        return count_beyond(decode_settings(bundle.settings), inputs)

    def input_root(self, bundle: VerifierBundle, inputs: Tensors, secret: bytes) -> Digest:
        """See InputCommitter."""
        return checker.input_root(bundle, check_inputs(bundle.inputs, inputs), secret)

    def security(self, bundle: VerifierBundle, *, private_input: bool = False) -> SecurityReport:
        """See SecurityReporter."""
        key = checker.read_facts(bundle).key
        try:
            told = json.loads(key.security(private_input))
        except library().NativeError as error:
            raise checker.private_fault(error) or error from error
        terms = tuple((term["name"], float(term["bits"])) for term in told["terms"])
        bits = float(told["provable_bits"])
        return SecurityReport(bits, told["profile"], terms)

    def privacy(self, bundle: VerifierBundle) -> dict[str, Json]:
        """See PrivacyReporter."""
        facts = public_facts(decode_graph(checker.read_facts(bundle).key.graph()))
        return {**facts, "commitments": dict(COMMITMENTS)}

    def compare_key(
        self, bundle: VerifierBundle, compiled: Path, opened: KeyOpening | None
    ) -> tuple[Compared, ...]:
        """See KeyAuditor."""
        return compare_key(bundle, compiled, opened)

    def estimate(self, artifact: Path) -> Estimate:
        """See ProofSystem. Times are those of the machine whose costs were measured, where some
        were; else what compiling took. Raises also: as `read_costs`;
        MissingPart.
        """
        opened = self._open(artifact)
        costs = None if self._costs is None else read_costs(self._costs, NAME, VERSION)
        if costs is None:
            return opened.estimate
        prove_s, verify_s = costs.seconds(Size(*checker.read_facts(opened.bundle).key.size()))
        return replace(opened.estimate, prove_s=prove_s, verify_s=verify_s)

    def budget(self, artifact: Path) -> Budget:
        """See OpeningCounter."""
        refuse_ended(self._open(artifact).bundle.verifying_key)
        return self._counted()(artifact).budget(read_key(artifact).name)

    def end_epochs(self) -> None:
        """See OpeningCounter."""
        self._cache.close()

    def close(self) -> None:
        """Ends the worker processes, and what was begun for proofs to come."""
        self.end_epochs()
        self._backend.close()

    def _open(self, folder: Path) -> Artifact:
        return open_artifact(folder, self.name, self.version)


def _count(folder: Path, openings: Openings, opened: int) -> None:
    """Begins to count the openings of a key that was made just now; those of its trials are gone,
    with what they showed."""
    kept = read_key(folder)
    openings.register(kept.name, kept.openings)
    for _ in range(opened):
        openings.take(kept.name)
