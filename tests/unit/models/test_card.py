"""Model cards: what is read, and each way in which a card is refused."""

import os
from pathlib import Path

import pytest

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Axes
from inferproof.models.card import MAX_CARD_BYTES, ModelCard, Revenue, load_card
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address

CARD = """
schema = "inferproof/model-card/1"
id = "small-model"
version = "1.2.3"
title = "Small"
description = "A small model."
category = "test"
developer = "Nobody"
license = "MIT"
preprocessing = { kind = "tensor" }

[files]
model = "model.onnx"

[input]
type = "vector"
max_bytes = 100

[[input.examples]]
title = "One"
value = { a = 1 }
label = "yes"

[output]
type = "classification"
labels = ["no", "yes"]
unit = "logit"

[price]
amount = "0.25"
currency = "USDC"

[proof]
system = "ezkl"
input_visibility = "hashed"

[revenue]
developer_bps = 7000
platform_bps = 3000
"""


def load(folder: Path, text: str) -> ModelCard:
    (folder / "card.toml").write_text(text, encoding="utf-8")
    return load_card(folder)


def test_sizes_for_axes_that_the_model_leaves_open(tmp_path: Path) -> None:
    sized = CARD.replace("max_bytes = 100", "max_bytes = 100\nbatch = 4\nshape = { tokens = 64 }")
    assert load(tmp_path, sized).input.axes == Axes(4, {"tokens": 64})
    assert load(tmp_path, CARD).input.axes == Axes()
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's input.shape.tokens is wrong: it must be an integer from 1 to 2147483647",
    ):
        load(tmp_path, sized.replace("64", "0"))


def test_card_is_read_from_its_folder(tmp_path: Path) -> None:
    card = load(tmp_path, CARD)
    assert card.name == "small-model@1.2.3"
    assert card.price.atomic == 250_000
    assert str(card.price) == "0.25 USDC"
    assert card.model_path == tmp_path / "model.onnx"
    assert card.calibration_path is None
    assert card.input.examples[0].label == "yes"
    assert card.proof.input_visibility == "hashed"
    assert card == load_card(tmp_path / "card.toml")


def test_who_is_paid_and_how_much(tmp_path: Path) -> None:
    assert load(tmp_path, CARD).revenue == Revenue(7000, 3000)
    elsewhere = CARD.replace("3000", f'3000\npay_to = "0x{"aB" * 20}"')
    assert load(tmp_path, elsewhere).revenue == Revenue(7000, 3000, Address(b"\xab" * 20))
    unsaid = CARD[: CARD.index("[revenue]")]
    assert load(tmp_path, unsaid).revenue == Revenue(7000, 3000)


def test_example_label_may_be_left_out(tmp_path: Path) -> None:
    card = load(tmp_path, CARD.replace('label = "yes"\n', ""))
    assert card.input.examples[0].label is None


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ("/1", "/2", "schema", "only inferproof/model-card/1 is supported"),
        ('"small-model"', '"Small"', "id", "it must be words of a-z and 0-9 joined by -"),
        ('"1.2.3"', '"1.2"', "version", "it must be a version such as 1.0.0"),
        ('"1.2.3"', "1", "version", "it must be a text"),
        ('title = "Small"', 'title = ""', "title", "it must have 1 to 100 characters"),
        ('"A small', '"\\u0007A', "description", "it holds a character that cannot be printed"),
        ('{ kind = "tensor" }', "1", "preprocessing", "it must be a table"),
        ("max_bytes = 100", "max_bytes = 0", "input.max_bytes",
         "it must be an integer from 1 to 67108864"),
        ("max_bytes = 100", "max_bytes = true", "input.max_bytes",
         "it must be an integer from 1 to 67108864"),
        ('"vector"', '"audio"', "input.type",
         "it must be text or vector or image or tensor or features"),
        ("{ a = 1 }", '"a"', "input.examples[0].value", "it must be a table of fields"),
        ('label = "yes"', 'label = "may"', "input.examples[0].label",
         "it must be one of the output's labels"),
        ('["no", "yes"]', '["no", "no"]', "output.labels", "it names something twice"),
        ('["no", "yes"]', '["yes"]', "output.labels",
         "a classification has at least 2 labels"),
        ('["no", "yes"]', "[1, 2]", "output.labels",
         "it must hold texts of 1 to 100 characters"),
        ('["no", "yes"]', "[]", "output.labels", "it must be a list of 1 to 10000 items"),
        ('"0.25"', "0.25", "price.amount", "it must be a text"),
        ('"0.25"', '"-1"', "price.amount", 'it must be a decimal text such as "0.25"'),
        ('"0.25"', '"0.0000001"', "price.amount", 'it must be a decimal text such as "0.25"'),
        ('"0.25"', '"0.00"', "price.amount", "it must be more than nothing"),
        ('"USDC"', '"EUR"', "price.currency", "it must be USDC"),
        ('"hashed"', '"secret"', "proof.input_visibility", "it must be public or hashed"),
        ("7000", "7001", "revenue.platform_bps",
         "developer_bps and platform_bps must sum to 10000"),
        ("3000", '3000\npay_to = "0x12"', "revenue.pay_to",
         "it must be an address: 0x and 40 hex digits"),
        ("3000", f'3000\npay_to = "0x{"00" * 20}"', "revenue.pay_to",
         "nobody has the zero address"),
        ('[files]\nmodel = "model.onnx"', "files = 1", "files", "it must be a table"),
    ],
)  # fmt: skip
def test_wrong_value_is_named(tmp_path: Path, old: str, new: str, key: str, problem: str) -> None:
    assert old in CARD
    with rejects(
        Reason.CARD_BAD_VALUE, f"the model card's {key} is wrong: {problem}", kind=ModelRejected
    ):
        load(tmp_path, CARD.replace(old, new))


