"""`inferproof inspect`: what a compiled model is, and how sound proofs of it are."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from inferproof.app import key_budgets
from inferproof.app.key_budgets import KeyBudget
from inferproof.cli.compiled import read_bundle
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, print_table
from inferproof.cli.described import description_of
from inferproof.cli.openings import figures_json, show_budget
from inferproof.cli.verify import SHOWN_RANGES, labels_json
from inferproof.errors import NotFound, Reason
from inferproof.protocol.claims import assurance_of
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import open_artifact
from inferproof.proving.base import PrivacyReporter
from inferproof.proving.registry import get_system
from inferproof.proving.sumcheck.private_key import has_key
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.types.proof import SecurityReport
from inferproof.verify import proof as proofs


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    app.command("inspect")(inspect)


def inspect(
    compiled: Annotated[
        Path, typer.Argument(metavar="DIR", help="A compiled model, or its verifier bundle.")
    ],
    security: Annotated[
        bool, typer.Option("--security", help="Itemise the provable bits of soundness.")
    ] = False,
    privacy: Annotated[
        bool,
        typer.Option(
            "--privacy",
            help="Itemise what the key shows and hides, and what the model commitment tells "
            "(sumcheck).",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show what a compiled model commits to, with --security how sound its proofs are, and with
    --privacy what its key shows."""
    with failures(as_json=as_json):
        bundle = read_bundle(compiled)
        report = security_of(bundle) if security else None
        shown = privacy_of(bundle) if privacy else None
        plainly = not (report or shown)
        openings = _openings(compiled) if plainly else None
        gas = _gas(compiled) if plainly else None
    if as_json:
        itemised = {**(_security_json(report) if report else {}), **(shown or {})}
        print_json(itemised or _bundle_json(bundle, openings, gas))
        return
    if report:
        _show_security(bundle, report)
    if shown:
        _show_privacy(shown)
    if plainly:
        _show(bundle, gas)
        if openings is not None:
            show_budget(openings)


def security_of(bundle: VerifierBundle) -> SecurityReport:
    """How sound proofs of the model are. Raises: NotFound SECURITY_NOT_ITEMISED."""
    system = get_system(bundle.parts.proof_system)
    report = proofs.security_of(system, bundle)
    if report is None:
        raise NotFound(Reason.SECURITY_NOT_ITEMISED, system=system.name)
    return report


def privacy_of(bundle: VerifierBundle) -> dict[str, Any]:
    """What the model's key shows and hides. Raises: NotFound PRIVACY_NOT_ITEMISED."""
    system = get_system(bundle.parts.proof_system)
    if not isinstance(system, PrivacyReporter):
        raise NotFound(Reason.PRIVACY_NOT_ITEMISED)
    return dict(system.privacy(bundle))


def _openings(compiled: Path) -> KeyBudget | None:
    """What this user's records say of the key's openings, where the folder has what opens it."""
    if not has_key(compiled):
        return None
    return asyncio.run(key_budgets.show(LocalOpeningBudgets(), compiled))


def _gas(compiled: Path) -> tuple[int, int] | None:
    """What a contract takes to check a proof of the model, and links once an epoch, as compiling
    counted it; None of a bundle alone."""
    if not compiled.is_dir():
        return None
    bundle = read_bundle(compiled)
    parts = bundle.parts
    held = open_artifact(compiled, parts.proof_system, parts.proof_system_version)
    links = held.details.get("links_gas", 0)
    return held.costs["verify_gas"], links if isinstance(links, int) else 0


def _said_of_gas(gas: tuple[int, int]) -> str:
    proof, links = gas
    if not proof:
        return "none checks its proofs (compile with --profile evm)"
    more = f", and {links:,} for links once an epoch" if links else ""
    return f"can check its proofs for about {proof:,} gas each{more}"


def _security_json(report: SecurityReport) -> dict[str, Any]:
    return {
        "provable_bits": report.provable_bits,
        "profile": report.profile,
        "shows_ranges": report.shows_ranges,
        "terms": [{"name": name, "bits": bits} for name, bits in report.terms],
    }


def _show_security(bundle: VerifierBundle, report: SecurityReport) -> None:
    out.print(f"[bold]model[/]          {bundle.commitment.hex}")
    out.print(
        f"[bold]proof system[/]   {plain(bundle.parts.proof_system)}, "
        f"profile {plain(report.profile)}"
    )
    out.print(f"[bold]provable bits[/]  {report.provable_bits:.2f}, all terms together")
    if report.shows_ranges:
        out.print(f"[bold]ranges[/]         {SHOWN_RANGES}")
    table = Table("what can go wrong", "bits", box=None)
    for name, bits in report.terms:
        table.add_row(plain(name), f"{bits:.2f}")
    print_table(table)


def _show_privacy(shown: dict[str, Any]) -> None:
    hidden = shown["hidden"]
    out.print(
        f"[bold]hidden[/]         {hidden['weights']:,} weights in {hidden['matrices']:,} "
        f"matrices, {hidden['elements']:,} elements of {hidden['parameters']:,} parameters"
    )
    table = Table("public", "numbers", "what it is", box=None)
    for fact in shown["public"]:
        table.add_row(plain(fact["kind"]), f"{fact['numbers']:,}", plain(fact["what"]))
    print_table(table)
    table = Table("in the model commitment", "what it tells", box=None)
    for part, told in shown["commitments"].items():
        table.add_row(plain(part), plain(told))
    print_table(table)


def _bundle_json(
    bundle: VerifierBundle,
    openings: KeyBudget | None,
    gas: tuple[int, int] | None,
) -> dict[str, Any]:
    parts, described = bundle.parts, description_of(bundle)
    return {
        "model_commitment": bundle.commitment.hex,
        "system": parts.proof_system,
        "version": parts.proof_system_version,
        "assurance": assurance_of(bundle).value,
        "proven": described.proven if described else None,
        "not_proven": described.not_proven if described else None,
        "openings": None if openings is None else figures_json(openings),
        "verify_gas": gas[0] if gas else None,
        "links_gas": gas[1] if gas else None,
        "visibility": parts.visibility.value,
        "setup": parts.setup.value,
        "inputs": [[s.name, s.dtype, list(s.shape)] for s in bundle.inputs],
        "outputs": [[s.name, s.dtype, list(s.shape)] for s in bundle.outputs],
        "labels": labels_json(bundle.outputs),
        "verifying_key_bytes": len(bundle.verifying_key),
    }


def _show(bundle: VerifierBundle, gas: tuple[int, int] | None) -> None:
    parts, described = bundle.parts, description_of(bundle)
    rows = {
        "model": bundle.commitment.hex,
        "proof system": f"{parts.proof_system} {parts.proof_system_version}",
        "assurance": assurance_of(bundle).value,
        **({"not proven": described.not_proven} if described else {}),
        "input": parts.visibility.value,
        "set-up": parts.setup.value,
        "inputs": ", ".join(f"{s.name} {list(s.shape)} {s.dtype}" for s in bundle.inputs),
        "outputs": ", ".join(f"{s.name} {list(s.shape)} {s.dtype}" for s in bundle.outputs),
        **{f"names in {s.name}": ", ".join(s.labels[:32]) for s in bundle.outputs if s.labels},
        **({"contract": _said_of_gas(gas)} if gas else {}),
        "verifying key": f"{len(bundle.verifying_key):,} bytes",
    }
    for name, value in rows.items():
        out.print(f"[bold]{name:14}[/] {plain(value)}")
