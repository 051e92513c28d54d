"""Control flow that depends on the input, never ends, or is not what it says."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import hostile as h
import numpy as np
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.limits import Limits
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects

INT64, BOOL = TensorProto.INT64, TensorProto.BOOL
TOO_LONG = (
    "operator '{op}', which makes '{name}', takes the model beyond {limit} nodes when its steps "
    "are written out; export it for fewer steps"
)


def parse(made: ModelProto, limits: Limits = Limits()) -> Any:
    return parse_untrusted(made.SerializeToString(), limits)


def turn(
    nodes: Sequence[NodeProto], outputs: Sequence[str] = ("c", "n"), depth: int = 0
) -> GraphProto:
    """The body of a Loop with one state: i, c and s with the depth's number go in."""
    number = str(depth or "")
    inputs = [h.info("i" + number, [], INT64), h.info("c" + number, [], BOOL)]
    return helper.make_graph(
        list(nodes),
        "body",
        [*inputs, h.undeclared("s" + number)],
        [h.undeclared(name) for name in outputs],
    )


def looped(body: GraphProto, trips: int, inputs: Sequence[str] = ("m", "go", "x")) -> ModelProto:
    weights = [h.weight("m", trips, "i8"), h.weight("go", True, "?")]
    return h.model([h.node("Loop", inputs, ["y"], body=body)], weights)


ADD = h.node("Add", ["s", "x"], ["n"])


def test_nodes_are_counted_before_they_are_made():
    made = looped(turn([ADD]), 8)
    with rejects(
        Reason.MODEL_UNROLLED_TOO_LONG,
        "operator 'Loop', which makes 'y', takes the model beyond 8 nodes when its steps are "
        "written out; export it for fewer steps",
    ):
        parse(made, Limits(nodes=8))
    assert dict(parse(made, Limits(nodes=9)).operators)["Add"] == 8


def test_loops_within_loops():
    body = turn([ADD])
    for depth in range(1, 5):
        inner = h.node("Loop", ["m", "go", f"s{depth}"], [f"n{depth}"], body=body)
        body = turn([inner], (f"c{depth}", f"n{depth}"), depth)
    with rejects(Reason.MODEL_UNROLLED_TOO_LONG, TOO_LONG.format(op="Loop", name="n1", limit=500)):
        parse(looped(body, 100), Limits(nodes=500))


def test_a_loop_of_nothing_that_never_ends():
    true = h.node("Constant", [], ["t"], value=h.weight("t", True, "?"))
    endless = looped(turn([true], ("t", "s")), 0, ("", "", "x"))
    with rejects(Reason.MODEL_UNROLLED_TOO_LONG, TOO_LONG.format(op="Loop", name="y", limit=200)):
        parse(endless, Limits(nodes=200))


def scanned(rows: int, **attributes: Any) -> ModelProto:
    body = helper.make_graph(
        [h.node("Add", ["s", "r"], ["n"])],
        "body",
        [h.undeclared("s"), h.undeclared("r")],
        [h.undeclared("n"), h.undeclared("n")],
    )
    made = h.node("Scan", ["start", "x"], ["last", "y"], body=body, **attributes)
    return h.model([made], [h.weight("start", np.zeros(2))], [h.info("x", [rows, 2])])


def test_scan_of_many_rows():
    with rejects(
        Reason.MODEL_UNROLLED_TOO_LONG, TOO_LONG.format(op="Scan", name="last", limit=20000)
    ):
        parse(scanned(10_000_000, num_scan_inputs=1))
    assert parse(scanned(20, num_scan_inputs=1)).nodes > 20


