"""Whatever is changed in a proof file, a statement or a bundle is rejected."""

from dataclasses import replace

import numpy as np
import pytest
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import ArtifactRejected, InferproofError, ProofRejected, Reason
from inferproof.protocol.commitments import input_commitment, output_commitment
from inferproof.protocol.proof_file import DisclosedInput, decode_proof_file, encode_proof_file
from inferproof.protocol.verifier_bundle import (
    decode_bundle,
    encode_bundle,
    quantisation_digest,
    srs_digest,
    verifying_key_digest,
)
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.sumcheck.check import check_interface
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.quantisation import decode_settings
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.proof import Setup, Visibility
from inferproof.verify.proof import verify_proof

BOUND = (
    Reason.ARTIFACT_SETTINGS,
    Reason.FIELD_MALFORMED,
    Reason.KEY_RANGES,
    Reason.MODE_ENDED,
    Reason.PROOF_INVALID,
)
INVALID = "the proof does not hold for its statement"
pytestmark = pytest.mark.native


@pytest.fixture(scope="module")
def bundle(sumcheck_system, sumcheck_compiled):
    return sumcheck_system.verifier(sumcheck_compiled)


@pytest.fixture(scope="module")
def file(sumcheck_system, sumcheck_compiled, mlp_request):
    inputs = {"x": mlp_request.calibration["x"][0]}
    proved = prove(sumcheck_system, ProveRequest(sumcheck_compiled, inputs, JOB, PROVIDER, SALT))
    return decode_proof_file(proved.file)


def _rejected(file, bundle, system, reason=Reason.PROOF_INVALID, message=INVALID):
    with rejects(reason, message, kind=ProofRejected):
        verify_proof(encode_proof_file(file), bundle, system)


@pytest.mark.parametrize("place", range(0, 1000, 37))
def test_a_flipped_bit_anywhere_in_the_proof_is_rejected(file, bundle, sumcheck_system, place):
    proof = bytearray(file.proof)
    at = place * (len(proof) - 1) // 999
    proof[at] ^= 1 << (place % 8)
    _rejected(replace(file, proof=bytes(proof)), bundle, sumcheck_system)


@pytest.mark.parametrize("change", ["cut", "longer", "empty", "doubled"])
def test_another_length_is_rejected(file, bundle, sumcheck_system, change):
    proof = file.proof
    changed = {
        "cut": proof[:-1],
        "longer": proof + b"\x00",
        "empty": b"",
        "doubled": proof * 2,
    }[change]
    _rejected(replace(file, proof=changed), bundle, sumcheck_system)


@pytest.mark.parametrize(
    "change",
    [
        {"job_id": Digest(b"\x01" * 32)},
        {"provider": replace(PROVIDER, raw=b"\x01" * 20)},
        {"version": 2},
    ],
    ids=["job", "provider", "version"],
)
def test_another_statement_is_rejected(file, bundle, sumcheck_system, change):
    forged = replace(file, statement=replace(file.statement, **change))
    with pytest.raises(InferproofError) as caught:
        verify_proof(encode_proof_file(forged), bundle, sumcheck_system)
    assert caught.value.reason in (Reason.PROOF_INVALID, Reason.FIELD_MALFORMED)


def test_a_bundle_of_another_version_is_refused(file, bundle, sumcheck_system):
    """Its proof holds: it is the version that says what that means."""
    other = replace(bundle, parts=replace(bundle.parts, proof_system_version="2"))
    statement = replace(file.statement, model_commitment=other.commitment)
    forged = encode_proof_file(replace(file, statement=statement))
    message = "the model was compiled for sumcheck 2, what checks its proofs here is 1"
    with rejects(Reason.PROOF_OTHER_VERSION, message, kind=ProofRejected):
        verify_proof(forged, other, sumcheck_system)


def _with_input(file, tensors, salt=SALT):
    return replace(
        file,
        disclosed=DisclosedInput(salt, tensors),
        statement=replace(file.statement, input_commitment=input_commitment(salt, tensors)),
    )


def test_an_input_that_quantises_to_the_same_integers_is_another_statement(
    file, bundle, sumcheck_system
):
    tensors = {"x": np.nextafter(file.disclosed.tensors["x"], np.float32(np.inf))}
    _rejected(_with_input(file, tensors), bundle, sumcheck_system)


def test_another_input_is_rejected(file, bundle, sumcheck_system):
    tensors = {"x": file.disclosed.tensors["x"] + np.float32(0.25)}
    _rejected(_with_input(file, tensors), bundle, sumcheck_system)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**29, 0])
def test_outputs_beyond_the_range_are_rejected(file, bundle, sumcheck_system, value):
    first = file.outputs[0]
    outputs = (replace(first, values=(value, *first.values[1:])),)
    statement = replace(file.statement, output_commitment=output_commitment(outputs))
    _rejected(replace(file, outputs=outputs, statement=statement), bundle, sumcheck_system)


