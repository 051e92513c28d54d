"""What the chain says of a receipt: paid as stated, or a rejection."""

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from chain_samples import Authorize

from inferproof.chain.receipts import chain_steps
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import wait_receipt
from inferproof.cli.onchain import contract_check
from inferproof.errors import (
    Misconfigured,
    NotFound,
    PaymentRejected,
    Reason,
    ReceiptRejected,
    Unavailable,
)
from inferproof.payments.x402.receipt import authorization_payment
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import PAYMENTS, sample_bundle, sample_receipt_file
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.receipt import Receipt
from inferproof.verify.receipt import VerifiedReceipt


@pytest.fixture
async def paid(token: TokenChain, devnet: DevnetInfo, authorize: Authorize) -> Receipt:
    """A receipt whose payment is settled on the devnet. Its signatures are not looked at here."""
    payment, key = authorize(), devnet.accounts.provider
    nonce, fees = await token.nonce(key.address), await token.fees()
    sent = token.build_settlement_tx(payment, key, nonce=nonce, fees=fees)
    await token.submit_raw(sent.raw)
    found = await wait_receipt(token.rpc, sent.tx)
    settled = Settlement(SettlementState.SETTLED, sent.tx, found.block)
    return replace(
        sample_receipt_file().receipt, payment=authorization_payment(payment), settlement=settled
    )


async def steps(url: str, receipt: Receipt, contract: Address | None = None) -> list[Any]:
    file = replace(sample_receipt_file(), receipt=receipt)
    verified = VerifiedReceipt(file, Digest(bytes(32)), None, None, None, (), ())  # type: ignore[arg-type]
    made: AsyncIterator[tuple[str, str]] = chain_steps(url, verified, contract, _no_call, PAYMENTS)
    return [step async for step in made]


def _no_call(*_: object) -> None:
    raise AssertionError("no contract was named")


async def test_a_settled_payment(devnet: DevnetInfo, paid: Receipt) -> None:
    settlement = paid.settlement
    assert await steps(devnet.rpc_url, paid) == [
        ("chain and token", "eip155:31337, devUSDC"),
        (
            "payment is settled",
            f"0.25 devUSDC in block {settlement.block}, transaction {settlement.transaction}",
        ),
    ]


async def test_a_contract_is_not_passed_over_in_silence(devnet: DevnetInfo, paid: Receipt) -> None:
    file = replace(sample_receipt_file(), receipt=paid)
    proof: Any = SimpleNamespace(file=None)
    verified = VerifiedReceipt(file, Digest(bytes(32)), proof, sample_bundle(), None, (), ())
    done = []
    with rejects(
        Reason.NO_CONTRACT_FOR_SYSTEM,
        "no contract checks proofs of system sample yet; leave the verifier contract away",
        kind=NotFound,
    ):
        async for name, _ in chain_steps(
            devnet.rpc_url, verified, devnet.verifier, contract_check, PAYMENTS
        ):
            done.append(name)
    assert done == ["chain and token", "payment is settled"]


@pytest.mark.parametrize("state", ["pending", "failed", "uncertain"])
async def test_a_receipt_that_says_itself_that_nothing_is_settled(
    devnet: DevnetInfo, paid: Receipt, state: str
) -> None:
    unsettled = replace(paid, settlement=Settlement(SettlementState(state)))
    with rejects(
        Reason.RECEIPT_NOT_SETTLED,
        f"the receipt says that the settlement is {state}",
        kind=ReceiptRejected,
    ):
        await steps(devnet.rpc_url, unsettled)


async def test_another_block_or_transaction(devnet: DevnetInfo, paid: Receipt) -> None:
    tx, block = paid.settlement.transaction, paid.settlement.block
    assert block is not None
    for wrong in (
        replace(paid.settlement, block=block + 1),
        replace(paid.settlement, transaction=Digest(b"\x07" * 32)),
    ):
        with rejects(
            Reason.RECEIPT_SETTLEMENT,
            f"transaction {wrong.transaction} is not in block {wrong.block} of the chain",
            kind=ReceiptRejected,
        ):
            await steps(devnet.rpc_url, replace(paid, settlement=wrong))
    assert tx is not None


async def test_a_settled_transaction_of_another_payment(
    devnet: DevnetInfo, paid: Receipt, authorize: Authorize
) -> None:
    payment, tx = authorize(), paid.settlement.transaction
    with rejects(
        Reason.SETTLEMENT_NO_TRANSFER,
        f"transaction {tx} does not move 250000 from {payment.payer} to {payment.payee} "
        f"under nonce {payment.nonce}",
        kind=PaymentRejected,
    ):
        await steps(devnet.rpc_url, replace(paid, payment=authorization_payment(payment)))


async def test_another_chain(devnet: DevnetInfo, paid: Receipt) -> None:
    elsewhere = replace(paid.payment.asset, network=Network.evm(8453))
    moved = replace(paid, payment=replace(paid.payment, asset=elsewhere))
    with rejects(
        Reason.CHAIN_ID_MISMATCH,
        f"the chain at {devnet.rpc_url} has the id 31337, the settings say 8453; "
        "point to the right node",
        kind=Misconfigured,
    ):
        await steps(devnet.rpc_url, moved)


async def test_no_chain(rpc: Rpc, paid: Receipt) -> None:
    with pytest.raises(Unavailable) as caught:
        await steps("http://127.0.0.1:1", paid)
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE
