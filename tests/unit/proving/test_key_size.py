"""Strangers' keys that would cost a verifier much: refused before any of it is done."""

import pytest
from hostile_keys import key_of, resealed

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.check import read_facts
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.testing.rejections import rejects

pytestmark = pytest.mark.native
WIDE = 2**29 - 1
REFUSED = ("KEY_MALFORMED", "KEY_WORK", "KEY_UNSUPPORTED")
"""Of keys that cost as much as one may: they have no pin, too wide a window, or products of values
that are no layer which is hidden."""


def graph(inputs, nodes, weight=(1, 1)):
    """A graph of these, with one contraction as its first node."""
    return g.Graph(
        inputs=tuple(g.Input(shape, -1, 1) for shape in inputs),
        weights=(g.Weight(*weight),),
        constants=(),
        nodes=tuple(nodes),
        outputs=(len(inputs),),
    )


def linear(operand=0):
    return g.Node(g.Linear(0), (operand,), (1,), -128, 128)


def copies(count, size=2**20):
    """Nodes that copy the second input."""
    return graph(
        [(1,), (size,)],
        [linear(), *(g.Node(g.Add((1,)), (1,), (size,), -1, 1) for _ in range(count))],
    )


def product(rows):
    """One product of rows × 1024 by 1024 × 1024 computed values."""
    node = g.Node(g.MatMul(), (1, 2), (rows, 1024), -1024, 1024)
    return graph([(1,), (rows, 1024), (1024, 1024)], [linear(), node])


def window(lines, kernel, stride=1):
    """A convolution whose window is as wide as the padding before `lines` lines of one value."""
    conv = g.Conv(0, g.NONE, 1, (1, kernel), (lines, stride), (1, 1), (0, kernel), (0, 0))
    shape = (1, 1, 1, 1 // stride + 1)
    node = g.Node(conv, (0,), shape, -WIDE, WIDE)
    return graph([(1, 1, lines, 1)], [node], (1, kernel))


def row(columns):
    """A contraction over so many columns."""
    node = g.Node(g.Linear(0), (0,), (1,), -WIDE, WIDE)
    return graph([(columns,)], [node], (1, columns))


def refusal(made):
    native = library()
    with pytest.raises(native.NativeError) as caught:
        native.VerifyingKey(key_of(made))
    return caught.value.args[0]


@pytest.fixture(scope="module")
def sumcheck_bundle(sumcheck_system, sumcheck_compiled):
    return sumcheck_system.verifier(sumcheck_compiled)


def test_a_key_that_is_too_long_is_not_parsed(sumcheck_bundle):
    head = key_of(row(1))[:61]
    parsed = (
        "the circuit's settings are not those of a sound circuit: the graph of the verifying key "
        "is not well formed: the integer graph is not in its canonical encoding: "
        "it does not begin as one"
    )
    with rejects(Reason.ARTIFACT_SETTINGS, parsed, kind=ArtifactRejected):
        read_facts(resealed(sumcheck_bundle, head.ljust(2**24, b"\0")))
    message = (
        "the verifying key is of 16777217 bytes, the limit is 16777216: checking a proof under it "
        "would take too much memory or time"
    )
    with rejects(Reason.KEY_TOO_COSTLY, message, kind=ArtifactRejected):
        read_facts(resealed(sumcheck_bundle, head.ljust(2**24 + 1, b"\0")))


@pytest.mark.parametrize(
    ("fine", "costly", "what", "limit"),
    [
        (copies(62), copies(63), f"makes its checker keep {2**26 + 2} values", 2**26),
        (
            row(2**22),
            row(2**22 + 1),
            f"makes its checker weight {2**22 + 1} operands",
            2**22,
        ),
        (
            product(1000),
            product(1024),
            f"makes its checker take {2**30 + 3 * 2**20 + 2 + 1} steps",
            2**30,
        ),
        (
            window(2**20, 2**8),
            window(2**20, 2**10),
            f"makes its checker take {2**20 * 2**10 * 2 + 2**10 + 2**20 + 2} steps",
            2**30,
        ),
    ],
    ids=["values", "operands", "products of values", "window over padding"],
)
def test_costly_graphs_are_refused(fine, costly, what, limit, sumcheck_bundle):
    assert refusal(fine) in REFUSED
    message = (
        f"the verifying key {what}, the limit is {limit}: checking a proof under it would take "
        "too much memory or time"
    )
    with rejects(Reason.KEY_TOO_COSTLY, message, kind=ArtifactRejected):
        read_facts(resealed(sumcheck_bundle, key_of(costly)))
    library().check_graph(encode_graph(costly))  # it is a graph all the same


def test_what_is_compiled_is_within_the_limits(sumcheck_system, sumcheck_compiled):
    assert read_facts(sumcheck_system.verifier(sumcheck_compiled))
