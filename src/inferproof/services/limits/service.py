"""What each call is charged, and to whom.

| bucket | counts | of whom |
|---|---|---|
| requests | every request | the address, or the API key |
| quotes | challenges, quotes, calls of the facilitator: work that pays nothing | the same |
| verifications | proofs and receipts to be checked | the same |
| submissions | models submitted | the same |
| orders | new orders, once the payer's signature held | the payer, or the API key |

An address that sends a key which we do not know is charged as a stranger, and for a quote besides.
Orders are counted by payer only after the signature, or a stranger could use up another's bucket;
and never when the payment has its job already, which who paid may ask for again and again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inferproof.errors import InferproofError, Reason, RequestRejected, TooMany, Unavailable
from inferproof.protocol.limits import Charge, Verdict
from inferproof.services.limits.keys import ApiKeys
from inferproof.storage.ports.rate_limits import ApiKey, RateLimiter
from inferproof.types.digest import Address
from inferproof.types.limits import MICROS, Rate


class Action(StrEnum):
    """What a request asks for; its value names its bucket."""

    READ = "requests"
    UNPAID = "quotes"
    VERIFY = "verifications"
    SUBMIT = "submissions"


ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rates. None counts nothing."""

    requests: Rate | None = None
    quotes: Rate | None = None
    verifications: Rate | None = None
    submissions: Rate | None = None
    orders: Rate | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands in the bucket that is nearest to its end."""

    name: str
    rate: Rate
    remaining: int
    full_s: int


class Limits:
    """Charges calls. `on_refused` is told the bucket of each refusal."""

    def __init__(
        self,
        limiter: RateLimiter,
        keys: ApiKeys,
        policy: Policy,
        on_refused: Callable[[str], None],
    ) -> None:
        self._limiter = limiter
        self._keys = keys
        self._policy = policy
        self._on_refused = on_refused

    async def admit(
        self, address: str, action: Action, key: str | None = None
    ) -> tuple[ApiKey | None, Standing | None]:
        """The holder of the key that was given, and how the caller stands.

        Raises: TooMany RATE_LIMITED; RequestRejected API_KEY_UNKNOWN; Unavailable
        LIMITER_UNAVAILABLE.
        """
        holder: ApiKey | None = None
        unknown: RequestRejected | None = None
        if key is not None:
            if not self._keys.remembers(key):  # who makes keys up must not keep the database busy
                await self._charge(address, (Action.READ,), None)
            try:
                holder = await self._keys.holder(key)
            except RequestRejected as error:
                unknown, action = error, Action.UNPAID
        actions = (Action.READ,) if action is Action.READ else (Action.READ, action)
        standing = await self._charge(address, actions, holder)
        if unknown is not None:
            raise unknown
        return holder, standing

    async def quote(self, address: str, holder: ApiKey | None) -> None:
        """Counts a quote alone, for a request that was admitted before it was known to draw one.

        Raises: TooMany RATE_LIMITED; Unavailable LIMITER_UNAVAILABLE.
        """
        await self._charge(address, (Action.UNPAID,), holder)

    async def order(self, payer: Address, holder: ApiKey | None) -> None:
        """Counts a new order. Raises: TooMany RATE_LIMITED; Unavailable LIMITER_UNAVAILABLE."""
        rate = self._policy.orders
        if rate is None:
            return
        charge, whose = Charge(f"p:{payer.hex}", rate), "payer"
        if holder is not None:
            charge, whose = Charge(f"k:{holder.id}:{ORDERS}", rate.times(holder.factor)), "API key"
        verdict = (await self._take([charge]))[0]
        if not verdict.allowed:
            raise self._refused(ORDERS, charge.rate, verdict, whose)

    async def _charge(
        self, address: str, actions: Sequence[Action], holder: ApiKey | None
    ) -> Standing | None:
        who = f"a:{address}" if holder is None else f"k:{holder.id}"
        names, charges = [], []
        for name in actions:
            rate: Rate | None = getattr(self._policy, name.value)
            if rate is not None:
                names.append(name.value)
                rate = rate if holder is None else rate.times(holder.factor)
                charges.append(Charge(f"{who}:{name.value}", rate))
        if not charges:
            return None
        verdicts = await self._take(charges)
        last = verdicts[-1]
        if not last.allowed:
            at = len(verdicts) - 1
            whose = "address" if holder is None else "API key"
            raise self._refused(names[at], charges[at].rate, last, whose)
        at = min(range(len(verdicts)), key=lambda n: verdicts[n].remaining)
        return Standing(
            names[at], charges[at].rate, verdicts[at].remaining, _seconds(verdicts[at].full_us)
        )

    async def _take(self, charges: list[Charge]) -> list[Verdict]:
        try:
            return list(await self._limiter.take(charges))
        except Unavailable as error:
            self._on_refused(error.code)
            raise

    def _refused(self, name: str, rate: Rate, verdict: Verdict, whose: str) -> InferproofError:
        self._on_refused(name)
        return TooMany(
            Reason.RATE_LIMITED,
            limit=str(rate),
            what=name,
            whose=whose,
            retry_after=_seconds(verdict.wait_us),
        )


def _seconds(micros: int) -> int:
    """Whole seconds that are surely enough."""
    return -(-micros // MICROS)