def test_the_proof_system_may_be_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, CARD).proof.system == "ezkl"
    assert load(tmp_path, CARD.replace('system = "ezkl"\n', "")).proof.system == "sumcheck"


def test_missing_key_is_named(tmp_path: Path) -> None:
    with rejects(Reason.CARD_MISSING_KEY, "the model card lacks the key price.amount"):
        load(tmp_path, CARD.replace('amount = "0.25"\n', ""))


def test_unknown_key_is_named_with_its_neighbours(tmp_path: Path) -> None:
    with rejects(
        Reason.CARD_UNKNOWN_KEY,
        "the model card has the unknown key price.discount; the keys here are: currency, amount",
    ):
        load(tmp_path, CARD.replace('amount = "0.25"', 'amount = "0.25"\ndiscount = 1'))


def test_unknown_key_at_the_top(tmp_path: Path) -> None:
    with pytest.raises(ModelRejected, match="unknown key colour;"):
        load(tmp_path, "colour = 1\n" + CARD)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/b.onnx", "..", "a\\\\b"])
def test_file_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    with rejects(
        Reason.CARD_PATH_ESCAPES,
        "the model card's files.model leads out of its folder; "
        "name a file that lies beside the card",
    ):
        load(tmp_path, CARD.replace("model.onnx", name))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with rejects(
        Reason.CARD_PATH_ESCAPES,
        "the model card's files.model leads out of its folder; "
        "name a file that lies beside the card",
    ):
        load(folder, CARD)


def test_large_card_is_refused_unread(tmp_path: Path) -> None:
    with rejects(
        Reason.CARD_TOO_LARGE,
        "the model card file card.toml is 65537 bytes, the limit is 65536",
    ):
        load(tmp_path, "#" * (MAX_CARD_BYTES + 1))


def test_absent_card(tmp_path: Path) -> None:
    with rejects(
        Reason.CARD_UNREADABLE,
        "the model card file card.toml cannot be read: No such file or directory",
    ):
        load_card(tmp_path)


def test_card_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_bytes(b"\xff\xfe")
    with rejects(
        Reason.CARD_UNREADABLE,
        "the model card file card.toml cannot be read: it is not UTF-8 text",
    ):
        load_card(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["x = [" * 20_000, "x = " + "{a=" * 20_000, "x = " + "9" * 60_000, "=", "x = 2020-13-01"],
)
def test_hostile_toml_is_refused(tmp_path: Path, text: str) -> None:
    text = text[: MAX_CARD_BYTES - 1]
    with pytest.raises(ModelRejected) as caught:
        load(tmp_path, text)
    assert caught.value.reason is Reason.CARD_UNREADABLE
    assert "card.toml cannot be read: it is not TOML" in caught.value.message


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "card.toml")
    with rejects(
        Reason.CARD_UNREADABLE,
        "the model card file card.toml cannot be read: it is not a plain file",
    ):
        load_card(tmp_path)