def test_another_scale_of_an_output_is_rejected(file, bundle, sumcheck_system):
    outputs = (replace(file.outputs[0], scale=np.nextafter(file.outputs[0].scale, 1)),)
    statement = replace(file.statement, output_commitment=output_commitment(outputs))
    _rejected(
        replace(file, outputs=outputs, statement=statement),
        bundle,
        sumcheck_system,
        Reason.PROOF_OUTPUTS_SCALE,
        "the outputs in the proof are not in the circuit's scale",
    )


# -- other models ---------------------------------------------------------------------------


def _resealed(bundle, **changes):
    """The bundle of another model: what was changed has the digests that belong to it."""
    changed = replace(bundle, **changes)
    parts = replace(
        changed.parts,
        verifying_key=verifying_key_digest(changed.verifying_key),
        srs=srs_digest(changed.srs),
        quantisation=quantisation_digest(changed.settings, changed.inputs, changed.outputs),
    )
    return decode_bundle(encode_bundle(replace(changed, parts=parts)))


def _for_model(file, bundle):
    """The proof file with the other model's commitment in its statement."""
    statement = replace(file.statement, model_commitment=bundle.commitment)
    return replace(file, statement=statement)


def _verify_under(key, file, bundle, system):
    other = _resealed(bundle, verifying_key=key)
    assert other.commitment != bundle.commitment
    verify_proof(encode_proof_file(_for_model(file, other)), other, system)


def test_every_part_of_the_key_is_bound(file, bundle, sumcheck_system):
    """Magic, version, kind, profile, commitments and bytes all over the graph: with one bit changed
    it is no key, one that the proof of its ranges is not of, or another model whose proofs this is
    not one of.
    """
    key = bundle.verifying_key
    for place in (*range(64), *range(64, len(key), 7)):
        changed = bytearray(key)
        changed[place] ^= 1 << (place % 8)
        with pytest.raises((ArtifactRejected, ProofRejected)) as caught:
            _verify_under(bytes(changed), file, bundle, sumcheck_system)
        assert caught.value.reason in BOUND, f"byte {place}"


def test_a_proof_does_not_move_to_another_model(file, bundle, sumcheck_system, mlp_request):
    for part in ("graph", "weights", "preprocessing"):
        parts = replace(bundle.parts, **{part: Digest(b"\x05" * 32)})
        other = replace(bundle, parts=parts)
        _rejected(_for_model(file, other), other, sumcheck_system)


def test_scales_and_ranges_of_the_settings_are_bound(file, bundle, sumcheck_system):
    settings = decode_settings(bundle.settings)
    item = settings.inputs[0]
    other = replace(settings, inputs=(replace(item, scale=np.nextafter(item.scale, 1)),))
    resealed = _resealed(bundle, settings=other.encode())
    assert resealed.commitment != bundle.commitment
    _rejected(_for_model(file, resealed), resealed, sumcheck_system)
    for changes in ({"lo": item.lo + 1}, {"hi": item.hi - 1}):
        other = replace(settings, inputs=(replace(item, **changes),))
        _unsound(file, _resealed(bundle, settings=other.encode()), sumcheck_system)


def _unsound(file, bundle, system, what="they give other inputs than the graph"):
    message = f"the circuit's settings are not those of a sound circuit: {what}"
    with rejects(Reason.ARTIFACT_SETTINGS, message, kind=ArtifactRejected):
        verify_proof(encode_proof_file(_for_model(file, bundle)), bundle, system)


def test_bundles_that_do_not_fit_together_are_refused(file, bundle, sumcheck_system):
    settings = decode_settings(bundle.settings)
    renamed = replace(settings, inputs=(replace(settings.inputs[0], name="z"),))
    _unsound(
        file,
        _resealed(bundle, settings=renamed.encode()),
        sumcheck_system,
        "they name other inputs than the bundle",
    )
    renamed = replace(settings, outputs=(replace(settings.outputs[0], name="z"),))
    _unsound(
        file,
        _resealed(bundle, settings=renamed.encode()),
        sumcheck_system,
        "they name other outputs than the bundle",
    )
    _unsound(file, _resealed(bundle, srs=b"x"), sumcheck_system, "there is a set-up")
    parts = replace(bundle.parts, setup=Setup.DEVELOPMENT)
    _unsound(file, replace(bundle, parts=parts), sumcheck_system, "there is a set-up")
    parts = replace(bundle.parts, visibility=Visibility.HASHED)
    with pytest.raises(InferproofError):
        sumcheck_system.check(replace(bundle, parts=parts), file, Digest(bytes(32)))


def test_settings_of_another_output_shape_are_refused(bundle):
    settings = decode_settings(bundle.settings)
    key = library().VerifyingKey(bundle.verifying_key, bundle.ranges)
    check_interface(settings, key)
    item = settings.outputs[0]
    other = replace(settings, outputs=(replace(item, shape=(*item.shape, 1)),))
    message = (
        "the circuit's settings are not those of a sound circuit: "
        "they give other outputs than the graph"
    )
    with rejects(Reason.ARTIFACT_SETTINGS, message):
        check_interface(other, key)
