"""What every proof system must do. A test class per system gives the fixture `system`."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inferproof.errors import (
    ArtifactRejected,
    InferproofError,
    InputRejected,
    ModelRejected,
    ProofRejected,
    Reason,
    Unavailable,
)
from inferproof.protocol.commitments import (
    graph_commitment,
    input_commitment,
    output_commitment,
    weights_commitment,
)
from inferproof.protocol.opening import OPENING
from inferproof.protocol.proof_file import DisclosedInput, decode_proof_file, encode_proof_file
from inferproof.protocol.verifier_bundle import decode_bundle, encode_bundle
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.opening import read_opening
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Assurance
from inferproof.verify.proof import verify_proof

JOB = Digest(bytes(range(32)))
PROVIDER = Address(bytes(range(20)))
SALT = bytes(range(100, 132))
OTHER = Digest(b"\x07" * 32)
INVALID = "the proof does not hold for its statement"


def _model(path: Path, operator: str = "Relu") -> Path:
    """Two inputs, two outputs: y = operator(a · w) and z = a + b."""
    weights = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32)
    extra = ["twice"] if operator == "Tile" else []
    # A determinant is of a square: of one element here.
    square = operator == "Det"
    weights = weights[:, :1] if square else weights
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["a", "w"], ["h"], name="times"),
            helper.make_node(operator, ["h", *extra], ["y"], name="bend"),
            helper.make_node("Add", ["a", "b"], ["z"], name="plus"),
        ],
        "two",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("a", "b")],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [] if square else [1, 3]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4]),
        ],
        [numpy_helper.from_array(weights, "w")]
        + ([numpy_helper.from_array(np.array([1, 1]), "twice")] if extra else []),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


class ProofSystemSuite:
    """Tests shared by all implementations of ProofSystem."""

    unsupported = "Tile"
    """A standard operator that keeps the shape, and that the system cannot prove."""

    @pytest.fixture(scope="class")
    @classmethod
    def request_(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("suite")
        rng = np.random.default_rng(4)
        return CompileRequest(
            model=_model(folder / "model.onnx"),
            calibration={n: rng.standard_normal((6, 1, 4)).astype(np.float32) for n in ("a", "b")},
            out=folder / "compiled",
        )

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls, system, request_):
        return system.compile(request_)

    @pytest.fixture(scope="class")
    @classmethod
    def inputs(cls, request_):
        return {name: array[0] for name, array in request_.calibration.items()}

    @pytest.fixture(scope="class")
    @classmethod
    def proved(cls, system, report, request_, inputs):  # noqa: ARG003 - compiled first
        return prove(system, ProveRequest(request_.out, inputs, JOB, PROVIDER, SALT))

    @pytest.fixture(scope="class")
    @classmethod
    def bundle(cls, system, report, request_):  # noqa: ARG003 - compiled first
        # Through bytes, as a buyer gets it.
        return decode_bundle(encode_bundle(system.verifier(request_.out)))

    def test_graph_and_weights_are_hidden_and_can_be_opened(self, report, bundle, request_):
        model, parts = request_.loaded(), bundle.parts
        hidden = {model.graph_digest.hex, model.weights_digest.hex}
        assert not any(text.encode() in encode_bundle(bundle) for text in hidden)
        opening = read_opening(request_.out, bundle)
        assert opening.model == report.commitment
        assert (opening.graph.digest, opening.weights.digest) == (
            model.graph_digest,
            model.weights_digest,
        )
        assert graph_commitment(opening.graph.salt, model.graph_digest) == parts.graph
        assert weights_commitment(opening.weights.salt, model.weights_digest) == parts.weights
        assert opening.graph.salt != opening.weights.salt
        assert (request_.out / OPENING).stat().st_mode & 0o777 == 0o600

    def test_compiling_again_hides_them_under_new_salts(self, system, report, request_, tmp_path):
        again = system.compile(replace(request_, out=tmp_path / "again")).parts
        assert again.graph != report.parts.graph
        assert again.weights != report.parts.weights

    def test_a_proof_holds_and_names_job_provider_and_model(
        self, system, proved, bundle, report, inputs
    ):
        verified = verify_proof(proved.file, bundle, system)
        statement = verified.statement
        assert (statement.job_id, statement.provider) == (JOB, PROVIDER)
        assert statement.model_commitment == report.commitment == bundle.commitment
        assert statement.proof_system == system.name == bundle.parts.proof_system
        assert [o.name for o in verified.outputs] == ["y", "z"]
        assert np.allclose(verified.outputs[1].to_array(), inputs["a"] + inputs["b"], atol=0.1)

    def test_an_answer_needs_no_proof(self, system, report, request_, inputs, proved):
        with closing(system.execute(request_.out, inputs, SALT)) as execution:
            ran = execution.ran
        statement = ran.statement(JOB, PROVIDER)
        assert statement == proved.verified.statement
        assert ran.outputs == proved.outputs
        spent = "the prover failed: the run was proven or closed before"
        with rejects(Reason.PROVER_FAILED, spent, kind=Unavailable):
            execution.prove(statement)

    def test_an_execution_is_proven_once_for_a_statement_about_it(
        self, system, report, request_, inputs, bundle
    ):
        execution = system.execute(request_.out, inputs, SALT)
        statement = execution.ran.statement(JOB, PROVIDER)
        message = "the statement is about another run than the one to be proven"
        for change in (
            {"model_commitment": OTHER},
            {"input_commitment": OTHER},
            {"output_commitment": OTHER},
            {"proof_system": "other"},
        ):
            with rejects(Reason.STATEMENT_OTHER_RUN, message, kind=ProofRejected):
                execution.prove(replace(statement, **change))
        proof = execution.prove(statement)
        assert verify_proof(proof.file, bundle, system).statement == statement
        with rejects(
            Reason.PROVER_FAILED, "the prover failed: the run was proven or closed before"
        ):
            execution.prove(statement)
        execution.close()
        execution.close()

    def test_a_cancelled_run_and_a_cancelled_proof_end(self, system, report, request_, inputs):
        message = "the proof was cancelled"
        with rejects(Reason.PROVER_CANCELLED, message, kind=Unavailable):
            system.execute(request_.out, inputs, SALT, cancelled=lambda: True)
        with closing(system.execute(request_.out, inputs, SALT)) as execution:
            statement = execution.ran.statement(JOB, PROVIDER)
            with rejects(Reason.PROVER_CANCELLED, message, kind=Unavailable):
                execution.prove(statement, cancelled=lambda: True)

    def test_the_report_counts_what_was_compiled(self, report):
        assert report.parameters == 12
        assert 0 <= report.max_error < 1
        assert report.agreement >= 0.9

    def test_it_describes_itself(self, system):
        described = system.describe()
        assert (described.name, described.version) == (system.name, system.version)
        assert described.assurance in tuple(Assurance)
        assert described.proven
        assert described.not_proven

    def test_it_says_which_operators_it_supports(self, system):
        assert system.supports("Relu")
        assert not system.supports(self.unsupported)

    def test_it_estimates_a_proof(self, system, report, request_):
        estimate = system.estimate(request_.out)
        assert estimate.prove_s > 0
        assert estimate.proof_bytes > 0

    def test_another_jobs_proof_is_rejected(self, system, proved, bundle):
        file = decode_proof_file(proved.file)
        forged = replace(file, statement=replace(file.statement, job_id=OTHER))
        with rejects(Reason.PROOF_INVALID, INVALID, kind=ProofRejected):
            verify_proof(encode_proof_file(forged), bundle, system)

    def test_another_providers_proof_is_rejected(self, system, proved, bundle):
        file = decode_proof_file(proved.file)
        forged = replace(file, statement=replace(file.statement, provider=Address(bytes(20))))
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            verify_proof(encode_proof_file(forged), bundle, system)

    def test_other_outputs_are_rejected(self, system, proved, bundle):
        file = decode_proof_file(proved.file)
        first = file.outputs[0]
        other = replace(first, values=(first.values[0] + 1, *first.values[1:]))
        outputs = (other, *file.outputs[1:])
        statement = replace(file.statement, output_commitment=output_commitment(outputs))
        forged = replace(file, outputs=outputs, statement=statement)
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            verify_proof(encode_proof_file(forged), bundle, system)

    def test_another_scale_is_rejected(self, system, proved, bundle):
        file = decode_proof_file(proved.file)
        outputs = tuple(replace(o, scale=o.scale / 2) for o in file.outputs)
        statement = replace(file.statement, output_commitment=output_commitment(outputs))
        forged = replace(file, outputs=outputs, statement=statement)
        message = "the outputs in the proof are not in the circuit's scale"
        with rejects(Reason.PROOF_OUTPUTS_SCALE, message):
            verify_proof(encode_proof_file(forged), bundle, system)

    @pytest.mark.parametrize("change", ["input", "salt"])
    def test_another_input_or_salt_is_rejected(self, system, proved, bundle, change):
        file = decode_proof_file(proved.file)
        tensors, salt = dict(file.disclosed.tensors), file.disclosed.salt
        if change == "input":
            tensors["a"] = tensors["a"] + np.float32(0.5)
        else:
            salt = bytes(32)
        forged = replace(
            file,
            disclosed=DisclosedInput(salt, tensors),
            statement=replace(file.statement, input_commitment=input_commitment(salt, tensors)),
        )
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            verify_proof(encode_proof_file(forged), bundle, system)

    @pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 64], ids=["empty", "byte", "point"])
    def test_damaged_proof_bytes_are_rejected(self, system, proved, bundle, damage):
        file = decode_proof_file(proved.file)
        forged = replace(file, proof=file.proof[: -len(damage) or None] + damage)
        if not damage:
            forged = replace(file, proof=b"")
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            verify_proof(encode_proof_file(forged), bundle, system)

    def test_another_models_bundle_is_rejected(self, system, proved, bundle):
        other = replace(bundle, parts=replace(bundle.parts, weights=OTHER))
        expected = other.commitment
        message = f"the proof is for model {bundle.commitment}, not for {expected}"
        with rejects(Reason.PROOF_OTHER_MODEL, message):
            verify_proof(proved.file, other, system)

    def test_inputs_must_fit_the_graph(self, system, report, request_, inputs):
        def prove_with(**changed):
            arrays = {k: v for k, v in {**inputs, **changed}.items() if v is not None}
            prove(system, ProveRequest(request_.out, arrays, JOB, PROVIDER, SALT))

        with rejects(
            Reason.INPUT_NAMES,
            "the input must hold one array for each of: a, b",
            kind=InputRejected,
        ):
            prove_with(b=None)
        with rejects(Reason.INPUT_SHAPE_MISMATCH, "input a has shape [4]; this model takes [1, 4]"):
            prove_with(a=inputs["a"][0])
        with rejects(Reason.INPUT_NOT_FINITE, "input b holds a NaN or an infinity"):
            prove_with(b=np.full((1, 4), np.nan, np.float32))

    def test_calibration_must_fit_the_graph(self, system, request_, tmp_path):
        def compile_with(**arrays):
            system.compile(replace(request_, calibration=arrays, out=tmp_path / "none"))

        good = request_.calibration["a"]
        message = "calibration data must hold one array for each of: a, b"
        with rejects(Reason.CALIBRATION_INPUTS, message, kind=InputRejected):
            compile_with(a=good)
        message = (
            "calibration array b has shape [6, 1, 2], expected [samples, 1, 4] or [samples, 4]"
        )
        with rejects(Reason.CALIBRATION_SHAPE, message):
            compile_with(a=good, b=good[:, :, :2])
        message = "calibration data must hold at least one sample, of equal number per input"
        with rejects(Reason.CALIBRATION_EMPTY, message):
            compile_with(a=good, b=good[:3])
        with rejects(Reason.CALIBRATION_EMPTY, message):
            compile_with(a=good[:0], b=good[:0])
        assert not (tmp_path / "none").exists()

    def test_an_unsupported_operator_is_refused_by_name(self, system, request_, tmp_path):
        model = _model(tmp_path / "model.onnx", self.unsupported)
        with pytest.raises(ModelRejected) as caught:
            system.compile(replace(request_, model=model, out=tmp_path / "none"))
        assert caught.value.reason is Reason.MODEL_OPERATOR_UNSUPPORTED
        assert self.unsupported in caught.value.message
        assert list(tmp_path.iterdir()) == [model]

    def test_foreign_folders_are_left_alone(self, system, request_, tmp_path):
        (tmp_path / "mine.txt").write_text("precious")
        message = f"{tmp_path} exists and is not a compiled model; name another folder"
        with rejects(Reason.ARTIFACT_EXISTS, message, kind=ArtifactRejected):
            system.compile(replace(request_, out=tmp_path))
        assert (tmp_path / "mine.txt").read_text() == "precious"

    def test_a_damaged_bundle_is_refused(self, system, report, request_, tmp_path):
        folder = tmp_path / "copy"
        folder.mkdir()
        for path in request_.out.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        target = folder / "verifier.json"
        data = bytearray(target.read_bytes())
        data[len(data) // 2] ^= 1
        target.write_bytes(bytes(data))
        with pytest.raises(InferproofError) as caught:
            system.verifier(folder)
        assert isinstance(caught.value, ArtifactRejected)
