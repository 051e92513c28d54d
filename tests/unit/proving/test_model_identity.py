"""One bit of weights, graph, scales or pre-processing makes another model, whose proofs these are
not: of the files that a model is compiled from, and of what was compiled."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from small_models import JOB, PROVIDER, SALT

from inferproof.client.tools import installed_tools
from inferproof.errors import ArtifactRejected, ProofRejected, Reason
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import (
    decode_bundle,
    encode_bundle,
    quantisation_digest,
    verifying_key_digest,
)
from inferproof.proving.artifact import BUNDLE, HEADER, open_artifact
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.sumcheck.check import flat_inputs, read_facts
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.loaded import WEIGHTS, load, read_parameters
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import Sample, sample_bundle, sample_receipt
from inferproof.verify.policy import Policy
from inferproof.verify.proof import verify_proof
from inferproof.verify.receipt import verify_receipt

pytestmark = pytest.mark.native


@pytest.fixture(scope="module")
def bundle(sumcheck_system, sumcheck_compiled):
    return sumcheck_system.verifier(sumcheck_compiled)


@pytest.fixture(scope="module")
def file(sumcheck_system, sumcheck_compiled, mlp_request):
    return _prove(sumcheck_system, sumcheck_compiled, mlp_request)


def _prove(system, folder, request):
    inputs = {"x": request.calibration["x"][0]}
    return decode_proof_file(prove(system, ProveRequest(folder, inputs, JOB, PROVIDER, SALT)).file)


def _refused_by(other, file, bundle, system):
    """The other bundle is of another model, which takes the proof neither as it is nor with its
    own commitment in the statement."""
    assert other.commitment != bundle.commitment
    message = f"the proof is for model {bundle.commitment}, not for {other.commitment}"
    with rejects(Reason.PROOF_OTHER_MODEL, message, kind=ProofRejected):
        verify_proof(encode_proof_file(file), other, system)
    renamed = replace(file, statement=replace(file.statement, model_commitment=other.commitment))
    message = "the proof does not hold for its statement"
    with rejects(Reason.PROOF_INVALID, message, kind=ProofRejected):
        verify_proof(encode_proof_file(renamed), other, system)


# -- what a model is compiled from ----------------------------------------------------------


def _flip(name, bit):
    """Flips one bit of the first number of a constant."""

    def change(model):
        for tensor in model.graph.initializer:
            if tensor.name == name:
                values = numpy_helper.to_array(tensor).copy()
                values.reshape(-1).view(np.uint32)[0] ^= np.uint32(1 << bit)
                tensor.CopyFrom(numpy_helper.from_array(values, name))

    return change


def _differ(part, one, other):
    return getattr(one.parts, part) != getattr(other.parts, part)


def _other_operator(model):
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Softplus"


def _other_attribute(model):
    node = next(node for node in model.graph.node if node.op_type == "Gemm")
    alpha = np.float32(1.0).view(np.uint32) + np.uint32(1)
    node.attribute.append(onnx.helper.make_attribute("alpha", float(alpha.view(np.float32))))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (_flip("w0", 22), "weights"),
        (_flip("w0", 0), "weights"),
        (_flip("b1", 0), "weights"),
        (_other_operator, "graph"),
        (_other_attribute, "graph"),
    ],
    ids=["weight", "last bit of a weight", "last bit of a bias", "operator", "attribute"],
)
def test_another_file_is_another_model(
    change, part, file, bundle, sumcheck_system, mlp_request, tmp_path
):
    model = onnx.load(mlp_request.model)
    change(model)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    sumcheck_system.compile(replace(mlp_request, model=path, out=tmp_path / "out"))
    other = sumcheck_system.verifier(tmp_path / "out")
    # Under the same salts, so that a part is another one for its content alone.
    changed = {name for name in ("graph", "weights") if _differ(name, other, bundle)}
    assert changed == {part}
    _refused_by(other, file, bundle, sumcheck_system)


def _but_for_the_key(bundle, other):
    """The other one with the first one's key, which is drawn anew at each compiling."""
    assert other.verifying_key != bundle.verifying_key
    parts = replace(other.parts, verifying_key=bundle.parts.verifying_key)
    return replace(other, parts=parts, verifying_key=bundle.verifying_key, ranges=bundle.ranges)


