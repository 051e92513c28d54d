"""What is trusted is said apart from how it is verified."""

from dataclasses import replace
from typing import Any

import pytest

from inferproof.errors import PolicyRejected, Reason
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    ASSET,
    GATEWAY,
    STRANGER,
    Sample,
    sample_bundle,
    sample_receipt_file,
)
from inferproof.types.digest import Digest
from inferproof.types.money import Network
from inferproof.types.proof import Assurance, SecurityReport, Setup
from inferproof.verify.policy import Policy

RECEIPT = sample_receipt_file().receipt
MODEL = RECEIPT.statement.model_commitment
OPEN = Policy(minimum_assurance=Assurance.COMMITMENT)
CEREMONY = sample_bundle(setup=Setup.CEREMONY, srs=b"ceremony").parts


def test_an_open_policy_and_a_closed_one_that_names_this_receipt() -> None:
    OPEN.check_receipt(RECEIPT)
    Policy(
        gateways=frozenset({GATEWAY.address}),
        models=frozenset({MODEL}),
        networks=frozenset({Network.evm(31337)}),
        tokens=frozenset({ASSET.address}),
        minimum_assurance=Assurance.COMMITMENT,
    ).check_receipt(RECEIPT)


@pytest.mark.parametrize("gateways", [frozenset(), frozenset({STRANGER.address})])
def test_another_gateway(gateways: frozenset) -> None:  # type: ignore[type-arg]
    with rejects(
        Reason.POLICY_GATEWAY,
        f"gateway {GATEWAY.address} is not among the trusted ones",
        kind=PolicyRejected,
    ):
        replace(OPEN, gateways=gateways).check_receipt(RECEIPT)


def test_another_model() -> None:
    with rejects(Reason.POLICY_MODEL, f"model {MODEL} is not among the accepted ones"):
        replace(OPEN, models=frozenset({Digest(bytes(32))})).check_receipt(RECEIPT)


def test_another_network() -> None:
    with rejects(Reason.POLICY_NETWORK, "network eip155:31337 is not among the accepted ones"):
        replace(OPEN, networks=frozenset({Network.evm(1)})).check_receipt(RECEIPT)


def test_another_token() -> None:
    with rejects(Reason.POLICY_TOKEN, f"token {ASSET.address} is not among the accepted ones"):
        replace(OPEN, tokens=frozenset({STRANGER.address})).check_receipt(RECEIPT)


def test_the_default_asks_for_integrity() -> None:
    with rejects(
        Reason.POLICY_ASSURANCE, "the assurance is commitment, at least zk-integrity is asked for"
    ):
        Policy().check_receipt(RECEIPT)


@pytest.mark.parametrize("got", Assurance)
@pytest.mark.parametrize("minimum", Assurance)
def test_levels_are_ordered(got: Assurance, minimum: Assurance) -> None:
    order = ["commitment", "quorum", "zk-integrity", "zk-private"]
    policy, receipt = Policy(minimum_assurance=minimum), replace(RECEIPT, assurance=got)
    if order.index(got) >= order.index(minimum):
        policy.check_receipt(receipt)
        return
    with rejects(
        Reason.POLICY_ASSURANCE,
        f"the assurance is {got.value}, at least {minimum.value} is asked for",
    ):
        policy.check_receipt(receipt)


@pytest.mark.parametrize("setup", Setup)
def test_any_setup_unless_a_ceremony_is_required(setup: Setup) -> None:
    OPEN.check_setup(sample_bundle(setup=setup).parts)


def test_a_system_without_a_setup_needs_no_ceremony() -> None:
    replace(OPEN, require_ceremony=True).check_setup(Sample().bundle.parts)


def test_a_list_of_ceremonies_requires_one_of_them() -> None:
    listed = replace(OPEN, ceremonies=frozenset({CEREMONY.srs}))
    listed.check_setup(CEREMONY)
    parts = sample_bundle(setup=Setup.DEVELOPMENT, srs=b"made here").parts
    with rejects(
        Reason.POLICY_SETUP,
        f"the {parts.setup.value} set-up with SRS {parts.srs} is not a trusted ceremony's",
    ):
        listed.check_setup(parts)


def test_a_ceremony_in_the_list() -> None:
    trusted = replace(OPEN, require_ceremony=True, ceremonies=frozenset({CEREMONY.srs}))
    trusted.check_setup(CEREMONY)


@pytest.mark.parametrize(
    "parts",
    [
        sample_bundle(setup=Setup.CEREMONY, srs=b"another").parts,
        replace(CEREMONY, setup=Setup.DEVELOPMENT),
    ],
    ids=["another ceremony", "a development SRS with the digest of a ceremony"],
)
def test_a_setup_that_is_not_trusted(parts) -> None:  # type: ignore[no-untyped-def]
    trusted = replace(OPEN, require_ceremony=True, ceremonies=frozenset({CEREMONY.srs}))
    with rejects(
        Reason.POLICY_SETUP,
        f"the {parts.setup.value} set-up with SRS {parts.srs} is not a trusted ceremony's",
        kind=PolicyRejected,
    ):
        trusted.check_setup(parts)


REPORT = SecurityReport(100.3, "default", (("all", 100.3),))


@pytest.mark.parametrize(
    "policy",
    [
        OPEN,
        replace(OPEN, minimum_profile="default", minimum_bits=100.0),
    ],
)
def test_how_sound_proofs_are_at_least(policy: Policy) -> None:
    policy.check_security(REPORT)
    better = replace(REPORT, profile="conservative", provable_bits=110.0)
    policy.check_security(better)


@pytest.mark.parametrize(
    ("least", "report", "message"),
    [
        (
            {"minimum_profile": "conservative"},
            REPORT,
            "the profile of the proof is default, at least conservative is asked for",
        ),
        (
            {"minimum_bits": 100.5},
            REPORT,
            "the provable bits of the proof is 100.3, at least 100.5 is asked for",
        ),
        (
            {"minimum_bits": 1.0},
            None,
            "the provable bits of the proof is unknown, at least 1.0 is asked for",
        ),
        (
            {"minimum_profile": "default"},
            replace(REPORT, profile="small"),
            "the profile of the proof is small, at least default is asked for",
        ),
    ],
)
def test_proofs_that_are_less_sound_than_asked_for(
    least: dict[str, Any], report: SecurityReport | None, message: str
) -> None:
    with rejects(Reason.POLICY_SECURITY, message, kind=PolicyRejected):
        replace(OPEN, **least).check_security(report)
