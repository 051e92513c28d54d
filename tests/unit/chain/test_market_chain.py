"""The market and the escrow through a node: what roles may do, and what is told otherwise."""

from collections.abc import Iterator

import pytest
from serving_parts import Chain, Serving, open_chain

from inferproof.app.order_proofs import OrderKeys
from inferproof.chain.escrow import Escrow, open_escrow
from inferproof.chain.market import (
    DOLLAR_WEIGHT,
    Market,
    MarketParameters,
    Role,
    open_market,
)
from inferproof.chain.model_registry import ModelRegistry
from inferproof.chain.rpc import Rpc
from inferproof.errors import (
    Misconfigured,
    NotFound,
    PaymentRejected,
    Reason,
    Rejection,
    RequestRejected,
)
from inferproof.services.settlement.orders import _lost, _too_late
from inferproof.testing.devnet import Devnet, DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import sample_bundle
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Acceptance, OrderSlot, OrderStatus

STRANGER = dev_key(6)
OTHER = Address(b"\xab" * 20)


@pytest.fixture(scope="module")
def devnet() -> Iterator[DevnetInfo]:
    """A chain of its own: its clock is moved, and its market changed."""
    with Devnet() as running:
        yield running.info


@pytest.fixture
async def market(rpc: Rpc, devnet: DevnetInfo) -> Market:
    return await open_market(rpc, devnet.market)


@pytest.fixture
async def chain(rpc: Rpc, devnet: DevnetInfo) -> Chain:
    return await open_chain(rpc, devnet)


async def test_roles_change_what_is_theirs(market: Market, devnet: DevnetInfo) -> None:
    owner, token = devnet.accounts.owner, devnet.token.address
    assert await market.admin() == owner.address
    assert await market.parameters() == MarketParameters(0, 0, 1)
    assert await market.token(token) == (True, DOLLAR_WEIGHT)
    await market.set_fee(1_000, owner)
    await market.set_admission(2_000, 3, owner)
    assert await market.parameters() == MarketParameters(1_000, 2_000, 3)
    await market.set_token(token, False, 5, owner)
    assert await market.token(token) == (False, 5)
    await market.set_server(OTHER, True, owner)
    assert await market.is_server(OTHER)
    await market.set_server(OTHER, False, owner)
    assert not await market.is_server(OTHER)
    await market.pause(owner)
    assert await market.paused()
    await market.unpause(owner)
    assert not await market.paused()
    await market.grant(Role.FEES, OTHER, owner)
    assert await market.has_role(Role.FEES, OTHER)
    await market.revoke(Role.FEES, OTHER, owner)
    assert not await market.has_role(Role.FEES, OTHER)
    await market.set_input_key(Digest(b"\x07" * 32), STRANGER)
    assert await market.input_key(STRANGER.address) == Digest(b"\x07" * 32)


async def test_a_stranger_has_no_role(market: Market, devnet: DevnetInfo) -> None:
    who, at = STRANGER.address, market.address
    with rejects(
        Reason.MARKET_ROLE,
        f"{who} has no role parameters in the market at {at}; its administrator gives it with "
        "inferproof market grant",
        kind=Rejection,
    ):
        await market.set_fee(1, STRANGER)
    for refused in (
        market.set_admission(1, 1, STRANGER),
        market.set_token(OTHER, True, 1, STRANGER),
        market.set_server(OTHER, True, STRANGER),
        market.pause(STRANGER),
        market.unpause(STRANGER),
    ):
        with pytest.raises(Rejection) as caught:
            await refused
        assert caught.value.reason is Reason.MARKET_ROLE
    admin = devnet.accounts.owner.address
    with rejects(
        Reason.MARKET_ADMIN_OTHER,
        f"the market at {at} is administrated by {admin}, not by {who}; use that key",
        kind=Rejection,
    ):
        await market.grant(Role.FEES, who, STRANGER)
    with pytest.raises(Rejection):
        await market.revoke(Role.FEES, who, STRANGER)


