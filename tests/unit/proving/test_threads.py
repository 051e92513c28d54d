"""The threads that proofs are made by: how many, whose they are, and what becomes of them."""

import asyncio
import contextvars
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from inferproof.app import provers
from inferproof.proving.pool import WorkerPool, share_of_cores
from inferproof.proving.sumcheck import library as door
from inferproof.proving.sumcheck.library import Int8s, Int32s, library, use_threads
from inferproof.proving.sumcheck.prove import _Watch
from inferproof.settings import Settings
from reference.vectors import files, load

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

STATEMENT = bytes(range(32))
NOTHING = np.zeros(0, np.int32)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads, and leaves it as it was."""
    yield use_threads
    use_threads(0)


STARTS = 9
"""More openings of the key than a test takes: the next one shows its ranges."""


class Model:
    """A key with one epoch."""

    def __init__(self) -> None:
        (path,) = [path for path in files("private") if path.stem == "linear-default"]
        vector = load(path)
        graph = vector.key[vector.key.index(b"INFGRAPH") :]
        count, _, _ = library().graph_size(graph)
        self.weights: Int8s = (np.arange(count) * 37 % 251 - 125).astype(np.int8)
        made = library().commit_private(graph, self.weights, NOTHING, "default")
        self.key, self.secret, first = made
        self.ranges = first.prove_ranges(0, STARTS)
        self.inputs: list[Int32s] = [np.array(values, np.int32) for values in vector.inputs]

    def load(self) -> "_native.PrivateKey":
        return library().PrivateKey(self.key, self.weights, NOTHING, self.secret)

    def proof(
        self,
        key: "_native.PrivateKey",
        epoch: "_native.Epoch",
        slot: int,
        goes_on: Callable[[str], bool] | None = None,
    ) -> None:
        """Makes a proof and verifies it."""
        execution = key.execute(self.inputs)
        proof = epoch.prove(execution, STATEMENT, slot, goes_on)
        verifier = library().VerifyingKey(self.key, self.ranges)
        verifier.verify(self.inputs, execution.outputs(), STATEMENT, proof)


@pytest.mark.native
def test_keys_epochs_and_proofs_are_made_by_one_thread_and_by_several(
    threads: Callable[[int], None],
) -> None:
    model = Model()
    for count in (1, 2, 3):
        threads(count)
        assert library().threads() == count
        key = model.load()
        model.proof(key, key.begin(0).begin(0), 0)


@pytest.mark.native
def test_callers_at_a_time_have_threads_of_their_own(threads: Callable[[int], None]) -> None:
    threads(2)
    model = Model()
    key = model.load()
    epoch = key.begin(0).begin(0)
    both = threading.Barrier(2)
    failures: list[BaseException] = []

    def prove(slot: int) -> None:
        # Each proof waits for the other one in its middle: none of them stands in a row behind it.
        def goes_on(phase: str) -> bool:
            if phase == "open":
                both.wait(timeout=120)
            return True

        try:
            model.proof(key, epoch, slot, goes_on)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    callers = [threading.Thread(target=prove, args=(slot,)) for slot in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert failures == []


FORKS = """
    import json, os, sys
    from unit.proving.test_threads import Model
    from inferproof.proving.sumcheck.library import library, use_threads

    use_threads(2)
    model = Model()
    key = model.load()
    epoch = key.begin(0).begin(0)
    model.proof(key, epoch, 0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            model.proof(key, epoch, 1)
            model.proof(key, epoch, 2)
            status = 0
        finally:
            os._exit(status)
    model.proof(key, epoch, 3)
    print(os.waitpid(child, 0)[1], len(os.listdir("/proc/self/task")))
"""


@pytest.mark.native
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_a_fork_of_a_process_that_has_proven_proves_on_threads_of_its_own() -> None:
    """The slots are apart by hand: who forks begins epochs of its own otherwise."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKS)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    # The caller and its two, which were kept from one proof to the next.
    assert done.stdout.split() == ["0", "3"]


TELLS = "from inferproof.proving.sumcheck.library import library; print(library().threads())"


@pytest.mark.native
@pytest.mark.parametrize(
    ("told", "expected"), [("3", 3), ("0", None), ("many", None), (None, None)]
)
def test_where_nothing_is_said_the_environment_or_the_cores_decide(
    told: str | None, expected: int | None
) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "RAYON_NUM_THREADS"}
    if told is not None:
        environment["RAYON_NUM_THREADS"] = told
    done = subprocess.run(
        [sys.executable, "-c", TELLS],
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert int(done.stdout) == (expected or share_of_cores(1))


def test_cores_are_shared_out_and_nobody_is_left_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(5)), raising=False)
    assert [share_of_cores(size) for size in (1, 2, 5, 6)] == [5, 2, 1, 1]
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert [share_of_cores(size) for size in (1, 3)] == [7, 2]


@pytest.mark.parametrize(("given", "workers", "expected"), [(3, 2, 3), (0, 2, 4), (0, 0, 8)])
def test_a_gateway_gives_its_proofs_and_its_workers_the_threads_of_its_settings(
    monkeypatch: pytest.MonkeyPatch, given: int, workers: int, expected: int
) -> None:
    said: list[int] = []
    pools: list[tuple[int, int | None]] = []

    class Pool(WorkerPool):
        def __init__(self, size: int = 1, threads: int | None = None) -> None:
            pools.append((size, threads))
            super().__init__(size, threads)

    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr(provers, "use_threads", said.append)
    monkeypatch.setattr(provers, "WorkerPool", Pool)
    settings = cast(
        "Settings",
        SimpleNamespace(prove_threads=given, workers=workers, external_provers=(), data_dir=None),
    )

    async def opened() -> None:
        async with AsyncExitStack() as stack:
            stores = cast("provers.Stores", SimpleNamespace(openings=None))
            provers.open_systems(settings, stores, stack, {})

    asyncio.run(opened())
    assert said == [expected]
    assert pools == [(max(1, workers), expected)]


def test_the_number_is_told_to_a_module_that_is_loaded_and_to_one_that_will_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    module = SimpleNamespace(use_threads=told.append)
    monkeypatch.setattr(door, "_load", lambda: module)
    monkeypatch.setattr(door, "_threads", 0)
    monkeypatch.delitem(sys.modules, door.NAME, raising=False)
    use_threads(5)
    assert told == []
    library()
    use_threads(2)
    assert told == [5, 2]


@pytest.mark.native
def test_progress_is_told_in_the_callers_context(threads: Callable[[int], None]) -> None:
    threads(2)
    job = contextvars.ContextVar("job", default="none")
    seen: list[tuple[str, bool]] = []

    def report(_words: str, _share: float) -> None:
        seen.append((job.get(), threading.current_thread() is threading.main_thread()))

    job.set("seven")
    watch = _Watch(600.0, report, lambda: False)
    model = Model()
    key = model.load()
    model.proof(key, key.begin(0).begin(0), 0, watch.goes_on)
    assert set(seen) == {("seven", False)}
