"""What a key shows is said of every operation and of every number in a graph."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import decode_graph, encode_graph
from inferproof.proving.sumcheck.lower.parameters import hide_weights
from inferproof.proving.sumcheck.public_facts import (
    COMMITMENTS,
    SAYS,
    SHOWN,
    other_facts,
    public_facts,
)
from inferproof.testing.graphs import EVERY_OP, constant, everything
from inferproof.types.proof import ModelParts


def numbers(facts: dict[str, Any]) -> dict[str, int]:
    return {row["kind"]: row["numbers"] for row in facts["public"]}


def test_every_attribute_of_every_operation_has_its_kind() -> None:
    assert set(SHOWN) == set(g.OPS)
    for op, kinds in SHOWN.items():
        assert list(kinds) == [item.name for item in fields(op)], op
        assert set(kinds.values()) <= set(SAYS)
    assert g.CONSTANT_OF.keys() <= SHOWN.keys()


def test_every_part_of_a_model_commitment_says_what_it_tells() -> None:
    assert set(COMMITMENTS) == {item.name for item in fields(ModelParts)}
    hiding = [part for part, told in COMMITMENTS.items() if told.startswith("hiding")]
    assert hiding == ["graph", "weights"]


def test_an_operation_that_is_forgotten_is_not_passed_over(monkeypatch: Any) -> None:
    monkeypatch.delitem(SHOWN, g.Pick)
    with pytest.raises(KeyError):
        public_facts(everything())


@pytest.mark.parametrize("graph", EVERY_OP, ids=lambda graph: g.op_name(graph.nodes[0].op))
def test_every_number_of_a_graph_is_counted_once(graph: g.Graph) -> None:
    """Its bytes have them all: with the lengths of lists, and less where one byte is one number."""
    counted = sum(numbers(public_facts(graph)).values())
    lists = sum(is_list for node in graph.nodes for _, is_list, _ in g.ATTRIBUTES[type(node.op)])
    used = [
        getattr(node.op, name)
        for node in graph.nodes
        if (name := g.CONSTANT_OF.get(type(node.op))) is not None
    ]
    # Version, five counts, lengths, ranks of shapes and what shape constants have; which constant
    # is read is one number more than what it holds.
    shapes = [*graph.inputs, *graph.nodes, *graph.constants]
    other = 1 + 4 + 1 + lists + len(graph.nodes) + len(shapes)
    other += sum(len(item.shape) for item in graph.constants) + len(used)
    again = sum(
        graph.constants[number].values.size * (used.count(number) - 1)
        for number in set(used) - {g.NONE}
    )
    assert counted + other - again == _numbers(encode_graph(graph), graph)


def _numbers(data: bytes, graph: g.Graph) -> int:
    """How many numbers the bytes of a graph are."""
    bytes_alone = len(graph.inputs) + 2 * len(graph.nodes) + len(graph.constants)
    wide = sum(
        (len(getattr(node.op, name)) if is_list else 1)
        for node in graph.nodes
        for name, is_list, form in g.ATTRIBUTES[type(node.op)]
        if form == "<i8"
    )
    return (len(data) - len(g.MAGIC) - bytes_alone - 8 * wide) // 4 + bytes_alone + wide


def test_what_is_hidden_is_no_longer_public() -> None:
    graph = everything()
    hidden = hide_weights(graph, b"").graph
    before, after = public_facts(graph), public_facts(hidden)
    assert before["hidden"] == {"matrices": 3, "weights": 42, "parameters": 0, "elements": 0}
    assert after["hidden"] == {"matrices": 3, "weights": 42, "parameters": 3, "elements": 13}
    assert numbers(before)["numbers"] == 6 + 6 + 1
    assert numbers(after)["numbers"] == 0
    assert numbers(before)["functions"] == numbers(after)["functions"]
    assert json.loads(json.dumps(after)) == after


def test_multipliers_by_row_are_told() -> None:
    graph = everything()
    assert public_facts(graph)["multipliers by row"] == 1
    one = replace(graph, constants=(*graph.constants[:1], constant([3]), *graph.constants[2:]))
    nodes = list(one.nodes)
    nodes[1] = replace(nodes[1], op=g.Rescale(1, 0, 6))
    assert public_facts(replace(one, nodes=tuple(nodes)))["multipliers by row"] == 0


@pytest.mark.parametrize("graph", EVERY_OP, ids=lambda graph: g.op_name(graph.nodes[0].op))
def test_a_graph_is_read_from_its_bytes(graph: g.Graph) -> None:
    assert decode_graph(encode_graph(graph)) == graph


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda graph: graph, ()),
        (lambda graph: replace(graph, inputs=(replace(graph.inputs[0], hi=126),)), ("ranges",)),
        (lambda graph: replace(graph, outputs=graph.outputs[:-1]), ("topology",)),
        (lambda graph: with_constant(graph, 2, [6]), ("multipliers",)),
        (lambda graph: with_constant(graph, 3, [[7, -1, 0], [3, 2, 3]]), ("maps",)),
        (lambda graph: with_constant(graph, 7, [40, -30, 20, 11]), ("functions",)),
        (lambda graph: with_constant(graph, 0, [1, -2, 3, -4, 5, -7]), ("numbers",)),
        (lambda graph: with_weight(graph, g.Weight(3, 3)), ("shapes",)),
        (
            lambda graph: replace(graph, nodes=graph.nodes[:-1]),
            ("topology", "shapes", "ranges", "numbers"),
        ),
    ],
)
def test_where_two_graphs_differ_the_kinds_are_told(change: Any, kinds: tuple[str, ...]) -> None:
    graph = everything()
    assert other_facts(graph, change(graph)) == kinds
    assert other_facts(change(graph), graph) == kinds


def with_constant(graph: g.Graph, number: int, values: Any) -> g.Graph:
    constants = list(graph.constants)
    constants[number] = constant(values)
    return replace(graph, constants=tuple(constants))


def with_weight(graph: g.Graph, weight: g.Weight) -> g.Graph:
    return replace(graph, weights=(*graph.weights[:-1], weight))
