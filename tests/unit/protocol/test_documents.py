"""Proof files, verifier bundles and receipt files: one byte form, nothing unexpected inside."""

import base64
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inferproof.errors import ArtifactRejected, ProofRejected, Reason, ReceiptRejected
from inferproof.protocol.documents import encode_document
from inferproof.protocol.encoding import canonical_json, parse_canonical_json
from inferproof.protocol.input_opening import decode_input_opening, encode_input_opening
from inferproof.protocol.proof_file import (
    MAX_TENSOR_ELEMENTS,
    DisclosedInput,
    ProofFile,
    decode_proof_file,
    encode_proof_file,
)
from inferproof.protocol.receipt import decode_receipt_file, encode_receipt_file
from inferproof.protocol.verifier_bundle import (
    VerifierBundle,
    decode_bundle,
    encode_bundle,
    quantisation_digest,
)
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    INPUTS,
    OUTPUTS,
    PAYMENTS,
    PRIVATE_REQUEST,
    SALT,
    Sample,
    sample_bundle,
    sample_receipt,
)
from inferproof.types.proof import Visibility
from inferproof.types.tensor import TensorSpec

PROOF = Sample().proof()
HASHED = Sample(bundle=sample_bundle(visibility=Visibility.HASHED)).proof()
PRIVATE = Sample(request=PRIVATE_REQUEST)
PRIVATE_PROOF, OPENING = PRIVATE.proof(), encode_input_opening(PRIVATE.opening())
PRIVATE_RECEIPT = sample_receipt(PRIVATE)
BUNDLE = encode_bundle(sample_bundle())
RECEIPT = sample_receipt()


def _body(data: bytes) -> Any:
    document: Any = parse_canonical_json(data, max_bytes=len(data))
    return document["body"]


def _seal(data: bytes, body: Any) -> bytes:
    document: Any = parse_canonical_json(data, max_bytes=len(data))
    return encode_document(document["format"], body)


@pytest.mark.parametrize(
    ("data", "again"),
    [
        (PROOF, lambda d: encode_proof_file(decode_proof_file(d))),
        (HASHED, lambda d: encode_proof_file(decode_proof_file(d))),
        (PRIVATE_PROOF, lambda d: encode_proof_file(decode_proof_file(d))),
        (OPENING, lambda d: encode_input_opening(decode_input_opening(d))),
        (PRIVATE_RECEIPT, lambda d: encode_receipt_file(decode_receipt_file(d, PAYMENTS))),
        (BUNDLE, lambda d: encode_bundle(decode_bundle(d))),
        (RECEIPT, lambda d: encode_receipt_file(decode_receipt_file(d, PAYMENTS))),
    ],
)
def test_a_document_reads_back_to_its_bytes(data: bytes, again: Callable[[bytes], bytes]) -> None:
    assert again(data) == data


def test_each_kind_of_document_raises_its_own_kind() -> None:
    message = "the document is not canonical JSON"
    with rejects(Reason.JSON_NOT_CANONICAL, message, kind=ProofRejected):
        decode_proof_file(b"{")
    with rejects(Reason.JSON_NOT_CANONICAL, message, kind=ArtifactRejected):
        decode_bundle(b"{")
    with rejects(Reason.JSON_NOT_CANONICAL, message, kind=ReceiptRejected):
        decode_receipt_file(b"{", PAYMENTS)


def test_a_document_of_another_kind() -> None:
    with rejects(
        Reason.DOCUMENT_FORMAT,
        "the file is inferproof/verifier/1, expected inferproof/proof/1",
        kind=ProofRejected,
    ):
        decode_proof_file(BUNDLE)


def test_a_document_of_another_version() -> None:
    with rejects(
        Reason.DOCUMENT_FORMAT,
        "the file is inferproof/proof/3, expected inferproof/proof/1",
        kind=ProofRejected,
    ):
        decode_proof_file(encode_document("inferproof/proof/3", _body(PROOF)))


def test_a_document_without_a_format_says_so() -> None:
    with rejects(Reason.DOCUMENT_FORMAT, "the file is nameless, expected inferproof/proof/1"):
        decode_proof_file(encode_document("", _body(PROOF)))


def test_a_damaged_document() -> None:
    damaged = PROOF.replace(b'"outputs"', b'"outputz"')
    assert damaged != PROOF
    with rejects(
        Reason.DOCUMENT_CHECKSUM,
        "the checksum of the inferproof/proof/1 file does not match its content",
        kind=ProofRejected,
    ):
        decode_proof_file(damaged)


