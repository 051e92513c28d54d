"""Whether a service still makes steps: it beats at each, and others look how long ago that was."""

import time
from collections.abc import Callable


class Heartbeat:
    """The beats of one service, by its parts; it is as alive as the part that is silent longest.

    Units: seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beats: dict[str, float] = {}

    def beat(self, part: str) -> None:
        """Notes that this part of the service made a step now."""
        self._beats[part] = self._clock()

    def silence(self) -> tuple[str, float]:
        """The part that is silent longest, and for how long; nothing for 0 before any beat."""
        if not self._beats:
            return "", 0.0
        part = min(self._beats, key=self._beats.__getitem__)
        return part, self._clock() - self._beats[part]
