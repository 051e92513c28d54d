"""Compiling takes time in proportion to nodes and weights, and gives what slower ways gave."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering import assert_close, loaded, measured_of, model_of
from onnx import helper

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.compile import lower, run_integers
from inferproof.proving.sumcheck.lower.contraction import Matrix, TooLarge, _surely_too_large
from inferproof.proving.sumcheck.lower.intervals import weighted
from inferproof.proving.sumcheck.lower.passes import finish
from inferproof.proving.sumcheck.lower.program import read_program
from inferproof.proving.sumcheck.lower.rewrite import rewrite
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, common
from inferproof.proving.sumcheck.lower.value import Value
from reference.numpy_executor import execute

make = helper.make_node


def convolutions(count: int, read_twice: int = -1) -> tuple[Any, dict[str, Any]]:
    """Convolutions with batch normalisation; what one of them gives may be read twice."""
    rng = np.random.default_rng(1)
    nodes, constants, value = [], {}, "x"
    for n in range(count):
        constants[f"k{n}"] = rng.normal(0, 0.7, (2, 2, 1, 1)).astype(np.float32)
        for name, low in (("g", 0.5), ("h", -0.1), ("m", -0.1), ("v", 0.5)):
            constants[f"{name}{n}"] = rng.uniform(low, low + 1, 2).astype(np.float32)
        names = [f"{name}{n}" for name in "cghmv"]
        nodes.append(make("Conv", [value, f"k{n}"], [names[0]]))
        nodes.append(make("BatchNormalization", names, [f"n{n}"]))
        value = f"n{n}"
    outputs = [value] if read_twice < 0 else [value, f"c{read_twice}"]
    x = {"x": rng.uniform(-1, 1, (4, 1, 2, 3, 3)).astype(np.float32)}
    return model_of(nodes, x, outputs, constants), x


@pytest.mark.parametrize(("read_twice", "left"), [(-1, []), (1, ["BatchNormalization"])])
def test_normalisation_is_folded_where_nobody_else_reads(read_twice: int, left: list[str]) -> None:
    model, x = convolutions(3, read_twice)
    canonical = loaded(model)
    program = read_program(canonical, measured_of(canonical, x).ranges)
    rewrite(program)
    assert [step.op for step in program.steps if step.op != "Conv"] == left
    assert len(program.steps) == 3 + len(left)
    assert_close(model, x, 0.02)


def test_a_bias_becomes_part_of_a_product_once() -> None:
    rng = np.random.default_rng(2)
    nodes = [
        make("MatMul", ["x", "w"], ["m"]),
        make("Add", ["m", "b"], ["a"]),
        make("Add", ["b", "a"], ["y"]),
    ]
    constants = {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    constants = {name: array.astype(np.float32) for name, array in constants.items()}
    x = {"x": rng.uniform(-1, 1, (4, 2, 3)).astype(np.float32)}
    canonical = loaded(model_of(nodes, x, ["y"], constants))
    program = read_program(canonical, measured_of(canonical, x).ranges)
    rewrite(program)
    assert [(step.op, len(step.inputs)) for step in program.steps] == [("MatMul", 3), ("Add", 2)]
    assert_close(model_of(nodes, x, ["y"], constants), x, 0.02)


def test_a_chain_of_rescalings_becomes_one() -> None:
    b = Builder()
    x = Value(b.input((2,), -(2**20), 2**20), (2,), 1.0, -(2**20), 2**20)
    value = x
    for _ in range(10):
        value = b.rescale(value, 1, 1)
    graph, _ = finish(b, (value.tensor,))
    (node,) = graph.nodes
    assert isinstance(node.op, g.Rescale)
    assert (node.op.shift, node.lo, node.hi) == (10, -(2**10), 2**10)


def test_a_rescaling_that_another_reads_stays() -> None:
    b = Builder()
    x = Value(b.input((2,), -(2**20), 2**20), (2,), 1.0, -(2**20), 2**20)
    first = b.rescale(x, 1, 3)
    second = b.rescale(first, 1, 2)
    graph, _ = finish(b, (second.tensor, first.tensor))
    assert len(graph.nodes) == 2


def numbered(shape: tuple[int, ...], bound: int) -> tuple[Builder, Value]:
    b = Builder()
    return b, Value(b.input(shape, -bound, bound), shape, 1.0, -bound, bound)


def test_rescalings_on_both_sides_of_moved_elements_become_one() -> None:
    b, x = numbered((2, 3), 2**20)
    turned = b.view(b.rescale(x, 3, 4), (3, 2), 0, (1, 3))
    again = b.view(turned, (6,), 0, (1,))
    made = b.rescale(again, 1, 6, clamp=(-900, 2000))
    graph, _ = finish(b, (made.tensor,))
    first, second, last = graph.nodes
    assert [type(node.op) for node in graph.nodes] == [g.View, g.View, g.Rescale]
    # What is moved is the operand, in its range.
    assert [(node.lo, node.hi) for node in (first, second)] == [(-(2**20), 2**20)] * 2
    assert (last.op.shift, last.lo, last.hi, last.shape) == (10, -900, 2000, (6,))
    values = np.arange(-3, 3, dtype=np.int64) * 77_777
    (got,) = execute(graph, [], [values.reshape(2, 3)])
    exact = (values.reshape(2, 3).T.reshape(-1) * 3 + 512) >> 10
    assert (got == np.clip(exact, -900, 2000)).all()


@pytest.mark.parametrize("what", ["repeated", "read twice", "rows of their own"])
def test_rescalings_stay_where_more_than_places_change(what: str) -> None:
    b, x = numbered((2, 3), 2**20)
    first = b.rescale(x, [3, 5] if what == "rows of their own" else 3, 4)
    repeats = what == "repeated"
    moved = b.view(first, *(((2, 3, 2), 0, (3, 1, 0)) if repeats else ((3, 2), 0, (1, 3))))
    made = b.rescale(moved, 1, 6)
    outputs = (made.tensor, moved.tensor) if what == "read twice" else (made.tensor,)
    graph, _ = finish(b, outputs)
    kinds = [type(node.op) for node in graph.nodes]
    assert kinds == [g.Rescale, g.View, g.Rescale]


@given(
    st.lists(st.tuples(st.integers(-700, 700), st.integers(0, 2**26)), min_size=1, max_size=5),
    st.sampled_from([2**8, 2**20, SUM_LIMIT]),
)
@settings(max_examples=60, deadline=None)
def test_a_common_scale_keeps_sums_below_the_limit(
    parts: list[tuple[int, int]], limit: int
) -> None:
    b = Builder()
    values = []
    for exponent, bound in parts:
        tensor = b.input((1,), -bound, bound)
        values.append(Value(tensor, (1,), 2.0**exponent, -bound, bound))
    found, coefficients, scale = common(b, values, limit)
    assert sum(c * v.bound for c, v in zip(coefficients, found, strict=True)) < limit
    for v, c, (exponent, bound) in zip(found, coefficients, parts, strict=True):
        assert v.scale * v.bound == 0 or v.scale == c * scale
        # Nothing is lost but the last unit.
        assert abs(v.bound * v.scale - bound * 2.0**exponent) <= max(v.scale, scale)
    if all(v.bound for v in values) and scale > min(v.scale for v in values):
        # With half the scale the sum could be beyond the limit.
        assert (
            2 * sum(c * v.bound for c, v in zip(coefficients, found, strict=True)) + len(found)
            >= limit
        )


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 2**20))
@settings(max_examples=60, deadline=None)
def test_what_is_refused_unrounded_is_too_large_rounded(seed: int, columns: int, hi: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 1, (3, columns))
    unit = np.abs(weights).max(axis=1) / rng.uniform(1, 127)
    bias = rng.integers(-(2**20), 2**20, 3)
    x = Value(0, (columns,), 1.0, -int(rng.integers(0, hi + 1)), hi)
    whole = np.floor(weights / unit[:, None] + 0.5).astype(np.int16)
    low, high = weighted(whole, x.interval, None, bias)
    exact = int(np.maximum(np.abs(low), np.abs(high)).max())
    refused = _surely_too_large(Matrix.of(weights), bias, x, unit)
    if refused is not None:
        assert isinstance(refused, TooLarge)
        assert exact >= g.VALUE_LIMIT
    elif exact >= 2 * g.VALUE_LIMIT + columns * hi:
        pytest.fail("a row far beyond the bound was rounded")


@pytest.mark.parametrize(("columns", "parts"), [(2**13, 1), (2**19, 4)])
def test_a_row_too_long_for_its_operand_is_the_sum_of_parts(columns: int, parts: int) -> None:
    rng = np.random.default_rng(3)
    w = rng.uniform(0.5, 1, (columns, 2)).astype(np.float32)
    x = {"x": rng.uniform(0, 1, (2, 1, columns)).astype(np.float32)}
    model = model_of([make("MatMul", ["x", "w"], ["y"])], x, ["y"], {"w": w})
    made = assert_close(model, x, 0.01)
    assert len(made.graph.weights) == parts


@pytest.mark.parametrize(("channels", "parts"), [(4, 1), (2**11, 4)])
def test_a_convolution_over_too_many_channels_is_the_sum_of_parts(
    channels: int, parts: int
) -> None:
    rng = np.random.default_rng(4)
    w = rng.uniform(0.5, 1, (1, channels, 16, 16)).astype(np.float32)
    x = {"x": rng.uniform(0, 1, (1, 1, channels, 16, 17)).astype(np.float32)}
    model = model_of(
        [make("Conv", ["x", "w", "b"], ["y"], pads=[0, 1, 0, 0])],
        x,
        ["y"],
        {"w": w, "b": np.array([3.0], np.float32)},
    )
    made = assert_close(model, x, 0.01)
    assert len(made.graph.weights) == parts


@pytest.mark.parametrize(("most", "parts"), [(2**24, 1), (2**10, 2), (100, 32)])
def test_a_matrix_of_too_many_weights_is_several(
    most: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(g, "MAX_ELEMENTS", most)
    rng = np.random.default_rng(5)
    constants = {"w": rng.normal(size=(64, 32)), "b": rng.normal(size=32)}
    constants = {name: array.astype(np.float32) for name, array in constants.items()}
    x = {"x": rng.uniform(-1, 1, (3, 1, 64)).astype(np.float32)}
    made = assert_close(
        model_of([make("Gemm", ["x", "w", "b"], ["y"])], x, ["y"], constants), x, 0.02
    )
    assert len(made.graph.weights) == parts


def test_a_graph_that_the_native_module_refuses_is_no_fault_of_the_input() -> None:
    with pytest.raises(ArtifactRejected) as refused:
        run_integers(b"INFGRAPH", b"", [])
    assert refused.value.reason is Reason.GRAPH_ENCODING


def test_each_try_is_reported() -> None:
    model, x = convolutions(2)
    told: list[tuple[str, float]] = []
    lower(loaded(model), x, report=lambda stage, share: told.append((stage, share)))
    assert told[0] == ("running the model on 4 samples", 0.05)
    assert told[1][0] == "quantising, weights of 8 bits, try 1"
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] < 0.5


@pytest.mark.parametrize("size", [1e-3, 1e-20, 1e-38])
def test_a_layer_that_reads_zeros_alone_is_its_bias(size: float) -> None:
    """As in a trained network's dead branch: its weights have vanished, or what it reads has."""
    rng = np.random.default_rng(4)
    nodes = [
        make("MatMul", ["x", "w"], ["m"]),
        make("Relu", ["m"], ["dead"]),
        make("Gemm", ["dead", "v", "b"], ["p"]),
        make("Tanh", ["p"], ["y"]),
    ]
    constants = {
        "w": -rng.uniform(0.1, 1, (4, 3)) * size,
        "v": rng.normal(size=(3, 6)) * size,
        "b": rng.normal(size=6) * 0.05,
    }
    constants = {name: array.astype(np.float32) for name, array in constants.items()}
    x = {"x": rng.uniform(0.1, 1, (8, 1, 4)).astype(np.float32)}
    assert_close(model_of(nodes, x, ["y"], constants), x, 0.001)
