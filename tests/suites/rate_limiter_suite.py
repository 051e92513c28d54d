"""What every RateLimiter must do. A test module gives the fixture `limiter` and imports this.

Rates are slow against the time that a test takes: hardly anything comes back meanwhile.
"""

import asyncio

from inferproof.protocol.limits import Charge
from inferproof.storage.ports.rate_limits import RateLimiter
from inferproof.types.limits import MICROS, Rate

TEN = Rate(10, 86_400)
DAY_US = 86_400 * MICROS


class TestLimiting:
    async def test_a_full_bucket_gives_all_at_once_and_then_nothing(
        self, limiter: RateLimiter
    ) -> None:
        verdicts = [(await limiter.take([Charge("a", TEN)]))[0] for _ in range(12)]
        assert [v.allowed for v in verdicts] == [True] * 10 + [False] * 2
        assert [v.remaining for v in verdicts] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]
        assert all(v.wait_us == 0 for v in verdicts[:10])
        assert DAY_US // 10 - 60 * MICROS < verdicts[10].wait_us <= DAY_US // 10

    async def test_it_refills_steadily(self, limiter: RateLimiter) -> None:
        fast = Rate(10, 1)
        first = [(await limiter.take([Charge("r", fast)]))[0] for _ in range(30)]
        refused = next(v for v in first if not v.allowed)
        assert 0 < refused.wait_us <= 100_000
        await asyncio.sleep(refused.wait_us / MICROS + 0.002)
        assert (await limiter.take([Charge("r", fast)]))[0].allowed

    async def test_buckets_are_apart(self, limiter: RateLimiter) -> None:
        for _ in range(10):
            await limiter.take([Charge("a", TEN)])
        assert not (await limiter.take([Charge("a", TEN)]))[0].allowed
        assert (await limiter.take([Charge("b", TEN)]))[0].remaining == 9

    async def test_a_dear_call_costs_more(self, limiter: RateLimiter) -> None:
        assert (await limiter.take([Charge("a", TEN, 7)]))[0].remaining == 3
        refused = (await limiter.take([Charge("a", TEN, 4)]))[0]
        assert (refused.allowed, refused.remaining) == (False, 3)
        assert (await limiter.take([Charge("a", TEN, 3)]))[0].remaining == 0

    async def test_a_cost_beyond_the_bucket_takes_all_of_it(self, limiter: RateLimiter) -> None:
        assert (await limiter.take([Charge("a", TEN, 1000)]))[0].allowed
        refused = (await limiter.take([Charge("a", TEN, 1000)]))[0]
        assert not refused.allowed
        assert refused.wait_us <= DAY_US

    async def test_what_stands_behind_a_refusal_is_not_charged(self, limiter: RateLimiter) -> None:
        await limiter.take([Charge("small", Rate(1, 86_400))])
        charges = [Charge("first", TEN), Charge("small", Rate(1, 86_400)), Charge("last", TEN)]
        verdicts = await limiter.take(charges)
        assert [v.allowed for v in verdicts] == [True, False]
        assert (await limiter.take([Charge("last", TEN)]))[0].remaining == 9
        assert (await limiter.take([Charge("first", TEN)]))[0].remaining == 8

    async def test_one_call_may_charge_a_bucket_twice(self, limiter: RateLimiter) -> None:
        verdicts = await limiter.take([Charge("a", TEN), Charge("a", TEN)])
        assert [v.remaining for v in verdicts] == [9, 8]

    async def test_no_charge(self, limiter: RateLimiter) -> None:
        assert list(await limiter.take([])) == []

    async def test_many_at_once_get_exactly_what_there_is(self, limiter: RateLimiter) -> None:
        hundred = Rate(100, 86_400)
        verdicts = await asyncio.gather(
            *(limiter.take([Charge("a", hundred), Charge(f"own {n}", TEN)]) for n in range(700))
        )
        allowed = [v for v in verdicts if v[0].allowed]
        assert len(allowed) == 100
        assert sorted(v[0].remaining for v in allowed) == list(range(100))
        assert all(len(v) == 2 and v[1].remaining == 9 for v in allowed)

    async def test_a_caller_who_went_away_disturbs_nobody(self, limiter: RateLimiter) -> None:
        gone = asyncio.create_task(limiter.take([Charge("a", TEN)]))
        stays = asyncio.create_task(limiter.take([Charge("a", TEN)]))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await stays)[0].allowed
        await asyncio.gather(gone, return_exceptions=True)

    async def test_a_slower_rate_for_a_known_bucket(self, limiter: RateLimiter) -> None:
        for _ in range(10):
            await limiter.take([Charge("a", TEN)])
        slower = (await limiter.take([Charge("a", Rate(10, 3600))]))[0]
        assert (slower.allowed, slower.remaining) == (False, 0)
        assert slower.wait_us <= 360 * MICROS
