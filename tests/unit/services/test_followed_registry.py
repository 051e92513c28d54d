"""What is sold is what the registry offers as its provider's, at its price."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from postgres_server import KINDS
from service_parts import (
    BODY,
    CARD,
    MODEL,
    MODEL_REGISTRY,
    PATH,
    PRICE,
    PROVIDER_KEY,
    Services,
    World,
    build,
    named_bundle,
    pay,
    running,
)
from waiting import until

from inferproof.errors import Conflict, InferproofError, NotFound, Reason, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import encode_bundle
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.models import followed_registry
from inferproof.services.models.followed_registry import MOST_PRICE, FollowedRegistry
from inferproof.services.models.submission import build_submission
from inferproof.storage.ports.models import ModelFilter, ModelOrder, ModelStatus
from inferproof.storage.sql.listings import SqlListings
from inferproof.testing.memory_store import open_stores
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, STRANGER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.receipt import Request
from inferproof.types.registry import Listing, TokenPrice

COMMITMENT = named_bundle().commitment
LISTED = 300_000
OFFERED = Listing(PROVIDER_KEY.address, active=True, price=TokenPrice(ASSET.address, LISTED))
NAME = "sample@1.0.0"


class FakeRegistry:
    """A registry whose words are the test's. `faults` are raised by the next questions."""

    def __init__(self) -> None:
        self.listed: dict[Digest, Listing] = {COMMITMENT: OFFERED}
        self.asked: list[tuple[Digest, ...]] = []
        self.faults: list[BaseException] = []
        self.block = 7

    async def ask(self, commitments: Sequence[Digest]) -> tuple[int, Mapping[Digest, Listing]]:
        self.asked.append(tuple(commitments))
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop(0)
        return self.block, {c: self.listed[c] for c in commitments if c in self.listed}

    def says(self, **changes: object) -> None:
        """What it says of the sample from now on."""
        if "amount" in changes:
            changes["price"] = TokenPrice(ASSET.address, changes.pop("amount"))  # type: ignore[arg-type]
        self.listed[COMMITMENT] = replace(OFFERED, **changes)  # type: ignore[arg-type]


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def world(tmp_path: Path, registry: FakeRegistry) -> World:
    return World(tmp_path, listings=registry)


@pytest.fixture
async def services(world: World, url: str) -> AsyncIterator[Services]:
    async with running(world, url=url) as services:
        await followed(services).follow()
        yield services


def followed(services: Services) -> FollowedRegistry:
    assert services.followed is not None
    return services.followed


async def status(services: Services) -> str:
    return (await services.gateway.model(NAME)).status.value


async def price(services: Services) -> int:
    return (await services.gateway.quote(MODEL)).quote.price.amount


# -- approving


async def test_a_model_is_approved_at_the_registrys_price(services: Services) -> None:
    view = await services.gateway.model(NAME)
    assert (view.status, view.price.amount) == (ModelStatus.ACTIVE, LISTED)
    assert await price(services) == LISTED
    record = await services.stores.models.find(NAME)
    assert record is not None
    assert (record.card_price, record.price) == (PRICE, LISTED)


async def refused(services: Services, registry: FakeRegistry, listing: Listing | None) -> None:
    """Approves another version of which the registry says this."""
    card = CARD | {"version": "2.0.0"}
    await services.gateway.submit_model(
        *build_submission(card, encode_bundle(named_bundle()), 1, PROVIDER_KEY)
    )
    registry.listed.pop(COMMITMENT)
    if listing is not None:
        registry.listed[COMMITMENT] = listing
    await services.gateway.approve("sample@2.0.0")


@pytest.fixture
async def pending(services: Services) -> AsyncIterator[Services]:
    """Services whose second version stays pending, whatever the test tries."""
    yield services
    assert (await services.gateway.model("sample@2.0.0")).status is ModelStatus.PENDING


async def test_what_is_not_registered_is_not_approved(
    pending: Services, registry: FakeRegistry
) -> None:
    with rejects(
        Reason.VERSION_NOT_REGISTERED,
        f"the registry at {MODEL_REGISTRY} has no version {COMMITMENT}; register it first",
        kind=NotFound,
    ):
        await refused(pending, registry, None)


