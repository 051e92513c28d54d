"""Models compiled, proven and rotated by whoever has their openings counted."""

import asyncio
import errno
import json
import shutil
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from inferproof.app import key_budgets
from inferproof.app.key_budgets import MOVING
from inferproof.app.openings import local_openings, local_system, shared_openings
from inferproof.cli import inspect, offline, provider, verify
from inferproof.cli.compiled import read_bundle
from inferproof.errors import (
    ArtifactRejected,
    Conflict,
    InferproofError,
    MissingPart,
    NotFound,
    Reason,
    Unavailable,
)
from inferproof.protocol import proof_mode
from inferproof.protocol.opening_budget import Budget, Level, Opening, Slice, Use, figures
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import Proved, ProveRequest, prove
from inferproof.proving.openings import PassingOpenings
from inferproof.proving.sumcheck import private_key
from inferproof.proving.sumcheck.evidence import evidence_holds
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.private_key import PRIVATE_KEY, read_key
from inferproof.proving.sumcheck.rotation import Rotation
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.openings.marks import MarkedOpenings
from inferproof.storage.sql.engine import MEMORY, Database
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.testing.rejections import rejects
from inferproof.types.digest import ZERO_ADDRESS, Digest
from inferproof.types.proof import Assurance
from inferproof.verify.proof import verify_proof

pytestmark = pytest.mark.native
RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, verify, inspect, provider):
    room.register(APP)
INPUTS = {"x": np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4)}
JOB = Digest(bytes([5]) * 32)
OPENED = 2
"""Openings that compiling takes: for the proof of the ranges, and for trial proofs."""


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalOpeningBudgets:
    """This user's records, and nobody else's."""
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    return LocalOpeningBudgets()


