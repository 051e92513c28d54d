"""The characters that a Tokenizer's expression makes words of, where it says no more than that.

A small part of RE2: one class of characters, alone (each is a word), with `+`, with `{n,}`, or
written twice as `\\w\\w+`, between word boundaries or not. Whatever else it says is not taken.
"""

import re
from dataclasses import dataclass

Ranges = tuple[tuple[int, int], ...]
_LAST = 0x10FFFF
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE = ((9, 10), (12, 13), (32, 32))
_DIGIT = ((48, 57),)
_NAMED = {"w": _WORD, "d": _DIGIT, "s": _SPACE}
_ESCAPES = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11}
_AT_LEAST = re.compile(r"\{(\d{1,4}),\}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """`least` is the length of the shortest run, where runs of characters are words."""

    characters: Ranges
    runs: bool
    least: int


def word_pattern(expression: str) -> Pattern | None:
    """The words that an expression finds; None where it says more than which characters they have.

    Boundaries matter to a class of other than word characters alone, and are then not taken.
    """
    bounded = expression.startswith("\\b") and expression.endswith("\\b") and len(expression) > 4
    inner = expression[2:-2] if bounded else expression
    found = _atom(inner)
    if found is None:
        return None
    characters, rest = found
    least = 1
    while rest:
        again = _atom(rest)
        if again is None or again[0] != characters:
            break
        least, rest = least + 1, again[1]
    if bounded and (characters != _WORD or rest != "+"):
        return None
    if rest == "+":
        return Pattern(characters, True, least)
    counted = _AT_LEAST.fullmatch(rest)
    if counted is not None and least == 1 and int(counted[1]) > 0:
        return Pattern(characters, True, int(counted[1]))
    return Pattern(characters, False, 1) if not rest and least == 1 else None


def separated_pattern(expressions: tuple[str, ...]) -> Pattern | None:
    """The words between separators that are single characters or classes of them, or runs of
    those; None for any other. One empty separator makes each character a word."""
    if expressions == ("",):
        return Pattern(((0, _LAST),), False, 1)
    apart: Ranges = ()
    for expression in expressions:
        found = _atom(expression)
        if found is None or found[1] not in ("", "+"):
            return None
        apart = _joined((*apart, *found[0]))
    between = _others(apart)
    return Pattern(between, True, 1) if between and apart else None


def _atom(text: str) -> tuple[Ranges, str] | None:
    """The class of characters at the head of an expression, and what follows it."""
    if not text:
        return None
    if text[0] == "[":
        return _class(text)
    if text[0] == "\\":
        escaped = _escaped(text)
        return None if escaped is None else (escaped, text[2:])
    if text[0] == ".":
        return _others(((10, 10),)), text[1:]
    if text[0] in "^$*+?()|{}]":
        return None
    return ((ord(text[0]),) * 2,), text[1:]


def _class(text: str) -> tuple[Ranges, str] | None:
    place = 2 if text.startswith("[^") else 1
    found: list[tuple[int, int]] = []
    first = place
    while place < len(text) and (text[place] != "]" or place == first):
        if text[place] == "[":
            return None  # [:alpha:] and the like
        single: int | None
        if text[place] == "\\":
            ranges = _escaped(text[place:])
            if ranges is None:
                return None
            place += 2
            single = ranges[0][0] if len(ranges) == 1 and ranges[0][0] == ranges[0][1] else None
            if single is None:
                found += ranges
                continue
        else:
            single = ord(text[place])
            place += 1
        if text[place : place + 1] == "-" and text[place + 1 : place + 2] not in (
            "]",
            "",
            "\\",
            "[",
        ):
            high = ord(text[place + 1])
            if high < single:
                return None
            found.append((single, high))
            place += 2
        else:
            found.append((single, single))
    if place >= len(text) or not found:
        return None
    ranges = _joined(tuple(found))
    ranges = _others(ranges) if text.startswith("[^") else ranges
    return (ranges, text[place + 1 :]) if ranges else None


def _escaped(text: str) -> Ranges | None:
    """What a backslash and the character after it stand for."""
    after = text[1:2]
    if after in _NAMED and after:
        return _NAMED[after]
    if after.lower() in _NAMED and after:
        return _others(_NAMED[after.lower()])
    if after in _ESCAPES and after:
        return ((_ESCAPES[after], _ESCAPES[after]),)
    return ((ord(after), ord(after)),) if after and not after.isalnum() else None


def _joined(ranges: Ranges) -> Ranges:
    """The same characters in rising ranges that do not touch."""
    made: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if made and low <= made[-1][1] + 1:
            made[-1] = made[-1][0], max(high, made[-1][1])
        else:
            made.append((low, high))
    return tuple(made)


def _others(ranges: Ranges) -> Ranges:
    """All other characters."""
    made, start = [], 0
    for low, high in _joined(ranges):
        if start < low:
            made.append((start, low - 1))
        start = high + 1
    if start <= _LAST:
        made.append((start, _LAST))
    return tuple(made)
