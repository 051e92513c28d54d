"""A proof system that proves nothing, for tests of everything around proof systems.

It computes the quantised outputs with ONNX Runtime and binds them to the statement with a
digest. Whoever knows the model's commitment can make such a "proof" of any outputs. It is built
only by someone who says so, never by name from the registry, and its assurance is the lowest.
"""

import time
from pathlib import Path

import numpy as np

from inferproof.errors import ModelRejected, ProofRejected, Reason, Unavailable
from inferproof.models.loaded import LoadedModel
from inferproof.protocol.commitments import (
    hashed_input_commitment,
    input_commitment,
    preprocessing_digest,
)
from inferproof.protocol.encoding import encode_fixed_tensor, encode_tensor, tagged_digest
from inferproof.protocol.proof_file import DisclosedInput, ProofFile, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle, quantisation_digest
from inferproof.proving.artifact import Artifact, new_folder, open_artifact, write_header
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
from inferproof.proving.ezkl.field import quantise
from inferproof.proving.ezkl.reference import float_outputs
from inferproof.proving.inputs import check_calibration, check_inputs
from inferproof.proving.opening import Hidden
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.proof import Assurance, ModelParts, Setup, Statement, Visibility
from inferproof.types.tensor import FixedTensor, Tensors
from inferproof.verify.proof import check_version

ACKNOWLEDGEMENT = "this proves nothing"
SCALE = 16
_SETTINGS = b'{"scale":16}'
_REFUSED = frozenset({"Tile"})
"""One operator is refused, so that tests reach the path of refusals."""


