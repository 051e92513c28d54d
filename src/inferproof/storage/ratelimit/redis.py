"""Buckets in a Redis that several gateways share.

One script takes many charges, atomically, by the server's clock. Whoever asks while an answer is
under way goes with the next call, with all who ask by then: a call costs mostly its round trip.
All buckets carry one hash tag, so a cluster keeps them on one node.
"""

import asyncio
import importlib.util
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferproof.errors import Misconfigured, MissingPart, Reason, Unavailable
from inferproof.protocol.limits import Charge, Verdict

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("inferproof.limits")

PREFIX = "{inferproof:limit}:"
ANSWER_S = 0.5
"""How long one answer is waited for. A Redis nearby takes a millisecond."""
REST_S = 1.0
"""How long a Redis that did not answer is left alone: nobody waits for it in the meantime."""
MOST_TOGETHER = 256
"""Bounds how long the script keeps the server."""

SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local answer, refused = {}, {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 3
  local cost, span, caller = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3]
  if refused[caller] then
    answer[#answer + 1] = -1
    answer[#answer + 1] = 0
  else
    local ahead = tonumber(redis.call('GET', key) or '0') - now
    if ahead < 0 then ahead = 0 elseif ahead > span then ahead = span end
    local after = ahead + cost
    if after > span then
      refused[caller] = true
      answer[#answer + 1] = 0
      answer[#answer + 1] = ahead
    else
      redis.call('SET', key, string.format('%.0f', now + after), 'PX', math.floor(after / 1000) + 1)
      answer[#answer + 1] = 1
      answer[#answer + 1] = after
    end
  end
end
return answer
"""
"""The rule of protocol.limits. For each key its cost and the bucket's span in microseconds, and
the number of its caller: what stands behind a refused charge of the same caller is not made.
Source: moments are below 2^53 microseconds until the year 2255, so Lua's numbers are exact."""


@dataclass(slots=True, eq=False)
class _Call:
    charges: Sequence[Charge]
    answer: asyncio.Future[Sequence[Verdict]]


class RedisLimiter:
    """The RateLimiter of several processes. Make it with `open` and close it.

    `allow_when_down` decides what happens while Redis does not answer: calls are refused, or are
    allowed uncounted. Both are logged when it begins and when it ends.
    """

    def __init__(
        self,
        client: "Redis",
        *,
        allow_when_down: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._script = client.register_script(SCRIPT)
        self._allow = allow_when_down
        self._clock = clock
        self._waiting: list[_Call] = []
        self._task: asyncio.Task[None] | None = None
        self._down_until: float | None = None

    @classmethod
    def open(cls, url: str, *, allow_when_down: bool = False) -> "RedisLimiter":
        """A limiter on the Redis at the URL, to which nothing is sent yet.

        Raises: MissingPart MISSING_LIBRARY; Misconfigured REDIS_ADDRESS, which does not show the
        password.
        """
        if importlib.util.find_spec("redis") is None:
            raise MissingPart(
                Reason.MISSING_LIBRARY,
                feature="Redis",
                package="redis",
                command="pip install 'inferproof[redis]'",
            )
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        try:
            client = Redis.from_url(
                url,
                socket_timeout=ANSWER_S,
                socket_connect_timeout=ANSWER_S,
                retry=Retry(NoBackoff(), 1),  # a connection that the server closed meanwhile
            )
        except ValueError:
            raise Misconfigured(Reason.REDIS_ADDRESS) from None
        return cls(client, allow_when_down=allow_when_down)

    async def close(self) -> None:
        """Returns when the connections are closed."""
        if self._task is not None:
            await self._task
        await self._client.aclose()

    async def check(self) -> None:
        """Returns when Redis answers. Raises: Unavailable LIMITER_UNAVAILABLE."""
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(ANSWER_S):
                await self._client.echo("inferproof")
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(Reason.LIMITER_UNAVAILABLE) from error

    async def answers(self) -> str:
        """What there is to say of Redis. Raises: Unavailable LIMITER_UNAVAILABLE where it does not
        answer and calls are refused for that."""
        try:
            await self.check()
        except Unavailable:
            if not self._allow:
                raise
            return "does not answer; calls are allowed uncounted"
        return "answers"

    async def take(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        if not charges:
            return ()
        if self._down_until is not None and self._clock() < self._down_until:
            return self._without(charges)
        call = _Call(charges, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="rate limits")
        return await call.answer

    async def _run(self) -> None:
        from redis.exceptions import RedisError

        try:
            while self._waiting:
                calls = self._waiting[:MOST_TOGETHER]
                del self._waiting[:MOST_TOGETHER]
                try:
                    async with asyncio.timeout(ANSWER_S):
                        answer = await self._ask(calls)
                except (RedisError, OSError, TimeoutError) as error:
                    self._lost(calls, error)
                else:
                    self._found(calls, answer)
        finally:
            self._task = None

    async def _ask(self, calls: Sequence[_Call]) -> Any:
        keys, arguments = [], []
        for number, call in enumerate(calls):
            for bucket, rate, cost in call.charges:
                keys.append(PREFIX + bucket)
                arguments += [rate.interval_us * min(cost, rate.count), rate.span_us, number]
        return await self._script(keys=keys, args=arguments)

    def _found(self, calls: Sequence[_Call], answer: Sequence[int]) -> None:
        if self._down_until is not None:
            self._down_until = None
            log.warning("Redis answers again; calls are counted")
        pairs = zip(answer[::2], answer[1::2], strict=True)
        for call in calls:
            verdicts = [
                _verdict(charge, taken, ahead)
                for charge, (taken, ahead) in zip(call.charges, pairs, strict=False)
                if taken >= 0
            ]
            if not call.answer.done():
                call.answer.set_result(verdicts)

    def _lost(self, calls: Sequence[_Call], error: Exception) -> None:
        if self._down_until is None:
            what = "calls are allowed uncounted" if self._allow else "calls are refused"
            log.error("Redis does not answer (%s); %s", type(error).__name__, what)
        self._down_until = self._clock() + REST_S
        for call in calls:
            if call.answer.done():
                continue
            try:
                call.answer.set_result(self._without(call.charges))
            except Unavailable as refused:
                call.answer.set_exception(refused)

    def _without(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        if not self._allow:
            raise Unavailable(Reason.LIMITER_UNAVAILABLE)
        return [Verdict(True, charge.rate.count, 0, 0) for charge in charges]


def _verdict(charge: Charge, taken: int, ahead: int) -> Verdict:
    rate = charge.rate
    left = (rate.span_us - ahead) // rate.interval_us
    if taken:
        return Verdict(True, left, 0, ahead)
    cost = rate.interval_us * min(charge.cost, rate.count)
    return Verdict(False, left, ahead + cost - rate.span_us, ahead)
