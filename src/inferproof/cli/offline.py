"""compile, prove, verify: from an ONNX file to a verified answer, without server or chain."""

import os
import statistics
import time
import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from inferproof.cli.console import JsonFlag, err, failures, out, print_json, progress
from inferproof.errors import (
    ArtifactRejected,
    InputRejected,
    ProofRejected,
    Reason,
    RequestRejected,
)
from inferproof.protocol.proof_file import MAX_BYTES as MAX_PROOF_FILE
from inferproof.protocol.verifier_bundle import MAX_BYTES as MAX_BUNDLE
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle
from inferproof.proving.artifact import BUNDLE
from inferproof.proving.base import CompileReport, CompileRequest, ProveRequest, SrsSource
from inferproof.proving.registry import get_system
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.proof import Setup, Visibility
from inferproof.types.tensor import FixedTensor
from inferproof.verify.proof import verify_proof

MAX_ARRAY_BYTES = 4 * 2**30
"""Calibration data beyond this is a mistake or an attack; it is checked before unpacking."""

Out = Annotated[Path, typer.Option("--out", help="Where the result is written.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    app.command("compile")(compile_model)
    app.command("prove")(prove)
    app.command("verify")(verify)
    app.command(
        "prover-stdio", hidden=True, help="Our proof systems behind the external-prover contract."
    )(prover_stdio)


def compile_model(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="An ONNX file.")],
    calibration: Annotated[
        Path,
        typer.Option(
            help="An .npz with one array per graph input, samples stacked along a new first axis."
        ),
    ],
    folder: Out,
    system: Annotated[str, typer.Option(help="The proof system.")] = "ezkl",
    visibility: Annotated[
        Visibility, typer.Option(help="Whether a proof shows the input or only its salted hash.")
    ] = Visibility.PUBLIC,
    max_error: Annotated[
        float,
        typer.Option(min=1e-6, max=1.0, help="Largest error allowed, as a share of the output."),
    ] = 0.05,
    srs: Annotated[
        Path | None, typer.Option(help="A ceremony's SRS file; without it, a development SRS.")
    ] = None,
    srs_sha256: Annotated[
        str | None, typer.Option("--srs-sha256", help="The SHA-256 that pins the SRS file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile an ONNX model: quantise, tune, make keys, commit."""
    if (srs is None) != (srs_sha256 is None):
        raise typer.BadParameter("--srs and --srs-sha256 go together")
    with failures(as_json=as_json):
        prover = get_system(system)
        request = CompileRequest(
            model=model,
            calibration=_arrays(calibration),
            out=folder,
            visibility=visibility,
            srs=SrsSource(srs, srs_sha256) if srs and srs_sha256 else None,
            max_error=max_error,
        )
        with progress("compiling") as report:
            done = prover.compile(request, report)
    _warn_of_setup(done.parts.setup)
    if as_json:
        print_json(_compile_json(done))
    else:
        _show_compiled(done, folder)


def prove(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="A compiled model.")],
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
    repeat: Annotated[
        int, typer.Option(min=0, help="Prove N times after a warm-up and report medians.")
    ] = 0,
    time_limit: Annotated[float, typer.Option(min=0.1, help="Seconds for one proof.")] = 3600.0,
    as_json: JsonFlag = False,
) -> None:
    """Run a compiled model on an input and prove the answer."""
    with failures(as_json=as_json):
        prover = _prover_of(artifact)
        request = ProveRequest(
            artifact=artifact,
            inputs=_arrays(inputs),
            job_id=Digest.from_hex(job_id) if job_id else Digest(os.urandom(32)),
            provider=Address.from_hex(provider),
            salt=Digest.from_hex(salt).raw if salt else os.urandom(32),
            time_limit_s=time_limit,
        )
        with progress("proving") as report:
            first = prover.prove(request, report)
            runs = [prover.prove(request, report) for _ in range(repeat)] or [first]
        last = runs[-1]
        _write(proof, last.file)
    result: dict[str, Any] = {
        "outputs": _outputs_json(last.outputs),
        "load_s": first.load_s,
        "witness_s": statistics.median(r.witness_s for r in runs),
        "prove_s": statistics.median(r.prove_s for r in runs),
        "proof_bytes": len(last.file),
        "peak_mb": max(r.peak_mb for r in runs),
        "job_id": request.job_id.hex,
        "salt": "0x" + request.salt.hex(),
    }
    if as_json:
        print_json(result)
    else:
        _show_outputs(last.outputs)
        out.print(
            f"proved in {result['prove_s']:.2f} s, {result['proof_bytes']:,} bytes, "
            f"{result['peak_mb']:.0f} MB; written to {proof}"
        )


def verify(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|RECEIPT", help="A compiled model, its verifier.json, or a receipt."
        ),
    ],
    proof: Annotated[
        Path | None, typer.Argument(metavar="PROOF", help="A proof file, to check against DIR.")
    ] = None,
    on_chain: Annotated[
        str | None, typer.Option("--on-chain", metavar="RPC", help="Check a receipt on chain too.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify a proof against a compiled model, or everything a receipt claims. Works offline."""
    if proof is None:
        from inferproof.cli.receipts import verify_receipt

        verify_receipt(target, on_chain=on_chain, as_json=as_json)
        return
    if on_chain is not None:
        raise typer.BadParameter("--on-chain goes with a receipt, not with DIR and PROOF")
    with failures(as_json=as_json):
        bundle = _bundle(target)
        prover = get_system(bundle.parts.proof_system)
        began = time.perf_counter()
        verified = verify_proof(_read(proof, MAX_PROOF_FILE), bundle, prover)
        verify_s = time.perf_counter() - began
    described = prover.describe()
    if as_json:
        print_json(
            {
                "verified": True,
                "verify_s": verify_s,
                "assurance": described.assurance.value,
                "outputs": _outputs_json(verified.outputs),
                "model_commitment": bundle.commitment.hex,
                "job_id": verified.statement.job_id.hex,
                "provider": verified.statement.provider.hex,
                "setup": bundle.parts.setup.value,
            }
        )
        return
    _show_outputs(verified.outputs)
    out.print(f"[green]verified[/] in {verify_s * 1e3:.0f} ms, assurance {described.assurance}")
    out.print(f"model {bundle.commitment}\njob   {verified.statement.job_id}")
    out.print(f"proven: {described.proven}\nnot proven: {described.not_proven}")
    _warn_of_setup(bundle.parts.setup)


def prover_stdio(
    command: Annotated[str, typer.Argument(help="compile, prove, verify, estimate or describe")],
    system: Annotated[str, typer.Option(help="The proof system.")] = "ezkl",
) -> None:
    """Answers one request of specs/external-prover.md."""
    from inferproof.proving.stdio import main

    raise typer.Exit(main(["--system", system, command]))


def _prover_of(artifact: Path) -> Any:
    return get_system(_bundle(artifact).parts.proof_system)


def _bundle(target: Path) -> VerifierBundle:
    path = target / BUNDLE if target.is_dir() else target
    if not path.is_file():
        raise ArtifactRejected(Reason.ARTIFACT_NOT_FOUND, path=target)
    return decode_bundle(_read(path, MAX_BUNDLE))


def _read(path: Path, limit: int) -> bytes:
    """The file's bytes, one more than the limit at most. Raises: ProofRejected FILE_UNREADABLE."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ProofRejected(Reason.FILE_UNREADABLE, path=path, why=why) from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise RequestRejected(Reason.FILE_NOT_WRITTEN, path=path, why=why) from None


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of an .npz file. Raises: InputRejected NPZ_MALFORMED."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > MAX_ARRAY_BYTES:
            raise ValueError(f"it unpacks to {size} bytes, the limit is {MAX_ARRAY_BYTES}")
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        why = getattr(error, "strerror", None) or str(error).split("\n")[0] or "no details"
        raise InputRejected(Reason.NPZ_MALFORMED, path=path, why=why[:200]) from None


def _outputs_json(outputs: tuple[FixedTensor, ...]) -> dict[str, Any]:
    return {o.name: o.to_array().tolist() for o in outputs}


def _compile_json(done: CompileReport) -> dict[str, Any]:
    return {
        "model_commitment": done.commitment.hex,
        "parameters": done.parameters,
        "compile_s": done.compile_s,
        "key_bytes": done.key_bytes,
        "peak_mb": done.peak_mb,
        "max_error": done.max_error,
        "agreement": done.agreement,
        "setup": done.parts.setup.value,
        "trials": list(done.trials),
    }


def _show_compiled(done: CompileReport, folder: Path) -> None:
    table = Table(show_header=False, box=None)
    rows = {
        "model commitment": done.commitment.hex,
        "parameters": f"{done.parameters:,}",
        "compiled in": f"{done.compile_s:.1f} s, {done.peak_mb:.0f} MB",
        "keys": f"{done.key_bytes / 1e6:.1f} MB",
        "largest error": f"{done.max_error:.3g}",
        "agreement": f"{done.agreement:.1%} of the calibration samples",
        "written to": str(folder),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    out.print(table)


def _show_outputs(outputs: tuple[FixedTensor, ...]) -> None:
    for output in outputs:
        with np.printoptions(threshold=32, precision=6, suppress=True):
            out.print(f"{output.name} = {output.to_array()}", markup=False)


def _warn_of_setup(setup: Setup) -> None:
    if setup is Setup.DEVELOPMENT:
        err.print(
            "[yellow]development SRS[/]: whoever made it can forge proofs of this model; "
            "for production compile with --srs and --srs-sha256",
            soft_wrap=True,
        )
