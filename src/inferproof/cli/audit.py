"""`inferproof model open` and `audit`: the opening of a compiled model's commitments, and what an
auditor finds who compiles the model again."""

import asyncio
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from inferproof.cli.compiled import read_bundle
from inferproof.cli.console import (
    JsonFlag,
    err,
    failures,
    out,
    plain,
    print_json,
    progress,
    show_failure,
)
from inferproof.cli.files import check_writable, read_file, write_file
from inferproof.cli.samples import Calibration, RangeOption, check_samples, read_or_draw
from inferproof.errors import ArtifactRejected, Reason
from inferproof.models.axes import Axes, Choice
from inferproof.models.load import load_model
from inferproof.models.variants import cut_samples, read_variants
from inferproof.protocol.opening import (
    MAX_BYTES,
    KeyOpening,
    ModelOpening,
    Salts,
    decode_opening,
)
from inferproof.protocol.opening import encode_opening as encoded
from inferproof.protocol.proof_mode import SYSTEM, is_hiding
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.audit import AuditReport
from inferproof.proving.audit import audit as compile_again
from inferproof.proving.base import CompileRequest, SrsSource
from inferproof.proving.opening import axes_in, read_opening
from inferproof.proving.openings import PassingOpenings
from inferproof.proving.registry import get_system

WORDS = {True: "agrees", False: "DIFFERS", None: "not compared"}
_NOWHERE = Path("unused")
"""Where the audited model is compiled to is chosen by `audit`."""


KEY_NOTE = (
    "it holds the secret of the model's key: whoever has it and enough proofs can work out the "
    "weights. Give it to nobody who is not to have the model; none of the key's openings is used"
)


class Part(StrEnum):
    """What an opening may be of."""

    GRAPH = "graph"
    WEIGHTS = "weights"
    KEY = "key"


OpeningOption = Annotated[
    Path | None,
    typer.Option(
        "--opening",
        help="The opening of an earlier compilation (opening.json): with its salts the same model, "
        "compiled alike, has the same commitment. Without it, new salts are drawn.",
    ),
]


