"""What proofs prove and show, in words."""

from inferproof.protocol.proof_mode import assurance_of_hiding
from inferproof.proving.base import Description
from inferproof.proving.sumcheck.check import VERSION
from inferproof.proving.sumcheck.loaded import NAME
from inferproof.types.proof import Assurance

_PROVEN = (
    "The outputs are exactly what the committed, quantised model computes on the disclosed input, "
    "for this job and this provider; shown by lookups, sumchecks over its layers and one WHIR "
    "opening of its committed weights, with at least 100 provable bits of soundness and no trusted "
    "set-up."
)
_NOT_PROVEN = "That the quantised model is as good as the float model, or that the model is right."
_PADDED = (
    "The proof shows the input, the outputs, and what the key says: the graph with its shapes, "
    "ranges, function tables and multipliers, without its weights. What it shows of weights and of "
    "values in between is under one-time pads, and its key is opened no oftener than it can be."
)
_UNTRIED = (
    "The tests that it shows nothing else are not complete, so that nothing is claimed of it: as "
    "long as they are not, its assurance is zk-integrity."
)
_SHOWS = (
    "the input, the outputs, and what the key says (inspect --privacy); weights and what is "
    "computed in between are under one-time pads"
)
"""What a proof shows, and whether it hides the rest, in one line."""
_SHOWS_UNTRIED = ", for which the evidence is not complete"


def described() -> Description:
    """What a proof proves, and what it does not."""
    assurance = assurance_of_hiding()
    untried = assurance is not Assurance.ZK_PRIVATE
    return Description(
        name=NAME,
        version=VERSION,
        assurance=assurance,
        proven=_PROVEN,
        not_proven=" ".join([_NOT_PROVEN, _PADDED, *([_UNTRIED] if untried else [])]),
        shows=_SHOWS + (_SHOWS_UNTRIED if untried else ""),
    )
