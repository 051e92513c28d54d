"""Writes the test vectors beside it: small JSON files that any language can read.

    python vectors/generate.py            writes the files
    python vectors/generate.py --check    exits with 1 where a file differs

Bytes are lower-case hex with 0x; whole numbers that may pass 2^53 are decimal strings. Every
entry has a `description`. The keys are derived from public strings and guard nothing.
"""

import json
import struct
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from integer_graphs import integer_graphs

from inferproof.errors import RequestRejected
from inferproof.protocol.authorization import (
    TRANSFER_WITH_AUTHORIZATION,
    asset_domain,
    authorization_digest,
    authorization_json,
)
from inferproof.protocol.claims import derive_claims
from inferproof.protocol.commitments import (
    bound_nonce,
    graph_commitment,
    hashed_input_commitment,
    input_commitment,
    job_id,
    model_commitment,
    output_commitment,
    preprocessing_digest,
    private_input_commitment,
    proof_digest,
    request_digest,
    weights_commitment,
)
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct
from inferproof.protocol.encoding import (
    canonical_json,
    encode_fixed_tensor,
    encode_tensor,
    keccak256,
    parse_canonical_json,
    tagged_digest,
)
from inferproof.protocol.input_opening import attempts_name, encode_input_opening
from inferproof.protocol.opening import KeyOpening, ModelOpening, PartOpening, encode_opening
from inferproof.protocol.proof_file import decode_proof_file, statement_json
from inferproof.protocol.quote import QUOTE, asset_json, quote_digest, quote_json
from inferproof.protocol.receipt import (
    encode_receipt_file,
    receipt_digest,
    receipt_json,
    receipt_struct,
)
from inferproof.protocol.reputation import (
    HALF_LIFE_S,
    Outcome,
    Reputation,
    following,
    left,
    score,
)
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.statement import PRIVATE_STATEMENT, STATEMENT, statement_digest
from inferproof.protocol.transfer import TRANSFER_CLAIM, claim_digest, claim_job_id
from inferproof.protocol.verifier_bundle import (
    encode_bundle,
    parts_json,
    quantisation_digest,
    srs_digest,
    verifying_key_digest,
)
from inferproof.testing.samples import (
    ANSWER,
    ASSET,
    GATEWAY,
    INPUTS,
    NONCE_SALT,
    OUTPUTS,
    PAYER,
    PAYMENTS,
    PRIVATE_REQUEST,
    SALT,
    Sample,
    TransferSample,
    sample_bundle,
    sample_preprocess,
    sample_receipt_file,
)
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.proof import Setup, Visibility
from inferproof.types.receipt import Receipt
from inferproof.types.tensor import FixedTensor, TensorSpec

HERE = Path(__file__).resolve().parent
SAMPLE = Sample()
PRIVATE = Sample(request=PRIVATE_REQUEST)
NAMED = sample_bundle(labels=("yes", "n\u00e9ant"))
FILE = sample_receipt_file(SAMPLE)
GRAPH = PartOpening(SAMPLE.bundle.parts.graph, keccak256(b"inferproof sample graph salt"))
WEIGHTS = PartOpening(SAMPLE.bundle.parts.weights, keccak256(b"inferproof sample weights salt"))
HIDDEN = replace(
    SAMPLE.bundle,
    parts=replace(
        SAMPLE.bundle.parts,
        graph=graph_commitment(GRAPH.salt, GRAPH.digest),
        weights=weights_commitment(WEIGHTS.salt, WEIGHTS.digest),
    ),
)
OPENED = ModelOpening(
    HIDDEN.commitment,
    GRAPH,
    WEIGHTS,
    {
        "axes": {"batch": 1, "named": {}},
        "bits": None,
        "margin": "2.5",
        "max_error": "0.05",
        "mode": None,
        "profile": "default",
    },
    KeyOpening(keccak256(b"inferproof sample key secret"), b"links"),
)
JsonObject = dict[str, Any]


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _types(struct: Struct) -> JsonObject:
    return {"primaryType": struct.name, "types": struct.types(), "typeHash": _hex(struct.type_hash)}


