"""Webhooks that are to be sent, stored in the transaction of what they tell."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from inferproof.types.digest import Digest
from inferproof.types.job import JobState


class DeliveryState(StrEnum):
    """Where a webhook stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up after the last attempt; kept for the operator."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook: that a job came to `job_state` by its event `seq`.

    `problem` says why the last attempt failed. It is for the operator: a buyer who read it
    could look around in the operator's network.
    """

    number: int
    job_id: Digest
    seq: int
    job_state: JobState
    at: int
    url: str = field(repr=False)
    state: DeliveryState
    attempts: int
    next_at: int
    tried_at: int | None
    problem: str | None


class Deliveries(Protocol):
    """Webhooks to send. One is added by each transition to a state of protocol.webhook.TOLD of a
    job that has a webhook, in the transaction of that transition."""

    async def due(self, *, now: int, limit: int) -> Sequence[Delivery]:
        """The PENDING ones whose time has come, those that wait longest first."""
        ...

    async def delivered(self, number: int, *, now: int) -> None:
        """PENDING → DELIVERED, and an attempt counted; otherwise nothing."""
        ...

    async def failed(self, number: int, problem: str, *, now: int, next_at: int | None) -> None:
        """An attempt counted; to be tried again at `next_at`, or DEAD without it."""
        ...

    async def in_state(self, state: DeliveryState, *, limit: int) -> Sequence[Delivery]:
        """The newest of them."""
        ...

    async def retry(self, number: int, *, now: int) -> Delivery:
        """DEAD → PENDING, due now, with all attempts before it.

        Raises: NotFound DELIVERY_UNKNOWN; Conflict DELIVERY_NOT_DEAD.
        """
        ...
