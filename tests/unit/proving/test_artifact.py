"""Compiled models on disk: any damage is a typed rejection."""

import json
import shutil

import pytest
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.documents import encode_document
from inferproof.protocol.opening import OPENING
from inferproof.proving.artifact import HEADER, artifact_system, new_folder, open_artifact
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.ezkl.settings import VERSION
from inferproof.testing.rejections import rejects


@pytest.fixture
def copy(ezkl_compiled, tmp_path):
    return shutil.copytree(ezkl_compiled, tmp_path / "copy")


def rewrite(folder, change):
    """Changes the header's body and makes its checksum fit again."""
    document = json.loads((folder / HEADER).read_bytes())
    change(document["body"])
    (folder / HEADER).write_bytes(encode_document(document["format"], document["body"]))


def open_copy(folder):
    return open_artifact(folder, "ezkl", VERSION)


def test_the_header_pins_every_file(copy):
    artifact = open_copy(copy)
    assert set(artifact.files) == {p.name for p in copy.iterdir()} - {HEADER, OPENING}
    for name in artifact.files:
        assert artifact.file(name) == copy / name
    body = json.loads((copy / HEADER).read_bytes())["body"]
    assert (body["kind"], body["system"]) == ("compiled-model", "ezkl")
    assert body["details"]["srs"]["kind"] == "development"
    assert artifact_system(copy) == "ezkl"


def test_an_empty_folder_is_no_compiled_model(tmp_path):
    with rejects(
        Reason.ARTIFACT_NOT_FOUND,
        f"there is no compiled model in {tmp_path}",
        kind=ArtifactRejected,
    ):
        open_copy(tmp_path)


@pytest.mark.parametrize("name", ["pk.key", "kzg.srs", "network.compiled"])
def test_a_flipped_bit_in_a_file_is_found_when_proving(ezkl_system, mlp_request, copy, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 4
    (copy / name).write_bytes(bytes(data))
    inputs = {"x": mlp_request.calibration["x"][0]}
    message = f"the file {name} of the compiled model does not have the digest it states"
    with rejects(Reason.ARTIFACT_DIGEST_MISMATCH, message):
        prove(ezkl_system, ProveRequest(copy, inputs, JOB, PROVIDER, SALT))


@pytest.mark.parametrize("name", ["pk.key", "verifier.json"])
def test_a_missing_file_is_named(ezkl_system, mlp_request, copy, name):
    (copy / name).unlink()
    inputs = {"x": mlp_request.calibration["x"][0]}
    message = f"file {name} of the compiled model is missing or cannot be read"
    with rejects(Reason.ARTIFACT_FILE, message, kind=ArtifactRejected):
        prove(ezkl_system, ProveRequest(copy, inputs, JOB, PROVIDER, SALT))


def test_a_flipped_bit_anywhere_in_the_header_is_found(copy):
    good = (copy / HEADER).read_bytes()
    for at in range(0, len(good), 7):
        damaged = bytearray(good)
        damaged[at] ^= 1
        (copy / HEADER).write_bytes(bytes(damaged))
        with pytest.raises(ArtifactRejected):
            open_copy(copy)


def test_another_system_or_version_is_named(copy):
    with rejects(
        Reason.ARTIFACT_OTHER_SYSTEM, "the compiled model is for proof system ezkl, not for toy"
    ):
        open_artifact(copy, "toy", "1")
    message = f"the compiled model is for ezkl {VERSION}, this is 99; compile it again"
    with rejects(Reason.ARTIFACT_OTHER_VERSION, message):
        open_artifact(copy, "ezkl", "99")


def test_a_header_for_another_bundle_is_refused(copy):
    rewrite(copy, lambda body: body.update(commitment="0x" + "11" * 32))
    message = "the compiled model's header and its verifier bundle name different models"
    with rejects(Reason.ARTIFACT_PARTS, message, kind=ArtifactRejected):
        open_copy(copy)


def test_a_swapped_bundle_is_refused(copy):
    rewrite(copy, lambda body: body["files"]["verifier.json"].update(sha256="22" * 32))
    message = "the file verifier.json of the compiled model does not have the digest it states"
    with rejects(Reason.ARTIFACT_DIGEST_MISMATCH, message):
        open_copy(copy)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda body: body.update(kind="other"), "kind"),
        (lambda body: body["costs"].update(prove_us=-1), "prove_us"),
        (lambda body: body["costs"].update(more=1), "more"),
        (lambda body: body.update(more=1), "more"),
    ],
)
def test_a_malformed_header_is_refused(copy, change, field):
    rewrite(copy, change)
    document = "inferproof/compiled-model/1" + (".costs" if field in ("prove_us",) else "")
    with pytest.raises(ArtifactRejected) as caught:
        open_copy(copy)
    assert caught.value.reason is Reason.FIELD_MALFORMED
    assert caught.value.facts["field"] == field
    assert document.split(".")[0] in caught.value.message


def test_a_failed_compile_leaves_nothing(tmp_path):
    def fail_halfway():
        with new_folder(tmp_path / "out") as fresh:
            (fresh / "half").write_text("done")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    message = f"the compiled model cannot be written to {out}: file exists"
    with rejects(Reason.ARTIFACT_NOT_WRITTEN, message), new_folder(out):
        pytest.fail("no folder")
