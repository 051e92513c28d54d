"""Ids of a job's trace, which follow from the job's id: whoever has the job has its trace, in any
process and after any restart, and nothing needs to be stored or sent along."""

import hashlib

from inferproof.types.digest import Digest

_TAG = b"inferproof/trace/1"


def trace_ids(job: Digest) -> tuple[int, int]:
    """The trace id and the id of its first span. Neither tells the job's id to who lacks it."""
    digest = hashlib.sha256(_TAG + job.raw).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


def trace_hex(job: Digest) -> str:
    """The trace id as 32 hex digits."""
    return f"{trace_ids(job)[0]:032x}"
