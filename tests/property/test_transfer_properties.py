"""Transfers and settlements: whatever a transaction logs, no transfer is counted for both."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from inferproof.chain.answers import ChainReceipt
from inferproof.errors import PaymentRejected
from inferproof.protocol.settlement import moves_funds
from inferproof.protocol.transfer import (
    claim_digest,
    fitting_transfers,
    transfer_nonce,
    transfers_in,
)
from inferproof.testing.cash_transfers import authorization_log, transfer_log
from inferproof.testing.samples import ASSET, PAYEE, PAYER, STRANGER, TransferSample
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log
from inferproof.types.payment import Authorization

NONCES = [Digest(bytes([n]) * 32) for n in range(1, 4)]
PEOPLE = [PAYER.address, STRANGER.address, PAYEE]
TOKENS = [ASSET.address, Address(b"\x44" * 20)]
CLAIM = TransferSample().claim()

transfers = st.builds(
    transfer_log,
    st.sampled_from(TOKENS),
    st.sampled_from(PEOPLE),
    st.sampled_from(PEOPLE),
    st.sampled_from([0, 250_000, 300_000]),
)
uses = st.builds(
    authorization_log, st.sampled_from(TOKENS), st.sampled_from(PEOPLE), st.sampled_from(NONCES)
)
strange = st.builds(
    Log,
    st.sampled_from(TOKENS),
    st.lists(st.sampled_from([*NONCES, transfer_log(*TOKENS, PAYEE, 1).topics[0]]), max_size=4).map(
        tuple
    ),
    st.binary(max_size=40),
)
logs = st.lists(st.one_of(transfers, uses, strange), max_size=10).map(tuple)


def amount_in(log: Log) -> int:
    """What a transfer's event moves; of other data, only as many bytes as an amount has."""
    return int.from_bytes(log.data[:32], "big")


def receipt(found: tuple[Log, ...]) -> ChainReceipt:
    return ChainReceipt(NONCES[0], True, 7, NONCES[0], 21_000, 1, found)


@given(logs)
def test_what_settles_an_authorization_is_no_transfer_to_claim(found: tuple[Log, ...]) -> None:
    for transfer in transfers_in(found, ASSET.address):
        # A settlement is a use and the very next event: these two are all that could make one.
        pair = found[max(0, transfer.log_index - 1) : transfer.log_index + 1]
        for nonce in NONCES:
            authorization = Authorization(
                asset=ASSET,
                payer=transfer.payer,
                payee=transfer.payee,
                amount=transfer.amount,
                valid_after=0,
                valid_before=1,
                nonce=nonce,
                signature=b"",
            )
            assert not moves_funds(receipt(pair), authorization)


@given(logs, st.sampled_from([None, *range(10)]), st.integers(0, 400_000))
@example((Log(TOKENS[0], (), b"\xff" * 33),), None, 0)  # longer than any amount
def test_what_fits_is_the_payers_to_the_payee_and_enough(
    found: tuple[Log, ...], log_index: int | None, price: int
) -> None:
    claim = replace(CLAIM, log_index=log_index)
    try:
        fitting = fitting_transfers(found, claim, price)
    except PaymentRejected:
        fitting = ()
    expected = [
        index
        for index, log in enumerate(found)
        if log == transfer_log(ASSET.address, PAYER.address, PAYEE, amount_in(log))
        and amount_in(log) >= price
        and log_index in (None, index)
        and not (
            index
            and found[index - 1].address == ASSET.address
            and found[index - 1].topics[:2]
            == authorization_log(ASSET.address, PAYER.address, NONCES[0]).topics[:2]
        )
    ]
    assert [payment.log_index for payment in fitting] == expected
    assert [payment.amount for payment in fitting] == [amount_in(found[i]) for i in expected]
    assert all(payment.claim == claim for payment in fitting)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**64 - 2), st.integers(0, 2**64 - 2))
def test_each_log_has_a_nonce_of_its_own(tx: bytes, one: int, other: int) -> None:
    same = transfer_nonce(Digest(tx), one) == transfer_nonce(Digest(tx), other)
    assert same == (one == other)


@given(st.integers(0, 2**64 - 2))
def test_a_claim_to_one_log_is_not_one_to_any(log_index: int) -> None:
    assert claim_digest(replace(CLAIM, log_index=log_index)) != claim_digest(CLAIM)
