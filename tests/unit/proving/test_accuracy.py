"""Held-out samples, margins and bits: how accurate a compiled model is said to be."""

import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from onnx import helper
from small_models import calibration, mlp
from typer.testing import CliRunner

from inferproof.cli import offline, verify
from inferproof.errors import ModelRejected, Reason
from inferproof.models.measure import measure
from inferproof.proving.sumcheck.lower.compile import choices, lower, run
from inferproof.proving.sumcheck.lower.score import held_out_of
from inferproof.proving.sumcheck.notes import PRIVATE_NOTE
from inferproof.testing.rejections import rejects
from suites.lowering import loaded, model_of

RNG = np.random.default_rng(16)
RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, verify):
    room.register(APP)


def tanh_model(samples):
    """tanh(x · W), with these samples; their first axis counts them."""
    weights = np.random.default_rng(2).uniform(-1, 1, (4, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Tanh", ["h"], ["y"]),
    ]
    return loaded(model_of(nodes, {"x": samples}, ["y"], {"w": weights}))


def test_every_fifth_of_enough_samples_is_held_out():
    assert held_out_of(0) == held_out_of(19) == frozenset()
    assert held_out_of(20) == {4, 9, 14, 19}


def test_held_out_samples_give_outputs_and_no_ranges():
    samples = RNG.uniform(-1, 1, (20, 1, 4)).astype(np.float32)
    samples[9] *= 10
    model = tanh_model(samples)
    measured = measure(model, {"x": samples}, held_out=held_out_of(20))
    ranges = {item.name: item for item in measured.ranges}
    kept = np.delete(samples, [4, 9, 14, 19], axis=0)
    assert (ranges["x"].low, ranges["x"].high) == (kept.min(), kept.max())
    assert measured.outputs["y"].shape == (20, 1, 3)
    wide = {item.name: item for item in measure(model, {"x": samples}).ranges}
    assert wide["x"].high == samples.max() > ranges["x"].high


def test_whole_inputs_take_their_range_from_all_samples():
    """Beyond it they are refused, and what calibrated a model is not."""
    samples = np.arange(20, dtype=np.int64).reshape(20, 1)
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=1),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    weights = np.ones((1, 2), np.float32)
    made = lower(
        loaded(model_of(nodes, {"x": samples}, ["y"], {"w": weights})),
        {"x": samples},
    )
    assert made.settings.inputs[0].hi == 19
    assert made.report.agreement == 1.0


def test_the_error_told_is_that_of_the_samples_held_out():
    samples = RNG.uniform(-1, 1, (40, 1, 4)).astype(np.float32)
    samples[4] *= 5
    report = lower(linear_model(samples), {"x": samples}).report
    assert (report.samples, report.ranged) == (40, 32)
    assert report.fitted.samples == 32
    assert report.held_out is not None
    assert report.held_out.samples == 8
    assert report.fitted.relative_error < 0.001
    assert report.relative_error == report.held_out.relative_error > 0.1
    few = lower(linear_model(samples), {"x": samples[:19]}).report
    assert (few.samples, few.ranged, few.held_out) == (19, 19, None)
    assert few.relative_error == few.fitted.relative_error < 0.001


def test_finer_weights_are_tried_for_a_sample_held_out_between_two_answers():
    """All that gave ranges are far from there, and lose nothing with coarse weights."""
    weights = np.array([1.013, 1.007, 0.991, 1.003], np.float32) * 40
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"]),
    ]
    rows = np.outer(np.where(np.arange(40) % 2, 1.0, -1.0), np.ones(4))[:, None]
    found = {}
    for between in (False, True):
        samples = {"x": rows.astype(np.float32)}
        if between:
            samples["x"][4] = np.array([1, -1, 1, -1])
        model = model_of(nodes, samples, ["y"], {"w": np.stack([weights, -weights], 1)})
        found[between] = lower(loaded(model), samples).report
    assert found[False].options.weight_bits == 8
    assert found[True].options.weight_bits == 16
    assert found[True].relative_error < 0.02


