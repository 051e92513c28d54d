"""The notifier: sends what webhook_deliveries holds, until it is taken or given up.

A delivery is stored in the database transaction that moves its job, so no end of a job goes
untold. It is sent first and noted after. Whatever is stopped between the two is sent again with
the same delivery id: at least once, never at most once.

    due ─► POST ─► noted: delivered, or due again later, or dead

The boundaries of the step `notify`, for whoever stops processes: before the call, between the
call and the note (both repeat the call), after the note (nothing is repeated). In the code they
are marked `boundary`.

| answer | then |
|---|---|
| 2xx | delivered |
| 410 Gone | dead: the receiver wants no more |
| anything else, also a redirect, or none in time | again, twice as long after each attempt |
| after the last attempt | dead: kept, listed, and tried again when the operator says so |

One process at a time sends; two would only send more than is needed.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferproof.errors import InferproofError
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.webhook import Notice, encode_notice, webhook_digest
from inferproof.services.base import Clock
from inferproof.services.metrics import Metrics
from inferproof.services.notifier.base import Sender
from inferproof.storage.ports.deliveries import Deliveries, Delivery
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.types.digest import Digest

log = logging.getLogger("inferproof.notifier")

DELIVERY = "Inferproof-Delivery"
TIMESTAMP = "Inferproof-Timestamp"
SIGNATURE = "Inferproof-Signature"

GONE = 410


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """Units: seconds.

    `first_s` is the wait after the first failed attempt, doubled after each further one up to
    `most_s`, and cut by a random part of up to a half, so that what failed together is not
    repeated together. `at_a_time` calls are open at once, `of_a_host` of them to one host.
    """

    attempts: int = 12
    first_s: int = 10
    most_s: int = 3600
    at_a_time: int = 32
    of_a_host: int = 4
    look_again_s: float = 0.5


class Notifier:
    """Sends the webhooks of one order book, signed with the gateway's key."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        sender: Sender,
        key: SigningKey,
        settings: NotifierSettings,
        clock: Clock,
        chance: Callable[[], float],
        metrics: Metrics,
        leader: LeaderLock,
    ) -> None:
        """`chance` gives a random number from 0 up to 1."""
        self._deliveries = deliveries
        self._sender = sender
        self._key = key
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._leader = leader

    async def run(self) -> None:
        """While it holds the lock, notifies, until it is cancelled. What it leaves, the next run
        takes up."""
        try:
            while True:
                try:
                    sent = await self.notify_once() if await self._leader.held() else 0
                except InferproofError as error:
                    log.warning("cannot notify: %s", error.message)
                    sent = 0
                except Exception:  # the edge of the notifier: its state is stored, so it goes on
                    log.exception("a fault of ours")
                    sent = 0
                if not sent:
                    await asyncio.sleep(self._settings.look_again_s)
        finally:
            await self._leader.release()

    async def notify_once(self) -> int:
        """Attempts what is due now; returns how many calls were made.

        Raises: Unavailable when the storage cannot be asked.
        """
        due = await self._deliveries.due(now=self._clock(), limit=8 * self._settings.at_a_time)
        chosen = self._spread(due)
        for outcome in await asyncio.gather(*map(self._attempt, chosen), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        return len(chosen)

    def _spread(self, due: Sequence[Delivery]) -> list[Delivery]:
        """Those to call now: the oldest, a few of each host, so that none holds up others."""
        of_host, chosen = Counter[str](), list[Delivery]()
        for delivery in due:
            host = delivery.url.partition("://")[2].partition("/")[0].lower()
            of_host[host] += 1
            if of_host[host] <= self._settings.of_a_host:
                chosen.append(delivery)
        return chosen[: self._settings.at_a_time]

    async def _attempt(self, delivery: Delivery) -> None:
        notice = Notice(delivery.job_id, delivery.seq, delivery.job_state, delivery.at)
        body, now = encode_notice(notice), self._clock()
        signature = self._key.sign(webhook_digest(notice.delivery, now, body))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "inferproof-webhook/1",
            DELIVERY: notice.delivery.hex,
            TIMESTAMP: str(now),
            SIGNATURE: "0x" + signature.hex(),
        }
        # boundary: before the call
        try:
            status = await self._sender.post(delivery.url, headers, body)
        except InferproofError as error:
            await self._failed(delivery, error.message)
            return
        # boundary: called and not noted
        if 200 <= status < 300:
            await self._deliveries.delivered(delivery.number, now=self._clock())
            log.info("notified of %s", delivery.job_state.value, extra=_about(delivery))
            self._metrics.webhook("delivered")
        else:
            problem = f"the webhook's receiver answered {status}"
            await self._failed(delivery, problem, for_good=status == GONE)
        # boundary: noted

    async def _failed(self, delivery: Delivery, problem: str, *, for_good: bool = False) -> None:
        now, attempt = self._clock(), delivery.attempts + 1
        last = for_good or attempt >= self._settings.attempts
        wait = min(self._settings.first_s << min(attempt - 1, 30), self._settings.most_s)
        next_at = None if last else now + max(1, round(wait * (1 - self._chance() / 2)))
        await self._deliveries.failed(delivery.number, problem, now=now, next_at=next_at)
        # Neither the address nor the answer: both are a stranger's words.
        log.warning(
            "not notified, attempt %d%s", attempt, ", dead" if last else "", extra=_about(delivery)
        )
        self._metrics.webhook("dead" if last else "failed")


def _about(delivery: Delivery) -> dict[str, Digest]:
    return {"job": delivery.job_id}
