"""What an owner signs of a registration, and the texts that commands take."""

import hashlib

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.registration import (
    content_id_text,
    parse_content_id,
    parse_price,
    raw_content_id,
    registration_digest,
    verifier_selector,
)
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.registry import (
    CommitmentKind,
    ContractKey,
    Registration,
    Terms,
    TokenPrice,
)

REGISTRY = Address(b"\x44" * 20)
TOKEN = "0x" + "ab" * 20
MADE = Registration(
    Digest(b"\x01" * 32),
    Digest(b"\x02" * 32),
    Address(b"\x03" * 20),
    1_800_000_000,
    Terms(
        ContractKey(b"\x0a\x0b\x0c\x0d", Digest(b"\x05" * 32)),
        CommitmentKind.DISCLOSED | CommitmentKind.PRIVATE,
        CommitmentKind.DISCLOSED,
        Digest(b"\x06" * 32),
        "https://models.example/é",
        raw_content_id(b"the bundle"),
    ),
    (TokenPrice(Address(b"\x07" * 20), 2**128 - 1), TokenPrice(Address(b"\x08" * 20), None)),
)


def _typed(*fields: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), field.split(), strict=True)) for field in fields]


def test_the_digest_is_that_of_another_implementation() -> None:
    terms = MADE.terms
    message = encode_typed_data(
        full_message={
            "primaryType": "Registration",
            "domain": {
                "name": "inferproof registry",
                "version": "1",
                "chainId": 8453,
                "verifyingContract": REGISTRY.hex,
            },
            "types": {
                "EIP712Domain": _typed(
                    "string name", "string version", "uint256 chainId", "address verifyingContract"
                ),
                "TokenPrice": _typed("address token", "uint128 amount", "bool accepted"),
                "Terms": _typed(
                    "bytes4 verifier",
                    "bytes32 verifyingKey",
                    "uint8 inputKinds",
                    "uint8 outputKinds",
                    "bytes32 metadataDigest",
                    "string metadataUri",
                    "bytes contentId",
                ),
                "Registration": _typed(
                    "bytes32 commitment",
                    "bytes32 model",
                    "address owner",
                    "uint64 deadline",
                    "Terms terms",
                    "TokenPrice[] prices",
                ),
            },
            "message": {
                "commitment": MADE.commitment.raw,
                "model": MADE.model.raw,
                "owner": MADE.owner.hex,
                "deadline": MADE.deadline,
                "terms": {
                    "verifier": terms.key.verifier,
                    "verifyingKey": terms.key.digest.raw,
                    "inputKinds": 5,
                    "outputKinds": 1,
                    "metadataDigest": terms.metadata.raw,
                    "metadataUri": terms.metadata_uri,
                    "contentId": terms.content_id,
                },
                "prices": [
                    {"token": "0x" + "07" * 20, "amount": 2**128 - 1, "accepted": True},
                    {"token": "0x" + "08" * 20, "amount": 0, "accepted": False},
                ],
            },
        }
    )
    expected = keccak(b"\x19" + message.version + message.header + message.body)
    assert registration_digest(MADE, 8453, REGISTRY).raw == expected
    assert registration_digest(MADE, 8454, REGISTRY).raw != expected
    assert registration_digest(MADE, 8453, MADE.owner).raw != expected


def test_each_system_and_version_has_a_selector_of_its_own() -> None:
    known = {
        verifier_selector(*named) for named in (("a", "1"), ("a", "2"), ("b", "1"), ("a1", ""))
    }
    assert len(known) == 4
    assert all(len(selector) == 4 for selector in known)


def test_a_content_id_is_the_digest_of_the_bytes() -> None:
    # The block of no bytes, as IPFS writes it.
    empty = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    assert content_id_text(raw_content_id(b"")) == empty
    assert parse_content_id(empty) == b"\x01\x55\x12\x20" + hashlib.sha256(b"").digest()
    folder = b"\x01\x70\x12\x20" + bytes(32)
    assert parse_content_id(content_id_text(folder)) == folder


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",  # a CIDv0
        "BAFKREIHDWDCEFGH4DQKJV67UZCMW7OJEE6XEDZDETOJUZJEVTENXQUVYKU",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvykv",  # bits behind the end
        "b" + "a" * 58,
    ],
)
def test_what_is_no_content_id_is_refused(text: str) -> None:
    with rejects(
        Reason.CONTENT_ID_MALFORMED,
        f"{text!r} is not a content id; write a CIDv1 in base32, of a raw block or a DAG, by "
        "SHA-256",
        kind=RequestRejected,
    ):
        parse_content_id(text)


def test_prices_are_atomic_units_of_a_token() -> None:
    token = Address.from_hex(TOKEN)
    assert parse_price(f"{TOKEN}=250000") == TokenPrice(token, 250_000)
    assert parse_price(f"{TOKEN}=0") == TokenPrice(token, 0)
    assert parse_price(f"{TOKEN}=none") == TokenPrice(token, None)
    assert parse_price(f"{TOKEN}={2**128 - 1}").amount == 2**128 - 1


@pytest.mark.parametrize(
    "text", ["", TOKEN, f"{TOKEN}=", f"{TOKEN}=0.25", f"{TOKEN}=-1", f"{TOKEN}=01",
             f"{TOKEN}={2**128}", "USDC=1", f"{TOKEN}=1 "]
)  # fmt: skip
def test_what_is_no_price_is_refused(text: str) -> None:
    with rejects(
        Reason.TOKEN_PRICE_MALFORMED,
        f"{text!r} is not a price; write TOKEN=AMOUNT with the token's address and its atomic "
        "units below 2^128, or TOKEN=none",
        kind=RequestRejected,
    ):
        parse_price(text)
