"""What a receipt claims, and the plain sentence of what is proven.

Both are functions of the model's parts and the settlement, so that a verifier derives them
again and compares: a receipt cannot say more than its proof. Source: specs/receipt.md.
"""

from dataclasses import dataclass, replace

from inferproof.protocol.proof_mode import SYSTEM, assurance_of_hiding, is_hiding
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.proof import Assurance, ModelParts, Setup, Visibility
from inferproof.types.receipt import Claim, ClaimSource, ClaimStatus

_SETUP_SENTENCE = {
    Setup.NONE: "",
    Setup.CEREMONY: (
        " This rests on the SRS whose digest the model commitment holds; "
        "that it is a ceremony's is the provider's word."
    ),
    Setup.DEVELOPMENT: (
        " The set-up is a development one: whoever made it could forge this proof."
    ),
}


def proven_sentence(assurance: Assurance, parts: ModelParts, *, private_input: bool = False) -> str:
    """The plain sentence of what a proof of this model proves, about a private input or not."""
    if assurance is Assurance.COMMITMENT:
        return (
            "Job, model, input and output are bound together; "
            "that the model was executed is not proven."
        )
    if assurance is Assurance.QUORUM:
        return "A quorum of staked validators attested the output; execution is not proven."
    public = parts.visibility is Visibility.PUBLIC and not private_input
    shown = "disclosed" if public else "committed"
    hidden = ""
    if assurance is Assurance.ZK_PRIVATE:
        hidden = ", revealing nothing else of its weights"
        hidden = hidden if public else ", revealing neither weights nor input"
    return (
        f"A proof by {parts.proof_system} shows that the output is what the committed, quantised "
        f"model computes on the {shown} input{hidden}.{_SETUP_SENTENCE[parts.setup]}"
    )


def assurance_of(bundle: VerifierBundle, *, private_input: bool = False) -> Assurance:
    """The assurance that a verified proof of this model gives, about a private input or not.

    A system that is not known to prove the execution gives commitment, whatever its name says. Keys
    of `sumcheck` hide the weights (`proof_mode`).
    """
    system = bundle.parts.proof_system
    if system not in PROVES_EXECUTION:
        return Assurance.COMMITMENT
    if system == SYSTEM and is_hiding(bundle.verifying_key):
        return assurance_of_hiding(private_input=private_input)
    return Assurance.ZK_INTEGRITY


def strongest_assurance(proof_system: str) -> Assurance:
    """The most that any model of this system gives."""
    if proof_system not in PROVES_EXECUTION:
        return Assurance.COMMITMENT
    return assurance_of_hiding() if proof_system == SYSTEM else Assurance.ZK_INTEGRITY


def may_claim(claimed: Assurance, proven: Assurance) -> bool:
    """Whether a receipt may claim this level of a proof that gives the other: no more, and less
    only where its gateway's build did not claim to hide weights."""
    modest = (claimed, proven) == (Assurance.ZK_INTEGRITY, Assurance.ZK_PRIVATE)
    return claimed is proven or modest


PROVES_EXECUTION = frozenset({"ezkl", "sumcheck"})
"""Proof systems whose proofs show the whole inference. All others are taken to bind digests."""


@dataclass(frozen=True, slots=True)
class PaymentClaims:
    """What a payment's method says for the claims of a receipt.

    `authorized` says what the payer signed. `request` says how its signature covers the request;
    None where it was found to cover none. `settled` says how the money moved, where the method
    has more to say than the transaction; it ends with a blank then.
    """

    authorized: str
    request: str | None
    settled: str = ""


def derive_claims(
    parts: ModelParts,
    settlement: Settlement,
    paid: PaymentClaims,
    *,
    out_of_range: int | None = None,
    private_input: bool = False,
) -> tuple[Claim, ...]:
    """The claims of a receipt for a verified proof of this model, paid in this way.

    `out_of_range` counts the values of the disclosed input that were cut to the model's range;
    None, where it has none or the receipt is of before it was counted, makes no claim. Of a private
    input nothing is claimed, which the receipt says.
    """
    return (
        _execution(parts),
        *(_of_private_input() if private_input else _of_input(parts, out_of_range)),
        Claim(
            "model-identity",
            ClaimStatus.ASSERTED,
            ClaimSource.PROVIDER_ASSERTED,
            "the verifying key was made from the committed graph and weights; "
            "who has the model file can compile it again and compare",
        ),
        _setup(parts),
        Claim(
            "payment-authorized",
            ClaimStatus.ASSERTED,
            ClaimSource.VERIFIER_DERIVED,
            paid.authorized,
        ),
        _request(paid.request),
        _settled(settlement, paid.settled),
        Claim(
            "timings",
            ClaimStatus.ASSERTED,
            ClaimSource.OPERATOR_ASSERTED,
            "measured by the gateway",
        ),
    )


PREPROCESSING = "preprocessing"


