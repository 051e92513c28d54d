"""The epochs that a process opens under one key (ADR 35).

    key ──► epoch for links ──► epochs for proofs, one after another ──► proofs

Each arrow is an opening, whose slot is durably taken before. Where a key needs no epoch for links,
it is opened for each epoch for proofs. Proofs about private inputs have epochs of their own. Epochs
are in memory alone: what a process had, the next one has not, and what is counted of them is
forgotten when they end.
"""

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from inferproof.errors import Conflict, InferproofError, Reason
from inferproof.proving.input_attempts import take_attempt
from inferproof.proving.openings import Openings
from inferproof.proving.sumcheck.library import Int32s, library
from inferproof.types.digest import Digest

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

log = logging.getLogger("inferproof.proving")

AHEAD = 4
"""The next epoch is made once a quarter of the openings of this one are left."""
BEGINS = "epoch"
"""The phase before the native prover's own."""


class Epochs:
    """The epochs of one key in this process. Thread-safe.

    Soundness of hiding: no opening is used twice, by whatever threads, and none that was taken for
    a proof that failed is used again. A fork of the process begins epochs of its own.
    """

    def __init__(self, key: "_native.PrivateKey", openings: Openings) -> None:
        self._key = key
        self._openings = openings
        self._state = _Begun()

    def opening(self, *, private_inputs: bool = False) -> "tuple[_native.Epoch, int]":
        """An epoch for proofs, about private inputs or not, and the slot of one of its openings,
        which is the caller's.

        Raises: as `Openings.take`; NativeError.
        """
        state = self._begun()
        line = state.lines[private_inputs]
        with line.lock:
            while True:
                if line.proofs is None:
                    line.proofs = self._next(state, line)
                epoch = line.proofs
                slot = epoch.take()
                if slot is not None:
                    self._look_ahead(state, line)
                    return epoch.epoch, slot
                line.proofs = None
                epoch.end()

    def close(self) -> None:
        """Ends the epochs, and forgets what was counted of them. May be called again; a proof that
        is asked for afterwards begins others."""
        state, self._state = self._begun(), _Begun()
        for line in state.lines.values():
            with line.lock:
                if line.thread is not None:
                    line.thread.shutdown()
                ahead = line.ahead
                made = ahead.result() if ahead is not None and ahead.exception() is None else None
                for epoch in (line.proofs, made):
                    if epoch is not None:
                        epoch.end()
        with state.making:
            if state.links is not None:
                state.links.end()

    def _begun(self) -> "_Begun":
        """What this process began; what it has of its parent is the parent's."""
        if self._state.process != os.getpid():
            self._state = _Begun()
        return self._state

    def _next(self, state: "_Begun", line: "_Line") -> "_Counted":
        """The next epoch for proofs: the one that was made ahead, or another."""
        ahead, line.ahead = line.ahead, None
        if ahead is not None and ahead.exception() is None:
            return ahead.result()
        return self._made(state, line)

    def _look_ahead(self, state: "_Begun", line: "_Line") -> None:
        epoch = line.proofs
        if epoch is None or line.ahead is not None or epoch.left * AHEAD > epoch.size:
            return
        if line.thread is None:
            line.thread = ThreadPoolExecutor(1, "inferproof-epochs")
        line.ahead = line.thread.submit(self._made, state, line)

    def _made(self, state: "_Begun", line: "_Line") -> "_Counted":
        """A new epoch for proofs. One is made at a time, of whatever line."""
        with state.making:
            while True:
                if state.links is not None:
                    slot = state.links.take()
                    if slot is not None:
                        begin = state.links.epoch.begin
                        made = begin(slot, private_inputs=line.private_inputs)
                        return _Counted(made, self._openings)
                    ended, state.links = state.links, None
                    ended.end()
                slot = self._openings.take(Digest(self._key.name())).slot
                made = self._key.begin(slot, private_inputs=line.private_inputs)
                begun = _Counted(made, self._openings)
                if begun.epoch.proves():
                    return begun
                state.links = begun


