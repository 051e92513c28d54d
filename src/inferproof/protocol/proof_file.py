"""The proof file: one self-contained file with statement, disclosed input, outputs and proof.

Source: specs/statement.md, section "Proof file".
"""

import math
import struct
from dataclasses import dataclass, replace

import numpy as np

from inferproof.errors import ProofRejected
from inferproof.protocol.documents import decode_document, document_end, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields, to_base64
from inferproof.types.digest import Digest
from inferproof.types.proof import PRIVATE_STATEMENT_VERSION, STATEMENT_VERSION, Statement
from inferproof.types.tensor import MAX_SCALE, FixedTensor, Tensors

FORMAT = "inferproof/proof/1"
PRIVATE_FORMAT = "inferproof/proof/2"
"""Of proofs about a private input: it has a root where the other shows an input or hashes."""
MAX_BYTES = 256 * 2**20
"""A proof of a 22M-parameter encoder is below 1 MiB; disclosed inputs are the larger part."""
MAX_PROOF_BYTES = 64 * 2**20
MAX_TENSOR_ELEMENTS = 2**24
MAX_RANK = 16


@dataclass(frozen=True, slots=True, eq=False)
class DisclosedInput:
    """The input in the open: float32 tensors by name, and the 32-byte salt of their commitment."""

    salt: bytes
    tensors: Tensors


@dataclass(frozen=True, slots=True, eq=False)
class ProofFile:
    """A proof and all that its verification needs besides the verifier bundle.

    Exactly one of `disclosed` (visibility public), `input_hashes` (visibility hashed; 32-byte
    hashes made inside the circuit) and `input_root` (private input) is present, the last where the
    statement says so. `proof` is the proof system's own bytes.
    """

    statement: Statement
    outputs: tuple[FixedTensor, ...]
    proof: bytes
    disclosed: DisclosedInput | None = None
    input_hashes: tuple[bytes, ...] | None = None
    input_root: Digest | None = None


def encode_proof_file(file: ProofFile) -> bytes:
    """The one byte form of a proof file."""
    body: dict[str, Json] = {
        "statement": statement_json(file.statement),
        "outputs": [_fixed_json(o) for o in file.outputs],
        "proof": to_base64(file.proof),
    }
    if file.input_root is not None:
        return encode_document(PRIVATE_FORMAT, {**body, "input_root": file.input_root.hex})
    shown: dict[str, Json] = {
        "disclosed": disclosed_json(file.disclosed) if file.disclosed is not None else None,
        "input_hashes": (
            ["0x" + h.hex() for h in file.input_hashes] if file.input_hashes is not None else None
        ),
    }
    return encode_document(FORMAT, {**body, **shown})


def decode_proof_file(data: bytes) -> ProofFile:
    """The proof file that these bytes are.

    Raises: ProofRejected (see `decode_document`). Soundness: nothing is verified yet.
    """
    if is_private_proof(data):
        return decode_document(
            data, PRIVATE_FORMAT, _read_private, max_bytes=MAX_BYTES, kind=ProofRejected
        )
    return decode_document(data, FORMAT, _read, max_bytes=MAX_BYTES, kind=ProofRejected)


def is_private_proof(data: bytes) -> bool:
    """Whether these bytes can only be a proof file about a private input."""
    return data.endswith(document_end(PRIVATE_FORMAT))


def is_proof(data: bytes) -> bool:
    """Whether these bytes can only be a proof file."""
    return data.endswith(document_end(FORMAT)) or is_private_proof(data)


def statement_json(statement: Statement) -> dict[str, Json]:
    """The statement as JSON, under the names of its EIP-712 struct."""
    return {
        "jobId": statement.job_id.hex,
        "modelCommitment": statement.model_commitment.hex,
        "inputCommitment": statement.input_commitment.hex,
        "outputCommitment": statement.output_commitment.hex,
        "proofSystem": statement.proof_system,
        "provider": statement.provider.hex,
        "version": statement.version,
    }


def read_statement(fields: Fields, version: int) -> Statement:
    """The statement in decoded JSON, which is of this version."""
    statement = Statement(
        job_id=fields.digest("jobId"),
        model_commitment=fields.digest("modelCommitment"),
        input_commitment=fields.digest("inputCommitment"),
        output_commitment=fields.digest("outputCommitment"),
        proof_system=fields.text("proofSystem", most=64),
        provider=fields.address("provider"),
        version=fields.integer("version", least=version, most=version),
    )
    fields.end()
    return statement


