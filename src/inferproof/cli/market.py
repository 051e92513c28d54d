"""`inferproof market`: administer a market on a chain: fee, admission, tokens, servers, roles."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import JsonFlag, failures, out, plain, print_json
from inferproof.cli.contract import KeyFile, Rpc
from inferproof.cli.files import read_key
from inferproof.cli.parts import need
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address

if TYPE_CHECKING:
    from inferproof.chain.answers import ChainReceipt
    from inferproof.chain.escrow import Escrow
    from inferproof.chain.market import Market

MarketAddress = Annotated[
    str, typer.Option("--market", metavar="ADDRESS", help="The market's address.")
]
Who = Annotated[str, typer.Argument(metavar="ADDRESS")]
RoleName = Annotated[
    str, typer.Argument(metavar="ROLE", help="parameters, pauser, admission, fees or recorder.")
]

market = typer.Typer(
    name="market", help="Administer a market on a chain, and look at it.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(market)


@market.command("show")
def show(
    rpc: Rpc,
    address: MarketAddress,
    token: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="A token to look up.")
    ] = None,
    server: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="A server to look up.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the parameters of a market, and what it says of tokens and servers."""
    with failures(as_json=as_json):
        told = _ask(rpc, address, lambda found: _facts(found, token or [], server or []))
        if as_json:
            print_json(told)
            return
        for name, value in told.items():
            out.print(f"[bold]{name:14}[/] {plain(value)}")


async def _facts(found: "Market", tokens: list[str], servers: list[str]) -> dict[str, Any]:
    parameters = await found.parameters()
    told: dict[str, Any] = {
        "market": found.address.hex,
        "administrator": (await found.admin()).hex,
        "paused": await found.paused(),
        "fee_bps": parameters.fee_bps,
        "least_score": parameters.least_score,
        "bond_factor": parameters.bond_factor,
    }
    for text in tokens:
        listed, weight = await found.token(Address.from_hex(text))
        told.setdefault("tokens", {})[text] = {"listed": listed, "weight": str(weight)}
    for text in servers:
        authorised = await found.is_server(Address.from_hex(text))
        told.setdefault("servers", {})[text] = {"authorised": authorised}
    return told


@market.command("fee")
def fee(
    bps: Annotated[int, typer.Argument(metavar="BPS", help="Basis points, 1,000 at most.")],
    rpc: Rpc,
    address: MarketAddress,
    key_file: KeyFile,
    as_json: JsonFlag = False,
) -> None:
    """Set the fee of orders that are made from now on."""
    _change(rpc, address, key_file, lambda found, key: found.set_fee(bps, key), as_json=as_json)


@market.command("admission")
def admission(
    rpc: Rpc,
    address: MarketAddress,
    key_file: KeyFile,
    least_score: Annotated[int, typer.Option(help="From 0 to 10,000.")],
    bond_factor: Annotated[int, typer.Option(help="From 1 to 10.")],
    as_json: JsonFlag = False,
) -> None:
    """Set below which score servers stake how many times a bond, from now on."""
    _change(
        rpc,
        address,
        key_file,
        lambda found, key: found.set_admission(least_score, bond_factor, key),
        as_json=as_json,
    )


