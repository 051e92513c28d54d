"""An auditor compiles a published model again: which parts agree, and every way in which they do
not."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from small_models import mlp

from inferproof.errors import ArtifactRejected, InputRejected, ProofRejected, Reason
from inferproof.models.axes import Axes
from inferproof.protocol.opening import OPENING, decode_opening, encode_opening
from inferproof.proving.audit import audit
from inferproof.proving.opening import axes_in, compiled_alike, read_opening
from inferproof.proving.sumcheck.audit import COMMITMENT, GRAPH, TERMS
from inferproof.proving.sumcheck.rotation import open_key
from inferproof.testing.rejections import rejects

pytestmark = pytest.mark.native
ALL = (
    *("graph", "weights", "pre-processing", "quantisation", GRAPH, TERMS, COMMITMENT),
    *("SRS", "set-up"),
)


@pytest.fixture(scope="module")
def published(sumcheck_system, mlp_request, tmp_path_factory):
    """The folder of a model compiled with options that are not the usual ones, and new salts."""
    out = tmp_path_factory.mktemp("published") / "compiled"
    request = replace(mlp_request, out=out, salts=None, bits=14, margin=3.0, max_error=0.2)
    sumcheck_system.compile(request)
    return out


@pytest.fixture(scope="module")
def bundle(sumcheck_system, published):
    return sumcheck_system.verifier(published)


@pytest.fixture(scope="module")
def opening(published, bundle):
    """As the auditor gets it: through bytes."""
    whole = replace(read_opening(published, bundle), key=open_key(published))
    return decode_opening(encode_opening(whole))


@pytest.fixture
def auditors(mlp_request, tmp_path):
    """What the auditor holds: file and samples, and nothing of how they were compiled."""
    return replace(mlp_request, salts=None, out=tmp_path / "unused")


def _other_file(request, path, change):
    model = onnx.load(request.model)
    change(model)
    onnx.save(model, path)
    return replace(request, model=path)


def _flip(name, bit):
    def change(model):
        tensor = next(each for each in model.graph.initializer if each.name == name)
        values = numpy_helper.to_array(tensor).copy()
        values.reshape(-1).view(np.uint32)[0] ^= np.uint32(1 << bit)
        tensor.CopyFrom(numpy_helper.from_array(values, name))

    return change


def _softplus(model):
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Softplus"


def test_the_same_file_agrees_in_every_part(auditors, bundle, opening, sumcheck_system):
    found = audit(auditors, bundle, opening, sumcheck_system)
    assert [(each.part, each.agrees, each.why) for each in found.parts] == [
        (part, True, "") for part in ALL
    ]
    assert found.differs == ()
    found.check()
    assert not auditors.out.exists()


def test_the_options_are_those_that_the_opening_records(auditors, opening):
    alike = compiled_alike(auditors, opening)
    assert (alike.bits, alike.margin, alike.max_error) == (14, 3.0, 0.2)
    assert alike.profile == "default"
    assert axes_in(opening) == Axes()


@pytest.mark.parametrize("mode", [None, "private"])
def test_an_opening_of_before_names_a_mode_that_counts_for_nothing(auditors, opening, mode):
    before = replace(opening, options={**opening.options, "mode": mode})
    assert compiled_alike(auditors, before) == compiled_alike(auditors, opening)


def test_other_weights_are_told(auditors, bundle, opening, sumcheck_system, tmp_path):
    request = _other_file(auditors, tmp_path / "m.onnx", _flip("w0", 22))
    found = audit(request, bundle, opening, sumcheck_system)
    assert found.parts[0].agrees is True
    assert {"weights", COMMITMENT} <= set(found.differs)


def test_weights_that_differ_in_a_bit_are_told_though_the_key_is_the_same(
    auditors, bundle, opening, sumcheck_system, tmp_path
):
    """Quantising rounds the bit away: of the file the commitment says more than the key."""
    request = _other_file(auditors, tmp_path / "m.onnx", _flip("w0", 0))
    found = audit(request, bundle, opening, sumcheck_system)
    message = "compiled again, the model is not the published one: weights differ"
    with rejects(Reason.AUDIT_DIFFERS, message, kind=ArtifactRejected):
        found.check()


def test_another_graph_is_told(auditors, bundle, opening, sumcheck_system, tmp_path):
    request = _other_file(auditors, tmp_path / "m.onnx", _softplus)
    found = audit(request, bundle, opening, sumcheck_system)
    assert "weights" not in found.differs
    assert {"graph", GRAPH} <= set(found.differs)


def test_another_graph_that_does_not_compile_is_told_too(
    auditors, bundle, opening, sumcheck_system, tmp_path
):
    request = replace(auditors, model=mlp(tmp_path / "wide.onnx", 5, 6, 3))
    found = audit(request, bundle, opening, sumcheck_system)
    assert found.differs == ("graph", "weights")
    told = {(each.agrees, each.why) for each in found.parts[2:]}
    assert len(told) == 1
    agrees, why = told.pop()
    assert agrees is None
    assert "x" in why


def test_samples_that_do_not_fit_the_opened_model_are_refused(
    auditors, bundle, opening, sumcheck_system
):
    request = replace(auditors, calibration={"x": np.zeros((8, 1, 5), np.float32)})
    with pytest.raises(InputRejected):
        audit(request, bundle, opening, sumcheck_system)


def test_other_samples_are_told(auditors, bundle, opening, sumcheck_system):
    request = replace(auditors, calibration={"x": auditors.calibration["x"] * 2.5})
    found = audit(request, bundle, opening, sumcheck_system)
    assert {"quantisation", GRAPH} <= set(found.differs)
    assert not {"graph", "weights"} & set(found.differs)


def test_other_preprocessing_of_a_card_is_told(auditors, bundle, opening, sumcheck_system):
    request = replace(auditors, preprocessing={"kind": "tensor", "note": "other"})
    assert audit(request, bundle, opening, sumcheck_system).differs == ("pre-processing",)


@pytest.mark.parametrize("kept", ["graph", "weights"])
def test_a_part_that_stays_hidden_is_not_compared(
    kept, auditors, bundle, opening, sumcheck_system, tmp_path
):
    partial = replace(opening, **{kept: None})
    found = audit(auditors, bundle, partial, sumcheck_system)
    told = {each.part: (each.agrees, each.why) for each in found.parts}
    assert told.pop(kept) == (None, "the opening keeps it hidden")
    assert set(told.values()) == {(True, "")}
    change = _softplus if kept == "weights" else _flip("w0", 0)
    other = _other_file(auditors, tmp_path / "m.onnx", change)
    assert ({"graph", "weights"} - {kept}) <= set(
        audit(other, bundle, partial, sumcheck_system).differs
    )


def test_a_wrong_salt_is_refused_before_anything_is_read(
    auditors, bundle, opening, sumcheck_system, tmp_path
):
    wrong = replace(opening, weights=replace(opening.weights, salt=opening.graph.salt))
    message = "the opening does not open the commitment to the model's weights"
    with rejects(Reason.OPENING_WRONG, message, kind=ArtifactRejected):
        audit(replace(auditors, model=tmp_path / "none.onnx"), bundle, wrong, sumcheck_system)


def test_changed_options_are_told_or_refused(auditors, bundle, opening, sumcheck_system):
    other = replace(opening, options={**opening.options, "bits": 15})
    assert GRAPH in audit(auditors, bundle, other, sumcheck_system).differs
    for bad in (
        {"margin": "nan"},
        {"margin": 3},
        {"max_error": "-1.0"},
        {"bits": "x"},
        {"axes": {"batch": 0, "named": {}}},
        {"axes": {"batch": 1, "named": {"tokens": "4"}}},
        {"more": None},
    ):
        with pytest.raises(ArtifactRejected) as raised:
            compiled_alike(auditors, replace(opening, options={**opening.options, **bad}))
        assert raised.value.reason is Reason.FIELD_MALFORMED


def test_the_bundle_of_another_version_is_refused(auditors, bundle, opening, sumcheck_system):
    other = replace(bundle, parts=replace(bundle.parts, proof_system_version="0"))
    moved = replace(opening, model=other.commitment)
    with pytest.raises(ProofRejected) as raised:
        audit(auditors, other, moved, sumcheck_system)
    assert raised.value.reason is Reason.PROOF_OTHER_VERSION


def test_a_folder_without_its_opening_says_so(bundle, published, tmp_path):
    message = (
        f"the compiled model in {tmp_path} holds no salts of its commitments: they stay where it "
        "was compiled, and models compiled before there were any have none"
    )
    with rejects(Reason.OPENING_MISSING, message, kind=ArtifactRejected):
        read_opening(tmp_path, bundle)
    data = bytearray((published / OPENING).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / OPENING).write_bytes(bytes(data))
    with pytest.raises(ArtifactRejected):
        read_opening(tmp_path, bundle)
