"""`prove` and `provider rotate` that are ended at each of their writes, by SIGKILL, by Ctrl-C and
by a full disk: openings are lost at most, and none is used twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ended_commands import FULL, INTERRUPT, KILL, EndedCommands

from inferproof.app.openings import local_system
from inferproof.cli.compiled import read_bundle
from inferproof.protocol.opening_budget import Budget
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.proving.sumcheck.check import CHECKER
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.tiny import compile_tiny
from inferproof.types.digest import Digest
from inferproof.verify.proof import verify_proof
from reference.shown import examine

pytestmark = [pytest.mark.slow, pytest.mark.native, pytest.mark.timeout(1800)]

STEP = {KILL: 1, INTERRUPT: 4, FULL: 4}
"""Every write, or every fourth one."""
MOST = 200
"""A guard: no command writes so often."""
ENDS = {KILL: {-9}, INTERRUPT: {130, 0}, FULL: {1, 0}}
"""How a command ends: one that is told late may have done all."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def compiled(home: Path, tmp_path: Path) -> Path:
    with local_system("sumcheck") as system:
        compile_tiny(tmp_path / "tiny", "tiny", system)
    np.savez(tmp_path / "input.npz", x=np.array([[1, 2, 3]], dtype=np.float32))
    return tmp_path / "tiny" / "compiled"


@pytest.fixture
def commands(home: Path, compiled: Path) -> Iterator[EndedCommands]:
    with EndedCommands([home, compiled]) as commands:
        yield commands


def budget(key: Digest) -> Budget:
    return asyncio.run(LocalOpeningBudgets().budget(key))


@pytest.mark.parametrize("how", [KILL, INTERRUPT, FULL])
def test_a_proof_that_is_ended_loses_an_opening_at_most(
    commands: EndedCommands, compiled: Path, tmp_path: Path, how: str
) -> None:
    key, bundle = read_key(compiled).name, read_bundle(compiled)
    taken, writes = budget(key).taken, []
    for at in range(1, MOST, STEP[how]):
        out = tmp_path / f"proof-{at}"
        words = ("prove", str(compiled), "--input", str(tmp_path / "input.npz"), "--out", str(out))
        ended = commands.run(how, at, *words)
        before, taken = taken, budget(key).taken
        assert before <= taken <= before + 1, ended
        if not ended.write:
            assert ended.status == 0, ended.said
            break
        writes.append(ended.write)
        assert ended.status in ENDS[how], ended
        assert "Traceback" not in ended.said, ended
        if ended.status == 1:
            assert "the disk is full" in ended.said, ended
    assert len(writes) > 30 // STEP[how]
    made = sorted(tmp_path.glob("proof-*"))
    for path in made:
        verify_proof(path.read_bytes(), bundle, CHECKER)
    proofs = [(path.name, decode_proof_file(path.read_bytes()).proof) for path in made]
    found = examine(bundle.verifying_key, proofs)
    assert found.shared == ()
    assert max(found.openings.values()) <= taken


@pytest.mark.parametrize("how", [KILL, INTERRUPT, FULL])
def test_a_rotation_that_is_ended_leaves_one_key_or_the_other(
    commands: EndedCommands, compiled: Path, tmp_path: Path, how: str
) -> None:
    identity, key = read_bundle(compiled).commitment, read_key(compiled)
    full, rotations, writes = key.openings - 1, 0, []
    for at in range(1, MOST, STEP[how]):
        before = budget(key.name)
        ended = commands.run(how, at, "provider", "rotate", str(compiled))
        after = read_key(compiled)
        assert budget(key.name).taken - before.taken in (0, 1), ended
        if after.name != key.name:
            rotations += 1
            assert budget(key.name).taken == before.taken + 1, ended
            assert budget(after.name).left == full, ended
        key = after
        if not ended.write:
            assert ended.status == 0, ended.said
            break
        writes.append(ended.write)
        assert ended.status in ENDS[how], ended
        assert "Traceback" not in ended.said, ended
    assert len(writes) > 10 // STEP[how]
    assert rotations
    assert read_bundle(compiled).commitment == identity
    out = tmp_path / "proof"
    words = ("prove", str(compiled), "--input", str(tmp_path / "input.npz"), "--out", str(out))
    ended = commands.run(KILL, MOST * 10, *words)
    assert ended.status == 0, ended.said
    verify_proof(out.read_bytes(), read_bundle(compiled), CHECKER)
