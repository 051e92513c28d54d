"""One key that settles and refunds in one asset, in the two shapes that callers need.

    SettlementAccount   signs first, so that an outbox can store before it sends; where there is an
                        escrow, orders in it are settled by being accepted; calls that were bought
                        before are settled by being taken
    DirectSettlement    signs, sends and waits in one call, for a facilitator that keeps no books

Each needs a key of its own: two senders that share a key take each other's numbers.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferproof.chain.answers import ChainReceipt
from inferproof.chain.batch import BatchTerms, batch_outcomes, build_batch_tx
from inferproof.chain.passes import (
    check_consumption,
    consume_data,
    consumption_outcome,
    find_consumption,
    find_restores,
    restore_data,
    sign_pass_tx,
)
from inferproof.chain.refunds import find_refunds
from inferproof.chain.serving import OrderAccount, acceptance_outcome
from inferproof.chain.token import SETTLE_GAS, TokenChain
from inferproof.chain.token_state import PayerKey
from inferproof.chain.transactions import (
    SignedTx,
    sign_again,
    sign_tx,
    suggested,
    wait_receipt,
)
from inferproof.concurrency.request_coalescing import RequestCoalescer
from inferproof.errors import PaymentRejected, Reason, Unavailable
from inferproof.protocol.settlement import moves_funds
from inferproof.protocol.signature import SigningKey
from inferproof.types.access import Consumption
from inferproof.types.chain import Fees, ItemOutcome, ItemState, RefundTerms, Sight
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Acceptance, Settleable
from inferproof.types.money import Asset, format_units
from inferproof.types.payment import Authorization, PayerState, Settlement, SettlementState

GATHER_S = 0.008
"""The least time between two questions about the states of several payers: each costs the node and
us more than one payer in it does."""
AT_ONCE = 8
"""How many such questions may be under way: a node that makes a block answers none of them until it
has made it, and then all."""
HEAD_S = 10.0
"""How old a block number may be that orders are recorded with: older only makes a later search
for the settlement longer, and nodes limit such searches."""

LOOKBACK = 2_000
"""How many blocks are searched for a settlement that was not awaited; nodes limit such searches."""
PLAIN_GAS = 21_000
"""What a transfer of the chain's own coin takes (Yellow Paper, appendix G)."""


@dataclass(frozen=True, slots=True)
class Execution:
    """A transaction of ours in a block. `contract` is that of batches, where there is one."""

    receipt: ChainReceipt
    contract: Address | None

    @property
    def tx(self) -> Digest:
        return self.receipt.tx

    @property
    def succeeded(self) -> bool:
        return self.receipt.succeeded

    @property
    def block(self) -> int:
        return self.receipt.block

    @property
    def block_hash(self) -> Digest:
        return self.receipt.block_hash

    def outcomes(self, items: Sequence[Settleable]) -> Sequence[ItemOutcome]:
        """What it did with the authorizations, or with what else it was signed for."""
        authorizations = _authorizations(items)
        if len(authorizations) > 1 and self.contract is not None:
            return batch_outcomes(self.receipt, self.contract, authorizations)
        return [self._outcome(item) for item in items]

    def _outcome(self, item: Settleable) -> ItemOutcome:
        if isinstance(item, Acceptance):
            return acceptance_outcome(self.receipt, item)
        if isinstance(item, Consumption):
            return consumption_outcome(self.receipt, item)
        if moves_funds(self.receipt, item):
            return ItemOutcome(item, ItemState.SETTLED)
        return ItemOutcome(item, ItemState.REFUSED, "reverted")


