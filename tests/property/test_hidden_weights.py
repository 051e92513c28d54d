"""Hiding weights changes no output of any execution, and no hidden number is left in the graph."""

from dataclasses import replace

import numpy as np
import pytest
from random_graphs import Maker, random_inputs, random_parameters

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import decode_graph, encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.lower.parameters import Hidden, hide_weights
from inferproof.testing.random_graphs import random_graph
from reference.numpy_executor import Fault, execute, split_weights

GRAPHS = 150
_HIDDEN = (g.Linear, g.Conv, g.Add, g.Const)


def _run(graph: g.Graph, weights: bytes, inputs, parameters=()):
    try:
        outputs = execute(graph, split_weights(graph, weights), inputs, parameters)
    except Fault as fault:
        return fault.code
    return [output.tolist() for output in outputs]


def _native(hidden: Hidden, inputs):
    flat = [np.ascontiguousarray(values, np.int32).reshape(-1) for values in inputs]
    weights = np.frombuffer(hidden.weights, np.int8)
    return library().run_graph(encode_graph(hidden.graph), weights, flat, hidden.parameters)


@pytest.mark.native
@pytest.mark.parametrize("part", range(3))
def test_outputs_of_random_graphs_stay(part):
    moved = 0
    for seed in range(part * GRAPHS // 3, (part + 1) * GRAPHS // 3):
        made = random_graph(seed, nodes=16)
        hidden = hide_weights(made.graph, made.weights)
        expected = _run(made.graph, made.weights, made.inputs)
        assert isinstance(expected, list)
        assert _run(hidden.graph, made.weights, made.inputs, hidden.parameters) == expected, seed
        flat = [np.asarray(output).reshape(-1).tolist() for output in expected]
        assert [output.tolist() for output in _native(hidden, made.inputs)] == flat, seed
        moved += hidden.parameters.size
    assert moved > GRAPHS


def _hand_made(seed: int) -> tuple[g.Graph, bytes]:
    """A graph whose ranges a run may leave, and its weights file."""
    graph = Maker(seed).graph(nodes=12)
    size = sum(weight.rows * weight.cols for weight in graph.weights)
    weights = np.random.default_rng(seed).integers(-128, 128, size).astype(np.int8)
    return graph, weights.tobytes()


@pytest.mark.native
def test_runs_of_graphs_that_any_input_may_end_do_so_as_before():
    failed = 0
    for seed in range(GRAPHS):
        graph, weights = _hand_made(seed)
        if graph.parameters:
            continue
        hidden = hide_weights(graph, weights)
        library().check_graph(encode_graph(hidden.graph))
        for run in range(2):
            inputs = random_inputs(graph, seed + run)
            expected = _run(graph, weights, inputs)
            got = _run(hidden.graph, weights, inputs, hidden.parameters)
            if expected != "RANGE":  # ranges became wider
                assert got == expected, seed
                failed += isinstance(expected, str)
    assert failed > 0


def _with_others(graph: g.Graph, rng: np.random.Generator) -> g.Graph:
    """The graph with other numbers as short in the place of each constant that is hidden."""
    constants, nodes = list(graph.constants), []
    for node in graph.nodes:
        name = g.CONSTANT_OF.get(type(node.op))
        if isinstance(node.op, _HIDDEN) and not node.fixed and getattr(node.op, name) != g.NONE:
            values = graph.constants[getattr(node.op, name)].values
            others = rng.permutation(values.reshape(-1)).reshape(values.shape)
            if values.size == 1 and isinstance(node.op, g.Add):
                others = values ^ 1
            constants.append(g.Constant(others))
            node = replace(node, op=replace(node.op, **{name: len(constants) - 1}))
        nodes.append(node)
    return replace(graph, constants=tuple(constants), nodes=tuple(nodes))


@pytest.mark.native
def test_graphs_that_differ_in_weights_alone_are_the_same_bytes():
    compared = different = 0
    for seed in range(GRAPHS):
        made = random_graph(seed, nodes=16)
        rng = np.random.default_rng(seed)
        one, two = (hide_weights(_with_others(made.graph, rng), made.weights) for _ in range(2))
        assert encode_graph(one.graph) == encode_graph(two.graph), seed
        compared += one.parameters.size > 0
        different += not np.array_equal(one.parameters, two.parameters)
    assert compared > GRAPHS // 3
    assert different > GRAPHS // 4


@pytest.mark.native
def test_what_is_fixed_and_what_is_structure_stays_in_sight():
    read = set()
    for seed in range(40):
        made = random_graph(seed, nodes=16)
        fixed = replace(made.graph, nodes=tuple(replace(n, fixed=True) for n in made.graph.nodes))
        in_sight = hide_weights(fixed, made.weights).graph
        assert not in_sight.parameters
        assert in_sight.constants == made.graph.constants
        for node in hide_weights(made.graph, made.weights).graph.nodes:
            name = g.CONSTANT_OF.get(type(node.op))
            if name is not None and getattr(node.op, name) != g.NONE:
                read.add(type(node.op))
    assert read == {g.Rescale, g.Lookup, g.Take}


@pytest.mark.native
def test_encoded_graphs_are_read_again():
    for seed in range(100):
        graph = Maker(seed).graph(nodes=12)
        data = encode_graph(graph)
        assert decode_graph(data) == graph
        assert random_parameters(graph, seed).size == sum(
            int(np.prod(node.shape, dtype=np.int64)) for node in graph.parameters
        )
