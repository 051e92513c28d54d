"""Commitments to models, inputs, outputs, requests, jobs and proofs. Source: specs/statement.md."""

from collections.abc import Sequence

from inferproof.protocol.encoding import (
    canonical_json,
    encode_fixed_tensor,
    encode_tensor,
    tagged_digest,
)
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Network
from inferproof.types.proof import ModelParts
from inferproof.types.tensor import FixedTensor, Tensors

MODEL_TAG = "inferproof/model/1"
GRAPH_TAG = "inferproof/model-graph/1"
WEIGHTS_TAG = "inferproof/model-weights/1"
INPUT_TAG = "inferproof/input/1"
HASHED_INPUT_TAG = "inferproof/input-hashed/1"
PRIVATE_INPUT_TAG = "inferproof/input-private/1"
OUTPUT_TAG = "inferproof/output/1"
PROOF_TAG = "inferproof/proof/1"
REQUEST_TAG = "inferproof/request/1"
PRIVATE_REQUEST_TAG = "inferproof/request-private/1"
NONCE_TAG = "inferproof/nonce/1"
JOB_TAG = "inferproof/job/1"
REFUND_TAG = "inferproof/refund/1"


def model_commitment(parts: ModelParts) -> Digest:
    """The model's identity: one digest over everything that defines the proven function."""
    return tagged_digest(
        MODEL_TAG,
        parts.graph.raw,
        parts.weights.raw,
        parts.preprocessing.raw,
        parts.quantisation.raw,
        parts.proof_system.encode(),
        parts.proof_system_version.encode(),
        parts.visibility.value.encode(),
        parts.verifying_key.raw,
        parts.srs.raw,
        parts.setup.value.encode(),
    )


def graph_commitment(salt: bytes, graph: Digest) -> Digest:
    """The salted commitment to a model's graph, by the digest of its canonical form.

    Soundness: hiding while `salt` (32 random bytes) is unknown, also from who knows the graph.
    """
    _require_salt(salt)
    return tagged_digest(GRAPH_TAG, salt, graph.raw)


def weights_commitment(salt: bytes, weights: Digest) -> Digest:
    """The salted commitment to a model's weights, by their digest. Soundness: as the graph's,
    under a salt of its own.
    """
    _require_salt(salt)
    return tagged_digest(WEIGHTS_TAG, salt, weights.raw)


def preprocessing_digest(canonical: dict[str, object]) -> Digest:
    """The digest of a pre-processing in its canonical form (JSON without floats)."""
    return tagged_digest("inferproof/preprocessing/1", canonical_json(canonical))  # type: ignore[arg-type]


def input_commitment(salt: bytes, tensors: Tensors) -> Digest:
    """The salted commitment to a disclosed input. Tensors are taken in order of their names.

    Soundness: hiding only while `salt` (32 random bytes) is unknown.
    """
    _require_salt(salt)
    encoded = [encode_tensor(name, tensors[name]) for name in sorted(tensors)]
    return tagged_digest(INPUT_TAG, salt, *encoded)


def hashed_input_commitment(proof_system: str, hashes: Sequence[bytes]) -> Digest:
    """The commitment to an input that the proof shows only as hashes made inside the circuit.

    Soundness: hiding only if the proof system puts a random salt into the hashed message.
    """
    return tagged_digest(HASHED_INPUT_TAG, proof_system.encode(), *hashes)


def private_input_commitment(proof_system: str, root: Digest) -> Digest:
    """The commitment to a private input, by the root of the proof system's own commitment to it.

    Soundness: as hiding and as binding as the proof system's root.
    """
    return tagged_digest(PRIVATE_INPUT_TAG, proof_system.encode(), root.raw)


def output_commitment(outputs: Sequence[FixedTensor]) -> Digest:
    """The commitment to all outputs, in the graph's order. Not salted: outputs are disclosed."""
    return tagged_digest(OUTPUT_TAG, *(encode_fixed_tensor(o) for o in outputs))


def proof_digest(proof: bytes) -> Digest:
    """The digest that names a proof file, and under which it is stored."""
    return tagged_digest(PROOF_TAG, proof)


def request_digest(method: str, path: str, body: bytes, salt: bytes | None = None) -> Digest:
    """The digest of the request that a payment is for.

    `path` is the path alone, percent-encoded as sent, without scheme, host or query;
    `body` is the bytes as sent. With a salt it asks for a private input, under a tag of its own.

    Soundness: hides the body only where there is a salt, while that (32 random bytes) is unknown.
    """
    parts = (method.upper().encode(), path.encode(), body)
    if salt is None:
        return tagged_digest(REQUEST_TAG, *parts)
    _require_salt(salt)
    return tagged_digest(PRIVATE_REQUEST_TAG, salt, *parts)


def bound_nonce(request: Digest, salt: bytes) -> Digest:
    """The EIP-3009 nonce that binds an authorization to one request.

    The salt (32 bytes, announced with the payment) lets a buyer pay for the same request
    again on purpose; keeping it makes a retry the same payment.
    """
    _require_salt(salt)
    return tagged_digest(NONCE_TAG, request.raw, salt)


def job_id(
    network: Network,
    token: Address,
    payer: Address,
    nonce: Digest,
    request: Digest,
    salt: Digest | None,
) -> Digest:
    """The job that a payment buys: the payment's key, the paid request, and the nonce's salt.

    `salt` is the one that was announced with the payment, not zero; None where none was.

    Soundness: the first four are on the chain once the payment is settled, so the id is hidden
    by salt and request alone: by a salt of 32 random bytes, or else as well as the request is
    hard to guess. That one payment is one job is kept by the reservation, not by the id.
    """
    return tagged_digest(
        JOB_TAG,
        network.caip2.encode(),
        token.raw,
        payer.raw,
        nonce.raw,
        request.raw,
        (salt or ZERO_DIGEST).raw,
    )


def refund_mark(job: Digest) -> Digest:
    """What the refund of a job carries on the chain.

    Soundness: two jobs have two marks; and the mark does not give the id away, by which the job
    could be read.
    """
    return tagged_digest(REFUND_TAG, job.raw)


def _require_salt(salt: bytes) -> None:
    if len(salt) != 32:
        raise ValueError("a salt is 32 bytes")
