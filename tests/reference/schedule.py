"""Parameters of the opening by size. Source: specs/sumcheck-proof.md, section 7."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inferproof.second_verifier.profiles import PROFILES

FILE = Path(__file__).resolve().parents[2] / "vectors/sumcheck/schedule.json"
CLEAR_PROFILES = (1, 2, 3)
"""Those of the clear mode."""


@dataclass(frozen=True)
class Queries:
    """How often a code is queried, and the bits of work before."""

    count: int
    work: int


@dataclass(frozen=True)
class Schedule:
    """`samples[i]` and `rates[i]` belong to code i, of which code 0 is the commitment's;
    `queries[i]` are the queries to it, the last ones after the last polynomial. `later_fold` is
    what the folds after the first take at most, or None where each has a number of its own."""

    profile: str
    johnson: bool
    term_bits: int
    work_bits: int
    first_fold: int
    later_fold: int | None
    variables: int
    rates: list[int]
    folds: list[int]
    samples: list[int]
    queries: list[Queries]

    @property
    def rounds(self) -> int:
        return len(self.folds) - 1

    @property
    def last_variables(self) -> int:
        return self.variables - sum(self.folds)

    @property
    def folding(self) -> list[int]:
        """The folds as the transcript names them: by a rule, or one by one."""
        if self.later_fold is None:
            return [2, len(self.folds), *self.folds]
        return [1, self.first_fold, self.later_fold]

    def remaining(self, code: int) -> int:
        """Variables of the polynomial under a code."""
        return self.variables - sum(self.folds[:code])

    def log_leaves(self, code: int) -> int:
        """Logarithm of the leaves of a code."""
        return self.remaining(code) - self.folds[code] + self.rates[code]

    def drawn(self, code: int) -> int:
        """Queries to a code that are drawn; 0 where all of its leaves are opened."""
        count = self.queries[code].count
        return 0 if count >= 1 << self.log_leaves(code) else count

    def opened(self, code: int) -> int:
        return min(self.queries[code].count, 1 << self.log_leaves(code))


@cache
def _rows() -> dict[tuple[str, int], Any]:
    return {(row["profile"], row["n"]): row for row in json.loads(FILE.read_text())}


def schedule(variables: int, profile: int) -> Schedule:
    """The parameters for a stack of `variables` variables and a profile's byte."""
    row = _rows()[PROFILES[profile], variables]
    rounds, end = row["rounds"], row["end"]
    return Schedule(
        profile=row["profile"],
        johnson=row["profile"] != "conservative",
        term_bits=row["term_bits"],
        work_bits=row["work_bits"],
        first_fold=row["folds"][0],
        later_fold=row["later_fold"],
        variables=variables,
        rates=[row["rate"], *row["rates"]],
        folds=row["folds"],
        samples=[row["out_of_domain"], *(item["out_of_domain"] for item in rounds)],
        queries=[Queries(item["queries"], item["work"]) for item in (*rounds, end)],
    )