def test_a_document_with_more_beside_its_body() -> None:
    body = _body(PROOF)
    checksum = hashlib.sha256(canonical_json(body)).hexdigest()
    more = canonical_json(
        {"body": body, "checksum": checksum, "extra": 1, "format": "inferproof/proof/1"}
    )
    with rejects(Reason.FIELD_MALFORMED, "field extra of the inferproof/proof/1 is malformed"):
        decode_proof_file(more)


@pytest.mark.parametrize("value", [[], "x", 7, None])
def test_json_that_is_no_document(value: Any) -> None:
    with rejects(Reason.FIELD_MALFORMED, "field (whole) of the inferproof/proof/1 is malformed"):
        decode_proof_file(canonical_json(value))


Change = Callable[[Any], None]


def _set(*path: Any, to: Any) -> Change:
    def change(body: Any) -> None:
        for step in path[:-1]:
            body = body[step]
        body[path[-1]] = to

    return change


def _drop(*path: Any) -> Change:
    def change(body: Any) -> None:
        for step in path[:-1]:
            body = body[step]
        del body[path[-1]]

    return change


def _scale(value: float) -> str:
    return "0x" + struct.pack(">d", value).hex()


def _floats(*values: float) -> str:
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


X = ("disclosed", "tensors", 0)
HUGE = [0, *[MAX_TENSOR_ELEMENTS] * 15]
BAD_PROOFS: list[tuple[Change, str]] = [
    (_drop("input_hashes"), "field input_hashes of the inferproof/proof/1"),
    (_drop("proof"), "field proof of the inferproof/proof/1"),
    (_set("disclosed", to=None), "field disclosed of the inferproof/proof/1"),
    (_set("input_hashes", to=["0x" + "00" * 32]), "field disclosed of the inferproof/proof/1"),
    (_set("input_hashes", to=[]), "field input_hashes of the inferproof/proof/1"),
    (_set("input_hashes", to=["0x00"]), "field hash of the inferproof/proof/1.input_hashes"),
    (_set("outputs", to=[{}] * 257), "field outputs of the inferproof/proof/1"),
    (_set("outputs", 0, "shape", to=[2, 2]), "field values of the inferproof/proof/1.outputs"),
    (_set("outputs", 0, "shape", to=[True, 2]), "field shape of the inferproof/proof/1.outputs"),
    (_set("outputs", 0, "shape", to=[-1, -2]), "field shape of the inferproof/proof/1.outputs"),
    (_set("outputs", 0, "shape", to=HUGE), "field shape of the inferproof/proof/1.outputs"),
    (_set("outputs", 0, "shape", to=[0]), "field shape of the inferproof/proof/1.outputs"),
    (_set("outputs", 0, "shape", to=[1] * 17), "field shape of the inferproof/proof/1.outputs"),
    (
        _set("outputs", 0, "shape", to=[2**12, 2**13]),
        "field shape of the inferproof/proof/1.outputs",
    ),
    (
        _set("outputs", 0, "shape", to=[MAX_TENSOR_ELEMENTS]),
        "field values of the inferproof/proof/1.outputs",
    ),
    *(
        (_set("outputs", 0, "scale", to=_scale(v)), "field scale of the inferproof/proof/1.outputs")
        for v in (0.0, -0.0, -1.0, float("nan"), float("inf"), 1e300)
    ),
    (_set(*X, "shape", to=[]), "field data of the inferproof/proof/1.disclosed.tensors"),
    (_set(*X, "shape", to=HUGE), "field shape of the inferproof/proof/1.disclosed.tensors"),
    *(
        (
            _set(*X, "data", to=_floats(1, 2, v)),
            "field data of the inferproof/proof/1.disclosed.tensors",
        )
        for v in (-0.0, float("nan"), float("inf"), float("-inf"))
    ),
    (_set(*X, "name", to="x" * 513), "field name of the inferproof/proof/1.disclosed.tensors"),
    (_set("disclosed", "salt", to="0x00"), "field salt of the inferproof/proof/1.disclosed"),
    (_set("statement", "version", to=2), "field version of the inferproof/proof/1.statement"),
    (_set("statement", "version", to=True), "field version of the inferproof/proof/1.statement"),
    (_set("statement", "jobId", to="0x"), "field jobId of the inferproof/proof/1.statement"),
    (
        _set("statement", "provider", to="0x" + "AA" * 20),
        "field provider of the inferproof/proof/1.statement",
    ),
]


