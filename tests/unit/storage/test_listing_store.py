"""What is kept of a registry on a chain: prices, what it withdrew, and when it was asked."""

import asyncio
from dataclasses import replace

import pytest
from order_book_suite import digest

from inferproof.storage.ports.listings import ListingChange, SoldModel
from inferproof.storage.ports.models import ModelRecord, ModelStatus
from inferproof.storage.sql.listings import SqlListings
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.samples import ASSET, GATEWAY
from inferproof.types.digest import Address
from inferproof.types.registry import Followed, Heard

FOLLOWED = Followed(ASSET.network, Address(b"\x52" * 20), ASSET.address)
ACTIVE, WITHDRAWN, SUSPENDED = ModelStatus.ACTIVE, ModelStatus.WITHDRAWN, ModelStatus.SUSPENDED


def model(version: str, status: ModelStatus) -> ModelRecord:
    return ModelRecord(
        id="sample",
        version=version,
        commitment=digest(version),
        provider=GATEWAY.address,
        proof_system="none",
        title="Sample",
        category="testing",
        input_type="vector",
        output_type="vector",
        card_price=5,
        status=status,
        document=b"{}",
        signature=b"",
        bundle_blob=digest("bundle"),
        created_at=1,
        updated_at=1,
    )


@pytest.fixture
async def listings(stores: Stores) -> SqlListings:
    for number, status in enumerate(ModelStatus):
        await stores.models.add(model(f"1.0.{number}", status))
    return SqlListings(stores.database)


async def test_what_is_sold_and_what_was_withdrawn(listings: SqlListings) -> None:
    def sold(version: str, status: ModelStatus) -> SoldModel:
        return SoldModel(f"sample@{version}", digest(version), GATEWAY.address, status, None)

    assert await listings.sold() == [sold("1.0.1", ACTIVE), sold("1.0.3", WITHDRAWN)]


async def test_a_round_is_kept_whole(stores: Stores, listings: SqlListings) -> None:
    assert await listings.heard(FOLLOWED) is None
    changed = await listings.record(
        FOLLOWED,
        Heard(3, 100),
        [
            ListingChange("sample@1.0.1", ACTIVE, WITHDRAWN, 7),
            ListingChange("sample@1.0.3", WITHDRAWN, ACTIVE, 10**18 - 1),
        ],
    )
    assert changed == ["sample@1.0.1", "sample@1.0.3"]
    assert await listings.heard(FOLLOWED) == Heard(3, 100)
    record = await stores.models.find("sample@1.0.3")
    assert record is not None
    assert (record.status, record.price, record.updated_at) == (ACTIVE, 10**18 - 1, 100)
    assert record.card_price == 5
    first, _ = await listings.sold()
    assert (first.status, first.listed_price) == (WITHDRAWN, 7)
    assert await listings.record(FOLLOWED, Heard(2, 105), []) == []
    assert await listings.heard(FOLLOWED) == Heard(2, 105)


async def test_what_somebody_else_decided_since_stays(
    stores: Stores, listings: SqlListings
) -> None:
    changes = [
        ListingChange("sample@1.0.2", ACTIVE, ACTIVE, 7),
        ListingChange("sample@1.0.9", ACTIVE, ACTIVE, 7),
    ]
    assert await listings.record(FOLLOWED, Heard(3, 100), changes) == []
    record = await stores.models.find("sample@1.0.2")
    assert record is not None
    assert (record.status, record.listed_price, record.updated_at) == (SUSPENDED, None, 1)


async def test_another_registry_chain_or_token_is_another(listings: SqlListings) -> None:
    await listings.record(FOLLOWED, Heard(3, 100), [])
    for other in (
        replace(FOLLOWED, registry=GATEWAY.address),
        replace(FOLLOWED, token=GATEWAY.address),
        replace(FOLLOWED, network=type(ASSET.network).evm(1)),
    ):
        assert await listings.heard(other) is None


async def test_an_approval_keeps_a_price_or_leaves_it(
    stores: Stores, listings: SqlListings
) -> None:
    name = "sample@1.0.0"
    assert (await stores.models.set_status(name, ACTIVE, listed_price=9, now=2)).price == 9
    assert (await stores.models.set_status(name, SUSPENDED, now=3)).price == 9
    assert await listings.forget(now=4) == 1
    record = await stores.models.find(name)
    assert record is not None
    assert (record.price, record.updated_at) == (5, 4)
    assert await listings.heard(FOLLOWED) is None


async def test_two_who_keep_the_first_round_at_once(server_url: str) -> None:
    async with open_stores(server_url) as one, open_stores(server_url) as two:
        both = [SqlListings(stores.database) for stores in (one, two)]
        await asyncio.gather(*(both[n % 2].record(FOLLOWED, Heard(n, n), []) for n in range(8)))
        assert await both[0].heard(FOLLOWED) is not None
