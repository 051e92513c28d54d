"""The child process of `isolation.run_isolated`: bounds itself, does one task, answers.

Started as `python -I -c …` with the caller's module path. Standard input is the request,
standard output the answer, both frames. It imports what the task needs and no more: start-up
is most of what a small model costs.
"""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from inferproof.errors import InferproofError
from inferproof.models.isolation import MEMORY_EXIT, Head, read_frame, write_frame
from inferproof.models.limits import Limits

Answer = tuple[Head, tuple[bytes, ...]]
Task = Callable[[Head, list[bytes], Limits], Answer]

_ANSWER_ROOM = 256 * 2**20
"""Bytes that an answer may have beyond the weights: names, shapes, measured outputs."""


def bound_this_process(limits: Limits) -> None:
    """Lowers the hard limits of this process; they cannot be raised again."""
    answer = limits.weight_bytes + _ANSWER_ROOM
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_AS, limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, answer)
    _lower(resource.RLIMIT_NOFILE, 64)
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)


def _lower(what: int, soft: int, hard: int | None = None) -> None:
    _, ceiling = resource.getrlimit(what)
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        wanted = min(wanted, ceiling)
    resource.setrlimit(what, (min(soft, wanted), wanted))


def _parse(request: Head, _blobs: list[bytes], limits: Limits) -> Answer:
    from inferproof.models.axes import Axes
    from inferproof.models.load import to_head
    from inferproof.models.parse import parse_untrusted, read_untrusted

    path = Path(request["path"])
    axes = Axes.from_json(request["axes"])
    model = parse_untrusted(read_untrusted(path, limits), limits, path.parent, axes)
    return to_head(model), (model.onnx,)


def _fix(request: Head, _blobs: list[bytes], limits: Limits) -> Answer:
    from inferproof.models.axes import Axes
    from inferproof.models.fixing import fix_here
    from inferproof.models.load import to_head

    axes = Axes.from_json(request["axes"])
    told, model = fix_here(Path(request["path"]), request["keep"], limits, axes)
    return told | {"model": to_head(model)}, (model.onnx,)


def _measure(request: Head, blobs: list[bytes], _limits: Limits) -> Answer:
    from inferproof.models.measure import measure_here

    return measure_here(request, blobs)


def _compare(request: Head, blobs: list[bytes], _limits: Limits) -> Answer:
    from inferproof.models.comparing import compare_here

    return compare_here(request, blobs), ()


def _export(request: Head, blobs: list[bytes], _limits: Limits) -> Answer:
    from inferproof.models.importing.files import export_here

    return export_here(request, blobs)


def _trace(request: Head, blobs: list[bytes], _limits: Limits) -> Answer:
    from inferproof.models.trace import trace_here

    return trace_here(request, blobs)


TASKS: dict[str, Task] = {
    "parse": _parse,
    "measure": _measure,
    "fix": _fix,
    "compare": _compare,
    "export": _export,
    "trace": _trace,
}


def main() -> None:
    """Answers the request on standard input and exits.

    Exit status: 0 with an answer, which may be a refusal; MEMORY_EXIT out of memory; any
    other is a crash.
    """
    answer_file = os.fdopen(os.dup(1), "wb")
    # A library that prints must not write into the answer.
    os.dup2(2, 1)
    try:
        head, blobs = read_frame(sys.stdin.buffer)
        limits = Limits.from_dict(head["limits"])
        bound_this_process(limits)
        try:
            answer, parts = TASKS[head["task"]](head, blobs, limits)
        except InferproofError as refused:
            told = {
                "kind": type(refused).__name__,
                "reason": refused.code,
                "facts": refused.facts,
            }
            answer, parts = {"refused": told}, ()
        write_frame(answer_file, answer, parts)
    except MemoryError:
        os._exit(MEMORY_EXIT)
    # Without tearing down libraries, which costs time and may crash under the bounds.
    os._exit(0)
