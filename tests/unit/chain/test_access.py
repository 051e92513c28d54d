"""Access on a chain: what is sold, what is bought, and what is refused before it is sent."""

import re
from collections.abc import AsyncIterator

import pytest
from access_samples import BLOCK_S, COST, DAY, PRICE, Stall, open_stall

from inferproof.chain import access as access_module
from inferproof.chain import access_questions
from inferproof.chain.abi import calldata, revert_reason
from inferproof.chain.access import Access, open_access
from inferproof.chain.contracts import ACCESS, load_artifact
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import Misconfigured, NotFound, PolicyRejected, Reason, Rejection
from inferproof.protocol.access import plan_of
from inferproof.protocol.encoding import keccak256
from inferproof.testing.devnet import DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.types.access import Entitlement, PlanKind, PlanTerms, Subscription
from inferproof.types.digest import Address, Digest

NOBODY = Address(b"\x77" * 20)
NOTHING = Digest(b"\x99" * 24 + bytes(8))


@pytest.fixture
async def stall(registry_chain: DevnetInfo) -> AsyncIterator[Stall]:
    async with Rpc(registry_chain.rpc_url) as rpc:
        yield await open_stall(rpc, registry_chain)


async def entitled(stall: Stall, right: Digest, who: Address | None = None) -> bool:
    buyer = stall.buyer.address if who is None else who
    token = stall.chain.token.address
    return (await stall.access.entitlement(buyer, stall.model, token, right)).entitled


async def test_a_call_without_a_plan_costs_what_the_registry_says(stall: Stall) -> None:
    token, ask = stall.chain.token.address, stall.access.entitlement
    assert await ask(stall.buyer.address, stall.model, token) == Entitlement(True, PRICE)
    assert await ask(stall.buyer.address, stall.model, NOBODY) == Entitlement(False, 0)
    assert await stall.access.registry() == stall.chain.model_registry


async def test_a_pass_is_bought_used_and_over(stall: Stall) -> None:
    gateway = stall.chain.accounts.gateway
    name = await stall.plan(PlanKind.PASS, span=20 * BLOCK_S, refund_window=DAY)
    bought = await stall.access.buy(name, stall.buyer)
    right = bought.purchase.right
    assert plan_of(right) == name
    assert (bought.purchase.paid, bought.purchase.calls) == (COST, None)
    # Two tokens were never bought before: no approval is sent where one is left.
    again = await stall.access.buy(name, stall.buyer, limit=COST)
    assert again.purchase.right != right
    assert await entitled(stall, right)
    assert not await entitled(stall, right, stall.provider.address)
    token = stall.chain.token.address
    with rejects(
        Reason.NOT_A_CONSUMER,
        f"{gateway.address} may not consume at {stall.access.address}; its owner allows it with "
        "inferproof access allow",
        kind=Rejection,
    ):
        await stall.access.consume(stall.buyer.address, stall.model, token, right, gateway)
    await stall.access.set_consumer(gateway.address, True, gateway)
    await stall.access.consume(stall.buyer.address, stall.model, token, right, gateway)
    await stall.pass_time(20 * BLOCK_S)
    with rejects(
        Reason.NOT_ENTITLED,
        f"{stall.buyer.address} may not call {stall.model} by {right} now",
        kind=Rejection,
    ):
        await stall.access.consume(stall.buyer.address, stall.model, token, right, gateway)


async def test_gas_of_a_transaction_is_told(stall: Stall) -> None:
    """The forge tests bound what `consume` takes by itself."""
    gateway, token = stall.chain.accounts.gateway, stall.chain.token.address
    await stall.access.set_consumer(gateway.address, True, gateway)
    name = await stall.plan(PlanKind.PACK, calls=5, refund_window=DAY)
    bought = await stall.access.buy(name, stall.buyer)
    asked = (stall.buyer.address, stall.model, token, bought.purchase.right, gateway)
    first = (await stall.access.consume(*asked)).gas_used
    second = (await stall.access.consume(*asked)).gas_used
    assert first < 65_000
    assert second < 48_000


async def test_only_the_owner_says_who_consumes(stall: Stall) -> None:
    with rejects(
        Reason.ACCESS_OWNER_OTHER,
        f"who may consume at {stall.access.address} is said by its owner "
        f"{stall.chain.accounts.gateway.address}; use the key of that one",
        kind=Rejection,
    ):
        await stall.access.set_consumer(NOBODY, True, stall.provider)