async def test_what_its_owner_switched_off_is_not_approved(
    pending: Services, registry: FakeRegistry
) -> None:
    with rejects(
        Reason.VERSION_INACTIVE,
        f"the registry at {MODEL_REGISTRY} has the version {COMMITMENT} switched off; its owner "
        "offers it with inferproof registry update",
        kind=Conflict,
    ):
        await refused(pending, registry, replace(OFFERED, active=False))


async def test_what_takes_another_token_alone_is_not_approved(
    pending: Services, registry: FakeRegistry
) -> None:
    with rejects(
        Reason.VERSION_NO_PRICE,
        f"the registry at {MODEL_REGISTRY} has no price of the version {COMMITMENT} in USDC, at "
        f"{ASSET.address}, which this gateway is paid in; its owner sets one with inferproof "
        "registry update",
        kind=Conflict,
    ):
        await refused(pending, registry, replace(OFFERED, price=TokenPrice(ASSET.address, None)))


@pytest.mark.parametrize("amount", [0, MOST_PRICE + 1, 2**128 - 1])
async def test_a_price_that_no_card_can_ask_is_not_approved(
    pending: Services, registry: FakeRegistry, amount: int
) -> None:
    with rejects(
        Reason.VERSION_PRICE,
        f"the registry at {MODEL_REGISTRY} has the price {amount} of the version {COMMITMENT}, in "
        "atomic units; this gateway sells for 1 to 999999999999999999",
        kind=Conflict,
    ):
        await refused(pending, registry, replace(OFFERED, price=TokenPrice(ASSET.address, amount)))


async def test_what_belongs_to_another_is_not_approved(
    pending: Services, registry: FakeRegistry
) -> None:
    with rejects(
        Reason.VERSION_OWNER_OTHER,
        f"the registry at {MODEL_REGISTRY} has the version {COMMITMENT} as {STRANGER.address}'s, "
        f"who is not the submission's provider {PROVIDER_KEY.address}; its owner submits it, or "
        "hands the model on",
        kind=Conflict,
    ):
        await refused(pending, registry, replace(OFFERED, owner=STRANGER.address))


async def test_the_dearest_price_is_sold(services: Services, registry: FakeRegistry) -> None:
    registry.says(amount=MOST_PRICE)
    assert await followed(services).follow() == [NAME]
    assert await price(services) == MOST_PRICE


async def test_whose_a_commitment_is_the_registry_says_and_not_who_came_first(
    services: Services, registry: FakeRegistry
) -> None:
    other = SigningKey(b"\x0b" * 32)
    await services.gateway.submit_model(
        *build_submission(CARD | {"id": "bought"}, encode_bundle(named_bundle()), 1, other)
    )
    with pytest.raises(Conflict):
        await services.gateway.approve("bought@1.0.0")
    registry.says(owner=other.address)
    assert (await services.gateway.approve("bought@1.0.0")).status is ModelStatus.ACTIVE
    assert await followed(services).follow() == [NAME]
    assert await status(services) == "withdrawn"


# -- following


async def test_a_price_that_changes_is_that_of_new_quotes_and_signed_ones_hold(
    services: Services, registry: FakeRegistry
) -> None:
    old = await services.gateway.quote(MODEL)
    registry.says(amount=LISTED + 1)
    assert await followed(services).follow() == [NAME]
    assert await price(services) == LISTED + 1
    assert (await services.gateway.list_models(ModelFilter()))[0].price.amount == LISTED + 1
    job = await services.accept(payment=pay(services.world, amount=LISTED), quote=old)
    assert job.payment.amount == LISTED
    # Without a quote, today's price is owed.
    with pytest.raises(InferproofError) as refused:
        await services.accept(payment=pay(services.world, amount=LISTED, salt=b"\1" * 32))
    assert refused.value.reason is Reason.PAYMENT_AMOUNT


async def test_lists_are_filtered_and_sorted_by_the_registrys_price(
    services: Services, registry: FakeRegistry
) -> None:
    async def names(**fields: object) -> list[str]:
        return [m.name for m in await services.gateway.list_models(ModelFilter(**fields))]  # type: ignore[arg-type]

    assert await names(max_price=LISTED) == [NAME]
    assert await names(max_price=LISTED - 1) == []
    second = CARD | {"version": "2.0.0"}
    bundle = named_bundle(srs=b"another")
    await services.gateway.submit_model(
        *build_submission(second, encode_bundle(bundle), 1, PROVIDER_KEY)
    )
    registry.listed[bundle.commitment] = replace(OFFERED, price=TokenPrice(ASSET.address, 9))
    (services.world.folder / "artifacts" / bundle.commitment.raw.hex()).mkdir()
    services.world.system.bundle = bundle
    await services.gateway.approve("sample@2.0.0")
    assert await names(order=ModelOrder.PRICE) == ["sample@2.0.0", NAME]
    registry.says(amount=8)
    await followed(services).follow()
    assert await names(order=ModelOrder.PRICE) == [NAME, "sample@2.0.0"]
    assert registry.asked[-1] == (COMMITMENT, bundle.commitment)


