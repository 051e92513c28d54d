"""What a contract asks of a verifier on chain, and what stands behind a verifier's selector."""

from dataclasses import dataclass, field
from enum import IntEnum

from inferproof.types.digest import Address, Digest


class ContractAssurance(IntEnum):
    """What the word of a verifier on chain is worth, the more the higher.

    Source: contracts/src/verification/Assurance.sol.
    """

    COMMITMENT = 1
    QUORUM = 2
    ZK_INTEGRITY = 3
    ZK_PRIVATE = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """What a proof is to show on chain. Source: contracts/src/verification/StatementVerifier.sol.

    `statement` is the digest of the statement, `verifying_key` what the verifier knows the key by,
    `inputs` the Keccak-256 of the numbers that the input is quantised to, `outputs` each output
    tensor in its canonical encoding.
    """

    statement: Digest
    verifying_key: Digest
    inputs: Digest
    outputs: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What stands behind a selector of a router.

    Units: `gas_cap` is what the adapter is given for an answer. `specification` is the Keccak-256
    of the text that says what it accepts; `system` the name in statements.
    """

    selector: bytes
    adapter: Address
    gas_cap: int
    specification: Digest
    assurance: ContractAssurance
    system: str
    retired: bool = False
