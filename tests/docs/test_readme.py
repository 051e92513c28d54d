"""README and guide name only commands, options, files and models that exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from inferproof.cli.main import app
from inferproof.models.card import load_card

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"(?:\$ |`)(inferproof [^`]*?)(?:`|$)", re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text("utf-8").replace("\\\n", " ")


def commands_in(page: Path) -> list[str]:
    return [found.split("  #")[0].strip() for found in COMMAND.findall(text_of(page))]


def resolve(words: list[str]) -> tuple[object, list[str]]:
    """The command that the words name, and the words behind its name."""
    command, rest = get_command(app), words[1:]
    while getattr(command, "commands", None) is not None and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_command_exists_with_its_options(page: Path) -> None:
    for line in commands_in(page):
        words = shlex.split(re.sub(r"…|\(.*?\)", "x", line))
        command, rest = resolve(words)
        named_group = len(words) == 1 or getattr(command, "commands", None) is None
        assert named_group or not rest, f"{line!r} names no command"
        known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in known, f"{line!r}: there is no {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text_of(page)):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_names_each_model_of_the_zoo() -> None:
    text = text_of(ROOT / "README.md")
    for card in sorted((ROOT / "zoo").glob("*/card.toml")):
        assert f"`{load_card(card).id}`" in text


def test_python_in_the_readme_compiles() -> None:
    blocks = re.findall(r"```python\n(.*?)```", text_of(ROOT / "README.md"), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")


def test_the_readme_names_the_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in PAGES:
        for target in re.findall(r"\bmake ([a-z][a-z-]*)\b", text_of(page)):
            if f"`make {target}" in text_of(page) or f"$ make {target}" in text_of(page):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
