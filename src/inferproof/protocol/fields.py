"""Strict reading of decoded JSON: each field once, of one type, none unknown."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from inferproof.errors import InferproofError, Reason, RequestRejected
from inferproof.types.digest import Address, Digest

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters and changes of writing direction: a text that holds them may show a person
something else than what was signed, and may steer a terminal."""
_NAME = re.compile("[A-Za-z0-9_]{1,64}")


class Fields:
    """Reads the fields of one JSON object and refuses what is missing, wrong or left over.

    Raises: RequestRejected FIELD_MALFORMED naming field and document; a document's own
    decoder turns it into its own kind of rejection.
    """

    def __init__(self, value: object, document: str) -> None:
        self._document = document
        if not isinstance(value, dict):
            raise self.malformed("(whole)")
        self._rest: dict[str, Any] = dict(value)

    def malformed(self, field: str) -> InferproofError:
        return RequestRejected(Reason.FIELD_MALFORMED, field=field, document=self._document)

    def rest(self) -> Mapping[str, Any]:
        """What was not read yet."""
        return self._rest

    def take(self, field: str, kind: type[T]) -> T:
        value = self._rest.pop(field, None)
        if type(value) is not kind:
            raise self.malformed(field)
        return value

    def has(self, field: str) -> bool:
        return self._rest.get(field) is not None

    def optional(self, field: str, read: Callable[[str], T]) -> T | None:
        """The field read by `read`, or None where it is null. An absent field is malformed:
        a document has one byte form."""
        if field not in self._rest:
            raise self.malformed(field)
        if not self.has(field):
            del self._rest[field]
            return None
        return read(field)

    def text(self, field: str, *, most: int = 1024) -> str:
        """At most `most` code points, none of them a control character."""
        value = self.take(field, str)
        if len(value) > most or _CONTROLS.search(value):
            raise self.malformed(field)
        return value

    def texts(self, field: str, items: int, *, most: int) -> tuple[str, ...]:
        """At most `items` texts, each as `text` has them and not empty."""
        values = self.take(field, list)
        if len(values) > items:
            raise self.malformed(field)
        for value in values:
            if type(value) is not str or not 0 < len(value) <= most or _CONTROLS.search(value):
                raise self.malformed(field)
        return tuple(values)

    def integer(self, field: str, *, least: int = 0, most: int = 2**64 - 1) -> int:
        value = self.take(field, int)
        if not least <= value <= most:
            raise self.malformed(field)
        return value

    def amount(self, field: str) -> int:
        """A uint256 written as a decimal string without leading zeros, as wallets write it."""
        value = self.text(field, most=78)
        if not value.isascii() or not value.isdigit() or str(int(value)) != value:
            raise self.malformed(field)
        if int(value) >= 2**256:
            raise self.malformed(field)
        return int(value)

    def one_of(self, field: str, allowed: type[E]) -> E:
        """A member of a string enumeration, written as its value."""
        try:
            return allowed(self.text(field, most=64))
        except ValueError:
            raise self.malformed(field) from None

    def digest(self, field: str) -> Digest:
        try:
            return Digest.from_hex(self.take(field, str))
        except InferproofError:
            raise self.malformed(field) from None

    def address(self, field: str) -> Address:
        """An address in lower case: a document has one byte form."""
        text = self.take(field, str)
        if text != text.lower():
            raise self.malformed(field)
        try:
            return Address.from_hex(text)
        except InferproofError:
            raise self.malformed(field) from None

    def hex_bytes(self, field: str, *, length: int | None = None, most: int = 4096) -> bytes:
        """Bytes written as 0x and lower-case hex digits."""
        text = self.take(field, str)
        try:
            value = bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            raise self.malformed(field) from None
        if "0x" + value.hex() != text or len(value) > most:
            raise self.malformed(field)
        if length is not None and len(value) != length:
            raise self.malformed(field)
        return value

    def base64(self, field: str, *, most: int) -> bytes:
        text = self.take(field, str)
        if len(text) > most // 3 * 4 + 4:
            raise self.malformed(field)
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self.malformed(field) from None
        if len(value) > most or base64.b64encode(value).decode() != text:
            raise self.malformed(field)
        return value

    def nested_list(self, field: str, read: Callable[["Fields"], T], *, most: int = 256) -> list[T]:
        items = self.take(field, list)
        if len(items) > most:
            raise self.malformed(field)
        return [read(self.child(item, field)) for item in items]

    def nested(self, field: str, read: Callable[["Fields"], T]) -> T:
        return read(self.child(self.take(field, dict), field))

    def child(self, value: object, field: str) -> "Fields":
        return Fields(value, f"{self._document}.{field}")

    def end(self) -> None:
        """Raises: FIELD_MALFORMED naming a field that was never read."""
        if self._rest:
            name = min(self._rest)
            raise self.malformed(name if _NAME.fullmatch(name) else "(unknown)")


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
