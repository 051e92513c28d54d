"""The models of the native prover's measurement are well formed, and its report is its results."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench import native  # noqa: E402
from bench.measure import BenchFailed, Ran, Spread  # noqa: E402
from bench.native import ALL, Row, measure_native  # noqa: E402
from bench.native_models import (  # noqa: E402
    FRESH,
    SAMPLES,
    NativeModel,
    depthwise_cnn,
    lenet,
    nanogpt,
    native_dense,
    native_zoo,
    transformer,
)
from bench.native_prove import PHASES  # noqa: E402
from bench.native_report import PEERS, render_native, verdict  # noqa: E402
from bench.plots import draw_native  # noqa: E402

Make = Callable[[Path], NativeModel]
FIGURES = {"parameters": 15}
GOALS = {"plan_ms": 4, "stretch_ms": 1.5, "proof_bytes": 70_000, "verify_ms": 3}


def row(model: str, prove_s: float, **more: Any) -> dict[str, Any]:
    def of(value: float) -> dict[str, float | int]:
        return Spread(value, 0.9 * value, 1.1 * value, 21).json()

    return {
        "model": model,
        "goals": GOALS,
        "parameters": 101_770,
        "weights": 203_264,
        "accumulators": 276,
        "compile_s": 2.0,
        "compile_peak_mb": 118.0,
        "load_s": 0.05,
        "witness_s": of(0.0001),
        "prove_s": of(prove_s),
        "processor_s": prove_s,
        "phases_s": {**dict.fromkeys(PHASES, 0.0001), "reduce": 0.0003, "open": prove_s - 0.0009},
        "order_s": of(prove_s + 0.001),
        "file_bytes": 90_000,
        "verify_s": of(0.001),
        "verify_processor_s": 0.0009,
        "proof_bytes": 66_000,
        "link_bytes": 166_038,
        "plain_s": of(0.00001),
        "base_mb": 38.0,
        "load_peak_mb": 57.0,
        "prove_peak_mb": 55.0,
        "security": {"default": 100.69, "conservative": 101.08},
        "max_error": 0.00218,
        "relative_error": 0.0012,
        "agreement": 1.0,
        "throughput": {"threads": 2, "one_per_s": 300.0, "all_per_s": 590.0},
        "others": 0.01,
        **more,
    }


def refused(model: str) -> dict[str, Any]:
    reason = {"reason": "LOWERING_NODES", "message": "It has too many."}
    goals = {**GOALS, "plan_ms": 1200, "stretch_ms": 350}
    return {"model": model, "goals": goals, "refused": reason}


def ezkl(model: str, prove_s: float) -> dict[str, Any]:
    return {
        "model": model,
        "prove_s": Spread(prove_s, prove_s, prove_s, 1).json(),
        "date": "2026-11-21 12:00 UTC",
        "commit": "abc",
        "machine": {"cpu": "A CPU", "cores": 2, "memory_bytes": 2**34},
        "ezkl": "23.0.5",
        "limits": {"seconds": 20.0, "gigabytes": 2.0},
        "others": None,
        "reason": None,
    }


def section(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"date": "2026-11-21 12:00 UTC", "others": 0.02, "rows": list(rows)}


def test_a_model_is_reported_with_its_targets_and_what_it_took() -> None:
    peers = {"rows": [ezkl("sentiment", 0.75)]}
    report = render_native(section(row("sentiment", 0.003)), peers)
    assert "Measured on 2026-11-21 12:00 UTC; others took 2% of the cores." in report
    assert (
        "| sentiment | 101,770 | 203,264 B | 4 ms | 1.5 ms | 3.00 ms (2.70–3.30) | plan | 300 × "
        "| 250 × | 1.00 ms / 3 | 66.0 kB / 70 | 166 kB | 55 MB | 57 MB | 100.7 (101.1) | 2.00 s |"
    ) in report
    phases = "| 0.10 | 0.10 | 0.30 | 0.10 | 2.10 | 3.00 | 3.00 | 0.10 | 4.00 | 0.90 | 1.00 |"
    assert phases in report
    assert "| sentiment | 0.0022 | 0.12% | 100.0% |" in report
    assert "| sentiment | 300 | 590 | 2 |" in report


def test_a_model_that_ezkl_did_not_prove_has_no_ratio() -> None:
    for peers in (None, {"rows": [{**ezkl("fraud", 0.75), "reason": "failed"}]}):
        assert "3.00 ms (2.70–3.30) | plan | 300 × | – |" in render_native(
            section(row("sentiment", 0.003)), peers
        )


def test_the_section_says_when_the_machine_was_busy() -> None:
    told = {**section(row("fraud", 0.003)), "others": 0.2}
    assert "others took 20% of the cores: **not quiet**" in render_native(told)
    assert "not quiet" not in render_native({**told, "others": 0.04})


def test_without_a_measurement_there_is_no_section() -> None:
    assert render_native(None) == ""


@pytest.mark.parametrize(
    ("prove_s", "said"),
    [(0.0015, "stretch"), (0.004, "plan"), (0.008, "**2 × plan**")],
)
def test_a_time_is_compared_with_what_was_planned(prove_s: float, said: str) -> None:
    assert verdict(row("sentiment", prove_s)) == said
    assert verdict(row("fraud", prove_s, goals=None)) == "–"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"verify_s": Spread(0.0031, 0.003, 0.004, 5).json()}, "| **3.10 ms** / 3 |"),
        ({"proof_bytes": 70_100}, "| **70.1 kB** / 70 |"),
        ({"prove_peak_mb": 69.0}, "| **69 MB** |"),
        ({"security": {"default": 99.9, "conservative": 101.0}}, "| **99.9 (101.0)** |"),
    ],
)
def test_what_is_beyond_its_target_stands_out(more: dict[str, Any], said: str) -> None:
    assert said in render_native(section(row("sentiment", 0.003, **more)))
    assert said not in render_native(section(row("sentiment", 0.003)))


def test_what_is_refused_is_a_row_that_says_why() -> None:
    report = render_native(section(refused("minilm-60-tokens")))
    assert "| minilm-60-tokens | – | – | 1,200 ms | 350 ms | – | `LOWERING_NODES` |" in report
    assert "- **minilm-60-tokens** is not proven: `LOWERING_NODES`. It has too many." in report
    assert "plots/" not in report


def test_figures_of_others_are_told_apart_from_ours() -> None:
    report = render_native(section(row("mlp-784-128-10", 0.003)))
    assert "none of it was measured in this run" in report
    assert "| mlp-784-128-10 | 3.00 ms | 0.20 s ¹ | – | 5.2 s ¹ |" in report
    assert "JOLT Atlas" not in render_native(section(row("sentiment", 0.003)))


def test_plots_are_drawn_of_what_was_proven(tmp_path: Path) -> None:
    draw_native(section(refused("b")), tmp_path)
    assert not list(tmp_path.iterdir())
    draw_native(section(row("a", 0.003), refused("b")), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"native.png", "native_phases.png"}


@pytest.mark.parametrize(
    ("make", "name", "least", "most"),
    [
        (lenet, "lenet-5", 61_706, 61_706),
        (depthwise_cnn, "depthwise-cnn", 250_000, 300_000),
        (transformer, "transformer-64x64", 54_000, 55_000),
        (nanogpt, "nanogpt-4x64", 200_000, 250_000),
        (lambda work: native_dense((16, 32, 16, 3), work), "mlp-16-32-16-3", 1123, 1123),
    ],
)
def test_a_model_is_well_formed_and_always_the_same(
    make: Make, name: str, least: int, most: int, tmp_path: Path
) -> None:
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        folder.mkdir()
    model, again = (make(folder) for folder in folders)
    assert model.files.name == name
    assert model.files.model.read_bytes() == again.files.model.read_bytes()
    proto = onnx.load(model.files.model)
    onnx.checker.check_model(proto, full_check=True)
    assert least <= sum(int(np.prod(c.dims)) for c in proto.graph.initializer) <= most
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    given = proto.graph.input[0].name
    with np.load(model.files.calibration) as known, np.load(model.fresh) as fresh:
        assert fresh[given].shape == (FRESH, *shape)
        assert len(known[given]) >= SAMPLES
        assert known[given].shape[1:] == tuple(shape)
        assert not any((fresh[given][0] == sample).all() for sample in known[given])


def test_the_zoo_is_proven_on_its_test_data(tmp_path: Path) -> None:
    model = native_zoo("fraud", tmp_path)
    with np.load(model.fresh) as fresh:
        assert {name: array.shape for name, array in fresh.items()} == {"features": (FRESH, 1, 18)}


def test_every_peer_stands_beside_a_model_that_is_measured() -> None:
    planned = [row for row in ALL if row.goals is not None]
    assert len(planned) == 10
    assert len(ALL) == 12
    assert len(PEERS) == 7


def answers(answer: dict[str, Any] | BenchFailed) -> Callable[..., Ran]:
    def run(*_arguments: object, **_options: object) -> Ran:
        if isinstance(answer, BenchFailed):
            raise answer
        return Ran(answer, 1.0, 50.0)

    return run


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"refused": {"reason": "MISSING_NATIVE", "message": "Not here."}}, "MISSING_NATIVE"),
        (BenchFailed("it ended with -9: \nKilled"), "BENCH_FAILED"),
    ],
)
def test_a_model_that_fails_is_not_left_out(
    answer: dict[str, Any] | BenchFailed,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "run_json", answers(answer))
    rows = (Row(lambda work: native_dense((4, 3), work), native.Goals(**GOALS)),)
    (measured,) = measure_native(rows, tmp_path)["rows"]
    assert measured["model"] == "mlp-4-3"
    assert measured["refused"]["reason"] == reason
    assert render_native(section(measured))


def test_the_committed_report_holds_every_model_once_it_was_measured() -> None:
    results = json.loads((ROOT / "bench" / "results.json").read_text())
    if "native" in results:
        assert len(results["native"]["rows"]) == len(ALL)
