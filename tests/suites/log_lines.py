"""What a gateway would write to its log, in both forms, and nothing lost to a level."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inferproof.observability.logs import JsonLines, TextLines


class LogLines:
    """Both forms of every line so far."""

    def __init__(self, *, traced: bool = False) -> None:
        self._json, self._text = io.StringIO(), io.StringIO()
        self.handlers: list[logging.Handler] = []
        for stream, formatter in (
            (self._json, JsonLines(traced=traced)),
            (self._text, TextLines()),
        ):
            handler = logging.StreamHandler(stream)
            handler.setFormatter(formatter)
            self.handlers.append(handler)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._json.getvalue().splitlines()]

    @property
    def text(self) -> str:
        """Everything, in both forms."""
        return self._json.getvalue() + self._text.getvalue()


@contextmanager
def log_lines(*, traced: bool = False, level: int = logging.DEBUG) -> Iterator[LogLines]:
    """All of our own loggers from the level on, and the others' warnings."""
    captured, root, ours = (
        LogLines(traced=traced),
        logging.getLogger(),
        logging.getLogger("inferproof"),
    )
    before = ours.level
    ours.setLevel(level)
    for handler in captured.handlers:
        root.addHandler(handler)
    try:
        yield captured
    finally:
        ours.setLevel(before)
        for handler in captured.handlers:
            root.removeHandler(handler)
