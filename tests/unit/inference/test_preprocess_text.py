"""Text to word weights: the steps, and each way in which a text or its table is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inferproof.errors import InputRejected, ModelRejected, Reason
from inferproof.inference.preprocess import Preprocessing, load_preprocessing, preprocess
from inferproof.inference.preprocess.text import tokens
from inferproof.testing.rejections import rejects

TABLE: dict[str, Any] = {
    "kind": "text",
    "input": "text",
    "tokenizer": "word",
    "pattern": "[a-z0-9$%']+",
    "unicode": "NFKC-3.2",
    "lowercase": True,
    "max_bytes": 60,
    "max_tokens": 5,
    "ngrams": [1, 2],
    "weighting": "count",
    "normalization": "none",
    "min_known": 1,
    "vocabulary": "words.txt",
}


def loaded(folder: Path, words: str = "up rises\ndown\nnot_up\n", **change: Any) -> Preprocessing:
    (folder / "words.txt").write_text(words)
    return load_preprocessing(TABLE | change, folder)


def weights(step: Preprocessing, text: str) -> list[float]:
    array = preprocess(step, text)["text"]
    assert array.dtype == np.float32
    assert array.shape == (1, 3)
    return array[0].tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bitcoin RISES 5%", ["bitcoin", "rises", "5%"]),
        ("don\u2019t; $40m", ["don't", "$40m"]),
        ("\uff35\uff50 \U0001d400", ["up", "a"]),
        ("\u0130stanbul na\u00efve", ["stanbul", "na", "ve"]),
        ("\u4ef7\u683c ... !", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_spellings_on_one_line_share_a_feature(tmp_path: Path) -> None:
    assert weights(loaded(tmp_path), "Up, up rises: not up?") == [4.0, 0.0, 1.0]
    assert weights(loaded(tmp_path), "not up, down") == [1.0, 1.0, 1.0]


def test_tokens_beyond_the_cut_do_not_count(tmp_path: Path) -> None:
    assert weights(loaded(tmp_path), "up a a a a down") == [1.0, 0.0, 0.0]


def test_binary_weights(tmp_path: Path) -> None:
    assert weights(loaded(tmp_path, weighting="binary"), "up up down") == [1.0, 1.0, 0.0]


def test_tfidf_and_l2(tmp_path: Path) -> None:
    (tmp_path / "idf.txt").write_text("0x1.8000000000000p+1\n0x1.0000000000000p+2\n0x1.0p+0\n")
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's preprocessing.idf is wrong: it must be a number in hexadecimal form",
    ):
        loaded(tmp_path, weighting="tfidf", idf="idf.txt")
    (tmp_path / "idf.txt").write_text(
        "0x1.8000000000000p+1\n0x1.0000000000000p+2\n0x1.0000000000000p+0\n"
    )
    step = loaded(tmp_path, weighting="tfidf", idf="idf.txt", normalization="l2")
    assert weights(step, "up down") == [np.float32(0.6), np.float32(0.8), 0.0]
    assert Preprocessing.from_canonical(step.canonical()) == step


def test_zeros_stay_zeros(tmp_path: Path) -> None:
    step = loaded(tmp_path, min_known=0, normalization="l2")
    assert weights(step, "other") == [0.0, 0.0, 0.0]


def test_a_changed_word_changes_the_canonical_form(tmp_path: Path) -> None:
    form = loaded(tmp_path).canonical()
    assert form["vocabulary"] == ["up rises", "down", "not_up"]
    assert form != loaded(tmp_path, "up\ndown\nnot_up\n").canonical()
    assert Preprocessing.from_canonical(form).canonical() == form


def test_not_a_text(tmp_path: Path) -> None:
    with rejects(
        Reason.INPUT_TYPE_MISMATCH, "input text must be a text, got a list", kind=InputRejected
    ):
        preprocess(loaded(tmp_path), ["up"])


def test_too_long_a_text(tmp_path: Path) -> None:
    preprocess(loaded(tmp_path), "up" + " " * 58)
    with rejects(Reason.INPUT_TOO_LARGE, "input text is 61 bytes, the limit is 60"):
        preprocess(loaded(tmp_path), "up" + " " * 59)


@pytest.mark.parametrize("text", ["", " \n", "\u4ef7\u683c", "\ud800"])
def test_no_word_at_all(tmp_path: Path, text: str) -> None:
    with rejects(
        Reason.INPUT_EMPTY_TEXT,
        "the text holds no word; words are runs of letters a-z and digits",
    ):
        preprocess(loaded(tmp_path), text)


def test_no_known_word(tmp_path: Path) -> None:
    with rejects(
        Reason.INPUT_NO_KNOWN_WORD,
        "0 of the text's words are known to this model, it needs 1; give it a text in the "
        "language and on the subject it was trained for",
    ):
        preprocess(loaded(tmp_path), "Der Kurs steigt")


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"tokenizer": "bpe"}, "tokenizer", "only word is supported"),
        ({"pattern": "(a+)+"}, "pattern", "only [a-z0-9$%']+ is supported"),
        ({"lowercase": False}, "lowercase", "only true is supported"),
        ({"unicode": "NFC"}, "unicode", "only NFKC-3.2 is supported"),
        ({"ngrams": [4]}, "ngrams", "it must hold integers from 1 to 3"),
        ({"max_tokens": 0}, "max_tokens", "it must be an integer from 1 to 100000"),
        ({"weighting": "bm25"}, "weighting", "it must be count or binary or tfidf"),
        ({"input": "a b"}, "input", "it must be the name of an input"),
    ],
)
def test_wrong_table(tmp_path: Path, change: dict[str, Any], key: str, problem: str) -> None:
    with rejects(
        Reason.CARD_BAD_VALUE,
        f"the model card's preprocessing.{key} is wrong: {problem}",
        kind=ModelRejected,
    ):
        loaded(tmp_path, **change)


@pytest.mark.parametrize("words", ["up\nup\n", "up up\n"])
def test_vocabulary_names_each_term_once(tmp_path: Path, words: str) -> None:
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's preprocessing.vocabulary is wrong: it names something twice",
    ):
        loaded(tmp_path, words)


@pytest.mark.parametrize(("words", "term"), [("Up\n", "Up"), ("up  down\n", ""), ("\n", "")])
def test_vocabulary_holds_terms_that_can_occur(tmp_path: Path, words: str, term: str) -> None:
    with rejects(
        Reason.CARD_BAD_VALUE,
        f"the model card's preprocessing.vocabulary is wrong: {term!r} is not a term that this "
        "tokenizer makes",
    ):
        loaded(tmp_path, words)


def test_idf_has_a_number_for_each_feature(tmp_path: Path) -> None:
    (tmp_path / "idf.txt").write_text("0x1.8000000000000p+1\n")
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's preprocessing.idf is wrong: it has 1 numbers for 3 features",
    ):
        loaded(tmp_path, weighting="tfidf", idf="idf.txt")


def test_vocabulary_outside_the_folder(tmp_path: Path) -> None:
    with rejects(
        Reason.CARD_PATH_ESCAPES,
        "the model card's preprocessing.vocabulary leads out of its folder; "
        "name a file that lies beside the card",
    ):
        loaded(tmp_path, vocabulary="../words.txt")


def test_unknown_key_and_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match=r"unknown key preprocessing\.stemmer;"):
        loaded(tmp_path, stemmer="porter")
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's preprocessing.kind is wrong: it must be text or vector or image "
        "or tensor or features",
    ):
        loaded(tmp_path, kind="audio")
