"""The vectors are what the generator writes, and others compute the same from them.

What stands here computes digests without inferproof: Keccak from eth-utils, EIP-712 and
signatures from eth-account, JSON from the standard library.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from inferproof.errors import RequestRejected
from inferproof.protocol.claims import derive_claims
from inferproof.protocol.encoding import parse_canonical_json
from inferproof.protocol.input_opening import decode_input_opening
from inferproof.protocol.opening import check_opening, decode_opening, encode_opening
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.testing.samples import (
    PRIVATE_REQUEST,
    SETTLED,
    Sample,
    SampleChecker,
    sample_bundle,
    sample_preprocess,
    sample_tools,
)
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.proof import check_own_input
from inferproof.verify.receipt import verify_receipt

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
ALL = sorted(p.name for p in VECTORS.glob("*.json"))


def _load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="ascii"))


def _bytes(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def _tagged(tag: str, *parts: bytes) -> str:
    body = b"".join(len(p).to_bytes(8, "big") + p for p in parts)
    return "0x" + keccak(keccak(tag.encode()) + body).hex()


@pytest.mark.native  # it says why bytes are no graph
def test_the_files_are_what_the_generator_writes() -> None:
    run = subprocess.run(
        [sys.executable, VECTORS / "generate.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


def test_every_entry_says_what_it_is() -> None:
    def entries(value: Any) -> Any:
        if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
            yield from value
        elif isinstance(value, dict):
            for key, item in value.items():
                if key != "types":
                    yield from entries(item)

    assert len(ALL) == 16
    for name in ALL:
        found = list(entries(_load(name)))
        assert found, name
        assert all(e["description"] for e in found), name


@pytest.mark.parametrize("entry", _load("tagged_digest.json"), ids=lambda e: e["description"])
def test_tagged_digests(entry: dict[str, Any]) -> None:
    assert _tagged(entry["tag"], *map(_bytes, entry["parts"])) == entry["digest"]


@pytest.mark.parametrize(
    "entry", _load("canonical_json.json")["valid"], ids=lambda e: e["description"]
)
def test_canonical_json(entry: dict[str, str]) -> None:
    text = _bytes(entry["text"])
    again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), allow_nan=False)
    assert again.encode("ascii") == text
    parse_canonical_json(text, max_bytes=1024)


@pytest.mark.parametrize(
    "entry", _load("canonical_json.json")["invalid"], ids=lambda e: e["description"]
)
def test_json_that_is_not_canonical(entry: dict[str, str]) -> None:
    with pytest.raises(RequestRejected, match="not canonical"):
        parse_canonical_json(_bytes(entry["text"]), max_bytes=1024)


def _header(entry: dict[str, Any]) -> bytes:
    name, shape = entry["name"].encode(), entry["shape"]
    return (
        len(name).to_bytes(4, "little")
        + name
        + len(shape).to_bytes(4, "little")
        + b"".join(d.to_bytes(8, "little") for d in shape)
    )


@pytest.mark.parametrize("entry", _load("tensors.json")["float32"], ids=lambda e: e["description"])
def test_float_tensors(entry: dict[str, Any]) -> None:
    data = _bytes(entry["values_little_endian"])
    words = [data[at : at + 4] for at in range(0, len(data), 4)]
    values = [bytes(4) if word == b"\0\0\0\x80" else word for word in words]
    assert _header(entry) + b"".join(values) == _bytes(entry["encoding"])


@pytest.mark.parametrize("entry", _load("tensors.json")["fixed"], ids=lambda e: e["description"])
def test_fixed_tensors(entry: dict[str, Any]) -> None:
    scale = _bytes(entry["scale_big_endian"])[::-1]
    values = b"".join(int(v).to_bytes(8, "little", signed=True) for v in entry["values"])
    assert _header(entry) + scale + values == _bytes(entry["encoding"])


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _parts(e: dict[str, Any]) -> list[bytes]:
    match e["kind"]:
        case "model":
            p = e["parts"]
            return [
                *(_bytes(p[k]) for k in ("graph", "weights", "preprocessing", "quantisation")),
                *(p[k].encode() for k in ("proof_system", "proof_system_version", "visibility")),
                *(_bytes(p[k]) for k in ("verifying_key", "srs")),
                p["setup"].encode(),
            ]
        case "model-graph" | "model-weights":
            return [_bytes(e["salt"]), _bytes(e["digest"])]
        case "preprocessing":
            return [_canonical(e["canonical"])]
        case "quantisation":
            specs = {"inputs": e["inputs"], "outputs": e["outputs"]}
            return [_bytes(e["settings"]), _canonical(specs)]
        case "verifying-key" | "srs" | "proof":
            return [_bytes(e["data"])]
        case "input":
            return [_bytes(e["salt"]), *map(_bytes, e["encodings"])]
        case "input-private":
            return [e["proof_system"].encode(), _bytes(e["root"])]
        case "input-attempts":
            return [_bytes(e["secret"])]
        case "request-private":
            sent = (e["method"].encode(), e["path"].encode(), _bytes(e["body"]))
            return [_bytes(e["salt"]), *sent]
        case "input-hashed":
            return [e["proof_system"].encode(), *map(_bytes, e["hashes"])]
        case "output":
            return [*map(_bytes, e["encodings"])]
        case "request":
            return [e["method"].encode(), e["path"].encode(), _bytes(e["body"])]
        case "nonce":
            return [_bytes(e["request_digest"]), _bytes(e["salt"])]
        case "job":
            keys = ("token", "payer", "nonce", "request_digest", "salt")
            return [e["network"].encode(), *(_bytes(e[k]) for k in keys)]
    raise AssertionError(e["kind"])


@pytest.mark.parametrize("entry", _load("commitments.json"), ids=lambda e: e["description"])
def test_commitments(entry: dict[str, Any]) -> None:
    expected = _tagged(f"inferproof/{entry['kind']}/1", *_parts(entry))
    if entry["kind"] in ("verifying-key", "srs") and entry["data"] == "0x":
        expected = "0x" + "00" * 32
    assert entry["commitment"] == expected


def _message(kind: str, value: Any, types: dict[str, Any]) -> Any:
    if kind.endswith("[]"):
        return [_message(kind[:-2], v, types) for v in value]
    if kind in types:
        return {f["name"]: _message(f["type"], value[f["name"]], types) for f in types[kind]}
    if kind.startswith("uint"):
        return int(value or 0)
    if kind.startswith("bytes"):
        return _bytes(value) if value is not None else bytes(32)
    return value


def _digest(vector: dict[str, Any], domain: dict[str, Any], value: dict[str, Any]) -> bytes:
    types = vector["types"]
    signable = encode_typed_data(
        domain_data=domain,
        message_types=types,
        message_data=_message(vector["primaryType"], value, types),
    )
    assert signable.header.hex() == vector["domainSeparator"][2:]
    return keccak(b"\x19\x01" + signable.header + signable.body)


OURS = {"name": "inferproof", "version": "1"}


@pytest.mark.parametrize(
    ("file", "entries", "field", "domain"),
    [
        ("statement.json", "statements", "statement", OURS),
        ("private_statement.json", "statements", "statement", OURS),
        ("private_receipt.json", "receipts", "receipt", OURS),
        ("quote.json", "quotes", "quote", OURS),
        ("receipt.json", "receipts", "receipt", OURS),
        ("authorization.json", "authorizations", "authorization", None),
    ],
)
def test_typed_data(file: str, entries: str, field: str, domain: dict[str, Any] | None) -> None:
    vector = _load(file)
    if domain is None:
        asset = vector["asset"]
        domain = {
            "name": asset["domainName"],
            "version": asset["domainVersion"],
            "chainId": int(asset["network"].removeprefix("eip155:")),
            "verifyingContract": asset["token"],
        }
    for entry in vector[entries]:
        value = dict(entry[field])
        if field == "authorization":
            value |= {"from": value["payer"], "to": value["payee"], "value": value["amount"]}
        digest = _digest(vector, domain, value)
        assert "0x" + digest.hex() == entry["digest"]
        signature = entry.get("signature") or value.get("signature")
        if signature:
            key = vector["key"]
            signed = Account.from_key(key["secret"]).unsafe_sign_hash(digest)
            assert "0x" + bytes(signed.signature).hex() == signature
            assert Account.from_key(key["secret"]).address.lower() == key["address"]


def test_the_whole_receipt_in_the_vectors_verifies() -> None:
    text = _load("documents.json")[-1]["text"]
    policy = Policy(minimum_assurance=Assurance.COMMITMENT)
    verified = verify_receipt(text.encode("ascii"), policy, sample_tools())
    assert verified.digest.hex == _load("receipt.json")["receipts"][0]["digest"]


def test_the_private_receipt_verifies_and_its_opening_opens_the_proof_in_it() -> None:
    texts = [entry["text"].encode("ascii") for entry in _load("documents.json")]
    proof, opening, receipt = texts[2:5]
    policy = Policy(minimum_assurance=Assurance.COMMITMENT)
    verified = verify_receipt(receipt, policy, sample_tools())
    assert verified.digest.hex == _load("private_receipt.json")["receipts"][0]["digest"]
    assert verified.file.proof == proof
    own = sample_preprocess({}, PRIVATE_REQUEST.body)
    opened = decode_input_opening(opening)
    check_own_input(verified.proof, verified.bundle, SampleChecker(), own, opened)


def test_the_openings_open_the_bundle_before_them() -> None:
    *_, bundle, opening, partial, _ = (
        entry["text"].encode("ascii") for entry in _load("documents.json")
    )
    opened = check_opening(decode_opening(opening), decode_bundle(bundle))
    assert check_opening(decode_opening(partial), decode_bundle(bundle)).graph == opened.graph
    assert encode_opening(opened) == opening
    for entry in _load("commitments.json"):
        if entry["kind"] in ("model-graph", "model-weights"):
            assert entry["commitment"].encode() in bundle


def test_claims_follow_from_the_values_beyond_the_range() -> None:
    paid = Sample(nonce_salt=None).claims()
    for entry in _load("claims.json")["claims"]:
        found = derive_claims(
            sample_bundle().parts, SETTLED, paid, out_of_range=entry["outOfRange"]
        )
        told = [[c.name, c.status.value, c.source.value, c.reason] for c in found]
        assert told == [list(claim.values()) for claim in entry["claims"]]
