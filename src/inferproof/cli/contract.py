"""`inferproof contract`: the contract that checks private proofs on a chain, and what it holds."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.compiled import read_bundle
from inferproof.cli.console import JsonFlag, failures, out, print_json
from inferproof.cli.files import read_key
from inferproof.cli.gateway import checked_url
from inferproof.cli.parts import need
from inferproof.types.digest import Address

if TYPE_CHECKING:
    from inferproof.chain.private_proofs import Stored

Rpc = Annotated[
    str,
    typer.Option("--rpc", metavar="RPC", help="The chain's node.", callback=checked_url),
]
KeyFile = Annotated[
    Path,
    typer.Option(
        help="File with the key that pays the gas, 64 hex digits, readable by its owner only."
    ),
]

contract = typer.Typer(
    name="contract", help="Check private proofs on a chain.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(contract)


@contract.command("store")
def store(
    model: Annotated[
        Path, typer.Argument(metavar="DIR", help="A compiled model, or its verifier.json.")
    ],
    rpc: Rpc,
    address: Annotated[str, typer.Option("--contract", help="The contract's address.")],
    key_file: KeyFile,
    as_json: JsonFlag = False,
) -> None:
    """Store what the contract runs to check proofs of a model; what it holds is left as it is.

    These are programs of the model's key, one for its proofs and one for each kind of link between
    key and proof, rotations included. Anyone may store them.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.private_proofs", extra="chain")
        stored = asyncio.run(_store(model, rpc, Address.from_hex(address), key_file))
        if as_json:
            print_json({"contract": address, "programs": [_json(each) for each in stored]})
            return
        for number, each in enumerate(stored):
            what = "of links" if number else "of proofs"
            how = f"{each.gas:,} gas" if each.gas else "held before"
            out.print(f"[bold]program {what}[/]  {each.digest}, {each.size:,} bytes, {how}")


async def _store(model: Path, url: str, address: Address, key_file: Path) -> "list[Stored]":
    from inferproof.chain.private_proofs import store_programs
    from inferproof.chain.rpc import Rpc
    from inferproof.proving.sumcheck.contract import contract_programs

    programs = contract_programs(read_bundle(model).verifying_key).every
    async with Rpc(url) as rpc:
        return await store_programs(rpc, address, programs, read_key(key_file))


def _json(stored: "Stored") -> dict[str, Any]:
    return asdict(stored) | {"digest": stored.digest.hex}
