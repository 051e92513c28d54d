"""The page of the corpus is that of its results, and what counts as a regression."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROVEN = {"outcome": "proven", "prove_ms": 1.0, "agreement": 1.0}
REFUSED = {"outcome": "refused", "reason": "MODEL_INVALID", "why": "no"}
CRASHED = {"outcome": "crashed", "why": "?"}


@pytest.fixture(scope="module")
def run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus_run", ROOT / "tests/corpus/run.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_is_that_of_the_results(run: ModuleType) -> None:
    page = run.page(run.read())
    assert (ROOT / "docs/reference/corpus.md").read_text() == page


def test_nothing_crashes_or_outlives_its_time(run: ModuleType) -> None:
    assert {one["outcome"] for one in run.read().values()} <= {"proven", "refused"}


def test_each_model_and_each_family_has_a_row(run: ModuleType) -> None:
    costs = {"verify_ms": 2.0, "proof_bytes": 3000, "plain_ms": 0.5, "error": None}
    results = {"a.one": PROVEN | costs, "a.two": PROVEN | costs, "a.three": REFUSED}
    lines = run.page(results).splitlines()
    assert "| one | 1 | 2 | 3 | 2 × | 100.0% | |" in lines
    assert "| three | refused: no | | | | | |" in lines
    bare = PROVEN | {"error": 0.01}
    del bare["prove_ms"]
    assert "| one | | | | | 100.0% | 1.00% |" in run.page({"a.one": bare}).splitlines()
    assert "| all | 3 | 2 (67%) | 100.00% | 1.00 | 3 | 2 × |" in lines


def test_families_are_tried_in_turn_the_smallest_models_first(
    run: ModuleType, tmp_path: Path
) -> None:
    for name, size in (("a.large", 9), ("a.small", 2), ("b.large", 5), ("b.small", 4)):
        (tmp_path / f"{name}.onnx").write_bytes(bytes(size))
    names = [path.stem for path in run.in_turn(tmp_path.glob("*.onnx"))]
    assert names == ["a.small", "b.small", "a.large", "b.large"]


def test_what_is_refused_now_and_was_proven_is_a_regression(run: ModuleType) -> None:
    told = list(run.regressions({"a": PROVEN}, {"a": REFUSED}))
    assert told == ["a was proven, now refused: MODEL_INVALID no"]


def test_what_was_never_proven_may_be_refused(run: ModuleType) -> None:
    assert not list(run.regressions({"a": REFUSED}, {"a": REFUSED, "b": REFUSED}))
    assert not list(run.regressions({"a": REFUSED}, {"a": PROVEN}))


def test_a_crash_is_a_regression_always(run: ModuleType) -> None:
    assert list(run.regressions({}, {"a": CRASHED})) == ["a was not tried, now crashed: ?"]


def test_a_model_that_is_not_made_any_more_is_a_regression(run: ModuleType) -> None:
    told = list(run.regressions({"a": REFUSED, "b": PROVEN}, {"b": PROVEN}))
    assert told == ["a was refused, now not made (not-exported.json says why)"]
