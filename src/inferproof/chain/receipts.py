"""What only the chain can say of a receipt: that it was paid, and that a contract accepts it.

1  the node serves the receipt's chain, and the token is the one described
2  the settlement's transaction is in the stated block and made exactly this payment
3  the verifier contract, recognised by its code, accepts the same proof bytes
"""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from inferproof.chain.rpc import Rpc
from inferproof.chain.token import check_token
from inferproof.errors import NotFound, Reason, ReceiptRejected
from inferproof.protocol.payment_part import PaymentParts
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Address
from inferproof.types.payment import SettlementState
from inferproof.types.receipt import Receipt
from inferproof.verify.receipt import VerifiedReceipt


class ContractCheck(Protocol):
    """One proof, and how a contract is asked about it."""

    async def ask(self, rpc: Rpc, contract: Address) -> int:
        """The gas of the check, once the contract, recognised by its code, has accepted the proof.
        Raises: Rejection."""
        ...


MakeCheck = Callable[[VerifierBundle, ProofFile], ContractCheck | None]
"""Makes it from a bundle and a proof; None for systems that no contract verifies."""


async def chain_steps(
    url: str,
    verified: VerifiedReceipt,
    contract: Address | None,
    make_check: MakeCheck,
    payments: PaymentParts,
) -> AsyncIterator[tuple[str, str]]:
    """The name and finding of each step, as it ends.

    `payments` are the methods that the receipt was verified with. Without `contract` the third
    step is left out. Raises: ReceiptRejected RECEIPT_NOT_SETTLED,
    RECEIPT_SETTLEMENT; PaymentRejected SETTLEMENT_NO_TRANSFER, TRANSFER_NOT_ON_CHAIN,
    TX_FAILED; NotFound NO_CONTRACT_FOR_SYSTEM; as `check_token`, `make_check`
    and `ContractCheck.ask`.
    """
    receipt = verified.file.receipt
    async with Rpc(url) as rpc:
        # 1
        await check_token(rpc, receipt.payment.asset)
        yield "chain and token", f"{receipt.payment.asset.network}, {receipt.payment.asset.symbol}"
        # 2
        yield "payment is settled", await _settlement(rpc, receipt, payments)
        # 3
        if contract is None:
            return
        check = make_check(verified.bundle, verified.proof.file)
        if check is None:
            system = verified.bundle.parts.proof_system
            raise NotFound(Reason.NO_CONTRACT_FOR_SYSTEM, system=system)
        gas = await check.ask(rpc, contract)
        yield "contract accepts the proof", f"{contract}, {gas:,} gas"


async def _settlement(rpc: Rpc, receipt: Receipt, payments: PaymentParts) -> str:
    settlement = receipt.settlement
    if settlement.state is not SettlementState.SETTLED or settlement.transaction is None:
        raise ReceiptRejected(Reason.RECEIPT_NOT_SETTLED, state=settlement.state.value)
    found = await rpc.receipt(settlement.transaction)
    if found is None or found.block != settlement.block:
        raise ReceiptRejected(
            Reason.RECEIPT_SETTLEMENT, tx=settlement.transaction, block=settlement.block
        )
    payment = receipt.payment
    how = payments[payment.method].verify_on_chain(receipt, found)
    return f"{payment.money} in block {found.block}, transaction {found.tx}{how}"
