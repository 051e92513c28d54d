"""`inferproof verify`: a proof against a compiled model, or a receipt with all it claims."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from inferproof.cli.compiled import bundle_for_proof
from inferproof.cli.console import JsonFlag, err, failures, out, plain, print_json
from inferproof.cli.files import read_file
from inferproof.cli.gateway import checked_url
from inferproof.cli.private_input import inputs_of, read_opening
from inferproof.client.tools import installed_checker
from inferproof.protocol.claims import assurance_of, proven_sentence
from inferproof.protocol.labels import label_of, names_of
from inferproof.protocol.proof_file import MAX_BYTES as MAX_PROOF_FILE
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Assurance, SecurityReport, Setup
from inferproof.types.tensor import FixedTensor, TensorSpec
from inferproof.verify.policy import PROFILES, Policy
from inferproof.verify.proof import VerifiedProof, check_own_input, security_of, verify_proof


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("verify")(verify)


def _known(names: Mapping[str, int]) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value is not None and value not in names:
            raise typer.BadParameter(f"it is one of: {', '.join(names)}")
        return value

    return check


def verify(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="RECEIPT|DIR",
            help="A receipt; or a compiled model, its verifier.json, or a folder of compiled "
            "models.",
        ),
    ],
    proof_file: Annotated[
        Path | None, typer.Argument(metavar="[PROOF]", help="A proof, to check against DIR.")
    ] = None,
    on_chain: Annotated[
        str | None,
        typer.Option(
            "--on-chain",
            metavar="RPC",
            help="Ask this node for the settlement too.",
            callback=checked_url,
        ),
    ] = None,
    contract: Annotated[
        str | None,
        typer.Option(
            "--verifier-contract",
            help="With --on-chain: have this contract verify the proof. It is recognised by its "
            "code, so its address may come from anyone.",
        ),
    ] = None,
    gateway: Annotated[
        list[str] | None, typer.Option(help="Accept only this gateway; may be repeated.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Accept only this model commitment; may be repeated.")
    ] = None,
    token: Annotated[
        list[str] | None, typer.Option(help="Accept only this token; may be repeated.")
    ] = None,
    minimum_assurance: Annotated[
        Assurance, typer.Option(help="The least assurance to accept.")
    ] = Assurance.ZK_INTEGRITY,
    require_ceremony: Annotated[
        bool,
        typer.Option("--require-ceremony", help="Refuse any set-up but one named by --ceremony."),
    ] = False,
    ceremony: Annotated[
        list[str] | None,
        typer.Option(help="Digest of an SRS to trust; any other is refused. May be repeated."),
    ] = None,
    minimum_profile: Annotated[
        str | None,
        typer.Option(
            help="What soundness must rest on at least: default or evm (the same), or "
            "conservative.",
            callback=_known(PROFILES),
        ),
    ] = None,
    minimum_bits: Annotated[
        float | None, typer.Option(min=0, help="The least provable bits of soundness to accept.")
    ] = None,
    attached_proof: Annotated[
        Path | None, typer.Option("--proof", help="The proof, where the receipt has none.")
    ] = None,
    attached_verifier: Annotated[
        Path | None, typer.Option("--verifier", help="The verifier bundle, likewise.")
    ] = None,
    own_input: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="Your private input, to compare: an .npz with DIR and PROOF; with a receipt what "
            "was called with, text, JSON or @FILE.",
        ),
    ] = None,
    opening: Annotated[
        Path | None,
        typer.Option(help="With --input: the opening of the private input that you were given."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify a receipt and everything it claims, or a proof against a compiled model. Offline."""
    if (own_input is None) != (opening is None):
        raise typer.BadParameter("--input and --opening go together")
    with failures(as_json=as_json):
        policy = Policy(
            gateways=frozenset(map(Address.from_hex, gateway)) if gateway else None,
            models=frozenset(map(Digest.from_hex, model)) if model else None,
            tokens=frozenset(map(Address.from_hex, token)) if token else None,
            minimum_assurance=minimum_assurance,
            require_ceremony=require_ceremony,
            ceremonies=frozenset(map(Digest.from_hex, ceremony or [])),
            minimum_profile=minimum_profile,
            minimum_bits=minimum_bits,
        )
        if proof_file is not None:
            if on_chain or contract or attached_proof or attached_verifier or gateway or token:
                raise typer.BadParameter("these options go with a receipt, not with DIR and PROOF")
            _verify_proof(target, proof_file, policy, _both(own_input, opening), as_json=as_json)
            return
        if target.is_dir():
            raise typer.BadParameter("a compiled model is verified with a proof: verify DIR PROOF")
        if contract is not None and on_chain is None:
            raise typer.BadParameter("--verifier-contract needs --on-chain")
        from inferproof.cli import receipts

        receipts.verify(
            target,
            policy=policy,
            as_json=as_json,
            proof=attached_proof,
            verifier=attached_verifier,
            on_chain=on_chain,
            contract=Address.from_hex(contract) if contract else None,
            own=_both(own_input, opening),
        )


def _both(own_input: str | None, opening: Path | None) -> tuple[str, Path] | None:
    return None if own_input is None or opening is None else (own_input, opening)


