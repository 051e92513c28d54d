"""A strict reader of the tables of a model card.

Every key must be read, every value has a type and bounds, and each refusal names the key
with its full path. The same reader takes a card's own TOML table (numbers are numbers) and
the canonical form that enters the model commitment (numbers are hexadecimal float texts).
"""

import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from inferproof.errors import ModelRejected, Reason

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,99}")
_HEX_FLOAT = re.compile(r"-?0x[01]\.[0-9a-f]{1,13}p[+-][0-9]{1,4}")
_ABSENT = object()


class Table:
    """One table of a card, and which of its keys were read so far.

    Encoding: with `hex_floats`, numbers are the texts of float.hex(), otherwise TOML numbers.
    """

    def __init__(self, value: object, path: str, *, hex_floats: bool = False) -> None:
        self.path = path
        self._hex_floats = hex_floats
        self._read: list[str] = []
        if not isinstance(value, Mapping) or any(type(key) is not str for key in value):
            raise ModelRejected(
                Reason.CARD_BAD_VALUE, key=path or "content", problem="it must be a table"
            )
        self._value: Mapping[str, Any] = value

    def key(self, key: str) -> str:
        """The full path of a key of this table, as messages name it."""
        return f"{self.path}.{key}" if self.path else key

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raises: ModelRejected CARD_BAD_VALUE."""
        raise ModelRejected(Reason.CARD_BAD_VALUE, key=self.key(key), problem=problem)

    def keys(self) -> tuple[str, ...]:
        """The keys of a table whose keys are names of something."""
        return tuple(self._value)

    def take(self, key: str, default: object = _ABSENT) -> Any:
        """The raw value of a key, or the default.

        Raises: ModelRejected CARD_MISSING_KEY where there is neither.
        """
        self._read.append(key)
        value = self._value.get(key, default)
        if value is _ABSENT:
            raise ModelRejected(Reason.CARD_MISSING_KEY, key=self.key(key))
        return value

    def text(
        self,
        key: str,
        *,
        longest: int = 200,
        pattern: re.Pattern[str] | None = None,
        form: str = "",
        default: object = _ABSENT,
    ) -> str:
        """A printable text of 1 to `longest` characters that fits the pattern (told as `form`)."""
        value = self.take(key, default)
        if not isinstance(value, str):
            self.fail(key, "it must be a text")
        if not 1 <= len(value) <= longest:
            self.fail(key, f"it must have 1 to {longest} characters")
        if not all(character.isprintable() or character == "\n" for character in value):
            self.fail(key, "it holds a character that cannot be printed")
        if pattern is not None and pattern.fullmatch(value) is None:
            self.fail(key, f"it must be {form}")
        return value

    def choice(self, key: str, options: tuple[str, ...], default: object = _ABSENT) -> str:
        """One of the given texts."""
        value = self.take(key, default)
        if not isinstance(value, str) or value not in options:
            self.fail(key, "it must be " + " or ".join(options))
        return value

    def exactly(self, key: str, expected: str | bool) -> None:
        """Passes when the key holds just this value: a fact stated, not a setting."""
        value = self.take(key)
        if type(value) is not type(expected) or value != expected:
            shown = expected if isinstance(expected, str) else str(expected).lower()
            self.fail(key, f"only {shown} is supported")

    def integer(self, key: str, least: int, most: int, default: object = _ABSENT) -> int:
        """An integer within [least, most]."""
        value = self.take(key, default)
        if type(value) is not int or not least <= value <= most:
            self.fail(key, f"it must be an integer from {least} to {most}")
        return value

    def number(self, key: str, default: object = _ABSENT) -> float:
        """A finite float64."""
        return self._number(key, self.take(key, default))

    def numbers(self, key: str, most: int) -> tuple[float, ...]:
        """1 to `most` finite float64 values."""
        return tuple(self._number(key, item) for item in self._list(key, most))

    def texts(self, key: str, most: int, *, longest: int = 200) -> tuple[str, ...]:
        """1 to `most` different texts."""
        value = self._list(key, most)
        if not all(isinstance(item, str) and 1 <= len(item) <= longest for item in value):
            self.fail(key, f"it must hold texts of 1 to {longest} characters")
        if len(set(value)) != len(value):
            self.fail(key, "it names something twice")
        return tuple(value)

    def integers(self, key: str, most: int, *, highest: int) -> tuple[int, ...]:
        """1 to `most` integers within [1, highest]."""
        value = self._list(key, most)
        if not all(type(item) is int and 1 <= item <= highest for item in value):
            self.fail(key, f"it must hold integers from 1 to {highest}")
        return tuple(value)

    def table(self, key: str) -> "Table":
        """A table within this one."""
        return Table(self.take(key), self.key(key), hex_floats=self._hex_floats)

    def plain_table(self, key: str) -> dict[str, Any]:
        """A table as it was written, for another reader."""
        value = self.take(key)
        if not isinstance(value, dict):
            self.fail(key, "it must be a table")
        return dict(value)

    def tables(self, key: str, most: int) -> tuple["Table", ...]:
        """1 to `most` tables within this one."""
        return tuple(
            Table(item, f"{self.key(key)}[{index}]", hex_floats=self._hex_floats)
            for index, item in enumerate(self._list(key, most))
        )

    def done(self) -> None:
        """Raises: ModelRejected CARD_UNKNOWN_KEY for the first key that nothing has read."""
        for key in self._value:
            if key not in self._read:
                known = ", ".join(dict.fromkeys(self._read))
                raise ModelRejected(Reason.CARD_UNKNOWN_KEY, key=self.key(key[:100]), known=known)

    def _list(self, key: str, most: int) -> list[Any]:
        value = self.take(key)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self.fail(key, f"it must be a list of 1 to {most} items")
        return value

    def _number(self, key: str, value: object) -> float:
        if self._hex_floats:
            if not isinstance(value, str) or _HEX_FLOAT.fullmatch(value) is None:
                self.fail(key, "it must be a number in hexadecimal form")
            number = _from_hex(value)
            if number is None or number.hex() != value:
                self.fail(key, "it must be a number in hexadecimal form")
            return number
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.fail(key, "it must be a number")
        if not math.isfinite(value) or abs(value) > 1e300:
            self.fail(key, "it must be a finite number")
        return float(value)


def _from_hex(text: str) -> float | None:
    try:
        return float.fromhex(text)
    except OverflowError:
        return None
