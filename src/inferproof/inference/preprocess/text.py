"""Text to a vector of word weights.

1. Normalise by Unicode 3.2 NFKC. The version is frozen (it is the one of RFC 3454), because
   a newer table would change what an old commitment means.
2. Fold: A-Z to a-z; the apostrophes U+2018, U+2019 and U+02BC to '. Nothing else is folded.
3. Tokens are the matches of `[a-z0-9$%']+`; the first `max_tokens` are kept.
4. Terms are the n-grams of the kept tokens for each n of `ngrams`, joined with `_`.
5. Line i of the vocabulary is feature i; the terms on one line, separated by one space, are
   spellings of one feature. Count the terms of each feature.
6. Weight: `count` the count; `binary` 1 where the count is not 0; `tfidf` count × idf[i].
7. Normalise: `none`, or `l2` divide by the square root of the sum of squares, summed in the
   order of the features. A vector of zeros stays.
8. Round once, from float64 to float32.
"""

import math
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from inferproof.errors import InputRejected, Reason
from inferproof.inference.preprocess.raw import type_name
from inferproof.models.card import beside_card, read_sidecar
from inferproof.models.card_table import NAME, Table
from inferproof.types.tensor import Tensors

PATTERN = "[a-z0-9$%']+"
UNICODE = "NFKC-3.2"
# A vocabulary of 65,536 lines of 64 bytes; the zoo's takes 2 KiB.
MAX_SIDECAR_BYTES = 4 * 1024 * 1024
MAX_FEATURES = 65_536

_TOKEN = re.compile(PATTERN)
_TERM = re.compile(r"[a-z0-9$%']+(_[a-z0-9$%']+)*")
_FOLD = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)} | {
    0x2018: "'",
    0x2019: "'",
    0x02BC: "'",
}


@dataclass(frozen=True, slots=True)
class TextSpec:
    """A bag of words over a fixed vocabulary.

    Units: `max_bytes` of UTF-8; `min_known` is how many terms of a text must be in the
    vocabulary for the model to have anything to say.
    """

    kind: ClassVar[str] = "text"
    input: str
    max_bytes: int
    max_tokens: int
    ngrams: tuple[int, ...]
    weighting: str
    normalization: str
    min_known: int
    vocabulary: tuple[str, ...]
    idf: tuple[float, ...] | None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.input: (1, len(self.vocabulary))}

    def canonical(self) -> dict[str, Any]:
        form: dict[str, Any] = {
            "input": self.input,
            "tokenizer": "word",
            "pattern": PATTERN,
            "unicode": UNICODE,
            "lowercase": True,
            "max_bytes": self.max_bytes,
            "max_tokens": self.max_tokens,
            "ngrams": list(self.ngrams),
            "weighting": self.weighting,
            "normalization": self.normalization,
            "min_known": self.min_known,
            "vocabulary": list(self.vocabulary),
        }
        return form if self.idf is None else form | {"idf": [x.hex() for x in self.idf]}

    @classmethod
    def read(cls, table: Table, folder: Path | None) -> "TextSpec":
        """The spec in a table; sidecar files are read where a folder is given.

        Raises: ModelRejected CARD_*.
        """
        table.exactly("tokenizer", "word")
        table.exactly("pattern", PATTERN)
        table.exactly("unicode", UNICODE)
        table.exactly("lowercase", True)
        weighting = table.choice("weighting", ("count", "binary", "tfidf"))
        vocabulary = _vocabulary(table, folder)
        return cls(
            input=table.text("input", longest=100, pattern=NAME, form="the name of an input"),
            max_bytes=table.integer("max_bytes", 1, 1024 * 1024),
            max_tokens=table.integer("max_tokens", 1, 100_000),
            ngrams=table.integers("ngrams", 3, highest=3),
            weighting=weighting,
            normalization=table.choice("normalization", ("l2", "none")),
            min_known=table.integer("min_known", 0, 1000),
            vocabulary=vocabulary,
            idf=_idf(table, folder, len(vocabulary)) if weighting == "tfidf" else None,
        )


