"""A quote covers one model and, where it says so, one request; a payment pays exactly its quote."""

from dataclasses import replace

import pytest

from inferproof.errors import PaymentRejected, Reason, RequestRejected
from inferproof.protocol.authorization import (
    asset_domain,
    authorization_digest,
    authorization_json,
    check_end,
    check_signature,
    check_terms,
    check_time,
    read_authorization,
)
from inferproof.protocol.commitments import bound_nonce, job_id, request_digest
from inferproof.protocol.fields import Fields
from inferproof.protocol.quote import (
    check_quote_covers,
    check_quote_signature,
    quote_digest,
    quote_json,
    read_quote,
)
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, GATEWAY, PAYER, PROVIDER, STRANGER, Sample
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Money, Network

SAMPLE = Sample()
QUOTE = SAMPLE.quote()
PAYMENT = SAMPLE.authorization()
REQUEST = SAMPLE.request_digest()
OTHER = Digest(b"\7" * 32)


def test_a_quote_reads_back() -> None:
    assert read_quote(Fields(quote_json(QUOTE), "quote")) == QUOTE


def test_the_gateway_signed_the_quote() -> None:
    check_quote_signature(QUOTE, GATEWAY.sign(quote_digest(QUOTE)), GATEWAY.address)


def test_a_stranger_signed_the_quote() -> None:
    with rejects(
        Reason.QUOTE_SIGNATURE,
        f"the quote is not signed by gateway {GATEWAY.address}",
        kind=RequestRejected,
    ):
        check_quote_signature(QUOTE, STRANGER.sign(quote_digest(QUOTE)), GATEWAY.address)


def test_a_quote_that_was_changed() -> None:
    cheap = replace(QUOTE, price=Money(1, ASSET))
    with rejects(Reason.QUOTE_SIGNATURE, f"the quote is not signed by gateway {GATEWAY.address}"):
        check_quote_signature(cheap, GATEWAY.sign(quote_digest(QUOTE)), GATEWAY.address)


@pytest.mark.parametrize("now", [QUOTE.issued_at, QUOTE.expires_at - 1])
def test_a_quote_holds_from_its_first_second_to_its_last(now: int) -> None:
    check_quote_covers(QUOTE, QUOTE.model_commitment, REQUEST, now)


@pytest.mark.parametrize("now", [QUOTE.issued_at - 1, QUOTE.expires_at])
def test_a_quote_does_not_hold_before_or_after(now: int) -> None:
    with rejects(
        Reason.QUOTE_EXPIRED,
        f"the quote does not hold at {now}; it expires at {QUOTE.expires_at}; ask for a new one",
    ):
        check_quote_covers(QUOTE, QUOTE.model_commitment, REQUEST, now)


def test_a_quote_for_another_model() -> None:
    with rejects(
        Reason.QUOTE_OTHER_MODEL,
        f"the quote is for model {QUOTE.model_commitment}, not for {OTHER}",
    ):
        check_quote_covers(QUOTE, OTHER, REQUEST, QUOTE.issued_at)


def test_a_quote_for_another_request() -> None:
    with rejects(Reason.QUOTE_OTHER_REQUEST, "the quote is for another request"):
        check_quote_covers(QUOTE, QUOTE.model_commitment, OTHER, QUOTE.issued_at)


def test_a_quote_for_any_request() -> None:
    anything = replace(QUOTE, request_digest=ZERO_DIGEST)
    check_quote_covers(anything, QUOTE.model_commitment, OTHER, QUOTE.issued_at)


def test_an_authorization_reads_back() -> None:
    assert read_authorization(Fields(authorization_json(PAYMENT), "payment")) == PAYMENT


def test_the_payer_signed_and_the_terms_are_the_quoted_ones() -> None:
    check_signature(PAYMENT)
    check_terms(PAYMENT, QUOTE)
    assert PAYMENT.money == QUOTE.price


def test_a_stranger_signed_the_payment() -> None:
    forged = replace(PAYMENT, signature=STRANGER.sign(authorization_digest(PAYMENT)))
    with rejects(
        Reason.PAYMENT_SIGNATURE,
        f"the authorization is not signed by its payer {PAYER.address}",
        kind=PaymentRejected,
    ):
        check_signature(forged)


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": 1},
        {"payee": PROVIDER},
        {"valid_after": 0},
        {"valid_before": 2**256 - 1},
        {"nonce": OTHER},
        {"payer": STRANGER.address},
        {"asset": replace(ASSET, network=Network.evm(1))},
        {"asset": replace(ASSET, address=PROVIDER)},
        {"asset": replace(ASSET, domain_name="USDC")},
        {"asset": replace(ASSET, domain_version="2")},
    ],
)
def test_a_payment_changed_after_it_was_signed(changed: dict[str, object]) -> None:
    forged = replace(PAYMENT, **changed)  # type: ignore[arg-type]
    with rejects(
        Reason.PAYMENT_SIGNATURE,
        f"the authorization is not signed by its payer {forged.payer}",
    ):
        check_signature(forged)