def test_the_same_file_is_the_same_model_but_for_its_key(
    file, bundle, sumcheck_system, mlp_request, tmp_path
):
    sumcheck_system.compile(replace(mlp_request, out=tmp_path / "out"))
    other = sumcheck_system.verifier(tmp_path / "out")
    assert _but_for_the_key(bundle, other) == bundle
    _refused_by(other, file, bundle, sumcheck_system)


def test_under_new_salts_it_is_another_model(file, bundle, sumcheck_system, mlp_request, tmp_path):
    sumcheck_system.compile(replace(mlp_request, salts=None, out=tmp_path / "out"))
    other = sumcheck_system.verifier(tmp_path / "out")
    assert _differ("graph", other, bundle)
    assert _differ("weights", other, bundle)
    same = replace(other.parts, graph=bundle.parts.graph, weights=bundle.parts.weights)
    assert _but_for_the_key(bundle, replace(other, parts=same)) == bundle
    message = f"the proof is for model {bundle.commitment}, not for {other.commitment}"
    with rejects(Reason.PROOF_OTHER_MODEL, message, kind=ProofRejected):
        verify_proof(encode_proof_file(file), other, sumcheck_system)


def test_other_preprocessing_is_another_model(file, bundle, sumcheck_system, mlp_request, tmp_path):
    words = {"kind": "tensor", "note": "a"}
    bundles = []
    for number, letter in enumerate("bc"):  # one bit apart
        out = tmp_path / str(number)
        request = replace(mlp_request, out=out, preprocessing={**words, "note": letter})
        sumcheck_system.compile(request)
        compiled = sumcheck_system.verifier(out)
        assert compiled.parts.preprocessing != bundle.parts.preprocessing
        bundles.append(_but_for_the_key(bundle, compiled))
    assert bundles[0].commitment != bundles[1].commitment
    for other in bundles:
        _refused_by(other, file, bundle, sumcheck_system)


def test_other_ranges_are_another_model(file, bundle, sumcheck_system, mlp_request, tmp_path):
    """One calibration number that is larger by half moves a scale."""
    samples = mlp_request.calibration["x"].copy()
    samples.reshape(-1)[np.abs(samples).argmax()] *= 2.5
    sumcheck_system.compile(replace(mlp_request, calibration={"x": samples}, out=tmp_path / "out"))
    other = sumcheck_system.verifier(tmp_path / "out")
    assert other.parts.quantisation != bundle.parts.quantisation
    assert other.commitment != bundle.commitment
    renamed = replace(file, statement=replace(file.statement, model_commitment=other.commitment))
    message = "the outputs in the proof are not in the circuit's scale"
    with rejects(Reason.PROOF_OUTPUTS_SCALE, message, kind=ProofRejected):
        verify_proof(encode_proof_file(renamed), other, sumcheck_system)


def _of_mode(byte, bundle):
    """The bundle with another byte for its mode."""
    key = bundle.verifying_key[:12] + bytes([byte]) + bundle.verifying_key[13:]
    parts = replace(bundle.parts, verifying_key=verifying_key_digest(key))
    return replace(bundle, verifying_key=key, parts=parts)


@pytest.mark.parametrize(
    ("byte", "mode", "date"), [(1, "clear", "2026-11-26"), (2, "committed", "2026-11-25")]
)
def test_a_key_of_a_mode_that_has_ended_is_refused_with_its_reason(
    file, bundle, sumcheck_system, sumcheck_compiled, tmp_path, byte, mode, date
):
    message = (
        f"the verifying key is of mode {mode}, which has ended, because the weights follow from "
        "its proofs: no release verifies them, and the last builds that do are those of "
        f"0.1.0.dev0 from before {date}; compile the model again"
    )
    ended = replace(_of_mode(byte, bundle), ranges=b"")
    renamed = replace(file.statement, model_commitment=ended.commitment)
    data = encode_proof_file(replace(file, statement=renamed))
    with rejects(Reason.MODE_ENDED, message, kind=ArtifactRejected):
        verify_proof(data, ended, sumcheck_system)
    with rejects(Reason.MODE_ENDED, message, kind=ArtifactRejected):
        sumcheck_system.security(ended)
    # A receipt, whose verifier reads the key at its ninth step.
    other = sample_bundle(system="sumcheck", version="1", verifying_key=ended.verifying_key)
    sample = Sample(bundle=other, gateway=SigningKey(bytes([7] * 32)))
    with rejects(Reason.MODE_ENDED, message, kind=ArtifactRejected):
        verify_receipt(sample_receipt(sample), Policy(), installed_tools())
    # And a folder of before, of which no more is read than that.
    folder = tmp_path / "compiled"
    shutil.copytree(sumcheck_compiled, folder)
    (folder / BUNDLE).write_bytes(encode_bundle(ended))
    header = json.loads((folder / HEADER).read_bytes())
    text = json.dumps(header).replace(str(bundle.commitment), str(ended.commitment))
    (folder / HEADER).write_text(text)
    with pytest.raises(ArtifactRejected):
        load(folder)


