"""Claims of the vectors of vectors/evm/proofs, and their proofs as a router's adapter takes them.

`python -m reference.claims` writes the files anew. The vectors have no settings: their outputs are
named and scaled here.
"""

import json
from typing import Any

from inferproof.chain.verifier_router import private_key_digest, private_proof
from inferproof.protocol.encoding import encode_fixed_tensor, fixed_tensor_head
from inferproof.second_verifier.keccak import keccak256
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.program.calls import call_of, programs_of
from inferproof.types.tensor import FixedTensor
from reference.vectors import PLACE, load

FOLDER = PLACE / "evm" / "claims"
NAMES = ("linear", "parameters", "fraud")
"""One link, two links, a model of the zoo."""


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def outputs_of(name: str) -> list[FixedTensor]:
    """The outputs of a vector, under names and scales of their own."""
    vector = load(PLACE / "evm" / "proofs" / f"{name}.json")
    graph = PrivateKey(vector.key).graph
    shapes = [graph.tensor(number).shape for number in graph.outputs]
    return [
        FixedTensor(f"y{place}" * (place + 1), shape, tuple(values), 2.0 ** -(7 + place))
        for place, (shape, values) in enumerate(zip(shapes, vector.outputs, strict=True))
    ]


def rendered(name: str) -> str:
    """The claim, what makes up its key, and the digest of the encoded proof."""
    vector = load(PLACE / "evm" / "proofs" / f"{name}.json")
    digests, outputs = programs_of(vector.key).digests, outputs_of(name)
    call = call_of(vector.key, vector.inputs, vector.outputs, vector.statement, vector.proof)
    heads = [fixed_tensor_head(item.name, item.shape, item.scale) for item in outputs]
    found: dict[str, Any] = {
        "statement": _hex(vector.statement),
        "verifyingKey": private_key_digest(digests, heads).hex,
        "inputs": _hex(keccak256(call.numbers)),
        "programs": _hex(b"".join(digests)),
        "epoch": _hex(call.epoch),
        "numbers": _hex(call.numbers),
        "proofDigest": _hex(keccak256(private_proof(digests, heads, call))),
        "outputs": len(outputs),
    }
    for place, (item, head) in enumerate(zip(outputs, heads, strict=True)):
        found |= {
            f"head{place}": _hex(head),
            f"output{place}": _hex(encode_fixed_tensor(item)),
        }
    return json.dumps(found, indent=0) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in NAMES:
        (FOLDER / f"{each}.json").write_text(rendered(each))
