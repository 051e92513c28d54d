"""What a receipt claims follows from the model's parts, and never says more than its proof."""

from dataclasses import replace
from itertools import product

import pytest

from inferproof.protocol import proof_mode
from inferproof.protocol.claims import (
    PROVES_EXECUTION,
    PaymentClaims,
    assurance_of,
    derive_claims,
    may_claim,
    proven_sentence,
    strongest_assurance,
    unshown_preprocessing,
)
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.sumcheck import evidence
from inferproof.testing.samples import SETTLED, Sample, sample_bundle
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.proof import Assurance, ModelParts, Setup, Visibility
from inferproof.types.receipt import Claim, ClaimSource, ClaimStatus

NAMES = (
    "execution",
    "preprocessing",
    "model-identity",
    "trusted-setup",
    "payment-authorized",
    "request-bound",
    "payment-settled",
    "timings",
)


def _parts(
    system: str = "ezkl",
    visibility: Visibility = Visibility.PUBLIC,
    setup: Setup = Setup.CEREMONY,
) -> ModelParts:
    return sample_bundle(system=system, visibility=visibility, setup=setup).parts


PAID = Sample().claims()


def _claim(
    name: str, parts: ModelParts, settlement: Settlement = SETTLED, paid: PaymentClaims = PAID
) -> Claim:
    return next(c for c in derive_claims(parts, settlement, paid) if c.name == name)


@pytest.mark.parametrize("system", ["ezkl", "sample"])
@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("setup", Setup)
def test_the_same_names_in_the_same_order(
    system: str, visibility: Visibility, setup: Setup
) -> None:
    claims = derive_claims(_parts(system, visibility, setup), SETTLED, PAID)
    assert tuple(c.name for c in claims) == NAMES
    assert all(c.reason for c in claims)


@pytest.mark.parametrize("system", ["toy", "commitment", "sample", "EZKL", "ezkl ", "", "new"])
def test_a_system_that_is_not_known_proves_nothing_of_the_execution(system: str) -> None:
    bundle = sample_bundle(system=system)
    parts = bundle.parts
    assert assurance_of(bundle) is strongest_assurance(system) is Assurance.COMMITMENT
    claim = _claim("execution", parts)
    assert (claim.status, claim.source) == (ClaimStatus.UNKNOWN, ClaimSource.PROVIDER_ASSERTED)
    assert "not proven" in proven_sentence(assurance_of(bundle), parts)


def test_only_proven_systems_reach_integrity() -> None:
    assert sorted(PROVES_EXECUTION) == ["ezkl", "sumcheck"]
    for system in PROVES_EXECUTION:
        bundle = sample_bundle(system=system)
        assert assurance_of(bundle) is Assurance.ZK_INTEGRITY
        assert _claim("execution", bundle.parts).source is ClaimSource.PROVEN


def _keyed(kind: int, system: str = "sumcheck") -> VerifierBundle:
    return replace(sample_bundle(system=system), verifying_key=bytes([*range(12), kind, 1]))


@pytest.mark.parametrize(
    ("bundle", "complete", "expected"),
    [
        (_keyed(3), False, Assurance.ZK_INTEGRITY),
        (_keyed(3), True, Assurance.ZK_PRIVATE),
        (_keyed(1), True, Assurance.ZK_INTEGRITY),
        (_keyed(2), True, Assurance.ZK_INTEGRITY),
        (_keyed(4), True, Assurance.ZK_INTEGRITY),
        (_keyed(3, "ezkl"), True, Assurance.ZK_INTEGRITY),
        (_keyed(3, "toy"), True, Assurance.COMMITMENT),
        (replace(_keyed(3), verifying_key=bytes(12)), True, Assurance.ZK_INTEGRITY),
    ],
)
def test_only_a_private_key_hides_weights_and_only_where_it_was_tried(
    monkeypatch: pytest.MonkeyPatch, bundle: VerifierBundle, complete: bool, expected: Assurance
) -> None:
    monkeypatch.setattr(proof_mode, "evidence_complete", lambda **_: complete)
    assert assurance_of(bundle) is expected


