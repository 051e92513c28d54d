"""Calibration without a file: drawn from declared ranges, or asked for in one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from small_models import mlp, save
from typer.testing import CliRunner

from inferproof.app.compiling import compile_card
from inferproof.app.openings import local_openings
from inferproof.cli import model as inspecting
from inferproof.cli.main import app
from inferproof.errors import InputRejected, Reason
from inferproof.inference.preprocess import load_preprocessing, preprocess
from inferproof.models import drawing
from inferproof.models.card import load_card
from inferproof.models.drawing import drawn, parse_ranges, wanted
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.proving.registry import get_system
from inferproof.testing.market import find_zoo
from inferproof.testing.rejections import rejects
from inferproof.types.tensor import TensorSpec

RUNNER = CliRunner()
HOW = "; write low:high or name=low:high"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """Token numbers into tables of 9 and 7 rows, a mask, and an offset."""
    rng = np.random.default_rng(0)
    tables = [(f"t{rows}", rng.random((rows, 4), np.float32)) for rows in (9, 7)]
    nodes = [helper.make_node("Gather", [name, "tokens"], [f"e{name}"]) for name, _ in tables]
    nodes += [
        helper.make_node("Add", ["et9", "et7"], ["sum"]),
        helper.make_node("Where", ["mask", "sum", "offset"], ["y"]),
    ]
    inputs = [
        ("tokens", TensorProto.INT64, [1, 3]),
        ("mask", TensorProto.BOOL, [1, 3, 1]),
        ("offset", TensorProto.FLOAT, [1, 3, 4]),
    ]
    path = tmp_path_factory.mktemp("drawing") / "m.onnx"
    return load_model(save(path, nodes, inputs, [("y", TensorProto.FLOAT, [1, 3, 4])], tables))


def test_inputs_are_drawn_within_their_ranges_and_meet_both_ends(embedded: LoadedModel) -> None:
    made = drawn(embedded, parse_ranges(["offset=-2:0.5"]), samples=50)
    assert {name: (a.shape, a.dtype.name) for name, a in made.items()} == {
        "tokens": ((50, 1, 3), "int64"),
        "mask": ((50, 1, 3, 1), "bool"),
        "offset": ((50, 1, 3, 4), "float32"),
    }
    ends = {name: (a.min(), a.max()) for name, a in made.items()}
    assert ends == {"tokens": (0, 6), "mask": (False, True), "offset": (-2.0, 0.5)}
    assert len(np.unique(made["offset"])) > 500


def test_drawing_again_gives_the_same(embedded: LoadedModel) -> None:
    first, second = (drawn(embedded, {"": (0.0, 1.0)}) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_what_is_drawn_is_bounded(embedded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_size(elements: int) -> LoadedModel:
        return replace(embedded, inputs=(TensorSpec("x", "float32", (elements,)),))

    with pytest.raises(InputRejected) as refused:
        drawn(of_size(drawing.DRAWN_BYTES // 4), {"": (0.0, 1.0)})
    assert refused.value.reason is Reason.CALIBRATION_WANTED
    # At the bound itself a test process would keep a gigabyte.
    monkeypatch.setattr(drawing, "DRAWN_BYTES", 2**19)
    assert len(drawn(of_size(2**10), {"": (0.0, 1.0)}, samples=256)["x"]) == 128
    assert len(drawn(of_size(2**16), {"": (0.0, 1.0)})["x"]) == 2
    with pytest.raises(InputRejected) as refused:
        drawn(of_size(2**16 + 1), {"": (0.0, 1.0)})
    assert refused.value.reason is Reason.CALIBRATION_WANTED


def test_a_range_for_all_goes_behind_one_for_a_name(embedded: LoadedModel) -> None:
    made = drawn(embedded, parse_ranges(["0:1", "tokens=2:3"]))
    assert set(np.unique(made["tokens"])) == {2, 3}
    assert made["offset"].max() == 1


@given(st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32), st.text(max_size=5))
def test_a_range_is_read_as_it_was_written(low: float, high: float, name: str) -> None:
    text = f"{name}={low!r}:{high!r}"
    if low < high:
        assert parse_ranges([text]) == {name: (low, high)}
    else:
        with pytest.raises(InputRejected):
            parse_ranges([text])


@pytest.mark.parametrize(
    "text", ["", "1", "x", "a:b", "1:2:3", "x=1", "x=:", "=", "nan:1", "0:inf"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(InputRejected) as refused:
        parse_ranges([text])
    assert refused.value.reason is Reason.RANGE_MALFORMED


def test_each_wrong_range_is_told_why(embedded: LoadedModel) -> None:
    def message(text: str, why: str) -> str:
        return f"the range {text} is not one of an input: {why}{HOW}"

    with rejects(
        Reason.RANGE_MALFORMED,
        f"the range x=1 is not one of an input: it is not low:high{HOW}",
        kind=InputRejected,
    ):
        parse_ranges(["x=1"])
    for texts, told in (
        (["1:1"], message("1:1", "its low end must be below its high end")),
        (["0:1e30"], message("0:1e30", "its ends must be within ±2^60")),
        (["x=0:1", "x=0:2"], message("x=0:2", "there is another one for the same input")),
    ):
        with rejects(Reason.RANGE_MALFORMED, told, kind=InputRejected):
            parse_ranges(texts)
    for texts, told in (
        (["z=0:1"], message("z=…", "the model's inputs are: tokens, mask, offset")),
        (
            ["0:1", "tokens=0.2:0.8"],
            message("tokens=1:0", "the input is int64, which does not hold these numbers"),
        ),
    ):
        with rejects(Reason.RANGE_MALFORMED, told, kind=InputRejected):
            drawn(embedded, parse_ranges(texts))


def test_without_a_range_the_arrays_are_asked_for_with_a_line_that_makes_them(
    embedded: LoadedModel,
) -> None:
    with rejects(
        Reason.CALIBRATION_WANTED,
        "compiling needs inputs like those that will be sent: give --calibration with an .npz of "
        "'tokens' int64[samples, 1, 3], 'mask' bool[samples, 1, 3, 1], "
        "'offset' float32[samples, 1, 3, 4], made for example by "
        'np.savez("calibration.npz", **{\'tokens\': np.zeros((256, 1, 3), "int64"), '
        "'mask': np.zeros((256, 1, 3, 1), \"bool\"), "
        "'offset': np.zeros((256, 1, 3, 4), \"float32\")}), or say from where to draw them with "
        "--range low:high",
        kind=InputRejected,
    ):
        drawn(embedded, {})


def test_the_line_that_is_told_makes_a_file_of_the_right_arrays(
    embedded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = str(wanted(embedded.inputs).facts["example"])
    exec(line, {"np": np})  # noqa: S102
    with np.load(tmp_path / "calibration.npz") as made:
        told = {name: (made[name].shape[1:], made[name].dtype.name) for name in made}
    assert told == {spec.name: (spec.shape, spec.dtype) for spec in embedded.inputs}


@pytest.mark.native
def test_compile_draws_or_asks(tmp_path: Path) -> None:
    model = mlp(tmp_path / "m.onnx", 4, 6, 3)
    compile_it = ["compile", str(model), "--out", str(tmp_path / "dir"), "--json"]
    asked = RUNNER.invoke(app, compile_it)
    assert (asked.exit_code, json.loads(asked.stdout)["reason"]) == (1, "CALIBRATION_WANTED")
    made = RUNNER.invoke(app, [*compile_it, "--range", "-3:3"])
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["max_error"] < 0.1
    assert "drawn from the declared ranges" in made.stderr
    both = RUNNER.invoke(app, [*compile_it, "--range", "-3:3", "--calibration", "x.npz"])
    assert both.exit_code == 2


@pytest.mark.native
def test_inspect_says_what_a_calibration_file_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspecting, "known_systems", lambda: ["sumcheck"])
    model = str(mlp(tmp_path / "m.onnx", 4, 3))
    told = RUNNER.invoke(app, ["model", "inspect", model])
    assert "float32[samples, 1, 4]" in told.stdout
    drew = RUNNER.invoke(app, ["model", "inspect", model, "--range", "-3:3", "--json"])
    assert json.loads(drew.stdout)["samples"] == inspecting.MAX_SAMPLES


@pytest.mark.native
def test_a_card_of_bounded_fields_needs_no_calibration_file(tmp_path: Path) -> None:
    card = load_card(find_zoo() / "fraud")
    card = replace(card, files=replace(card.files, calibration=None))
    system = get_system("sumcheck", openings=local_openings)
    done = compile_card(card, tmp_path / "out", system)
    assert done.agreement > 0.9
    step = load_preprocessing(card.preprocessing, card.folder)
    tensors = preprocess(step, card.input.examples[0].value)
    samples = {name: array[np.newaxis] for name, array in tensors.items()}
    (logits,) = system.evaluate(tmp_path / "out", samples).values()  # type: ignore[attr-defined]
    assert card.output.labels[int(logits.argmax())] == card.input.examples[0].label
