"""Graphs of many shapes through ezkl: compiled, proven, verified, compared with ONNX Runtime."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_models import JOB, PROVIDER, SALT, calibration, mlp, save

from inferproof.errors import InputRejected, ModelRejected, ProofRejected, Reason
from inferproof.protocol.commitments import hashed_input_commitment
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import encode_bundle
from inferproof.proving.base import CompileRequest, SrsSource
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.ezkl.check import _verify, public_values
from inferproof.proving.ezkl.circuit import bind
from inferproof.proving.ezkl.field import from_felt, to_felt
from inferproof.proving.ezkl.prove import hash_inputs
from inferproof.proving.ezkl.settings import read_settings
from inferproof.proving.files import sha256_file
from inferproof.proving.srs import development_srs
from inferproof.testing.rejections import rejects
from inferproof.types.proof import Setup, Visibility
from inferproof.verify.proof import verify_proof

pytestmark = pytest.mark.slow  # keys for every model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
RNG = np.random.default_rng(7)


def weights(*shape):
    return (RNG.standard_normal(shape) * 0.4).astype(np.float32)


def cnn(path):
    """Odd sizes, stride, padding, pooling; convolution attributes left at their defaults."""
    nodes = [
        helper.make_node("Conv", ["x", "k", "kb"], ["c"], pads=[1, 0, 1, 0]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["y"]),
    ]
    constants = [("k", weights(2, 1, 3, 3)), ("kb", weights(2)), ("w", weights(2 * 3 * 1, 3))]
    return save(path, nodes, [("x", FLOAT, [1, 1, 7, 5])], [("y", FLOAT, [1, 3])], constants)


def two_by_two(path):
    """A float and an integer input of several dimensions, two outputs, one of rank 6."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["g"]),
        helper.make_node("Reshape", ["g", "six"], ["g6"]),
        helper.make_node("Transpose", ["g6"], ["high"], perm=[0, 1, 3, 2, 5, 4]),
        helper.make_node("Sigmoid", ["x"], ["s"]),
        helper.make_node("MatMul", ["s", "w"], ["low"]),
    ]
    constants = [
        ("table", weights(10, 6)),
        ("six", np.array([1, 1, 2, 3, 2, 2])),
        ("w", weights(5, 2)),
    ]
    inputs = [("x", FLOAT, [1, 3, 5]), ("ids", INT64, [1, 4])]
    outputs = [("low", FLOAT, [1, 3, 2]), ("high", FLOAT, [1, 1, 3, 2, 2, 2])]
    return save(path, nodes, inputs, outputs, constants)


def arrays_for(name):
    if name == "cnn":
        return {"x": calibration(1, 1, 7, 5)}
    ids = np.random.default_rng(5).integers(0, 10, (8, 1, 4)).astype(np.float32)
    return {"x": calibration(1, 3, 5), "ids": ids}


def float_answers(model, inputs):
    session = onnxruntime.InferenceSession(model)
    feed = {
        i.name: inputs[i.name].astype(np.int64 if "int64" in i.type else np.float32)
        for i in session.get_inputs()
    }
    return session.run(None, feed)


@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(cnn, marks=pytest.mark.slow, id="cnn"),
        pytest.param(two_by_two, marks=pytest.mark.slow, id="two_by_two"),
    ],
)
def test_a_graph_is_proven_and_near_its_float_answers(ezkl_system, tmp_path, model, visibility):
    path, arrays = model(tmp_path / "m.onnx"), arrays_for(model.__name__)
    report = ezkl_system.compile(
        CompileRequest(path, arrays, tmp_path / "out", visibility=visibility)
    )
    assert report.max_error < 0.2
    inputs = {name: array[3] for name, array in arrays.items()}
    proved = prove(ezkl_system, ProveRequest(tmp_path / "out", inputs, JOB, PROVIDER, SALT))
    bundle = ezkl_system.verifier(tmp_path / "out")
    verified = verify_proof(proved.file, bundle, ezkl_system)
    for output, expected in zip(verified.outputs, float_answers(path, inputs), strict=True):
        assert output.shape == expected.shape
        assert np.allclose(output.to_array(), expected, atol=0.2)
    if visibility is Visibility.HASHED:
        hashes = hash_inputs(bundle, inputs, SALT)
        assert hashes == verified.file.input_hashes
        assert verified.statement.input_commitment == hashed_input_commitment("ezkl", hashes)
        assert hash_inputs(bundle, inputs, bytes(32)) != hashes
        assert verified.file.disclosed is None


