"""The page of the corpus is that of its results, and what counts as a regression."""

import importlib.util
import json
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
    results = json.loads((ROOT / "tests/corpus/results.json").read_text())
    assert (ROOT / "docs/reference/corpus.md").read_text() == run.page(results)


def test_nothing_crashes_or_outlives_its_time() -> None:
    results = json.loads((ROOT / "tests/corpus/results.json").read_text())
    assert {one["outcome"] for one in results.values()} <= {"proven", "refused"}


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
