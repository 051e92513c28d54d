"""Hostile verifier bundles: settings of an unsound circuit, damaged keys, foreign numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inferproof.errors import ArtifactRejected, ProofRejected, Reason, Rejection
from inferproof.protocol.proof_file import DisclosedInput, decode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.proving.ezkl.check import _verify, check, public_values
from inferproof.proving.ezkl.field import from_felt, to_felt
from inferproof.proving.ezkl.library import library
from inferproof.proving.ezkl.settings import canonical_settings, read_settings
from inferproof.proving.srs import cut_srs
from inferproof.testing.rejections import rejects
from inferproof.types.proof import Setup, Visibility

INVALID = "the proof does not hold for its statement"

QUIET = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def bundle(ezkl_system, ezkl_compiled):
    return ezkl_system.verifier(ezkl_compiled)


@pytest.fixture(scope="module")
def file(ezkl_proved):
    return decode_proof_file(ezkl_proved.file)


def changed(bundle, change):
    value = json.loads(bundle.settings)
    change(value)
    return replace(bundle, settings=json.dumps(value).encode())


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("version", lambda s: s.update(version="1.0.0")),
        ("input_visibility", lambda s: s["run_args"].update(input_visibility="Private")),
        ("output_visibility", lambda s: s["run_args"].update(output_visibility="Private")),
        ("param_visibility", lambda s: s["run_args"].update(param_visibility="Private")),
        (
            "ignore_range_check_inputs_outputs",
            lambda s: s["run_args"].update(ignore_range_check_inputs_outputs=True),
        ),
        ("model_instance_shapes", lambda s: s["model_instance_shapes"].pop()),
        ("scales", lambda s: s["model_input_scales"].append(0)),
        ("scales", lambda s: s.update(model_output_scales=[-1])),
        ("scales", lambda s: s.update(model_output_scales=7)),
        ("binding scale", lambda s: s.update(model_input_scales=[7, 7])),
        ("logrows", lambda s: s["run_args"].update(logrows=60)),
        ("size", lambda s: s.update(total_const_size=2**31)),
        ("size", lambda s: s["run_args"].update(num_inner_cols=4)),
        ("form", lambda s: s.pop("run_args")),
    ],
)
def test_settings_of_an_unsound_circuit_are_refused(bundle, what, change):
    message = f"the circuit's settings are not those of a sound circuit: {what}"
    with rejects(Reason.ARTIFACT_SETTINGS, message, kind=ArtifactRejected):
        read_settings(changed(bundle, change))


def test_settings_of_the_other_visibility_are_refused(bundle):
    other = replace(bundle, parts=replace(bundle.parts, visibility=Visibility.HASHED))
    message = "the circuit's settings are not those of a sound circuit: input_visibility"
    with rejects(Reason.ARTIFACT_SETTINGS, message):
        read_settings(other)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_settings_that_are_no_settings_are_refused(bundle, data):
    message = "the circuit's settings are not those of a sound circuit: form"
    with rejects(Reason.ARTIFACT_SETTINGS, message):
        read_settings(replace(bundle, settings=data))


def test_canonical_settings_forget_order_and_time(bundle):
    value = json.loads(bundle.settings)
    value["timestamp"] = 123
    value["required_range_checks"].reverse()
    assert canonical_settings(json.dumps(value).encode()) == bundle.settings


def test_an_input_beyond_the_circuit_is_refused(bundle, file):
    huge = {"x": np.full((1, 4), 3e38, np.float32)}
    forged = replace(file, disclosed=DisclosedInput(bytes(32), huge))
    message = "input x in the proof is beyond what the circuit can hold"
    with rejects(Reason.PROOF_INPUT_RANGE, message, kind=ProofRejected):
        check(bundle, forged, statement_digest(file.statement))


def test_the_other_kind_of_input_is_refused(bundle, file):
    forged = replace(file, disclosed=None, input_hashes=(bytes(32),))
    message = "the model was compiled for public input, the proof shows another"
    with rejects(Reason.PROOF_INPUT_VISIBILITY, message, kind=ProofRejected):
        check(bundle, forged, statement_digest(file.statement))


@QUIET
@given(draw=st.data())
def test_no_damaged_setting_brings_the_verifier_down(bundle, file, draw):
    value = json.loads(bundle.settings)
    target = draw.draw(st.sampled_from([value, value["run_args"]]))
    key = draw.draw(st.sampled_from(sorted(target)))
    target[key] = draw.draw(
        st.sampled_from([0, 1, -1, 2**12, 2**31, 2**63, [], {}, None, "x", 40, 60, [[1, 2]], [0.5]])
    )
    other = replace(bundle, settings=json.dumps(value).encode())
    try:
        check(other, file, statement_digest(file.statement))
    except Rejection:
        return


# The same draws each time: a damaged count may ask ezkl for any memory, and here no process apart
# bounds it, as the one does that checks what strangers bring (test_isolated).
@settings(QUIET, derandomize=True)
@given(draw=st.data())
def test_no_damaged_key_or_srs_brings_the_verifier_down(bundle, file, draw):
    part = draw.draw(st.sampled_from(["verifying_key", "srs"]))
    data = bytearray(getattr(bundle, part))
    at = draw.draw(st.integers(0, 8 * len(data) - 1))
    data[at // 8] ^= 1 << (at % 8)
    cut = draw.draw(st.sampled_from([len(data), len(data) // 2, 0]))
    try:
        check(replace(bundle, **{part: bytes(data[:cut])}), file, statement_digest(file.statement))
    except Rejection:
        return


def test_a_bundle_that_needs_no_set_up_is_refused(bundle, file):
    """Claiming to need no set-up must not be a way around asking for a ceremony."""
    other = replace(bundle, parts=replace(bundle.parts, setup=Setup.NONE))
    message = "the circuit's settings are not those of a sound circuit: set-up"
    with rejects(Reason.ARTIFACT_SETTINGS, message, kind=ArtifactRejected):
        check(other, file, statement_digest(file.statement))


def test_a_bundle_of_another_version_is_refused(bundle, file):
    other = replace(bundle, parts=replace(bundle.parts, proof_system_version="1.0.0"))
    message = "the model was compiled for ezkl 1.0.0, what checks its proofs here is 23.0.5"
    with rejects(Reason.PROOF_OTHER_VERSION, message, kind=ProofRejected):
        check(other, file, statement_digest(file.statement))


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda srs: srs + b"\0",
        lambda srs: (2).to_bytes(4, "little") + srs[4:],
        lambda srs: srs[:132] + srs[4:68] * 2 + srs[260:],
    ],
)
def test_an_srs_of_another_form_is_refused(bundle, file, change):
    message = "the circuit's settings are not those of a sound circuit: SRS"
    with rejects(Reason.ARTIFACT_SETTINGS, message, kind=ArtifactRejected):
        check(replace(bundle, srs=change(bundle.srs)), file, statement_digest(file.statement))


def test_a_proof_under_another_trapdoor_is_refused(bundle, file, tmp_path):
    other = tmp_path / "other.srs"
    library().gen_srs(str(other), 2)
    foreign = cut_srs(other.read_bytes())
    assert len(foreign) == len(bundle.srs)
    mixed = bundle.srs[:-128] + foreign[-128:]
    for srs in (foreign, mixed):
        with rejects(Reason.PROOF_INVALID, INVALID, kind=ProofRejected):
            check(replace(bundle, srs=srs), file, statement_digest(file.statement))


def test_every_public_value_is_bound(bundle, file):
    """No instance can be another number, the limbs of the binding included."""
    facts = read_settings(bundle)
    values = public_values(bundle, facts, file, statement_digest(file.statement))
    _verify(bundle, file.proof, values)
    for index, value in enumerate(values):
        other = list(values)
        other[index] = to_felt(from_felt(value) + 1)
        with rejects(Reason.PROOF_INVALID, INVALID, kind=ProofRejected):
            _verify(bundle, file.proof, other)
    for other in (values[:-1], [*values, to_felt(0)], values[1:] + values[:1]):
        with rejects(Reason.PROOF_INVALID, INVALID, kind=ProofRejected):
            _verify(bundle, file.proof, other)