@pytest.mark.parametrize(("change", "where"), BAD_PROOFS)
def test_a_proof_file_whose_body_makes_no_sense(change: Change, where: str) -> None:
    body = _body(PROOF)
    change(body)
    with rejects(Reason.FIELD_MALFORMED, f"{where} is malformed", kind=ProofRejected):
        decode_proof_file(_seal(PROOF, body))


@pytest.mark.parametrize(
    ("data", "decode", "change", "where"),
    [
        (PRIVATE_PROOF, decode_proof_file, _drop("input_root"), "input_root of the {}/proof/2"),
        (
            PRIVATE_PROOF,
            decode_proof_file,
            _set("input_root", to=None),
            "input_root of the {}/proof/2",
        ),
        (
            PRIVATE_PROOF,
            decode_proof_file,
            _set("disclosed", to=None),
            "disclosed of the {}/proof/2",
        ),
        (
            OPENING,
            decode_input_opening,
            _set("secret", to="0x00"),
            "secret of the {}/input-opening/1",
        ),
        (OPENING, decode_input_opening, _drop("job_id"), "job_id of the {}/input-opening/1"),
        (OPENING, decode_input_opening, _set("more", to=1), "more of the {}/input-opening/1"),
    ],
)
def test_documents_of_private_inputs_whose_body_makes_no_sense(
    data: bytes, decode: Callable[[bytes], Any], change: Change, where: str
) -> None:
    body = _body(data)
    change(body)
    where = where.format("inferproof")
    with rejects(Reason.FIELD_MALFORMED, f"field {where} is malformed", kind=ProofRejected):
        decode(_seal(data, body))


def test_a_request_is_salted_where_the_input_is_private() -> None:
    def read(data: bytes) -> Any:
        return decode_receipt_file(data, PAYMENTS)

    for data, change, version in (
        (PRIVATE_RECEIPT, _drop("request", "salt"), 2),
        (RECEIPT, _set("request", "salt", to="0x" + "00" * 32), 1),
    ):
        body = _body(data)
        change(body)
        with rejects(
            Reason.FIELD_MALFORMED,
            f"field salt of the inferproof/receipt/{version}.request is malformed",
            kind=ReceiptRejected,
        ):
            read(_seal(data, body))
    for data, version in ((PRIVATE_RECEIPT, 1), (RECEIPT, 2)):
        other = encode_document(f"inferproof/receipt/{version}", _body(data))
        with rejects(
            Reason.FIELD_MALFORMED,
            f"field version of the inferproof/receipt/{version}.receipt.statement is malformed",
            kind=ReceiptRejected,
        ):
            read(other)


def test_tensors_are_in_order_and_each_once() -> None:
    for names in (["x", "x"], ["y", "x"]):
        body = _body(PROOF)
        tensor = body["disclosed"]["tensors"][0]
        body["disclosed"]["tensors"] = [{**tensor, "name": n} for n in names]
        with rejects(
            Reason.FIELD_MALFORMED, "field tensors of the inferproof/proof/1.disclosed is malformed"
        ):
            decode_proof_file(_seal(PROOF, body))


def test_a_scalar_input_reads_back() -> None:
    file = decode_proof_file(PROOF)
    scalar = DisclosedInput(SALT, {"x": np.array(-0.0, np.float32)})
    again = decode_proof_file(
        encode_proof_file(ProofFile(file.statement, file.outputs, file.proof, scalar))
    )
    assert again.disclosed is not None
    assert again.disclosed.tensors["x"].shape == ()
    assert not np.signbit(again.disclosed.tensors["x"])


BAD_BUNDLES: list[tuple[Change, str]] = [
    (_set("parts", "setup", to="magic"), "field setup of the inferproof/verifier/1.parts"),
    (_set("parts", "graph", to="0x00"), "field graph of the inferproof/verifier/1.parts"),
    (_set("inputs", to=[]), "field inputs of the inferproof/verifier/1"),
    (_set("outputs", to=[]), "field outputs of the inferproof/verifier/1"),
    (_set("preprocessing", to=[]), "field preprocessing of the inferproof/verifier/1"),
    (_set("inputs", 0, "shape", to=[0, 3]), "field shape of the inferproof/verifier/1.inputs"),
]


