"""Every field of a receipt file is changed by three people: a stranger, a rival gateway, and the
gateway itself. Only what rests on the gateway's own word may change, and only by its own hand.

The list at the end of specs/receipt.md, "What rests on the gateway's word", is WORD_OF_GATEWAY.
"""

import base64
import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inferproof.errors import InferproofError, Rejection
from inferproof.protocol.claims import derive_claims
from inferproof.protocol.documents import encode_document
from inferproof.protocol.encoding import parse_canonical_json
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.receipt import (
    decode_receipt_file,
    encode_receipt_file,
    receipt_digest,
)
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.testing.samples import (
    GATEWAY,
    PAYMENTS,
    PRIVATE_REQUEST,
    STRANGER,
    Sample,
    TransferSample,
    sample_bundle,
    sample_receipt,
    sample_tools,
)
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.proof import Assurance, ModelParts, Visibility
from inferproof.types.receipt import ReceiptFile
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import verify_receipt

ROOT = Path(__file__).resolve().parents[3]
OPEN = Policy(minimum_assurance=Assurance.COMMITMENT)
TRUSTED = replace(OPEN, gateways=frozenset({GATEWAY.address}))
RECEIPTS = {
    "public": sample_receipt(),
    "hashed": sample_receipt(Sample(bundle=sample_bundle(visibility=Visibility.HASHED))),
    "private": sample_receipt(Sample(request=PRIVATE_REQUEST)),
    "unbound": sample_receipt(Sample(nonce_salt=None)),
    "pending": sample_receipt(Sample(settlement=Settlement(SettlementState.PENDING))),
    "transfer": sample_receipt(TransferSample()),
}

WORD_OF_GATEWAY = {
    "receipt.issuedAt",
    "receipt.quote.asset.decimals",
    "receipt.quote.asset.symbol",
    "receipt.quote.expiresAt",
    "receipt.quote.issuedAt",
    "receipt.quote.modelId",
    "receipt.quote.peakBytes",
    "receipt.quote.proofBytes",
    "receipt.quote.proveMs",
    "receipt.quote.requestDigest",
    "receipt.quote.verifyGas",
    "receipt.settlement.blockNumber",
    "receipt.settlement.state",
    "receipt.settlement.transaction",
    "receipt.timings",
    "receipt.timings.microseconds",
    "receipt.timings.stage",
    "request",
}
"""Fields that the gateway alone could write otherwise, and every step would still pass."""

WORD_ON_TRANSFERS = {
    "receipt.payment.amount",
    "receipt.payment.logIndex",
    "receipt.quote.amount",
    "receipt.quote.asset.domainName",
    "receipt.quote.asset.domainVersion",
}
"""The same for a payment by earlier transfer, besides."""

Path_ = tuple[str | int, ...]


