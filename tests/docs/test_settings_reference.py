"""The reference of settings says what the class says: every setting, its default, its meaning."""

import re
from pathlib import Path

import pytest

from inferproof.settings import Settings, variable

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/settings.md").read_text("utf-8")
ROW = re.compile(r"^\| `(INFERPROOF_\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)
DOCUMENTED = {name: (default, meaning) for name, default, meaning in ROW.findall(PAGE)}


def shown(default: object) -> str:
    if default is None:
        return "—"
    return "`[]`" if default == () else f"`{default}`"


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented(field: str) -> None:
    info = Settings.model_fields[field]
    assert DOCUMENTED.get(variable(field)) == (shown(info.default), info.description), (
        f"docs/reference/settings.md needs the row\n"
        f"| `{variable(field)}` | {shown(info.default)} | {info.description} |"
    )


def test_nothing_else_is_documented() -> None:
    assert set(DOCUMENTED) == {variable(field) for field in Settings.model_fields}


def test_the_variables_in_the_examples_are_settings() -> None:
    named = set(re.findall(r"INFERPROOF_[A-Z_]+(?==)", PAGE))
    assert named
    assert named <= {variable(field) for field in Settings.model_fields}
