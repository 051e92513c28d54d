"""The steps that split a text into words and count them. Source: as `steps`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from inferproof.inference.preprocess.steps import (
    MAX_TABLE,
    MAX_TEXT,
    Array,
    Spread,
    Texts,
    Values,
    objects,
    room,
    texts,
    truth,
    whole_numbers,
)
from inferproof.models.card_table import Table


@dataclass(frozen=True)
class Words(Spread):
    """The words of one text, in order: runs of some characters, or each of them (Tokenizer).

    `characters` are ranges of code points, both ends included, rising. With `runs`, a word is as
    many of them in a row as there are; shorter ones than `least` are left out.
    """

    do: ClassVar[str] = "words"
    made: str
    read: tuple[str, ...]
    characters: tuple[tuple[int, int], ...]
    runs: bool
    least: int

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Words":
        flat = whole_numbers(table, "characters", 0)
        pairs = tuple(zip(flat[::2], flat[1::2], strict=False))
        rising = all(a < b for a, b in zip(flat[1::2], flat[2::2], strict=False))
        if len(flat) % 2 or not rising or any(a > b for a, b in pairs) or flat[-1] > 0x10FFFF:
            table.fail("characters", "it must hold rising ranges of code points")
        least = table.integer("least", 1, MAX_TEXT)
        return cls(made, read, pairs, truth(table, "runs"), least)

    def canonical(self) -> dict[str, Any]:
        flat = [end for pair in self.characters for end in pair]
        return {"characters": flat, "runs": self.runs, "least": self.least}

    def apply(self, values: Values) -> Array:
        given = values[self.read[0]]
        (text,) = given.ravel().tolist()  # more than one text fails here
        words = self._words(text) if self.runs else [c for c in text if self._among(c)]
        return objects(words).reshape((*given.shape, len(words)))

    def _words(self, text: str) -> list[str]:
        words, start = [], None
        for place, character in enumerate(text):
            if self._among(character):
                start = place if start is None else start
            elif start is not None:
                words.append(text[start:place])
                start = None
        if start is not None:
            words.append(text[start:])
        return [word for word in words if len(word) >= self.least]

    def _among(self, character: str) -> bool:
        code = ord(character)
        return any(low <= code <= high for low, high in self.characters)


@dataclass(frozen=True)
class Count(Spread):
    """How often each term of a pool occurs among words (TfIdfVectorizer, its counting part).

    A term is `n` words with `skip` words left out between each two, for `n` from `shortest` to
    `longest` and each `skip` up to the largest; terms of one word are counted once. `pool` holds
    the words of all terms, those of one word first; `sizes[n - 1]` is where terms of n words
    begin; `columns` has the place of each term's count.
    """

    do: ClassVar[str] = "count"
    made: str
    read: tuple[str, ...]
    pool: Texts
    sizes: tuple[int, ...]
    columns: tuple[int, ...]
    shortest: int
    longest: int
    skip: int
    once: bool
    """Whether 1 stands for every count above 0."""

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Count":
        step = cls(
            made,
            read,
            texts(table, "pool", distinct=False),
            whole_numbers(table, "sizes", 0),
            whole_numbers(table, "columns", 0),
            table.integer("shortest", 1, 16),
            table.integer("longest", 1, 16),
            table.integer("skip", 0, 16),
            truth(table, "once"),
        )
        if problem := step.problem():
            table.fail("pool", problem)
        return step

    def problem(self) -> str:
        """What is wrong with pool, sizes and columns; empty where nothing is."""
        ends = (*self.sizes[1:], len(self.pool))
        spans = list(zip(self.sizes, ends, strict=True))
        if not self.shortest <= self.longest or len(self.sizes) > 16 or self.sizes[0] != 0:
            return "its lengths of terms do not rise from 1"
        if any(a > b or (b - a) % n for n, (a, b) in enumerate(spans, 1)):
            return "its words are not whole terms"
        if sum((b - a) // n for n, (a, b) in enumerate(spans, 1)) != len(self.columns):
            return "it has another number of terms than of columns"
        if max(self.columns) >= MAX_TABLE:
            return f"it has a column beyond the first {MAX_TABLE}"
        return ""

    def canonical(self) -> dict[str, Any]:
        return {
            "pool": list(self.pool),
            "sizes": list(self.sizes),
            "columns": list(self.columns),
            "shortest": self.shortest,
            "longest": self.longest,
            "skip": self.skip,
            "once": self.once,
        }

    @property
    def width(self) -> int:
        return max(self.columns) + 1

    @cached_property
    def _terms(self) -> dict[tuple[str, ...], int]:
        terms: dict[tuple[str, ...], int] = {}
        columns = iter(self.columns)
        ends = (*self.sizes[1:], len(self.pool))
        for n, (start, end) in enumerate(zip(self.sizes, ends, strict=True), 1):
            for place in range(start, end, n):
                terms[self.pool[place : place + n]] = next(columns)
        return terms

    def apply(self, values: Values) -> Array:
        given = values[self.read[0]]
        made = np.zeros((1, self.width), np.float32)
        words = given.ravel().tolist()
        room(len(words) * self.longest * (self.skip + 1))
        for term in self._found(words):
            column = self._terms.get(term)
            if column is not None:
                made[0, column] = 1.0 if self.once else made[0, column] + 1.0
        return made.reshape((*given.shape[:-1], self.width))

    def _found(self, words: list[str]) -> Iterator[Texts]:
        for n in range(self.shortest, self.longest + 1):
            for stride in range(1, 2 if n == 1 else self.skip + 2):
                span = stride * (n - 1)
                for at in range(len(words) - span):
                    yield tuple(words[at : at + span + 1 : stride])