@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"owner": STRANGER.address},
        {"amount": None},
        {"amount": 0},
    ],
)
async def test_what_is_not_offered_any_more_is_withdrawn_until_it_is(
    services: Services, registry: FakeRegistry, change: dict[str, object]
) -> None:
    job = await services.accept(payment=pay(services.world, amount=LISTED))
    quote = await services.gateway.quote(MODEL)
    registry.says(**change)
    assert await followed(services).follow() == [NAME]
    assert await followed(services).follow() == []
    assert await status(services) == "withdrawn"
    message = f"model {NAME} is withdrawn; it takes no calls"
    with rejects(Reason.MODEL_NOT_ACTIVE, message, kind=Conflict):
        await services.gateway.quote(MODEL)
    with rejects(Reason.MODEL_NOT_ACTIVE, message, kind=Conflict):
        await services.gateway.check_input(MODEL, Request("POST", PATH, BODY))
    with rejects(Reason.MODEL_NOT_ACTIVE, message, kind=Conflict):
        payment = pay(services.world, amount=LISTED, salt=b"\1" * 32)
        await services.accept(payment=payment, binding_salt=b"\1" * 32, quote=quote)
    assert await services.gateway.list_models(ModelFilter()) == []
    # What was paid before goes on.
    await services.settler.settle_once()
    await services.worker.work_once()
    assert (await services.gateway.job(job.id)).state is JobState.DONE
    registry.says()
    assert await followed(services).follow() == [NAME]
    assert await status(services) == "active"
    assert await price(services) == LISTED


async def test_what_a_reorganisation_unregistered_is_withdrawn(
    services: Services, registry: FakeRegistry
) -> None:
    registry.listed.clear()
    await followed(services).follow()
    assert await status(services) == "withdrawn"


async def test_an_operators_suspension_is_the_operators(
    services: Services, registry: FakeRegistry
) -> None:
    await services.gateway.suspend(NAME)
    assert await followed(services).follow() == []
    assert await status(services) == "suspended"
    assert registry.asked[-1] == ()
    # Suspended while it was withdrawn, it does not come back with its owner.
    await services.gateway.approve(NAME)
    registry.says(active=False)
    await followed(services).follow()
    await services.gateway.suspend(NAME)
    registry.says()
    await followed(services).follow()
    assert await status(services) == "suspended"
    assert (await services.gateway.approve(NAME)).status is ModelStatus.ACTIVE