@pytest.mark.parametrize(("change", "where"), BAD_BUNDLES)
def test_a_bundle_whose_body_makes_no_sense(change: Change, where: str) -> None:
    body = _body(BUNDLE)
    change(body)
    with rejects(Reason.FIELD_MALFORMED, f"{where} is malformed", kind=ArtifactRejected):
        decode_bundle(_seal(BUNDLE, body))


def test_a_bundle_names_each_tensor_once() -> None:
    body = _body(BUNDLE)
    body["outputs"] = body["outputs"] * 2
    with rejects(Reason.FIELD_MALFORMED, "field outputs of the inferproof/verifier/1 is malformed"):
        decode_bundle(_seal(BUNDLE, body))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (_set("preprocessing", "kind", to="text"), "preprocessing"),
        (_set("settings", to="AAAA"), "settings"),
        (_set("inputs", 0, "name", to="z"), "settings"),
        (_set("outputs", 0, "dtype", to="int64"), "settings"),
        (_set("outputs", 0, "shape", to=[2, 1]), "settings"),
        (_set("verifying_key", to=""), "verifying key"),
        (_set("verifying_key", to="AAAA"), "verifying key"),
        (_set("srs", to="AAAA"), "SRS"),
    ],
)
def test_a_bundle_whose_content_is_not_what_it_commits_to(change: Change, part: str) -> None:
    body = _body(BUNDLE)
    change(body)
    with rejects(
        Reason.ARTIFACT_DIGEST_MISMATCH,
        f"the {part} of the compiled model does not have the digest it states",
        kind=ArtifactRejected,
    ):
        decode_bundle(_seal(BUNDLE, body))


def test_two_lists_of_tensors_never_share_a_digest() -> None:
    # A type name that imitates the text of the tensors after it, and inputs moved to outputs.
    forged = TensorSpec("x", "float32 (3,)\n'y' float32", (1, 2))
    digests = {
        quantisation_digest(b"", INPUTS, OUTPUTS),
        quantisation_digest(b"", (forged,), ()),
        quantisation_digest(b"", (*INPUTS, *OUTPUTS), ()),
        quantisation_digest(b"", (), (*INPUTS, *OUTPUTS)),
        quantisation_digest(b"", OUTPUTS, INPUTS),
    }
    assert len(digests) == 5


@pytest.mark.parametrize(
    "labels",
    [[], ["a"], ["a", "a"], ["a", ""], ["a", "b" * 101], ["a", 1], ["a", "b\n"], "ab", None],
)
def test_labels_that_a_bundle_cannot_have(labels: object) -> None:
    body = _body(encode_bundle(sample_bundle(labels=("a", "b"))))
    body["outputs"][0]["labels"] = labels
    with pytest.raises(ArtifactRejected, match="is malformed") as told:
        decode_bundle(_seal(BUNDLE, body))
    assert told.value.reason is Reason.FIELD_MALFORMED


def test_labels_are_bound_and_are_of_outputs_alone() -> None:
    named = sample_bundle(labels=("a", "b"))
    assert decode_bundle(encode_bundle(named)) == named
    others = {sample_bundle().commitment, sample_bundle(labels=("b", "a")).commitment}
    assert len({named.commitment, *others}) == 3
    body = _body(encode_bundle(named))
    body["outputs"][0]["labels"] = ["b", "a"]
    with pytest.raises(ArtifactRejected) as told:
        decode_bundle(_seal(BUNDLE, body))
    assert told.value.reason is Reason.ARTIFACT_DIGEST_MISMATCH
    body = _body(BUNDLE)
    body["inputs"][0]["labels"] = ["a", "b", "c"]
    with rejects(Reason.FIELD_MALFORMED, "field inputs of the inferproof/verifier/1 is malformed"):
        decode_bundle(_seal(BUNDLE, body))


