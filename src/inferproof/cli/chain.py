"""`inferproof chain`: deploy this release's contracts to a chain, and check what is there."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, print_table, progress
from inferproof.cli.contract import Rpc
from inferproof.cli.files import read_key
from inferproof.cli.parts import need
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address
from inferproof.types.money import Network, format_units

if TYPE_CHECKING:
    from inferproof.chain.deployments import Deployment
    from inferproof.chain.release import Placed
    from inferproof.types.chain import Fees

FILE = Path("deployments.toml")
NETWORKS = {
    "ethereum": Network.evm(1),
    "base": Network.evm(8453),
    "arbitrum": Network.evm(42161),
    "base-sepolia": Network.evm(84532),
    "arbitrum-sepolia": Network.evm(421614),
    "devnet": Network.evm(31337),
}
"""By the names that they go by. Source: chainlist.org; the last is anvil's."""

NetworkName = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="NAME",
        help=f"The chain that the node has to serve: {', '.join(NETWORKS)}, or as eip155:8453.",
    ),
]
File = Annotated[
    Path, typer.Option("--file", help="The file of addresses, a table for each network.")
]

chain = typer.Typer(
    name="chain", help="Deploy the contracts to a chain, and check them.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(chain)


@chain.command("deploy")
def deploy(
    rpc: Rpc,
    network: NetworkName = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the key that pays the gas, 64 hex digits, readable by its owner only."
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Who administrates market, verifiers and access. Default: the key's address. "
            "Addresses follow from it.",
        ),
    ] = None,
    token: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A dollar token of six decimals to make orders in. May be repeated.",
        ),
    ] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A server to authorise. May be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; print addresses, gas and cost.")
    ] = False,
    file: File = FILE,
    as_json: JsonFlag = False,
) -> None:
    """Deploy the contracts of this release, at the same addresses on every chain.

    What is there is left as it is, so that a run that was stopped is taken up by the next one.
    Writes what is deployed into the file of addresses. Where the key is the owner's, the contracts
    are told of each other, of tokens and of servers; else the answer says what is left to do.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.release", extra="chain")
        if key_file is None and not dry_run:
            raise typer.BadParameter("deploying needs a key", param_hint="--key-file")
        if key_file is None and owner is None:
            raise typer.BadParameter("a dry run needs a key or an owner", param_hint="--owner")
        asked = _Asked(
            _network(network),
            None if key_file is None else read_key(key_file),
            None if owner is None else Address.from_hex(owner),
            [Address.from_hex(text) for text in token or ()],
            [Address.from_hex(text) for text in server or ()],
            dry_run,
            file,
        )
        with progress("deploying") as report:
            done = asyncio.run(_deploy(rpc, asked, report))
        if as_json:
            print_json(_told(done))
            return
        _show(done)


@dataclass(frozen=True)
class _Asked:
    network: Network | None
    key: SigningKey | None
    named_owner: Address | None
    tokens: Sequence[Address]
    servers: Sequence[Address]
    dry_run: bool
    file: Path

    @property
    def owner(self) -> Address:
        if self.named_owner is not None:
            return self.named_owner
        assert self.key is not None  # noqa: S101 - one of both is asked for
        return self.key.address


@dataclass(frozen=True)
class _Done:
    """`wired` are the steps that were done, `left` those that the owner has still to do."""

    network: Network
    placed: "Sequence[Placed]"
    fees: "Fees"
    dry_run: bool
    wired: Sequence[str] = ()
    left: Sequence[str] = ()

    @property
    def gas(self) -> int:
        return sum(each.gas for each in self.placed)


async def _deploy(url: str, asked: _Asked, report: Callable[[str, float], None]) -> _Done:
    from inferproof.chain import wiring
    from inferproof.chain.contracts import MARKET
    from inferproof.chain.deployments import load_deployments, save_deployment
    from inferproof.chain.release import (
        addresses,
        deploy_release,
        estimate_release,
        recorded,
        release,
    )
    from inferproof.chain.rpc import Rpc
    from inferproof.chain.transactions import suggest_fees

    load_deployments(asked.file)  # one that cannot be read is told before anything is sent
    async with Rpc(url) as rpc:
        if asked.network is not None:
            await rpc.require_chain(asked.network.chain_id)
        network, contracts = Network.evm(await rpc.chain_id()), release(asked.owner)
        fees = await suggest_fees(rpc)
        if asked.dry_run or asked.key is None:
            placed = await estimate_release(rpc, contracts, asked.owner)
            return _Done(network, placed, fees, dry_run=True)
        placed = await deploy_release(rpc, contracts, asked.key, report)
        save_deployment(asked.file, await recorded(rpc, contracts))
        found = addresses(contracts)
        todo = [
            *wiring.steps(rpc, found, asked.owner),
            *wiring.token_steps(rpc, found[MARKET], asked.tokens),
            *wiring.server_steps(rpc, found[MARKET], asked.servers),
        ]
        if asked.key.address != asked.owner:
            left = await wiring.left(todo)
            return _Done(network, placed, fees, dry_run=False, left=left)
        wired = await wiring.wire(todo, asked.key, report)
        return _Done(network, placed, fees, dry_run=False, wired=wired)


@chain.command("verify")
def verify(
    rpc: Rpc, network: NetworkName = None, file: File = FILE, as_json: JsonFlag = False
) -> None:
    """Compare what is deployed with what this release contains, and with the file of addresses.

    Ends with an error at the first contract that is missing or another one.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.release", extra="chain")
        found = asyncio.run(_verify(rpc, _network(network), file))
        if as_json:
            contracts = {name: each.address.hex for name, each in found.contracts.items()}
            print_json({"network": found.network.caip2, "verified": contracts})
            return
        for name, each in found.contracts.items():
            out.print(f"[bold]{name:24}[/] {each.address}  as released")
        out.print(f"{len(found.contracts)} contracts on {plain(found.network)} are this release's")


