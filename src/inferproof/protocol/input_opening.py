"""The opening of a private input's commitment, and how often the input may be opened by proofs.

Whoever has the secret, the input and the verifier bundle computes the root that a statement names.
The secret is drawn for one job and goes to prover and payer alone; it alone determines how the
input is hidden, so that attempts at the job open one tree, a bounded number of times.
Source: specs/statement.md, section "Private inputs".
"""

from dataclasses import dataclass, field

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import tagged_digest
from inferproof.protocol.fields import Fields
from inferproof.types.digest import Digest
from inferproof.types.proof import Statement

FORMAT = "inferproof/input-opening/1"
MAX_BYTES = 4096
SECRET_BYTES = 32
ATTEMPTS = 8
"""How often the commitment to one input is opened at most (specs/private-input.md, section 8)."""
ATTEMPTS_TAG = "inferproof/input-attempts/1"


@dataclass(frozen=True, slots=True)
class InputOpening:
    """What a payer opens the commitment to its input with.

    `secret` is 32 bytes from the operating system. Soundness of hiding: nobody but prover and payer
    has it, and it is never printed.
    """

    job_id: Digest
    model_commitment: Digest
    input_commitment: Digest
    secret: bytes = field(repr=False)


def attempts_name(secret: bytes) -> Digest:
    """What the attempts of a job are counted under; copies of its secret share the count."""
    return tagged_digest(ATTEMPTS_TAG, secret)


def encode_input_opening(opening: InputOpening) -> bytes:
    """The one byte form of an opening."""
    return encode_document(
        FORMAT,
        {
            "job_id": opening.job_id.hex,
            "model_commitment": opening.model_commitment.hex,
            "input_commitment": opening.input_commitment.hex,
            "secret": "0x" + opening.secret.hex(),
        },
    )


def decode_input_opening(data: bytes) -> InputOpening:
    """The opening that these bytes are. Raises: ProofRejected with a decoding reason.

    Soundness: it opens nothing until the root was computed again and compared.
    """
    return decode_document(data, FORMAT, _read, max_bytes=MAX_BYTES, kind=ProofRejected)


def check_same_job(opening: InputOpening, statement: Statement) -> None:
    """Returns when the opening is for the input of this statement, whatever that is.

    Raises: ProofRejected PROOF_OTHER_OPENING.
    """
    named = (opening.job_id, opening.model_commitment, opening.input_commitment)
    if named != (statement.job_id, statement.model_commitment, statement.input_commitment):
        raise ProofRejected(
            Reason.PROOF_OTHER_OPENING, got=opening.job_id, expected=statement.job_id
        )


def _read(fields: Fields) -> InputOpening:
    opening = InputOpening(
        job_id=fields.digest("job_id"),
        model_commitment=fields.digest("model_commitment"),
        input_commitment=fields.digest("input_commitment"),
        secret=fields.hex_bytes("secret", length=SECRET_BYTES),
    )
    fields.end()
    return opening
