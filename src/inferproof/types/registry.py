"""What a registry contract knows of models: what their owners sign, and what is read back."""

from dataclasses import dataclass, field
from enum import IntFlag

from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network


class CommitmentKind(IntFlag):
    """Kinds of commitments to inputs and outputs, as bits. Source: specs/registry.md."""

    DISCLOSED = 1
    """A digest of values that are disclosed."""
    HASHED = 2
    """A digest of hashes that the proof shows in place of the values."""
    PRIVATE = 4
    """A digest of the root of a hiding commitment, which prover and payer can open."""


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """What a call costs in one token. Units: atomic; None where the token is not taken."""

    token: Address
    amount: int | None


@dataclass(frozen=True, slots=True)
class ContractKey:
    """A model's verifying key as contracts know it.

    `verifier` are the 4 bytes of the selector of the contract that checks its proofs, zero where
    none does; `digest` is what that contract knows the key by, else that in the model's parts.
    """

    verifier: bytes
    digest: Digest


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a version never changes once it is registered.

    `metadata` is the SHA-256 of the metadata, zero where there is none, and `metadata_uri` where it
    can be read; `content_id` the binary CID of the verifier bundle, or empty.
    """

    key: ContractKey
    inputs: CommitmentKind
    outputs: CommitmentKind
    metadata: Digest
    metadata_uri: str
    content_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registration:
    """What a model's owner signs. Units: `deadline` in Unix seconds.

    `model` is the commitment of the model's first version: for a new model `commitment` itself.
    """

    commitment: Digest
    model: Digest
    owner: Address
    deadline: int
    terms: Terms
    prices: tuple[TokenPrice, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version that is registered. `number` counts those of its model from 1."""

    commitment: Digest
    model: Digest
    number: int
    active: bool
    terms: Terms


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose a model is. `offered_to` may accept it; None where nobody may."""

    owner: Address
    offered_to: Address | None
    versions: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What a registry says of a version, as far as a gateway sells by it. `price` is that in the
    gateway's token."""

    owner: Address
    active: bool
    price: TokenPrice


@dataclass(frozen=True, slots=True)
class Followed:
    """A registry that a gateway follows, and the token by whose prices it sells."""

    network: Network
    registry: Address
    token: Address


@dataclass(frozen=True, slots=True)
class Heard:
    """When a registry was asked last about all that is sold. Units: Unix seconds by the clock of
    who asked; `block` is the one after which it was asked."""

    block: int
    at: int
