"""`inferproof registry`: models on a chain, whose they are, and what a call costs."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from inferproof.cli.compiled import BUNDLE, read_bundle
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, progress
from inferproof.cli.contract import KeyFile, Rpc
from inferproof.cli.files import read_file, read_key
from inferproof.cli.parts import need
from inferproof.errors import ArtifactRejected, Reason, RequestRejected
from inferproof.protocol.registration import (
    MAX_PRICES,
    check_bound,
    content_id_text,
    parse_content_id,
    parse_price,
    raw_content_id,
)
from inferproof.protocol.verifier_bundle import MAX_BYTES as MAX_BUNDLE
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.registry import (
    CommitmentKind,
    Ownership,
    RegisteredVersion,
    Registration,
    Terms,
    TokenPrice,
)

if TYPE_CHECKING:
    from inferproof.chain.model_registry import ModelRegistry, Registered
    from inferproof.protocol.verifier_bundle import VerifierBundle

T = TypeVar("T")
MAX_METADATA = 16 * 2**20

Registry = Annotated[
    str, typer.Option("--registry", metavar="ADDRESS", help="The registry's address.")
]
Prices = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        metavar="TOKEN=AMOUNT",
        help="What a call costs in a token, by its address, in atomic units; none to take it no "
        "more. May be repeated.",
    ),
]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="The commitment of the model's first version.")
]

registry = typer.Typer(
    name="registry", help="Register models on a chain, and read them there.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(registry)


@registry.command("register")
def register_model(
    compiled: Annotated[
        Path, typer.Argument(metavar="DIR", help="A compiled model, or its verifier.json.")
    ],
    rpc: Rpc,
    address: Registry,
    key_file: KeyFile,
    model: Annotated[
        str | None,
        typer.Option(
            help="Of a new version: the commitment of the model's first. Left out: a new model."
        ),
    ] = None,
    price: Prices = None,
    metadata: Annotated[
        Path | None, typer.Option(help="A file that describes the model; its SHA-256 is kept.")
    ] = None,
    metadata_uri: Annotated[
        str, typer.Option("--metadata-uri", help="Where that file can be read, 256 bytes at most.")
    ] = "",
    content_id: Annotated[
        str | None,
        typer.Option(
            "--content-id",
            help="CID of verifier.json, where it is stored otherwise than as one raw block.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Register a compiled model, or a new version of one, as the owner of the key.

    Seals the registration, waits a minute and makes it: two transactions, after which the model
    commitment belongs to the key's address. Register before the commitment is published anywhere.
    Run again after a failure, it goes on from there.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.model_registry", extra="chain")
        bundle = read_bundle(compiled)
        file = compiled / BUNDLE if compiled.is_dir() else compiled
        terms = _terms(
            bundle,
            read_file(metadata, MAX_METADATA) if metadata is not None else None,
            metadata_uri,
            parse_content_id(content_id)
            if content_id is not None
            else raw_content_id(read_file(file, MAX_BUNDLE)),
        )
        key = read_key(key_file)

        async def work(opened: "ModelRegistry") -> "Registered":
            registration = Registration(
                bundle.commitment,
                bundle.commitment if model is None else Digest.from_hex(model),
                key.address,
                await opened.deadline(),
                terms,
                tuple(_prices(price)),
            )
            return await opened.register(registration, key)

        with progress("registering") as report:
            report("sealing, and waiting a minute", 0.0)
            made = _with_registry(rpc, address, work)
        if as_json:
            gas = {"seal_gas": made.seal_gas, "gas": made.gas}
            print_json({"registry": address, **_version_json(made.version), **gas})
            return
        _show_version(made.version)
        told = f"{made.gas:,} and {made.seal_gas:,} of the seal" if made.gas else "was registered"
        out.print(f"[bold]gas[/]           {told}")


@registry.command("show")
def show(
    target: Annotated[
        str,
        typer.Argument(
            metavar="COMMITMENT",
            help="A model commitment; or a compiled model, with which the registry is compared.",
        ),
    ],
    rpc: Rpc,
    address: Registry,
    token: Annotated[
        list[str] | None,
        typer.Option(help="A token whose price is asked, by its address. May be repeated."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a registered version, whose its model is, and what a call costs."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.model_registry", extra="chain")
        bundle = None if target.startswith("0x") else read_bundle(Path(target))
        commitment = Digest.from_hex(target) if bundle is None else bundle.commitment
        tokens = [Address.from_hex(text) for text in token or ()]

        async def work(
            opened: "ModelRegistry",
        ) -> tuple[RegisteredVersion, Ownership, list[TokenPrice]]:
            version = await opened.version(commitment)
            ownership = await opened.ownership(version.model)
            return version, ownership, [await opened.price(commitment, each) for each in tokens]

        version, ownership, prices = _with_registry(rpc, address, work)
        if bundle is not None:
            compare(version, bundle)
        if as_json:
            offered = ownership.offered_to
            print_json(
                {
                    "registry": address,
                    **_version_json(version),
                    "owner": ownership.owner.hex,
                    "offered_to": None if offered is None else offered.hex,
                    "versions": ownership.versions,
                    "prices": {p.token.hex: _amount(p) for p in prices},
                }
            )
            return
        _show_version(version)
        out.print(f"[bold]owner[/]         {ownership.owner}")
        if ownership.offered_to is not None:
            out.print(f"[bold]offered to[/]    {ownership.offered_to}")
        for each in prices:
            out.print(f"[bold]price[/]         {_amount(each) or 'not taken'}, token {each.token}")
        if bundle is not None:
            out.print("[bold]compared[/]      it names the compiled model's verifying key")


@registry.command("update")
def update(
    commitment: Annotated[
        str, typer.Argument(metavar="COMMITMENT", help="The version, by its model commitment.")
    ],
    rpc: Rpc,
    address: Registry,
    key_file: KeyFile,
    price: Prices = None,
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Offer the version, or end that."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what a version costs, and whether it is offered. All else of it never changes."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.model_registry", extra="chain")
        digest, prices, key = Digest.from_hex(commitment), _prices(price), read_key(key_file)
        if not prices and active is None:
            raise typer.BadParameter("name --price, --active or --inactive")

        async def work(opened: "ModelRegistry") -> int:
            gas = 0
            if prices:
                gas += (await opened.set_prices(digest, prices, key)).gas_used
            if active is not None:
                gas += (await opened.set_active(digest, active, key)).gas_used
            return gas

        gas = _with_registry(rpc, address, work)
        _done(as_json, f"updated, {gas:,} gas", commitment=commitment, gas=gas)


@registry.command("transfer")
def transfer(
    model: ModelName,
    rpc: Rpc,
    address: Registry,
    key_file: KeyFile,
    to: Annotated[
        str | None,
        typer.Option(help="Whom the model is offered to. Left out: nobody any more."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Offer a model with all its versions to another address, which has to accept it."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.model_registry", extra="chain")
        name, key = Digest.from_hex(model), read_key(key_file)
        taker = ZERO_ADDRESS if to is None else Address.from_hex(to)

        async def work(opened: "ModelRegistry") -> int:
            return (await opened.transfer(name, taker, key)).gas_used

        gas = _with_registry(rpc, address, work)
        told = "offered to nobody" if to is None else f"offered to {taker}, which has to accept"
        _done(as_json, told, model=model, offered_to=None if to is None else taker.hex, gas=gas)


@registry.command("accept")
def accept(
    model: ModelName, rpc: Rpc, address: Registry, key_file: KeyFile, as_json: JsonFlag = False
) -> None:
    """Accept a model that its owner offered to the key's address."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.chain.model_registry", extra="chain")
        name, key = Digest.from_hex(model), read_key(key_file)

        async def work(opened: "ModelRegistry") -> int:
            return (await opened.accept(name, key)).gas_used

        gas = _with_registry(rpc, address, work)
        told = f"the model belongs to {key.address}"
        _done(as_json, told, model=model, owner=key.address.hex, gas=gas)


