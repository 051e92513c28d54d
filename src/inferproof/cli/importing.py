"""`inferproof import`: a model in its library's own file, as ONNX that compiles."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, progress


class Library(StrEnum):
    """Whose file it is: the names of `importing.files.KINDS`."""

    sklearn = "sklearn"
    xgboost = "xgboost"
    lightgbm = "lightgbm"
    catboost = "catboost"
    torch = "torch"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("import")(import_model)


def import_model(
    library: Annotated[
        Library,
        typer.Argument(
            help="sklearn: a pickle or joblib file. xgboost: JSON or UBJ. lightgbm: text. "
            "catboost: cbm or JSON. torch: a .pt2 of torch.export, or TorchScript.",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The model's file.")],
    sample: Annotated[
        Path,
        typer.Option(
            help="An .npz with rows like those that will be sent, on which library and exported "
            "model are compared. It is a calibration file too: its array names the input."
        ),
    ],
    exported: Annotated[Path, typer.Option("--out", help="Where the ONNX file is written.")],
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Open files of sklearn and torch, which run the code that they hold.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Export a model to ONNX by its library's exporter, and check that it says the same."""
    from inferproof.cli.files import check_writable, write_file
    from inferproof.models.importing.files import import_file

    with failures(as_json=as_json):
        check_writable(exported)
        with progress("importing") as report:
            report(f"exporting by {library.value}", 0.1)
            made = import_file(library.value, file, sample, trust=trust_pickle)
        write_file(exported, made.onnx)
    specs = (*made.model.inputs, *made.model.outputs)
    result = {
        "out": str(exported),
        "inputs": [[spec.name, spec.dtype, list(spec.shape)] for spec in made.model.inputs],
        "outputs": [[spec.name, spec.dtype, list(spec.shape)] for spec in made.model.outputs],
        "compared": list(made.compared),
        "alike": made.alike,
        "difference": made.difference,
    }
    if as_json:
        print_json(result)
        return
    for spec in specs:
        what = "input" if spec in made.model.inputs else "output"
        out.print(f"[bold]{what:8}[/] {plain(spec.name)} {spec.dtype}{list(spec.shape)}")
    out.print(
        f"[bold]compared[/] {plain(', '.join(made.compared))}: {made.alike:.1%} of the rows alike, "
        f"largest difference {made.difference:.3g}"
    )
    out.print(
        f"written to {plain(exported)}; next: inferproof compile {plain(exported)} "
        f"--calibration {plain(sample)} --out DIR"
    )
