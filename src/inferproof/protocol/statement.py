"""The statement as an EIP-712 struct, and its digest. Source: specs/statement.md."""

from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, Struct, digest, hash_struct
from inferproof.types.digest import Digest
from inferproof.types.proof import Statement

_FIELDS: dict[str, str | Struct | tuple[Struct]] = {
    "jobId": "bytes32",
    "modelCommitment": "bytes32",
    "inputCommitment": "bytes32",
    "outputCommitment": "bytes32",
    "proofSystem": "string",
    "provider": "address",
    "version": "uint16",
}
STATEMENT = Struct("Statement", _FIELDS)
PRIVATE_STATEMENT = Struct("PrivateStatement", _FIELDS)
"""Of a private input: a type of its own, so that no such statement passes for another."""


def statement_struct(*, private_input: bool) -> Struct:
    """The struct of statements about such an input."""
    return PRIVATE_STATEMENT if private_input else STATEMENT


def statement_value(statement: Statement) -> dict[str, object]:
    """The statement's fields under the names of its struct."""
    return {
        "jobId": statement.job_id,
        "modelCommitment": statement.model_commitment,
        "inputCommitment": statement.input_commitment,
        "outputCommitment": statement.output_commitment,
        "proofSystem": statement.proof_system,
        "provider": statement.provider,
        "version": statement.version,
    }


def statement_digest(statement: Statement) -> Digest:
    """The digest that a proof binds and that a contract can recompute."""
    struct = statement_struct(private_input=statement.private_input)
    return digest(INFERPROOF_DOMAIN, hash_struct(struct, statement_value(statement)))
