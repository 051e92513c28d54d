"""What every backend for heavy work must do. A test class per backend gives the fixture `make`,
which takes `size` and `memory_bytes` and closes what it made."""

import signal
import threading
import time

import pytest

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.testing.rejections import rejects

TASKS = "inferproof.testing.worker_tasks"


def run(backend, task, limit=60.0, **args):
    return backend.run(f"{TASKS}:{task}", args, time_limit_s=limit)


class ComputeBackendSuite:
    """Tests shared by all implementations of ComputeBackend."""

    @pytest.fixture
    def backend(self, make):
        return make()

    def test_a_task_answers_and_its_worker_is_kept(self, backend):
        first, second = run(backend, "echo", word="a"), run(backend, "echo", word="b")
        assert (first["word"], second["word"]) == ("a", "b")
        assert first["pid"] == second["pid"]
        assert first["peak_bytes"] > 2**20

    def test_progress_is_passed_on(self, backend):
        seen = []
        backend.run(
            f"{TASKS}:echo",
            {},
            time_limit_s=60,
            progress=lambda stage, share: seen.append((stage, share)),
        )
        assert seen == [("half way", 0.5)]

    def test_a_typed_failure_arrives_whole_and_the_worker_is_kept(self, backend):
        pid = run(backend, "echo")["pid"]
        message = "input x holds a NaN or an infinity"
        with rejects(Reason.INPUT_NOT_FINITE, message, kind=InputRejected):
            run(backend, "refuse", name="x")
        assert run(backend, "echo")["pid"] == pid

    def test_a_panic_is_a_typed_failure(self, backend):
        message = "the prover failed: Panic: assertion failed"
        with rejects(Reason.PROVER_FAILED, message, kind=Unavailable):
            run(backend, "panic")
        assert run(backend, "echo", word="on")["word"] == "on"

    def test_a_killed_worker_is_replaced(self, backend):
        pid = run(backend, "echo")["pid"]
        message = "the prover process ended unexpectedly (signal 9); the next call starts a new one"
        with rejects(Reason.PROVER_CRASHED, message, kind=Unavailable):
            run(backend, "die", signal=int(signal.SIGKILL))
        assert run(backend, "echo")["pid"] != pid

    def test_a_worker_that_leaves_is_replaced(self, backend):
        message = (
            "the prover process ended unexpectedly (exit status 3); the next call starts a new one"
        )
        with rejects(Reason.PROVER_CRASHED, message):
            run(backend, "leave", status=3)
        assert run(backend, "echo", word="on")["word"] == "on"

    def test_a_time_limit_kills(self, backend):
        run(backend, "echo")
        began = time.monotonic()
        message = "the prover did not finish within 0.3 seconds and was stopped"
        with rejects(Reason.PROVER_TIME_LIMIT, message, kind=Unavailable):
            run(backend, "sleep", limit=0.3, seconds=60)
        assert time.monotonic() - began < 20
        assert run(backend, "echo", word="on")["word"] == "on"

    def test_waiting_for_a_worker_counts_as_time(self, backend):
        taken = threading.Event()
        holder = threading.Thread(
            target=backend.run,
            args=(f"{TASKS}:babble", {"seconds": 2}),
            kwargs={"time_limit_s": 60, "progress": lambda *_: taken.set()},
        )
        holder.start()
        assert taken.wait(60)
        with rejects(
            Reason.PROVER_TIME_LIMIT, "the prover did not finish within 0.2 seconds and was stopped"
        ):
            run(backend, "echo", limit=0.2)
        holder.join()
        assert run(backend, "echo", word="on")["word"] == "on"

    def test_a_cancelled_task_stops(self, backend):
        run(backend, "echo")
        flag = threading.Event()
        threading.Timer(0.3, flag.set).start()
        with rejects(Reason.PROVER_CANCELLED, "the proof was cancelled", kind=Unavailable):
            backend.run(f"{TASKS}:sleep", {"seconds": 60}, time_limit_s=60, cancelled=flag.is_set)

    def test_a_task_that_is_cancelled_before_it_begins_does_not(self, backend):
        with rejects(Reason.PROVER_CANCELLED, "the proof was cancelled", kind=Unavailable):
            backend.run(f"{TASKS}:echo", {}, time_limit_s=60, cancelled=lambda: True)

    @pytest.mark.parametrize("how", ["cancelled", "late"])
    def test_a_task_that_reports_all_the_time_is_ended_too(self, backend, how):
        flag = threading.Event()
        if how == "cancelled":
            threading.Timer(0.3, flag.set).start()
        began = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            backend.run(
                f"{TASKS}:babble",
                {"seconds": 30},
                time_limit_s=60 if how == "cancelled" else 0.5,
                cancelled=flag.is_set,
            )
        expected = Reason.PROVER_CANCELLED if how == "cancelled" else Reason.PROVER_TIME_LIMIT
        assert caught.value.reason is expected
        assert time.monotonic() - began < 20

    def test_what_native_code_prints_is_not_an_answer(self, backend):
        assert run(backend, "chatter")["peak_bytes"] > 0

    def test_a_memory_limit_ends_a_task(self, make):
        backend = make(memory_bytes=2**31)
        assert run(backend, "hold", bytes=2**20)["held"] == 2**20
        with rejects(Reason.PROVER_FAILED, "the prover failed: MemoryError: "):
            run(backend, "hold", bytes=2**33)

    def test_only_our_own_tasks_run(self, backend):
        message = "the prover failed: ValueError: a task is a function of this package"
        with rejects(Reason.PROVER_FAILED, message):
            backend.run("os:getcwd", {}, time_limit_s=60)

    def test_a_closed_backend_takes_no_task(self, backend):
        backend.close()
        with rejects(
            Reason.PROVER_CLOSED, "the pool of prover processes is closed", kind=Unavailable
        ):
            run(backend, "echo")

    def test_two_workers_run_side_by_side(self, make):
        backend = make(size=2)
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(run(backend, "sleep", seconds=1.0)))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({r["pid"] for r in results}) == 2