@pytest.fixture(scope="module")
def made(mlp_request: CompileRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled model whose key nobody counts, to be copied."""
    out, passing = tmp_path_factory.mktemp("private") / "compiled", PassingOpenings()
    with closing(SumcheckSystem(openings=lambda _folder: passing)) as system:
        system.compile(replace(mlp_request, out=out))
    return out


@pytest.fixture
def compiled(made: Path, records: LocalOpeningBudgets, tmp_path: Path) -> Path:
    """The model, as if it were compiled here: its key is counted from its making on."""
    kept = read_key(made)
    asyncio.run(records.register(kept.name, kept.openings))
    for _ in range(OPENED):
        asyncio.run(records.take(kept.name))
    return shutil.copytree(made, tmp_path / "compiled")


def proven(compiled: Path) -> Proved:
    """A verified proof, by a process that starts for it."""
    with local_system("sumcheck") as system:
        return prove(system, ProveRequest(compiled, INPUTS, JOB, ZERO_ADDRESS, bytes(32)))


def left(records: LocalOpeningBudgets, compiled: Path) -> int:
    return asyncio.run(records.budget(read_key(compiled).name)).left


def spend(records: LocalOpeningBudgets, compiled: Path, until: int) -> None:
    """Takes openings of the key at once until so many are left, as a slice for nobody."""
    key, nobody = read_key(compiled).name, Digest(bytes([9]) * 32)
    count = left(records, compiled) - until
    asyncio.run(MarkedOpenings(records, compiled).delegate(key, nobody, count))


# -- compiling ----------------------------------------------------------------------------------


def test_what_opens_the_key_stays_with_its_owner(
    records: LocalOpeningBudgets, mlp_request: CompileRequest, tmp_path: Path
) -> None:
    compiled = tmp_path / "compiled"
    with closing(SumcheckSystem(openings=local_openings)) as system:
        report = system.compile(replace(mlp_request, out=compiled))
    assert report.notes[-1] == (
        "each process that proves takes an opening of the key, which are counted (provider "
        "openings)"
    )
    kept = read_key(compiled)
    assert stat.S_IMODE((compiled / PRIVATE_KEY).stat().st_mode) == 0o600
    header = json.loads((compiled / "artifact.json").read_bytes())["body"]
    assert PRIVATE_KEY not in header["files"]
    assert {"weights.bin", "parameters.bin"} <= header["files"].keys()
    bundle = (compiled / "verifier.json").read_bytes()
    assert kept.secret not in decode_bundle(bundle).verifying_key
    assert kept.secret.hex().encode() not in bundle
    budget = asyncio.run(records.budget(kept.name))
    # The proof of its ranges opened it, and the trial proofs once, which are gone.
    assert figures(budget) == {
        "left": kept.openings - 3,
        "reserved": 1,
        "used": 2,
        "delegated": 0,
        "level": "ample",
    }


@pytest.mark.slow
def test_nothing_is_compiled_or_proven_without_a_count(
    mlp_request: CompileRequest, compiled: Path, tmp_path: Path
) -> None:
    message = (
        "the openings of the model's key are counted, and nothing was given that counts them; use "
        "inferproof.app.openings.local_system, or prove by inferproof prove"
    )
    with closing(SumcheckSystem()) as system:
        with rejects(Reason.MISSING_OPENINGS, message, kind=MissingPart):
            system.compile(replace(mlp_request, out=tmp_path / "none"))
        with rejects(Reason.MISSING_OPENINGS, message, kind=MissingPart):
            system.execute(compiled, INPUTS, bytes(32))
        with rejects(Reason.MISSING_OPENINGS, message, kind=MissingPart):
            system.budget(compiled)
        proof = proven(compiled).file
        verify_proof(proof, system.verifier(compiled), system)
    assert not (tmp_path / "none").exists()


def test_a_model_whose_count_does_not_begin_is_not_written(
    mlp_request: CompileRequest, tmp_path: Path
) -> None:
    class Full(PassingOpenings):
        def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
            raise Unavailable(Reason.STORAGE_FULL)

    with (
        closing(SumcheckSystem(openings=lambda _folder: Full())) as system,
        pytest.raises(Unavailable),
    ):
        system.compile(replace(mlp_request, out=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


# -- proving ------------------------------------------------------------------------------------


def test_each_start_takes_an_opening_and_no_two_proofs_are_alike(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    before = left(records, compiled)
    first, second = (decode_proof_file(proven(compiled).file) for _ in range(2))
    assert first.statement == second.statement
    assert first.proof != second.proof
    assert left(records, compiled) == before - 2
    # What was counted of the epochs is forgotten with them.
    assert len(list((compiled.parent / "home" / "openings").glob("*.json"))) == 1


def test_proofs_of_one_process_share_its_epochs(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    before = left(records, compiled)
    request = ProveRequest(compiled, INPUTS, JOB, ZERO_ADDRESS, bytes(32))
    with local_system("sumcheck") as system:
        made = {decode_proof_file(prove(system, request).file).proof for _ in range(20)}
    assert len(made) == 20
    assert left(records, compiled) == before - 1


def test_a_proof_that_was_cancelled_before_it_began_took_nothing(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    before, asked = left(records, compiled), []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 1

    with local_system("sumcheck") as system, pytest.raises(Unavailable) as caught:
        prove(
            system,
            ProveRequest(compiled, INPUTS, JOB, ZERO_ADDRESS, bytes(32)),
            cancelled=cancelled,
        )
    assert caught.value.reason is Reason.PROVER_CANCELLED
    assert left(records, compiled) == before


@pytest.mark.slow
def test_at_nothing_left_it_stops_and_says_how_to_go_on(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    spend(records, compiled, 1)
    proven(compiled)
    key = read_key(compiled).name
    with rejects(
        Reason.OPENINGS_SPENT,
        f"of the openings of key {key} 0 are left where 1 are needed; make a new key of the same "
        "weights: inferproof provider rotate DIR",
        kind=Conflict,
    ):
        proven(compiled)
    asyncio.run(key_budgets.rotate(records, compiled))
    proven(compiled)


def test_a_key_that_does_not_show_its_ranges_is_refused(
    compiled: Path, mlp_request: CompileRequest, tmp_path: Path
) -> None:
    bundle = decode_bundle((compiled / "verifier.json").read_bytes())
    file = proven(compiled).file
    with closing(SumcheckSystem()) as system:
        verify_proof(file, bundle, system)
        report = system.security(bundle)
        assert report.shows_ranges
        assert report.provable_bits >= 100
        with rejects(
            Reason.KEY_RANGES,
            "nothing shows that the weights and parameters of the verifying key are in their "
            "ranges: the key comes without the proof of its ranges",
            kind=ArtifactRejected,
        ):
            verify_proof(file, replace(bundle, ranges=b""), system)
        other = bytearray(bundle.ranges)
        other[-100] ^= 1
        with pytest.raises(ArtifactRejected) as caught:
            system.security(replace(bundle, ranges=bytes(other)))
        assert caught.value.reason is Reason.KEY_RANGES
        assert "the proof of the ranges is not valid" in caught.value.message


def test_the_proof_of_the_ranges_stays_good_when_the_key_is_rotated(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    bundle = decode_bundle((compiled / "verifier.json").read_bytes())
    asyncio.run(key_budgets.rotate(records, compiled))
    with closing(SumcheckSystem()) as system:
        verify_proof(proven(compiled).file, bundle, system)


def test_people_are_told_that_the_key_shows_its_ranges(compiled: Path, tmp_path: Path) -> None:
    (tmp_path / "p.bin").write_bytes(proven(compiled).file)
    for command in (
        ["verify", str(compiled), str(tmp_path / "p.bin")],
        ["inspect", str(compiled), "--security"],
    ):
        done = RUNNER.invoke(APP, command)
        assert done.exit_code == 0, done.output
        said = " ".join(done.stdout.split())
        assert f"ranges {verify.SHOWN_RANGES}" in said
    assert "ranges: opening: end: queries" in said


def test_a_folder_without_its_key_file_proves_nothing(compiled: Path) -> None:
    (compiled / PRIVATE_KEY).unlink()
    with rejects(
        Reason.PRIVATE_KEY_MISSING,
        f"the compiled model in {compiled} has no private-key.json that can be read, without which "
        "nothing is proven under its key; bring the file from where the model was compiled",
        kind=ArtifactRejected,
    ):
        proven(compiled)


@pytest.mark.parametrize("field", ["secret", "links", "name", "openings"])
def test_another_key_file_opens_nothing(
    records: LocalOpeningBudgets, compiled: Path, field: str
) -> None:
    kept, before = read_key(compiled), left(records, compiled)
    other: dict[str, Any] = {
        "secret": bytes([1]) * 32,
        "links": b"no link",
        "name": Digest(bytes([1]) * 32),
        "openings": kept.openings + 1,
    }
    (compiled / PRIVATE_KEY).unlink()
    private_key.write_key(compiled, replace(kept, **{field: other[field]}))
    with pytest.raises(ArtifactRejected) as caught:
        proven(compiled)
    assert caught.value.reason is Reason.ARTIFACT_DIGEST_MISMATCH
    (compiled / PRIVATE_KEY).unlink()
    private_key.write_key(compiled, kept)
    assert left(records, compiled) == before


# -- rotation -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_rotated_key_keeps_the_identity_and_has_a_full_budget(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    files = {path.name: path.read_bytes() for path in compiled.iterdir()}
    earlier, old = proven(compiled).file, read_key(compiled)
    done = asyncio.run(key_budgets.rotate(records, compiled))
    new = read_key(compiled)
    assert (done.old, done.new.key) == (old.name, new.name)
    assert new.name != old.name
    assert new.secret != old.secret
    assert done.new.budget.left == new.openings - 1
    changed = {name for name, data in files.items() if (compiled / name).read_bytes() != data}
    assert changed <= {PRIVATE_KEY, "openings.json"}
    assert stat.S_IMODE((compiled / PRIVATE_KEY).stat().st_mode) == 0o600
    # Proofs of before and of after hold under one bundle.
    with local_system("sumcheck") as system:
        for file in (earlier, proven(compiled).file):
            verify_proof(file, system.verifier(compiled), system)
    again = asyncio.run(key_budgets.rotate(records, compiled))
    assert again.old == new.name
    proven(compiled)


@pytest.mark.slow
def test_a_process_that_runs_goes_over_to_the_new_key(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    request = ProveRequest(compiled, INPUTS, JOB, ZERO_ADDRESS, bytes(32))
    with local_system("sumcheck") as system:
        prove(system, request)
        done = asyncio.run(key_budgets.rotate(records, compiled))
        prove(system, request)
    assert left(records, compiled) == done.new.budget.left - 1


class Dying(LocalOpeningBudgets):
    """Records that die as a step begins."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    async def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        if self.step == "register":
            raise Unavailable(Reason.STORAGE_FULL)
        await super().register(key, size, reserved=reserved)

    async def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int = 0) -> Opening:
        opening = await super().take(key, use, seen=seen)
        if self.step == "take":
            raise Unavailable(Reason.STORAGE_FULL)
        return opening

    async def accept(self, slots: Slice) -> None:
        raise Unavailable(Reason.STORAGE_FULL)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["take", "register", "replace"])