def _leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every place in the JSON, objects and lists among them."""
    if path:
        yield path, value
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield from _leaves(item, (*path, key))


def _mutants(value: Any) -> Iterator[Any]:
    """Other values that may well be accepted in the same place."""
    digest = "0x" + "ab" * 32
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, 0, 7)
        case str() if re.fullmatch("0x(..)+", value):
            yield value[:-1] + ("0" if value[-1] != "0" else "1")
            yield "0x" + ("1" if value[2] != "1" else "2") + value[3:]
            yield "0x" + "00" * (len(value) // 2 - 1)
            yield value.upper().replace("0X", "0x")
            yield None
        case str():
            yield from (value + "a", value[:-1], value.upper(), value.lower(), "")
            yield from ("zk-integrity", "asserted", "refuted", "proven", "verifier-derived")
            yield from ("settled", "pending", "uncertain", "failed", None)
            if value.isdigit():
                yield from (str(int(value) + 1), "0")
        case None:
            yield from (digest, 7, {}, "", "AAAA")
        case list():
            yield from (value[:-1], value + value[-1:], value[::-1], [])
        case dict():
            yield from ({}, None)
            yield {**value, "extra": 1}
            yield {k: v for k, v in value.items() if k != min(value, default="")}


def _body(data: bytes) -> dict[str, Any]:
    document: Any = parse_canonical_json(data, max_bytes=len(data))
    body: dict[str, Any] = document["body"]
    return body


def _format(data: bytes) -> str:
    document: Any = parse_canonical_json(data, max_bytes=len(data))
    return str(document["format"])


def _put(body: Any, path: Path_, value: Any) -> None:
    for step in path[:-1]:
        body = body[step]
    body[path[-1]] = value


def _changed(data: bytes, *, linked: bool) -> Iterator[tuple[str, bytes]]:
    """Every change of one field, with the checksum made right again.

    With `linked`, a field that quote and payment share is changed in both; settlement fields are
    also changed together, because one without the others is no settlement.
    """
    original = _body(data)
    form = _format(data)
    for path, value in _leaves(original):
        for mutant in _mutants(value):
            if type(mutant) is type(value) and mutant == value:
                continue
            body = copy.deepcopy(original)
            _put(body, path, mutant)
            shared = path[2:3] and path[2] in original["receipt"]["payment"]
            if linked and path[:2] == ("receipt", "quote") and shared:
                _put(body, ("receipt", "payment", *path[2:]), copy.deepcopy(mutant))
            name = ".".join(str(p) for p in path if not isinstance(p, int))
            yield name, encode_document(form, body)
    if linked:
        for settlement in (
            {"state": "failed", "transaction": None, "blockNumber": None},
            {"state": "settled", "transaction": "0x" + "ab" * 32, "blockNumber": 9},
        ):
            body = copy.deepcopy(original)
            if body["receipt"]["settlement"] != settlement:
                body["receipt"]["settlement"] = settlement
                yield "receipt.settlement.state", encode_document(form, body)


def _accepted(data: bytes, policy: Policy = OPEN) -> bool:
    try:
        verify_receipt(data, policy, sample_tools())
    except Rejection:
        return False
    except InferproofError as error:
        # A bundle that names another system is refused for want of that system's library.
        assert error.code == "MISSING_LIBRARY"  # noqa: PT017
        return False
    return True


def _decoded(data: bytes) -> ReceiptFile | None:
    try:
        return decode_receipt_file(data, PAYMENTS)
    except Rejection:
        return None


def _resigned(file: ReceiptFile, key: SigningKey) -> bytes:
    """The file with the receipt signed anew, and nothing else changed."""
    return encode_receipt_file(
        replace(file, signature=key.sign(receipt_digest(file.receipt, PAYMENTS)))
    )


def _rewritten(file: ReceiptFile, key: SigningKey, parts: ModelParts) -> bytes:
    """The file as a gateway with this key would write it: quote signed, claims made to fit."""
    receipt = replace(
        file.receipt,
        gateway=key.address,
        quote_signature=key.sign(quote_digest(file.receipt.quote)),
        claims=derive_claims(
            parts,
            file.receipt.settlement,
            PAYMENTS[file.receipt.payment.method].claims(
                file.receipt.payment, file.receipt.request_digest, file.receipt.nonce_salt
            ),
            private_input=file.receipt.statement.private_input,
        ),
    )
    return _resigned(replace(file, receipt=receipt), key)


def _parts(data: bytes) -> ModelParts:
    return decode_bundle(decode_receipt_file(data, PAYMENTS).verifier or b"").parts


@pytest.fixture(params=RECEIPTS)
def whole(request: pytest.FixtureRequest) -> bytes:
    data = RECEIPTS[request.param]
    assert _accepted(data, TRUSTED)
    return data


def test_a_stranger_can_only_take_the_request_away(whole: bytes) -> None:
    accepted = {name for name, data in _changed(whole, linked=False) if _accepted(data)}
    assert accepted == {"request"}


@pytest.mark.parametrize("kind", ["public", pytest.param("unbound", marks=pytest.mark.slow)])
def test_a_stranger_who_signs_with_another_key_changes_nothing(kind: str) -> None:
    whole = RECEIPTS[kind]
    accepted = set()
    for name, data in _changed(whole, linked=False):
        file = _decoded(data)
        if file is not None and _accepted(_resigned(file, STRANGER)):
            accepted.add(name)
    assert accepted == set()


def test_a_rival_gateway_that_signs_everything_is_not_the_trusted_one() -> None:
    whole = RECEIPTS["public"]
    parts = _parts(whole)
    assert _accepted(_rewritten(decode_receipt_file(whole, PAYMENTS), STRANGER, parts), OPEN)
    for _name, data in _changed(whole, linked=True):
        file = _decoded(data)
        if file is not None:
            assert not _accepted(_rewritten(file, STRANGER, parts), TRUSTED)


def _by_gateway(whole: bytes) -> set[str]:
    accepted, parts = set(), _parts(whole)
    for name, data in _changed(whole, linked=True):
        file = _decoded(data)
        if file is None:
            continue
        written = _rewritten(file, GATEWAY, parts)
        if written != whole and _accepted(written, TRUSTED):
            accepted.add(name)
    return accepted


@pytest.mark.parametrize("kind", ["public", "private"])
def test_what_rests_on_the_gateways_word(kind: str) -> None:
    assert _by_gateway(RECEIPTS[kind]) == WORD_OF_GATEWAY


def test_what_rests_on_it_for_a_transfer() -> None:
    """What the chain would say of it, and the price; the settlement's transaction no more."""
    expected = WORD_OF_GATEWAY - {"receipt.settlement.state", "receipt.settlement.transaction"}
    assert _by_gateway(RECEIPTS["transfer"]) == expected | WORD_ON_TRANSFERS


def test_the_specification_of_transfers_has_the_same_list() -> None:
    text = (ROOT / "specs/transfer.md").read_text()
    section = text.split("What rests on the gateway's word")[-1].split("\n## ")[0]
    assert set(re.findall(r"^- `([A-Za-z.]+)`", section, re.MULTILINE)) == WORD_ON_TRANSFERS


def test_without_the_salt_the_gateway_also_says_which_request_was_paid() -> None:
    free = replace(Sample(nonce_salt=None), request=Sample().request)
    assert _accepted(sample_receipt(free))
    elsewhere = replace(free, request=replace(free.request, path="/v1/models/other/infer"))
    assert elsewhere.payment() == free.payment()
    assert _accepted(sample_receipt(elsewhere), TRUSTED)


def test_the_specification_has_the_same_list() -> None:
    text = (ROOT / "specs/receipt.md").read_text()
    section = text.split("What rests on the gateway's word")[-1].split("\n## ")[0]
    listed = set(re.findall(r"^- `([A-Za-z.]+)`", section, re.MULTILINE))
    assert listed == WORD_OF_GATEWAY


@pytest.mark.parametrize("attachment", ["proof", "verifier"])
def test_any_byte_of_an_attachment(whole: bytes, attachment: str) -> None:
    body = _body(whole)
    data = base64.b64decode(body[attachment])
    for at in range(0, len(data), 7):
        broken = bytearray(data)
        broken[at] ^= 1 << (at % 8)
        body[attachment] = base64.b64encode(broken).decode()
        assert not _accepted(encode_document(_format(whole), body))
