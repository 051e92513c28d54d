"""Plans of private inputs in the second verifier: what is committed to for an input, and what is
not known any more. Rust's plan is held to the same numbers (`claim_reduction/tests`)."""

from dataclasses import replace

import pytest

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.graph import Graph, Node, Tensor
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations.parts import Limb
from inferproof.second_verifier.relations.plan import plan


def shifted(lo: int, hi: int) -> Graph:
    """One input of a range, a Const, the sum of both, and a layer."""
    most = max(abs(lo), abs(hi)) + 9
    nodes = [
        Node(g.CONST, Tensor((3,), 9, 9), (), {"constant": 0}),
        Node(
            g.ADD,
            Tensor((3,), -most, most),
            (0, 1),
            {"coefficients": (1, 1), "constant": g.NONE},
        ),
        Node(g.LINEAR, Tensor((2,), -(2**28), 2**28), (2,), {"weight": 0, "bias": g.NONE}),
    ]
    return Graph([Tensor((3,), lo, hi)], [(2, 3)], [g.Constant((3,), (9, 9, 9))], nodes, [3])


def bits(limbs: list[Limb]) -> int:
    return sum(limb.bits for limb in limbs)


@pytest.mark.parametrize(
    ("lo", "hi", "own", "both"),
    [
        (-128, 127, 8, False),
        (-127, 127, 8, True),
        (0, 1, 1, False),
        (5, 5, 1, True),
        (-9, 9, 5, True),
        (0, 65_535, 16, False),
        (-(1 << 29) + 1, (1 << 29) - 1, 30, True),
    ],
)
def test_an_input_takes_limbs_of_its_range(lo: int, hi: int, own: int, *, both: bool) -> None:
    graph = shifted(lo, hi)
    made = plan(graph, private=True)
    (held,) = made.inputs
    assert (held.low, held.high) == (lo, hi)
    assert bits(held.over) == own
    assert bits(held.under) == (own if both else 0)
    assert held.over[0].column == held.over[0].lookup == 0
    assert [made.columns[limb.column].pad for limb in held.over] == [0] * len(held.over)
    pads = [made.columns[limb.column].pad << limb.shift for limb in held.under]
    assert sum(pads) == (hi - lo if both else 0)


def test_what_reads_a_private_input_is_not_known_and_what_reads_constants_is() -> None:
    graph = shifted(-9, 9)
    assert plan(graph).known == [True, True, False]
    assert plan(graph).inputs == []
    assert plan(graph, private=True).known == [True, False, False]


def test_integers_that_the_verifier_would_have_executed_are_refused_by_name() -> None:
    graph = shifted(-40_000, 40_000)
    squared = Node(g.MUL, Tensor((3,), 0, 2**29 - 1), (0, 0), {})
    graph = replace(graph, nodes=[squared, replace(graph.nodes[2], operands=(1,))], outputs=[2])
    assert plan(graph).known == [True, False]
    with pytest.raises(Rejected) as refused:
        plan(graph, private=True)
    assert refused.value.code == "KEY_UNSUPPORTED"
    assert str(refused.value).endswith("its integers can wrap around in the field")