def test_a_rotation_that_dies_leaves_the_old_key(
    records: LocalOpeningBudgets, compiled: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    kept, before = (compiled / PRIVATE_KEY).read_bytes(), left(records, compiled)

    def full(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if step == "replace":
            patch.setattr(key_budgets, "replace_durably", full)
        with pytest.raises(Unavailable) as caught:
            asyncio.run(key_budgets.rotate(Dying(step), compiled))
    assert caught.value.reason is Reason.STORAGE_FULL
    assert (compiled / PRIVATE_KEY).read_bytes() == kept
    assert left(records, compiled) == before - 1
    proven(compiled)
    asyncio.run(key_budgets.rotate(records, compiled))
    proven(compiled)


def test_the_last_rotation_that_dies_ends_the_key(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    spend(records, compiled, 0)
    with pytest.raises(Unavailable):
        asyncio.run(key_budgets.rotate(Dying("register"), compiled))
    with pytest.raises(InferproofError) as caught:
        asyncio.run(key_budgets.rotate(records, compiled))
    assert caught.value.reason in (Reason.ROTATION_SPENT, Reason.OPENINGS_GIVEN)


def test_a_chain_of_links_has_an_end(
    records: LocalOpeningBudgets, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the native module says it after the sixteenth."""
    kept, native = (compiled / PRIVATE_KEY).read_bytes(), library()

    def spent(self: Rotation, _slot: int) -> None:
        raise native.NativeError("ROTATIONS_SPENT", "a chain has at most 16 links")

    class Spent:
        rotate = spent

    real = Rotation.__init__

    def last(self: Rotation, folder: Path) -> None:
        real(self, folder)
        self._key = Spent()  # type: ignore[assignment]

    monkeypatch.setattr(Rotation, "__init__", last)
    with rejects(
        Reason.ROTATIONS_SPENT,
        "the model's key was rotated 16 times, and proofs carry no more links; compile the model "
        "anew, which gives it another identity",
        kind=Conflict,
    ):
        asyncio.run(key_budgets.rotate(records, compiled))
    assert (compiled / PRIVATE_KEY).read_bytes() == kept


# -- moving to an order book ----------------------------------------------------------------------


async def _in_order_book(work: Callable[[SqlOpeningBudgets], Awaitable[None]]) -> None:
    database = await Database.open(MEMORY)
    try:
        await work(SqlOpeningBudgets(database))
    finally:
        await database.close()


def test_what_was_given_and_not_counted_yet_is_not_lost(
    records: LocalOpeningBudgets, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = shutil.copytree(compiled, compiled.parent / "installed")
    before, key = left(records, compiled), read_key(compiled).name

    async def work(shared: SqlOpeningBudgets) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(SqlOpeningBudgets, "accept", Dying.accept)
            with pytest.raises(Unavailable):
                await key_budgets.bring(records, shared, compiled, installed)
        assert (compiled / MOVING).exists()
        for _ in range(2):
            await key_budgets.bring(records, shared, compiled, installed)
            assert (await shared.budget(key)).left == before
        assert not (compiled / MOVING).exists()

    asyncio.run(_in_order_book(work))


def test_an_order_book_that_counts_keeps_the_key_that_it_rotated(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    installed = shutil.copytree(compiled, compiled.parent / "installed")

    async def work(shared: SqlOpeningBudgets) -> None:
        await key_budgets.bring(records, shared, compiled, installed)
        done = await key_budgets.rotate(shared, installed)
        await key_budgets.bring(records, shared, compiled, installed)
        assert read_key(installed).name == done.new.key != read_key(compiled).name

    asyncio.run(_in_order_book(work))


def test_a_key_that_was_rotated_before_it_was_published_is_the_one_that_is_served(
    records: LocalOpeningBudgets, compiled: Path
) -> None:
    installed = shutil.copytree(compiled, compiled.parent / "installed")
    done = asyncio.run(key_budgets.rotate(records, compiled))

    async def work(shared: SqlOpeningBudgets) -> None:
        await key_budgets.bring(records, shared, compiled, installed)
        assert read_key(installed).name == done.new.key
        assert (await shared.budget(done.new.key)).left == done.new.budget.left

    asyncio.run(_in_order_book(work))


async def test_threads_take_openings_from_the_loop_that_has_the_order_book_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = Digest(bytes([4]) * 32)
    database = await Database.open(MEMORY)
    try:
        shared = shared_openings(SqlOpeningBudgets(database), asyncio.get_running_loop())
        openings = shared(tmp_path)

        def work() -> Budget:
            openings.register(key, 6)
            for _ in range(5):
                openings.take(key)
            return openings.budget(key)

        assert (await asyncio.to_thread(work)).level is Level.SPENT
    finally:
        await database.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"1 openings of key {key} are left, a fifth: make a new key of the same weights by "
        "inferproof provider rotate",
        f"no opening of key {key} is left: its model is proven as long as the epochs of running "
        "processes last; make a new key of the same weights by inferproof provider rotate",
    ]


async def test_an_order_book_that_does_not_answer_is_not_waited_for_without_end(
    tmp_path: Path,
) -> None:
    class Silent(LocalOpeningBudgets):
        async def budget(self, key: Digest) -> Budget:
            await asyncio.Event().wait()
            raise AssertionError

    shared = shared_openings(Silent(tmp_path), asyncio.get_running_loop(), limit_s=0.01)
    with rejects(
        Reason.STORAGE_UNAVAILABLE,
        "the storage does not answer: it took longer than 0.01 s to count an opening",
        kind=Unavailable,
    ):
        await asyncio.to_thread(shared(tmp_path).budget, Digest(bytes(32)))


# -- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize("complete", [False, True])
def test_what_is_said_of_proofs_follows_from_the_evidence(
    monkeypatch: pytest.MonkeyPatch, complete: bool
) -> None:
    monkeypatch.setattr(proof_mode, "evidence_complete", lambda **_: complete)
    with closing(SumcheckSystem()) as system:
        said = system.describe()
    assert said.assurance is (Assurance.ZK_PRIVATE if complete else Assurance.ZK_INTEGRITY)
    assert ("The tests that it shows nothing else are not complete" in said.not_proven) is (
        not complete
    )
    assert "under one-time pads" in said.not_proven
    assert said.shows.startswith("the input, the outputs, and what the key says")
    assert ("for which the evidence is not complete" in said.shows) is not complete


@pytest.fixture
def told(compiled: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """What a command of the model's owner answers as JSON."""
    np.savez(tmp_path / "in.npz", **INPUTS)

    def run(*arguments: str) -> dict[str, Any]:
        done = RUNNER.invoke(APP, [*arguments, "--json"])
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout))

    return run


@pytest.mark.slow
def test_the_commands_of_a_provider(
    compiled: Path, tmp_path: Path, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    size, key = read_key(compiled).openings, read_key(compiled).name.hex
    folder, file = str(compiled), str(tmp_path / "p.bin")
    proof = ["prove", folder, "--input", str(tmp_path / "in.npz"), "--out", file]
    assert told(*proof)["openings_left"] == size - 4
    told("verify", folder, file)
    seen = told("inspect", folder)
    level = "zk-private" if evidence_holds() else "zk-integrity"
    assert seen["assurance"] == level
    shown = told("provider", "openings", "show", folder)
    assert seen["openings"] == shown
    assert (shown["key"], shown["left"], shown["used"]) == (key, size - 4, 3)
    # Some for another machine of this provider.
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "there"))
    store = told("provider", "openings", "show", folder)["store"]
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    slots = str(tmp_path / "slice.json")
    give = ["provider", "openings", "give", folder, "--out", slots, "--to", store]
    given = told(*give, "--count", "4")
    assert (given["size"], given["reserved"], given["to"]) == (4, 0, store)
    assert told("provider", "openings", "show", folder)["delegated"] == 4
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "there"))
    assert told("provider", "openings", "accept", slots)["left"] == 4
    assert told(*proof)["openings_left"] == 3
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    rotated = told("provider", "rotate", folder)
    assert (rotated["old_key"], rotated["left"]) == (key, size - 1)
    assert told("inspect", folder)["model_commitment"] == seen["model_commitment"]


