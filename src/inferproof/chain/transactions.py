"""Transactions as bytes: signed first, stored by whoever needs to, then sent.

A transaction is signed for one number of its sender, so its bytes can be sent any number of
times and enter the chain at most once.
"""

import time
from asyncio import sleep
from dataclasses import dataclass, field

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from inferproof.chain.answers import ChainReceipt
from inferproof.chain.rpc import Rpc
from inferproof.errors import Reason, Rejection, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.types.chain import Fees
from inferproof.types.digest import Address, Digest

POLL_S = 0.05
WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class SignedTx:
    """A signed transaction, ready to be stored and sent. `nonce` is its sender's number."""

    tx: Digest
    nonce: int
    sender: Address
    raw: bytes = field(repr=False)


async def suggest_fees(rpc: Rpc) -> Fees:
    """Fees to offer now; see `suggested`."""
    head = await rpc.head()
    return suggested(head.base_fee, await rpc.priority_fee())


def suggested(base_fee: int, tip: int) -> Fees:
    """Fees that stay enough while the base fee doubles (six full blocks in a row)."""
    return Fees(cap=2 * base_fee + tip, tip=tip)


def sign_tx(
    key: SigningKey,
    *,
    chain_id: int,
    nonce: int,
    fees: Fees,
    gas: int,
    to: Address | None,
    data: bytes,
) -> SignedTx:
    """An EIP-1559 transaction that carries data and no coin; without `to` it deploys."""
    fields: dict[str, object] = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "maxFeePerGas": fees.cap,
        "maxPriorityFeePerGas": fees.tip,
        "gas": gas,
        "value": 0,
        "data": data,
    }
    if to is not None:
        fields["to"] = to.raw
    signed = Account.sign_transaction(fields, key.secret())
    return SignedTx(Digest(bytes(signed.hash)), nonce, key.address, bytes(signed.raw_transaction))


def sign_again(raw: bytes, key: SigningKey, fees: Fees) -> SignedTx:
    """The same transaction, as `sign_tx` made it, with other fees.

    A node takes it in place of the first when cap and tip are higher by a tenth.
    """
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    to = fields["to"]
    return sign_tx(
        key,
        chain_id=int(fields["chainId"]),
        nonce=int(fields["nonce"]),
        fees=fees,
        gas=int(fields["gas"]),
        to=Address(bytes(to)) if to else None,
        data=bytes(fields["data"]),
    )


async def wait_receipt(rpc: Rpc, tx: Digest, *, timeout_s: float = WAIT_S) -> ChainReceipt:
    """The receipt, once the transaction is in a block, reverted or not.

    Raises: Unavailable TX_NOT_MINED, CHAIN_UNREACHABLE.
    """
    end = time.monotonic() + timeout_s
    while True:
        receipt = await rpc.receipt(tx)
        if receipt is not None:
            return receipt
        if time.monotonic() >= end:
            raise Unavailable(Reason.TX_NOT_MINED, tx=tx, seconds=f"{timeout_s:g}")
        await sleep(POLL_S)


def require_success(receipt: ChainReceipt) -> ChainReceipt:
    """The same receipt when the transaction did not revert.

    Raises: Rejection TX_REVERTED.
    """
    if not receipt.succeeded:
        raise Rejection(Reason.TX_REVERTED, tx=receipt.tx, block=receipt.block)
    return receipt


async def transact(
    rpc: Rpc,
    key: SigningKey,
    *,
    to: Address,
    data: bytes,
    what: str,
    pending: bool = False,
    timeout_s: float = WAIT_S,
) -> ChainReceipt:
    """The receipt of a call that was sent and did not revert. For set-up, not for payments:
    nothing is stored before it is sent. `pending` is for a call that goes by the block's time.

    Raises: CallReverted CHAIN_CALL_REVERTED before sending; TX_REVERTED, TX_NOT_MINED,
    TX_REFUSED, TX_NONCE_USED, CHAIN_UNREACHABLE.
    """
    estimate = await rpc.estimate_gas(to, data, what=what, sender=key.address, pending=pending)
    signed = sign_tx(
        key,
        chain_id=await rpc.chain_id(),
        nonce=await rpc.nonce(key.address),
        fees=await suggest_fees(rpc),
        # The estimate is for the state of now; a quarter more covers slots that turn cold.
        gas=estimate * 5 // 4,
        to=to,
        data=data,
    )
    await rpc.send_raw(signed.raw)
    return require_success(await wait_receipt(rpc, signed.tx, timeout_s=timeout_s))