async def test_what_the_operator_decides_in_the_middle_of_a_round_holds(
    services: Services, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.says(amount=5)
    ask = registry.ask

    async def meanwhile(commitments: Sequence[Digest]) -> tuple[int, Mapping[Digest, Listing]]:
        await services.gateway.suspend(NAME)
        return await ask(commitments)

    monkeypatch.setattr(registry, "ask", meanwhile)
    assert await followed(services).follow() == []
    assert await status(services) == "suspended"


async def test_an_ended_mode_is_suspended_also_where_it_is_withdrawn(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inferproof.services.models import registry as room

    monkeypatch.setattr(room, "SYSTEM", "sample")
    monkeypatch.setattr(room, "is_ended", lambda _key: True)
    await services.stores.models.set_status(NAME, ModelStatus.WITHDRAWN, now=1)
    assert await services.gateway._registry.suspend_ended() == [NAME]
    assert await status(services) == "suspended"


# -- a registry that cannot be asked


async def test_the_last_known_state_is_sold_by_for_ten_minutes_and_then_nothing(
    services: Services, registry: FakeRegistry
) -> None:
    clock, follower = services.world.clock, followed(services)
    quote = await services.gateway.quote(MODEL)
    clock.now += 600
    assert await price(services) == LISTED
    clock.now += 1
    message = (
        f"the registry of models at {MODEL_REGISTRY} was not heard of for 600 seconds, and nothing "
        "is sold by what it said before; nothing was charged, come back"
    )
    with rejects(Reason.REGISTRY_SILENT, message, kind=Unavailable):
        await services.gateway.quote(MODEL)
    with rejects(Reason.REGISTRY_SILENT, message, kind=Unavailable):
        await services.accept(payment=pay(services.world, amount=LISTED), quote=quote)
    with rejects(Reason.REGISTRY_SILENT, message, kind=Unavailable):
        await follower.check_heard()
    assert await status(services) == "active"
    registry.faults.append(Unavailable(Reason.CHAIN_UNREACHABLE, url="x", why="off"))
    await follower.try_follow()
    with rejects(Reason.REGISTRY_SILENT, message, kind=Unavailable):
        await services.gateway.quote(MODEL)
    await follower.try_follow()
    assert await price(services) == LISTED
    assert await follower.check_heard() == (
        f"registry {MODEL_REGISTRY} on {ASSET.network} was asked after block 7"
    )


async def test_a_gateway_that_has_never_heard_sells_nothing(world: World) -> None:
    async with running(world) as services:
        with pytest.raises(Unavailable) as refused:
            await services.gateway.quote(MODEL)
        assert refused.value.reason is Reason.REGISTRY_SILENT
        await followed(services).follow()
        assert await price(services) == LISTED


@pytest.fixture(params=KINDS[2:])
def server_url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database that several processes may open."""
    return url_of_kind(request.param)


async def test_a_process_that_does_not_follow_knows_of_one_that_does(
    world: World, registry: FakeRegistry, server_url: str
) -> None:
    async with running(world, url=server_url) as services, open_stores(server_url) as stores:
        await followed(services).follow()
        other = build(world, stores)
        assert await price(other) == LISTED
        registry.says(active=False)
        await followed(services).follow()
        other.gateway._registry._catalog.changed()
        with pytest.raises(Conflict):
            await other.gateway.quote(MODEL)
        registry.says()
        services.world.clock.now += 601
        await followed(services).follow()
        other.gateway._registry._catalog.changed()
        assert await price(other) == LISTED


async def test_without_a_registry_cards_say_the_price_again(services: Services) -> None:
    listings = SqlListings(services.stores.database)
    assert await listings.forget(now=9) == 1
    assert await listings.forget(now=9) == 0
    record = await services.stores.models.find(NAME)
    assert record is not None
    assert record.price == PRICE


# -- in the background


@asynccontextmanager
async def background(services: Services, heartbeat: Heartbeat) -> AsyncIterator[asyncio.Task[None]]:
    leader = services.stores.database.leader_lock("follower")
    task = asyncio.create_task(followed(services).run(leader, heartbeat))
    yield task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING, "inferproof.registry"):
        yield caplog


async def test_no_failure_ends_it(
    services: Services, registry: FakeRegistry, warnings: pytest.LogCaptureFixture
) -> None:
    heartbeat = Heartbeat()
    registry.faults += [
        Unavailable(Reason.CHAIN_UNREACHABLE, url="x", why="off"),
        TimeoutError(),
        ValueError("a bug"),
    ]
    registry.says(amount=1)
    async with background(services, heartbeat) as task:

        async def sold() -> bool:
            return await price(services) == 1

        await until(sold, "the new price")
        assert not task.done()
    assert heartbeat.silence()[0] == "following"
    told = [(each.levelname, each.getMessage()) for each in warnings.records]
    assert [level for level, _ in told] == ["WARNING", "WARNING", "ERROR"]
    assert told[1][1] == "cannot follow the registry: a round took 60 seconds"


async def test_a_round_that_hangs_is_given_up(
    services: Services, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_registry, "ROUND_S", 0.02)
    hung = 0

    async def hangs(_commitments: Sequence[Digest]) -> tuple[int, Mapping[Digest, Listing]]:
        nonlocal hung
        hung += 1
        await asyncio.sleep(600)
        raise AssertionError("it was not given up")

    monkeypatch.setattr(registry, "ask", hangs)
    async with background(services, Heartbeat()):
        await until(lambda: hung > 1, "a second round")


async def test_one_of_several_processes_asks(services: Services, registry: FakeRegistry) -> None:
    other = services.stores.database.leader_lock("follower")
    assert await other.held()
    before = len(registry.asked)
    async with background(services, Heartbeat()):
        await asyncio.sleep(0.1)
        assert len(registry.asked) == before
        await other.release()
        await until(lambda: len(registry.asked) > before, "a round")