def linear_model(samples):
    weights = np.random.default_rng(2).uniform(-1, 1, (4, 3)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    return loaded(model_of(nodes, {"x": samples}, ["y"], {"w": weights}))


def test_a_wider_margin_holds_what_a_narrow_one_cuts():
    samples = RNG.uniform(-1, 1, (12, 1, 4)).astype(np.float32)
    samples[0, 0, 0] = 0.95
    model = linear_model(samples)
    far = np.full((1, 4), 3.5, np.float32) * np.float32([1, -1, 1, -1])
    exact = measure(model, {"x": far[None]}).outputs["y"][0]
    errors = [
        np.abs(run(lower(model, {"x": samples}, choices(None, margin)), {"x": far})["y"] - exact)
        for margin in (1.0, 2.0, 4.0)
    ]
    assert errors[0].max() > errors[1].max() > 0.5 > 0.01 > errors[2].max()


def test_more_bits_are_more_exact():
    samples = RNG.uniform(-1, 1, (40, 1, 4)).astype(np.float32)
    model = tanh_model(samples)
    by_bits = [
        lower(model, {"x": samples}, choices(bits, 2.0)).report.relative_error
        for bits in (8, 12, 16)
    ]
    assert by_bits[0] > 4 * by_bits[1] > 8 * by_bits[2]


@pytest.mark.parametrize("bits", [7, 17])
def test_bits_that_no_quantisation_can_have_are_refused(
    sumcheck_system, mlp_request, tmp_path, bits
):
    message = f"bits is {bits}; it is a number from 8 to 16"
    with rejects(Reason.OPTION_OUT_OF_RANGE, message, kind=ModelRejected):
        sumcheck_system.compile(replace(mlp_request, out=tmp_path / "none", bits=bits))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("margin", [0.5, 1025, float("nan")])
def test_margins_below_one_are_refused(sumcheck_system, mlp_request, tmp_path, margin):
    message = f"margin is {margin}; it is a number from 1 to 1024"
    with rejects(Reason.OPTION_OUT_OF_RANGE, message, kind=ModelRejected):
        sumcheck_system.compile(replace(mlp_request, out=tmp_path / "none", margin=margin))


@pytest.mark.parametrize("change", [{"bits": 16}, {"margin": 2.0}])
def test_systems_that_find_it_themselves_are_not_told(ezkl_system, mlp_request, tmp_path, change):
    message = (
        f"proof system ezkl finds {next(iter(change))} itself; leave the option away, or name the "
        "proof system that it is for: sumcheck"
    )
    with rejects(Reason.OPTION_UNUSED, message, kind=ModelRejected):
        ezkl_system.compile(replace(mlp_request, out=tmp_path / "none", **change))


def run_cli(*arguments):
    result = RUNNER.invoke(APP, [str(a) for a in arguments])
    return result, json.loads(result.stdout) if "--json" in arguments else {}


@pytest.mark.native
def test_the_command_line_counts_samples_and_what_was_cut(tmp_path):
    mlp(tmp_path / "m.onnx", 4, 6, 3)
    few, many = calibration(1, 4)[:3], np.concatenate([calibration(1, 4)] * 8)
    far = few[0].copy()
    far.reshape(-1)[1] = 100
    for name, array in (("few", few), ("many", many), ("in", few[0]), ("far", far)):
        np.savez(tmp_path / f"{name}.npz", x=array)
    model = ("compile", tmp_path / "m.onnx", "--calibration")
    made, told = run_cli(*model, tmp_path / "few.npz", "--out", tmp_path / "a", "--json")
    assert (made.exit_code, told["samples"], told["held_out"]) == (0, 3, 0)
    note = (
        "3 calibration samples gave the ranges of all values, and none was held out: inputs more "
        "than 2 times as far out are cut; calibrate with 20 or more, or widen the ranges by "
        "--margin"
    )
    assert told["notes"] == [note, PRIVATE_NOTE]
    made, told = run_cli(*model, tmp_path / "many.npz", "--out", tmp_path / "b", "--json")
    assert (told["samples"] + told["held_out"], told["notes"]) == (len(many), [PRIVATE_NOTE])
    assert told["held_out"] == len(many) // 5
    shown, _ = run_cli(*model, tmp_path / "many.npz", "--out", tmp_path / "c")
    assert f"on {told['held_out']} samples held out; {told['samples']} gave" in shown.stdout
    prove = ("prove", tmp_path / "a", "--out", tmp_path / "proof", "--input")
    assert run_cli(*prove, tmp_path / "in.npz", "--json")[1]["out_of_range"] == 0
    assert run_cli(*prove, tmp_path / "far.npz", "--json")[1]["out_of_range"] == 1
    words = "1 input value was cut to the model's range"
    assert words in run_cli(*prove, tmp_path / "far.npz")[0].stdout
    assert words in run_cli("verify", tmp_path / "a", tmp_path / "proof")[0].stdout
    assert words not in run_cli(*prove, tmp_path / "in.npz")[0].stdout
    run_cli(*model, tmp_path / "few.npz", "--out", tmp_path / "d", "--margin", 1000, "--bits", 16)
    prove = ("prove", tmp_path / "d", "--out", tmp_path / "proof", "--input")
    assert run_cli(*prove, tmp_path / "far.npz", "--json")[1]["out_of_range"] == 0


def argmax_model(samples, outputs):
    weights = np.random.default_rng(2).uniform(-1, 1, (4, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("ArgMax", ["y"], ["label"], axis=1),
    ]
    return loaded(model_of(nodes, {"x": samples}, outputs, {"w": weights}))


def test_a_class_that_differs_counts_against_agreement_and_is_no_error():
    samples = RNG.uniform(-1, 1, (16, 1, 4)).astype(np.float32)
    # Where nothing is left of the differences between classes, all samples have the first one.
    samples[1:] *= 1e-6
    both = lower(argmax_model(samples, ["label", "y"]), {"x": samples}, choices(8, 1.0)).report
    assert both.relative_error < 0.02
    assert both.agreement < 0.9
    alone = lower(argmax_model(samples, ["label"]), {"x": samples}, choices(8, 1.0)).report
    assert alone.relative_error == alone.max_error == 1 - alone.agreement > 0.1
    spread = samples.copy()
    spread[1:] *= 1e6
    kept = lower(argmax_model(spread, ["label"]), {"x": spread}, choices(16, 1.0)).report
    assert (kept.relative_error, kept.agreement) == (0.0, 1.0)