def tagged_digests() -> list[JsonObject]:
    cases: list[tuple[str, str, tuple[bytes, ...]]] = [
        ("a tag and nothing else", "inferproof/example/1", ()),
        ("one empty part", "inferproof/example/1", (b"",)),
        ("two empty parts are not one", "inferproof/example/1", (b"", b"")),
        ("parts 'ab' and 'c'", "inferproof/example/1", (b"ab", b"c")),
        (
            "parts 'a' and 'bc': another split, another digest",
            "inferproof/example/1",
            (b"a", b"bc"),
        ),
        ("the same parts under another tag", "inferproof/example/2", (b"a", b"bc")),
        ("a part longer than 255 bytes", "inferproof/example/1", (bytes(range(256)) * 2,)),
        ("a tag that is not ASCII is taken as UTF-8", "inferproof/é/1", (b"\xff",)),
    ]
    return [
        {
            "description": description,
            "tag": tag,
            "parts": [_hex(p) for p in parts],
            "digest": tagged_digest(tag, *parts).hex,
        }
        for description, tag, parts in cases
    ]


def canonical_jsons() -> JsonObject:
    valid: list[tuple[str, bytes]] = [
        ("null", b"null"),
        ("an empty object", b"{}"),
        ("keys sorted by code point", b'{"":0,"A":1,"Z":2,"a":3,"aa":4}'),
        (
            "U+FF61 before U+1F600: code points, not UTF-16 units",
            b'{"\\uff61":2,"\\ud83d\\ude00":1}',
        ),
        ("short escapes", b'"\\b\\t\\n\\f\\r\\"\\\\"'),
        ("other control characters and DEL in lower-case hex", b'"\\u0000\\u001f\\u007f"'),
        ("a solidus is not escaped", b'"/"'),
        ("the largest number", b"18446744073709551615"),
        ("the smallest number", b"-9223372036854775808"),
        ("32 brackets deep", b"[" * 32 + b"1" + b"]" * 32),
    ]
    invalid: list[tuple[str, bytes]] = [
        ("a key twice", b'{"a":1,"a":1}'),
        ("keys out of order", b'{"b":1,"a":2}'),
        ("sorted by UTF-16 unit", b'{"\\ud83d\\ude00":1,"\\uff61":2}'),
        ("a blank", b'{"a": 1}'),
        ("a line end", b"1\n"),
        ("a fraction", b"1.0"),
        ("an exponent", b"1e2"),
        ("minus zero", b"-0"),
        ("a leading zero", b"01"),
        ("one more than the largest number", b"18446744073709551616"),
        ("one less than the smallest number", b"-9223372036854775809"),
        ("not a number", b"NaN"),
        ("infinity", b"Infinity"),
        ("bytes beyond ASCII", '"é"'.encode()),
        ("an escape in upper-case hex", b'"\\u00E9"'),
        ("an escape that is not needed", b'"\\u0041"'),
        ("an escaped solidus", b'"\\/"'),
        ("DEL in the open", b'"\x7f"'),
        ("a lone surrogate", b'"\\ud800"'),
        ("a lone surrogate in a key", b'{"\\udc00":1}'),
        ("33 brackets deep", b"[" * 33 + b"]" * 33),
        ("a byte order mark", b"\xef\xbb\xbf1"),
        ("two values", b"1 1"),
        ("nothing", b""),
    ]
    for description, text in valid:
        if canonical_json(parse_canonical_json(text, max_bytes=1024)) != text:
            raise SystemExit(f"not canonical after all: {description}")
    for description, text in invalid:
        try:
            parse_canonical_json(text, max_bytes=1024)
        except RequestRejected:
            continue
        raise SystemExit(f"canonical after all: {description}")
    return {
        "valid": [{"description": d, "text": _hex(t)} for d, t in valid],
        "invalid": [{"description": d, "text": _hex(t)} for d, t in invalid],
    }


