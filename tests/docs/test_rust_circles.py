"""No module of a crate in native/ uses one that uses it; `make check` runs the script too."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "rust_circles", ROOT / "scripts" / "rust_circles.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def crate(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"Cargo.toml": "", **{f"src/{n}": t for n, t in files.items()}}.items():
        path = folder / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


ROOT_OF_MADE = "mod a;\nmod b;\npub use a::A;\npub use b::{B, C};\n"


@pytest.mark.parametrize(
    ("of_a", "of_b"),
    [
        ("use crate::b::B;\n", "use crate::a::A;\n"),
        ("use crate::{B, C};\n", "fn f() -> crate::A {}\n"),
        ("use super::b::B;\n", "use super::{a::A};\n"),
    ],
)
def test_a_circle_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], of_a: str, of_b: str
) -> None:
    native = crate(tmp_path, {"lib.rs": ROOT_OF_MADE, "a.rs": of_a, "b.rs": of_b})
    assert script().main(native) == 1
    assert capsys.readouterr().out.startswith("made: modules use one another: ")


def test_a_circle_through_a_folder_is_found(tmp_path: Path) -> None:
    files = {"lib.rs": ROOT_OF_MADE, "a.rs": "use crate::b::B;\n", "b/mod.rs": "mod c;\n"}
    assert script().main(crate(tmp_path, {**files, "b/c.rs": "use super::super::a::A;\n"})) == 1
    assert script().main(crate(tmp_path, {**files, "b/c.rs": "use super::B;\n"})) == 0


def test_tests_comments_and_strings_make_no_circle(tmp_path: Path) -> None:
    of_b = '// crate::a\nconst B: &str = "crate::a";\n'
    of_b += "#[cfg(test)]\nmod tests {\n    use crate::A;\n}\n"
    files = {"lib.rs": ROOT_OF_MADE, "a.rs": "use crate::b::B;\n", "b.rs": of_b}
    assert script().main(crate(tmp_path, files)) == 0


def test_the_crates_have_none() -> None:
    assert script().main() == 0
