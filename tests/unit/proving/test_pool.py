"""Worker processes: limits, crashes, and that the pool goes on afterwards."""

import signal
import threading
import time

import pytest

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.proving.pool import WorkerPool
from inferproof.testing.rejections import rejects

TASKS = "inferproof.testing.worker_tasks"


@pytest.fixture
def pool():
    with_limits = WorkerPool(size=1, threads=1)
    yield with_limits
    with_limits.close()


def run(pool, task, limit=60.0, **args):
    return pool.run(f"{TASKS}:{task}", args, time_limit_s=limit)


def test_a_task_answers_and_its_worker_is_kept(pool):
    first, second = run(pool, "echo", word="a"), run(pool, "echo", word="b")
    assert (first["word"], second["word"]) == ("a", "b")
    assert first["pid"] == second["pid"]
    assert first["peak_bytes"] > 2**20


def test_progress_is_passed_on(pool):
    seen = []
    pool.run(
        f"{TASKS}:echo",
        {},
        time_limit_s=60,
        progress=lambda stage, share: seen.append((stage, share)),
    )
    assert seen == [("half way", 0.5)]


def test_a_typed_failure_arrives_whole_and_the_worker_is_kept(pool):
    pid = run(pool, "echo")["pid"]
    message = "input x holds a NaN or an infinity"
    with rejects(Reason.INPUT_NOT_FINITE, message, kind=InputRejected):
        run(pool, "refuse", name="x")
    assert run(pool, "echo")["pid"] == pid


def test_a_panic_is_a_typed_failure(pool):
    message = "the prover failed: Panic: assertion failed"
    with rejects(Reason.PROVER_FAILED, message, kind=Unavailable):
        run(pool, "panic")
    assert run(pool, "echo", word="on")["word"] == "on"


def test_a_killed_worker_is_replaced(pool):
    pid = run(pool, "echo")["pid"]
    message = "the prover process ended unexpectedly (signal 9); the next call starts a new one"
    with rejects(Reason.PROVER_CRASHED, message, kind=Unavailable):
        run(pool, "die", signal=int(signal.SIGKILL))
    assert run(pool, "echo")["pid"] != pid


def test_a_worker_that_leaves_is_replaced(pool):
    message = (
        "the prover process ended unexpectedly (exit status 3); the next call starts a new one"
    )
    with rejects(Reason.PROVER_CRASHED, message):
        run(pool, "leave", status=3)
    assert run(pool, "echo", word="on")["word"] == "on"


def test_a_time_limit_kills(pool):
    run(pool, "echo")
    began = time.monotonic()
    message = "the prover did not finish within 0.3 seconds and was stopped"
    with rejects(Reason.PROVER_TIME_LIMIT, message, kind=Unavailable):
        run(pool, "sleep", limit=0.3, seconds=60)
    assert time.monotonic() - began < 20
    assert run(pool, "echo", word="on")["word"] == "on"


def test_waiting_for_a_worker_counts_as_time(pool):
    run(pool, "echo")
    holder = threading.Thread(target=run, args=(pool, "sleep"), kwargs={"seconds": 2})
    holder.start()
    time.sleep(0.3)
    with rejects(
        Reason.PROVER_TIME_LIMIT, "the prover did not finish within 0.2 seconds and was stopped"
    ):
        run(pool, "echo", limit=0.2)
    holder.join()
    assert run(pool, "echo", word="on")["word"] == "on"


def test_a_cancelled_task_stops(pool):
    run(pool, "echo")
    flag = threading.Event()
    threading.Timer(0.3, flag.set).start()
    with rejects(Reason.PROVER_CANCELLED, "the proof was cancelled", kind=Unavailable):
        pool.run(f"{TASKS}:sleep", {"seconds": 60}, time_limit_s=60, cancelled=flag.is_set)


def test_what_native_code_prints_is_not_an_answer(pool):
    assert run(pool, "chatter")["peak_bytes"] > 0


def test_a_memory_limit_ends_a_task():
    pool = WorkerPool(size=1, threads=1, memory_bytes=2**31)
    try:
        assert run(pool, "hold", bytes=2**20)["held"] == 2**20
        with rejects(Reason.PROVER_FAILED, "the prover failed: MemoryError: "):
            run(pool, "hold", bytes=2**33)
    finally:
        pool.close()


def test_only_our_own_tasks_run(pool):
    message = "the prover failed: ValueError: a task is a function of this package"
    with rejects(Reason.PROVER_FAILED, message):
        pool.run("os:getcwd", {}, time_limit_s=60)


def test_a_closed_pool_takes_no_task(pool):
    pool.close()
    with rejects(Reason.PROVER_CLOSED, "the pool of prover processes is closed", kind=Unavailable):
        run(pool, "echo")


def test_two_workers_run_side_by_side():
    pool = WorkerPool(size=2, threads=1)
    try:
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(run(pool, "sleep", seconds=1.0)))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({r["pid"] for r in results}) == 2
    finally:
        pool.close()
