"""Commitments to weights, and the links that tie them together.

Source: specs/private-mode.md, sections 4 and 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.second_verifier.field import (
    ONE,
    ZERO,
    Element,
    add,
    canonical_elements,
    mul,
    powers,
)
from inferproof.second_verifier.hiding.fields import walk
from inferproof.second_verifier.hiding.shape import PLANES, Shape, Vector
from inferproof.second_verifier.hiding.terms import Term, at_point, basis, cells, in_column, scaled
from inferproof.second_verifier.hiding.verifier import Verifier
from inferproof.second_verifier.reader import Reader, Rejected, named
from inferproof.second_verifier.transcript import Transcript

KEY, LINKS, PROOFS, PRIVATE_INPUTS = 1, 2, 3, 4
OF_PROOFS = (PROOFS, PRIVATE_INPUTS)
RANGES = range(5, 13)
"""One for each part of the ranges."""
_LEADS: dict[int, tuple[int, ...]] = {
    KEY: (KEY, LINKS, *OF_PROOFS, *RANGES),
    LINKS: OF_PROOFS,
    **dict.fromkeys((*OF_PROOFS, *RANGES), ()),
}
MOST_LINKS = 16
_LABEL = b"inferproof/sumcheck/1/link/digest"


class Shapes(Protocol):
    """What a key says of its commitments."""

    shapes: dict[int, Shape]
    openings: dict[int, int]
    columns: list[int]
    """Variables of the columns of blocks and parameters, the half apart."""
    own_kind: int
    """That of the epochs that its proofs open."""
    parts: int
    """Of its ranges."""

    @property
    def most_links(self) -> int:
        """That a proof comes with."""

    def transcript(self) -> Transcript: ...


@dataclass(frozen=True)
class Commitment:
    """A commitment, and the form that its openings claim with its value, where there is one."""

    kind: int
    root: bytes
    digest: bytes
    binding: tuple[list[Term], Element] | None


@dataclass(frozen=True)
class Link:
    kind: int
    root: bytes
    fresh: bytes
    value: Element
    opening: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole: kind, two roots, a value, and the opening."""
        return 1 + 32 + 32 + 20 + len(self.opening)


def read(key: Shapes, source: Reader) -> list[Link]:
    """The links before a proof. Raises: Rejected PROOF_MALFORMED, LINK_…"""
    source.field("count of links")
    count = source.unsigned(1)
    if count > key.most_links:
        raise Rejected("LINK_COUNT", "more links than a chain has")
    known = {*key.shapes, *OF_PROOFS, *RANGES[: key.parts]}
    found: list[Link] = []
    parent = KEY
    for _ in range(count):
        source.field("link: kind")
        kind = source.unsigned(1)
        if kind not in _LEADS[parent] or kind not in known:
            raise Rejected("LINK_KIND", "the parent leads to no commitment of this kind")
        source.field("link: root")
        root = source.take(32)
        source.field("link: fresh root")
        fresh = source.take(32)
        source.field("link: value")
        value = source.element()
        start, own = source.at, len(source.fields)
        walk(key.shapes[parent], source)
        source.fields[own:] = [("link: opening", at) for _, at in source.fields[own:]]
        found.append(Link(kind, root, fresh, value, source.since(start)))
        parent = kind
    if parent != key.own_kind:
        raise Rejected("LINK_END", "the links lead to no epoch for such proofs")
    return found


def follow(key: Shapes, parent: Commitment, links: Sequence[Link]) -> Commitment:
    """The commitment that all of them lead to. Raises: Rejected LINK_INVALID."""
    for link in links:
        parent = _checked(key, parent, link)
    return parent


def digest_of(key: Shapes, parent: bytes, link: Link) -> bytes:
    """The digest of the commitment that a link leads to from the parent of this digest."""
    told = parent + _described(key, link) + link.fresh + canonical_elements([link.value])
    head = len(_LABEL).to_bytes(4, "little") + _LABEL + len(told).to_bytes(8, "little")
    return key.shapes[link.kind].digest(head + told)


def _described(key: Shapes, link: Link) -> bytes:
    return link.root + bytes([link.kind]) + key.openings[link.kind].to_bytes(4, "little")


def _checked(key: Shapes, parent: Commitment, link: Link) -> Commitment:
    own, child = key.shapes[parent.kind], key.shapes[link.kind].vectors[1]
    transcript = key.transcript()
    transcript.absorb("protocol", b"inferproof sumcheck 1 private link")
    transcript.absorb("link/parent", parent.digest)
    transcript.absorb("link/child", _described(key, link))
    half = transcript.point(child.variables - 1)
    transcript.absorb("link/fresh", link.fresh)
    point = transcript.point(max(key.columns))
    alpha, factor = transcript.challenge(), transcript.challenge()
    transcript.absorb("link/value", canonical_elements([link.value]))
    beta = transcript.challenge()

    mask = cells(0, [basis(limb) for limb in range(PLANES)])
    weights = _weights(key, own.vectors[1], point, alpha, factor)
    value = link.value
    if parent.binding is not None:
        form, of_parent = parent.binding
        weights += [scaled(term, beta) for term in form]
        value = add(value, mul(beta, of_parent))
    forms = [[in_column(own.vectors[0], 0, mask)], weights]
    with named("LINK_INVALID"):
        source = Reader(link.opening, "PROOF_MALFORMED")
        Verifier(own, transcript, source).verify([link.fresh, parent.root], forms, value)

    whole = at_point([*half[: child.fold], ONE, *half[child.fold :]], ONE)
    form = [whole, *_weights(key, child, point, alpha, factor)]
    digest = digest_of(key, parent.digest, link)
    return Commitment(link.kind, link.root, digest, (form, link.value))


def _weights(
    key: Shapes, vector: Vector, point: list[Element], alpha: Element, factor: Element
) -> list[Term]:
    """c·v on a vector."""
    found = []
    for column, (variables, power) in enumerate(
        zip(key.columns, powers(alpha, len(key.columns)), strict=True)
    ):
        own = point[len(point) - variables :]
        own = [*own[: vector.fold], ZERO, *own[vector.fold :]]
        found.append(in_column(vector, column, at_point(own, mul(factor, power))))
    return found
