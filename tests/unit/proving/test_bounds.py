"""Hard bounds of values, and softmax where exporters spell it out."""

import math
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from inferproof.proving.sumcheck.lower.bounds import FREE, Bounds, kept_within
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.program import Step, read_program
from inferproof.proving.sumcheck.lower.rewrite import rewrite
from inferproof.proving.sumcheck.lower.value import Value
from inferproof.types.tensor import TensorSpec
from suites.lowering import assert_close, loaded, measured_of, model_of

node = helper.make_node
SAMPLES = {"x": np.random.default_rng(1).uniform(-2, 2, (12, 1, 4)).astype(np.float32)}


def program_of(nodes, outputs, constants=None, samples=SAMPLES):
    model = loaded(model_of(nodes, samples, outputs, constants))
    program = read_program(model, measured_of(model, samples).ranges)
    rewrite(program)
    return program


def bound_of(nodes, constants=None, samples=SAMPLES):
    program = program_of(nodes, ["y"], constants, samples)
    bounds = Bounds(program)
    for step in program.steps:
        bounds.take(step)
    return bounds.of(program.outputs[0].name)


NODES = {
    "nothing is known of inputs": ([node("Add", ["x", "x"], ["y"])], FREE),
    "squares": ([node("Mul", ["x", "x"], ["y"])], (0.0, math.inf)),
    "relu": ([node("Relu", ["x"], ["y"])], (0.0, math.inf)),
    "what is moved": (
        [node("Sigmoid", ["x"], ["a"]), node("Transpose", ["a"], ["y"])],
        (0.0, 1.0),
    ),
    "a difference": (
        [node("Tanh", ["x"], ["a"]), node("Sigmoid", ["x"], ["b"]), node("Sub", ["a", "b"], ["y"])],
        (-2.0, 1.0),
    ),
    "an exponential of what is below zero": (
        [node("Relu", ["x"], ["a"]), node("Neg", ["a"], ["b"]), node("Exp", ["b"], ["y"])],
        (0.0, 1.0),
    ),
    "a quotient by what may be zero": (
        [node("Sigmoid", ["x"], ["a"]), node("Div", ["a", "a"], ["y"])],
        FREE,
    ),
    "a sum of four": (
        [node("Sigmoid", ["x"], ["a"]), node("ReduceSum", ["a"], ["y"])],
        (0.0, 4.0),
    ),
    # Cut to a whole number it is 0, which no bound of the operand may forbid.
    "a whole number": (
        [
            node("Sigmoid", ["x"], ["a"]),
            node("Cast", ["a"], ["i"], to=TensorProto.INT64),
            node("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
        ],
        FREE,
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_bounds_follow_the_operators(name):
    nodes, expected = NODES[name]
    assert bound_of(nodes) == pytest.approx(expected)


def test_places_of_a_maximum_have_no_bound_of_its_values():
    samples = {"x": np.random.default_rng(1).uniform(-2, 2, (3, 1, 1, 8)).astype(np.float32)}
    nodes = [
        node("Sigmoid", ["x"], ["a"]),
        node("MaxPool", ["a"], ["m", "p"], kernel_shape=[2], strides=[2]),
        node("Cast", ["p"], ["y"], to=TensorProto.FLOAT),
    ]
    assert bound_of(nodes, samples=samples) == FREE


def test_a_value_is_cut_only_where_it_can_be_beyond():
    b = Builder()
    number = b.input((2,), -10, 300)
    v = Value(number, (2,), 1 / 256, -10, 300)
    kept = kept_within(b, v, (0.0, 1.0))
    assert (kept.lo, kept.hi, kept.scale) == (0, 256, v.scale)
    assert kept_within(b, kept, (0.0, 1.0)) is kept
    assert kept_within(b, v, FREE) is v
    assert kept_within(b, v, (-1.0, 2.0)) is v
    # Between two of its units nothing can be held: it stays as it is.
    assert kept_within(b, v, (0.001, 0.002)) is v


def ops_of(nodes, constants):
    return [step.op for step in program_of(nodes, ["y"], constants).steps]


def by_logarithms(x="x", of="x"):
    return [
        node("ReduceLogSumExp", [of], ["l"], axes=[1], keepdims=1),
        node("Sub", [x, "l"], ["d"]),
        node("Exp", ["d"], ["y"]),
    ]


def spelled_out(below="e", axis="axis"):
    return [
        node("Exp", ["x"], ["e"]),
        node("Sigmoid", ["x"], ["g"]),
        node("ReduceSum", [below, axis], ["s"], keepdims=1),
        node("Div", ["e", "s"], ["y"]),
    ]


def test_softmax_is_recognised_and_close():
    constants = {"axis": np.array([1], np.int64)}
    assert ops_of(by_logarithms(), {}) == ["Softmax"]
    assert ops_of(spelled_out(), constants) == ["Softmax"]
    for nodes, given in ((by_logarithms(), {}), (spelled_out(), constants)):
        assert_close(model_of(nodes, SAMPLES, ["y"], given), SAMPLES, 0.0005)


def test_what_only_resembles_it_is_left():
    constants = {"axis": np.array([1], np.int64)}
    assert "Softmax" not in ops_of(spelled_out(below="g"), constants)
    both = {"axis": np.array([0, 1], np.int64)}
    assert "Softmax" not in ops_of(spelled_out(), both)
    other = [node("Sigmoid", ["x"], ["z"]), *by_logarithms(of="z")]
    assert "Softmax" not in ops_of(other, {})


def scores_of(**attributes):
    """The bound of the second result of an ensemble of two trees of two leaves."""
    told = {"class_treeids": [0, 0, 1, 1], "class_ids": [0, 0, 0, 0], **attributes}
    step = Step(0, "TreeEnsembleClassifier", ("x",), ("label", "scores"), told)
    program = program_of([node("Relu", ["x"], ["y"])], ["y"])
    specs = {"scores": TensorSpec("scores", "float32", (1, 2))}
    bounds = Bounds(replace(program, specs=program.specs | specs))
    bounds.take(step)
    return bounds.of("scores")


def test_probabilities_of_trees_are_within_zero_and_one():
    half = [0.5, 0.1, 0.2, 0.5]
    assert scores_of(class_weights=half) == (0.0, 1.0)
    assert scores_of(class_weights=half, class_ids=[0, 1, 0, 1]) == (0.0, 1.0)
    assert scores_of(class_weights=half, post_transform="LOGISTIC") == (0.0, 1.0)


def test_other_scores_of_trees_are_free():
    assert scores_of(class_weights=[-0.5, 0.1, 0.2, 0.5]) == FREE
    assert scores_of(class_weights=[0.5, 0.1, 0.2, 0.5], base_values=[0.1]) == FREE
    assert scores_of(class_weights=[0.5, 0.1, 0.2, 0.5], post_transform="PROBIT") == FREE