def test_of_private_inputs_as_much_is_claimed_as_there_is_evidence_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proof_mode, "_evidence", lambda private_input: not private_input)
    assert assurance_of(_keyed(3), private_input=False) is Assurance.ZK_PRIVATE
    assert assurance_of(_keyed(3), private_input=True) is Assurance.ZK_INTEGRITY
    monkeypatch.setattr(proof_mode, "_evidence", lambda _: True)
    assert assurance_of(_keyed(3), private_input=True) is Assurance.ZK_PRIVATE
    assert assurance_of(_keyed(1), private_input=True) is Assurance.ZK_INTEGRITY


@pytest.mark.parametrize("found", [False, True])
def test_what_is_claimed_follows_from_the_evidence_for_this_build(
    monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    monkeypatch.setattr(evidence, "evidence_holds", lambda **_: found)
    expected = Assurance.ZK_PRIVATE if found else Assurance.ZK_INTEGRITY
    assert strongest_assurance("sumcheck") is expected


def test_a_process_that_knows_of_no_evidence_claims_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_mode, "_evidence", proof_mode._none)
    assert not proof_mode.evidence_complete()
    assert strongest_assurance("sumcheck") is Assurance.ZK_INTEGRITY


def test_the_most_that_a_system_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_mode, "evidence_complete", lambda **_: True)
    assert strongest_assurance("sumcheck") is Assurance.ZK_PRIVATE
    assert strongest_assurance("ezkl") is Assurance.ZK_INTEGRITY
    assert strongest_assurance("toy") is Assurance.COMMITMENT


def test_a_receipt_may_claim_less_of_a_private_model_and_never_more() -> None:
    allowed = {(level, level) for level in Assurance}
    allowed.add((Assurance.ZK_INTEGRITY, Assurance.ZK_PRIVATE))
    for claimed, proven in product(Assurance, Assurance):
        assert may_claim(claimed, proven) is ((claimed, proven) in allowed)


def test_what_a_private_proof_reveals_depends_on_the_input() -> None:
    said = {
        visibility: proven_sentence(
            Assurance.ZK_PRIVATE, _parts("sumcheck", visibility, Setup.NONE)
        )
        for visibility in Visibility
    }
    assert said == {
        Visibility.PUBLIC: "A proof by sumcheck shows that the output is what the committed, "
        "quantised model computes on the disclosed input, revealing nothing else of its weights.",
        Visibility.HASHED: "A proof by sumcheck shows that the output is what the committed, "
        "quantised model computes on the committed input, revealing neither weights nor input.",
    }


def test_a_development_setup_is_said_in_sentence_and_claims() -> None:
    parts = _parts(setup=Setup.DEVELOPMENT)
    assert "could forge this proof" in proven_sentence(Assurance.ZK_INTEGRITY, parts)
    assert _claim("trusted-setup", parts).status is ClaimStatus.REFUTED
    assert _claim("execution", parts).reason.endswith(
        "unless the maker of the development SRS forged the proof"
    )
    assert "forge" not in _claim("execution", _parts()).reason


def test_a_ceremony_is_the_providers_word_and_names_its_digest() -> None:
    parts = _parts()
    claim = _claim("trusted-setup", parts)
    assert claim.source is ClaimSource.PROVIDER_ASSERTED
    assert parts.srs.hex in claim.reason
    assert _claim("execution", parts).reason.endswith("as the provider says")


def test_preprocessing_of_a_hidden_input_is_the_providers_word() -> None:
    hidden = _claim("preprocessing", _parts(visibility=Visibility.HASHED))
    assert hidden.source is ClaimSource.PROVIDER_ASSERTED
    assert _claim("preprocessing", _parts()).source is ClaimSource.VERIFIER_DERIVED