class TestHashed:
    """A model whose proofs show only salted hashes of the input."""

    @pytest.fixture(scope="class")
    @classmethod
    def compiled(cls, ezkl_system, tmp_path_factory):
        folder = tmp_path_factory.mktemp("hashed")
        request = CompileRequest(
            mlp(folder / "m.onnx", 4, 3),
            {"x": calibration(1, 4)},
            folder / "out",
            visibility=Visibility.HASHED,
        )
        ezkl_system.compile(request)
        return request.out

    @pytest.fixture(scope="class")
    @classmethod
    def proved(cls, ezkl_system, compiled):
        inputs = {"x": calibration(1, 4)[0]}
        return prove(ezkl_system, ProveRequest(compiled, inputs, JOB, PROVIDER, SALT))

    def forge(self, system, compiled, proved, **changes):
        file = decode_proof_file(proved.file)
        bundle = system.verifier(compiled)
        hashes = changes.get("input_hashes", file.input_hashes)
        statement = replace(
            file.statement,
            input_commitment=hashed_input_commitment("ezkl", hashes),
            **changes.get("statement", {}),
        )
        forged = replace(file, input_hashes=hashes, statement=statement)
        return verify_proof(encode_proof_file(forged), bundle, system)

    def test_the_file_shows_no_input(self, proved):
        assert calibration(1, 4)[0].tobytes() not in proved.file

    def test_another_hash_is_rejected(self, ezkl_system, compiled, proved):
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            self.forge(ezkl_system, compiled, proved, input_hashes=(bytes(32),))

    def test_an_unreduced_hash_is_rejected(self, ezkl_system, compiled, proved):
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            self.forge(ezkl_system, compiled, proved, input_hashes=(b"\xff" * 32,))

    def test_a_missing_or_further_hash_is_rejected(self, ezkl_system, compiled, proved):
        (only,) = decode_proof_file(proved.file).input_hashes
        message = "the model was compiled for hashed input, the proof shows another"
        with rejects(Reason.PROOF_INPUT_VISIBILITY, message, kind=ProofRejected):
            self.forge(ezkl_system, compiled, proved, input_hashes=(only, only))

    def test_another_job_is_rejected(self, ezkl_system, compiled, proved):
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            self.forge(ezkl_system, compiled, proved, statement={"version": 1, "job_id": PROVER})

    def test_every_public_value_is_bound(self, ezkl_system, compiled, proved):
        file, bundle = decode_proof_file(proved.file), ezkl_system.verifier(compiled)
        digest = statement_digest(file.statement)
        values = public_values(bundle, read_settings(bundle), file, digest)
        _verify(bundle, file.proof, values)
        for index, value in enumerate(values):
            other = [*values[:index], to_felt(from_felt(value) + 1), *values[index + 1 :]]
            with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
                _verify(bundle, file.proof, other)


PROVER = replace(JOB, raw=b"\x09" * 32)


def test_the_same_model_under_the_same_salts_has_the_same_commitment(
    ezkl_system, ezkl_compiled, mlp_request, tmp_path
):
    again = ezkl_system.compile(replace(mlp_request, out=tmp_path / "again"))
    assert again.commitment == ezkl_system.verifier(ezkl_compiled).commitment


def test_preprocessing_and_visibility_are_part_of_the_commitment(
    ezkl_system, ezkl_compiled, mlp_request, tmp_path
):
    other = replace(mlp_request, preprocessing={"kind": "other"}, out=tmp_path / "other")
    assert ezkl_system.compile(other).commitment != ezkl_system.verifier(ezkl_compiled).commitment


def test_a_verifier_bundle_is_small_and_marks_its_setup(ezkl_system, ezkl_compiled):
    bundle = ezkl_system.verifier(ezkl_compiled)
    assert len(encode_bundle(bundle)) < 100_000
    assert bundle.parts.setup is Setup.DEVELOPMENT
    assert len(bundle.srs) == 516


def test_a_ceremony_srs_is_used_and_marked(ezkl_system, ezkl_compiled, mlp_request, tmp_path):
    k = read_settings(ezkl_system.verifier(ezkl_compiled)).logrows
    srs = development_srs(k, lambda _path: pytest.fail("the fixture made it"))
    request = replace(mlp_request, srs=SrsSource(srs, sha256_file(srs)), out=tmp_path / "ceremony")
    report = ezkl_system.compile(request)
    assert report.parts.setup is Setup.CEREMONY


def test_an_input_far_beyond_calibration_is_refused(ezkl_system, ezkl_compiled):
    message = (
        "the input drives the model out of the range it was calibrated for; "
        "calibrate with samples like it"
    )
    inputs = {"x": np.full((1, 4), 1e6, np.float32)}
    with rejects(Reason.INPUT_BEYOND_CIRCUIT, message, kind=InputRejected):
        prove(ezkl_system, ProveRequest(ezkl_compiled, inputs, JOB, PROVIDER, SALT))
    with rejects(Reason.INPUT_BEYOND_CIRCUIT, message, kind=InputRejected):
        huge = {"x": np.full((1, 4), 3e38, np.float32)}
        prove(ezkl_system, ProveRequest(ezkl_compiled, huge, JOB, PROVIDER, SALT))