async def _verify(url: str, expected: Network | None, file: Path) -> "Deployment":
    from inferproof.chain.deployments import load_deployment
    from inferproof.chain.release import check_release, owner_in, release
    from inferproof.chain.rpc import Rpc

    async with Rpc(url) as rpc:
        if expected is not None:
            await rpc.require_chain(expected.chain_id)
        network = Network.evm(await rpc.chain_id())
        told = load_deployment(file, network)
        return await check_release(rpc, release(owner_in(told)), told)


def _network(name: str | None) -> Network | None:
    return None if name is None else NETWORKS.get(name) or Network(name)


def _told(done: _Done) -> dict[str, Any]:
    return {
        "network": done.network.caip2,
        "dry_run": done.dry_run,
        "contracts": {
            each.contract.name: {"address": each.contract.address.hex, "gas": each.gas}
            for each in done.placed
        },
        "gas": done.gas,
        "gas_price_cap_wei": str(done.fees.cap),
        "cost_cap_wei": str(done.gas * done.fees.cap),
        "told": list(done.wired),
        "left_to_the_owner": list(done.left),
    }


def _show(done: _Done) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("contract", "address", "gas"):
        table.add_column(heading, justify="right" if heading == "gas" else "left")
    for each in done.placed:
        took = f"{each.gas:,}" if each.gas else "there already"
        table.add_row(each.contract.name, str(each.contract.address), took)
    print_table(table)
    would = "would take" if done.dry_run else "took"
    cost = format_units(done.gas * done.fees.cap, 18)
    out.print(f"deploying to {plain(done.network)} {would} {done.gas:,} gas, at most {cost} coin")
    if done.dry_run:
        out.print("a rollup takes its data fee beside that")
    for what in done.wired:
        out.print(f"told of {plain(what)}")
    for what in done.left:
        out.print(f"left to the owner: {plain(what)}")