def _with_registry(url: str, address: str, work: "Callable[[ModelRegistry], Awaitable[T]]") -> T:
    """What the work gives, with the registry at the address. Raises: as `open_registry`."""
    from inferproof.chain.model_registry import open_registry
    from inferproof.chain.rpc import Rpc

    async def run() -> T:
        async with Rpc(url) as rpc:
            return await work(await open_registry(rpc, Address.from_hex(address)))

    return asyncio.run(run())


def _prices(texts: list[str] | None) -> list[TokenPrice]:
    prices = [parse_price(text) for text in texts or ()]
    check_bound("list of prices", len(prices), MAX_PRICES, "tokens")
    return prices


def _terms(bundle: "VerifierBundle", metadata: bytes | None, uri: str, content_id: bytes) -> Terms:
    """What the bundle says of the model, and where to find it and its description."""
    from inferproof.cli.onchain import contract_key, input_kinds

    if (metadata is None) != (uri == ""):
        raise RequestRejected(Reason.REGISTRATION_METADATA)
    return Terms(
        contract_key(bundle),
        input_kinds(bundle),
        CommitmentKind.DISCLOSED,
        ZERO_DIGEST if metadata is None else Digest(hashlib.sha256(metadata).digest()),
        uri,
        content_id,
    )


def compare(version: RegisteredVersion, bundle: "VerifierBundle") -> None:
    """Returns when the registry names the bundle's verifying key.

    Raises: ArtifactRejected REGISTRY_OTHER_KEY.
    """
    from inferproof.cli.onchain import contract_key

    expected = contract_key(bundle)
    if version.terms.key != expected:
        raise ArtifactRejected(
            Reason.REGISTRY_OTHER_KEY,
            got=version.terms.key.digest,
            commitment=version.commitment,
            expected=expected.digest,
        )


