"""Tasks for worker processes that misbehave on purpose, to test what runs them."""

import math
import os
import time
from typing import Any

from inferproof.errors import InputRejected, Reason
from inferproof.proving.base import Progress
from inferproof.proving.bounds import bound_time


class Panic(BaseException):
    """Like a panic of native code: not an Exception."""


def echo(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """What it was given, and its process id."""
    report("half way", 0.5)
    return {**args, "pid": os.getpid()}


def sleep(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Nothing, after a while."""
    time.sleep(args["seconds"])
    return {"pid": os.getpid()}


def die(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Never returns: the process ends by a signal."""
    os.kill(os.getpid(), args["signal"])
    time.sleep(60)
    return {}


def leave(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Never returns: the process ends with a status."""
    os._exit(args["status"])


def panic(_args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Raises: Panic, as native code does."""
    raise Panic("assertion failed")


def refuse(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Raises: InputRejected INPUT_NOT_FINITE."""
    raise InputRejected(Reason.INPUT_NOT_FINITE, name=args["name"])


def chatter(_args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Prints where answers go, as native libraries do; answers none the less."""
    os.write(1, b"not an answer\n")
    report("still here", 0.1)
    return {}


def babble(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Nothing, after reporting many times a second for a while."""
    end = time.monotonic() + args["seconds"]
    while time.monotonic() < end:
        report("on and on", 0.5)
        time.sleep(0.01)
    return {}


def hold(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Nothing, after holding this much memory."""
    block = bytearray(args["bytes"])
    return {"held": len(block)}


def spin(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Nothing, after so many seconds of processor time, or never; as bounded as a check is."""
    bound_time(args)
    end = time.process_time() + args.get("seconds", math.inf)
    while time.process_time() < end:
        pass
    return {}
