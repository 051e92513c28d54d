"""No private name of a library is imported: a minor release may take it away."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = {"inferproof", "bench", "zoo", "tests"}


def private_imports(source: str) -> Iterator[str]:
    """The private modules and names of libraries that the source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            named = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in named:
            parts = name.split(".")
            hidden = [p for p in parts if p.startswith("_") and not p.startswith("__")]
            if hidden and parts[0] not in OWN:
                yield name


def test_no_private_name_of_a_library_is_imported() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("src", "bench", "scripts", "zoo")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in private_imports(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from uvicorn._types import HTTPScope", ["uvicorn._types.HTTPScope"]),
        ("import h11._connection", ["h11._connection"]),
        ("from asyncio import _get_running_loop", ["asyncio._get_running_loop"]),
        ("from inferproof.proving.sumcheck import _native", []),
        ("from __future__ import annotations\nimport uvicorn", []),
    ],
)
def test_a_private_name_is_noticed(source: str, names: list[str]) -> None:
    assert list(private_imports(source)) == names
