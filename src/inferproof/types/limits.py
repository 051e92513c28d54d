"""How often something may be done."""

import re
from dataclasses import dataclass, field

from inferproof.errors import Reason, RequestRejected

MICROS = 1_000_000
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
FASTEST = 100_000
"""Calls a second. Time is counted in microseconds; beyond, one call would take too few of them."""

_TEXT = re.compile(r"([1-9][0-9]{0,9})/(second|minute|hour|day)")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` at once, and no more than `count` in every `period_s` seconds after that.

    Units: `interval_us` is how long one of them takes to come back, `span_us` how long all do, in
    microseconds.
    Raises: RequestRejected RATE_MALFORMED for none at all, or more than 100,000 a second.
    """

    count: int
    period_s: int
    interval_us: int = field(init=False, repr=False, compare=False)
    span_us: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.count <= FASTEST * self.period_s:
            raise RequestRejected(Reason.RATE_MALFORMED, got=f"{self.count} in {self.period_s} s")
        interval = self.period_s * MICROS // self.count
        object.__setattr__(self, "interval_us", interval)
        object.__setattr__(self, "span_us", interval * self.count)

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """The rate in a text such as 600/minute. Raises: RequestRejected RATE_MALFORMED."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise RequestRejected(Reason.RATE_MALFORMED, got=text)
        return cls(int(found[1]), PERIODS[found[2]])

    def times(self, factor: int) -> "Rate":
        """The same, so many times over; at most the fastest that there is."""
        return Rate(min(self.count * factor, FASTEST * self.period_s), self.period_s)

    def __str__(self) -> str:
        unit = next((name for name, s in PERIODS.items() if s == self.period_s), None)
        return f"{self.count}/{unit or f'{self.period_s} s'}"
