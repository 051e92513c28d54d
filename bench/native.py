"""The native prover on every model of its plan."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
LIMIT_S = 200.0
"""For one model, from its file to the last figure."""
THROUGHPUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Row:
    """A model, and what is planned for it. Units: milliseconds, to a proof, on two cores."""

    make: Callable[[Path], NativeModel]
    plan_ms: float | None = None
    stretch_ms: float | None = None
    ezkl: bool = False
    """ezkl is measured beside it in every run: a proof of it takes seconds there."""
    throughput_s: float = 0.0


def _zoo(folder: str, plan_ms: float | None = None, stretch_ms: float | None = None) -> Row:
    return Row(
        lambda work: native_zoo(folder, work),
        plan_ms,
        stretch_ms,
        ezkl=True,
        throughput_s=THROUGHPUT_S,
    )


def _dense(*sizes: int) -> Callable[[Path], NativeModel]:
    return lambda work: native_dense(sizes, work)


def _minilm(work: Path) -> NativeModel:
    return minilm(60, work)


ALL = (
    Row(_dense(16, 32, 16, 3), ezkl=True),
    _zoo("sentiment", 4, 1.5),
    _zoo("token_risk"),
    _zoo("fraud"),
    Row(_dense(784, 128, 10), 4, 1.5, ezkl=True),
    Row(lenet, 10, 4),
    Row(_dense(512, 1024, 512)),
    Row(_dense(1024, 2048, 1024), 30, 10),
    Row(depthwise_cnn, 40, 15),
    Row(transformer, 60, 20),
    Row(nanogpt, 200, 75),
    Row(_minilm, 1200, 350),
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
        "plan_ms": row.plan_ms,
        "stretch_ms": row.stretch_ms,
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
