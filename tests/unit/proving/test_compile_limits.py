"""A model that takes too long or too much memory to compile is refused, and its worker replaced."""

import resource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from lowering import Array, model_of
from onnx import ModelProto, helper

from inferproof.app.openings import local_openings
from inferproof.errors import Reason, Unavailable
from inferproof.proving.base import CompileRequest
from inferproof.proving.bounds import Met, bounded, limit_met
from inferproof.proving.sumcheck import compile_limits
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.testing.rejections import rejects


def of_many_nodes(count: int) -> tuple[ModelProto, dict[str, Array]]:
    nodes, value = [], "x"
    for n in range(count):
        nodes.append(helper.make_node(("Mul", "Add", "Sub")[n % 3], [value, "x"], [f"v{n}"]))
        value = f"v{n}"
    x = {"x": np.random.default_rng(0).uniform(0.5, 0.9, (4, 1, 4)).astype(np.float32)}
    return model_of(nodes, x, [value]), x


def of_long_rows() -> tuple[ModelProto, dict[str, Array]]:
    """A model of few weights whose results take hundreds of megabytes."""
    x = {"x": np.ones((1, 1, 2**24), np.float32)}
    nodes = [helper.make_node("Tanh", ["x"], ["t"]), helper.make_node("ReduceSum", ["t"], ["y"])]
    return model_of(nodes, x, ["y"]), x


def request(model: ModelProto, samples: dict[str, Array], folder: Path) -> CompileRequest:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return CompileRequest(model=path, calibration=samples, out=folder / "out")


def test_one_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_limits, "SECONDS", 1)
    monkeypatch.setattr(compile_limits, "SECONDS_PER_NODE", 0)
    monkeypatch.setattr(compile_limits, "SECONDS_PER_ACTIVATION", 0)
    system = SumcheckSystem(openings=local_openings)
    try:
        with rejects(
            Reason.COMPILE_TIME_LIMIT,
            "compiling the model took more than 1 seconds of processor time, which is the limit "
            "for one of its size; it was stopped; compile a part of it, or one with fewer nodes",
        ):
            system.compile(request(*of_many_nodes(4_000), tmp_path))
        assert not (tmp_path / "out").exists()
        # The next one has a worker of its own, and its time where the machine is slow.
        monkeypatch.undo()
        model, x = of_many_nodes(3)
        assert system.compile(request(model, x, tmp_path)).agreement == 1.0
    finally:
        system.close()


def test_one_that_takes_too_much_memory_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = (
        "compiling the model took more than 134217728 bytes of memory, which is the limit for "
        "one of its size; it was stopped; compile a part of it, or one with smaller tensors"
    )
    system = SumcheckSystem(openings=local_openings)
    try:
        with monkeypatch.context() as tight, rejects(Reason.COMPILE_MEMORY_LIMIT, message):
            tight.setattr(compile_limits, "MEMORY", 2**27)
            tight.setattr(compile_limits, "MEMORY_PER_NODE", 0)
            tight.setattr(compile_limits, "MEMORY_PER_ACTIVATION", 0)
            system.compile(request(*of_long_rows(), tmp_path))
        model, x = of_many_nodes(3)
        assert system.compile(request(model, x, tmp_path)).agreement == 1.0
    finally:
        system.close()


@pytest.mark.parametrize(
    ("count", "more", "seconds", "memory"),
    [
        ("weight_bytes", 10 * 2**20 + 1, 11, 192 * (10 * 2**20 + 1)),
        ("activations", 2**20, 5, 384 * 2**20),
        ("activations", 2**28, 68, 384 * 2**24),
        ("nodes", 20_000, 100, 20_000 * 2**17),
    ],
)
def test_limits_grow_with_the_model(count: str, more: int, seconds: int, memory: int) -> None:
    small = SimpleNamespace(weight_bytes=0, activations=0, nodes=0)
    large = SimpleNamespace(**{**vars(small), count: more})
    least, most = (compile_limits.compile_limits(model) for model in (small, large))  # type: ignore[arg-type]
    assert most.cpu_s - least.cpu_s == seconds
    assert most.memory_bytes - least.memory_bytes == memory


def test_bounds_hold_for_a_block_and_no_longer() -> None:
    kinds = (resource.RLIMIT_CPU, resource.RLIMIT_AS)
    before = [resource.getrlimit(kind) for kind in kinds]
    with bounded({"cpu_s": 1000, "memory_bytes": 2**40}):
        inside = [resource.getrlimit(kind) for kind in kinds]
        assert all(soft != resource.RLIM_INFINITY for soft, _ in inside)
        assert [hard for _, hard in inside] == [hard for _, hard in before]
    assert [resource.getrlimit(kind) for kind in kinds] == before


@pytest.mark.parametrize(
    ("error", "met"),
    [
        (Unavailable(Reason.PROVER_CRASHED, how="signal 24"), Met.TIME),
        (Unavailable(Reason.PROVER_CRASHED, how="signal 6"), Met.MEMORY),
        (Unavailable(Reason.PROVER_CRASHED, how="signal 9"), Met.MEMORY),
        (Unavailable(Reason.PROVER_CRASHED, how="signal 11"), None),
        (Unavailable(Reason.PROVER_FAILED, why="_ArrayMemoryError: Unable to"), Met.MEMORY),
        (Unavailable(Reason.PROVER_FAILED, why="ValueError: no"), None),
        (Unavailable(Reason.PROVER_CLOSED), None),
    ],
)
def test_what_ended_a_task_is_told_from_how_it_ended(error: Unavailable, met: Met | None) -> None:
    assert limit_met(error) is met
