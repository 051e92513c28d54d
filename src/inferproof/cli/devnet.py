"""A chain, or a whole market, on this machine."""

import os
import shlex
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from inferproof.cli.console import MAX_PORT, JsonFlag, failures, out, plain, print_json, progress
from inferproof.cli.parts import need
from inferproof.errors import Reason, Unavailable

DEFAULT_RPC_PORT = 8545
DEFAULT_PORT = 9100
LOOK_S = 0.5
"""How often it is looked whether chain and gateway still run."""

Port = Annotated[
    int, typer.Option(min=0, max=MAX_PORT, help="Port of the gateway; 0 takes a free one.")
]
RpcPort = Annotated[
    int, typer.Option(min=0, max=MAX_PORT, help="Port of the node; 0 takes a free one.")
]
Folder = Annotated[Path, typer.Option(help="Folder of addresses, keys and compiled models.")]
DEFAULT_FOLDER = Path(".inferproof/devnet")


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="A chain, or a whole market, on this machine.", no_args_is_help=True)
    group.command("up")(up)
    group.command("serve")(serve)
    app.add_typer(group, name="devnet")
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Option(help="Folder that keeps the compiled models.")] = Path(
        ".inferproof/demo"
    ),
    as_json: JsonFlag = False,
) -> None:
    """Buy three proved predictions on a local chain, re-check everything, and try to cheat."""
    with failures(as_json=as_json):
        need("the demonstration", "inferproof.testing.market", extra="all")
        from inferproof.cli.demo import run_demo

        run_demo(folder, as_json=as_json)


def up(
    port: RpcPort = DEFAULT_RPC_PORT,
    folder: Folder = DEFAULT_FOLDER,
    as_json: JsonFlag = False,
) -> None:
    """Start a local chain with a dollar token, funded wallets and the proof verifier.

    Its keys are public: use them for nothing else. Runs until Ctrl-C.
    """
    with failures(as_json=as_json), ExitStack() as stack:
        need("a local chain", "inferproof.testing.market", extra="all")
        from inferproof.testing.market import LocalChain

        with progress("starting") as report:
            chain = stack.enter_context(LocalChain(folder, rpc_port=port, report=report))
        info = chain.devnet
        buyer = write_key(folder, "buyer", info.accounts.buyer.secret())
        facts = {
            "rpc_url": info.rpc_url,
            "network": info.network.caip2,
            "token": info.token.address.hex,
            "verifier": info.verifier.hex,
            "private_proofs": info.private_proofs.hex,
            "model_registry": info.model_registry.hex,
            "payouts": info.payouts.hex,
            "buyer": info.accounts.buyer.address.hex,
            "buyer_key_file": str(buyer),
            "gateway": info.accounts.gateway.address.hex,
            "provider": info.accounts.provider.address.hex,
            "models": {m.card.id: str(m.compiled) for m in chain.models},
        }
        _announce(facts, as_json=as_json)
        _wait(lambda: chain.running)


def serve(
    port: Port = DEFAULT_PORT,
    rpc_port: RpcPort = 0,
    folder: Folder = DEFAULT_FOLDER,
    card: Annotated[
        list[Path] | None,
        typer.Option(
            help="A model card, or the folder it lies in, to sell in place of the three models. "
            "May be repeated."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start a local chain and a gateway on it that sells the three models, or those of other cards.

    Runs until Ctrl-C.
    """
    with failures(as_json=as_json), ExitStack() as stack:
        need("a local market", "inferproof.testing.market", extra="all")
        from inferproof.testing.market import Market

        with progress("starting") as report:
            market = stack.enter_context(
                Market(folder, port=port, rpc_port=rpc_port, cards=tuple(card or ()), report=report)
            )
        info = market.devnet
        buyer = write_key(folder, "buyer", info.accounts.buyer.secret())
        facts = {
            "url": market.url,
            "rpc_url": info.rpc_url,
            "network": info.network.caip2,
            "token": info.token.address.hex,
            "verifier": info.verifier.hex,
            "private_proofs": info.private_proofs.hex,
            "model_registry": info.model_registry.hex,
            "payouts": info.payouts.hex,
            "buyer_key_file": str(buyer),
            "models": {m.card.id: str(m.compiled) for m in market.models},
        }
        _announce(facts, as_json=as_json)
        if not as_json and not card:
            out.print(
                f"\ntry: inferproof call {market.url} crypto-news-sentiment "
                f"--input 'Regulator approves the first spot fund' --max-price 0.25 "
                f"--key-file {plain(shlex.quote(str(buyer)))}\nstop with Ctrl-C"
            )
        _wait(lambda: market.running)


def write_key(folder: Path, name: str, secret: bytes) -> Path:
    """The path of a key file that only its owner may read."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.key"
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
    return path


def _announce(facts: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(dict(facts))
        return
    for name, value in facts.items():
        if isinstance(value, Mapping):
            for key, path in value.items():
                out.print(f"[bold]{name:16}[/] {plain(key)}: {plain(path)}")
        else:
            out.print(f"[bold]{name:16}[/] {plain(value)}")


def _wait(running: Callable[[], bool]) -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(LOOK_S):
        if not running():
            raise Unavailable(Reason.SERVICE_ENDED, service="local chain or its gateway")
