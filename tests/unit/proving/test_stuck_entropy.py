"""An entropy source that repeats itself, as that of a machine taken back to a snapshot does, gives
unrelated proofs all the same: what was counted meanwhile is in every mask.

The library below stands before getrandom(2) in processes that prove. Only where all that counts is
taken back as well, and a slot is given again, two proofs share their masks; that control shows that
the source is stuck, and that what is looked at would tell.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inferproof.app.openings import local_system
from inferproof.cli.compiled import read_bundle
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.testing.tiny import compile_tiny
from reference.shown import examine

COMPILER = shutil.which("cc")
pytestmark = [
    pytest.mark.native,
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or COMPILER is None, reason="needs Linux and a C compiler"
    ),
]
SOURCE = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
ssize_t getrandom(void *into, size_t count, unsigned int flags) {
    (void)flags;
    memset(into, 0x5a, count);
    return (ssize_t)count;
}
int getentropy(void *into, size_t count) {
    memset(into, 0x5a, count);
    return 0;
}
"""
PROVER = """
import os, sys
from pathlib import Path
import numpy as np
from inferproof.app.openings import local_system
from inferproof.proving.execution import ProveRequest, prove
from inferproof.types.digest import ZERO_ADDRESS, Digest

stuck = os.urandom(8) == b"\\x5a" * 8
assert stuck == ("LD_PRELOAD" in os.environ), "whether the source is stuck"
compiled, out, proofs, end = sys.argv[1:]
inputs = {"x": np.array([[1, 2, 3]], dtype=np.float32)}
request = ProveRequest(Path(compiled), inputs, Digest(bytes(32)), ZERO_ADDRESS, bytes(32))
with local_system("sumcheck") as system:
    for number in range(int(proofs)):
        Path(out, f"{os.getpid()}-{number}").write_bytes(prove(system, request).file)
    if end == "dies":
        os.kill(os.getpid(), 9)
    if end == "forks":
        child = os.fork()
        Path(out, f"{os.getpid()}-forked").write_bytes(prove(system, request).file)
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def compiled(home: Path, tmp_path: Path) -> Path:
    with local_system("sumcheck") as system:
        compile_tiny(tmp_path / "tiny", "tiny", system)
    return tmp_path / "tiny" / "compiled"


@pytest.fixture
def stuck(compiled: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Makes proofs of one statement in a process of their own whose entropy is stuck."""
    assert COMPILER is not None
    (tmp_path / "stuck.c").write_text(SOURCE)
    library = tmp_path / "stuck.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, tmp_path / "stuck.c"], check=True)
    (tmp_path / "made").mkdir()

    def run(
        proofs: int, end: str = "ends", *, fails: bool = False, repeats: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROVER, str(compiled), str(tmp_path / "made")]
        ended = subprocess.run(
            [*command, str(proofs), end],
            env=os.environ | ({"LD_PRELOAD": str(library)} if repeats else {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == (-signal.SIGKILL if end == "dies" else int(fails)), ended.stderr
        return ended

    return run


def shared(compiled: Path, folder: Path, count: int) -> tuple[str, ...]:
    """What any two of the proofs in the folder have in common."""
    made = sorted(folder.iterdir())
    assert len(made) == count
    proofs = [(path.name, decode_proof_file(path.read_bytes()).proof) for path in made]
    return examine(read_bundle(compiled).verifying_key, proofs).shared


def test_one_statement_proven_again_and_after_a_crash_gives_unrelated_proofs(
    compiled: Path, stuck: Callable[..., object], tmp_path: Path
) -> None:
    stuck(3, "dies")
    stuck(2)
    stuck(1)
    assert shared(compiled, tmp_path / "made", 6) == ()


def test_a_process_that_forks_gives_unrelated_proofs(
    compiled: Path, stuck: Callable[..., object], tmp_path: Path
) -> None:
    """The child has the epochs of its parent in memory, and opens none of them."""
    stuck(2, "forks")
    assert shared(compiled, tmp_path / "made", 4) == ()


class Snapshot:
    """What counts the openings of a compiled model, to be taken back to: each file is written over,
    so that it stays the one that it is."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._files = {path: path.read_bytes() for path in self._now()}

    def _now(self) -> list[Path]:
        return [path for folder in self._folders for path in folder.iterdir()]

    def bring_back(self, *, whole: bool) -> None:
        for path, data in self._files.items():
            path.write_bytes(data)
        if whole:
            for path in set(self._now()) - set(self._files):
                path.unlink()


def test_a_key_whose_count_alone_was_taken_back_begins_no_epoch_a_second_time(
    compiled: Path, home: Path, stuck: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    before = Snapshot(home / "openings", compiled)
    stuck(1, "dies")
    before.bring_back(whole=False)
    ended = stuck(1, fails=True)
    assert "OPENINGS_COUNTED" in ended.stderr or "are counted already" in ended.stderr


def test_what_is_taken_back_as_a_whole_shows_in_the_proofs(
    compiled: Path, home: Path, stuck: Callable[..., object], tmp_path: Path
) -> None:
    """The control: all that counts is as it was, and so is the source, which no process can tell
    (SECURITY.md). Both proofs open one epoch by one slot, and every mask is the same."""
    before = Snapshot(home / "openings", compiled)
    stuck(1, "dies")
    before.bring_back(whole=True)
    stuck(1)
    one, other = sorted((tmp_path / "made").iterdir())
    assert one.read_bytes() == other.read_bytes()
    assert any("(witness)" in each for each in shared(compiled, tmp_path / "made", 2))


def test_a_source_that_goes_on_shares_nothing_even_then(
    compiled: Path, home: Path, stuck: Callable[..., object], tmp_path: Path
) -> None:
    """The second line of defence: a slot that is given twice opens the key twice, which tells of
    the weights, and no mask is used twice."""
    before = Snapshot(home / "openings", compiled)
    stuck(1, "dies", repeats=False)
    before.bring_back(whole=True)
    stuck(1, repeats=False)
    assert shared(compiled, tmp_path / "made", 2) == ()