# -- plans -------------------------------------------------------------------------------------


async def test_a_plan_is_made_once(stall: Stall) -> None:
    terms = stall.terms(PlanKind.PACK, calls=3)
    made = await stall.access.make_plan(stall.model, terms, COST, stall.provider)
    assert made.gas > 0
    assert (made.plan.terms, made.plan.price, made.plan.is_open) == (terms, COST, True)
    assert made.plan.model == stall.model
    sent = await stall.rpc.nonce(stall.provider.address)
    again = await stall.access.make_plan(stall.model, terms, 1, stall.provider)
    assert (again.plan, again.gas) == (made.plan, 0)
    assert await stall.rpc.nonce(stall.provider.address) == sent


async def test_a_plan_is_the_models_owners(stall: Stall) -> None:
    name = await stall.plan(PlanKind.PACK, calls=3)
    terms = stall.terms(PlanKind.PACK, calls=4)
    for attempt in (
        stall.access.make_plan(stall.model, terms, COST, stall.buyer),
        stall.access.update_plan(name, stall.buyer, price=1),
    ):
        with rejects(
            Reason.MODEL_OWNER_OTHER,
            f"the model {stall.model} belongs to {stall.provider.address}, not to "
            f"{stall.buyer.address}; use the key of its owner",
            kind=Rejection,
        ):
            await attempt
    with pytest.raises(NotFound) as caught:
        await stall.access.make_plan(NOTHING, terms, COST, stall.provider)
    assert caught.value.reason is Reason.MODEL_NOT_REGISTERED
    unpaid = PlanTerms(PlanKind.PASS, NOBODY, span=1)
    with pytest.raises(NotFound) as caught:
        await stall.access.make_plan(stall.model, unpaid, COST, stall.provider)
    assert caught.value.reason is Reason.CHAIN_NO_CONTRACT


async def test_what_is_not_there_is_told(stall: Stall) -> None:
    bought = Digest(NOTHING.raw[:-1] + b"\x01")
    for attempt in (
        stall.access.plan(NOTHING),
        stall.access.buy(NOTHING, stall.buyer),
        stall.access.end(NOTHING, stall.buyer),
    ):
        with rejects(
            Reason.PLAN_NOT_FOUND,
            f"the contract at {stall.access.address} has no plan {NOTHING}",
            kind=NotFound,
        ):
            await attempt
    with rejects(
        Reason.PURCHASE_NOT_FOUND,
        f"the contract at {stall.access.address} has no purchase {bought}: nobody bought it, or it "
        "was given back",
        kind=NotFound,
    ):
        await stall.access.refund(bought, stall.buyer)


async def test_a_closed_plan_sells_nothing_and_takes_nothing_away(stall: Stall) -> None:
    name = await stall.plan(PlanKind.PACK, calls=3)
    right = (await stall.access.buy(name, stall.buyer)).purchase.right
    await stall.access.update_plan(name, stall.provider, is_open=False)
    with rejects(
        Reason.PLAN_CLOSED,
        f"the plan {name} is not offered now; what was bought of it stays",
        kind=Rejection,
    ):
        await stall.access.buy(name, stall.buyer)
    assert await entitled(stall, right)


async def test_no_more_is_paid_than_the_limit(stall: Stall) -> None:
    name = await stall.plan(PlanKind.PACK, calls=3)
    await stall.access.update_plan(name, stall.provider, price=COST + 1)
    with rejects(
        Reason.PLAN_PRICE_ABOVE,
        f"the plan {name} costs {COST + 1}, the limit is {COST}",
        kind=PolicyRejected,
    ):
        await stall.access.buy(name, stall.buyer, limit=COST)
    # Raised after the look: the contract refuses it.
    with pytest.raises(CallReverted) as caught:
        await stall.access._send(stall.buyer, calldata("buy(bytes32,uint256)", name, COST), "buy")
    assert f"PriceAbove({COST + 1}, {COST})" in caught.value.message


