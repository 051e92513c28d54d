"""What a stranger's key may cost whoever checks proofs under it."""

from dataclasses import replace

import hostile_keys as hostile
import numpy as np
import pytest

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.verifier_bundle import verifying_key_digest
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.check import read_facts
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.testing.rejections import rejects

pytestmark = pytest.mark.native


def _graph(shape, nodes, inputs=()):
    """A graph of one contraction with one weight, nodes after it, and a rescaling at the end."""
    linear = g.Node(g.Linear(0), (0,), shape, -128, 128)
    last = 1 + len(inputs) + len(nodes)
    rescale = g.Node(g.Rescale(0, 0, 1), (last,), nodes[-1].shape, -100, 100)
    return g.Graph(
        inputs=(g.Input(shape, -1, 1), *(g.Input(other, -1, 1) for other in inputs)),
        weights=(g.Weight(1, 1),),
        constants=(g.Constant(np.array([1], dtype=np.int32)),),
        nodes=(linear, *nodes, rescale),
        outputs=(last + 1,),
    )


def views(count, rows=2**10):
    """Diagonals of a square, each repeated to a square and read address by address."""
    shape = (rows, rows, 1)
    view = g.View(0, (rows + 1, 0, 0))
    nodes = [g.Node(view, (1 + i,), shape, -128, 128) for i in range(count)]
    return _graph(shape, nodes)


def uses(count, most=4096):
    """Sums of one tensor with itself, `count` times in all."""
    nodes = []
    for start in range(0, count, most):
        terms = min(most, count - start)
        node = g.Node(g.Add((1,) * terms), (1,) * terms, (1, 1), -(2**28), 2**28)
        nodes.append(node)
    sums = tuple(range(2, 2 + len(nodes)))
    total = g.Node(g.Add((1,) * len(sums)), sums, (1, 1), -(2**29) + 1, 2**29 - 1)
    return _graph((1, 1), [*nodes, total])


def claims_on_an_input(count, size=2**20):
    """Products of an input with itself: for each, two claims that a verifier computes."""
    shape = (size, 1)
    first = g.Node(g.Add((1, 1)), (0, 2), shape, -129, 129)
    nodes = [
        g.Node(g.Add((1, 1)), (1, 3 + number), shape, -(2**20), 2**20) for number in range(count)
    ]
    return _graph(shape, [first, *nodes], inputs=[shape])


@pytest.mark.parametrize(
    ("fine", "costly"),
    [
        (views(31), views(32)),
        (uses(8100), uses(8200)),
        (claims_on_an_input(60), claims_on_an_input(61)),
    ],
    ids=["addresses", "claims on one tensor", "claims on an input"],
)
def test_costly_keys_are_refused_before_they_cost(fine, costly):
    native = library()
    native.security(encode_graph(fine), "default")
    with pytest.raises(native.NativeError) as caught:
        native.security(encode_graph(costly), "default")
    assert caught.value.args == (
        "KEY_WORK",
        "the graph takes its verifier too much where its results are hidden",
    )


def test_a_strangers_costly_bundle_is_refused(sumcheck_system, sumcheck_compiled):
    bundle = sumcheck_system.verifier(sumcheck_compiled)
    key = hostile.key_of(views(32))
    parts = replace(bundle.parts, verifying_key=verifying_key_digest(key))
    message = (
        "the circuit's settings are not those of a sound circuit: the graph takes its verifier too "
        "much where its results are hidden"
    )
    with rejects(Reason.ARTIFACT_SETTINGS, message, kind=ArtifactRejected):
        read_facts(replace(bundle, verifying_key=key, parts=parts))


def test_keys_of_no_kind_and_of_modes_that_have_ended_are_refused():
    native, key = library(), hostile.key_of(views(1))
    for byte, code in ((9, "KEY_VERSION"), (1, "KEY_MODE_ENDED"), (2, "KEY_MODE_ENDED")):
        with pytest.raises(native.NativeError) as caught:
            native.VerifyingKey(key[:12] + bytes([byte]) + key[13:])
        assert caught.value.args[0] == code
