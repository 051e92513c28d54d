"""The native prover on every model of its plan."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.machine import Watch, today
from bench.measure import BenchFailed, run_json, say
from bench.models import BenchModel
from bench.native_models import (
    NativeModel,
    depthwise_cnn,
    lenet,
    minilm,
    nanogpt,
    native_dense,
    native_zoo,
    transformer,
)

PROVE = [sys.executable, "-m", "bench.native_prove"]
LIMIT_S = 400.0
"""For one model, from its file to the last figure."""
THROUGHPUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Goals:
    """What is planned for a model. Units: milliseconds to a proof on two cores, and for verifying
    it; bytes of a proof without its links."""

    plan_ms: float
    stretch_ms: float
    proof_bytes: int
    verify_ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """A model that is measured."""

    make: Callable[[Path], NativeModel]
    goals: Goals | None = None
    ezkl: bool = False
    """ezkl is measured beside it in every run: a proof of it takes seconds there."""
    throughput_s: float = 0.0


_OF_THE_ZOO = Goals(3, 1.5, 70_000, 1)


def _zoo(folder: str) -> Row:
    return Row(
        lambda work: native_zoo(folder, work),
        _OF_THE_ZOO,
        ezkl=True,
        throughput_s=THROUGHPUT_S,
    )


def _dense(*sizes: int) -> Callable[[Path], NativeModel]:
    return lambda work: native_dense(sizes, work)


def _minilm(work: Path) -> NativeModel:
    return minilm(60, work)


ALL = (
    Row(_dense(16, 32, 16, 3), ezkl=True),
    _zoo("sentiment"),
    _zoo("token_risk"),
    _zoo("fraud"),
    Row(_dense(784, 128, 10), Goals(5, 3, 120_000, 2), ezkl=True),
    Row(lenet, Goals(8, 5, 150_000, 3)),
    Row(_dense(512, 1024, 512)),
    Row(_dense(1024, 2048, 1024), Goals(40, 22, 220_000, 3)),
    Row(depthwise_cnn, Goals(25, 15, 200_000, 4)),
    Row(transformer, Goals(40, 22, 200_000, 4)),
    Row(nanogpt, Goals(150, 85, 300_000, 10)),
    Row(_minilm, Goals(1000, 500, 600_000, 30)),
)
FEW = (Row(_dense(16, 32, 16, 3), ezkl=True),)


def measure_native(rows: Sequence[Row], work: Path) -> dict[str, Any]:
    """The figures of each model.

    A model that is refused, or whose process fails, is a row with the reason.
    """
    watch = Watch()
    measured = []
    for row in rows:
        # Models and keys take a hundred megabytes: each one's are gone before the next.
        with TemporaryDirectory(dir=work) as name:
            measured.append(_measure(row, Path(name)))
    return {"date": today(), "others": watch.others(), "rows": measured}


def _measure(row: Row, work: Path) -> dict[str, Any]:
    watch = Watch()
    model = row.make(work)
    files = model.files
    say(f"{files.name}: the native prover")
    answer = _prove(model, work, row.throughput_s)
    return {
        "model": files.name,
        "goals": row.goals and asdict(row.goals),
        **answer,
        "others": watch.others(),
    }


def _prove(model: NativeModel, work: Path, throughput_s: float) -> dict[str, Any]:
    files = model.files
    given = (files.model, files.calibration, model.fresh, work / files.name, throughput_s)
    try:
        ran = run_json([*PROVE, *map(str, given)], limit_s=LIMIT_S)
    except BenchFailed as error:
        return {"refused": {"reason": "BENCH_FAILED", "message": _last_line(files, error)}}
    if "refused" in ran.answer:
        say(f"{files.name}: {ran.answer['refused']['message']}")
    return ran.answer


def _last_line(files: BenchModel, error: BenchFailed) -> str:
    """The end of what a failed command said, after all of it was shown."""
    say(f"{files.name}: {error}")
    return str(error).strip().splitlines()[-1][:300]