async def test_who_has_too_little_is_told(stall: Stall) -> None:
    name = await stall.plan(PlanKind.PACK, calls=3)
    poor = dev_key(8)
    with rejects(
        Reason.PURCHASE_FUNDS,
        f"{poor.address} has 0 of the token {stall.chain.token.address}, {COST} are asked",
        kind=Rejection,
    ):
        await stall.access.buy(name, poor)


# -- giving back, and money --------------------------------------------------------------------


async def test_an_unused_pack_comes_back_for_its_price(stall: Stall) -> None:
    token = stall.chain.token.address
    name = await stall.plan(PlanKind.PACK, calls=3, refund_window=DAY, transferable=True)
    right = (await stall.access.buy(name, stall.buyer)).purchase.right
    with rejects(
        Reason.REFUND_NOT_HELD,
        f"{right} is given back by who bought and holds it; {stall.provider.address} does not hold "
        "it",
        kind=Rejection,
    ):
        await stall.access.refund(right, stall.provider)
    await stall.access.refund(right, stall.buyer)
    assert not await entitled(stall, right)
    assert await stall.access.withdraw(token, stall.buyer) != (0, 0)
    with rejects(
        Reason.NOTHING_EARNED,
        f"the contract at {stall.access.address} holds nothing of the token {token} for "
        f"{stall.buyer.address}",
        kind=Rejection,
    ):
        await stall.access.withdraw(token, stall.buyer)


async def test_what_was_used_or_is_late_is_not_taken_back(stall: Stall) -> None:
    gateway, token = stall.chain.accounts.gateway, stall.chain.token.address
    await stall.access.set_consumer(gateway.address, True, gateway)
    name = await stall.plan(PlanKind.PACK, calls=3, refund_window=30 * BLOCK_S)
    bought = (await stall.access.buy(name, stall.buyer)).purchase
    await stall.access.consume(stall.buyer.address, stall.model, token, bought.right, gateway)
    with rejects(
        Reason.REFUND_USED,
        f"{bought.right} was used for 1 calls, and is not taken back",
        kind=Rejection,
    ):
        await stall.access.refund(bought.right, stall.buyer)
    await stall.pass_time(30 * BLOCK_S)
    with rejects(
        Reason.REFUND_OVER,
        f"{bought.right} could be given back before {bought.refund_until}, in Unix seconds",
        kind=Rejection,
    ):
        await stall.access.refund(bought.right, stall.buyer)
    # Its money is the provider's a whole window later at the latest.
    await stall.pass_time(30 * BLOCK_S)
    assert await stall.access.earned(stall.provider.address, token) == 0
    assert (await stall.access.withdraw(token, stall.provider, [name]))[0] == COST


# -- subscriptions -----------------------------------------------------------------------------


async def test_a_subscription_is_paid_renewed_and_ended(stall: Stall) -> None:
    span = 20 * BLOCK_S
    name = await stall.plan(PlanKind.SUBSCRIPTION, span=span)
    own, gas = await stall.access.subscribe(name, stall.buyer, renewals=1)
    assert (own.renewals, own.limit, gas > 0) == (1, COST, True)
    assert await entitled(stall, name)
    for attempt in (
        stall.access.subscribe(name, stall.buyer, renewals=1),
        stall.access.renew(name, stall.buyer.address, stall.provider),
    ):
        with rejects(
            Reason.SUBSCRIPTION_PAID,
            f"{stall.buyer.address} has paid the plan {name} until {own.paid_until}, in Unix "
            "seconds; the next period is due then",
            kind=Rejection,
        ):
            await attempt
    await stall.pass_time(span)
    assert not await entitled(stall, name)
    await stall.access.update_plan(name, stall.provider, price=COST + 1)
    with pytest.raises(PolicyRejected) as caught:
        await stall.access.renew(name, stall.buyer.address, stall.provider)
    assert caught.value.reason is Reason.PLAN_PRICE_ABOVE
    await stall.access.update_plan(name, stall.provider, price=COST)
    await stall.access.renew(name, stall.buyer.address, stall.provider)
    assert await entitled(stall, name)
    await stall.access.end(name, stall.buyer)
    await stall.pass_time(span)
    for subscriber in (stall.buyer.address, NOBODY):
        with rejects(
            Reason.SUBSCRIPTION_OVER,
            f"{subscriber} allows no renewal of the plan {name} now: none is left, their time is "
            "over, or it lapsed a whole period ago; subscribe again",
            kind=Rejection,
        ):
            await stall.access.renew(name, subscriber, stall.provider)
    assert await stall.access.subscription(name, NOBODY) == Subscription(0, 0, 0, 0, 0)