@pytest.mark.parametrize(("operator", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_recurrent_layer_of_ten_thousand_steps(operator: str, gates: int):
    weights = [h.weight(name, np.ones((1, gates * 2, 2))) for name in "wr"]
    layer = h.node(operator, ["x", "w", "r"], ["y"], hidden_size=2)
    with rejects(
        Reason.MODEL_UNROLLED_TOO_LONG, TOO_LONG.format(op=operator, name="y", limit=20000)
    ):
        parse(h.model([layer], weights, [h.info("x", [10_000, 1, 2])]))
    parse(h.model([layer], weights, [h.info("x", [100, 1, 2])]))


def test_condition_of_an_if_depends_on_the_input():
    branch = helper.make_graph([h.relu("x", "b")], "branch", [], [h.undeclared("b")])
    made = h.model(
        [h.node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)],
        inputs=[h.info("x", [1, 4]), h.info("c", [], BOOL)],
    )
    with rejects(
        Reason.MODEL_NOT_UNROLLED,
        "operator 'If', which makes 'y', cannot be written out: its condition depends on the "
        "model's input; export the branch that is meant, or choose between two values with Where",
    ):
        parse(made)


LOOP = (
    "operator 'Loop', which makes 'y', cannot be written out: its {what} depends on the model's "
    "input; export it for a fixed number of steps, or of the inputs' sizes alone"
)


def test_condition_of_a_loop_depends_on_the_input():
    more = h.node("ReduceMax", ["n"], ["largest"], keepdims=0)
    ask = h.node("Less", ["largest", "limit"], ["again"])
    made = looped(turn([ADD, more, ask], ("again", "n")), 5)
    made.graph.initializer.append(h.weight("limit", 3.0))
    with rejects(Reason.MODEL_NOT_UNROLLED, LOOP.format(what="condition")):
        parse(made)


def test_number_of_steps_depends_on_the_input():
    made = looped(turn([ADD]), 5, ("steps", "go", "x"))
    made.graph.input.append(h.info("steps", [], INT64))
    with rejects(Reason.MODEL_NOT_UNROLLED, LOOP.format(what="number of steps")):
        parse(made)


@pytest.mark.parametrize(
    ("made", "op", "why"),
    [
        (
            looped(turn([ADD], ("c",)), 5),
            "Loop",
            "its graph has not the inputs and outputs of its states",
        ),
        (
            looped(turn([ADD]), 5, ("m", "go")),
            "Loop",
            "its graph has not the inputs and outputs of its states",
        ),
        (looped(turn([ADD]), 5, ("x", "go", "x")), "Loop", None),
        (h.model([h.node("Loop", ["x", "", "x"], ["y"])]), "Loop", "it has no graph body"),
        (h.model([h.node("If", [], ["y"])]), "If", "it has not one condition"),
        (scanned(3), "Scan", "its numbers of states and scanned inputs do not fit its graph"),
        (
            scanned(3, num_scan_inputs=7),
            "Scan",
            "its numbers of states and scanned inputs do not fit its graph",
        ),
        (scanned(3, num_scan_inputs=2), "Scan", "what it scans is not all of one length"),
        (scanned(3, num_scan_inputs=1, scan_input_axes=[2]), "Scan", "axis 2 is none of 2"),
        (
            scanned(3, num_scan_inputs=1, scan_input_axes=[0, 0]),
            "Scan",
            "its axes or directions are not as many as what it scans",
        ),
        (scanned(3, num_scan_inputs=1, scan_output_axes=[5]), "Scan", "axis 5 is none of 2"),
    ],
)
def test_malformed_control_flow(made: ModelProto, op: str, why: str | None):
    if why is None:
        with rejects(Reason.MODEL_NOT_UNROLLED, LOOP.format(what="number of steps")):
            parse(made)
        return
    with rejects(Reason.MODEL_INVALID, f"the ONNX checker refuses operator '{op}': {why}"):
        parse(made)


def test_a_graph_that_reads_what_nothing_defines():
    with rejects(Reason.MODEL_UNDEFINED_NAME, "the graph uses 'z', which nothing defines"):
        parse(looped(turn([h.node("Add", ["s", "z"], ["n"])]), 5))


def test_a_graph_that_runs_in_a_circle_with_itself():
    made = looped(turn([h.node("Add", ["s", "y"], ["n"])]), 5)
    with rejects(Reason.MODEL_CYCLE, "the graph runs in a circle through operator 'Loop'"):
        parse(made)


def _nodes(graph: GraphProto) -> list[NodeProto]:
    """All nodes, those of graphs within nodes among them."""
    found = list(graph.node)
    for item in (item for made in graph.node for item in made.attribute if item.HasField("g")):
        found += _nodes(item.g)
    return found


def _damage(made: ModelProto, random: Random) -> None:
    nodes = _nodes(made.graph)
    names = ["", "nowhere", *(name for item in nodes for name in (*item.input, *item.output))]
    item = random.choice(nodes)
    lists: list[Any] = [item.input, item.output]
    graphs = [told.g for told in item.attribute if told.HasField("g")]
    lists += [part for graph in graphs for part in (graph.input, graph.output)]
    chosen = random.choice(lists)
    match random.randrange(5):
        case 0 if chosen:
            del chosen[random.randrange(len(chosen))]
        case 1 if chosen and isinstance(chosen[0], str):
            chosen[random.randrange(len(chosen))] = random.choice(names)
        case 2 if chosen and not isinstance(chosen[0], str):
            chosen[random.randrange(len(chosen))].name = random.choice(names)
        case 3:
            numbers = [told for told in item.attribute if told.type == told.INT]
            for told in numbers:
                told.i = random.choice([-(2**63), -1, 0, 1, 2, 3, 2**31])
        case _:
            item.op_type = random.choice(["Loop", "Scan", "If", "Add"])


def test_damaged_control_flow_is_taken_or_rejected_and_nothing_else():
    random, told = Random(9), Counter[str]()  # noqa: S311 - it guards nothing
    sound = [looped(turn([ADD]), 3), scanned(3, num_scan_inputs=1), looped(turn([ADD]), 9)]
    for _ in range(600):
        made = ModelProto()
        made.CopyFrom(random.choice(sound))
        for _ in range(random.choice([1, 1, 2, 3])):
            _damage(made, random)
        try:
            parse(made, Limits(nodes=100))
        except ModelRejected as refused:
            told[refused.code] += 1
        else:
            told["taken"] += 1
    assert told["taken"] > 10
    assert len(told) > 6