class SettlementAccount:
    """What gateway and settler ask of a chain.

    `confirmations` is how many blocks deep a transaction must be before it counts as included,
    its own block counted: one on a chain that never reorganises. Without `batch`, each payment
    is settled by a transaction of its own. `orders` is the account in an escrow, where orders are
    served.
    """

    def __init__(
        self,
        token: TokenChain,
        key: SigningKey,
        *,
        confirmations: int = 1,
        batch: BatchTerms | None = None,
        orders: OrderAccount | None = None,
    ) -> None:
        if confirmations < 1:
            raise ValueError("a transaction in a block is at least one block deep")
        self._token = token
        self._key = key
        self._confirmations = confirmations
        self._batch = batch
        self._orders = orders
        self._payer_state = RequestCoalescer(self._ask_states, gap_s=GATHER_S, at_once=AT_ONCE)
        self._seen_head = (0, -HEAD_S)

    def __repr__(self) -> str:
        return f"SettlementAccount({self.sender} on {self.asset.network})"

    @property
    def asset(self) -> Asset:
        return self._token.asset

    @property
    def sender(self) -> Address:
        return self._key.address

    @property
    def batch_size(self) -> int:
        """How many authorizations one transaction settles at most."""
        return 1 if self._batch is None else self._batch.items

    @property
    def confirmations(self) -> int:
        return self._confirmations

    async def head(self) -> int:
        """The number of the newest block."""
        return (await self._token.head()).number

    async def balance(self, holder: Address) -> int:
        """The holder's balance of the asset, in atomic units."""
        return await self._token.balance(holder)

    async def payer_state(self, payer: Address, nonce: Digest) -> PayerState:
        """Balance, nonce and code at once; many who ask at a time are answered by one batch."""
        return await self._payer_state((payer, nonce))

    async def payer_states(self, items: Sequence[Settleable]) -> list[PayerState]:
        """The same for many, in one request and at once; of orders in an escrow whether they are
        open. Of calls that were bought nothing: a trial tells all."""
        keys = [(item.payer, item.nonce) for item in _authorizations(items)]
        found = dict(await self._ask_states(keys)) if keys else {}
        orders = [item for item in items if isinstance(item, Acceptance)]
        if orders:
            states = await self._serving().payer_states(orders)
            found |= {(o.payer, o.nonce): state for o, state in zip(orders, states, strict=True)}
        for item in items:
            if isinstance(item, Consumption):
                found[item.payer, item.nonce] = PayerState(0, False, 0, has_code=True)
        return [found[item.payer, item.nonce] for item in items]

    async def check_settles(self, item: Settleable) -> None:
        """Returns when settling would succeed in the newest block.

        Raises: PaymentRejected AUTHORIZATION_REFUSED, AUTHORIZATION_SIGNATURE_FORM, ORDER_REFUSED,
        PASS_REFUSED; Unavailable.
        """
        if isinstance(item, Acceptance):
            await self._serving().check_acceptance(item)
        elif isinstance(item, Consumption):
            await check_consumption(self._token.rpc, item)
        else:
            await self._token.simulate_settlement(item, self.sender)

    async def earlier_settlement(self, authorization: Authorization) -> int | None:
        """The block of a transaction, whoever sent it and however deep it is, that used the
        authorization and moved exactly its funds; None when the newest blocks hold none."""
        first = max(0, await self.head() - LOOKBACK)
        receipt = await self._token.find_settlement(authorization, first_block=first)
        return None if receipt is None else receipt.block

    async def _ask_states(self, wanted: Sequence[PayerKey]) -> Mapping[PayerKey, PayerState]:
        # A node may answer for the nonces before it answers for the block: the block that counts
        # is from the batch before.
        now = time.monotonic()
        head, asked_at = self._seen_head
        if now > asked_at + HEAD_S:
            head = await self.head()
        found, newest = await self._token.payer_states(wanted)
        self._seen_head = newest, now
        return {
            key: PayerState(state.balance, state.used, head, state.has_code)
            for key, state in zip(wanted, found, strict=True)
        }

    async def holdings(self) -> tuple[int, int]:
        """What the sender holds: coin for gas in wei, and tokens for refunds in atomic units."""
        coin = await self._token.rpc.native_balance(self.sender)
        return coin, await self._token.balance(self.sender)

    async def settlement_cost(self) -> int:
        """What one settlement may take at today's fees, in wei."""
        return SETTLE_GAS * (await self._token.fees()).cap

    async def authorization_used(self, payer: Address, nonce: Digest) -> bool:
        """True when the nonce is used up. Soundness: a cancellation uses it up too."""
        return await self._token.authorization_state(payer, nonce)

    async def look(self) -> Sight:
        """The chain as it is now, in one request, or in two where blocks must be deep."""
        rpc, sender = self._token.rpc, self.sender.hex
        newest, spent, pending, tip, syncing = await rpc.ask_all(
            [
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_getTransactionCount", [sender, "latest"]),
                ("eth_getTransactionCount", [sender, "pending"]),
                ("eth_maxPriorityFeePerGas", []),
                ("eth_syncing", []),
            ]
        )
        head, deep, spent_deep = int(newest["number"], 16), newest, spent
        if self._confirmations > 1:
            number = hex(max(0, head - self._confirmations + 1))
            deep, spent_deep = await rpc.ask_all(
                [
                    ("eth_getBlockByNumber", [number, False]),
                    ("eth_getTransactionCount", [sender, number]),
                ]
            )
        base_fee = int(newest.get("baseFeePerGas") or "0x0", 16)
        return Sight(
            head=head,
            digest=Digest(bytes.fromhex(newest["hash"][2:])),
            time=int(deep["timestamp"], 16),
            spent=int(spent, 16),
            spent_deep=int(spent_deep, 16),
            pending=int(pending, 16),
            base_fee=base_fee,
            fees=suggested(base_fee, int(tip, 16)),
            syncing=bool(syncing),
        )

    async def sign_settlement(
        self, items: Sequence[Settleable], nonce: int, fees: Fees
    ) -> SignedTx:
        """The signed transaction that settles each of them on its own; nothing is sent. An
        acceptance and a call that was bought are alone.

        Raises: PaymentRejected AUTHORIZATION_SIGNATURE_FORM.
        """
        if len(items) == 1 and isinstance(items[0], Acceptance):
            return await self._serving().sign_acceptance(items[0], nonce, fees)
        if len(items) == 1 and isinstance(items[0], Consumption):
            return self._sign_pass(items[0], consume_data(items[0]), nonce, fees)
        authorizations = _authorizations(items)
        if len(authorizations) == 1 or self._batch is None:
            (single,) = authorizations
            return self._token.build_settlement_tx(single, self._key, nonce=nonce, fees=fees)
        return build_batch_tx(
            authorizations,
            self._key,
            contract=self._batch.contract,
            nonce=nonce,
            fees=fees,
            item_gas=self._batch.item_gas,
        )

    async def sign_refund(
        self, to: Address, amount: int, nonce: int, fees: Fees, mark: Digest | None = None
    ) -> SignedTx:
        """The signed transaction that gives money back; nothing is sent."""
        return self._token.build_transfer_tx(
            to, amount, self._key, nonce=nonce, fees=fees, mark=mark
        )

    async def sign_restore(
        self, taken: Consumption, nonce: int, fees: Fees, mark: Digest | None = None
    ) -> SignedTx:
        """The signed transaction that gives a call back that was taken; nothing is sent."""
        return self._sign_pass(taken, restore_data(taken, mark), nonce, fees)

    async def refunds_made(
        self, wanted: Mapping[Digest, RefundTerms], first_block: int
    ) -> dict[Digest, ChainReceipt]:
        """Those of the refunds, by their marks, that are in a block; see `find_refunds` and
        `find_restores`."""
        money = {mark: terms for mark, terms in wanted.items() if terms.taken is None}
        made: dict[Digest, ChainReceipt] = {}
        if money:
            made = await find_refunds(self._token, self.sender, money, first_block=first_block)
        return made | await find_restores(self._token.rpc, wanted, first_block=first_block)

    async def sign_filler(self, nonce: int, fees: Fees) -> SignedTx:
        """A transfer of nothing to the sender itself, which takes the number."""
        return sign_tx(
            self._key,
            chain_id=self.asset.network.chain_id,
            nonce=nonce,
            fees=fees,
            gas=PLAIN_GAS,
            to=self.sender,
            data=b"",
        )

    async def sign_again(self, raw: bytes, fees: Fees) -> SignedTx:
        """The same transaction with other fees; nothing is sent."""
        return sign_again(raw, self._key, fees)

    async def submit(self, raw: bytes) -> None:
        """Returns when the node has the transaction. Raises: as `Rpc.send_raw`."""
        await self._token.submit_raw(raw)

    async def included(self, txs: Sequence[Digest]) -> dict[Digest, Execution]:
        """Those of the transactions that are in a block, however deep, in one request."""
        contract = None if self._batch is None else self._batch.contract
        found = await self._token.rpc.receipts(txs)
        return {tx: Execution(receipt, contract) for tx, receipt in found.items()}

    async def block_digests(self, numbers: Sequence[int]) -> list[Digest | None]:
        """The digests of the blocks with these numbers; None for one that is not there."""
        found = await self._token.rpc.ask_all(
            [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
        )
        return [None if b is None else Digest(bytes.fromhex(b["hash"][2:])) for b in found]

    async def settled_by(self, item: Settleable, first_block: int) -> ChainReceipt | None:
        """The transaction, whoever sent it, that settled the authorization since a block, or by
        which we accepted the order or took the call.

        Raises: Unavailable TX_NOT_CONFIRMED while it is there but not deep enough: it is
        neither settled nor absent.
        """
        if isinstance(item, Acceptance):
            receipt = await self._serving().acceptance_made(item, first_block)
        elif isinstance(item, Consumption):
            receipt = await find_consumption(self._token.rpc, item, first_block)
        else:
            receipt = await self._token.find_settlement(item, first_block=first_block)
        if receipt is None:
            return None
        depth = await self.head() - receipt.block + 1
        if depth < self._confirmations:
            raise Unavailable(
                Reason.TX_NOT_CONFIRMED, tx=receipt.tx, got=depth, needed=self._confirmations
            )
        return receipt

    def _sign_pass(self, taken: Consumption, data: bytes, nonce: int, fees: Fees) -> SignedTx:
        chain_id = self.asset.network.chain_id
        return sign_pass_tx(self._key, taken, data, chain_id=chain_id, nonce=nonce, fees=fees)

    def _serving(self) -> OrderAccount:
        """Raises: Unavailable ORDERS_NOT_SERVED where an order was taken by a process that had
        an escrow, and this one has none."""
        if self._orders is None:
            raise Unavailable(Reason.ORDERS_NOT_SERVED, name="INFERPROOF_ESCROW_ADDRESS")
        return self._orders


def _authorizations(items: Sequence[Settleable]) -> list[Authorization]:
    return [item for item in items if not isinstance(item, Acceptance | Consumption)]


class DirectSettlement:
    """What a facilitator asks of a chain: a check, and a settlement in one call.

    Units: `wait_s` is how long a settlement waits for its block. `lookback` is how many
    blocks a settlement that is asked for again is searched in; nodes limit such searches.
    """

    def __init__(
        self, token: TokenChain, key: SigningKey, *, wait_s: float = 30, lookback: int = LOOKBACK
    ) -> None:
        self._token = token
        self._key = key
        self._wait_s = wait_s
        self._lookback = lookback
        self._sending = asyncio.Lock()

    @property
    def sender(self) -> Address:
        return self._key.address

    async def precheck(self, authorization: Authorization) -> None:
        """Returns when the payer has the money and the nonce is unused.

        Raises: PaymentRejected PAYMENT_BALANCE, PAYMENT_NONCE_USED; Unavailable.
        """
        if await self._token.authorization_state(authorization.payer, authorization.nonce):
            raise PaymentRejected(Reason.PAYMENT_NONCE_USED, nonce=authorization.nonce)
        balance = await self._token.balance(authorization.payer)
        if balance < authorization.amount:
            asset = authorization.asset
            raise PaymentRejected(
                Reason.PAYMENT_BALANCE,
                balance=format_units(balance, asset.decimals),
                symbol=asset.symbol,
                price=format_units(authorization.amount, asset.decimals),
            )

    async def settle(self, authorization: Authorization) -> Settlement:
        """The settlement, as far as it is known when this returns; safe to call again.

        Settled here or by anyone else; failed when our transaction reverted and nobody's
        settled it; pending when it is in no block yet; uncertain when the node fell silent
        while it was sent.
        Raises: PaymentRejected PAYMENT_NONCE_USED, AUTHORIZATION_REFUSED,
        AUTHORIZATION_SIGNATURE_FORM; Unavailable when nothing was sent.
        """
        async with self._sending:
            known = await self._made(authorization)
            if known is not None:
                return known
            try:
                await self._token.simulate_settlement(authorization, self.sender)
            except PaymentRejected:
                # One that was sent a moment ago may have come into a block since.
                known = await self._made(authorization)
                if known is None:
                    raise
                return known
            signed = self._token.build_settlement_tx(
                authorization,
                self._key,
                nonce=await self._token.nonce(self.sender),
                fees=await self._token.fees(),
            )
            try:
                await self._token.submit_raw(signed.raw)
            except Unavailable as error:
                if error.reason is not Reason.CHAIN_UNREACHABLE:
                    raise
                return Settlement(SettlementState.UNCERTAIN, signed.tx)
        return await self._outcome(signed.tx, authorization)

    async def _made(self, authorization: Authorization) -> Settlement | None:
        """The settlement that used the nonce up, whoever sent it; None while it is unused.

        Raises: PaymentRejected PAYMENT_NONCE_USED.
        """
        if not await self._token.authorization_state(authorization.payer, authorization.nonce):
            return None
        found = await self._find(authorization)
        if found is None:
            raise PaymentRejected(Reason.PAYMENT_NONCE_USED, nonce=authorization.nonce)
        return found

    async def _outcome(self, tx: Digest, authorization: Authorization) -> Settlement:
        try:
            receipt = await wait_receipt(self._token.rpc, tx, timeout_s=self._wait_s)
        except Unavailable as error:
            waiting = error.reason is Reason.TX_NOT_MINED
            return Settlement(SettlementState.PENDING if waiting else SettlementState.UNCERTAIN, tx)
        if moves_funds(receipt, authorization):
            return Settlement(SettlementState.SETTLED, tx, receipt.block)
        found = await self._find(authorization)
        return found or Settlement(SettlementState.FAILED, tx, receipt.block)

    async def _find(self, authorization: Authorization) -> Settlement | None:
        first = max(0, (await self._token.head()).number - self._lookback)
        receipt = await self._token.find_settlement(authorization, first_block=first)
        if receipt is None:
            return None
        return Settlement(SettlementState.SETTLED, receipt.tx, receipt.block)
