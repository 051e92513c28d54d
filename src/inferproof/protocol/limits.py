"""The rule of every rate limit: a bucket that refills steadily, kept as one moment.

The bucket is stored as the moment at which it will be full again. What is spent moves the moment
into the future; a moment more than a whole span ahead would mean an overdrawn bucket, so that is
refused and changes nothing. A bucket that nobody stored is full.

Source: the generic cell rate algorithm, ITU-T I.371, in its virtual-scheduling form.
"""

from typing import NamedTuple

from inferproof.types.limits import Rate


class Charge(NamedTuple):
    """What one call costs in one bucket. A cost beyond the whole bucket counts as all of it, so
    that the dearest call can be made by who waited long enough."""

    bucket: str
    rate: Rate
    cost: int = 1


class Verdict(NamedTuple):
    """Whether a charge was taken. `remaining` calls of cost 1 could follow at once; after `wait_us`
    the refused one can be tried again; after `full_us` the bucket is full."""

    allowed: bool
    remaining: int
    wait_us: int
    full_us: int


def spend(full_at: int, now: int, rate: Rate, cost: int) -> tuple[int, Verdict]:
    """The moment at which the bucket is full after this charge, and the verdict.

    Units: microseconds of one clock. `full_at` is 0 for a bucket that is not stored. A moment too
    far ahead, from a slower rate or a clock that was set back, counts as an empty bucket.
    """
    interval, span = rate.interval_us, rate.span_us
    ahead = full_at - now
    ahead = 0 if ahead < 0 else min(ahead, span)
    after = ahead + interval * cost if cost < rate.count else ahead + span
    if after > span:
        return full_at, Verdict(False, (span - ahead) // interval, after - span, ahead)
    return now + after, Verdict(True, (span - after) // interval, 0, after)