async def test_bounds_are_told_before_anything_is_sent(market: Market, devnet: DevnetInfo) -> None:
    owner = devnet.accounts.owner
    with rejects(
        Reason.MARKET_BOUND,
        "a fee in basis points is from 0 to 1000, and not 1001",
        kind=RequestRejected,
    ):
        await market.set_fee(1_001, owner)
    for refused in (
        market.set_admission(10_001, 1, owner),
        market.set_admission(0, 0, owner),
        market.set_admission(0, 11, owner),
        market.set_token(OTHER, True, 2**128, owner),
    ):
        with pytest.raises(RequestRejected) as caught:
            await refused
        assert caught.value.reason is Reason.MARKET_BOUND


async def test_another_contract_is_no_escrow_and_no_market(rpc: Rpc, devnet: DevnetInfo) -> None:
    token = devnet.token.address
    with rejects(
        Reason.ESCROW_CODE_UNKNOWN,
        f"the code at {token} is not the Escrow that this version ships; name the escrow of this "
        "chain, or deploy one with inferproof chain deploy",
        kind=Misconfigured,
    ):
        await open_escrow(rpc, token)
    with pytest.raises(Misconfigured):
        await open_market(rpc, token)
    for nothing in (open_escrow(rpc, OTHER), open_market(rpc, OTHER)):
        with pytest.raises(NotFound) as caught:
            await nothing
        assert caught.value.reason is Reason.CHAIN_NO_CONTRACT


async def test_an_order_is_refunded_when_its_time_is_over(chain: Chain) -> None:
    server = await Serving(chain).admit()
    made = await server.order()
    order, now = chain.escrow.id_of(made), await chain.now()
    with rejects(
        Reason.ORDER_TOO_EARLY,
        f"order {order} can be refunded from {made.accept_by + 1} on, and it is {now}",
        kind=Rejection,
    ):
        await chain.escrow.refund(made, STRANGER)
    await chain.go_on(made.accept_by - now + 1)
    before = await chain.escrow.balance(made.buyer, made.token)
    await chain.escrow.refund(made, STRANGER)
    assert await chain.escrow.balance(made.buyer, made.token) == before + made.price
    with pytest.raises(Rejection) as caught:
        await chain.escrow.refund(made, STRANGER)
    assert caught.value.reason is Reason.ORDER_STATUS


async def test_a_model_that_contracts_do_not_know(rpc: Rpc, devnet: DevnetInfo) -> None:
    bundle = sample_bundle()
    with rejects(
        Reason.ORDER_KEY,
        f"contracts know the model {bundle.commitment} by another key than its bundle's, or by "
        "none; no delivery of an order would be paid",
        kind=PaymentRejected,
    ):
        await OrderKeys(ModelRegistry(rpc, devnet.model_registry)).check(bundle)


async def test_how_an_order_ends_without_us(chain: Chain) -> None:
    server = await Serving(chain).admit()
    made = await server.order()
    order = chain.escrow.id_of(made)
    acceptance = Acceptance(chain.escrow.address, made, order, server.key.address)
    slot = OrderSlot(OrderStatus.RESCUED, OTHER, True, False, 0, 1)
    with rejects(
        Reason.ORDER_LOST,
        f"order {order} is rescued, and this server has no part in it",
        kind=PaymentRejected,
    ):
        raise _lost(acceptance, slot)
    with rejects(
        Reason.ORDER_DELIVERY_LATE,
        f"order {order} could be delivered until {made.rescue_by}; its buyer is refunded, with "
        "the bond",
        kind=PaymentRejected,
    ):
        raise _too_late(acceptance)


async def test_an_escrow_tells_what_it_asks(chain: Chain) -> None:
    asked, contracts = chain.escrow, chain.contracts
    found = (await asked.registry(), await asked.router(), await asked.reputation())
    assert found == (contracts.registry, contracts.router, contracts.reputation)
    nobody = Escrow(chain.rpc, OTHER, chain.devnet.chain_id)
    for name, ask in (
        ("REGISTRY", nobody.registry),
        ("ROUTER", nobody.router),
        ("REPUTATION", nobody.reputation),
    ):
        message = f"the contract at {OTHER} answers {name}() with 0 bytes, not an address"
        with rejects(Reason.CHAIN_BAD_ANSWER, message, kind=Misconfigured):
            await ask()
