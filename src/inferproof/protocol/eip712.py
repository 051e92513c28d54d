"""EIP-712: the digest of typed structured data, for a fixed set of our own structs.

A struct is described by a `Struct`: its name and its fields in order. Field types are the
atomic types below, another Struct, or a list of a Struct (written as a one-element tuple).
Source: EIP-712, definition of encodeType, encodeData and hashStruct.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import Address, Digest

ATOMIC = frozenset(
    {"bytes4", "bytes32", "address", "string", "bytes", "bool"}
    | {"uint8", "uint16", "uint40", "uint64", "uint128", "uint256"}
)


@dataclass(frozen=True)
class Struct:
    """A struct type. `fields` maps each field's name to its type, in the order of the type."""

    name: str
    fields: Mapping[str, "str | Struct | tuple[Struct]"]

    @cached_property
    def type_hash(self) -> bytes:
        referenced: dict[str, Struct] = {}
        self._collect(referenced)
        referenced.pop(self.name, None)
        text = self._signature() + "".join(referenced[n]._signature() for n in sorted(referenced))
        return keccak256(text.encode())

    def _collect(self, into: dict[str, "Struct"]) -> None:
        into[self.name] = self
        for kind in self.fields.values():
            inner = kind[0] if isinstance(kind, tuple) else kind
            if isinstance(inner, Struct):
                inner._collect(into)

    def _signature(self) -> str:
        return f"{self.name}({','.join(f'{_name(k)} {n}' for n, k in self.fields.items())})"

    def types(self) -> dict[str, list[dict[str, str]]]:
        """The type table in the form that wallets and other libraries take."""
        referenced: dict[str, Struct] = {}
        self._collect(referenced)
        return {
            name: [{"name": field, "type": _name(kind)} for field, kind in struct.fields.items()]
            for name, struct in referenced.items()
        }


def _name(kind: "str | Struct | tuple[Struct]") -> str:
    if isinstance(kind, str):
        return kind
    return f"{kind[0].name}[]" if isinstance(kind, tuple) else kind.name


def hash_struct(struct: Struct, value: Mapping[str, Any]) -> bytes:
    """The 32-byte hashStruct of a value whose keys are exactly the struct's fields.

    Raises: ValueError when a field is missing, unknown or does not fit its type.
    """
    if value.keys() != struct.fields.keys():
        raise ValueError(f"fields of {struct.name} do not match its type")
    body = [_encode(kind, value[name]) for name, kind in struct.fields.items()]
    return keccak256(struct.type_hash + b"".join(body))


def _encode(kind: "str | Struct | tuple[Struct]", value: Any) -> bytes:
    if isinstance(kind, Struct):
        return hash_struct(kind, value)
    if isinstance(kind, tuple):
        items: Sequence[Mapping[str, Any]] = value
        return keccak256(b"".join(hash_struct(kind[0], item) for item in items))
    return _encode_atomic(kind, value)


def _encode_atomic(kind: str, value: Any) -> bytes:
    given = type(value)
    if given is int:
        limit = _LIMITS.get(kind)
        if limit is not None:
            if not 0 <= value < limit:
                raise ValueError(f"{value} does not fit {kind}")
            return int.to_bytes(value, 32, "big")
    elif kind == "bytes32" and given is Digest:
        return bytes(value.raw)
    elif kind == "address" and given is Address:
        return _PADDING + bytes(value.raw)
    elif kind == "string" and isinstance(value, str):
        return text_word(value) if len(value) <= _SHORT else keccak256(value.encode())
    elif kind == "bytes4" and given is bytes and len(value) == 4:
        return bytes(value.ljust(32, b"\0"))
    elif kind == "bytes" and given is bytes:
        return keccak256(value)
    elif kind == "bool" and given is bool:
        return int(value).to_bytes(32, "big")
    raise ValueError(f"{given.__name__} is not {kind}")


def hash_words(struct: Struct, *words: bytes | int) -> bytes:
    """The hashStruct of a value whose fields are encoded already: each a word of 32 bytes, or a
    number that is known to fit its type.

    For the two structs of which every paid request hashes one; a quarter of the time.
    Raises: ValueError for a number below 0 or beyond uint256.
    """
    try:
        body = [word if isinstance(word, bytes) else word.to_bytes(32, "big") for word in words]
    except OverflowError:
        raise ValueError(f"a number does not fit {struct.name}") from None
    return keccak256(b"".join((struct.type_hash, *body)))


def address_word(address: Address) -> bytes:
    """The encoding of an address."""
    return _PADDING + address.raw


_LIMITS = {kind: 1 << int(kind[4:]) for kind in ATOMIC if kind.startswith("uint")}
_PADDING = bytes(12)
_SHORT = 128


@lru_cache(maxsize=1024)
def text_word(value: str) -> bytes:
    """The encoding of a short string."""
    # Names of models, assets and proof systems come again in every quote.
    return keccak256(value.encode())


def domain_separator(
    name: str,
    version: str,
    chain_id: int | None = None,
    verifying_contract: Address | None = None,
) -> Digest:
    """The hash of an EIP-712 domain; absent fields are left out of the domain's type."""
    fields: dict[str, str | Struct | tuple[Struct]] = {"name": "string", "version": "string"}
    value: dict[str, Any] = {"name": name, "version": version}
    if chain_id is not None:
        fields["chainId"], value["chainId"] = "uint256", chain_id
    if verifying_contract is not None:
        fields["verifyingContract"], value["verifyingContract"] = "address", verifying_contract
    return Digest(hash_struct(Struct("EIP712Domain", fields), value))


def digest(domain: Digest, struct_hash: bytes) -> Digest:
    """The digest that is signed: keccak256(0x1901 ‖ domain separator ‖ struct hash)."""
    return Digest(keccak256(b"\x19\x01" + domain.raw + struct_hash))


INFERPROOF_DOMAIN_NAME = "inferproof"
INFERPROOF_DOMAIN_VERSION = "1"
INFERPROOF_DOMAIN = domain_separator(INFERPROOF_DOMAIN_NAME, INFERPROOF_DOMAIN_VERSION)
"""Our own domain. Without a chain id: a statement or receipt means the same on every chain."""
