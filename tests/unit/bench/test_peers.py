"""ezkl beside the native prover: every model has its figures or a true reason, and its date."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench import peers  # noqa: E402
from bench.limits import Ended, Limit, Limits, run_within  # noqa: E402
from bench.measure import BenchFailed, Spread  # noqa: E402
from bench.native import Row  # noqa: E402
from bench.native_models import native_dense  # noqa: E402
from bench.peer_ezkl import spell  # noqa: E402
from bench.peer_report import beside, comparable, render_peers  # noqa: E402
from bench.peers import Asked, measure_peers  # noqa: E402

LIMITS = Limits(seconds=20.0, gigabytes=2.0)
SHORT = Row(lambda work: native_dense((4, 3), work), ezkl=True)
LONG = Row(lambda work: native_dense((4, 2), work))
ONE: dict[str, Any] = {"rows": [{"model": "mlp-4-3", "max_error": 0.5}]}
BOTH: dict[str, Any] = {"rows": [*ONE["rows"], {"model": "mlp-4-2", "refused": {}}]}
FIGURES = '{"stage": "proving"}\n{"prove_s": {"median": 2.0}}\n{"max_error": 0.1}\n'
Given = list[tuple[list[str], Limits]]


def of(value: float) -> dict[str, float | int]:
    return Spread(value, 0.9 * value, 1.1 * value, 3).json()


def answers(printed: str, given: Given, status: int = 0) -> Callable[[list[str], Limits], Ended]:
    def run(arguments: list[str], limits: Limits) -> Ended:
        given.append((arguments, limits))
        return Ended(printed, "", status, None, 7.0)

    return run


def peer(model: str, **more: Any) -> dict[str, Any]:
    return {
        "model": model,
        "date": "2026-11-22 12:00 UTC",
        "commit": "abc",
        "machine": {"cpu": "A CPU", "cores": 2, "memory_bytes": 2**34},
        "ezkl": "23.0.5",
        "limits": LIMITS.json(),
        "wall_s": 7.0,
        "others": 0.01,
        "reason": None,
        **more,
    }


def whole(model: str, **more: Any) -> dict[str, Any]:
    figures = {
        "settings_s": 1.0,
        "setup_s": 80.0,
        "setup_peak_mb": 4000.0,
        "spelled": [],
        "logrows": 19,
        "rows": 487_658,
        "scale": 9,
        "decomposition": [16384, 2],
        "key_bytes": 2_200_000_000,
        "witness_s": of(0.5),
        "prove_s": of(45.0),
        "prove_processor_s": 88.0,
        "prove_peak_mb": 5100.0,
        "proof_bytes": 3072,
        "verify_s": of(0.05),
        "max_error": 0.004,
        "agreement": 1.0,
        "compared": 21,
    }
    return peer(model, **{**figures, **more})


def native(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "prove_s": of(0.003), "max_error": 0.002, "agreement": 1.0, **more}


# -- measuring ----------------------------------------------------------------------------------


def test_short_peers_are_measured_and_long_ones_kept(tmp_path: Path) -> None:
    given: Given = []
    kept = {"rows": [peer("mlp-4-2"), peer("mlp-4-3", commit="old")]}
    asked = Asked(limits=LIMITS)
    told = measure_peers((SHORT, LONG), BOTH, kept, asked, tmp_path, answers(FIGURES, given))
    short, long = told["rows"]
    assert (short["model"], short["prove_s"], short["max_error"]) == (
        "mlp-4-3",
        {"median": 2.0},
        0.1,
    )
    assert (short["reason"], short["limits"]) == (None, {"seconds": 20.0, "gigabytes": 2.0})
    assert short["commit"] != "old"
    assert {"date", "machine", "ezkl", "others"} <= short.keys()
    assert long == peer("mlp-4-2")
    ((arguments, limits),) = given
    assert (arguments[-1], limits) == ("0.5", LIMITS)


@pytest.mark.parametrize(
    ("which", "measured"),
    [("all", 2), ("none", 0), ("short", 1), ("mlp-4-2", 1), ("mlp-4-2,mlp-4-3", 2)],
)
def test_those_are_measured_that_are_asked_for(which: str, measured: int, tmp_path: Path) -> None:
    given: Given = []
    asked, run = Asked(which, LIMITS), answers(FIGURES, given)
    told = measure_peers((SHORT, LONG), BOTH, None, asked, tmp_path, run)
    assert len(given) == len(told["rows"]) == measured


def test_a_name_that_no_model_has_is_refused_before_any_is_measured(tmp_path: Path) -> None:
    given: Given = []
    asked, run = Asked("mlp-4-2,lenet-6", LIMITS), answers(FIGURES, given)
    with pytest.raises(BenchFailed, match="no model is called lenet-6"):
        measure_peers((SHORT, LONG), BOTH, None, asked, tmp_path, run)
    assert given == []


def test_the_native_prover_is_measured_on_the_same_models_first(tmp_path: Path) -> None:
    with pytest.raises(BenchFailed, match="measured on other models: measure it first"):
        measure_peers((SHORT, LONG), ONE, None, Asked("none"), tmp_path)


SETTLED = "import json, time; print(json.dumps({'stage': 'setting up'}), flush=True); "


@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        ("time.sleep(600)", Limits(2.0, 4.0), "was stopped after 2 s, its limit, while setting up"),
        (
            "held = bytearray(b'x' * 500_000_000); time.sleep(600)",
            Limits(60.0, 0.2),
            "was stopped for memory at 0.2 GB, its limit, after ",
        ),
        ("print(json.dumps({'failed': 'no such operator'}))", LIMITS, "failed after "),
        (
            "import os; os.kill(os.getpid(), 9)",
            LIMITS,
            "ended by signal SIGKILL, which was not ours, after ",
        ),
        ("raise SystemExit('out of luck')", LIMITS, "ended with status 1 after "),
    ],
    ids=["time", "memory", "refusal", "signal", "status"],
)
def test_a_peer_that_ends_early_says_why(
    script: str,
    limits: Limits,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "PEER", [sys.executable, "-c", SETTLED + script])
    (row,) = measure_peers((SHORT,), ONE, None, Asked("all", limits), tmp_path)["rows"]
    assert row["reason"].startswith(reason)
    assert ", while setting up" in row["reason"]
    assert "prove_s" not in row
    report = render_peers([native("mlp-4-3")], {"rows": [row]})
    assert f"- **mlp-4-3**: ezkl {row['reason']}." in report
    assert "| mlp-4-3 | – | – |" in report


def test_words_of_a_peer_that_fails_are_told() -> None:
    asked = Limits(9.0, 1.0)
    told = peers._reason(Ended("", "a\nout of luck\n", 1, None, 3.0), asked, [])
    assert told == "ended with status 1 after 3 s, while starting; its last words: “out of luck”"
    lines = [{"stage": "proving"}, {"failed": "no such operator"}]
    told = peers._reason(Ended("", "", 0, None, 3.0), asked, lines)
    assert told == "failed after 3 s, while proving: “no such operator”"
    assert peers._reason(Ended("", "", 0, None, 3.0), asked, lines[:1]) is None


def test_a_line_that_is_cut_in_two_is_no_figure() -> None:
    assert peers._lines('{"stage": "proving"}\n{"prove_s": 12') == [{"stage": "proving"}]


def test_figures_that_were_reached_before_a_limit_are_kept(tmp_path: Path) -> None:
    def run(_arguments: list[str], limits: Limits) -> Ended:
        return Ended(FIGURES, "", -9, Limit.TIME, limits.seconds)

    (row,) = measure_peers((SHORT,), ONE, None, Asked("all", LIMITS), tmp_path, run)["rows"]
    assert row["prove_s"] == {"median": 2.0}
    assert row["reason"] == "was stopped after 20 s, its limit, while proving"


# -- the report ---------------------------------------------------------------------------------


def test_figures_are_reported_with_the_ratio_and_when_they_were_made() -> None:
    report = render_peers([native("lenet-5")], {"rows": [whole("lenet-5")]})
    assert "| lenet-5 | 19 | 9 | 2 of 16384 | 1.00 s | 80.00 s | 500 ms (450 ms–550 ms) |" in report
    assert "| 88.00 s | 15000 × |" in report
    assert "| 3,072 B | 2,200.0 MB | 4,000 MB | 5,100 MB | 2026-11-22, 20 s, 2 GB |" in report
    assert "ezkl 23.0.5, commit abc, on A CPU, 2 cores, 16 GiB" in report
    assert "| lenet-5 | 0.002 | 0.004 | 0.5 × | 100.0% | 100.0% | 21 | yes |" in report
    assert "Not quiet" not in report
    assert "- **" not in report


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({"max_error": 0.008}, {}, True),
        ({"max_error": 0.0081}, {}, False),
        ({"agreement": 0.99}, {}, False),
        ({"agreement": 0.99}, {"agreement": 0.98}, True),
    ],
)
def test_accuracy_is_comparable_within_twice_the_error_and_as_many_answers(
    ours: dict[str, float], theirs: dict[str, float], said: bool
) -> None:
    row, other = native("fraud", **ours), {**whole("fraud"), **theirs}
    assert comparable(row, other) is said
    assert ("| **no** |" in render_peers([row], {"rows": [other]})) is not said


def test_what_was_not_measured_is_said_and_no_row() -> None:
    report = render_peers([native("fraud"), native("lenet-5")], {"rows": [whole("fraud")]})
    assert "- **lenet-5**: ezkl was not measured yet; `make bench PEERS=all` does." in report
    assert "| lenet-5 |" not in report


def test_figures_made_beside_other_work_are_named() -> None:
    told = {"rows": [whole("fraud", others=0.5), whole("lenet-5", spelled=["Gelu"])]}
    report = render_peers([native("fraud"), native("lenet-5")], told)
    assert "**Not quiet**: others took, meanwhile, of the cores: fraud 50%." in report
    assert "is written by Erf for lenet-5." in report


def test_a_ratio_beside_other_work_is_named_and_stands_nowhere_else() -> None:
    told = {"rows": [whole("fraud", others=0.5, prove_s=of(400.0))]}
    assert "| 88.00 s | 14667 × (not quiet) |" in render_peers([native("fraud")], told)
    assert beside([native("fraud")], told)[0]["ezkl"] is None
    quiet = {"rows": [whole("fraud", others=0.049)]}
    assert "| 88.00 s | 15000 × |" in render_peers([native("fraud")], quiet)
    assert beside([native("fraud")], quiet)[0]["ezkl"] == quiet["rows"][0]


def test_only_a_proof_stands_beside_the_native_prover() -> None:
    rows = [{**native("fraud"), "ezkl": {"stale": True}}, native("lenet-5")]
    first, second = beside(rows, {"rows": [whole("fraud"), peer("lenet-5", reason="failed")]})
    assert first["ezkl"]["prove_s"]["median"] == 45.0
    assert second["ezkl"] is None
    assert [row["ezkl"] for row in beside(rows, None)] == [None, None]


def test_the_committed_peers_are_whole_or_say_why() -> None:
    results = json.loads((ROOT / "bench" / "results.json").read_text())
    for row in results.get("peers", {"rows": []})["rows"]:
        assert row["reason"] or "agreement" in row
        assert {"date", "commit", "machine", "limits", "ezkl"} <= row.keys()


# -- what ezkl is given -------------------------------------------------------------------------


@pytest.mark.parametrize(("approximate", "spelled"), [("none", ["Gelu"]), ("tanh", [])])
def test_gelu_is_written_by_erf_and_gives_the_same(approximate: str, spelled: list[str]) -> None:
    node = helper.make_node("Gelu", ["x"], ["y"], approximate=approximate)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [64])
    told = helper.make_tensor_value_info("y", TensorProto.FLOAT, [64])
    graph = helper.make_graph([node], "gelu", [given], [told])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    values = {"x": np.linspace(-4, 4, 64, dtype=np.float32)}
    (before,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, values)
    assert spell(model.graph) == spelled
    assert (any(n.op_type == "Gelu" for n in model.graph.node)) == (not spelled)
    onnx.checker.check_model(model, full_check=True)
    (after,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, values)
    np.testing.assert_allclose(after, before, atol=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ezkl_is_measured_to_the_end(tmp_path: Path) -> None:
    asked = Asked("all", Limits(240.0, 4.0))
    (row,) = measure_peers((SHORT,), ONE, None, asked, tmp_path, run_within)["rows"]
    assert row["reason"] is None
    assert row["prove_s"]["median"] > row["witness_s"]["median"] > 0
    assert row["compared"] == 21
    assert 0 < row["max_error"] < 0.1
    assert row["key_bytes"] > row["proof_bytes"] > 2000
    assert row["verify_s"]["median"] > 0
    assert row["logrows"] < 15