def test_a_payment_signature_in_another_form() -> None:
    with rejects(
        Reason.SIGNATURE_MALFORMED,
        "the signature is not 65 bytes of r, s and v with a low s",
        kind=PaymentRejected,
    ):
        check_signature(replace(PAYMENT, signature=PAYMENT.signature[:64] + b"\0"))


def test_a_payment_in_another_asset() -> None:
    other = replace(PAYMENT, asset=replace(ASSET, address=PROVIDER))
    with rejects(
        Reason.PAYMENT_ASSET,
        f"the payment is in eip155:31337 {PROVIDER}, the price is in eip155:31337 {ASSET.address}",
    ):
        check_terms(other, QUOTE)


def test_a_payment_to_another() -> None:
    with rejects(
        Reason.PAYMENT_PAYEE, f"the payment goes to {PROVIDER}, the payee is {QUOTE.payee}"
    ):
        check_terms(replace(PAYMENT, payee=PROVIDER), QUOTE)


@pytest.mark.parametrize(("amount", "shown"), [(249_999, "0.249999"), (250_001, "0.250001")])
def test_a_payment_that_is_not_exact(amount: int, shown: str) -> None:
    with rejects(
        Reason.PAYMENT_AMOUNT, f"the payment is {shown} USDC, the price is exactly 0.25 USDC"
    ):
        check_terms(replace(PAYMENT, amount=amount), QUOTE)


def test_a_payment_is_valid_strictly_between_its_ends() -> None:
    check_time(PAYMENT, PAYMENT.valid_after + 1, 0)
    check_time(PAYMENT, PAYMENT.valid_before - 1, 0)
    check_time(PAYMENT, PAYMENT.valid_before - 31, 30)


def test_a_payment_that_is_not_yet_valid() -> None:
    now = PAYMENT.valid_after
    with rejects(
        Reason.PAYMENT_NOT_YET_VALID, f"the authorization is valid after {now}, it is {now}"
    ):
        check_time(PAYMENT, now, 0)


def test_a_payment_that_would_end_on_its_way_to_the_chain() -> None:
    now = PAYMENT.valid_before - 30
    with rejects(
        Reason.PAYMENT_EXPIRED,
        f"the authorization ends at {PAYMENT.valid_before}; "
        f"at {now} it must last 30 seconds longer",
    ):
        check_time(PAYMENT, now, 30)


def test_a_payment_that_ends_too_late() -> None:
    now = PAYMENT.valid_before - 1200
    check_end(PAYMENT, now, 1200)
    with rejects(
        Reason.PAYMENT_TOO_LONG,
        f"the authorization ends at {PAYMENT.valid_before}, more than 1199 seconds after {now}; "
        "sign one that ends sooner",
        kind=PaymentRejected,
    ):
        check_end(PAYMENT, now, 1199)


def test_the_domain_of_an_asset_is_its_own() -> None:
    variants = [
        ASSET,
        replace(ASSET, network=Network.evm(1)),
        replace(ASSET, address=Address(bytes(20))),
        replace(ASSET, domain_name=""),
        replace(ASSET, domain_version="2"),
    ]
    assert len({asset_domain(a) for a in variants}) == 5


def test_a_job_id_binds_payment_request_and_salt() -> None:
    salt = Digest(b"\1" * 32)
    base = (ASSET.network, ASSET.address, PAYER.address, PAYMENT.nonce, REQUEST, salt)
    others: list[tuple[Network, Address, Address, Digest, Digest, Digest | None]] = [
        (Network.evm(1), *base[1:]),
        (base[0], PROVIDER, *base[2:]),
        (*base[:2], PROVIDER, *base[3:]),
        (*base[:3], OTHER, *base[4:]),
        (*base[:4], OTHER, salt),
        (*base[:5], OTHER),
        (*base[:5], None),
    ]
    assert len({job_id(*base), *(job_id(*o) for o in others)}) == 8
    assert job_id(*base) == job_id(*base)


def test_the_chain_alone_does_not_give_the_job_id() -> None:
    """One authorization, as it is on the chain for all to see, and what it may have paid for."""
    chain = (ASSET.network, ASSET.address, PAYER.address, PAYMENT.nonce)
    bodies = [b'{"input":[%d]}' % number for number in range(20)]
    requests = [request_digest("POST", "/v1/models/sample/infer", body) for body in bodies]
    salts = [None, *(Digest(bytes([number]) * 32) for number in range(1, 20))]
    ids = {job_id(*chain, request, salt) for request in requests for salt in salts}
    assert len(ids) == len(requests) * len(salts)


def test_a_request_digest_binds_method_path_and_body() -> None:
    digests = {
        request_digest("POST", "/a", b"b"),
        request_digest("GET", "/a", b"b"),
        request_digest("POST", "/ab", b""),
        request_digest("POST", "/a", b""),
    }
    assert len(digests) == 4
    assert request_digest("post", "/a", b"b") in digests


def test_a_nonce_binds_request_and_salt() -> None:
    assert bound_nonce(REQUEST, bytes(32)) != bound_nonce(OTHER, bytes(32))
    assert bound_nonce(REQUEST, bytes(32)) != bound_nonce(REQUEST, b"\1" * 32)
    with pytest.raises(ValueError, match="a salt is 32 bytes"):
        bound_nonce(REQUEST, b"short")
