"""compile and prove: from an ONNX file to a proof file, without server or chain."""

import os
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from inferproof.app.openings import local_openings, local_system
from inferproof.cli.audit import OpeningOption, check_one_size, salts_of
from inferproof.cli.axes import BatchOption, ShapesOption, choices_of
from inferproof.cli.compiled import model_for_input, place_of, read_bundle
from inferproof.cli.console import (
    JsonFlag,
    err,
    failures,
    out,
    plain,
    print_each,
    print_json,
    progress,
)
from inferproof.cli.described import shown_by_proofs
from inferproof.cli.files import check_writable, write_file
from inferproof.cli.private_input import begun_or_again, inputs_of
from inferproof.cli.samples import (
    Calibration,
    RangeOption,
    check_samples,
    read_or_draw,
)
from inferproof.cli.verify import (
    labels_json,
    outputs_json,
    show_out_of_range,
    show_outputs,
    warn_of_setup,
)
from inferproof.models.arrays import read_arrays
from inferproof.models.card import DEFAULT_SYSTEM
from inferproof.models.load import load_model
from inferproof.models.variants import cut_samples
from inferproof.protocol.labels import label_of
from inferproof.protocol.opening_budget import Budget, Level
from inferproof.proving.base import CompileReport, CompileRequest, OpeningCounter, SrsSource
from inferproof.proving.execution import Proved, ProveRequest, private_executor
from inferproof.proving.execution import prove as prove_run
from inferproof.proving.selection import compiler_of
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.proof import AskedVisibility, Visibility

