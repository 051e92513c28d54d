"""Providing: compile a model with its card, publish it here, submit it elsewhere, serve orders."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.app.compiling import compile_card
from inferproof.app.openings import local_system
from inferproof.cli import openings
from inferproof.cli.audit import OpeningOption, check_one_size, salts_of
from inferproof.cli.compiled import place_of, read_bundle
from inferproof.cli.console import JsonFlag, failures, out, plain, print_each, progress
from inferproof.cli.described import shown_by_proofs
from inferproof.cli.files import read_key
from inferproof.cli.gateway import ask, checked_url
from inferproof.cli.offline import Bits, Margin, show_notes
from inferproof.cli.parts import need
from inferproof.cli.samples import RangeOption
from inferproof.cli.serving_orders import run_provider
from inferproof.cli.verify import warn_of_setup
from inferproof.models.drawing import parse_ranges
from inferproof.models.variants import read_variants
from inferproof.proving.base import CompileReport, SrsSource

if TYPE_CHECKING:
    from inferproof.app.publishing import SignedSubmission

SUBMIT_TIMEOUT_S = 120.0
_PUBLISHED = ("model", "status", "model_commitment")

CardPath = Annotated[
    Path, typer.Argument(metavar="CARD", help="A model card, or the folder it lies in.")
]
Compiled = Annotated[Path, typer.Argument(metavar="DIR", help="The model, compiled.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    group = typer.Typer(help="Publish models, and serve orders.", no_args_is_help=True)
    group.command("compile")(compile_model)
    group.command("publish")(publish)
    group.command("submit")(submit)
    group.command("run")(run_provider)
    openings.add_to(group)
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
    bits: Bits = None,
    margin: Margin = None,
    ranges: RangeOption = None,
    opening: OpeningOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile the model of a card, its pre-processing included in the commitment."""
    if (srs is None) != (srs_sha256 is None):
        raise typer.BadParameter("--srs and --srs-sha256 go together")
    source = SrsSource(srs, srs_sha256) if srs and srs_sha256 else None
    told = []
    with failures(as_json=as_json):
        declared = parse_ranges(ranges or ())
        variants = read_variants(card)
        check_one_size(opening, len(variants))
        for variant in variants:
            described, place = variant.card, place_of(variant.choice, folder)
            with (
                local_system(described.proof.system) as system,
                progress(f"compiling {variant.choice.name}".rstrip()) as report,
            ):
                done = compile_card(
                    *(described, place, system, report, source, declared),
                    bits=bits,
                    margin=margin,
                    choice=variant.choice,
                    salts=salts_of(opening),
                )
            warn_of_setup(done.parts.setup)
            told.append(_compiled(done, place, as_json=as_json))
    if as_json:
        print_each(told)


def _compiled(done: CompileReport, folder: Path, *, as_json: bool) -> dict[str, Any]:
    """What is told of a compiled model, once it is printed where a person reads."""
    result: dict[str, Any] = {
        "model_commitment": done.commitment.hex,
        "parameters": done.parameters,
        "compile_s": done.compile_s,
        "key_bytes": done.key_bytes,
        "max_error": done.max_error,
        "agreement": done.agreement,
        "samples": done.samples,
        "held_out": done.held_out,
        "shows": shown_by_proofs(read_bundle(folder)),
        "notes": list(done.notes),
        "setup": done.parts.setup.value,
        "out": str(folder),
    }
    if not as_json:
        for name, value in result.items():
            if name != "notes":
                out.print(f"[bold]{name:18}[/] {plain(value)}")
        show_notes(done)
    return result


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
        views = asyncio.run(install_model(settings, card, compiled))
    if as_json:
        made = [(view.name, view.status.value, view.commitment.hex) for view in views]
        print_each([dict(zip(_PUBLISHED, each, strict=True)) for each in made])
        return
    for view in views:
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
        from inferproof.app.publishing import submissions

        views = [_sent(url, each) for each in submissions(card, compiled, read_key(key_file))]
    if as_json:
        print_each(views)
        return
    for view in views:
        name = f"{view.get('id')}@{view.get('version')}"
        out.print(f"{plain(name)} is {plain(view.get('status'))}")


def _sent(url: str, submission: "SignedSubmission") -> dict[str, Any]:
    headers = {
        "Content-Type": "application/json",
        "Inferproof-Signature": "0x" + submission.signature.hex(),
    }
    return ask(
        *("POST", url, "/v1/models"),
        body=submission.document,
        headers=headers,
        timeout_s=SUBMIT_TIMEOUT_S,
    )
