"""Both limiters keep the rule; each has its own way to fail."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rate_limiter_suite import TEN, TestLimiting
from redis_server import RedisServer

from inferproof.errors import Misconfigured, Reason, RequestRejected, Unavailable
from inferproof.protocol.limits import Charge, spend
from inferproof.storage.ports.rate_limits import RateLimiter
from inferproof.storage.ratelimit.memory import MemoryLimiter
from inferproof.storage.ratelimit.redis import PREFIX, RedisLimiter
from inferproof.testing.rejections import rejects
from inferproof.types.limits import MICROS, Rate

__all__ = ["TestLimiting"]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[RateLimiter]:
    if request.param == "memory":
        yield MemoryLimiter()
        return
    shared = RedisLimiter.open(request.getfixturevalue("redis_url"))
    await shared._client.flushdb()
    yield shared
    await shared.close()


class TestRate:
    @pytest.mark.parametrize(
        ("text", "count", "period"),
        [("1/second", 1, 1), ("600/minute", 600, 60), ("5/hour", 5, 3600), ("9/day", 9, 86_400)],
    )
    def test_reads_and_writes(self, text: str, count: int, period: int) -> None:
        rate = Rate.parse(text)
        assert (rate.count, rate.period_s, str(rate)) == (count, period, text)

    @pytest.mark.parametrize("text", ["", "600", "0/minute", "-1/minute", "1/week", "1 /minute"])
    def test_refuses(self, text: str) -> None:
        with rejects(
            Reason.RATE_MALFORMED,
            f"{text} is not a rate; write calls and their period, such as 600/minute, with "
            "second, minute, hour or day, and at most 100000 a second",
            kind=RequestRejected,
        ):
            Rate.parse(text)

    def test_the_fastest(self) -> None:
        assert Rate.parse("100000/second").interval_us == 10
        with pytest.raises(RequestRejected):
            Rate.parse("100001/second")
        assert Rate.parse("60000/second").times(3) == Rate(100_000, 1)


class TestRule:
    @given(
        count=st.integers(1, 1000),
        period=st.sampled_from([1, 60, 3600]),
        calls=st.lists(
            st.tuples(st.integers(0, 3_000_000), st.integers(1, 50)), min_size=1, max_size=60
        ),
    )
    def test_no_window_gives_more_than_the_bucket_and_what_came_back(
        self, count: int, period: int, calls: list[tuple[int, int]]
    ) -> None:
        rate, now, full_at = Rate(count, period), 10**12, 0
        taken: list[tuple[int, int]] = []
        for pause, cost in calls:
            now += pause
            full_at, verdict = spend(full_at, now, rate, cost)
            if verdict.allowed:
                taken.append((now, min(cost, count)))
            else:
                _, again = spend(full_at, now + verdict.wait_us, rate, cost)
                assert again.allowed
                _, still = spend(full_at, now + verdict.wait_us - 1, rate, cost)
                assert not still.allowed
        for i, (start, _) in enumerate(taken):
            spent = 0
            for moment, cost in taken[i:]:
                spent += cost
                assert (spent - count) * rate.interval_us <= moment - start

    def test_a_clock_that_was_set_back_empties_the_bucket_and_no_more(self) -> None:
        _, verdict = spend(10**15, 5, TEN, 1)
        assert not verdict.allowed
        assert verdict.wait_us == TEN.interval_us


class TestMemory:
    async def test_buckets_are_bounded_and_the_oldest_go(self) -> None:
        limiter = MemoryLimiter(most=100)
        for number in range(1000):
            await limiter.take([Charge(f"{number}", TEN)])
        assert len(limiter) == 100
        assert (await limiter.take([Charge("999", TEN)]))[0].remaining == 8
        assert (await limiter.take([Charge("0", TEN)]))[0].remaining == 9

    async def test_what_is_full_again_goes_away(self) -> None:
        now = 0
        limiter = MemoryLimiter(clock=lambda: now)
        for number in range(50):
            await limiter.take([Charge(f"{number}", Rate(1, 1))])
        assert len(limiter) == 50
        now = 2 * MICROS
        for number in range(50, 80):
            await limiter.take([Charge(f"{number}", Rate(1, 1))])
        assert len(limiter) == 30

    async def test_what_is_used_stays(self) -> None:
        limiter = MemoryLimiter(most=10)
        for number in range(100):
            await limiter.take([Charge("busy", Rate(1000, 3600)), Charge(f"{number}", TEN)])
        assert (await limiter.take([Charge("busy", Rate(1000, 3600))]))[0].remaining == 899

    async def test_it_is_cheap(self) -> None:
        limiter, rate = MemoryLimiter(), Rate(100_000, 1)
        charges = [[Charge(f"a:10.0.{n % 200}.1:requests", rate)] for n in range(5000)]
        best = min([await self._seconds(limiter, charges) for _ in range(3)])
        assert best / len(charges) < 100e-6  # 2 microseconds on a quiet machine

    @staticmethod
    async def _seconds(limiter: MemoryLimiter, charges: list[list[Charge]]) -> float:
        began = time.perf_counter()
        for one in charges:
            await limiter.take(one)
        return time.perf_counter() - began


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.mark.redis
class TestRedis:
    async def test_two_processes_share(self, redis_url: str) -> None:
        one, two = RedisLimiter.open(redis_url), RedisLimiter.open(redis_url)
        await one._client.flushdb()
        verdicts = await asyncio.gather(
            *((one, two)[n % 2].take([Charge("a", TEN)]) for n in range(40))
        )
        assert sum(v[0].allowed for v in verdicts) == 10
        await one.close()
        await two.close()

    async def test_buckets_go_when_they_are_full(self, redis_url: str) -> None:
        limiter = RedisLimiter.open(redis_url)
        await limiter.take([Charge("soon", Rate(10, 1)), Charge("late", TEN)])
        assert 0 < await limiter._client.pttl(PREFIX + "soon") <= 101
        assert await limiter._client.pttl(PREFIX + "late") > 8_000_000
        await limiter.close()

    async def test_refuses_while_it_is_down_and_counts_again_after(
        self, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        now = 0.0
        limiter = RedisLimiter.open(own_redis.url)
        limiter._clock = lambda: now
        assert (await limiter.take([Charge("a", TEN)]))[0].remaining == 9
        own_redis.stop()
        for _ in range(3):
            with rejects(
                Reason.LIMITER_UNAVAILABLE,
                "calls cannot be counted at present; nothing was done, try again",
                kind=Unavailable,
            ):
                await limiter.take([Charge("a", TEN)])
        with pytest.raises(Unavailable):
            await limiter.check()
        own_redis.start()
        now = 2.0
        assert (await limiter.take([Charge("a", TEN)]))[0].remaining == 9
        await limiter.check()
        said = [r.getMessage() for r in caplog.records if r.name == "inferproof.limits"]
        assert said == [
            "Redis does not answer (ConnectionError); calls are refused",
            "Redis answers again; calls are counted",
        ]
        await limiter.close()

    async def test_allows_uncounted_where_the_operator_says_so(
        self, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        limiter = RedisLimiter.open(own_redis.url, allow_when_down=True)
        own_redis.stop()
        verdicts = [(await limiter.take([Charge("a", TEN)]))[0] for _ in range(20)]
        assert all(v.allowed and v.remaining == 10 for v in verdicts)
        assert [r.levelno for r in caplog.records] == [logging.ERROR]
        await limiter.close()

    @pytest.mark.parametrize("allow", [False, True])
    async def test_readiness_says_what_becomes_of_calls(
        self, own_redis: RedisServer, allow: bool
    ) -> None:
        limiter = RedisLimiter.open(own_redis.url, allow_when_down=allow)
        assert await limiter.answers() == "answers"
        own_redis.stop()
        if allow:
            assert await limiter.answers() == "does not answer; calls are allowed uncounted"
        else:
            with pytest.raises(Unavailable):
                await limiter.answers()
        await limiter.close()

    async def test_one_that_hangs_is_waited_for_once(self, own_redis: RedisServer) -> None:
        limiter = RedisLimiter.open(own_redis.url)
        await limiter.take([Charge("a", TEN)])
        own_redis.freeze()
        began = time.monotonic()
        results = await asyncio.gather(
            *(limiter.take([Charge("a", TEN)]) for _ in range(50)), return_exceptions=True
        )
        later = await asyncio.gather(limiter.take([Charge("a", TEN)]), return_exceptions=True)
        took = time.monotonic() - began
        own_redis.thaw()
        assert all(isinstance(r, Unavailable) for r in [*results, *later])
        assert took < 5
        await limiter.close()


def test_an_address_that_is_none() -> None:
    with rejects(
        Reason.REDIS_ADDRESS,
        "the Redis address cannot be used; write redis://:password@host:6379/0",
        kind=Misconfigured,
    ):
        RedisLimiter.open("http://:secret@example")