def tensors() -> JsonObject:
    floats: list[tuple[str, str, Any]] = [
        ("a vector", "x", np.array([1.5, -2, 0.25], np.float32)),
        ("a matrix, row by row", "m", np.arange(6, dtype=np.float32).reshape(2, 3)),
        ("a scalar has rank 0 and one value", "s", np.array(1, np.float32)),
        ("minus zero is written as zero", "z", np.array([-0.0], np.float32)),
        ("the smallest subnormal", "t", np.array([1e-45], np.float32)),
        ("a name beyond ASCII, in UTF-8", "é", np.array([0], np.float32)),
    ]
    fixed: list[tuple[str, FixedTensor]] = [
        ("two values of 2^-7", ANSWER[0]),
        ("the ends of int64", FixedTensor("e", (2,), (-(2**63), 2**63 - 1), 1.0)),
        ("a scalar", FixedTensor("s", (), (-1,), 0.1)),
    ]
    return {
        "float32": [
            {
                "description": description,
                "name": name,
                "shape": list(array.shape),
                "values_little_endian": _hex(array.astype("<f4").tobytes()),
                "encoding": _hex(encode_tensor(name, array)),
            }
            for description, name, array in floats
        ],
        "fixed": [
            {
                "description": description,
                "name": tensor.name,
                "shape": list(tensor.shape),
                "values": [str(v) for v in tensor.values],
                "scale_big_endian": _hex(struct.pack(">d", tensor.scale)),
                "encoding": _hex(encode_fixed_tensor(tensor)),
            }
            for description, tensor in fixed
        ],
    }


