"""What each node of a model loses and costs, in a table and in a picture."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import typer
from onnx import helper, save
from typer.testing import CliRunner

from inferproof.cli import layers as table
from inferproof.cli import model as room
from inferproof.errors import ModelRejected, Reason
from inferproof.models import trace as tracing
from inferproof.models.measure import measure
from inferproof.models.trace import trace
from inferproof.proving.base import CompileRequest
from inferproof.proving.costs import Costs, Point, Size, this_machine
from inferproof.proving.sumcheck.calibrate import size_of
from inferproof.proving.sumcheck.lower.compile import choices, lower
from inferproof.proving.sumcheck.lower.layers import layers_of, sizes_of
from inferproof.proving.sumcheck.notes import PRIVATE_NOTE, notes
from inferproof.types.layer import QuantisedLayer, weakest
from suites.lowering import loaded, model_of

RNG = np.random.default_rng(17)
RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
room.register(APP)
SAMPLES = RNG.uniform(-1, 1, (25, 1, 4)).astype(np.float32)
NAME = "<b>&'\u202e\"</text>"
"""A value's name as a hostile file has it."""


def network(name="h", factor=1.0, samples=SAMPLES):
    """exp(factor · relu(x · W)) · V; exp loses most where its operand is far apart."""
    weights = np.random.default_rng(2).uniform(-1, 1, (4, 3)).astype(np.float32) * factor
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Relu", ["m"], [name]),
        helper.make_node("Exp", [name], ["e"]),
        helper.make_node("MatMul", ["e", "v"], ["y"]),
    ]
    constants = {"w": weights, "v": np.eye(3, 2, dtype=np.float32)}
    return model_of(nodes, {"x": samples}, ["y"], constants)


def lowered(factor=1.0, bits=None):
    model = loaded(network(factor=factor))
    return model, lower(model, {"x": SAMPLES}, choices(bits, 2.0))


def test_trace_gives_every_value_of_the_samples_that_fit(monkeypatch):
    model = loaded(network())
    calibration = {"x": SAMPLES}
    traced = trace(model, calibration, [3, 7])
    assert set(traced) == {spec.name for spec in model.values}
    outputs = measure(model, calibration).outputs[model.outputs[0].name]
    assert np.array_equal(traced[model.outputs[0].name], outputs[[3, 7]])
    one = sum(4 * int(np.prod(spec.shape)) for spec in model.values)
    monkeypatch.setattr(tracing, "MOST_BYTES", 2 * one - 1)
    assert len(trace(model, calibration, [3, 7])[model.outputs[0].name]) == 1
    monkeypatch.setattr(tracing, "MOST_BYTES", one - 1)
    assert trace(model, calibration, [3, 7]) == {}


@pytest.mark.native
def test_the_layers_cost_together_what_the_graph_does():
    model, made = lowered()
    sizes = sizes_of(made.graph).values()
    total = Size(*(sum(getattr(s, n) for s in sizes) for n in ("weights", "products", "steps")))
    assert total == size_of(made.graph)
    found = layers_of(model, {"x": SAMPLES}, made)
    assert sum(layer.share for layer in found) == pytest.approx(1)
    # By costs in which only weights take time, the layers with weights take all of it.
    sizes_measured = [Size(1, 1, 1), Size(1000, 1, 1), Size(2000, 1, 1)]
    points = tuple(Point(s, 100 + s.weights, 1) for s in sizes_measured)
    costs = Costs("sumcheck", "1", 0, this_machine("portable"), points)
    by_weights = layers_of(model, {"x": SAMPLES}, made, costs)
    heavy = [layer.share for layer in by_weights if layer.operator == "MatMul"]
    assert len(heavy) == 2
    assert sum(heavy) == pytest.approx(1)
    assert by_weights != found


@pytest.mark.native
def test_the_layer_that_loses_most_is_found():
    model, made = lowered(factor=6.0, bits=8)
    found = layers_of(model, {"x": SAMPLES}, made)
    assert [layer.operator for layer in found] == ["MatMul", "Relu", "Exp", "MatMul"]
    errors = [layer.error for layer in found]
    assert all(error is not None for error in errors)
    worst = weakest(found)
    assert worst is not None
    assert worst.operator == "Exp"
    largest = max(made.report.fitted.relative_error, made.report.relative_error)
    assert errors[-1] == pytest.approx(largest, rel=0.01)
    finer = weakest(layers_of(model, {"x": SAMPLES}, lowered(factor=6.0, bits=16)[1]))
    assert finer is not None
    assert (finer.added or 0.0) < (worst.added or 0.0) / 4


