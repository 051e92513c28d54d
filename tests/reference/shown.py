"""What proofs of the private mode show that is uniform, to find those that share randomness.

Everything here is under a mask or a root of something that is, and so is never sent twice: roots,
padded elements, messages of the relation proof and of openings. Left out are rows of a code and
their paths, which two openings of one commitment may have in common by chance.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from inferproof.second_verifier.field import DEGREE
from inferproof.second_verifier.hiding.fields import walk
from inferproof.second_verifier.private.links import Commitment, digest_of
from inferproof.second_verifier.private.verifier import PrivateInputKey, PrivateKey, Proof
from inferproof.second_verifier.reader import Reader

ELEMENT = 4 * DEGREE
ROOT = 32
SIZES = {
    "witness": ROOT,
    "padded elements": ELEMENT,
    "relation: sum of the masks": ELEMENT,
    "relation: rounds": ELEMENT,
    "relation: factors": ELEMENT,
    "opening: values of masks": ELEMENT,
    "opening: padded answer": ELEMENT,
    "opening: first fold": ELEMENT,
    "opening: claim of the pad": ELEMENT,
    "opening: tail": ELEMENT,
    "opening: root": ROOT,
    "opening: answers": ELEMENT,
    "opening: fold": ELEMENT,
    "opening: last polynomial": ELEMENT,
    "opening: last fold": ELEMENT,
}
"""The fields that are looked at, and the size of what each has one after another."""


@dataclass(frozen=True)
class Opened:
    """One opening of a commitment, by a link or a proof. `pieces` are what it shows, by field."""

    commitment: bytes
    child: bytes
    """The digest of what a link leads to; empty for a proof."""
    name: str
    pieces: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Examined:
    """How often each commitment was opened, by its digest; what commitments there are; and what
    two openings have in common, in words."""

    openings: Counter[bytes]
    commitments: frozenset[bytes]
    shared: tuple[str, ...]


def examine(
    verifying_key: bytes, proofs: Iterable[tuple[str, bytes]], private: Collection[str] = ()
) -> Examined:
    """What is to be seen in proofs under one key, each given with a name; `private` names those
    about private inputs. A link that several proofs come with is one opening. Raises: Rejected."""
    key = PrivateKey(verifying_key)
    key_of_private = PrivateInputKey(verifying_key) if private else key
    links: dict[tuple[bytes, tuple[tuple[str, bytes], ...]], Opened] = {}
    opened: list[Opened] = []
    for name, data in proofs:
        *before, own = _opened(key_of_private if name in private else key, name, data)
        opened.append(own)
        for link in before:
            links.setdefault((link.commitment, link.pieces), link)
    opened += links.values()
    owner: dict[bytes, tuple[Opened, str]] = {}
    shared: list[str] = []
    for each in opened:
        for field, piece in each.pieces:
            first, of_first = owner.setdefault(piece, (each, field))
            if first is not each:
                shared.append(f"{first.name} ({of_first}) and {each.name} ({field})")
    known = {key.commitment.digest, *(each.child for each in opened if each.child)}
    return Examined(
        Counter(each.commitment for each in opened), frozenset(known), tuple(dict.fromkeys(shared))
    )


def _opened(key: PrivateKey, name: str, data: bytes) -> Iterator[Opened]:
    """The openings of a proof's links, and at last its own."""
    source = Reader(data, "PROOF_MALFORMED")
    proof: Proof = key.read_next(source)
    source.end()
    parent = key.commitment
    for number, link in enumerate(proof.links):
        inner = Reader(link.opening, "PROOF_MALFORMED")
        walk(key.shapes[parent.kind], inner)
        digest = digest_of(key, parent.digest, link)
        value = b"".join(limb.to_bytes(4, "little") for limb in link.value)
        told = (("root", link.root), ("fresh root", link.fresh), ("value", value))
        pieces = (*told, *_pieces(inner, link.opening))
        yield Opened(parent.digest, digest, f"link {number} of {name}", pieces)
        parent = Commitment(link.kind, link.root, digest, None)
    yield Opened(parent.digest, b"", name, tuple(_pieces(source, data)))


def _pieces(source: Reader, data: bytes) -> Iterator[tuple[str, bytes]]:
    ends = [at for _, at in source.fields[1:]] + [len(data)]
    for (field, start), end in zip(source.fields, ends, strict=True):
        size = SIZES.get(field)
        if size is not None:
            for at in range(start, end, size):
                yield field, data[at : at + size]