async def test_each_act_is_of_its_kind_of_plan(stall: Stall) -> None:
    name = await stall.plan(PlanKind.PASS, span=DAY)
    with rejects(
        Reason.PLAN_KIND,
        f"the plan {name} is of kind pass; this takes one of kind subscription",
        kind=Rejection,
    ):
        await stall.access.subscribe(name, stall.buyer, renewals=0)
    load = await stall.plan(PlanKind.LOAD, span=DAY, calls=10, cap=COST)
    with rejects(
        Reason.PLAN_KIND,
        f"the plan {load} is of kind load; this takes one of kind pass or pack",
        kind=Rejection,
    ):
        await stall.access.buy(load, stall.buyer)
    right = (await stall.access.buy(name, stall.buyer)).purchase.right
    with pytest.raises(Rejection) as caught:
        await stall.access.buy(right, stall.buyer)
    assert caught.value.reason is Reason.PLAN_KIND


# -- contracts that are none -------------------------------------------------------------------


async def test_another_contract_is_none_of_access(registry_chain: DevnetInfo) -> None:
    async with Rpc(registry_chain.rpc_url) as here:
        token = registry_chain.token.address
        with rejects(
            Reason.ACCESS_CODE_UNKNOWN,
            f"the code at {token} is not the contract Access that this version ships; name the one "
            "of this chain, or deploy one with inferproof chain deploy",
            kind=Misconfigured,
        ):
            await open_access(here, token)
        with pytest.raises(NotFound) as caught:
            await open_access(here, NOBODY)
        assert caught.value.reason is Reason.CHAIN_NO_CONTRACT
        await here.request("anvil_setCode", NOBODY.hex, "0x60035ff3")  # three zeros, always
        with rejects(
            Reason.CHAIN_BAD_ANSWER,
            f"the contract at {NOBODY} answers REGISTRY() with 3 bytes, not a registry",
            kind=Misconfigured,
        ):
            await Access(here, NOBODY).registry()
        await here.request("anvil_setCode", NOBODY.hex, "0x")


def _canonical(argument: dict[str, object]) -> str:
    kind = str(argument["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(map(_canonical, argument["components"]))  # type: ignore[call-overload]
    return f"({inner}){kind.removeprefix('tuple')}"


def test_calls_and_errors_are_those_of_the_contract() -> None:
    abi = load_artifact(ACCESS).abi
    known = {
        f"{entry['name']}({','.join(map(_canonical, entry['inputs']))})"
        for entry in abi
        if "name" in entry
    }
    used = {
        value
        for module in (access_module, access_questions)
        for value in vars(module).values()
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z]+\(.*\)", value)
    }
    assert len(used) == 21
    assert used <= known
    for signature in (s for s in known if s.partition("(")[0] in _errors(abi)):
        count = len([part for part in signature.partition("(")[2][:-1].split(",") if part])
        told = revert_reason(keccak256(signature.encode())[:4] + bytes(32 * count))
        assert told.startswith(signature.partition("(")[0] + "("), signature


def _errors(abi: list[dict[str, object]]) -> set[object]:
    # Of what is inherited, only what our calls can meet is told in words.
    foreign = ("ERC1155InvalidA", "ERC1155InvalidO", "ERC1155InvalidS", "Ownable", "SafeCast")
    return {
        e["name"] for e in abi if e["type"] == "error" and not str(e["name"]).startswith(foreign)
    }


async def test_a_pass_that_is_handed_on_is_anothers(stall: Stall) -> None:
    name = await stall.plan(PlanKind.PASS, span=DAY, transferable=True)
    right = (await stall.access.buy(name, stall.buyer)).purchase.right
    to = dev_key(8).address
    number = int.from_bytes(right.raw, "big")
    transfer = "safeTransferFrom(address,address,uint256,uint256,bytes)"
    data = calldata(transfer, stall.buyer.address, to, number, 1, b"")
    await transact(stall.rpc, stall.buyer, to=stall.access.address, data=data, what=transfer)
    assert await entitled(stall, right, to)
    assert not await entitled(stall, right)
