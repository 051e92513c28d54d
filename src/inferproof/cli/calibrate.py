"""`inferproof calibrate`: what proving costs on this machine, measured and kept."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, print_table, progress
from inferproof.cli.files import DATA_DIR, DataDir, check_writable, write_file
from inferproof.proving.artifact import HEADER, artifact_system
from inferproof.proving.costs import FILE, Costs, Point, encode_costs
from inferproof.proving.registry import get_system, known_systems
from inferproof.proving.sumcheck.calibrate import PROOFS, measure


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("calibrate")(calibrate)


def calibrate(
    data_dir: DataDir = DATA_DIR,
    proofs: Annotated[
        int, typer.Option(min=1, max=1000, help="Proofs of each size; their medians are kept.")
    ] = PROOFS,
    as_json: JsonFlag = False,
) -> None:
    """Measure what proving costs on this machine, for estimates and quotes.

    Graphs of several sizes are proven by sumcheck, in some seconds. Models of ezkl keep what was
    measured when they were compiled. A gateway tells the new costs of models that are approved or
    published from then on.
    """
    with failures(as_json=as_json):
        path = data_dir / FILE
        data_dir.mkdir(parents=True, exist_ok=True)
        check_writable(path)
        with progress("measuring") as report:
            costs = measure(report, proofs=proofs)
        write_file(path, encode_costs(costs))
        models = _models(data_dir)
    if as_json:
        print_json(_json(path, costs, models))
    else:
        _show(path, costs, models)


def _models(data_dir: Path) -> list[dict[str, Any]]:
    """The compiled models in the data folder, with what a proof of each is now said to cost."""
    told = []
    for header in sorted((data_dir / "models").glob(f"[!.]*/{HEADER}")):
        system = artifact_system(header.parent)
        if system in known_systems():
            cost = get_system(system, costs=data_dir / FILE).estimate(header.parent)
            told.append(
                {
                    "model_commitment": f"0x{header.parent.name}",
                    "system": system,
                    "prove_s": cost.prove_s,
                    "verify_s": cost.verify_s,
                }
            )
    return told


def _estimated(costs: Costs) -> Iterator[tuple[Point, tuple[float, float]]]:
    """Each point with what the law says of its size, in seconds."""
    for point in costs.points:
        yield point, costs.seconds(point.size)


def _json(path: Path, costs: Costs, models: list[dict[str, Any]]) -> dict[str, Any]:
    points = []
    for point, (prove_s, verify_s) in _estimated(costs):
        points.append(
            {
                **asdict(point.size),
                "prove_s": point.prove_us / 1e6,
                "verify_s": point.verify_us / 1e6,
                "estimated_prove_s": prove_s,
                "estimated_verify_s": verify_s,
            }
        )
    return {
        "file": str(path),
        "system": costs.system,
        "version": costs.version,
        "measured_at": costs.measured_at,
        "machine": asdict(costs.machine),
        "points": points,
        "models": models,
    }


def _show(path: Path, costs: Costs, models: list[dict[str, Any]]) -> None:
    machine = costs.machine
    out.print(
        f"{plain(machine.cpu)}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB, "
        f"build {plain(machine.build)}"
    )
    head = ("weights", "products", "other steps", "prove", "estimated", "verify")
    sizes = Table(*head, box=None)
    for point, told in _estimated(costs):
        size = point.size
        sizes.add_row(
            *(f"{number:,}" for number in (size.weights, size.products, size.steps)),
            *(_ms(seconds) for seconds in (point.prove_us / 1e6, told[0], point.verify_us / 1e6)),
        )
    print_table(sizes)
    if models:
        found = Table("model", "system", "prove", "verify", box=None)
        for model in models:
            name, times = model["model_commitment"][:18], (model["prove_s"], model["verify_s"])
            found.add_row(name, model["system"], *(_ms(seconds) for seconds in times))
        print_table(found)
    out.print(f"written to {plain(path)}")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.1f} ms"