@market.command("token")
def token(
    who: Who,
    rpc: Rpc,
    address: MarketAddress,
    key_file: KeyFile,
    listed: Annotated[
        bool, typer.Option("--listed/--not-listed", help="Whether orders are made in it.")
    ] = True,
    weight: Annotated[
        int | None,
        typer.Option(
            help="Of an atomic unit in reputations, in millionths of a dollar times 10^18. "
            "Default: that of a dollar token of six decimals."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List a token to make orders in, or end that; what is locked in it stays."""

    async def work(found: "Market", key: SigningKey) -> "ChainReceipt":
        from inferproof.chain.market import DOLLAR_WEIGHT

        counted = DOLLAR_WEIGHT if weight is None else weight
        return await found.set_token(Address.from_hex(who), listed, counted, key)

    _change(rpc, address, key_file, work, as_json=as_json)


@market.command("server")
def server(
    who: Who,
    rpc: Rpc,
    address: MarketAddress,
    key_file: KeyFile,
    authorised: Annotated[
        bool, typer.Option("--authorised/--removed", help="Whether it may accept orders.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Authorise a server, or remove it: that counts for new acceptances."""
    _change(
        rpc,
        address,
        key_file,
        lambda found, key: found.set_server(Address.from_hex(who), authorised, key),
        as_json=as_json,
    )


@market.command("pause")
def pause(rpc: Rpc, address: MarketAddress, key_file: KeyFile, as_json: JsonFlag = False) -> None:
    """Stop new orders and acceptances. Deliveries, refunds and withdrawals go on."""
    _change(rpc, address, key_file, lambda found, key: found.pause(key), as_json=as_json)


@market.command("unpause")
def unpause(rpc: Rpc, address: MarketAddress, key_file: KeyFile, as_json: JsonFlag = False) -> None:
    """Resume what was stopped."""
    _change(rpc, address, key_file, lambda found, key: found.unpause(key), as_json=as_json)


@market.command("grant")
def grant(
    role: RoleName,
    who: Who,
    rpc: Rpc,
    address: MarketAddress,
    key_file: KeyFile,
    as_json: JsonFlag = False,
) -> None:
    """Give a role to an account, such as a timelock."""
    _role(rpc, address, key_file, role, who, as_json=as_json, given=True)


@market.command("revoke")
def revoke(
    role: RoleName,
    who: Who,
    rpc: Rpc,
    address: MarketAddress,
    key_file: KeyFile,
    as_json: JsonFlag = False,
) -> None:
    """Take a role away from an account."""
    _role(rpc, address, key_file, role, who, as_json=as_json, given=False)


def _role(
    url: str, address: str, key_file: Path, name: str, who: str, *, as_json: bool, given: bool
) -> None:
    async def work(found: "Market", key: SigningKey) -> "ChainReceipt":
        from inferproof.chain.market import Role

        role, account = Role(name), Address.from_hex(who)
        if given:
            return await found.grant(role, account, key)
        return await found.revoke(role, account, key)

    names = ("parameters", "pauser", "admission", "fees", "recorder")
    if name not in names:
        raise typer.BadParameter(f"a role is one of {', '.join(names)}", param_hint="ROLE")
    _change(url, address, key_file, work, as_json=as_json)


@market.command("withdraw-fees")
def withdraw_fees(
    rpc: Rpc,
    escrow: Annotated[str, typer.Option(metavar="ADDRESS", help="The escrow's address.")],
    token_address: Annotated[str, typer.Option("--token", metavar="ADDRESS")],
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="Who gets them.")],
    key_file: KeyFile,
    as_json: JsonFlag = False,
) -> None:
    """Take all fees of a token out of an escrow. The role `fees` does."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.escrow", extra="chain")
        work = _withdraw(rpc, escrow, token_address, to, read_key(key_file))
        amount, receipt = asyncio.run(work)
        told = {
            "amount": str(amount),
            "transaction": None if receipt is None else receipt.tx.hex,
            "gas": 0 if receipt is None else receipt.gas_used,
        }
        if as_json:
            print_json(told)
        elif receipt is None:
            out.print("there are no fees to take")
        else:
            out.print(f"took {amount} atomic units in {receipt.tx}")


async def _withdraw(
    url: str, escrow: str, token_address: str, to: str, key: SigningKey
) -> "tuple[int, ChainReceipt | None]":
    from inferproof.chain.escrow import open_escrow
    from inferproof.chain.rpc import Rpc

    async with Rpc(url) as rpc:
        found: Escrow = await open_escrow(rpc, Address.from_hex(escrow))
        asked = Address.from_hex(token_address)
        amount = await found.fees(asked)
        if not amount:
            return 0, None
        return amount, await found.withdraw_fees(asked, Address.from_hex(to), amount, key)


def _ask(url: str, address: str, work: "Callable[[Market], Awaitable[dict[str, Any]]]") -> Any:
    need("asking a chain", "inferproof.chain.market", extra="chain")

    async def asked() -> dict[str, Any]:
        from inferproof.chain.market import open_market
        from inferproof.chain.rpc import Rpc

        async with Rpc(url) as rpc:
            return await work(await open_market(rpc, Address.from_hex(address)))

    return asyncio.run(asked())


def _change(
    url: str,
    address: str,
    key_file: Path,
    work: "Callable[[Market, SigningKey], Awaitable[ChainReceipt]]",
    *,
    as_json: bool,
) -> None:
    async def done(found: "Market") -> dict[str, Any]:
        receipt = await work(found, read_key(key_file))
        return {"transaction": receipt.tx.hex, "block": receipt.block, "gas": receipt.gas_used}

    with failures(as_json=as_json):
        told = _ask(url, address, done)
        if as_json:
            print_json(told)
        else:
            out.print(f"done in {told['transaction']}")
