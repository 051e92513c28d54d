"""The programs of a key, and what a contract is given of a proof to run them on.

Source: specs/programs.md, sections 5 and 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from inferproof.second_verifier.field import canonical_elements
from inferproof.second_verifier.keccak import keccak256
from inferproof.second_verifier.keys import PROFILES, Tensors, words
from inferproof.second_verifier.private import links
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.program.assembly import assemble
from inferproof.second_verifier.program.trace import link, proof
from inferproof.second_verifier.reader import Rejected

Step = tuple[bool, int, int]
"""Whether a link leads to the parent, the parent's kind, and the child's."""
_CHILDREN = (links.KEY, links.LINKS, links.PROOFS)
_STEPS: list[Step] = [
    *((linked, links.KEY, child) for linked in (False, True) for child in _CHILDREN),
    (True, links.LINKS, links.PROOFS),
]
"""All that a proof's chain may have."""
_PROFILE = slice(13, 14)
"""Where a key says it: keys of others are not read."""
_KEPT = 8
NONE = bytes(32)
"""In the place of the digest of a program that a key does not have."""
_tracing = Lock()
"""Tracing replaces the arithmetic of the whole second verifier while it lasts."""


@dataclass(frozen=True)
class Programs:
    """What a contract runs for a key: on proofs, and on links by their steps."""

    proof: bytes
    links: dict[Step, bytes]

    @property
    def every(self) -> list[bytes]:
        """All of them, the one of proofs first."""
        return [self.proof, *self.links.values()]

    @property
    def digests(self) -> list[bytes]:
        """Of each its digest, the one of proofs first, then by all steps that there are; zero where
        the key has no program. Source: specs/registry.md, section 4."""
        of_links = [keccak256(self.links[step]) if step in self.links else NONE for step in _STEPS]
        return [keccak256(self.proof), *of_links]


@dataclass(frozen=True)
class LinkCall:
    """A link as a contract takes it. `program` is a digest, `commitment` what the link leads to."""

    program: bytes
    commitment: bytes
    given: bytes
    opening: bytes


@dataclass(frozen=True)
class Call:
    """A proof with its links as a contract takes them. `program` is a digest; `given` is `epoch`,
    the statement, `numbers` and the outputs; the numbers are the inputs."""

    program: bytes
    links: Sequence[LinkCall]
    given: bytes
    proof: bytes
    epoch: bytes
    numbers: bytes


def next_chain(before: bytes, program: bytes) -> bytes:
    """What stands for the programs of links: the last one, and what stands for those before it."""
    return keccak256(before + program) if before else program


@lru_cache(_KEPT)
def programs_of(key: bytes) -> Programs:
    """The programs of the key of these bytes.

    Raises: Rejected KEY_…, of which KEY_UNSUPPORTED where a contract cannot check its proofs.
    """
    if PROFILES.get(int.from_bytes(key[_PROFILE], "little")) != "evm":
        raise Rejected("KEY_UNSUPPORTED", "its profile is another than evm")
    own = _key(key)
    with _tracing:
        of_links = {
            (linked, parent, child): assemble(link(own, parent, child, linked=linked))
            for linked, parent, child in _STEPS
            if own.openings[parent] and own.openings[child]
        }
        return Programs(assemble(proof(own)), of_links)


def call_of(key: bytes, inputs: Tensors, outputs: Tensors, statement: bytes, data: bytes) -> Call:
    """What a contract is asked of a proof about public inputs. Nothing of it is checked here but
    that it has the form of one.

    Raises: Rejected as `programs_of`, PROOF_…, LINK_….
    """
    programs, own = programs_of(key), _key(key)
    read = own.read(data)
    found: list[LinkCall] = []
    kind, digest, before = links.KEY, own.digest, b""
    for each in read.links:
        program = keccak256(programs.links[bool(found), kind, each.kind])
        told = each.root + each.fresh + canonical_elements([each.value])
        child = links.digest_of(own, digest, each)
        found.append(LinkCall(program, child, before + told, each.opening))
        kind, before, digest = each.kind, digest + told, child
    numbers = words(inputs)
    given = before + statement + numbers + words(outputs)
    head = 2 + sum(each.size for each in read.links)
    return Call(keccak256(programs.proof), found, given, data[head:], before, numbers)


@lru_cache(_KEPT)
def _key(key: bytes) -> PrivateKey:
    return PrivateKey(key)