def _verify_proof(
    target: Path,
    proof_file: Path,
    policy: Policy,
    own: tuple[str, Path] | None,
    *,
    as_json: bool,
) -> None:
    data = read_file(proof_file, MAX_PROOF_FILE)
    bundle = bundle_for_proof(target, data)
    policy.check_setup(bundle.parts)
    checker = installed_checker(bundle.parts.proof_system, isolated=True)
    began = time.perf_counter()
    verified = verify_proof(data, bundle, checker)
    verify_s = time.perf_counter() - began
    private = verified.statement.private_input
    assurance = assurance_of(bundle, private_input=private)
    policy.check_model(bundle.commitment, assurance)
    security = security_of(checker, bundle, private_input=private)
    policy.check_security(security)
    if own is not None:
        path, opening = own
        inputs = inputs_of(Path(path), bundle)
        check_own_input(verified, bundle, checker, inputs, read_opening(opening))
    proven = proven_sentence(assurance, bundle.parts, private_input=private)
    if as_json:
        print_json(
            {
                "verified": True,
                "verify_s": verify_s,
                "assurance": assurance.value,
                "proven": proven,
                "security": security_json(security),
                "private_input": private,
                "input_compared": own is not None,
                "out_of_range": verified.out_of_range,
                "outputs": outputs_json(verified.outputs),
                "label": label_of(bundle.outputs, verified.outputs),
                "labels": labels_json(bundle.outputs),
                "model_commitment": bundle.commitment.hex,
                "job_id": verified.statement.job_id.hex,
                "provider": verified.statement.provider.hex,
                "setup": bundle.parts.setup.value,
            }
        )
        return
    show_outputs(verified.outputs, bundle.outputs)
    out.print(f"model {bundle.commitment}\njob   {verified.statement.job_id}")
    out.print(f"[bold]assurance[/] {assurance.value}: {plain(proven)}")
    print_security(security)
    show_out_of_range(verified)
    if private:
        out.print(f"[bold]input[/]     {_YOURS if own is not None else _HIDDEN}")
    out.print(f"[bold green]verified[/] in {verify_s * 1e3:.0f} ms")


_YOURS = "private, and yours: it has the root that the statement names"
_HIDDEN = (
    "not applicable: it is private and not in the proof; who has it and its opening compares "
    "them by --input and --opening"
)


def outputs_json(outputs: tuple[FixedTensor, ...]) -> dict[str, Any]:
    """Proven outputs as nested lists of numbers, by name."""
    return {o.name: o.to_array().tolist() for o in outputs}


def show_out_of_range(verified: VerifiedProof) -> None:
    """Says how many values of the input were cut to the model's range, if any."""
    count = verified.out_of_range
    if count:
        values = "1 input value was" if count == 1 else f"{count} input values were"
        out.print(f"[yellow]{values} cut[/] to the model's range")


def labels_json(specs: tuple[TensorSpec, ...]) -> dict[str, list[str]]:
    """The labels of the outputs that have some, by the output's name."""
    return {spec.name: list(spec.labels) for spec in specs if spec.labels}


def show_outputs(outputs: tuple[FixedTensor, ...], specs: tuple[TensorSpec, ...]) -> None:
    """Prints proven outputs, long ones shortened, names beside the numbers that have some."""
    for spec, output in zip(specs, outputs, strict=True):
        with np.printoptions(threshold=32, precision=6, suppress=True):
            out.print(f"{output.name} = {output.to_array()}", markup=False)
        if named := shown_names(spec, output):
            out.print(f"  {named}", markup=False)


MOST_NAMES = 12


def shown_names(spec: TensorSpec, output: FixedTensor) -> str:
    """The names in an output: of its class numbers, or each with its score, the largest first."""
    if not spec.labels:
        return ""
    if spec.names_values:
        return ", ".join(name or "no name" for name in names_of(spec, output)[:MOST_NAMES])
    rows = output.to_array().reshape(-1, len(spec.labels))
    scores = sorted(zip(rows[0], spec.labels, strict=True), key=lambda pair: -pair[0])
    more = ", …" if len(scores) > MOST_NAMES or len(rows) > 1 else ""
    return ", ".join(f"{name} {score:.4g}" for score, name in scores[:MOST_NAMES]) + more


SHOWN_RANGES = "the key shows that its weights are int8 and its parameters in declared ranges"


def print_security(report: SecurityReport | None) -> None:
    """Prints profile and provable bits of a proof, or that nobody has counted them."""
    known = "unknown: this proof system reports none" if report is None else report.summary
    out.print(f"[bold]security[/]  {plain(known)}")
    if report is not None and report.shows_ranges:
        out.print(f"[bold]ranges[/]    {SHOWN_RANGES}")


def security_json(report: SecurityReport | None) -> dict[str, Any] | None:
    """The same for programs."""
    if report is None:
        return None
    bits = report.provable_bits
    return {
        "profile": report.profile,
        "provable_bits": bits,
        "shows_ranges": report.shows_ranges,
    }


def warn_of_setup(setup: Setup) -> None:
    """Says on standard error that a development SRS proves nothing against its maker."""
    if setup is Setup.DEVELOPMENT:
        err.print(
            "[yellow]development SRS[/]: whoever made it can forge proofs of this model; "
            "for production compile with --srs and --srs-sha256"
        )