def open_model(
    compiled: Annotated[Path, typer.Argument(metavar="DIR", help="A compiled model.")],
    target: Annotated[Path, typer.Option("--out", help="Where the opening is written.")],
    parts: Annotated[
        list[Part] | None,
        typer.Option(
            "--part",
            help="Open this part only: graph, weights, or the key of a model of sumcheck. May be "
            "repeated; all without it.",
        ),
    ] = None,
    gateway: Annotated[
        bool,
        typer.Option(
            "--gateway",
            help="Open the key that this machine's gateway proves under, which may have been "
            "rotated there; else that of the folder.",
        ),
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="The gateway's data folder, with --gateway; else as its settings say."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the opening of a compiled model's commitments, for an auditor that has the model.

    Whoever reads it can confirm guesses at what it opens, and with a key's secret work out the
    weights from enough proofs. Only you may read the file.
    """
    if gateway and parts and Part.KEY not in parts:
        raise typer.BadParameter("--gateway goes with the key, which is not to be opened")
    with failures(as_json=as_json):
        bundle = read_bundle(compiled)
        opening = read_opening(compiled, bundle)
        wanted = set(parts or Part)
        if parts is None and not _keeps_a_secret(bundle):
            wanted.remove(Part.KEY)
        kept = replace(
            opening,
            graph=opening.graph if Part.GRAPH in wanted else None,
            weights=opening.weights if Part.WEIGHTS in wanted else None,
            key=opened_key(compiled, bundle, gateway=gateway, data_dir=data_dir)
            if Part.KEY in wanted
            else None,
        )
        check_writable(target)
        write_file(target, encoded(kept), owner_only=True)
    note = None if kept.key is None else KEY_NOTE
    told: dict[str, Any] = {
        "model_commitment": kept.model.hex,
        "opens": [part.value for part in Part if part in wanted],
        "note": note,
        "out": str(target),
    }
    if as_json:
        print_json(told)
        return
    out.print(
        f"opens {' and '.join(told['opens'])} of model {kept.model}; written to {plain(target)}"
    )
    if note:
        err.print(f"[yellow]note[/]: {plain(note)}")


def audit(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="The ONNX file; or the model's card, or the folder it lies in."
        ),
    ],
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="The published verifier bundle.")
    ],
    opening_file: Annotated[
        Path, typer.Option("--opening", help="The opening that the provider handed over.")
    ],
    calibration: Calibration = None,
    ranges: RangeOption = None,
    srs: Annotated[
        Path | None, typer.Option(help="The ceremony's SRS file of the model (ezkl).")
    ] = None,
    srs_sha256: Annotated[
        str | None, typer.Option("--srs-sha256", help="The SHA-256 that pins the SRS file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile a published model again, and say which parts of its verifier bundle are the file's.

    The options of compiling are those that the opening records. Of an ONNX file the calibration
    samples, or the ranges they were drawn from, are those of the provider; a card names its own.
    """
    check_samples(calibration, ranges)
    if calibration is not None and _is_card(model):
        raise typer.BadParameter("a card names its own calibration samples")
    if (srs is None) != (srs_sha256 is None):
        raise typer.BadParameter("--srs and --srs-sha256 go together")
    with failures(as_json=as_json):
        published = read_bundle(bundle)
        opening = decode_opening(read_file(opening_file, MAX_BYTES))
        # What is compiled to be compared is never proven with: its key counts nowhere.
        passing = PassingOpenings()
        system = get_system(published.parts.proof_system, openings=lambda _folder: passing)
        request = _request(model, axes_in(opening), calibration, ranges)
        request = replace(request, srs=SrsSource(srs, srs_sha256) if srs and srs_sha256 else None)
        with progress("compiling again") as report:
            found = compile_again(request, published, opening, system, report)
    _tell(found, opening, as_json=as_json)


def _keeps_a_secret(bundle: VerifierBundle) -> bool:
    """Whether the verifying key has randomness of its own."""
    return bundle.parts.proof_system == SYSTEM and is_hiding(bundle.verifying_key)


def opened_key(
    compiled: Path, bundle: VerifierBundle, *, gateway: bool, data_dir: Path | None
) -> KeyOpening:
    """What opens the key here, or that which a gateway serves with. Raises: ArtifactRejected
    OPENING_NO_KEY, and as `open_key`."""
    if not _keeps_a_secret(bundle):
        raise ArtifactRejected(Reason.OPENING_NO_KEY, path=compiled)
    # Not above: compiling and proving import this module, and start without these.
    from inferproof.cli.openings import with_store
    from inferproof.proving.sumcheck.rotation import open_key

    return with_store(
        lambda _budgets, folder: asyncio.to_thread(open_key, folder),
        compiled,
        gateway=gateway,
        data_dir=data_dir,
    )


def salts_of(path: Path | None) -> Salts | None:
    """The salts in an opening; None without one.

    Raises: ArtifactRejected OPENING_PARTIAL; as `read_file` and `decode_opening`.
    """
    if path is None:
        return None
    opening = decode_opening(read_file(path, MAX_BYTES))
    if opening.salts is None:
        hidden = Part.GRAPH if opening.graph is None else Part.WEIGHTS
        raise ArtifactRejected(Reason.OPENING_PARTIAL, part=hidden.value)
    return opening.salts


def check_one_size(opening: Path | None, sizes: int) -> None:
    """Returns when an opening, which is of one model, is not given for several. Raises:
    BadParameter."""
    if opening is not None and sizes > 1:
        raise typer.BadParameter("--opening is of one model; compile one size at a time")


def _request(
    path: Path, axes: Axes, calibration: Path | None, ranges: list[str] | None
) -> CompileRequest:
    if _is_card(path):
        return _card_request(path, axes, ranges)
    loaded = load_model(path, axes=axes)
    samples = read_or_draw(loaded, calibration, ranges)
    # Of samples of a larger size the first values are taken, as compiling several sizes does.
    cut = cut_samples(loaded, samples, Choice(axes, tuple(axes.named)))
    return CompileRequest(model=loaded, calibration=cut, out=_NOWHERE, axes=axes)


def _is_card(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".toml"


def _card_request(path: Path, axes: Axes, ranges: list[str] | None) -> CompileRequest:
    from inferproof.app.compiling import card_request
    from inferproof.models.drawing import parse_ranges

    variants = read_variants(path)
    # Where none has these sizes, the graph will be said to differ.
    variant = next((each for each in variants if each.card.input.axes == axes), variants[0])
    return card_request(variant.card, _NOWHERE, parse_ranges(ranges or ()), variant.choice)


def _tell(found: AuditReport, opening: ModelOpening, *, as_json: bool) -> None:
    failure: ArtifactRejected | None = None
    try:
        found.check()
    except ArtifactRejected as error:
        failure = error
    if as_json:
        parts = [
            {
                "part": each.part,
                "agrees": each.agrees,
                "reason": None if each.failure is None else each.failure.code,
                "why": each.why or None,
            }
            for each in found.parts
        ]
        told = {"reason": failure.code, "message": failure.message} if failure else {}
        print_json({**told, "model_commitment": opening.model.hex, "parts": parts})
    else:
        for each in found.parts:
            why = f": {each.why}" if each.why else ""
            out.print(f"[bold]{each.part:15}[/] {WORDS[each.agrees]}{plain(why)}")
        if failure:
            show_failure(failure)
    if failure:
        raise typer.Exit(1)
