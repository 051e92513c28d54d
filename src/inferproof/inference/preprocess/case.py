"""Letters in lower and upper case, the same on every machine and in every version of Python.

One code point becomes one. Only characters of Unicode 3.2, whose table is frozen (it is that of
RFC 3454), change, and only to such: pairs of those are never changed by a later Unicode.
"""

import unicodedata
from functools import lru_cache

_OLD = unicodedata.ucd_3_2_0


def lowered(text: str) -> str:
    """The text in lower case."""
    return text.lower() if text.isascii() else "".join(map(_lowered, text))


def raised(text: str) -> str:
    """The text in upper case."""
    return text.upper() if text.isascii() else "".join(map(_raised, text))


@lru_cache(maxsize=4096)
def _lowered(character: str) -> str:
    return _old(character, character.lower())


@lru_cache(maxsize=4096)
def _raised(character: str) -> str:
    return _old(character, character.upper())


def _old(character: str, other: str) -> str:
    known = len(other) == 1 and all(_OLD.category(one) != "Cn" for one in (character, other))
    return other if known else character