class ToySystem:
    """ProofSystem "toy". `acknowledge` must be the sentence "this proves nothing"."""

    name = "toy"
    version = "1"

    def __init__(self, acknowledge: str) -> None:
        if acknowledge != ACKNOWLEDGEMENT:
            raise ValueError(f"say acknowledge={ACKNOWLEDGEMENT!r} to build a toy proof system")

    def supports(self, operator: str) -> bool:
        return operator not in _REFUSED

    def describe(self) -> Description:
        return Description(
            name=self.name,
            version=self.version,
            assurance=Assurance.COMMITMENT,
            proven="Nothing: a digest binds the stated outputs to the statement.",
            not_proven="That the model was run at all. For tests only.",
        )

    def compile(self, request: CompileRequest, progress: Progress = no_progress) -> CompileReport:
        began = time.perf_counter()
        model = request.loaded()
        self._check_operators(model)
        check_calibration(model.inputs, request.calibration)
        with new_folder(request.out) as folder:
            (folder / "model.onnx").write_bytes(model.onnx)
            hidden = Hidden(request, model)
            bundle = self._bundle(model, request, hidden)
            costs = dict.fromkeys(("key_bytes", "verify_gas"), 0)
            measured = {"prove_us": 1000, "verify_us": 100, "peak_bytes": 10**6}
            write_header(folder, bundle, {**costs, **measured, "proof_bytes": 1000}, {})
            hidden.keep(folder, bundle.commitment)
        progress("done", 1.0)
        return CompileReport(
            commitment=bundle.commitment,
            parts=bundle.parts,
            parameters=model.parameters,
            compile_s=time.perf_counter() - began,
            key_bytes=0,
            peak_mb=0.0,
            max_error=2.0**-SCALE,
            agreement=1.0,
        )

    def execute(
        self,
        model: Path,
        inputs: Tensors,
        salt: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,  # noqa: ARG002 - it takes no time
        progress: Progress = no_progress,  # noqa: ARG002
        cancelled: Cancelled = never,
    ) -> "ToyExecution":
        if cancelled():
            raise Unavailable(Reason.PROVER_CANCELLED)
        began = time.perf_counter()
        artifact = self._open(model)
        bundle = artifact.bundle
        tensors = check_inputs(bundle.inputs, inputs)
        outputs = self._run(artifact, tensors)
        public = bundle.parts.visibility is Visibility.PUBLIC
        hashes = None if public else _hashes(salt, tensors)
        return ToyExecution(
            Ran(
                model_commitment=bundle.commitment,
                proof_system=self.name,
                input_commitment=(
                    input_commitment(salt, tensors)
                    if hashes is None
                    else hashed_input_commitment(self.name, hashes)
                ),
                outputs=outputs,
                disclosed=DisclosedInput(salt, tensors) if public else None,
                input_hashes=hashes,
                load_s=0.0,
                run_s=time.perf_counter() - began,
            )
        )

    def verifier(self, artifact: Path) -> VerifierBundle:
        return self._open(artifact).bundle

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        check_version(bundle, self.version)
        if any(output.scale != 2.0**-SCALE for output in file.outputs):
            raise ProofRejected(Reason.PROOF_OUTPUTS_SCALE)
        if file.proof != _seal(statement, file.outputs) or bundle.settings != _SETTINGS:
            raise ProofRejected(Reason.PROOF_INVALID)

    def estimate(self, artifact: Path) -> Estimate:
        return self._open(artifact).estimate

    def _open(self, folder: Path) -> Artifact:
        return open_artifact(folder, self.name, self.version)

    def _check_operators(self, model: LoadedModel) -> None:
        for operator, _ in model.operators:
            if not self.supports(operator):
                raise ModelRejected(
                    Reason.MODEL_OPERATOR_UNSUPPORTED,
                    system=self.name,
                    operator=operator,
                    node="of that kind",
                    instead="compile it for sumcheck",
                )

    def _bundle(
        self, model: LoadedModel, request: CompileRequest, hidden: Hidden
    ) -> VerifierBundle:
        parts = ModelParts(
            graph=hidden.graph,
            weights=hidden.weights,
            preprocessing=preprocessing_digest(request.committed(model)),  # type: ignore[arg-type]
            quantisation=quantisation_digest(_SETTINGS, model.inputs, model.outputs),
            proof_system=self.name,
            proof_system_version=self.version,
            visibility=request.visibility,
            verifying_key=ZERO_DIGEST,
            srs=ZERO_DIGEST,
            setup=Setup.NONE,
        )
        return VerifierBundle(
            parts, request.committed(model), model.inputs, model.outputs, _SETTINGS, b"", b""
        )

    def _run(self, artifact: Artifact, tensors: Tensors) -> tuple[FixedTensor, ...]:
        bundle = artifact.bundle
        sample = [tensors[spec.name] for spec in bundle.inputs]
        model = artifact.file("model.onnx").read_bytes()
        (answers,) = float_outputs(model, bundle.inputs, bundle.outputs, [sample])
        return tuple(
            FixedTensor(
                spec.name,
                spec.shape,
                tuple(quantise(answer.astype(np.float32), SCALE)),
                2.0**-SCALE,
            )
            for spec, answer in zip(bundle.outputs, answers, strict=True)
        )


class ToyExecution:
    """Implements proving.base.Execution."""

    def __init__(self, ran: Ran) -> None:
        self.ran = ran
        self._is_open = True

    def prove(
        self,
        statement: Statement,
        *,
        time_limit_s: float = PROVE_LIMIT_S,  # noqa: ARG002 - it takes no time
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Proof:
        self.ran.require(statement)
        if cancelled():
            raise Unavailable(Reason.PROVER_CANCELLED)
        if not self._is_open:
            raise Unavailable(Reason.PROVER_FAILED, why=SPENT)
        self._is_open = False
        began = time.perf_counter()
        seal = _seal(statement_digest(statement), self.ran.outputs)
        data = encode_proof_file(self.ran.file(statement, seal))
        progress("proving", 1.0)
        return Proof(data, time.perf_counter() - began, 0.0)

    def close(self) -> None:
        self._is_open = False


def _seal(statement: Digest, outputs: tuple[FixedTensor, ...]) -> bytes:
    encoded = [encode_fixed_tensor(o) for o in outputs]
    return tagged_digest("inferproof/toy-seal/1", statement.raw, *encoded).raw


def _hashes(salt: bytes, tensors: Tensors) -> tuple[bytes, ...]:
    return tuple(
        tagged_digest("inferproof/toy-input/1", salt, encode_tensor(name, array)).raw
        for name, array in tensors.items()
    )