def disclosed_json(disclosed: DisclosedInput) -> dict[str, Json]:
    """A disclosed input as JSON; tensors in order of their names."""
    return {
        "salt": "0x" + disclosed.salt.hex(),
        "tensors": [
            {
                "name": name,
                "shape": list(array.shape),
                "data": to_base64((array + np.float32(0)).astype("<f4").tobytes()),
            }
            for name, array in sorted(disclosed.tensors.items())
        ],
    }


def read_disclosed(fields: Fields) -> DisclosedInput:
    """The disclosed input in decoded JSON; finite values, names in order and each once."""
    salt = fields.hex_bytes("salt", length=32)
    pairs = fields.nested_list("tensors", _read_tensor)
    fields.end()
    names = [name for name, _ in pairs]
    if names != sorted(set(names)):
        raise fields.malformed("tensors")
    return DisclosedInput(salt, dict(pairs))


def _read_tensor(fields: Fields) -> tuple[str, np.ndarray]:
    name = fields.text("name", most=512)
    shape = read_shape(fields)
    data = fields.base64("data", most=4 * MAX_TENSOR_ELEMENTS)
    fields.end()
    if len(data) != 4 * math.prod(shape):
        raise fields.malformed("data")
    array = np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(shape)
    if not np.isfinite(array).all() or np.signbit(array[array == 0]).any():
        raise fields.malformed("data")
    return name, array


def _fixed_json(tensor: FixedTensor) -> dict[str, Json]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "scale": "0x" + struct.pack(">d", tensor.scale).hex(),
        "values": to_base64(np.array(tensor.values, dtype="<i8").tobytes()),
    }


def _read_fixed(fields: Fields) -> FixedTensor:
    name = fields.text("name", most=512)
    shape = read_shape(fields)
    (scale,) = struct.unpack(">d", fields.hex_bytes("scale", length=8))
    data = fields.base64("values", most=8 * MAX_TENSOR_ELEMENTS)
    fields.end()
    if len(data) != 8 * math.prod(shape):
        raise fields.malformed("values")
    if not 0 < scale <= MAX_SCALE:
        raise fields.malformed("scale")
    return FixedTensor(name, shape, tuple(np.frombuffer(data, dtype="<i8").tolist()), scale)


def read_shape(fields: Fields) -> tuple[int, ...]:
    """A tensor's shape: sizes of at least 1, their product within MAX_TENSOR_ELEMENTS."""
    shape = fields.take("shape", list)
    if len(shape) > MAX_RANK or any(
        type(d) is not int or not 1 <= d <= MAX_TENSOR_ELEMENTS for d in shape
    ):
        raise fields.malformed("shape")
    if math.prod(shape) > MAX_TENSOR_ELEMENTS:
        raise fields.malformed("shape")
    return tuple(shape)


def _read(fields: Fields) -> ProofFile:
    file = _read_proof(fields, STATEMENT_VERSION)
    disclosed = fields.optional("disclosed", lambda name: fields.nested(name, read_disclosed))
    hashes = fields.optional("input_hashes", lambda name: _read_hashes(fields, name))
    fields.end()
    if (disclosed is None) == (hashes is None):
        raise fields.malformed("disclosed")
    return replace(file, disclosed=disclosed, input_hashes=hashes)


def _read_private(fields: Fields) -> ProofFile:
    file = _read_proof(fields, PRIVATE_STATEMENT_VERSION)
    file = replace(file, input_root=fields.digest("input_root"))
    fields.end()
    return file


def _read_proof(fields: Fields, version: int) -> ProofFile:
    """What both forms have; the statement is of this version."""
    statement = fields.nested("statement", lambda f: read_statement(f, version))
    outputs = tuple(fields.nested_list("outputs", _read_fixed))
    return ProofFile(statement, outputs, fields.base64("proof", most=MAX_PROOF_BYTES))


def _read_hashes(fields: Fields, name: str) -> tuple[bytes, ...]:
    items = fields.take(name, list)
    if not 0 < len(items) <= 16:
        raise fields.malformed(name)
    return tuple(fields.child({"hash": i}, name).hex_bytes("hash", length=32) for i in items)
