"""What proofs of each mode prove and show, in words."""

from inferproof.protocol.proof_mode import assurance_in
from inferproof.proving.base import Description
from inferproof.proving.sumcheck.check import VERSION
from inferproof.proving.sumcheck.loaded import NAME
from inferproof.proving.sumcheck.modes import CLEAR, COMMITTED, PRIVATE
from inferproof.types.proof import Assurance

_PROVEN = (
    "The outputs are exactly what the committed, quantised model computes on the disclosed input, "
    "for this job and this provider; shown by a sumcheck over its layers and a WHIR opening of its "
    "committed weights, with at least 100 provable bits of soundness and no trusted set-up."
)
_NOT_PROVEN = "That the quantised model is as good as the float model, or that the model is right."
_OPEN = (
    "The proof is not zero-knowledge: it shows the input, the graph without its weights, and in "
    "mode clear what every layer with weights puts out, from which weights can be inferred after "
    "enough proofs. Mode committed, which is experimental, shows less, and hides "
    "nothing by a proof either."
)
_PADDED = (
    "The proof shows the input, the outputs, and what the key says: the graph with its shapes, "
    "ranges, function tables and multipliers, without its weights. What it shows of weights and of "
    "values in between is under one-time pads, and its key is opened no oftener than it can be."
)
_UNTRIED = (
    "The tests that it shows nothing else are not complete, so that nothing is claimed of it: as "
    "long as they are not, its assurance is that of the other modes."
)


_SHOWS = {
    CLEAR: "the input, the outputs, and what every layer with weights puts out, from which the "
    "weights follow after enough proofs; it hides nothing",
    COMMITTED: "the input, the outputs, and rows of codes of all else, from which the weights "
    "follow after enough proofs; it hides nothing",
    PRIVATE: "the input, the outputs, and what the key says (inspect --privacy); weights and what "
    "is computed in between are under one-time pads",
}
"""What a proof of each mode shows, and whether it hides the rest, in one line."""
_SHOWS_UNTRIED = ", for which the evidence is not complete"


def described(mode: str) -> Description:
    """What a proof of this mode proves, and what it does not."""
    assurance = assurance_in(mode)
    shown = [_NOT_PROVEN, _PADDED if mode == PRIVATE else _OPEN]
    untried = mode == PRIVATE and assurance is not Assurance.ZK_PRIVATE
    if untried:
        shown.append(_UNTRIED)
    return Description(
        name=NAME,
        version=VERSION,
        assurance=assurance,
        proven=_PROVEN,
        not_proven=" ".join(shown),
        shows=_SHOWS[mode] + (_SHOWS_UNTRIED if untried else ""),
    )
