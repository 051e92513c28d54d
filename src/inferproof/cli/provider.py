"""Providing: compile a model with its card, publish it here, submit it elsewhere."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from inferproof.app.compiling import compile_card
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, progress
from inferproof.cli.files import read_key
from inferproof.cli.gateway import ask, checked_url
from inferproof.cli.offline import Bits, Margin, Mode, show_notes
from inferproof.cli.parts import need
from inferproof.cli.samples import RangeOption
from inferproof.cli.verify import warn_of_setup
from inferproof.models.card import load_card
from inferproof.models.drawing import parse_ranges
from inferproof.proving.base import SrsSource
from inferproof.proving.registry import get_system

SUBMIT_TIMEOUT_S = 120.0

CardPath = Annotated[
    Path, typer.Argument(metavar="CARD", help="A model card, or the folder it lies in.")
]
Compiled = Annotated[Path, typer.Argument(metavar="DIR", help="The model, compiled.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="Publish models.", no_args_is_help=True)
    group.command("compile")(compile_model)
    group.command("publish")(publish)
    group.command("submit")(submit)
    app.add_typer(group, name="provider")


def compile_model(
    card: CardPath,
    folder: Annotated[Path, typer.Option("--out", help="Where the compiled model is written.")],
    srs: Annotated[
        Path | None, typer.Option(help="A ceremony's SRS file; without it, a development SRS.")
    ] = None,
    srs_sha256: Annotated[
        str | None, typer.Option("--srs-sha256", help="The SHA-256 that pins the SRS file.")
    ] = None,
    mode: Mode = None,
    bits: Bits = None,
    margin: Margin = None,
    ranges: RangeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile the model of a card, its pre-processing included in the commitment."""
    if (srs is None) != (srs_sha256 is None):
        raise typer.BadParameter("--srs and --srs-sha256 go together")
    source = SrsSource(srs, srs_sha256) if srs and srs_sha256 else None
    with failures(as_json=as_json), progress("compiling") as report:
        described = load_card(card)
        system = get_system(described.proof.system)
        declared = parse_ranges(ranges or ())
        done = compile_card(
            described, folder, system, report, source, mode, declared, bits=bits, margin=margin
        )
    warn_of_setup(done.parts.setup)
    result = {
        "model_commitment": done.commitment.hex,
        "parameters": done.parameters,
        "compile_s": done.compile_s,
        "key_bytes": done.key_bytes,
        "max_error": done.max_error,
        "agreement": done.agreement,
        "samples": done.samples,
        "held_out": done.held_out,
        "notes": list(done.notes),
        "setup": done.parts.setup.value,
        "out": str(folder),
    }
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        if name != "notes":
            out.print(f"[bold]{name:18}[/] {plain(value)}")
    show_notes(done)


def publish(
    card: CardPath,
    compiled: Compiled,
    data_dir: Annotated[
        Path | None, typer.Option(help="The gateway's data folder; else as its settings say.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Publish a compiled model at the gateway of this machine's settings, running or not."""
    with failures(as_json=as_json):
        need("publishing", "inferproof.app.publishing", extra="server")
        from inferproof.app.publishing import install_model
        from inferproof.settings import Settings

        settings = Settings.load(**({} if data_dir is None else {"data_dir": data_dir}))
        view = asyncio.run(install_model(settings, card, compiled))
    if as_json:
        status, commitment = view.status.value, view.commitment.hex
        print_json({"model": view.name, "status": status, "model_commitment": commitment})
    else:
        out.print(f"{plain(view.name)} is {view.status.value}, commitment {view.commitment}")


def submit(
    card: CardPath,
    compiled: Compiled,
    url: Annotated[str, typer.Option(help="The gateway's address.", callback=checked_url)],
    key_file: Annotated[Path, typer.Option(help="File with the provider's key.")],
    as_json: JsonFlag = False,
) -> None:
    """Submit a model, signed, to somebody else's gateway, whose operator approves it."""
    with failures(as_json=as_json):
        need("submitting", "inferproof.app.publishing", extra="server")
        from inferproof.app.publishing import submission

        document, signature = submission(card, compiled, read_key(key_file))
        headers = {
            "Content-Type": "application/json",
            "Inferproof-Signature": "0x" + signature.hex(),
        }
        view = ask(
            *("POST", url, "/v1/models"),
            body=document,
            headers=headers,
            timeout_s=SUBMIT_TIMEOUT_S,
        )
    if as_json:
        print_json(view)
    else:
        name = f"{view.get('id')}@{view.get('version')}"
        out.print(f"{plain(name)} is {plain(view.get('status'))}")