def commitments() -> list[JsonObject]:
    bundle = SAMPLE.bundle
    made = sample_preprocess({}, SAMPLE.request.body)
    hashes = (keccak256(b"first"), keccak256(b"second"))
    two_inputs = {"b": np.array([2], np.float32), "a": np.array([1], np.float32)}
    entries: list[JsonObject] = []
    for description, setup, srs in (
        ("a model whose system needs no set-up", Setup.NONE, b""),
        ("the same model with a ceremony's SRS", Setup.CEREMONY, b"srs"),
        ("the same model and SRS, said to be for development", Setup.DEVELOPMENT, b"srs"),
    ):
        parts = sample_bundle(setup=setup, srs=srs).parts
        entries.append(
            {
                "kind": "model",
                "description": description,
                "parts": parts_json(parts),
                "commitment": model_commitment(parts).hex,
            }
        )
    entries += [
        {
            "kind": "model-graph",
            "description": "a graph, salted",
            "salt": _hex(GRAPH.salt),
            "digest": GRAPH.digest.hex,
            "commitment": HIDDEN.parts.graph.hex,
        },
        {
            "kind": "model-weights",
            "description": "weights, salted apart",
            "salt": _hex(WEIGHTS.salt),
            "digest": WEIGHTS.digest.hex,
            "commitment": HIDDEN.parts.weights.hex,
        },
        {
            "kind": "preprocessing",
            "description": "pre-processing in canonical JSON",
            "canonical": bundle.preprocessing,
            "commitment": preprocessing_digest(dict(bundle.preprocessing)).hex,
        },
        {
            "kind": "quantisation",
            "description": "settings, inputs and outputs",
            "settings": _hex(bundle.settings),
            "inputs": _specs(INPUTS),
            "outputs": _specs(OUTPUTS),
            "commitment": quantisation_digest(bundle.settings, INPUTS, OUTPUTS).hex,
        },
        {
            "kind": "quantisation",
            "description": "the same with labels of the output's places",
            "settings": _hex(bundle.settings),
            "inputs": _specs(INPUTS),
            "outputs": _specs(NAMED.outputs),
            "commitment": NAMED.parts.quantisation.hex,
        },
        {
            "kind": "verifying-key",
            "description": "a verifying key",
            "data": _hex(b"key"),
            "commitment": verifying_key_digest(b"key").hex,
        },
        {
            "kind": "verifying-key",
            "description": "no verifying key: zero",
            "data": "0x",
            "commitment": verifying_key_digest(b"").hex,
        },
        {
            "kind": "srs",
            "description": "an SRS",
            "data": _hex(b"srs"),
            "commitment": srs_digest(b"srs").hex,
        },
        {
            "kind": "input-private",
            "description": "a private input, by its root",
            "proof_system": "sumcheck",
            "root": _hex(keccak256(b"inferproof sample root")),
            "commitment": private_input_commitment(
                "sumcheck", Digest(keccak256(b"inferproof sample root"))
            ).hex,
        },
        {
            "kind": "input-attempts",
            "description": "what attempts at a job are counted under, by the secret of its input",
            "secret": _hex(SALT),
            "commitment": attempts_name(SALT).hex,
        },
        {
            "kind": "request-private",
            "description": "a request for a private input",
            "salt": _hex(PRIVATE.request.salt or b""),
            "method": PRIVATE.request.method,
            "path": PRIVATE.request.path,
            "body": _hex(PRIVATE.request.body),
            "commitment": PRIVATE.request_digest().hex,
        },
        {
            "kind": "input",
            "description": "one tensor, salted",
            "salt": _hex(SALT),
            "encodings": [_hex(encode_tensor("x", made["x"]))],
            "commitment": input_commitment(SALT, made).hex,
        },
        {
            "kind": "input",
            "description": "two tensors, in order of their names",
            "salt": _hex(bytes(32)),
            "encodings": [_hex(encode_tensor(n, two_inputs[n])) for n in sorted(two_inputs)],
            "commitment": input_commitment(bytes(32), two_inputs).hex,
        },
        {
            "kind": "input-hashed",
            "description": "two hashes made inside the circuit",
            "proof_system": "sample",
            "hashes": [_hex(h) for h in hashes],
            "commitment": hashed_input_commitment("sample", hashes).hex,
        },
        {
            "kind": "output",
            "description": "one output",
            "encodings": [_hex(encode_fixed_tensor(o)) for o in ANSWER],
            "commitment": output_commitment(ANSWER).hex,
        },
        {
            "kind": "proof",
            "description": "the bytes of a proof file",
            "data": _hex(b"proof file"),
            "commitment": proof_digest(b"proof file").hex,
        },
        {
            "kind": "request",
            "description": "method, path and body",
            "method": SAMPLE.request.method,
            "path": SAMPLE.request.path,
            "body": _hex(SAMPLE.request.body),
            "commitment": SAMPLE.request_digest().hex,
        },
        {
            "kind": "request",
            "description": "an empty body",
            "method": "GET",
            "path": "/",
            "body": "0x",
            "commitment": request_digest("GET", "/", b"").hex,
        },
        {
            "kind": "nonce",
            "description": "the nonce that binds a payment to that request",
            "request_digest": SAMPLE.request_digest().hex,
            "salt": _hex(NONCE_SALT),
            "commitment": bound_nonce(SAMPLE.request_digest(), NONCE_SALT).hex,
        },
        _job("the job that the payment buys", SAMPLE, Digest(NONCE_SALT)),
        _job("a job whose payer announced no salt: zero", Sample(nonce_salt=None), None),
    ]
    return entries


def _job(description: str, sample: Sample, salt: Digest | None) -> JsonObject:
    nonce, request = sample.authorization().nonce, sample.request_digest()
    made = job_id(ASSET.network, ASSET.address, PAYER.address, nonce, request, salt)
    return {
        "kind": "job",
        "description": description,
        "network": ASSET.network.caip2,
        "token": ASSET.address.hex,
        "payer": PAYER.address.hex,
        "nonce": nonce.hex,
        "request_digest": request.hex,
        "salt": (salt or ZERO_DIGEST).hex,
        "commitment": made.hex,
    }