def test_no_layer_is_weakest_where_nothing_is_lost():
    layer = QuantisedLayer(0, "Relu", "y", 0.0, 1.0, 8, 0.0, 0.0, 1.0)
    assert weakest(()) is weakest((layer,)) is weakest((replace(layer, error=None, added=None),))
    assert weakest((layer, replace(layer, added=0.1))) == replace(layer, added=0.1)


@pytest.mark.native
def test_what_falls_short_is_told_with_its_layer_and_a_way_out(sumcheck_system, tmp_path):
    model, made = lowered(factor=6.0, bits=8)
    (note,) = notes(made.report, layers_of(model, {"x": SAMPLES}, made))
    assert "of the largest output, and " in note
    assert ", of which most is lost at node 2 (Exp, output " in note
    assert note.endswith("; try --bits 16")
    assert notes(lowered()[1].report) == []
    path = tmp_path / "m.onnx"
    save(network(factor=6.0), path)
    request = CompileRequest(path, {"x": SAMPLES}, tmp_path / "out", bits=8, max_error=0.001)
    with pytest.raises(ModelRejected, match=r"most is lost at node 2 \(Exp") as refused:
        sumcheck_system.compile(request)
    assert refused.value.reason is Reason.CIRCUIT_INACCURATE
    done = sumcheck_system.compile(replace(request, max_error=1.0))
    assert (done.notes, len(done.layers)) == ((note, PRIVATE_NOTE), 4)
    fine = sumcheck_system.compile(replace(request, out=tmp_path / "fine", bits=16))
    assert (fine.notes, fine.layers) == ((PRIVATE_NOTE,), ())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    save(network(NAME), folder / "m.onnx")
    np.savez(folder / "X.npz", x=SAMPLES)
    return folder


def inspect(folder, *more):
    result = RUNNER.invoke(APP, ["model", "inspect", str(folder / "m.onnx"), *map(str, more)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.native
def test_inspect_shows_layers_and_draws_them(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "known_systems", lambda: ("sumcheck",))
    given = ("--calibration", folder / "X.npz", "--data-dir", tmp_path, "--svg")
    shown = inspect(folder, *given, tmp_path / "a.svg")
    assert "quantised range" in shown
    assert "most accuracy is lost at node" in shown
    report = json.loads(inspect(folder, *given, tmp_path / "b.svg", "--json"))
    (system,) = report["systems"]
    assert [layer["operator"] for layer in system["layers"]] == ["MatMul", "Relu", "Exp", "MatMul"]
    assert set(system["layers"][0]) == set(QuantisedLayer.__slots__)
    picture = (tmp_path / "a.svg").read_bytes()
    assert picture == (tmp_path / "b.svg").read_bytes()
    texts = drawn(picture)
    assert {"input x", "0 MatMul", "1 Relu", "2 Exp", "3 MatMul · output"} <= texts
    assert any("→" in text for text in texts)


def test_a_graph_is_drawn_without_samples_too(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "known_systems", lambda: ())
    inspect(folder, "--svg", tmp_path / "plain.svg")
    texts = drawn((tmp_path / "plain.svg").read_bytes())
    assert "2 Exp" in texts
    assert not any("→" in text or "lost" in text for text in texts)


def drawn(picture):
    """The texts of a picture, which holds nothing but plain shapes."""
    root = ElementTree.fromstring(picture)  # noqa: S314  (our own picture)
    tags = {item.tag.rpartition("}")[2] for item in root.iter()}
    assert tags <= {"svg", "style", "rect", "text", "path"}
    assert len(root.findall("{http://www.w3.org/2000/svg}path")) == 4
    return {item.text for item in root.iter() if item.text}


def test_a_long_table_keeps_what_loses_or_costs_most():
    layers = tuple(
        QuantisedLayer(n, "Relu", f"v{n}", 0.0, 1.0, 8, 0.1, n / 1e4, (1000 - n) / 1e6)
        for n in range(1000)
    )
    kept = [layer.node for layer in table.most_telling(layers)]
    assert kept == [*range(100), *range(900, 1000)]
    assert table.most_telling(layers[:200]) == layers[:200]


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0%"), (1, "100%"), (0.123, "12%"), (0.0123, "1.2%"), (2e-5, "0.0020%")]
)
def test_percent_keeps_two_digits(share, text):
    assert table.percent(share) == text


def test_a_picture_that_cannot_be_written_is_told_at_once(folder):
    result = RUNNER.invoke(
        APP, ["model", "inspect", str(folder / "m.onnx"), "--svg", "/nowhere/at/all.svg"]
    )
    assert result.exit_code == 1
    assert "/nowhere" in result.output
