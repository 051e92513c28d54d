"""What two models that differ in their weights alone show, once these are hidden."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from forests import forest, rows
from lowering import loaded, measured_of, model_of
from networks import depthwise, lenet, transformer
from onnx import ModelProto, helper, numpy_helper

from inferproof.errors import Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.lower.compile import Lowering, lower_once
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.proving.sumcheck.lower.parameters import Hidden, hide_weights
from inferproof.testing.graphs import constant, everything, small
from inferproof.testing.rejections import rejects

pytestmark = pytest.mark.native

OPTIONS = (Options(), Options(weight_bits=16))
_TREES = ("nodes_values", "target_weights", "class_weights", "base_values")


def _others(model: ModelProto, by: float, seed: int = 0) -> ModelProto:
    """The model with each number of its tensors and trees a little larger or smaller."""
    made, rng = ModelProto(), np.random.default_rng(seed)
    made.CopyFrom(model)

    def other(values: Any) -> Any:
        with np.errstate(over="ignore"):  # of the least number there is
            changed = values * (1 + by * rng.uniform(-1, 1, values.shape))
            return changed.astype(np.float32)

    for item in made.graph.initializer:
        values = numpy_helper.to_array(item)
        if values.dtype == np.float32 and values.size > 1:
            item.CopyFrom(numpy_helper.from_array(other(values), item.name))
    for node in made.graph.node:
        for attribute in node.attribute:
            if attribute.name in _TREES:
                attribute.floats[:] = other(np.array(attribute.floats)).tolist()
    return made


def _pair(
    model: ModelProto, samples: dict[str, Any], by: float, options: Options
) -> tuple[Lowering, Lowering]:
    """The model and another, by what the first does on the samples."""
    measured = measured_of(loaded(model), samples)
    made = [lower_once(loaded(m), measured, options) for m in (model, _others(model, by))]
    return made[0], made[1]


def _hidden(made: Lowering) -> Hidden:
    return hide_weights(made.graph, made.weights)


MODELS: dict[str, Callable[[], tuple[ModelProto, dict[str, Any]]]] = {
    "LeNet": lenet,
    "depthwise": depthwise,
    "transformer": transformer,
    "regressor": lambda: (forest("TreeEnsembleRegressor", columns=2), rows()),
    "classifier": lambda: (forest("TreeEnsembleClassifier"), rows()),
}


@pytest.mark.parametrize("options", OPTIONS, ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("name", MODELS)
def test_graphs_of_other_weights_differ_in_the_bits_of_values_alone(
    name: str, options: Options
) -> None:
    model, samples = MODELS[name]()
    first, second = (_hidden(made) for made in _pair(model, samples, 1e-3, options))
    assert not np.array_equal(first.parameters, second.parameters)
    assert first.weights != second.weights
    one, two = first.graph, second.graph
    assert replace(one, nodes=()) == replace(two, nodes=())
    for a, b in zip(one.nodes, two.nodes, strict=True):
        assert replace(a, lo=0, hi=0) == replace(b, lo=0, hi=0)
        for x, y in ((a.lo, b.lo), (a.hi, b.hi)):
            assert x == y or all(_bits_alone(a, end) for end in (x, y)), (a, b)


def _bits_alone(node: g.Node, end: int) -> bool:
    """Whether the end of a range is a power of two, or one less, or a rescaling of one."""
    size = end if end >= 0 else -1 - end
    return isinstance(node.op, g.Rescale) or size & (size + 1) == 0 or size + 2 >= g.VALUE_LIMIT


def test_graphs_of_other_biases_are_the_same_bytes_and_in_the_clear_they_are_not() -> None:
    rng = np.random.default_rng(3)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
        helper.make_node("LayerNormalization", ["h", "scale", "shift"], ["z"]),
        helper.make_node("Add", ["z", "more"], ["y"]),
    ]
    weights = {"w": rng.normal(size=(6, 5)), "b": rng.normal(size=5), "scale": rng.normal(size=5)}
    weights |= {"shift": rng.normal(size=5), "more": rng.normal(size=(2, 5))}
    constants = {name: values.astype(np.float32) for name, values in weights.items()}
    samples = {"x": rng.normal(size=(12, 2, 6)).astype(np.float32)}
    model = model_of(nodes, samples, ["y"], constants)
    made = _pair(model, samples, 1e-4, Options())
    in_sight = [encode_graph(each.graph) for each in made]
    assert in_sight[0] != in_sight[1]
    hidden = [_hidden(each) for each in made]
    assert encode_graph(hidden[0].graph) == encode_graph(hidden[1].graph)
    assert not np.array_equal(hidden[0].parameters, hidden[1].parameters)


def test_no_multipliers_differ_by_row() -> None:
    """They are public, and would show how large the weights of each row are."""
    for build in MODELS.values():
        model, samples = build()
        for made in _pair(model, samples, 0.0, Options()):
            for node in made.graph.nodes:
                if isinstance(node.op, g.Rescale):
                    assert made.graph.constants[node.op.multipliers].values.size == 1


@pytest.mark.parametrize("name", MODELS)
def test_models_are_provable_with_hidden_weights(name: str) -> None:
    model, samples = MODELS[name]()
    made, _ = _pair(model, samples, 0.0, Options())
    native = library()
    for profile in ("default", "conservative"):
        native.security(encode_graph(_hidden(made).graph), profile)


def test_a_graph_without_weights_in_it_stays_as_it_is() -> None:
    graph = replace(small(), nodes=small().nodes[1:], weights=(), outputs=(2,))
    graph = replace(
        graph,
        constants=(constant([5]),),
        nodes=(
            replace(graph.nodes[0], op=g.Rescale(0, 0, 8), operands=(0,), shape=(1, 4)),
            replace(graph.nodes[1], operands=(1,)),
        ),
    )
    hidden = hide_weights(graph, b"")
    assert hidden.graph == graph
    assert hidden.parameters.size == 0


def test_each_operator_has_its_own_parameters_and_reads_them_once() -> None:
    graph = everything()
    nodes = tuple(replace(node, step=number % 2) for number, node in enumerate(graph.nodes))
    hidden = hide_weights(replace(graph, nodes=nodes), b"")
    shapes = [node.shape for node in hidden.graph.parameters]
    assert shapes == [(6,), (2, 3), (1,)]
    values = [1, -2, 3, -4, 5, -6, 1, -20, 300, 4, 50, -600, -9]
    assert hidden.parameters.tolist() == values
    assert all(node.lo == -node.hi - 1 for node in hidden.graph.parameters)


def test_a_constant_that_no_tensor_holds_is_refused() -> None:
    graph = replace(small(), constants=(constant([1, 2, 2**29]), constant([5])))
    with rejects(
        Reason.LOWERING_OVERFLOW,
        "node -1 (Linear) can reach 536870912 in whole numbers, the limit is 536870911; "
        "split its sum, or scale its operands down",
    ):
        hide_weights(graph, b"")