def _amount(price: TokenPrice) -> str | None:
    return None if price.amount is None else str(price.amount)


def _kinds(kinds: CommitmentKind) -> list[str]:
    return [str(kind.name).lower() for kind in kinds]


def _version_json(version: RegisteredVersion) -> dict[str, Any]:
    terms = version.terms
    return {
        "commitment": version.commitment.hex,
        "model": version.model.hex,
        "number": version.number,
        "active": version.active,
        "verifier": "0x" + terms.key.verifier.hex(),
        "verifying_key": terms.key.digest.hex,
        "inputs": _kinds(terms.inputs),
        "outputs": _kinds(terms.outputs),
        "metadata_sha256": terms.metadata.raw.hex() if terms.metadata_uri else None,
        "metadata_uri": terms.metadata_uri or None,
        "content_id": content_id_text(terms.content_id) if terms.content_id else None,
    }


def _show_version(version: RegisteredVersion) -> None:
    told, state = _version_json(version), "active" if version.active else "not offered"
    out.print(f"[bold]commitment[/]    {version.commitment}")
    out.print(f"[bold]model[/]         {version.model}, version {version.number}, {state}")
    checked = "no contract" if not any(version.terms.key.verifier) else told["verifier"]
    out.print(f"[bold]verifying key[/] {told['verifying_key']}, checked by {checked}")
    out.print(f"[bold]inputs[/]        {', '.join(told['inputs'])}")
    if version.terms.metadata_uri:
        out.print(f"[bold]metadata[/]      {plain(told['metadata_uri'])}")
        out.print(f"[bold]its SHA-256[/]   {told['metadata_sha256']}")
    if told["content_id"]:
        out.print(f"[bold]content id[/]    {told['content_id']}")


def _done(as_json: bool, told: str, **facts: object) -> None:
    if as_json:
        print_json(facts)
    else:
        out.print(told)
