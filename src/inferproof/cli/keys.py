"""`inferproof keys`: API keys, which raise the limits of who holds one."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

from inferproof.cli.console import JsonFlag, err, failures, out, plain, print_json, print_table
from inferproof.cli.parts import need

if TYPE_CHECKING:
    from inferproof.storage.ports.rate_limits import ApiKey, ApiKeyStore

T = TypeVar("T")
MOST_TIMES = 1000

keys = typer.Typer(name="keys", help="API keys: callers with higher limits.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(keys)


@keys.command("create")
def create(
    label: Annotated[str, typer.Argument(help="Whom it is for; only the operator sees it.")],
    times: Annotated[
        int,
        typer.Option(min=1, max=MOST_TIMES, help="How many times a stranger's limits it gives."),
    ] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Make a key, and show its secret this once: only a digest of it is kept."""
    with failures(as_json=as_json):
        need("serving", "inferproof.app.stores", extra="server")
        from inferproof.services.limits.keys import new_key

        key, text = new_key(label, times, entropy=os.urandom, now=int(time.time()))
        _with_store(lambda store: store.add(key))
        if as_json:
            print_json({"key": text, **_json(key)})
            return
        err.print(f"API key {key.id} for {plain(label)}, {times} times the limits. Keep it:")
        out.print(text, markup=False)


@keys.command("list")
def list_keys(as_json: JsonFlag = False) -> None:
    """List the keys, without their secrets."""
    with failures(as_json=as_json):
        need("serving", "inferproof.app.stores", extra="server")
        found = _with_store(lambda store: store.list())
        if as_json:
            print_json({"keys": [_json(key) for key in found]})
            return
        table = Table("id", "label", "times", "created", "revoked")
        for key in found:
            revoked = "" if key.revoked_at is None else _date(key.revoked_at)
            table.add_row(key.id, plain(key.label), str(key.factor), _date(key.created_at), revoked)
        print_table(table)


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, of 16 hex digits.")],
    as_json: JsonFlag = False,
) -> None:
    """Revoke a key. Gateways that run refuse it within five seconds."""
    with failures(as_json=as_json):
        need("serving", "inferproof.app.stores", extra="server")
        key = _with_store(lambda store: store.revoke(key_id, now=int(time.time())))
        if as_json:
            print_json(_json(key))
        else:
            err.print(f"API key {key.id} is revoked")


def _with_store(work: "Callable[[ApiKeyStore], Awaitable[T]]") -> T:
    from inferproof.app.stores import open_stores
    from inferproof.settings import Settings

    async def run() -> T:
        async with open_stores(Settings.load()) as stores:
            return await work(stores.api_keys)

    return asyncio.run(run())


def _json(key: "ApiKey") -> dict[str, object]:
    return {
        "id": key.id,
        "label": key.label,
        "times": key.factor,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }


def _date(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(moment))
