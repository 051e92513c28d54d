"""`inferproof access`: plans for calls on a chain, and what is bought of them."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from inferproof.cli.access_views import (
    plan_json,
    purchase_json,
    show_facts,
    subscription_json,
)
from inferproof.cli.console import JsonFlag, failures
from inferproof.cli.contract import KeyFile, Rpc
from inferproof.cli.files import read_key
from inferproof.cli.parts import need
from inferproof.protocol.access import is_purchase, plan_of
from inferproof.types.access import PlanKind, PlanTerms
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest

if TYPE_CHECKING:
    from inferproof.chain.access import Access as Contract

T = TypeVar("T")


class Kind(StrEnum):
    """Kinds of plans, as they are written."""

    FREE = "free"
    PASS = "pass"  # noqa: S105 - a kind of plan
    PACK = "pack"
    SUBSCRIPTION = "subscription"
    LOAD = "load"


At = Annotated[
    str, typer.Option("--access", metavar="ADDRESS", help="The address of the contract of access.")
]
PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="The plan, by its name.")]
Limit = Annotated[
    int | None,
    typer.Option(min=0, help="What is paid at most, in atomic units. Left out: today's price."),
]

access = typer.Typer(
    name="access", help="Sell and buy calls of a model on a chain.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(access)


@access.command("plan")
def plan(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The commitment of the model's first version.")
    ],
    kind: Annotated[Kind, typer.Option(help="What it sells.")],
    rpc: Rpc,
    address: At,
    key_file: KeyFile,
    token: Annotated[
        str | None, typer.Option(help="In which it is paid, by its address. None for a free plan.")
    ] = None,
    price: Annotated[
        int,
        typer.Option(
            min=0, help="Of a purchase, a period, or a call without load; in atomic units."
        ),
    ] = 0,
    span: Annotated[
        int,
        typer.Option(
            min=0,
            help="Seconds of a period (free, subscription), of a window of load, or from a "
            "purchase to its end (pass, pack; 0 for a pack without an end).",
        ),
    ] = 0,
    calls: Annotated[
        int,
        typer.Option(
            min=0,
            help="Of a period (free, subscription; there 0 for any number), of a pack, or of a "
            "window in which the price reaches its cap.",
        ),
    ] = 0,
    refund_window: Annotated[
        int,
        typer.Option(
            "--refund-window", min=0, help="Seconds in which an unused pass or pack comes back."
        ),
    ] = 0,
    transferable: Annotated[
        bool, typer.Option("--transferable", help="A pass or a pack may be handed on.")
    ] = False,
    cap: Annotated[
        int, typer.Option(min=0, help="What a call costs at most, where its price follows load.")
    ] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Offer a plan for a model, as the owner of the model.

    Its terms never change; price and offer do, with update. The same terms again are the same plan.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        terms = PlanTerms(
            PlanKind[kind.name],
            ZERO_ADDRESS if token is None else Address.from_hex(token),
            span,
            calls,
            refund_window,
            transferable,
            cap,
        )
        name, key = Digest.from_hex(model), read_key(key_file)
        made = _with(rpc, address, lambda opened: opened.make_plan(name, terms, price, key))
        show_facts({**plan_json(made.plan), "gas": made.gas}, as_json)


@access.command("update")
def update(
    name: PlanName,
    rpc: Rpc,
    address: At,
    key_file: KeyFile,
    price: Annotated[int | None, typer.Option(min=0, help="What it costs from now on.")] = None,
    is_open: Annotated[
        bool | None, typer.Option("--open/--closed", help="Offer the plan, or end that.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what a plan costs, and whether it is offered. What was bought of it stays."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        if price is None and is_open is None:
            raise typer.BadParameter("name --price, --open or --closed")
        digest, key = Digest.from_hex(name), read_key(key_file)

        async def work(opened: "Contract") -> dict[str, Any]:
            done = await opened.update_plan(digest, key, price=price, is_open=is_open)
            return {**plan_json(await opened.plan(digest)), "gas": done.gas_used}

        show_facts(_with(rpc, address, work), as_json)


@access.command("buy")
def buy(
    name: PlanName,
    rpc: Rpc,
    address: At,
    key_file: KeyFile,
    limit: Limit = None,
    renewals: Annotated[
        int, typer.Option(min=0, help="Of a subscription: how many renewals are allowed.")
    ] = 0,
    renew_by: Annotated[
        int | None,
        typer.Option("--renew-by", min=0, help="No renewal after this time, in Unix seconds."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Buy a pass or a pack, or subscribe, with the key's own tokens.

    Approves the token first, where that lacks: for the price, or for a subscription and its
    renewals. Paid calls of a plan by load are not bought before they are made.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        digest, key = Digest.from_hex(name), read_key(key_file)

        async def work(opened: "Contract") -> dict[str, Any]:
            from inferproof.chain.access import NO_END

            if (await opened.plan(digest)).terms.kind is not PlanKind.SUBSCRIPTION:
                bought = await opened.buy(digest, key, limit=limit)
                return {**purchase_json(bought.purchase), "gas": bought.gas}
            own, gas = await opened.subscribe(
                digest,
                key,
                renewals=renewals,
                limit=limit,
                renew_by=NO_END if renew_by is None else renew_by,
            )
            return {"plan": name, **subscription_json(own), "gas": gas}

        show_facts(_with(rpc, address, work), as_json)


@access.command("renew")
def renew(
    name: PlanName,
    subscriber: Annotated[str, typer.Argument(metavar="SUBSCRIBER", help="By its address.")],
    rpc: Rpc,
    address: At,
    key_file: KeyFile,
    as_json: JsonFlag = False,
) -> None:
    """Pay a subscriber's next period out of what the subscriber approved. Anyone may, when due."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        digest, who, key = Digest.from_hex(name), Address.from_hex(subscriber), read_key(key_file)

        async def work(opened: "Contract") -> dict[str, Any]:
            gas = (await opened.renew(digest, who, key)).gas_used
            own = await opened.subscription(digest, who)
            return {"plan": name, **subscription_json(own), "gas": gas}

        show_facts(_with(rpc, address, work), as_json)


