"""Cards and calibration samples of several sizes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_card import CARD

from inferproof.errors import Reason
from inferproof.models.axes import MOST_VARIANTS, Axes, Choice, choices
from inferproof.models.card import load_card, parse_card
from inferproof.models.loaded import OpenAxis
from inferproof.models.variants import cut_samples, read_variants
from inferproof.testing.rejections import rejects
from inferproof.types.tensor import TensorSpec

TENSORS = 'preprocessing = { kind = "tensor" }'
INPUT = '{ name = "ids", shape = [1, "tokens"] }'


def written(folder: Path, shape: str, inputs: str = INPUT) -> Path:
    text = CARD.replace("max_bytes = 100", f"max_bytes = 100\nbatch = 4\nshape = {shape}")
    text = text.replace(TENSORS, f'preprocessing = {{ kind = "tensor", inputs = [{inputs}] }}')
    (folder / "card.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_card_of_several_sizes_stands_for_a_card_of_each(tmp_path: Path) -> None:
    made = read_variants(written(tmp_path, "{ tokens = [16, 64] }"))
    assert [each.choice.name for each in made] == ["tokens-16", "tokens-64"]
    assert [each.card.version for each in made] == ["1.2.3-tokens-16", "1.2.3-tokens-64"]
    assert [each.card.input.axes for each in made] == [
        Axes(4, {"tokens": 16}),
        Axes(4, {"tokens": 64}),
    ]
    shapes = [each.card.preprocessing["inputs"][0]["shape"] for each in made]
    assert shapes == [[1, 16], [1, 64]]
    # What a gateway is sent is an ordinary card.
    assert [parse_card(each.content, tmp_path) for each in made] == [each.card for each in made]


def test_a_card_of_one_size_stays_as_it_is(tmp_path: Path) -> None:
    (alone,) = read_variants(written(tmp_path, "{ tokens = 16 }", INPUT.replace('"tokens"', "16")))
    assert alone.choice.name == ""
    assert alone.card == load_card(tmp_path)
    (tmp_path / "card.toml").write_text(CARD, encoding="utf-8")
    (alone,) = read_variants(tmp_path)
    assert (alone.choice, alone.card) == (Choice(), load_card(tmp_path))


def test_who_takes_one_size_refuses_a_card_of_several(tmp_path: Path) -> None:
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's input.shape.tokens is wrong: it must be an integer from 1 to 2147483647",
    ):
        load_card(written(tmp_path, "{ tokens = [16, 64] }"))


@pytest.mark.parametrize(
    ("shape", "key", "problem"),
    [
        ("{ tokens = [] }", "input.shape", "an axis has no size, or one of them twice"),
        ("{ tokens = [8, 8] }", "input.shape", "an axis has no size, or one of them twice"),
        (
            f"{{ tokens = {list(range(1, MOST_VARIANTS + 2))} }}",
            "input.shape",
            "these sizes make more than 16 models",
        ),
        (
            "{ tokens = [8, 0] }",
            "input.shape.tokens",
            "it must be an integer from 1 to 2147483647",
        ),
        (
            '{ tokens = [8, "x"] }',
            "input.shape.tokens",
            "it must be an integer from 1 to 2147483647",
        ),
    ],
)
def test_sizes_that_are_refused(tmp_path: Path, shape: str, key: str, problem: str) -> None:
    with rejects(Reason.CARD_BAD_VALUE, f"the model card's {key} is wrong: {problem}"):
        read_variants(written(tmp_path, shape))


def test_names_tell_what_is_chosen() -> None:
    found = choices(1, {"tokens": [4, 8], "heads": 2, "x.2 / y": [1, 3]})
    assert [choice.name for choice in found] == [
        "tokens-4-x-2-y-1",
        "tokens-4-x-2-y-3",
        "tokens-8-x-2-y-1",
        "tokens-8-x-2-y-3",
    ]
    assert found[3].axes == Axes(1, {"tokens": 8, "heads": 2, "x.2 / y": 3})
    assert [choice.name for choice in choices(1, {"..": [5]})] == ["axis-5"]
    assert len(choices(1, {"a": list(range(1, MOST_VARIANTS + 1))})) == MOST_VARIANTS


def model(shape: tuple[int, ...], *axes: OpenAxis) -> Any:
    return SimpleNamespace(inputs=(TensorSpec("ids", "int64", shape),), open_axes=axes)


@pytest.mark.parametrize("batch", [(1,), ()])
def test_samples_are_cut_along_the_axes_that_have_several_sizes(batch: tuple[int, ...]) -> None:
    made = model((1, 3, 5), OpenAxis("ids", 0, "n", 1), OpenAxis("ids", 1, "tokens", 3))
    array = np.arange(2 * 8 * 5).reshape(2, *batch, 8, 5)
    cut = cut_samples(made, {"ids": array}, Choice(Axes(1, {"tokens": 3}), ("tokens",)))["ids"]
    assert cut.shape == (2, *batch, 3, 5)
    assert (cut.reshape(2, 3, 5) == array.reshape(2, 8, 5)[:, :3]).all()
    # Of one size nothing is cut: a file of another shape is refused when it is checked.
    whole = cut_samples(made, {"ids": array, "more": array}, Choice(Axes(1, {"tokens": 3})))
    assert whole["ids"] is array


def test_samples_are_never_taken_for_an_axis() -> None:
    made = model((1, 5), OpenAxis("ids", 0, "n", 1))
    array = np.zeros((9, 5))
    assert cut_samples(made, {"ids": array}, Choice(Axes(1, {"n": 1}), ("n",)))["ids"].shape == (
        9,
        5,
    )
