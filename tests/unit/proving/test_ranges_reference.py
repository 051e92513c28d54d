"""The second verifier of range proofs, against vectors of the native prover."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hostile_keys import WIDE

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.second_verifier.graph import Tensor
from inferproof.second_verifier.private.range_graph import parts_of, range_graph
from inferproof.second_verifier.private.ranges import RangePart
from inferproof.second_verifier.private.shown_ranges import verify_ranges
from inferproof.second_verifier.private.soundness import bits
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Rejected
from reference.changes import MALFORMED, flipped
from reference.vectors import PLACE, load
from unit.proving.test_private_reference import MANIFEST

FOLDER = PLACE / "private" / "ranges"


class Shown(NamedTuple):
    """A key with its range proof."""

    key: bytes
    ranges: bytes


def read(path: Path) -> Shown:
    text = json.loads(path.read_text())
    return Shown(bytes.fromhex(text["key"]), bytes.fromhex(text["ranges"]))


VECTORS = {path.stem: read(path) for path in sorted(FOLDER.glob("*.json"))}
LIES = {path.stem: read(path) for path in sorted(FOLDER.glob("lies/*.json"))}
SMALL = VECTORS["network-default"]
OWN = {"count of links": {"LINK_COUNT", "LINK_END"}, "link: kind": {"LINK_KIND", "LINK_END"}}
"""How changes may be rejected of what a proof of a run has as well."""


def verdict(shown: Shown) -> str | None:
    """The code with which a range proof is rejected, None where it is accepted."""
    try:
        verify_ranges(*shown)
    except Rejected as rejection:
        return rejection.code
    return None


@pytest.mark.parametrize("name", VECTORS)
def test_accepts_what_the_native_prover_made(name: str) -> None:
    assert verdict(VECTORS[name]) is None


def test_there_are_vectors_of_both_profiles() -> None:
    assert {shown.key[13] for shown in VECTORS.values()} == {1, 2}
    assert len(VECTORS) == 3


@pytest.mark.parametrize("name", ["weight-128", "weight-300", "padding", "parameter", "label"])
def test_a_key_out_of_range_is_found_at_the_end_of_the_opening(name: str) -> None:
    """What is sent is what the transcript has absorbed, so that only the claim itself is false; but
    for another label, by which all challenges are others."""
    with pytest.raises(Rejected) as caught:
        verify_ranges(*LIES[name])
    assert caught.value.code == "OPENING_INVALID"
    assert ("the claim that is left does not hold" in str(caught.value)) is (name != "label")


def test_a_proof_of_another_key_is_rejected_by_its_link() -> None:
    assert verdict(LIES["key"]) == "LINK_INVALID"
    assert len(LIES) == 6


def test_a_key_without_one_is_refused() -> None:
    assert verdict(SMALL._replace(ranges=b"")) == "RANGES_MISSING"


def test_a_proof_of_a_run_shows_no_ranges() -> None:
    run = load(PLACE / "private" / "linear-default.json")
    assert verdict(Shown(run.key, run.proof)) == "LINK_END"


def test_rejects_each_field_changed() -> None:
    fields = RangePart(SMALL.key, 0).fields(SMALL.ranges)
    for name, places in fields:
        if not places:
            continue
        for place in {places[0], places[-1]}:
            other = SMALL._replace(ranges=flipped(SMALL.ranges, place, 0))
            assert verdict(other) in {**MANIFEST, **OWN}[name], name
    assert {name for name, places in fields if places} <= MANIFEST.keys()


def test_rejects_other_lengths() -> None:
    for ranges in (SMALL.ranges[:-1], SMALL.ranges + b"\0", SMALL.ranges[:1000], SMALL.ranges * 2):
        assert verdict(SMALL._replace(ranges=ranges)) == MALFORMED


def test_a_key_of_too_many_tensors_has_no_range_proof() -> None:
    large = Tensor((1 << 12, 1 << 12), -128, 127)
    assert parts_of([large] * 9) == [range(at, at + 1) for at in range(9)]
    small = [Tensor((2,), -(1 << 20), 1 << 20)] * (2**13 + 1)
    assert parts_of(small) == [range(2**13), range(2**13, 2**13 + 1)]
    others = [Tensor((2,), 0, 1 + number) for number in range(513)]
    assert parts_of(others) == [range(512), range(512, 513)]


def key_of_matrices(count: int, profile: int, rows: int = 4000, columns: int = 2000) -> bytes:
    """The key of so many matrices, of which two fill a part of ranges."""
    graph = g.Graph(
        inputs=(g.Input((columns,), -1, 1),),
        weights=(g.Weight(rows, columns),) * count,
        constants=(),
        nodes=tuple(g.Node(g.Linear(n), (0,), (rows,), -WIDE, WIDE) for n in range(count)),
        outputs=tuple(range(1, count + 1)),
    )
    return key_of(graph, profile)


def key_of(graph: g.Graph, profile: int) -> bytes:
    """The bytes of a key of this graph, which nobody has made."""
    head = b"INFSUMVK" + (1).to_bytes(4, "little") + bytes([3, profile]) + bytes(32)
    numbers = (1025, 2, 16, int(profile == 1))
    return b"".join(
        [head, *(n.to_bytes(4, "little") for n in numbers), bytes(20 * numbers[3])]
    ) + encode_graph(graph)


@pytest.mark.parametrize("profile", [1, 2])
def test_a_key_has_its_bits_with_as_many_parts_as_it_may_have(profile: int) -> None:
    key = key_of_matrices(16, profile)
    assert PrivateKey(key).parts == 8
    assert verdict(Shown(key, b"")) == "RANGES_MISSING"
    assert bits(PrivateKey(key)) > 100


def test_a_key_of_more_parts_is_refused() -> None:
    """Before its proofs are looked at, of which there are none here."""
    key = key_of_matrices(17, 2, rows=2049, columns=1025)
    assert PrivateKey(key).parts == 9
    assert verdict(Shown(key, b"")) == "KEY_RANGES"


def key_of_parameters(count: int) -> bytes:
    """The key of so many parameters with ranges of their own, of which a part has 512."""
    parameters = [g.Node(g.Parameter(), (), (2,), -reach, reach) for reach in range(1, count + 1)]
    every = tuple(range(1, count + 2))
    graph = g.Graph(
        inputs=(g.Input((2,), -1, 1),),
        weights=(g.Weight(2, 2),),
        constants=(),
        nodes=(
            g.Node(g.Linear(0), (0,), (2,), -WIDE, WIDE),
            *parameters,
            g.Node(g.Add((1,) * len(every), g.NONE), every, (2,), -WIDE, WIDE),
        ),
        outputs=(count + 2,),
    )
    return key_of(graph, 1)


@pytest.mark.parametrize(
    ("count", "parts", "code"), [(1600, 4, "RANGES_MISSING"), (2600, 8, "KEY_RANGES")]
)
def test_a_key_whose_proofs_would_have_too_few_bits_shows_no_ranges(
    count: int, parts: int, code: str
) -> None:
    """Many parts of a small key take more bits than its queries leave."""
    key = key_of_parameters(count)
    assert PrivateKey(key).parts == parts
    assert (bits(PrivateKey(key)) < 100) == (code == "KEY_RANGES")
    assert verdict(Shown(key, b"")) == code


@pytest.mark.parametrize(
    ("ends", "operations"),
    [
        ((-128, 127), "Parameter Lookup Sum View Add"),
        ((-(1 << 28), (1 << 28) - 1), "Parameter Add Rescale Lookup Sum View Add"),
        ((1 - (1 << 29), (1 << 29) - 1), "Parameter Rescale Lookup Sum View Add"),
    ],
)
def test_a_wide_range_is_moved_and_rescaled(ends: tuple[int, int], operations: str) -> None:
    codes = {"Parameter": 19, "Lookup": 7, "Sum": 13, "View": 8, "Add": 4, "Rescale": 6}
    graph = range_graph([Tensor((3, 5), *ends)])
    assert [node.op for node in graph.nodes] == [codes[name] for name in operations.split()]