@access.command("end")
def end(
    name: PlanName, rpc: Rpc, address: At, key_file: KeyFile, as_json: JsonFlag = False
) -> None:
    """End the key's subscription: no renewal any more, and the period that is paid stays."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        digest, key = Digest.from_hex(name), read_key(key_file)

        async def work(opened: "Contract") -> dict[str, Any]:
            gas = (await opened.end(digest, key)).gas_used
            own = await opened.subscription(digest, key.address)
            return {"plan": name, **subscription_json(own), "gas": gas}

        show_facts(_with(rpc, address, work), as_json)


@access.command("show")
def show(
    right: Annotated[
        str, typer.Argument(metavar="RIGHT", help="A plan, or a pass or pack that was bought.")
    ],
    rpc: Rpc,
    address: At,
    buyer: Annotated[
        str | None, typer.Option(help="Whether this address may call by it now.")
    ] = None,
    commitment: Annotated[
        str | None,
        typer.Option(help="The version that is called. Left out: the model's first."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a plan, what was bought of it, and whether somebody may call by it."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        name, who = Digest.from_hex(right), None if buyer is None else Address.from_hex(buyer)
        version = None if commitment is None else Digest.from_hex(commitment)

        async def work(opened: "Contract") -> dict[str, Any]:
            found = await opened.plan(plan_of(name))
            told = plan_json(found)
            if is_purchase(name):
                told |= purchase_json(await opened.purchase(name))
            if who is not None:
                if found.terms.kind is PlanKind.SUBSCRIPTION:
                    told |= subscription_json(await opened.subscription(name, who))
                asked = await opened.entitlement(
                    who, version or found.model, found.terms.token, name
                )
                told |= {"entitled": asked.entitled, "to_pay": str(asked.price)}
            return told

        show_facts(_with(rpc, address, work), as_json)


@access.command("refund")
def refund(
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="The pass or pack, by its name.")],
    rpc: Rpc,
    address: At,
    key_file: KeyFile,
    as_json: JsonFlag = False,
) -> None:
    """Give an unused pass or pack back within its refund window, and take its price out.

    All that is the key's in that token here comes with it.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        name, key = Digest.from_hex(right), read_key(key_file)

        async def work(opened: "Contract") -> dict[str, Any]:
            token = (await opened.plan(plan_of(name))).terms.token
            gas = (await opened.refund(name, key)).gas_used
            amount = await opened.earned(key.address, token)
            if amount:
                amount, more = await opened.withdraw(token, key)
                gas += more
            return {"right": right, "token": token.hex, "withdrawn": str(amount), "gas": gas}

        show_facts(_with(rpc, address, work), as_json)


@access.command("withdraw")
def withdraw(
    rpc: Rpc,
    address: At,
    token: Annotated[str, typer.Option(help="The token, by its address.")],
    key_file: KeyFile,
    of_plan: Annotated[
        list[str] | None,
        typer.Option(
            "--plan",
            help="A plan whose money is counted first, as far as it is due. May be repeated.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Take out all that is the key's in a token: of plans that were sold, and of refunds."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        paid_in, key = Address.from_hex(token), read_key(key_file)
        plans = [Digest.from_hex(text) for text in of_plan or ()]
        amount, gas = _with(rpc, address, lambda opened: opened.withdraw(paid_in, key, plans))
        show_facts({"token": token, "withdrawn": str(amount), "gas": gas}, as_json)


@access.command("allow")
def allow(
    consumer: Annotated[
        str, typer.Argument(metavar="CONSUMER", help="An escrow or a gateway, by its address.")
    ],
    rpc: Rpc,
    address: At,
    key_file: KeyFile,
    allowed: Annotated[
        bool, typer.Option("--allow/--forbid", help="Let it take calls, or end that.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Say who may take calls that were bought, as the contract's owner."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.access", extra="chain")
        who, key = Address.from_hex(consumer), read_key(key_file)
        done = _with(rpc, address, lambda opened: opened.set_consumer(who, allowed, key))
        show_facts({"consumer": who.hex, "allowed": allowed, "gas": done.gas_used}, as_json)


def _with(url: str, address: str, work: "Callable[[Contract], Awaitable[T]]") -> T:
    """What the work gives, with the contract at the address. Raises: as `open_access`."""
    from inferproof.chain.access import open_access
    from inferproof.chain.rpc import Rpc

    async def run() -> T:
        async with Rpc(url) as rpc:
            return await work(await open_access(rpc, Address.from_hex(address)))

    return asyncio.run(run())