def test_a_request_without_its_salt_is_the_operators_word() -> None:
    unsalted = Sample(nonce_salt=None).claims()
    unbound = _claim("request-bound", _parts(), paid=unsalted)
    assert unbound.source is ClaimSource.OPERATOR_ASSERTED
    bound = _claim("request-bound", _parts())
    assert bound.source is ClaimSource.VERIFIER_DERIVED


@pytest.mark.parametrize("state", sorted(set(SettlementState) - {SettlementState.SETTLED}))
def test_a_settlement_that_is_not_settled_is_unknown(state: SettlementState) -> None:
    claim = _claim("payment-settled", _parts(), Settlement(state))
    assert claim.status is ClaimStatus.UNKNOWN
    assert claim.reason == f"the settlement is {state.value}"


def test_a_settled_payment_is_the_operators_word_and_names_its_transaction() -> None:
    claim = _claim("payment-settled", _parts())
    assert claim.source is ClaimSource.OPERATOR_ASSERTED
    assert SETTLED.transaction is not None
    assert SETTLED.transaction.hex in claim.reason


def test_the_sentence_of_each_level() -> None:
    public, hashed = _parts(), _parts(visibility=Visibility.HASHED)
    ceremony = (
        " This rests on the SRS whose digest the model commitment holds; "
        "that it is a ceremony's is the provider's word."
    )
    assert proven_sentence(Assurance.ZK_INTEGRITY, public) == (
        "A proof by ezkl shows that the output is what the committed, quantised model computes "
        "on the disclosed input." + ceremony
    )
    assert proven_sentence(Assurance.ZK_PRIVATE, hashed) == (
        "A proof by ezkl shows that the output is what the committed, quantised model computes "
        "on the committed input, revealing neither weights nor input." + ceremony
    )
    assert proven_sentence(Assurance.COMMITMENT, public) == (
        "Job, model, input and output are bound together; "
        "that the model was executed is not proven."
    )
    assert proven_sentence(Assurance.QUORUM, public) == (
        "A quorum of staked validators attested the output; execution is not proven."
    )
    none = replace(public, setup=Setup.NONE)
    assert proven_sentence(Assurance.ZK_INTEGRITY, none).endswith("on the disclosed input.")


@pytest.mark.parametrize(
    ("beyond", "status", "reason"),
    [
        (
            0,
            ClaimStatus.ASSERTED,
            "every value of the disclosed input lies in the range that the model was calibrated "
            "for",
        ),
        (
            1,
            ClaimStatus.REFUTED,
            "1 value of the disclosed input lies beyond the range that the model was calibrated "
            "for, and went in as its nearest end",
        ),
        (
            3,
            ClaimStatus.REFUTED,
            "3 values of the disclosed input lie beyond the range that the model was calibrated "
            "for, and went in as its nearest end",
        ),
    ],
)
def test_values_that_were_cut_are_said_with_their_number(
    beyond: int, status: ClaimStatus, reason: str
) -> None:
    parts = _parts()
    claims = derive_claims(parts, SETTLED, PAID, out_of_range=beyond)
    expected = Claim("input-range", status, ClaimSource.VERIFIER_DERIVED, reason)
    assert claims[2] == expected
    # All others, and receipts of before, are what they were.
    assert (*claims[:2], *claims[3:]) == derive_claims(parts, SETTLED, PAID)


def test_preprocessing_that_nobody_ran_again_is_unknown() -> None:
    claims = derive_claims(_parts(), SETTLED, PAID)
    shown = unshown_preprocessing(claims)
    assert shown[1] == Claim(
        "preprocessing",
        ClaimStatus.UNKNOWN,
        ClaimSource.OPERATOR_ASSERTED,
        "the request is not attached, so nobody ran its pre-processing again",
    )
    assert (shown[0], *shown[2:]) == (claims[0], *claims[2:])
    hashed = derive_claims(_parts(visibility=Visibility.HASHED), SETTLED, PAID)
    assert unshown_preprocessing(hashed) == hashed
