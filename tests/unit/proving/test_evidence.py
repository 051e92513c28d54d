"""What a build may say of its proofs' privacy hangs on evidence for the sources it is made of."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inferproof.errors import MissingPart, Reason
from inferproof.proving.sumcheck import evidence
from inferproof.proving.sumcheck.evidence import (
    COUNTED,
    COUNTED_OF_PRIVATE_INPUTS,
    FORMAT,
    NEEDED,
    NEEDED_OF_PRIVATE_INPUTS,
    PROOFS,
    evidence_gap,
    evidence_holds,
    gap,
)
from inferproof.proving.sumcheck.library import library

SCRIPTS = Path(__file__).parents[3] / "scripts"
SOURCES = "ab" * 32


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("native", monkeypatch)


@pytest.fixture
def forgotten() -> Iterator[None]:
    evidence_gap.cache_clear()
    yield
    evidence_gap.cache_clear()


ALL = NEEDED + NEEDED_OF_PRIVATE_INPUTS


def whole() -> dict[str, Any]:
    passed = {part: ["a test"] for part in ALL}
    counted = COUNTED + COUNTED_OF_PRIVATE_INPUTS
    figures = {part: {"proofs of each class": PROOFS} for part in counted}
    return {"format": FORMAT, "sources": SOURCES, "passed": passed, "figures": figures}


def test_evidence_of_the_same_sources_holds() -> None:
    assert gap(whole(), SOURCES) is None
    assert gap(whole(), SOURCES, private_input=True) is None


@pytest.mark.parametrize(
    ("change", "sources", "why"),
    [
        (lambda _: None, SOURCES, "missing or of another format"),
        (lambda own: own | {"format": 2}, SOURCES, "missing or of another format"),
        (lambda own: own | {"passed": 5}, SOURCES, "does not say what was run"),
        (lambda own: own | {"sources": "cd" * 32}, SOURCES, "have changed since"),
        (lambda own: own, "", "built in another way"),
        (lambda own: own | {"sources": ""}, "", "built in another way"),
    ],
)
def test_other_evidence_does_not(
    change: Callable[[dict[str, Any]], dict[str, Any] | None], sources: str, why: str
) -> None:
    assert why in str(gap(change(whole()), sources))


@pytest.mark.parametrize("part", NEEDED)
def test_no_part_may_be_missing_or_empty(part: str) -> None:
    found = whole()
    found["passed"][part] = []
    assert gap(found, SOURCES) == f"the evidence lacks a part: {part}"
    del found["passed"][part]
    assert gap(found, SOURCES) == f"the evidence lacks a part: {part}"


@pytest.mark.parametrize("part", NEEDED_OF_PRIVATE_INPUTS)
def test_without_a_part_about_private_inputs_there_is_evidence_for_public_ones(part: str) -> None:
    found = whole()
    found["passed"][part] = []
    assert gap(found, SOURCES) is None
    assert gap(found, SOURCES, private_input=True) == f"the evidence lacks a part: {part}"


@pytest.mark.parametrize("part", COUNTED_OF_PRIVATE_INPUTS)
def test_too_few_proofs_about_private_inputs_are_none_for_these(part: str) -> None:
    found = whole()
    found["figures"][part] = {"proofs of each class": PROOFS - 1}
    assert gap(found, SOURCES) is None
    why = f"the evidence rests on too few proofs: {part}"
    assert gap(found, SOURCES, private_input=True) == why


@pytest.mark.parametrize("private_input", [False, True])
def test_evidence_of_other_sources_is_none_for_any_input(private_input: bool) -> None:
    assert gap(whole(), "cd" * 32, private_input=private_input) is not None


@pytest.mark.parametrize("part", COUNTED)
@pytest.mark.parametrize("figure", [{"proofs of each class": PROOFS - 1}, {}, 5, None])
def test_too_few_proofs_are_no_evidence(part: str, figure: object) -> None:
    found = whole()
    found["figures"][part] = figure
    assert gap(found, SOURCES) == f"the evidence rests on too few proofs: {part}"
    assert gap(found | {"figures": None}, SOURCES) is not None


def test_the_script_takes_all_that_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    taker = script("evidence", monkeypatch)
    assert {*taker.PARTS, *taker.PYTHON} == set(ALL)
    assert taker.FORMAT == FORMAT
    assert taker.FILE == evidence.FILE


def test_a_file_that_is_none_is_no_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: None
) -> None:
    class Built:
        def sources(self) -> str:
            return SOURCES

    file = tmp_path / "evidence.json"
    monkeypatch.setattr(evidence, "FILE", file)
    monkeypatch.setattr(evidence, "library", Built)
    for text in (None, "{", "[]", "3"):
        evidence_gap.cache_clear()
        if text is not None:
            file.write_text(text)
        assert not evidence_holds()
    evidence_gap.cache_clear()
    file.write_text(json.dumps(whole()))
    assert evidence_holds()
    assert evidence_holds(private_input=True)
    evidence_gap.cache_clear()
    lacking = whole()
    del lacking["passed"][NEEDED_OF_PRIVATE_INPUTS[0]]
    file.write_text(json.dumps(lacking))
    assert evidence_holds()
    assert not evidence_holds(private_input=True)


def test_without_the_native_module_there_is_none(
    monkeypatch: pytest.MonkeyPatch, forgotten: None
) -> None:
    def missing() -> None:
        raise MissingPart(Reason.MISSING_NATIVE)

    monkeypatch.setattr(evidence, "library", missing)
    assert evidence_gap() == "the native module is not installed"
    assert not evidence_holds()


@pytest.mark.native
def test_a_build_knows_the_digest_of_its_sources(builder: ModuleType) -> None:
    assert library().sources() == builder.examined()


def crates(builder: ModuleType, room: Path) -> None:
    for name in ("Cargo.toml", "Cargo.lock"):
        (room / name).write_text(name)
    for crate in builder.EXAMINED:
        (room / crate / "src").mkdir(parents=True)
        (room / crate / "Cargo.toml").write_text(crate)
        (room / crate / "src/lib.rs").write_text(f"// {crate}")


def test_the_digest_is_that_of_every_file(builder: ModuleType, tmp_path: Path) -> None:
    crates(builder, tmp_path)
    before = builder.examined(tmp_path)
    assert before == builder.examined(tmp_path)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        text = path.read_text()
        path.write_text(text + " ")
        assert builder.examined(tmp_path) != before, path
        path.write_text(text)
    moved = tmp_path / "hiding/src/other.rs"
    (tmp_path / "hiding/src/lib.rs").rename(moved)
    assert builder.examined(tmp_path) != before
    moved.rename(tmp_path / "hiding/src/lib.rs")
    assert builder.examined(tmp_path) == before
    # What is not compiled into the module is not in it.
    (tmp_path / "hiding/tests").mkdir()
    (tmp_path / "hiding/tests/other.rs").write_text("")
    assert builder.examined(tmp_path) == before


def test_all_crates_of_the_workspace_are_examined_but_the_door(builder: ModuleType) -> None:
    crates = {path.parent.name for path in builder.NATIVE.glob("*/Cargo.toml")}
    assert crates - set(builder.EXAMINED) == {"python", "fuzz"}
