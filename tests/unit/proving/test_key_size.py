"""Strangers' keys that would cost a verifier much: refused before any of it is done."""

import time
from dataclasses import replace

import pytest

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.verifier_bundle import decode_bundle, encode_bundle, verifying_key_digest
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck import size as limits
from inferproof.proving.sumcheck.check import read_facts
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.size import check_effort, check_key_size
from inferproof.proving.sumcheck.wellformed import check_graph
from inferproof.testing.rejections import rejects

WIDE = 2**29 - 1
SECONDS = 3.0
"""Within which a key is refused, whatever it would cost."""


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


def test_short_keys_may_be_read():
    check_key_size(bytes(2**24))
    message = (
        "the verifying key is of 16777217 bytes, the limit is 16777216: checking a proof under it "
        "would take too much memory or time"
    )
    with rejects(Reason.KEY_TOO_COSTLY, message, kind=ArtifactRejected):
        check_key_size(bytes(2**24 + 1))


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
def test_costly_graphs_are_refused(fine, costly, what, limit):
    check_effort(fine)
    message = (
        f"the verifying key {what}, the limit is {limit}: checking a proof under it would take "
        "too much memory or time"
    )
    with rejects(Reason.KEY_TOO_COSTLY, message, kind=ArtifactRejected):
        check_effort(costly)
    check_graph(costly)  # it is a graph all the same


@pytest.mark.native
@pytest.mark.parametrize("costly", [copies(63), product(1024)], ids=["memory", "time"])
def test_a_strangers_bundle_costs_no_more_than_reading_it(
    costly, sumcheck_system, sumcheck_compiled
):
    bundle = sumcheck_system.verifier(sumcheck_compiled)
    head = b"INFSUMVK" + (1).to_bytes(4, "little") + bytes([1, 2]) + bytes(32) + bytes(4)
    key = head + encode_graph(costly)
    parts = replace(bundle.parts, verifying_key=verifying_key_digest(key))
    data = encode_bundle(replace(bundle, verifying_key=key, parts=parts))
    before = time.process_time()
    with pytest.raises(ArtifactRejected) as caught:
        read_facts(decode_bundle(data))
    assert caught.value.reason is Reason.KEY_TOO_COSTLY
    assert time.process_time() - before < SECONDS


@pytest.mark.native
def test_a_key_that_is_too_long_is_not_parsed(sumcheck_system, sumcheck_compiled, monkeypatch):
    bundle = sumcheck_system.verifier(sumcheck_compiled)
    key = bundle.verifying_key + bytes(1)
    parts = replace(bundle.parts, verifying_key=verifying_key_digest(key))
    monkeypatch.setattr(limits, "MAX_KEY_BYTES", len(key) - 1)
    with pytest.raises(ArtifactRejected) as caught:
        read_facts(replace(bundle, verifying_key=key, parts=parts))
    assert caught.value.reason is Reason.KEY_TOO_COSTLY
    monkeypatch.setattr(limits, "MAX_KEY_BYTES", len(key))
    with pytest.raises(ArtifactRejected) as caught:
        read_facts(replace(bundle, verifying_key=key, parts=parts))
    assert caught.value.reason is Reason.ARTIFACT_SETTINGS


@pytest.mark.native
def test_what_is_compiled_is_within_the_limits(sumcheck_system, sumcheck_compiled):
    assert read_facts(sumcheck_system.verifier(sumcheck_compiled))