def _specs(specs: tuple[TensorSpec, ...]) -> list[JsonObject]:
    return [
        {"name": s.name, "dtype": s.dtype, "shape": list(s.shape)}
        | ({"labels": list(s.labels)} if s.labels else {})
        for s in specs
    ]


def _key(name: str, key: SigningKey) -> JsonObject:
    return {
        "description": f"the sample {name}",
        "secret": _hex(key.secret()),
        "address": key.address.hex,
    }


def statements() -> JsonObject:
    entries = []
    for visibility in Visibility:
        sample = Sample(bundle=sample_bundle(visibility=visibility))
        statement = decode_proof_file(sample.proof()).statement
        entries.append(
            {
                "description": f"the sample statement, input {visibility.value}",
                "statement": statement_json(statement),
                "digest": statement_digest(statement).hex,
            }
        )
    return {
        "domain": {"name": "inferproof", "version": "1"},
        "domainSeparator": INFERPROOF_DOMAIN.hex,
        **_types(STATEMENT),
        "statements": entries,
    }


def private_statements() -> JsonObject:
    statement = decode_proof_file(PRIVATE.proof()).statement
    return {
        "domain": {"name": "inferproof", "version": "1"},
        "domainSeparator": INFERPROOF_DOMAIN.hex,
        **_types(PRIVATE_STATEMENT),
        "statements": [
            {
                "description": "the sample statement, about a private input",
                "statement": statement_json(statement),
                "digest": statement_digest(statement).hex,
            }
        ],
    }


def private_receipts() -> JsonObject:
    file = sample_receipt_file(PRIVATE)
    return {
        "domainSeparator": INFERPROOF_DOMAIN.hex,
        **_types(receipt_struct(PAYMENTS["exact"].form, private_input=True)),
        "key": _key("gateway", GATEWAY),
        "receipts": [
            {
                "description": "about a private input",
                "receipt": _receipt(file.receipt),
                "digest": receipt_digest(file.receipt, PAYMENTS).hex,
                "signature": _hex(file.signature),
            }
        ],
    }


def quotes() -> JsonObject:
    quote = SAMPLE.quote()
    return {
        "domainSeparator": INFERPROOF_DOMAIN.hex,
        **_types(QUOTE),
        "key": _key("gateway", GATEWAY),
        "quotes": [
            {
                "description": "the sample quote, for one request",
                "quote": quote_json(quote),
                "digest": quote_digest(quote).hex,
                "signature": _hex(GATEWAY.sign(quote_digest(quote))),
            }
        ],
    }


def authorizations() -> JsonObject:
    payment = SAMPLE.authorization()
    return {
        **_types(TRANSFER_WITH_AUTHORIZATION),
        "asset": asset_json(ASSET),
        "domainSeparator": asset_domain(ASSET).hex,
        "key": _key("payer", PAYER),
        "authorizations": [
            {
                "description": "the sample payment; its nonce is bound to the request",
                "authorization": authorization_json(payment),
                "digest": authorization_digest(payment).hex,
            }
        ],
    }


def _receipt(receipt: Receipt) -> JsonObject:
    """The receipt as JSON, its payment's members in the order of the signed struct."""
    value: JsonObject = receipt_json(receipt)
    struct = receipt_struct(PAYMENTS[receipt.payment.method].form).fields["payment"]
    assert isinstance(struct, Struct)  # noqa: S101 - see receipt_struct
    return {**value, "payment": {name: value["payment"][name] for name in struct.fields}}