def test_what_the_key_shows_is_itemised(
    compiled: Path,
    mlp_request: CompileRequest,
    told: Callable[..., Any],
    tmp_path: Path,
) -> None:
    shown = told("inspect", str(compiled), "--privacy")
    hidden = shown["hidden"]
    # Two layers of 4 × 6 and 6 × 3 with their biases; a weight of 16 bits is two of 8.
    assert (hidden["matrices"], hidden["parameters"]) == (2, 2)
    assert hidden["weights"] in (42, 84)
    assert hidden["elements"] in (9, 18)
    assert {fact["kind"] for fact in shown["public"]} >= {"topology", "shapes", "ranges"}
    assert shown["commitments"]["graph"].startswith("hiding")
    assert shown["commitments"]["weights"].startswith("hiding")
    both = told("inspect", str(compiled), "--privacy", "--security")
    assert both["provable_bits"] >= 100
    assert both["hidden"] == hidden
    done = RUNNER.invoke(APP, ["inspect", str(compiled), "--privacy"])
    said = " ".join(done.output.split())
    assert f"{hidden['weights']} weights in 2 matrices" in said
    assert "hiding: a digest of the file's graph and a salt of 32 random bytes" in said


@pytest.mark.slow
def test_other_systems_do_not_itemise_what_a_key_shows(ezkl_compiled: Path) -> None:
    with rejects(
        Reason.PRIVACY_NOT_ITEMISED,
        "what the key shows is itemised for models of proof system sumcheck alone",
        kind=NotFound,
    ):
        inspect.privacy_of(read_bundle(ezkl_compiled))
    assert RUNNER.invoke(APP, ["inspect", str(ezkl_compiled), "--privacy"]).exit_code == 1