@dataclass(slots=True)
class _Line:
    """The epochs for proofs of one kind, one after another. Who needs the next one holds the lock,
    and waits for what is made ahead."""

    private_inputs: bool
    lock: Lock = field(default_factory=Lock)
    proofs: "_Counted | None" = None
    ahead: "Future[_Counted] | None" = None
    thread: ThreadPoolExecutor | None = None


@dataclass(slots=True)
class _Begun:
    """What a process has under way, and which process it is. `making` guards `links`, and is taken
    after a line's lock, or without."""

    lines: dict[bool, _Line] = field(
        default_factory=lambda: {private: _Line(private) for private in (False, True)}
    )
    making: Lock = field(default_factory=Lock)
    links: "_Counted | None" = None
    process: int = field(default_factory=os.getpid)


class _Counted:
    """An epoch of this process, with what is known of its count."""

    def __init__(self, epoch: "_native.Epoch", openings: Openings) -> None:
        self.epoch = epoch
        self.size = self.left = epoch.openings()
        self._name = Digest(epoch.name())
        self._openings = openings
        self._taken = 0
        openings.register(self._name, self.size, reserved=0)

    def take(self) -> int | None:
        """A slot; None where the epoch has none left, or its count was lost meanwhile.

        Raises: as `Openings.take` for an epoch that has given none yet.
        """
        try:
            opening = self._openings.take(self._name, seen=self._taken)
        except Conflict as error:
            if error.reason is Reason.OPENINGS_SPENT:
                return None
            if not self._taken:  # one after another would be begun in vain, each by an opening
                raise
            log.warning("an epoch is given up: %s", error.code)
            return None
        self._taken, self.left = opening.taken, opening.left
        return opening.slot

    def end(self) -> None:
        """Forgets the count. Where that fails it stays, and nobody opens anything by it."""
        try:
            self._openings.forget(self._name)
        except InferproofError as error:
            log.warning("the count of an epoch that ended is not forgotten: %s", error.code)


class PrivateModel:
    """A key that runs and proves. Thread-safe."""

    def __init__(self, key: "_native.PrivateKey", openings: Openings) -> None:
        self._key = key
        self._openings = openings
        self._epochs = Epochs(key, openings)

    def execute(self, inputs: list[Int32s], secret: bytes | None = None) -> "PrivateRun":
        """One run of the graph; with a secret on private inputs, whose attempts somebody began to
        count when it was drawn. Raises: NativeError."""
        attempts = None if secret is None else partial(take_attempt, self._openings, secret)
        return PrivateRun(self._key.execute(inputs, secret), self._epochs, attempts)

    def close(self) -> None:
        """See Epochs."""
        self._epochs.close()


class PrivateRun:
    """A run of a graph, which is proven once."""

    def __init__(
        self,
        native: "_native.PrivateExecution",
        epochs: Epochs,
        attempts: Callable[[], int] | None,
    ) -> None:
        """`attempts` takes the number of an attempt at a job with private inputs."""
        self._native = native
        self._epochs = epochs
        self._attempts = attempts

    def input_root(self) -> bytes | None:
        """The root of its inputs, where they are private."""
        return self._native.input_root()

    def outputs(self) -> list[Int32s]:
        """The graph's outputs."""
        return self._native.outputs()

    def prove(self, statement: bytes, goes_on: Callable[[str], bool] | None = None) -> bytes:
        """The proof of this run, by an opening of its own, which is lost where it fails.

        Raises: as `Epochs.opening` and `take_attempt`; NativeError CANCELLED before anything is
        taken.
        """
        if goes_on is not None and not goes_on(BEGINS):
            raise library().NativeError("CANCELLED", "nobody wants the proof any more")
        if self._attempts is None:
            epoch, slot = self._epochs.opening()
            return epoch.prove(self._native, statement, slot, goes_on)
        attempt = self._attempts()  # first: one too many takes nothing of the key
        epoch, slot = self._epochs.opening(private_inputs=True)
        return epoch.prove(self._native, statement, slot, goes_on, attempt)