def receipts() -> JsonObject:
    samples = [
        ("settled, nonce bound to the request", SAMPLE),
        (
            "pending, nonce not bound: salt, transaction and block are zero in the struct",
            Sample(nonce_salt=None, settlement=Settlement(SettlementState.PENDING)),
        ),
    ]
    entries = []
    for description, sample in samples:
        file = sample_receipt_file(sample)
        entries.append(
            {
                "description": description,
                "receipt": _receipt(file.receipt),
                "digest": receipt_digest(file.receipt, PAYMENTS).hex,
                "signature": _hex(file.signature),
            }
        )
    return {
        "domainSeparator": INFERPROOF_DOMAIN.hex,
        **_types(receipt_struct(PAYMENTS["exact"].form)),
        "key": _key("gateway", GATEWAY),
        "receipts": entries,
    }


def claims() -> JsonObject:
    """The claims of one settled receipt by how many values lie beyond the range."""
    entries = []
    for description, beyond in (
        ("no range, or a receipt of before it was claimed", None),
        ("every value in the range", 0),
        ("one value beyond it", 1),
        ("many values beyond it", 1234),
    ):
        found = derive_claims(
            SAMPLE.bundle.parts,
            SAMPLE.settlement,
            Sample(nonce_salt=None).claims(),
            out_of_range=beyond,
        )
        entries.append(
            {
                "description": description,
                "outOfRange": beyond,
                "claims": [
                    {
                        "name": claim.name,
                        "status": claim.status.value,
                        "source": claim.source.value,
                        "reason": claim.reason,
                    }
                    for claim in found
                ],
            }
        )
    return {"claims": entries}


def transfer_claims() -> JsonObject:
    entries = []
    for description, sample in (
        ("any log of the transaction: 2^64 - 1 in the struct", TransferSample()),
        ("log 3 of the transaction", TransferSample(named=True)),
    ):
        claim = sample.claim()
        entries.append(
            {
                "description": description,
                "claim": {
                    "network": claim.asset.network.caip2,
                    "token": claim.asset.address.hex,
                    "payer": claim.payer.hex,
                    "payee": claim.payee.hex,
                    "transaction": claim.transaction.hex,
                    "logIndex": claim.log_index,
                    "requestDigest": claim.request.hex,
                    "salt": claim.salt.hex,
                },
                "digest": claim_digest(claim).hex,
                "signature": _hex(claim.signature),
                "jobId": claim_job_id(claim).hex,
            }
        )
    return {
        "domainSeparator": INFERPROOF_DOMAIN.hex,
        **_types(TRANSFER_CLAIM),
        "key": _key("payer", PAYER),
        "claims": entries,
    }


def transfer_receipts() -> JsonObject:
    entries = []
    for description, sample in (
        ("paid by an earlier transfer, whose log the gateway chose", TransferSample()),
        ("paid by an earlier transfer, whose log the payer named", TransferSample(named=True)),
    ):
        file = sample_receipt_file(sample)
        entries.append(
            {
                "description": description,
                "receipt": _receipt(file.receipt),
                "digest": receipt_digest(file.receipt, PAYMENTS).hex,
                "signature": _hex(file.signature),
            }
        )
    return {
        "domainSeparator": INFERPROOF_DOMAIN.hex,
        **_types(receipt_struct(PAYMENTS["transfer"].form)),
        "key": _key("gateway", GATEWAY),
        "receipts": entries,
    }


def documents() -> list[JsonObject]:
    return [
        {"description": d, "text": data.decode("ascii")}
        for d, data in (
            ("the sample proof file, input public", SAMPLE.proof()),
            (
                "the sample proof file, input hashed",
                Sample(bundle=sample_bundle(visibility=Visibility.HASHED)).proof(),
            ),
            ("the sample proof file, input private", PRIVATE.proof()),
            ("the opening of its input", encode_input_opening(PRIVATE.opening())),
            (
                "the sample receipt file about a private input",
                encode_receipt_file(sample_receipt_file(PRIVATE)),
            ),
            ("the sample verifier bundle", encode_bundle(SAMPLE.bundle)),
            ("the sample verifier bundle with labels", encode_bundle(NAMED)),
            ("a verifier bundle whose graph and weights can be opened", encode_bundle(HIDDEN)),
            ("the opening of its graph, weights and key", encode_opening(OPENED)),
            (
                "the opening of its graph alone",
                encode_opening(replace(OPENED, weights=None, key=None)),
            ),
            ("the sample receipt file, everything attached", encode_receipt_file(FILE)),
        )
    ]