def _execution(parts: ModelParts) -> Claim:
    if parts.proof_system not in PROVES_EXECUTION:
        return Claim(
            "execution",
            ClaimStatus.UNKNOWN,
            ClaimSource.PROVIDER_ASSERTED,
            "this proof system is not known to prove anything about the execution",
        )
    but = {
        Setup.NONE: "",
        Setup.CEREMONY: ", if the SRS is a ceremony's, as the provider says",
        Setup.DEVELOPMENT: ", unless the maker of the development SRS forged the proof",
    }
    return Claim(
        "execution",
        ClaimStatus.ASSERTED,
        ClaimSource.PROVEN,
        "the output is the committed, quantised model's on the committed input" + but[parts.setup],
    )


def _of_input(parts: ModelParts, out_of_range: int | None) -> tuple[Claim, ...]:
    counted = () if out_of_range is None else (_input_range(out_of_range),)
    return (_preprocessing(parts), *counted)


def _of_private_input() -> tuple[Claim, ...]:
    return (
        Claim(
            PREPROCESSING,
            ClaimStatus.UNKNOWN,
            ClaimSource.OPERATOR_ASSERTED,
            "the input is private; who has its opening can pre-process the request and compare",
        ),
        Claim(
            INPUT_RANGE,
            ClaimStatus.UNKNOWN,
            ClaimSource.OPERATOR_ASSERTED,
            "the input is private; who has it can count its values beyond the range that the model "
            "was calibrated for",
        ),
    )


def _preprocessing(parts: ModelParts) -> Claim:
    if parts.visibility is Visibility.PUBLIC:
        return Claim(
            PREPROCESSING,
            ClaimStatus.ASSERTED,
            ClaimSource.VERIFIER_DERIVED,
            "the disclosed input is the request after the committed pre-processing",
        )
    return Claim(
        PREPROCESSING,
        ClaimStatus.ASSERTED,
        ClaimSource.PROVIDER_ASSERTED,
        "the input is not disclosed; who knows it and its salt can open the commitment",
    )


INPUT_RANGE = "input-range"


def _input_range(beyond: int) -> Claim:
    if not beyond:
        return Claim(
            INPUT_RANGE,
            ClaimStatus.ASSERTED,
            ClaimSource.VERIFIER_DERIVED,
            "every value of the disclosed input lies in the range that the model was calibrated "
            "for",
        )
    values = "1 value of the disclosed input lies"
    if beyond > 1:
        values = f"{beyond} values of the disclosed input lie"
    return Claim(
        INPUT_RANGE,
        ClaimStatus.REFUTED,
        ClaimSource.VERIFIER_DERIVED,
        f"{values} beyond the range that the model was calibrated for, and went in as its nearest "
        "end",
    )


def unshown_preprocessing(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The claims as they stand for a verifier who has not got the request: that the disclosed
    input was made of it is then nothing that anybody derived."""
    return tuple(
        replace(
            claim,
            status=ClaimStatus.UNKNOWN,
            source=ClaimSource.OPERATOR_ASSERTED,
            reason="the request is not attached, so nobody ran its pre-processing again",
        )
        if claim.name == PREPROCESSING and claim.source is ClaimSource.VERIFIER_DERIVED
        else claim
        for claim in claims
    )


def _setup(parts: ModelParts) -> Claim:
    match parts.setup:
        case Setup.NONE:
            return Claim(
                "trusted-setup",
                ClaimStatus.ASSERTED,
                ClaimSource.VERIFIER_DERIVED,
                "the proof system needs no trusted set-up",
            )
        case Setup.CEREMONY:
            return Claim(
                "trusted-setup",
                ClaimStatus.ASSERTED,
                ClaimSource.PROVIDER_ASSERTED,
                f"the SRS is a ceremony's; its digest is {parts.srs}",
            )
        case Setup.DEVELOPMENT:
            return Claim(
                "trusted-setup",
                ClaimStatus.REFUTED,
                ClaimSource.PROVIDER_ASSERTED,
                "development SRS: whoever made it can forge proofs",
            )


def _request(covered: str | None) -> Claim:
    if covered is not None:
        return Claim("request-bound", ClaimStatus.ASSERTED, ClaimSource.VERIFIER_DERIVED, covered)
    return Claim(
        "request-bound",
        ClaimStatus.ASSERTED,
        ClaimSource.OPERATOR_ASSERTED,
        "the payer's signature names no request; the gateway says which one it paid for",
    )


def _settled(settlement: Settlement, how: str) -> Claim:
    if settlement.state is SettlementState.SETTLED:
        return Claim(
            "payment-settled",
            ClaimStatus.ASSERTED,
            ClaimSource.OPERATOR_ASSERTED,
            f"{how}in transaction {settlement.transaction}; the chain can confirm it",
        )
    return Claim(
        "payment-settled",
        ClaimStatus.UNKNOWN,
        ClaimSource.OPERATOR_ASSERTED,
        f"the settlement is {settlement.state.value}",
    )
