"""Log lines: whose job they are about, and that they hold nothing else."""

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest
from log_lines import log_lines

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.observability.base import (
    About,
    Caller,
    begin_request,
    end_request,
    note_job,
    working_on,
)
from inferproof.observability.faults import fault_of, loggable
from inferproof.observability.ids import trace_hex, trace_ids
from inferproof.observability.logs import OURS, report_loop_faults, set_up_logs
from inferproof.types.digest import Digest

JOB = Digest(b"\x07" * 32)
log = logging.getLogger("inferproof.test")


def test_a_line_says_what_is_worked_on() -> None:
    with log_lines() as logged:
        log.info("before")
        with working_on(JOB, attempt=2, fence=7):
            log.info("hello %s", "world")
        log.info("after")
    before, line, after = logged.lines
    assert line["message"] == "hello world"
    assert (line["job"], line["attempt"], line["fence"]) == (JOB.hex, 2, 7)
    assert (line["level"], line["logger"]) == ("info", "inferproof.test")
    assert line["time"].endswith("Z")
    assert "trace" not in line
    assert "job" not in before
    assert "job" not in after
    assert f"hello world job={JOB.hex} attempt=2 fence=7" in logged.text


async def test_it_goes_along_into_threads_and_tasks_and_not_back() -> None:
    async def task() -> None:
        log.info("task")

    with log_lines() as logged:
        with working_on(JOB):
            await asyncio.to_thread(log.info, "thread")
            await asyncio.create_task(task())
        other = threading.Thread(target=log.info, args=("elsewhere",))
        other.start()
        other.join()
    assert [line.get("job") for line in logged.lines] == [JOB.hex, JOB.hex, None]


def test_an_exception_remembers_what_it_was_about() -> None:
    with log_lines() as logged:
        try:
            with working_on(JOB, fence=3), working_on(JOB, fence=4):
                raise ValueError("marked")
        except ValueError:
            log.exception("a fault of ours")
    assert (logged.lines[0]["job"], logged.lines[0]["fence"]) == (JOB.hex, 4)
    assert "marked" not in logged.text


def test_a_record_knows_better_than_its_context() -> None:
    other = Digest(b"\x08" * 32)
    with log_lines() as logged, working_on(JOB):
        log.info("x", extra={"job": other})
    assert logged.lines[0]["job"] == other.hex


def test_a_request_has_its_id_and_the_callers_trace() -> None:
    with log_lines() as plain, log_lines(traced=True) as traced:
        token = begin_request(About(request="abc", caller=Caller(trace=5, span=6)))
        log.info("first")
        note_job(JOB)
        log.info("second")
        end_request(token)
        note_job(JOB)  # outside of requests it does nothing
        log.info("third")
    assert [line.get("request") for line in plain.lines] == ["abc", "abc", None]
    assert [line.get("job") for line in plain.lines] == [None, JOB.hex, None]
    assert [line.get("trace") for line in plain.lines] == ["0" * 31 + "5"] * 2 + [None]
    assert [line.get("trace") for line in traced.lines] == ["0" * 31 + "5", trace_hex(JOB), None]


def test_the_trace_id_does_not_show_the_job_id() -> None:
    trace, span = trace_ids(JOB)
    assert 0 < trace < 2**128
    assert 0 < span < 2**64
    assert trace.to_bytes(16, "big") not in JOB.raw
    assert trace_ids(Digest(b"\x08" * 32)) != (trace, span)


def test_a_fault_is_told_by_kind_code_and_place() -> None:
    def fail() -> None:
        try:
            int("a marked input")
        except ValueError as error:
            raise Unavailable(Reason.STORAGE_FULL) from error

    with pytest.raises(Unavailable) as caught:
        fail()
    fault = fault_of(caught.value)
    assert (fault.kind, fault.code) == ("inferproof.errors.Unavailable", "STORAGE_FULL")
    assert fault.places[-1].function.endswith("fail")
    assert fault.places[-1].file.endswith("test_logs.py")
    assert fault.cause is not None
    assert (fault.cause.kind, fault.cause.code) == ("ValueError", None)
    assert "marked" not in repr(fault)


def test_a_group_is_told_by_its_first() -> None:
    group = ExceptionGroup("marked", [ValueError("marked"), KeyError("marked")])
    fault = fault_of(group)
    assert fault.cause is not None
    assert (fault.kind, fault.cause.kind) == ("ExceptionGroup", "ValueError")


def test_endless_causes_end() -> None:
    error = ValueError("0")
    for number in range(20):
        above = ValueError(str(number))
        above.__cause__ = error
        error = above
    depth, fault = 0, fault_of(error)
    while fault.cause is not None:
        depth, fault = depth + 1, fault.cause
    assert depth == 5


def test_what_a_caller_sent_is_answered_and_not_logged() -> None:
    assert loggable(Unavailable(Reason.STORAGE_FULL)).startswith("STORAGE_FULL: the disk is full")
    assert loggable(InputRejected(Reason.INPUT_NOT_FINITE, name="marked")) == "INPUT_NOT_FINITE"
    assert loggable(Unavailable(Reason.PROVER_FAILED, why="marked")) == "PROVER_FAILED"


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root, ours, raising = logging.getLogger(), logging.getLogger(OURS), logging.raiseExceptions
    # A server that another test started has set this one's level.
    theirs = logging.getLogger("uvicorn.error")
    handlers, levels = list(root.handlers), (root.level, ours.level, theirs.level)
    theirs.setLevel(logging.NOTSET)
    yield root
    theirs.setLevel(levels[2])
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.raiseExceptions = raising


@pytest.mark.usefixtures("root_logger")
@pytest.mark.parametrize("style", ["text", "json"])
def test_only_our_own_loggers_speak_low(style: str) -> None:
    stream = io.StringIO()
    set_up_logs("debug", style, stream=stream)
    logging.getLogger("aiosqlite").debug("a marked row")
    logging.getLogger("sqlalchemy.engine").info("a marked row")
    logging.getLogger("web3.RequestManager").debug("a marked row")
    logging.getLogger("inferproof.worker").debug("ours")
    logging.getLogger("asyncio").warning("theirs")
    out = stream.getvalue()
    assert "marked" not in out
    assert "ours" in out
    assert "theirs" in out
    if style == "json":
        assert [json.loads(line)["level"] for line in out.splitlines()] == ["debug", "warning"]


@pytest.mark.usefixtures("root_logger")
def test_a_record_that_cannot_be_formatted_is_not_printed_raw(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("debug", "json", stream=io.StringIO())
    logging.getLogger("inferproof.worker").info("%d", "marked")
    assert "marked" not in capsys.readouterr().err


async def test_what_fails_outside_of_every_task_is_told_without_its_arguments() -> None:
    loop = asyncio.get_running_loop()
    undo = report_loop_faults(loop)

    def fail(_word: str) -> None:
        raise ValueError(_word)

    async def forgotten() -> None:
        raise KeyError("marked")

    try:
        with log_lines() as logged:
            loop.call_soon(fail, "marked")
            task = loop.create_task(forgotten())
            await asyncio.sleep(0.01)
            del task
    finally:
        undo()
    assert "ValueError" in logged.text
    assert "marked" not in logged.text
