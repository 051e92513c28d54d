"""Any order of openings, slices, crashes, copies, forks and restores: no slot is given out twice,
and never more than the key has.

Restores bring back a count or the marks of compiled models, never both to one moment: that is the
snapshot which nothing can tell.
"""

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from opening_budget_suite import KEY, record_of

from inferproof.errors import Conflict, InferproofError, Reason, RequestRejected, Unavailable
from inferproof.protocol.opening_budget import Slice, Use
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.openings.marks import MarkedOpenings
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.sql.engine import Database, sqlite_url
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets

T = TypeVar("T")
REFUSALS = {
    Reason.OPENINGS_SPENT,
    Reason.OPENINGS_GIVEN,
    Reason.ROTATION_SPENT,
    Reason.OPENINGS_UNKNOWN,
    Reason.OPENINGS_COPIED,
    Reason.OPENINGS_OLDER,
    Reason.SLICE_OTHER_STORE,
    Reason.SLICE_USED,
}
WHICH = st.integers(0, 9)


class Machines(RuleBasedStateMachine):
    """Stores of one key's openings, of which the first has it from its making."""

    def place(self, name: str) -> Path:
        """Where the count of a store is, so that it can be copied and brought back."""
        raise NotImplementedError

    async def open(self, name: str) -> OpeningBudgets:
        raise NotImplementedError

    async def close(self, budgets: OpeningBudgets) -> None:
        """Ends what `open` gave."""

    @initialize(size=st.integers(1, 12), reserved=st.integers(0, 1))
    def make(self, size: int, reserved: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.size = size
        self.names = ["first", "second", "third"]
        self.slots: list[int] = []
        self.slices: list[Slice] = []
        self.kept: list[tuple[str, bytes]] = []
        for name in self.names:
            self.compiled(name).mkdir()
        self.on("first", lambda budgets: budgets.register(KEY, size, reserved=reserved))

    def compiled(self, name: str) -> Path:
        return self.folder / f"{name} compiled"

    def on(self, name: str, work: Callable[[OpeningBudgets], Coroutine[Any, Any, T]]) -> T | None:
        """What a process does that opens the store and ends; None where it is refused."""

        async def run() -> T | None:
            budgets = await self.open(name)
            try:
                return await work(budgets)
            except (Conflict, RequestRejected) as error:
                if error.reason not in REFUSALS:
                    raise
                return None
            finally:
                await self.close(budgets)

        return asyncio.run(run())

    def chosen(self, which: int) -> str:
        return self.names[which % len(self.names)]

    @rule(which=WHICH, use=st.sampled_from(Use), times=st.integers(1, 3))
    def take(self, which: int, use: Use, times: int) -> None:
        name = self.chosen(which)
        folder = self.compiled(name)
        for _ in range(times):
            opening = self.on(name, lambda budgets: MarkedOpenings(budgets, folder).take(KEY, use))
            if opening is not None:
                self.slots.append(opening.slot)

    @rule(which=WHICH, times=st.integers(2, 4))
    def take_at_once(self, which: int, times: int) -> None:
        """Several that share the store and the folder, as after a fork."""
        name = self.chosen(which)
        folder = self.compiled(name)

        async def all_of(budgets: OpeningBudgets) -> None:
            found = await asyncio.gather(
                *(MarkedOpenings(budgets, folder).take(KEY) for _ in range(times)),
                return_exceptions=True,
            )
            for each in found:
                if isinstance(each, InferproofError) and each.reason in REFUSALS:
                    continue
                if isinstance(each, BaseException):
                    raise each
                self.slots.append(each.slot)

        self.on(name, all_of)

    @rule(which=WHICH, taker=WHICH, count=st.one_of(st.none(), st.integers(1, 4)))
    def delegate(self, which: int, taker: int, count: int | None) -> None:
        name = self.chosen(which)
        folder = self.compiled(name)
        to = self.on(self.chosen(taker), lambda budgets: budgets.store(KEY))
        assert to is not None
        given = self.on(
            name, lambda budgets: MarkedOpenings(budgets, folder).delegate(KEY, to, count)
        )
        if given is not None:
            self.slices.append(given)

    @rule()
    def accept(self) -> None:
        """Everybody has every slice, and perhaps had it before."""
        for slots in self.slices:
            for name in self.names:
                self.on(name, lambda budgets, slots=slots: budgets.accept(slots))  # type: ignore[misc]

    @rule(which=WHICH, copied=st.booleans())
    def another_machine(self, which: int, copied: bool) -> None:
        """It has the compiled model, and perhaps a copy of the count."""
        if len(self.names) == 5:
            return
        source, name = self.chosen(which), f"number {len(self.names)}"
        shutil.copytree(self.compiled(source), self.compiled(name))
        if copied and self.place(source).exists():
            copy = shutil.copytree if self.place(source).is_dir() else shutil.copy2
            copy(self.place(source), self.place(name))
        self.names.append(name)

    @rule(which=WHICH)
    def restore_marks(self, which: int) -> None:
        """The compiled model as it was when it was made."""
        marks = self.compiled(self.chosen(which)) / "openings.json"
        if self.chosen(which) not in {name for name, _ in self.kept}:
            marks.unlink(missing_ok=True)

    @invariant()
    def no_slot_twice(self) -> None:
        if hasattr(self, "slots"):
            assert len(self.slots) == len(set(self.slots))
            assert all(0 <= slot < self.size for slot in self.slots)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


class Records(Machines):
    """Stores in folders, whose files may fail at each step and be written over with older ones."""

    def place(self, name: str) -> Path:
        return self.folder / name

    async def open(self, name: str) -> OpeningBudgets:
        return LocalOpeningBudgets(self.place(name))

    @rule(which=WHICH, call=st.sampled_from(["replace", "fsync"]), step=st.integers(1, 6))
    def crash(self, which: int, call: str, step: int) -> None:
        """The process ends at some step of an opening, before or after that it is durable."""
        calls, real = [], getattr(os, call)

        def fails(*arguments: Any) -> Any:
            calls.append(arguments)
            if len(calls) == step:
                raise OSError(errno.EIO, "Input/output error")
            return real(*arguments)

        with mock.patch.object(os, call, fails):
            try:
                self.take(which, Use.PROOF, 1)
            except Unavailable as error:
                assert error.reason is Reason.STORAGE_UNAVAILABLE  # noqa: PT017 - may not come

    @rule(which=WHICH)
    def keep(self, which: int) -> None:
        """A backup of the count. From then on the marks of that machine stay as they are."""
        record = record_of(self.place(self.chosen(which)))
        if record.exists():
            self.kept.append((self.chosen(which), record.read_bytes()))

    @rule(which=WHICH)
    def lose(self, which: int) -> None:
        record_of(self.place(self.chosen(which))).unlink(missing_ok=True)

    @rule(number=WHICH)
    def write_over(self, number: int) -> None:
        """The backup is brought back into the file that is there."""
        if self.kept:
            name, data = self.kept[number % len(self.kept)]
            record_of(self.place(name)).write_bytes(data)


class Databases(Machines):
    """Stores in SQLite files."""

    def place(self, name: str) -> Path:
        return self.folder / f"{name}.db"

    async def open(self, name: str) -> OpeningBudgets:
        if not self.place(name).exists():
            shutil.copyfile(EMPTY[0], self.place(name))
        self.database = await Database.open(sqlite_url(self.place(name)))
        return SqlOpeningBudgets(self.database)

    async def close(self, budgets: OpeningBudgets) -> None:
        await self.database.close()


EMPTY: list[Path] = []
"""The file that databases begin as."""


@pytest.fixture(autouse=True)
def _quick(migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not waited for: what dies here is a process, and no machine."""
    EMPTY[:] = [migrated_file]
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


CHECKS = [HealthCheck.too_slow]
TestRecords = Records.TestCase
TestRecords.settings = settings(
    max_examples=60, stateful_step_count=25, suppress_health_check=CHECKS
)
TestDatabases = Databases.TestCase
TestDatabases.settings = settings(
    max_examples=10, stateful_step_count=15, suppress_health_check=CHECKS
)