def test_keys_of_sumcheck_alone_come_with_what_shows_their_ranges() -> None:
    def bundle(system: str, kind: int, ranges: bytes) -> VerifierBundle:
        key = bytes(12) + bytes([kind])
        return replace(sample_bundle(system=system, verifying_key=key), ranges=ranges)

    private = bundle("sumcheck", 3, b"shown")
    data = encode_bundle(private)
    assert decode_bundle(data) == private
    # It is no part of what the model is known by.
    assert private.commitment == replace(private, ranges=b"other").commitment
    assert "ranges" not in _body(encode_bundle(bundle("sumcheck", 3, b"")))
    message = "field ranges of the inferproof/verifier/1 is malformed"
    body = _body(data)
    body["ranges"] = ""
    others = [_seal(BUNDLE, body)]
    others += [encode_bundle(bundle(*own, b"shown")) for own in (("sumcheck", 1), ("ezkl", 3))]
    for other in others:
        with rejects(Reason.FIELD_MALFORMED, message, kind=ArtifactRejected):
            decode_bundle(other)


SETTLEMENT = ("receipt", "settlement")
ONE = "0x" + "00" * 31 + "01"
BAD_RECEIPTS: list[tuple[Change, str]] = [
    (_drop("request"), "field request of the inferproof/receipt/1"),
    (_set("signature", to="0x" + "00" * 64), "field signature of the inferproof/receipt/1"),
    (_set("request", "method", to="post"), "field method of the inferproof/receipt/1.request"),
    (_set("request", "method", to=""), "field method of the inferproof/receipt/1.request"),
    (_set("request", "path", to="v1"), "field path of the inferproof/receipt/1.request"),
    (_set("request", "path", to="/v1?a=1"), "field path of the inferproof/receipt/1.request"),
    (_set("request", "path", to="/v1#a"), "field path of the inferproof/receipt/1.request"),
    (_set("request", "path", to="/a b"), "field path of the inferproof/receipt/1.request"),
    (_set("request", "path", to="/é"), "field path of the inferproof/receipt/1.request"),
    (_set("receipt", "version", to=2), "field version of the inferproof/receipt/1.receipt"),
    (_set("receipt", "claims", to=[{}] * 65), "field claims of the inferproof/receipt/1.receipt"),
    (_set("receipt", "issuedAt", to=-1), "field issuedAt of the inferproof/receipt/1.receipt"),
    (
        _set("receipt", "nonceSalt", to="0x" + "00" * 32),
        "field nonceSalt of the inferproof/receipt/1.receipt",
    ),
    (
        _set(*SETTLEMENT, "transaction", to="0x" + "00" * 32),
        "field transaction of the inferproof/receipt/1.receipt.settlement",
    ),
    (
        _set(*SETTLEMENT, "blockNumber", to=0),
        "field blockNumber of the inferproof/receipt/1.receipt.settlement",
    ),
    *(
        (change, "field state of the inferproof/receipt/1.receipt.settlement")
        for change in (
            _set(*SETTLEMENT, "transaction", to=None),
            _set(*SETTLEMENT, "blockNumber", to=None),
            _set(*SETTLEMENT, "state", to="pending"),
            _set(*SETTLEMENT, "state", to="unknown"),
        )
    ),
    (
        _set("receipt", "quote", "asset", "decimals", to=37),
        "field decimals of the inferproof/receipt/1.receipt.quote.asset",
    ),
    (
        _set("receipt", "quote", "amount", to=250000),
        "field amount of the inferproof/receipt/1.receipt.quote",
    ),
]


@pytest.mark.parametrize(("change", "where"), BAD_RECEIPTS)
def test_a_receipt_file_whose_body_makes_no_sense(change: Change, where: str) -> None:
    body = _body(RECEIPT)
    change(body)
    with rejects(Reason.FIELD_MALFORMED, f"{where} is malformed", kind=ReceiptRejected):
        decode_receipt_file(_seal(RECEIPT, body), PAYMENTS)


def test_a_network_in_a_receipt_that_is_none() -> None:
    body = _body(RECEIPT)
    body["receipt"]["quote"]["asset"]["network"] = "solana:1"
    with rejects(
        Reason.NETWORK_MALFORMED,
        "'solana:1' is not an EVM network in CAIP-2 form, such as eip155:8453",
        kind=ReceiptRejected,
    ):
        decode_receipt_file(_seal(RECEIPT, body), PAYMENTS)


def test_a_settlement_that_is_not_settled_has_no_block() -> None:
    body = _body(RECEIPT)
    body["receipt"]["settlement"] = {"state": "uncertain", "transaction": ONE, "blockNumber": None}
    file = decode_receipt_file(_seal(RECEIPT, body), PAYMENTS)
    assert file.receipt.settlement.block is None
    assert encode_receipt_file(file) == _seal(RECEIPT, body)
