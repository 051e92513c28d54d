"""A cancellation: what the payer signs, and what is refused."""

import pytest
from eth_account import Account

from inferproof.errors import InferproofError, Reason
from inferproof.protocol.cancellation import CANCEL_JOB, cancellation_digest, check_cancellation
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN_NAME, INFERPROOF_DOMAIN_VERSION
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import PAYER, STRANGER
from inferproof.types.digest import Digest

JOB = Digest(b"\x01" * 32)
OTHER = Digest(b"\x02" * 32)
SIGNED = PAYER.sign(cancellation_digest(JOB, 1000))


def test_the_payer_cancels_until_the_time_it_signed() -> None:
    check_cancellation(JOB, 1000, SIGNED, payer=PAYER.address, now=999)
    with rejects(
        Reason.CANCEL_EXPIRED, "the cancellation held until 1000, it is 1000; sign a new one"
    ):
        check_cancellation(JOB, 1000, SIGNED, payer=PAYER.address, now=1000)


@pytest.mark.parametrize(
    ("job", "before", "signature"),
    [
        (OTHER, 1000, SIGNED),
        (JOB, 1001, SIGNED),
        (JOB, 1000, STRANGER.sign(cancellation_digest(JOB, 1000))),
    ],
)
def test_nobody_else_does_and_nothing_else_is_cancelled(
    job: Digest, before: int, signature: bytes
) -> None:
    with rejects(
        Reason.CANCEL_SIGNATURE,
        f"the cancellation is not signed by the job's payer {PAYER.address}",
    ):
        check_cancellation(job, before, signature, payer=PAYER.address, now=999)


def test_a_signature_that_is_none() -> None:
    with pytest.raises(InferproofError) as caught:
        check_cancellation(JOB, 1000, bytes(65), payer=PAYER.address, now=999)
    assert caught.value.reason is Reason.SIGNATURE_MALFORMED


def test_a_wallet_signs_the_same() -> None:
    domain = {"name": INFERPROOF_DOMAIN_NAME, "version": INFERPROOF_DOMAIN_VERSION}
    signed = Account.sign_typed_data(
        PAYER.secret(), domain, CANCEL_JOB.types(), {"job": JOB.raw, "before": 1000}
    )
    assert bytes(signed.signature) == SIGNED
