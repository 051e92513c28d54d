"""A test process that dies ends no run of `make test` without a word, and none without an end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSES = "def test_{name}() -> None: pass\n"
GONE = pytest.ExitCode.INTERNAL_ERROR
DIES = "def test_{name}() -> None: __import__('os')._exit(1)\n"


def run(folder: Path, *bodies: str) -> subprocess.CompletedProcess[str]:
    """A run of these tests with the options of `make test` and pyproject.toml."""
    (options,) = set(re.findall(r"pytest (-n 2 --dist \w+) -m ", (ROOT / "Makefile").read_text()))
    tests = (body.format(name=number) for number, body in enumerate(bodies))
    (folder / "test_some.py").write_text("".join(tests))
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", *options.split()]
    return subprocess.run(
        [*command, "--rootdir", folder, "-p", "no:cacheprovider", folder],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,  # a run that waits for ever, and no busy machine
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("at", [(0,), (2,), (7,), (0, 7)], ids=str)
def test_its_test_fails_and_the_run_ends(tmp_path: Path, at: tuple[int, ...]) -> None:
    ended = run(tmp_path, *(DIES if n in at else PASSES for n in range(8)))
    if ended.returncode == GONE:  # the process died while tests were taken from it for the other
        assert "OSError: cannot send (already closed?)" in ended.stdout
        return
    assert ended.returncode == 1, ended.stdout
    failed = set(re.findall(r"^FAILED .*::test_(\d) - worker 'gw\d' crashed", ended.stdout, re.M))
    assert failed
    assert failed <= {str(n) for n in at}


@pytest.mark.slow
def test_without_one_the_run_passes(tmp_path: Path) -> None:
    ended = run(tmp_path, *[PASSES] * 8)
    assert ended.returncode == 0, ended.stdout
    assert "8 passed" in ended.stdout