@pytest.mark.slow
def test_a_provider_is_told_when_a_fifth_is_left(
    compiled: Path, tmp_path: Path, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "small"))
    records, key = LocalOpeningBudgets(), read_key(compiled).name
    asyncio.run(records.register(key, 12))
    prove_it = ["prove", str(compiled), "--input", str(tmp_path / "in.npz"), "--out"]
    done = RUNNER.invoke(APP, [*prove_it, str(tmp_path / "p.bin")])
    assert "are left" not in done.stderr

    async def take() -> None:
        for _ in range(7):
            await records.take(key)

    asyncio.run(take())
    done = RUNNER.invoke(APP, [*prove_it, str(tmp_path / "p.bin")])
    said = " ".join(done.stderr.split())
    assert "2 openings of the model's key are left" in said
    assert "inferproof provider rotate" in said
    assert told(*prove_it, str(tmp_path / "p.bin"))["openings_left"] == 1


def test_the_data_folder_is_the_gateways(compiled: Path) -> None:
    done = RUNNER.invoke(APP, ["provider", "rotate", str(compiled), "--data-dir", "x"])
    assert done.exit_code == 2
    assert "--data-dir goes with --gateway" in done.output


def test_what_is_known_of_openings_is_shown_to_people(compiled: Path) -> None:
    done = RUNNER.invoke(APP, ["inspect", str(compiled)])
    assert "openings left" in done.output
    assert "reserved for rotation 1" in done.output
    done = RUNNER.invoke(APP, ["inspect", str(compiled / "verifier.json")])
    assert "openings left" not in done.output
