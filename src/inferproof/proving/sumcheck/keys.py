"""Keys that are made here, with what proves under them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferproof.proving.openings import Openings, PassingOpenings
from inferproof.proving.sumcheck.epochs import PrivateModel
from inferproof.proving.sumcheck.library import Int8s, Int32s, library
from inferproof.proving.sumcheck.private_key import KeptKey
from inferproof.types.digest import Digest

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new verifying key, and the model that proves under it in this process.

    `kept` opens it, and `ranges` shows that its weights are in theirs. Its openings are counted in
    memory alone, so that whoever keeps the key begins a durable count and takes from it the
    `opened` ones.
    """

    verifying_key: bytes
    model: PrivateModel
    kept: KeptKey
    ranges: bytes
    _openings: PassingOpenings

    @property
    def opened(self) -> int:
        """How often the key was opened in this process."""
        return self._openings.budget(self.kept.name).taken


def make_key(
    graph: bytes,
    weights: Int8s,
    parameters: Int32s,
    profile: str,
    report: Callable[[float], None] = lambda _share: None,
) -> MadeKey:
    """A key for a graph with these weights and parameters.

    `report` hears how much of a proof of their ranges is made, from 0 to 1. Raises: NativeError.
    """
    native = library()
    key, secret, private = native.commit_private(graph, weights, parameters, profile)
    kept = KeptKey(Digest(private.name()), private.openings(), secret)
    openings = PassingOpenings()
    openings.register(kept.name, kept.openings)
    ranges = _show_ranges(private, kept.name, openings, report)
    return MadeKey(key, PrivateModel(private, openings), kept, ranges, openings)


def _show_ranges(
    key: "_native.PrivateKey", name: Digest, openings: Openings, report: Callable[[float], None]
) -> bytes:
    """The proof that weights and parameters are in their ranges, each part by an opening."""
    parts, shown = key.range_parts(), []
    for part in range(parts):
        report(part / parts)
        shown.append(key.prove_ranges(part, openings.take(name).slot))
    return b"".join(shown)
