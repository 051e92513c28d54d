"""What the buyers know: every payment that they signed, on disk before it is sent, and its end."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench.soak.plan import Kind
from inferproof.client.ledger import Ledger, PaidCall
from inferproof.types.digest import Address, Digest


class End(StrEnum):
    """How a payment ended for its buyer."""

    ANSWERED = "answered"
    REFUNDED = "refunded"
    VOID = "void"
    """Called off by the gateway; no money may have moved."""
    REFUSED = "refused"
    """Never accepted; no money may have moved."""


@dataclass(slots=True)
class Paid:
    """A payment that was signed for an order. Units: seconds, from its first sending.

    `nonce` is that of an authorization, `transfer` the transaction that a claim is about.
    """

    job: Digest
    payer: Address
    nonce: Digest | None
    amount: int
    end: End | None = None
    why: str = ""
    accepted_s: float | None = None
    over_s: float | None = None
    transfer: Digest | None = None


@dataclass(slots=True)
class Bought:
    """An order: its payments, one after the other where one was refused, and what went wrong.

    `transfer` is the transaction that pays for it, of an order that is paid so.
    """

    number: int
    kind: Kind
    payments: list[Paid] = field(default_factory=list)
    transfer: Digest | None = None
    wrongs: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return bool(self.payments) and self.payments[-1].end not in (None, End.REFUSED)


class Journal(Ledger):
    """The client's ledger of one order, with each call in a file; nothing in it is forgotten."""

    def __init__(self, folder: Path) -> None:
        super().__init__(None)
        self._folder = folder
        self.signed: PaidCall | None = None

    def record(self, call: PaidCall, check: Callable[[int], None]) -> None:
        """Keeps the call, durably, before it is sent."""
        super().record(call, check)
        descriptor = os.open(self._path(call.job_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(call.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        self.signed = call

    def finish(self, job: Digest) -> None:
        """Nothing: whoever resumes finds the call on disk."""

    def call(self, job: Digest) -> PaidCall:
        """The call as it is on disk."""
        return PaidCall.from_bytes(self._path(job).read_bytes())

    def _path(self, job: Digest) -> Path:
        return self._folder / f"{job.hex}.json"