Bits = Annotated[
    int | None,
    typer.Option(
        min=8,
        max=16,
        help="Bits of the values that a layer takes (sumcheck): more are more exact and cost more. "
        "Without it, as few as suffice.",
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        min=1,
        max=1024,
        help="How many times as far as in the calibration data an input may go before it is cut "
        "(sumcheck): 2 without it. A wider range is a coarser one.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Where the result is written.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    app.command("compile")(compile_model)
    app.command("prove")(prove)
    app.command(
        "prover-stdio", hidden=True, help="Our proof systems behind the external-prover contract."
    )(prover_stdio)


def compile_model(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An ONNX file.")],
    folder: Out,
    calibration: Calibration = None,
    ranges: RangeOption = None,
    batch: BatchOption = 1,
    shape: ShapesOption = None,
    system: Annotated[
        str,
        typer.Option(
            help="The proof system: sumcheck, ezkl, or auto for the fastest that takes the model; "
            "a note says which and why."
        ),
    ] = DEFAULT_SYSTEM,
    visibility: Annotated[
        Visibility,
        typer.Option(help="Whether a proof shows the input or only its salted hash (ezkl)."),
    ] = Visibility.PUBLIC,
    max_error: Annotated[
        float,
        typer.Option(min=1e-6, max=1.0, help="Largest error allowed, as a share of the output."),
    ] = 0.05,
    profile: Annotated[
        str,
        typer.Option(
            help="What soundness rests on (sumcheck): default or conservative, or evm for proofs "
            "that a contract checks."
        ),
    ] = "default",
    bits: Bits = None,
    margin: Margin = None,
    srs: Annotated[
        Path | None,
        typer.Option(help="A ceremony's SRS file (ezkl); without it, a development SRS."),
    ] = None,
    srs_sha256: Annotated[
        str | None, typer.Option("--srs-sha256", help="The SHA-256 that pins the SRS file.")
    ] = None,
    opening: OpeningOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile an ONNX model: quantise, tune, make keys, commit.

    Without a calibration file or ranges, it says which arrays the file has to hold.
    """
    check_samples(calibration, ranges)
    choices = choices_of(batch, shape)
    check_one_size(opening, len(choices))
    if (srs is None) != (srs_sha256 is None):
        raise typer.BadParameter("--srs and --srs-sha256 go together")
    told = []
    with failures(as_json=as_json):
        compiler = compiler_of(system, local_openings)
        for choice in choices:
            loaded = load_model(model, axes=choice.axes)
            samples = read_or_draw(loaded, calibration, ranges)
            request = CompileRequest(
                model=loaded,
                calibration=cut_samples(loaded, samples, choice),
                out=place_of(choice, folder),
                visibility=visibility,
                srs=SrsSource(srs, srs_sha256) if srs and srs_sha256 else None,
                max_error=max_error,
                profile=profile,
                axes=choice.axes,
                bits=bits,
                margin=margin,
                salts=salts_of(opening),
            )
            with progress(f"compiling {choice.name}".rstrip()) as report:
                done = compiler(request, report)
            warn_of_setup(done.parts.setup)
            if not as_json:
                _show_compiled(done, request.out)
            told.append(_compile_json(done, request.out))
    if as_json:
        print_each(told)


def prove(
    artifact: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="A compiled model; or a folder of several, of which the one that takes the "
            "input's shapes is meant.",
        ),
    ],
    inputs: Annotated[
        Path, typer.Option("--input", help="An .npz with one array per graph input.")
    ],
    proof: Out,
    job_id: Annotated[
        str | None, typer.Option(help="The job, 0x and 64 hex digits; random without it.")
    ] = None,
    provider: Annotated[
        str, typer.Option(help="The provider's address, bound into the proof.")
    ] = ZERO_ADDRESS.hex,
    salt: Annotated[
        str | None, typer.Option(help="The input's salt, 0x and 64 hex digits; random without it.")
    ] = None,
    visibility: Annotated[
        AskedVisibility,
        typer.Option(
            help="Of the input: public, or private (sumcheck): then "
            "the proof holds a commitment to it, which whoever has the opening compares."
        ),
    ] = AskedVisibility.PUBLIC,
    opening: Annotated[
        Path | None,
        typer.Option(
            help="Where the secret opening of a private input is written, for its payer; OUT with "
            ".opening behind it without this. If it is there already, its job is proven once more."
        ),
    ] = None,
    repeat: Annotated[
        int, typer.Option(min=0, help="Prove N times after a warm-up and report medians.")
    ] = 0,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds for one proof.")] = 3600.0,
    as_json: JsonFlag = False,
) -> None:
    """Run a compiled model on an input and prove the answer."""
    private = visibility is AskedVisibility.PRIVATE
    if private and (salt or repeat):
        raise typer.BadParameter("--salt and --repeat go with a public input")
    if opening is not None and not private:
        raise typer.BadParameter("--opening goes with --visibility private")
    kept = opening or proof.with_name(proof.name + ".opening")
    with failures(as_json=as_json):
        model = model_for_input(artifact, lambda: read_arrays(inputs))
        bundle = read_bundle(model)
        specs = bundle.outputs
        check_writable(proof)
        job = Digest.from_hex(job_id) if job_id else None
        request = ProveRequest(
            artifact=model,
            inputs=inputs_of(inputs, bundle),
            job_id=job or Digest(os.urandom(32)),
            provider=Address.from_hex(provider),
            salt=Digest.from_hex(salt).raw if salt else os.urandom(32),
            time_limit_s=time_limit,
        )
        with local_system(bundle.parts.proof_system) as prover:
            if private:
                own = begun_or_again(
                    kept,
                    bundle,
                    private_executor(prover),
                    request.inputs,
                    job,
                    local_openings(model),
                )
                request = replace(request, job_id=own.job_id, salt=own.secret, private_input=True)
            with progress("proving") as report:
                last = first = prove_run(prover, request, report)
                times = [] if repeat else [_times(first)]
                for number in range(1, repeat + 1):
                    report(f"again, {number} of {repeat}", number / repeat)
                    last = prove_run(prover, request)
                    times.append(_times(last))
            budget = prover.budget(model) if isinstance(prover, OpeningCounter) else None
        write_file(proof, last.file)
    witness_s, prove_s, peak_mb = zip(*times, strict=True)
    result: dict[str, Any] = {
        "outputs": outputs_json(last.outputs),
        "label": label_of(specs, last.outputs),
        "labels": labels_json(specs),
        "load_s": first.load_s,
        "witness_s": statistics.median(witness_s),
        "prove_s": statistics.median(prove_s),
        "out_of_range": last.verified.out_of_range,
        "proof_bytes": len(last.file),
        "peak_mb": max(peak_mb),
        "job_id": request.job_id.hex,
        "salt": None if private else "0x" + request.salt.hex(),
        "opening": str(kept) if private else None,
        "openings_left": None if budget is None else budget.left,
    }
    _note_low(budget, model)
    if as_json:
        print_json(result)
    else:
        show_outputs(last.outputs, specs)
        show_out_of_range(last.verified)
        out.print(
            f"proved in {result['prove_s']:.2f} s, {result['proof_bytes']:,} bytes, "
            f"{result['peak_mb']:.0f} MB; written to {plain(proof)}"
        )
        if private:
            out.print(f"the input is private: its opening, for whoever paid, is in {plain(kept)}")


def _times(run: Proved) -> tuple[float, float, float]:
    return run.witness_s, run.prove_s, run.peak_mb


def _note_low(budget: Budget | None, model: Path) -> None:
    """Says on standard error when the key is to be rotated."""
    if budget is not None and budget.level is not Level.AMPLE:
        err.print(
            f"[yellow]note[/]: {budget.left:,} openings of the model's key are left; make a new "
            f"key of the same weights: inferproof provider rotate {plain(model)}"
        )


def prover_stdio(
    command: Annotated[str, typer.Argument(help="compile, prove, verify, estimate or describe")],
    system: Annotated[str, typer.Option(help="The proof system.")] = DEFAULT_SYSTEM,
) -> None:
    """Answers one request of specs/external-prover.md."""
    from inferproof.proving.stdio import main

    raise typer.Exit(main(["--system", system, command], local_openings))


def _compile_json(done: CompileReport, folder: Path) -> dict[str, Any]:
    return {
        "model_commitment": done.commitment.hex,
        "system": done.parts.proof_system,
        "parameters": done.parameters,
        "compile_s": done.compile_s,
        "key_bytes": done.key_bytes,
        "peak_mb": done.peak_mb,
        "max_error": done.max_error,
        "agreement": done.agreement,
        "samples": done.samples,
        "held_out": done.held_out,
        "shows": shown_by_proofs(read_bundle(folder)),
        "notes": list(done.notes),
        "setup": done.parts.setup.value,
        "trials": list(done.trials),
        "out": str(folder),
    }


def _show_compiled(done: CompileReport, folder: Path) -> None:
    rows = {
        "model commitment": done.commitment.hex,
        "proof system": done.parts.proof_system,
        "parameters": f"{done.parameters:,}",
        "compiled in": f"{done.compile_s:.1f} s, {done.peak_mb:.0f} MB",
        "keys": f"{done.key_bytes / 1e6:.1f} MB",
        "largest error": f"{done.max_error:.3g}{_measured_on(done)}",
        "agreement": f"{done.agreement:.1%} of the calibration samples",
        "a proof shows": shown_by_proofs(read_bundle(folder)),
        "written to": str(folder),
    }
    for name, value in rows.items():
        out.print(f"[bold]{name:17}[/] {plain(value)}")
    show_notes(done)


def _measured_on(done: CompileReport) -> str:
    if not done.held_out:
        return ""
    return f" on {done.held_out} samples held out; {done.samples} gave the ranges"


def show_notes(done: CompileReport) -> None:
    """Says on standard error what the provider should know of the model's accuracy."""
    for note in done.notes:
        err.print(f"[yellow]note[/]: {plain(note)}")