def test_an_unsupported_operator_is_named(ezkl_system, tmp_path):
    nodes = [helper.make_node("Tile", ["x", "n"], ["y"])]
    model = save(
        tmp_path / "m.onnx",
        nodes,
        [("x", FLOAT, [1, 4])],
        [("y", FLOAT, [1, 8])],
        [("n", np.array([1, 2]))],
    )
    message = (
        "node 0 (makes y) uses the operator Tile, which proof system ezkl cannot prove; compile it "
        "for sumcheck"
    )
    with rejects(Reason.MODEL_OPERATOR_UNSUPPORTED, message, kind=ModelRejected):
        ezkl_system.compile(CompileRequest(model, {"x": calibration(1, 4)}, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_graph_that_ezkl_refuses_is_a_typed_rejection(ezkl_system, tmp_path):
    nodes = [helper.make_node("Conv", ["x", "k"], ["y"], dilations=[2, 2], kernel_shape=[2, 2])]
    model = save(
        tmp_path / "m.onnx",
        nodes,
        [("x", FLOAT, [1, 1, 5, 5])],
        [("y", FLOAT, [1, 1, 3, 3])],
        [("k", weights(1, 1, 2, 2))],
    )
    message = (
        "proof system ezkl cannot build a circuit of this model: Failed to generate settings: "
        "[graph] a node has misformed params: non unit dilations not supported"
    )
    with rejects(Reason.CIRCUIT_REFUSED, message, kind=ModelRejected):
        request = CompileRequest(model, {"x": calibration(1, 1, 5, 5)}, tmp_path / "out")
        ezkl_system.compile(request)


def test_a_model_that_cannot_be_quantised_is_refused(ezkl_system, tmp_path):
    nodes = [helper.make_node("Mul", ["x", "tiny"], ["y"])]
    model = save(
        tmp_path / "m.onnx",
        nodes,
        [("x", FLOAT, [1, 4])],
        [("y", FLOAT, [1, 4])],
        [("tiny", np.array([1e-7], np.float32))],
    )
    message = (
        "no quantisation within reach keeps the error below 0.05 of the largest output; the best "
        "reached 1; scale the model's values down or allow a larger error"
    )
    with rejects(Reason.CIRCUIT_INACCURATE, message, kind=ModelRejected):
        ezkl_system.compile(CompileRequest(model, {"x": calibration(1, 4)}, tmp_path / "out"))


def test_a_scalar_input_cannot_be_hashed(ezkl_system, tmp_path):
    nodes = [helper.make_node("Mul", ["x", "v"], ["y"])]
    model = save(
        tmp_path / "m.onnx", nodes, [("x", FLOAT, [])], [("y", FLOAT, [3])], [("v", weights(3))]
    )
    request = CompileRequest(
        model, {"x": calibration()}, tmp_path / "out", visibility=Visibility.HASHED
    )
    message = "input x is a single number without a dimension; give it the shape [1] to hash it"
    with rejects(Reason.CIRCUIT_SCALAR_INPUT, message):
        ezkl_system.compile(request)


def test_whole_number_inputs_take_no_fractions(ezkl_system, tmp_path):
    path = two_by_two(tmp_path / "m.onnx")
    arrays = arrays_for("two_by_two")
    arrays["ids"][0, 0, 0] = 1.5
    message = "input ids takes whole numbers; it holds a fraction"
    with rejects(Reason.INPUT_NOT_WHOLE, message, kind=InputRejected):
        ezkl_system.compile(CompileRequest(path, arrays, tmp_path / "out"))


def test_arrays_of_text_are_refused(ezkl_system, ezkl_compiled):
    with rejects(Reason.INPUT_TYPE_MISMATCH, "input x must be numbers, got <U1"):
        inputs = {"x": np.array([["a"]])}
        prove(ezkl_system, ProveRequest(ezkl_compiled, inputs, JOB, PROVIDER, SALT))


def test_an_infinite_constant_is_refused():
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w_0"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(np.array([[0, -np.inf]], np.float32), "w_0")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    message = (
        "proof system ezkl cannot build a circuit of this model: constant w_0 is infinite; mask "
        "with a finite number"
    )
    with rejects(Reason.CIRCUIT_REFUSED, message, kind=ModelRejected):
        bind(model.SerializeToString(), (), Visibility.PUBLIC)
