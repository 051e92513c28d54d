"""A real gateway, settling or worker process, for tests that kill it.

    python -m inferproof.testing.kill_server gateway      settings from INFERPROOF_… variables
    python -m inferproof.testing.kill_server settle
    python -m inferproof.testing.kill_server worker
    python -m inferproof.testing.kill_server nursery      forks such processes when it is told to

It runs what `inferproof serve`, `settle` and `worker` run, with three differences: a watcher is
around its parts (see `boundaries`), whose folder INFERPROOF_TEST_WATCH names; the proof system
"toy" is there, whose answers go wrong on demand, as do those of sumcheck, of which each proof is
kept; and what the settler waits for is a second instead of a minute. Once it is ready it writes one
JSON object to INFERPROOF_TEST_READY.

A nursery has everything imported, so that a process is there in no time however often it is
killed. It reads JSON lines, {"role": …, "environment": {…}, "log": path}, and writes {"pid": …}
for each and {"ended": pid, "status": …} when one has ended. All end with it.
"""

import json
import logging
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from inferproof.app.background import SettleApp
from inferproof.app.gateway import App
from inferproof.app.worker import WorkerApp
from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.protocol.opening_budget import Opening, Use
from inferproof.proving.base import Progress, Proof, no_progress
from inferproof.proving.sumcheck.prove import SumcheckExecution
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.server.processes import run as run_loop
from inferproof.server.processes import run_gateway, run_settle, run_worker
from inferproof.services.settlement.service import SettlerSettings
from inferproof.settings import Settings
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.testing.boundaries import BEFORE, Watcher, armed
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToyExecution, ToySystem
from inferproof.types.digest import Digest
from inferproof.types.proof import Statement
from inferproof.types.tensor import Tensors

T = TypeVar("T")
Passed = Callable[[str, str, str], None]

WATCH = "INFERPROOF_TEST_WATCH"
READY = "INFERPROOF_TEST_READY"
TWICE = "INFERPROOF_TEST_SLOTS_TWICE"
"""Where it is set, what one process took of a key the next one takes again: a count that is wrong,
which those who look for one are to find."""
MADE = "made"
"""The folder of all proofs that came out of the native prover, whatever became of them."""
PHASE = "phase"
"""What stands before the name of a phase of a native proof, which a process passes in its midst."""
GATEWAY, SETTLE, WORKER, NURSERY = "gateway", "settle", "worker", "nursery"

REFUSED, FAULTY, SLOW = 90.0, 91.0, 92.0
"""First numbers of an input that make both systems refuse it; fail once; take its time."""
SLOW_S = 2.0
SLOW_LIMIT_S = 60.0
"""How long a slow proof takes at most where somebody is to die while it is made."""

SETTLER = SettlerSettings(
    poll_s=0.05,
    idle_s=0.1,
    resend_s=1,
    dropped_s=1,
    lost_after_s=1,
    uncertain_after_s=1,
    reverted_s=1,
    raise_s=1,
    raise_blocks=1,
    gap_s=1,
    refund_pause_s=1,
    max_backoff_s=0.5,
)


