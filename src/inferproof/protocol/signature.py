"""secp256k1 signatures over 32-byte digests, as Ethereum writes them: r ‖ s ‖ v."""

import re
from typing import Protocol

from coincurve import PrivateKey, PublicKey

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import Address, Digest

_KEY = re.compile("(?:0x)?([0-9a-fA-F]{64})")
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1. EIP-2 allows only s up to it, so that one signature has one form."""


class Signer(Protocol):
    """A key that signs digests; `SigningKey` is one."""

    @property
    def address(self) -> Address: ...

    def sign(self, digest: Digest) -> bytes:
        """The 65-byte signature r ‖ s ‖ v, v of 27 or 28."""
        ...


class SigningKey:
    """A private key that signs and never prints itself."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("a private key is 32 bytes")
        self._key = PrivateKey(secret)
        self.address = _address(self._key.public_key)

    @classmethod
    def from_hex(cls, text: str) -> "SigningKey":
        """The key written as 64 hex digits, with or without 0x.

        Raises: RequestRejected KEY_MALFORMED; the message never holds the text.
        """
        match = _KEY.fullmatch(text)
        if match is None:
            raise RequestRejected(Reason.KEY_MALFORMED)
        try:
            return cls(bytes.fromhex(match[1]))
        except ValueError:  # coincurve says so when the number is zero or beyond the order
            raise RequestRejected(Reason.KEY_MALFORMED) from None

    def sign(self, digest: Digest) -> bytes:
        """The 65-byte signature, deterministic (RFC 6979), low s, v of 27 or 28."""
        raw = self._key.sign_recoverable(digest.raw, hasher=None)
        return raw[:64] + bytes([raw[64] + 27])

    def secret(self) -> bytes:
        """The 32 secret bytes, for the one library that must have them to sign a transaction."""
        return self._key.secret

    def __repr__(self) -> str:
        return f"SigningKey({self.address.hex})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a signing key is not copied between processes")


def recover(digest: Digest, signature: bytes) -> Address:
    """The address whose key made the signature.

    Raises: RequestRejected SIGNATURE_MALFORMED for a wrong length, a v other than 27 or 28,
    a high s, or a point that is not on the curve.
    Soundness: any well-formed signature recovers to some address; compare it.
    """
    if (
        len(signature) != 65
        or signature[64] not in (27, 28)
        or not 0 < int.from_bytes(signature[32:64], "big") <= _HALF_ORDER
    ):
        raise RequestRejected(Reason.SIGNATURE_MALFORMED)
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest.raw, hasher=None
        )
    except ValueError:  # coincurve says so when r or the point is out of range
        raise RequestRejected(Reason.SIGNATURE_MALFORMED) from None
    return _address(key)


def _address(key: PublicKey) -> Address:
    return Address(keccak256(key.format(compressed=False)[1:])[-20:])
