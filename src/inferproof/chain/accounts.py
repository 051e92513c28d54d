"""One key that settles and refunds in one asset, in the two shapes that callers need.

    SettlementAccount   signs first, so that an outbox can store before it sends
    DirectSettlement    signs, sends and waits in one call, for a facilitator that keeps no books

Each needs a key of its own: two senders that share a key take each other's numbers.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from inferproof.chain.rpc import ChainReceipt
from inferproof.chain.token import SETTLE_GAS, PurseKey, TokenChain, moves_funds
from inferproof.chain.transactions import SignedTx, wait_receipt
from inferproof.errors import PaymentRejected, Reason, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.together import Together
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, format_units
from inferproof.types.payment import Authorization, Purse, Settlement, SettlementState

HEAD_S = 10.0
"""How old a block number may be that orders are recorded with: older only makes a later search
for the settlement longer, and nodes limit such searches."""


class SettlementAccount:
    """What gateway and settler ask of a chain.

    `confirmations` is how many blocks deep a transaction must be before it counts as included,
    its own block counted: one on a chain that never reorganises.
    """

    def __init__(self, token: TokenChain, key: SigningKey, *, confirmations: int = 1) -> None:
        if confirmations < 1:
            raise ValueError("a transaction in a block is at least one block deep")
        self._token = token
        self._key = key
        self._confirmations = confirmations
        self._purse = Together(self._purses)
        self._seen_head = (0, -HEAD_S)

    def __repr__(self) -> str:
        return f"SettlementAccount({self.sender} on {self.asset.network})"

    @property
    def asset(self) -> Asset:
        return self._token.asset

    @property
    def sender(self) -> Address:
        return self._key.address

    async def head(self) -> int:
        """The number of the newest block."""
        return (await self._token.head()).number

    async def balance(self, holder: Address) -> int:
        """The holder's balance of the asset, in atomic units."""
        return await self._token.balance(holder)

    async def purse(self, payer: Address, nonce: Digest) -> Purse:
        """Balance and nonce at once; many who ask at a time are answered by one batch."""
        return await self._purse((payer, nonce))

    async def _purses(self, wanted: Sequence[PurseKey]) -> Mapping[PurseKey, Purse]:
        # A node may answer for the nonces before it answers for the block: the block that counts
        # is from the batch before.
        now = time.monotonic()
        head, asked_at = self._seen_head
        if now > asked_at + HEAD_S:
            head = await self.head()
        found, newest = await self._token.purses(wanted)
        self._seen_head = newest, now
        return {
            key: Purse(balance, used, head)
            for key, (balance, used) in zip(wanted, found, strict=True)
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

    async def next_nonce(self) -> int:
        """The number of the sender's next transaction, unmined ones counted."""
        return await self._token.nonce(self.sender)

    async def sign_settlement(self, authorization: Authorization, nonce: int) -> SignedTx:
        """The signed transaction that settles, at today's fees; nothing is sent.

        Raises: PaymentRejected AUTHORIZATION_SIGNATURE_FORM; Unavailable.
        """
        fees = await self._token.fees()
        return self._token.build_settlement_tx(authorization, self._key, nonce=nonce, fees=fees)

    async def sign_refund(self, to: Address, amount: int, nonce: int) -> SignedTx:
        """The signed transaction that gives money back, at today's fees; nothing is sent."""
        fees = await self._token.fees()
        return self._token.build_transfer_tx(to, amount, self._key, nonce=nonce, fees=fees)

    async def submit(self, raw: bytes) -> None:
        """Returns when the node has the transaction. Raises: as `Rpc.send_raw`."""
        await self._token.submit_raw(raw)

    async def included(self, tx: Digest) -> ChainReceipt | None:
        """The transaction once it is deep enough in the chain, reverted or not; None while no
        block holds it.

        Raises: Unavailable TX_NOT_CONFIRMED while a block does and is not deep enough. That is
        not None: who takes a refund for absent pays it again.
        """
        receipt = await self._token.receipt(tx)
        return None if receipt is None else await self._deep(receipt)

    async def time(self) -> int:
        """The time of the newest block that is deep enough, in Unix seconds.

        An authorization that ended by then, and is unused, can move no funds any more.
        """
        newest = await self._token.head()
        if self._confirmations == 1:
            return newest.timestamp
        number = max(0, newest.number - self._confirmations + 1)
        return (await self._token.rpc.block(number)).timestamp

    async def settled_by(
        self, authorization: Authorization, first_block: int
    ) -> ChainReceipt | None:
        """The transaction, whoever sent it, that settled the authorization since a block.

        Raises: Unavailable TX_NOT_CONFIRMED while it is there but not deep enough: it is
        neither settled nor absent.
        """
        receipt = await self._token.find_settlement(authorization, first_block=first_block)
        return None if receipt is None else await self._deep(receipt)

    async def _deep(self, receipt: ChainReceipt) -> ChainReceipt:
        depth = await self.head() - receipt.block + 1
        if depth < self._confirmations:
            raise Unavailable(
                Reason.TX_NOT_CONFIRMED, tx=receipt.tx, got=depth, needed=self._confirmations
            )
        return receipt


class DirectSettlement:
    """What a facilitator asks of a chain: a check, and a settlement in one call.

    Units: `wait_s` is how long a settlement waits for its block. `lookback` is how many
    blocks a settlement that is asked for again is searched in; nodes limit such searches.
    """

    def __init__(
        self, token: TokenChain, key: SigningKey, *, wait_s: float = 30, lookback: int = 2_000
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
            if await self._token.authorization_state(authorization.payer, authorization.nonce):
                found = await self._find(authorization)
                if found is None:
                    raise PaymentRejected(Reason.PAYMENT_NONCE_USED, nonce=authorization.nonce)
                return found
            await self._token.simulate_settlement(authorization, self.sender)
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
