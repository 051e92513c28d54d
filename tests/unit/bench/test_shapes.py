"""The sweep of shapes: which there are, how it goes on after an interruption, what it compares."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench import shapes  # noqa: E402
from bench.measure import BenchFailed, Ran  # noqa: E402
from bench.shapes import (  # noqa: E402
    ATTENTION,
    CONVOLUTION,
    DENSE,
    FAMILIES,
    Shape,
    beside,
    draw,
    measure,
    random_shapes,
    regular_shapes,
    table,
)

SMALL = [Shape(DENSE, (7, 9, 5)), Shape(CONVOLUTION, (3, 5, 4)), Shape(ATTENTION, (12, 40))]


def test_the_shapes_are_spread_over_families_and_sizes() -> None:
    found = random_shapes()
    assert found == random_shapes()
    assert len({shape.name for shape in found}) == len(found) == 40
    weights = sorted(shape.weights for shape in found)
    assert 500 < weights[0] < 3_000
    assert 5e6 < weights[-1] < 2e7
    # Sizes are rounded, so that small nets are somewhat off; the others are evenly spread.
    assert all(after < 3 * before for before, after in itertools.pairwise(weights))
    for family in FAMILIES:
        line = [shape.weights for shape in regular_shapes() if shape.family == family]
        assert line == sorted(line)
        assert line[0] < 1_000
        assert 5e6 < line[-1] < 2e7


@pytest.mark.parametrize("shape", SMALL, ids=lambda shape: shape.family)
def test_a_shape_is_a_well_formed_model_with_as_many_weights(shape: Shape, tmp_path: Path) -> None:
    path, *samples = shapes.make(shape, tmp_path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    sizes = [tuple(each.dims) for each in model.graph.initializer]
    stored = sum(
        int(onnx.numpy_helper.to_array(each).size)
        for each in model.graph.initializer
        if len(each.dims) >= 2
    )
    assert stored == shape.weights, sizes
    assert all(file.exists() for file in samples)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was measured, in place of proofs; the net of 40 hidden units fails."""
    made: list[str] = []

    class Native:
        def sources(self) -> str:
            return "digest"

    def run(arguments: list[str], limit_s: float) -> Ran:
        made.append(arguments[3])
        if len(made) == 3:
            raise BenchFailed("it ended with 1:\nout of memory")
        return Ran({"processor_s": 0.01 * len(made)}, 1.0, 1.0)

    monkeypatch.setattr(shapes, "run_json", run)
    monkeypatch.setattr(shapes, "library", Native)
    return made


def test_a_run_goes_on_where_the_one_before_ended(measured: list[str], tmp_path: Path) -> None:
    path = tmp_path / "shapes.json"
    assert measure(SMALL, path, -1.0, again=False)["rows"] == {}
    first = measure(SMALL[:2], path, 60.0, again=False)
    assert list(first["rows"]) == ["dense 7-9-5", "convolution 3-5-4"]
    whole = measure(SMALL, path, 60.0, again=False)
    assert len(measured) == 3
    assert json.loads(path.read_text()) == whole
    assert whole["rows"]["dense 7-9-5"] == first["rows"]["dense 7-9-5"]
    failed = {"reason": "BENCH_FAILED", "message": "out of memory"}
    assert whole["rows"]["attention 12-40"]["refused"] == failed
    # Other sources, or the wish for it, begin anew.
    path.write_text(path.read_text().replace('"digest"', '"other"'))
    measure(SMALL[:1], path, 60.0, again=False)
    assert len(measured) == 4
    measure(SMALL[:1], path, 60.0, again=True)
    assert len(measured) == 5


def test_shapes_are_held_against_the_line_of_their_family(tmp_path: Path) -> None:
    regular = [Shape(DENSE, (8, 16, 8)), Shape(DENSE, (16, 32, 16)), Shape(CONVOLUTION, (4, 4, 4))]
    random = [
        Shape(DENSE, (16, 32)),  # between both, as many weights as the geometric mean
        Shape(DENSE, (32, 64)),
        Shape(CONVOLUTION, (5, 5)),
        Shape(ATTENTION, (8, 8)),
    ]
    rows: dict[str, Any] = {
        "dense 8-16-8": {"processor_s": 0.001},
        "dense 16-32-16": {"processor_s": 0.004},
        "dense 16-32": {"processor_s": 0.0031},
        "dense 32-64": {"processor_s": 0.008},
        "convolution 5-5": {"processor_s": 9.0},
        "attention 8-8": {"refused": {"reason": "MODEL_NOT_PROVABLE", "message": "no"}},
    }
    worst, other = beside(rows, random, regular)
    assert (worst.name, other.name) == ("dense 16-32", "dense 32-64")
    assert worst.regular == pytest.approx(0.002)
    assert worst.ratio == pytest.approx(1.55)
    # Twice as many weights as the largest net of the line.
    assert other.regular == pytest.approx(0.008)
    told = table(rows, random, regular)
    assert told[0].startswith("2 of 4 shapes measured, 1 take more than 1.5 times")
    assert told[-1] == "refused: attention 8-8: MODEL_NOT_PROVABLE, no"
    draw(rows, random, regular, tmp_path / "shapes.png")
    assert (tmp_path / "shapes.png").stat().st_size > 10_000
    draw({}, random, regular, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