def reputations() -> dict[str, list[JsonObject]]:
    """Numbers that do not fit 64 bits, and those beside them, are decimal texts."""
    day = 86_400
    shares = [
        ("nothing has passed", 0),
        ("a second", 1),
        ("a day", day),
        ("just before it halves", HALF_LIFE_S - 1),
        ("it has halved", HALF_LIFE_S),
        ("a hundred days", 100 * day),
        ("the last second in which anything is left", 56 * HALF_LIFE_S - 1),
        ("all is gone", 56 * HALF_LIFE_S),
    ]
    start = 1_800_000_000
    valid, late, missed, rescued = (int(o) for o in Outcome)
    histories = [
        ("a first delivery", [(valid, 250_000, start)]),
        ("a first order, missed", [(missed, 250_000, start)]),
        (
            "one of each",
            [
                (valid, 90_000_000, start),
                (late, 7_000_003, start + 60),
                (rescued, 40_000_000, start + 9 * day),
                (missed, 10_000_001, start + 45 * day + 17),
            ],
        ),
        ("two in one block", [(valid, 5_000_000, start), (valid, 5_000_000, start)]),
        ("what counts nothing is counted", [(valid, 0, start), (missed, 0, start + day)]),
        (
            "amounts end at their largest",
            [(valid, 2**56, start), (missed, 2**192, start), (valid, 1, start + day)],
        ),
        ("years later", [(valid, 10**12, start), (valid, 1, start + 2_000 * day)]),
    ]
    return {
        "shares": [
            {"description": d, "elapsed": elapsed, "left": str(left(elapsed))}
            for d, elapsed in shares
        ],
        "histories": [_history(d, steps) for d, steps in histories],
    }


def _history(description: str, steps: list[tuple[int, int, int]]) -> JsonObject:
    kept = Reputation()
    for outcome, value, time in steps:
        kept = following(kept, Outcome(outcome), value, time)
    asked = [kept.at, kept.at + 1, kept.at + HALF_LIFE_S, kept.at + 60 * HALF_LIFE_S]
    return {
        "description": description,
        "outcomes": [outcome for outcome, _, _ in steps],
        "values": [str(value) for _, value, _ in steps],
        "times": [time for _, _, time in steps],
        **{f.name: str(getattr(kept, f.name)) for f in fields(kept)},
        "asked": asked,
        "scores": [score(kept, time) for time in asked],
    }


FILES = {
    "tagged_digest.json": tagged_digests,
    "canonical_json.json": canonical_jsons,
    "tensors.json": tensors,
    "commitments.json": commitments,
    "statement.json": statements,
    "private_statement.json": private_statements,
    "private_receipt.json": private_receipts,
    "quote.json": quotes,
    "authorization.json": authorizations,
    "receipt.json": receipts,
    "claims.json": claims,
    "transfer_claim.json": transfer_claims,
    "transfer_receipt.json": transfer_receipts,
    "documents.json": documents,
    "integer_graphs.json": integer_graphs,
    "reputation.json": reputations,
}


def texts() -> dict[str, str]:
    """What each file holds."""
    return {
        name: json.dumps(make(), indent=1, ensure_ascii=True) + "\n" for name, make in FILES.items()
    }


def main(arguments: list[str]) -> int:
    different = []
    for name, text in texts().items():
        path = HERE / name
        if arguments == ["--check"]:
            if not path.is_file() or path.read_text(encoding="ascii") != text:
                different.append(name)
        else:
            path.write_text(text, encoding="ascii")
    for name in different:
        print(f"{name} is not what vectors/generate.py writes")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