class Moods:
    """Moods that the input of a job asks for. `folder` remembers the faults."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def show(self, inputs: Tensors, salt: bytes) -> None:
        """Returns where the job may be computed; its salt is no other job's. Raises:
        InputRejected, Unavailable.
        """
        mood = float(next(iter(inputs.values())).flat[0])
        if mood == REFUSED:
            raise InputRejected(Reason.INPUT_NOT_FINITE, name="x")
        if mood == FAULTY and self._is_first(salt.hex()):
            raise Unavailable(Reason.STORAGE_FULL)
        if mood == SLOW:
            self._take_time()

    def _take_time(self) -> None:
        """Returns after a while, and not before who is to die at a heartbeat has come to one: how
        often a lease is renewed in two seconds is for the machine to say."""
        end = time.monotonic() + SLOW_LIMIT_S
        time.sleep(SLOW_S)
        while time.monotonic() < end:
            at = armed(self._folder)
            if at is None or at.method != "heartbeat":
                return
            time.sleep(0.05)

    def _is_first(self, job: str) -> bool:
        try:
            (self._folder / f"fault-{job}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class MoodySystem(ToySystem):
    """The toy proof system, with moods."""

    def __init__(self, folder: Path) -> None:
        super().__init__(ACKNOWLEDGEMENT)
        self._moods = Moods(folder)

    def execute(self, model: Path, inputs: Tensors, salt: bytes, **how: Any) -> ToyExecution:
        self._moods.show(inputs, salt)
        return super().execute(model, inputs, salt, **how)


class MoodySumcheck:
    """The native proof system that a process opened, whose order book counts openings, with moods:
    what it proves is proven."""

    def __init__(self, system: SumcheckSystem, folder: Path, passed: Passed) -> None:
        self._system = system
        self._moods = Moods(folder)
        self._made = folder / MADE
        self._passed = passed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def execute(self, model: Path, inputs: Tensors, salt: bytes, **how: Any) -> "KeptExecution":
        self._moods.show(inputs, salt)
        execution = self._system.execute(model, inputs, salt, **how)
        return KeptExecution(execution, self._made, self._passed)

    def execute_private(
        self, model: Path, inputs: Tensors, secret: bytes, **how: Any
    ) -> "KeptExecution":
        self._moods.show(inputs, secret)
        execution = self._system.execute_private(model, inputs, secret, **how)
        return KeptExecution(execution, self._made, self._passed)


class KeptExecution:
    """An execution of the native proof system. It passes each phase of its proof, and keeps the
    proof before anybody else has it."""

    def __init__(self, execution: SumcheckExecution, made: Path, passed: Passed) -> None:
        self._execution = execution
        self._made = made
        self._passed = passed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._execution, name)

    def prove(self, statement: Statement, *, progress: Progress = no_progress, **how: Any) -> Proof:
        job = statement.job_id.hex

        def told(words: str, share: float) -> None:
            self._passed(f"{PHASE}.{words.replace(' ', '-')}:{BEFORE}", job, "-")
            progress(words, share)

        proof = self._execution.prove(statement, progress=told, **how)
        self._made.mkdir(exist_ok=True)
        whole = self._made / f"{os.getpid()}-{time.monotonic_ns()}"
        whole.with_suffix(".part").write_bytes(proof.file)
        whole.with_suffix(".part").rename(whole)
        return proof


class GivesTwice:
    """Openings of which a process is given what the one before it took; see TWICE."""

    def __init__(self, openings: OpeningBudgets, folder: Path) -> None:
        self._openings = openings
        self._folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._openings, name)

    async def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int = 0) -> Opening:
        path = self._folder / f"slot-{key.raw.hex()}"
        if path.exists():
            process, slot, taken, left = map(int, path.read_text().split())
            if process != os.getpid():
                path.unlink()
                return Opening(key, await self._openings.store(key), slot, taken, left)
        taken_now = await self._openings.take(key, use, seen=seen)
        path.write_text(f"{os.getpid()} {taken_now.slot} {taken_now.taken} {taken_now.left}")
        return taken_now


class MoodyWatcher(Watcher):
    """A watcher that also gives moods to the native proof system, and slots twice where it is told
    to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._of_moods = folder

    def __call__(self, part: str, target: T) -> T:
        if isinstance(target, SumcheckSystem):
            moody = MoodySumcheck(target, self._of_moods, self.passed)
            return cast("T", super().__call__(part, moody))
        if isinstance(target, SqlOpeningBudgets) and TWICE in os.environ:
            return cast("T", super().__call__(part, GivesTwice(target, self._of_moods)))
        return super().__call__(part, target)


def run(role: str) -> None:
    """Runs the role until it is told to stop, or killed."""
    form = f"%(asctime)s.%(msecs)03d {role} {os.getpid()} %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, datefmt="%H:%M:%S", force=True)
    settings = Settings.load()
    if role == WORKER and settings.workers == 0:  # as `inferproof worker` does
        settings = settings.model_copy(update={"workers": 1})
    parts = _parts()
    if role == GATEWAY:
        run_gateway(settings, announce=_gateway_ready, settler_settings=SETTLER, **parts)
    elif role == SETTLE:
        run_loop(run_settle(settings, announce=_ready_alone, settler_settings=SETTLER, **parts))
    else:
        run_loop(run_worker(settings, announce=_ready_alone, **parts))


def _parts() -> dict[str, Any]:
    folder = Path(os.environ[WATCH])
    return {
        "watch": MoodyWatcher(folder),
        "more_systems": {ToySystem.name: MoodySystem(folder)},
    }


def _gateway_ready(url: str, _app: App | None) -> None:
    _ready({"url": url})


def _ready_alone(_app: SettleApp | WorkerApp) -> None:
    _ready({})


def _ready(facts: dict[str, object]) -> None:
    path = Path(os.environ[READY])
    whole = path.with_suffix(".part")
    whole.write_text(json.dumps({"pid": os.getpid(), **facts}))
    whole.rename(path)


def raise_children(run: Callable[[str], None] = run) -> None:
    """Forks what it is told to until its standard input ends; then kills what is left. A child runs
    its role by `run`."""
    children: set[int] = set()
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
    buffer, reading = b"", True
    while reading:
        if selector.select(timeout=0.01):
            chunk = os.read(sys.stdin.fileno(), 65536)
            reading, buffer = bool(chunk), buffer + chunk
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            children.add(_fork(json.loads(line), run))
        children -= _reap(children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _fork(order: dict[str, Any], run: Callable[[str], None]) -> int:
    # Safe only while this process has one thread: the imports above start none.
    pid = os.fork()
    if pid:
        _tell({"pid": pid})
        return pid
    status = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update(order["environment"])
        run(order["role"])
        status = 0
    except BaseException:  # the edge of a forked process, which must not run on
        logging.exception("ended")
    finally:
        os._exit(status)


def _reap(children: set[int]) -> set[int]:
    ended = set()
    for pid in children:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            ended.add(pid)
            _tell({"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    return ended


def _tell(facts: dict[str, int]) -> None:
    os.write(1, json.dumps(facts).encode() + b"\n")


def main() -> None:
    """Runs what the command line names."""
    (role,) = sys.argv[1:]
    if role == NURSERY:
        raise_children()
    else:
        run(role)


if __name__ == "__main__":
    main()