def preprocess_text(spec: TextSpec, raw: object) -> Tensors:
    """The weights of a text's words. Shapes: `[1, features]`, float32.

    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_TOO_LARGE, INPUT_EMPTY_TEXT,
    INPUT_NO_KNOWN_WORD.
    """
    if not isinstance(raw, str):
        raise InputRejected(
            Reason.INPUT_TYPE_MISMATCH, name=spec.input, expected="a text", got=type_name(raw)
        )
    size = len(raw.encode("utf-8", "surrogatepass"))
    if size > spec.max_bytes:
        raise InputRejected(
            Reason.INPUT_TOO_LARGE, name=spec.input, size=size, limit=spec.max_bytes
        )
    words = tokens(raw)[: spec.max_tokens]
    if not words:
        raise InputRejected(Reason.INPUT_EMPTY_TEXT)
    feature_of = _features(spec.vocabulary)
    counts = [0] * len(spec.vocabulary)
    for term in terms(words, spec.ngrams):
        if (index := feature_of.get(term)) is not None:
            counts[index] += 1
    known = sum(counts)
    if known < spec.min_known:
        raise InputRejected(Reason.INPUT_NO_KNOWN_WORD, known=known, needed=spec.min_known)
    return {spec.input: np.array([_weights(spec, counts)], dtype=np.float32)}


@lru_cache(maxsize=16)
def _features(vocabulary: tuple[str, ...]) -> dict[str, int]:
    return {term: index for index, line in enumerate(vocabulary) for term in line.split(" ")}


def tokens(text: str) -> list[str]:
    """The tokens of a text, in order (steps 1 to 3, before the cut)."""
    folded = unicodedata.ucd_3_2_0.normalize("NFKC", text).translate(_FOLD)
    return _TOKEN.findall(folded)


def terms(words: list[str], ngrams: tuple[int, ...]) -> list[str]:
    """The n-grams of the words for each n, joined with `_` (step 4)."""
    return ["_".join(words[i : i + n]) for n in ngrams for i in range(len(words) - n + 1)]


def _weights(spec: TextSpec, counts: list[int]) -> list[float]:
    if spec.weighting == "binary":
        weights = [1.0 if count else 0.0 for count in counts]
    elif spec.idf is not None:
        weights = [count * idf for count, idf in zip(counts, spec.idf, strict=True)]
    else:
        weights = [float(count) for count in counts]
    if spec.normalization == "none":
        return weights
    # A plain loop: numpy's pairwise sum has another order, and sum() compensates since 3.12.
    squares = 0.0
    for weight in weights:
        squares += weight * weight
    norm = math.sqrt(squares)
    return [weight / norm for weight in weights] if norm > 0.0 else weights


def _vocabulary(table: Table, folder: Path | None) -> tuple[str, ...]:
    if folder is None:
        lines = table.texts("vocabulary", MAX_FEATURES, longest=10_000)
    else:
        lines = tuple(_lines(table, "vocabulary", folder))
    if not 1 <= len(lines) <= MAX_FEATURES:
        table.fail("vocabulary", f"it must have 1 to {MAX_FEATURES} lines")
    words = [term for line in lines for term in line.split(" ")]
    for term in words:
        if _TERM.fullmatch(term) is None:
            table.fail("vocabulary", f"{term[:60]!r} is not a term that this tokenizer makes")
    if len(set(words)) != len(words):
        table.fail("vocabulary", "it names something twice")
    return lines


def _idf(table: Table, folder: Path | None, features: int) -> tuple[float, ...]:
    if folder is None:
        values = table.numbers("idf", MAX_FEATURES)
    else:
        lines = _lines(table, "idf", folder)
        values = Table({"idf": lines}, table.path, hex_floats=True).numbers("idf", MAX_FEATURES)
    if len(values) != features:
        table.fail("idf", f"it has {len(values)} numbers for {features} features")
    if not all(0.0 < value <= 1e6 for value in values):
        table.fail("idf", "it must hold numbers above 0 and up to a million")
    return values


def _lines(table: Table, key: str, folder: Path) -> list[str]:
    name = beside_card(table, key, folder)
    return read_sidecar(folder / name, MAX_SIDECAR_BYTES).removesuffix("\n").split("\n")
