"""`inferproof provider rotate` and `openings`: how often the key of a model may
still be opened, here or by the gateway, and a new key of the same weights."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from inferproof.app import key_budgets
from inferproof.app.key_budgets import KeyBudget
from inferproof.cli.compiled import read_bundle
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json
from inferproof.cli.files import check_writable, read_file, write_file
from inferproof.cli.parts import need
from inferproof.errors import NotFound
from inferproof.protocol.opening_budget import figures
from inferproof.protocol.opening_slice import MAX_BYTES, decode_slice, encode_slice
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.types.digest import Digest

T = TypeVar("T")

Compiled = Annotated[Path, typer.Argument(metavar="DIR", help="A compiled model.")]
AtGateway = Annotated[
    bool,
    typer.Option(
        "--gateway",
        help="Count in the order book of this machine's gateway, and mean the model that it "
        "serves; else in your own records.",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(help="The gateway's data folder, with --gateway; else as its settings say."),
]


def add_to(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("rotate")(rotate)
    openings = typer.Typer(
        help="The openings of a model's key, which are counted (sumcheck).",
        no_args_is_help=True,
    )
    openings.command("show")(show)
    openings.command("give")(give)
    openings.command("accept")(accept)
    group.add_typer(openings, name="openings")


def rotate(
    compiled: Compiled,
    gateway: AtGateway = False,
    data_dir: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a new key of the same weights, with a full budget. The model's identity stays.

    It takes an opening of the old key: one is reserved for it.
    """
    with failures(as_json=as_json):
        done = with_store(key_budgets.rotate, compiled, gateway=gateway, data_dir=data_dir)
    told = {"old_key": done.old.hex, **figures_json(done.new)}
    if as_json:
        print_json(told)
        return
    out.print(f"key {done.old} is replaced by another of the same weights")
    show_budget(done.new)


def show(
    compiled: Compiled,
    gateway: AtGateway = False,
    data_dir: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how many openings are left, and the store that counts them here."""
    with failures(as_json=as_json):
        found = with_store(key_budgets.show, compiled, gateway=gateway, data_dir=data_dir)
    if as_json:
        print_json(figures_json(found))
    else:
        show_budget(found)


def give(
    compiled: Compiled,
    store: Annotated[
        str, typer.Option("--to", help="The store that takes them, as `openings show` tells there.")
    ],
    target: Annotated[Path, typer.Option("--out", help="Where the openings are written.")],
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many; without it all that are left, with what is reserved for rotation.",
        ),
    ] = None,
    gateway: AtGateway = False,
    data_dir: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Give openings to another store, in a file that it alone takes, once."""
    with failures(as_json=as_json):
        check_writable(target)
        taker = Digest.from_hex(store)
        slots = with_store(
            lambda budgets, folder: key_budgets.give(budgets, folder, taker, count),
            compiled,
            gateway=gateway,
            data_dir=data_dir,
        )
        write_file(target, encode_slice(slots), owner_only=True)
    told: dict[str, Any] = {
        "key": slots.key.hex,
        "to": slots.taker.hex,
        "first": slots.first,
        "size": slots.size,
        "reserved": slots.reserved,
        "out": str(target),
    }
    if as_json:
        print_json(told)
        return
    out.print(
        f"{slots.size:,} openings of key {slots.key} are given to store {slots.taker}; written to "
        f"{plain(target)}"
    )


def accept(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `openings give` wrote.")],
    gateway: AtGateway = False,
    data_dir: DataFolder = None,
    as_json: JsonFlag = False,
) -> None:
    """Count openings that another store gave, from now on."""
    with failures(as_json=as_json):
        slots = decode_slice(read_file(file, MAX_BYTES))
        found = with_store(
            lambda budgets, _folder: key_budgets.accept(budgets, slots),
            None,
            gateway=gateway,
            data_dir=data_dir,
        )
    if as_json:
        print_json(figures_json(found))
    else:
        show_budget(found)


Work = Callable[[OpeningBudgets, Path], Awaitable[T]]


def with_store(work: Work[T], compiled: Path | None, *, gateway: bool, data_dir: Path | None) -> T:
    """What the work gives, with the store that is meant and the folder of the model there."""
    if data_dir is not None and not gateway:
        raise typer.BadParameter("--data-dir goes with --gateway")
    if not gateway:
        own = LocalOpeningBudgets()
        return asyncio.run(_awaited(work(own, compiled or Path())))
    need("the gateway's order book", "inferproof.app.stores", extra="server")
    return asyncio.run(_with_order_book(work, compiled, data_dir))


async def _with_order_book(work: Work[T], compiled: Path | None, data_dir: Path | None) -> T:
    from inferproof.app.stores import open_stores
    from inferproof.settings import Settings

    settings = Settings.load(**({} if data_dir is None else {"data_dir": data_dir}))
    async with open_stores(settings) as stores:
        folder = compiled or Path()
        if compiled is not None:
            try:
                folder = stores.artifacts.path(read_bundle(compiled).commitment)
            except NotFound:
                folder = compiled  # it is not published yet
        return await work(stores.openings, folder)


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def figures_json(found: KeyBudget) -> dict[str, Any]:
    """What is told of a key's budget to programs."""
    return {"key": found.key.hex, "store": found.store.hex, **figures(found.budget)}


def show_budget(found: KeyBudget) -> None:
    """What is told of a key's budget to people."""
    told = figures(found.budget)
    out.print(f"[bold]openings left[/]  {told['left']:,} ({told['level']})")
    out.print(
        f"[bold]used[/]           {told['used']:,}, given to other stores {told['delegated']:,}, "
        f"reserved for rotation {told['reserved']:,}"
    )
    out.print(f"[bold]key[/]            {found.key}")
    out.print(f"[bold]store[/]          {found.store}")
