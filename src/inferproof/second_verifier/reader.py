"""Reads little-endian values off the front of bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

from inferproof.second_verifier.field import DEGREE, Element, P


class Rejected(Exception):
    """A key or proof that is not accepted; `code` is that of specs/sumcheck-proof.md."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code, self.why = code, why


@contextmanager
def named(code: str) -> Iterator[None]:
    """Gives whatever is rejected the code of the phase that rejects it."""
    try:
        yield
    except Rejected as rejected:
        raise Rejected(code, str(rejected)) from rejected


class Reader:
    def __init__(self, data: bytes, code: str) -> None:
        self._data = data
        self._at = 0
        self._code = code
        self.fields: list[tuple[str, int]] = []
        """The fields read so far: name and first byte."""

    def reject(self, why: str) -> Rejected:
        return Rejected(self._code, why)

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise self.reject("the bytes end too early")
        self._at += count
        return self._data[self._at - count : self._at]

    @property
    def at(self) -> int:
        """The first byte that has not been read."""
        return self._at

    def since(self, start: int) -> bytes:
        """What has been read from a byte on."""
        return self._data[start : self._at]

    def field(self, name: str) -> None:
        """Notes that a field begins here."""
        self.fields.append((name, self._at))

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        if self._at != len(self._data):
            raise self.reject("bytes are left over")

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def signed(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little", signed=True)

    def base(self) -> int:
        value = self.unsigned(4)
        if value >= P:
            raise self.reject("a field element is not below the modulus")
        return value

    def element(self) -> Element:
        return tuple(self.base() for _ in range(DEGREE))  # type: ignore[return-value]

    def elements(self, count: int) -> list[Element]:
        return [self.element() for _ in range(count)]
