"""32-byte digests and 20-byte addresses, printed as lower-case hex with 0x."""

import re
from dataclasses import dataclass

from inferproof.errors import Reason, RequestRejected

_HEX32 = re.compile(r"0x[0-9a-f]{64}")
_HEX20 = re.compile(r"0x[0-9a-fA-F]{40}")
_set = object.__setattr__
"""What a frozen dataclass sets its fields by. Both classes below are made, compared and hashed some
forty times for an order: by hand that takes two thirds of the time."""


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A 32-byte digest. `raw` is big-endian when read as a number."""

    raw: bytes

    def __init__(self, raw: bytes) -> None:
        if type(raw) is not bytes or len(raw) != 32:
            raise ValueError("a digest is 32 bytes")
        _set(self, "raw", raw)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not Digest:
            return NotImplemented
        return self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    @classmethod
    def from_hex(cls, text: str) -> "Digest":
        """The digest written as 0x and 64 lower-case hex digits.

        Raises: RequestRejected DIGEST_MALFORMED for any other spelling, so that one digest
        has one text.
        """
        if not isinstance(text, str) or _HEX32.fullmatch(text) is None:
            raise RequestRejected(Reason.DIGEST_MALFORMED, got=_short(text))
        return cls(bytes.fromhex(text[2:]))

    @property
    def hex(self) -> str:
        return "0x" + self.raw.hex()

    def __str__(self) -> str:
        return self.hex

    def __repr__(self) -> str:
        return f"Digest({self.hex})"


ZERO_DIGEST = Digest(bytes(32))


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A 20-byte EVM address. Compared as bytes; printed in lower case, without checksum."""

    raw: bytes

    def __init__(self, raw: bytes) -> None:
        if type(raw) is not bytes or len(raw) != 20:
            raise ValueError("an address is 20 bytes")
        _set(self, "raw", raw)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not Address:
            return NotImplemented
        return self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    @classmethod
    def from_hex(cls, text: str) -> "Address":
        """The address written as 0x and 40 hex digits in any case.

        Raises: RequestRejected ADDRESS_MALFORMED.
        """
        if not isinstance(text, str) or _HEX20.fullmatch(text) is None:
            raise RequestRejected(Reason.ADDRESS_MALFORMED, got=_short(text))
        return cls(bytes.fromhex(text[2:]))

    @property
    def hex(self) -> str:
        return "0x" + self.raw.hex()

    def __str__(self) -> str:
        return self.hex

    def __repr__(self) -> str:
        return f"Address({self.hex})"


ZERO_ADDRESS = Address(bytes(20))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
