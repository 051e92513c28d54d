"""`inferproof chain`: deploy this release's contracts to a chain, and check what is there."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, print_table, progress
from inferproof.cli.contract import Rpc
from inferproof.cli.files import read_key
from inferproof.cli.parts import need
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; print addresses, gas and cost.")
    ] = False,
    file: File = FILE,
    as_json: JsonFlag = False,
) -> None:
    """Deploy the contracts of this release, at the same addresses on every chain.

    What is there is left as it is, so that a run that was stopped is taken up by the next one.
    Writes what is deployed into the file of addresses.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.release", extra="chain")
        expected = _network(network)
        if key_file is None and not dry_run:
            raise typer.BadParameter("deploying needs a key", param_hint="--key-file")
        with progress("deploying") as report:
            work = _deploy(rpc, expected, key_file, file, dry_run, report)
            placed, fees, found = asyncio.run(work)
        if as_json:
            print_json(_told(placed, fees, found, dry_run))
            return
        _show(placed, fees, found, dry_run)


async def _deploy(
    url: str,
    expected: Network | None,
    key_file: Path | None,
    file: Path,
    dry_run: bool,
    report: Any,
) -> "tuple[list[Placed], Fees, Network]":
    from inferproof.chain.create2 import DEPLOYER
    from inferproof.chain.deployments import load_deployments, save_deployment
    from inferproof.chain.release import deploy_release, estimate_release, recorded, release
    from inferproof.chain.rpc import Rpc
    from inferproof.chain.transactions import suggest_fees

    load_deployments(file)  # one that cannot be read is told before anything is sent
    async with Rpc(url) as rpc:
        if expected is not None:
            await rpc.require_chain(expected.chain_id)
        network, contracts = Network.evm(await rpc.chain_id()), release()
        fees = await suggest_fees(rpc)
        if dry_run or key_file is None:
            sender = DEPLOYER if key_file is None else read_key(key_file).address
            return await estimate_release(rpc, contracts, sender), fees, network
        placed = await deploy_release(rpc, contracts, read_key(key_file), report)
        save_deployment(file, await recorded(rpc, contracts))
        return placed, fees, network


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
    from inferproof.chain.release import check_release, release
    from inferproof.chain.rpc import Rpc

    async with Rpc(url) as rpc:
        if expected is not None:
            await rpc.require_chain(expected.chain_id)
        network = Network.evm(await rpc.chain_id())
        return await check_release(rpc, release(), load_deployment(file, network))


def _network(name: str | None) -> Network | None:
    return None if name is None else NETWORKS.get(name) or Network(name)


def _told(
    placed: "Sequence[Placed]", fees: "Fees", network: Network, dry_run: bool
) -> dict[str, Any]:
    gas = sum(each.gas for each in placed)
    return {
        "network": network.caip2,
        "dry_run": dry_run,
        "contracts": {
            each.contract.name: {"address": each.contract.address.hex, "gas": each.gas}
            for each in placed
        },
        "gas": gas,
        "gas_price_cap_wei": str(fees.cap),
        "cost_cap_wei": str(gas * fees.cap),
    }


def _show(placed: "Sequence[Placed]", fees: "Fees", network: Network, dry_run: bool) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("contract", "address", "gas"):
        table.add_column(heading, justify="right" if heading == "gas" else "left")
    for each in placed:
        took = f"{each.gas:,}" if each.gas else "there already"
        table.add_row(each.contract.name, str(each.contract.address), took)
    print_table(table)
    gas = sum(each.gas for each in placed)
    would = "would take" if dry_run else "took"
    cost = format_units(gas * fees.cap, 18)
    out.print(f"deploying to {plain(network)} {would} {gas:,} gas, at most {cost} coin")
    if dry_run:
        out.print("a rollup takes its data fee beside that")