# -- what was compiled ----------------------------------------------------------------------


def test_weights_changed_by_one_bit_are_not_those_of_the_key(sumcheck_compiled, bundle):
    """The key is made again from its secret: with any bit changed it is another root."""
    weights = np.frombuffer((Path(sumcheck_compiled) / WEIGHTS).read_bytes(), dtype=np.int8)
    parameters = read_parameters(open_artifact(sumcheck_compiled, "sumcheck", "1"))
    kept = read_key(sumcheck_compiled)
    native = library()

    def loaded(weights, parameters):
        key = bundle.verifying_key
        return native.PrivateKey(key, weights, parameters, kept.secret, kept.links)

    assert loaded(weights, parameters).name() == kept.name.raw
    for place in range(0, weights.size, 5):
        changed = weights.copy()
        changed.view(np.uint8)[place] ^= np.uint8(1 << place % 8)
        with pytest.raises(native.NativeError, match="not those of the verifying key"):
            loaded(changed, parameters)
    for place in range(parameters.size):
        changed = parameters.copy()
        changed[place] ^= 1
        with pytest.raises(native.NativeError):
            loaded(weights, changed)


def test_a_proof_with_weights_changed_by_one_bit_is_refused(
    file, bundle, sumcheck_system, sumcheck_compiled
):
    """The other weights' own proof, of the same statement, under this key."""
    native = library()
    graph = native.VerifyingKey(bundle.verifying_key, bundle.ranges).graph()
    weights = np.frombuffer((Path(sumcheck_compiled) / WEIGHTS).read_bytes(), dtype=np.int8).copy()
    weights[0] ^= 1
    parameters = read_parameters(open_artifact(sumcheck_compiled, "sumcheck", "1"))
    _, _, other = native.commit_private(graph, weights, parameters, "default")
    epoch = other.begin(0)
    epoch = epoch if epoch.proves() else epoch.begin(0)
    inputs = flat_inputs(read_facts(bundle).settings, file.disclosed.tensors)
    proof = epoch.prove(other.execute(inputs), statement_digest(file.statement).raw, 0)
    message = "the proof does not hold for its statement"
    with rejects(Reason.PROOF_INVALID, message, kind=ProofRejected):
        verify_proof(encode_proof_file(replace(file, proof=proof)), bundle, sumcheck_system)


def test_each_byte_of_the_settings_is_bound(file, bundle, sumcheck_system):
    """With one bit changed they are no settings of this key, or those of another model."""
    refused = others = 0
    for place in range(len(bundle.settings)):
        changed = bytearray(bundle.settings)
        changed[place] ^= 1 << (place % 7)
        settings = bytes(changed)
        digest = quantisation_digest(settings, bundle.inputs, bundle.outputs)
        parts = replace(bundle.parts, quantisation=digest)
        other = replace(bundle, settings=settings, parts=parts)
        assert decode_bundle(encode_bundle(other)).commitment != bundle.commitment
        statement = replace(file.statement, model_commitment=other.commitment)
        try:
            verify_proof(
                encode_proof_file(replace(file, statement=statement)), other, sumcheck_system
            )
        except ArtifactRejected as error:
            assert error.reason is Reason.ARTIFACT_SETTINGS  # noqa: PT017
            refused += 1
        except ProofRejected as error:
            assert error.reason in (Reason.PROOF_INVALID, Reason.PROOF_OUTPUTS_SCALE)  # noqa: PT017
            others += 1
        else:
            pytest.fail(f"byte {place} of the settings is not bound")
    assert refused > 50
    assert others >= 10
