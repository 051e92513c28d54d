"""A random oracle that a simulator has programmed, as vectors hold what it answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inferproof.second_verifier.field import Element
from inferproof.second_verifier.transcript import Transcript

Answers = dict[str, list[Any]]
"""What the oracle answers: of the link that the proof carries, and of the proof."""


def answers_of(path: Path) -> Answers:
    """Those that stand beside a vector."""
    text = json.loads(path.read_text())
    return {name: text[name] for name in ("link", "program")}


class Programmed(Transcript):
    """An oracle that answers what it was programmed to, whatever it is asked."""

    def __init__(self, answers: Sequence[Any]) -> None:
        super().__init__()
        self._answers = list(answers)

    def observe(self, data: bytes) -> None:
        """What is absorbed changes nothing."""

    def _next(self) -> Any:
        return self._answers.pop(0)

    def challenge(self) -> Element:
        first, second, third, fourth, fifth = self._next()
        return first, second, third, fourth, fifth

    def indices(self, count: int, bits: int) -> list[int]:
        found = [int(self._next()) for _ in range(count)]
        assert all(index >> bits == 0 for index in found)
        return found

    def work_done(self, bits: int, witness: int) -> bool:
        return bool(self._next() == {"bits": bits, "witness": witness})

    @property
    def left(self) -> int:
        """Answers that nobody has asked for."""
        return len(self._answers)
