"""What gateway and settler ask of a chain."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from inferproof.types.access import Consumption
from inferproof.types.chain import Fees, ItemOutcome, RefundTerms, Sight
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Acceptance, OrderSlot, OrderTransaction, Settleable
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, PayerState, Payment
from inferproof.types.revenue import Payout
from inferproof.types.tensor import FixedTensor


class SignedTransaction(Protocol):
    """A signed transaction. `nonce` is its sender's number; `raw` may be sent any number of
    times and enters the chain at most once."""

    @property
    def tx(self) -> Digest: ...

    @property
    def nonce(self) -> int: ...

    @property
    def sender(self) -> Address: ...

    @property
    def raw(self) -> bytes: ...


class Moved(Protocol):
    """A transaction that is in a block."""

    @property
    def tx(self) -> Digest: ...

    @property
    def block(self) -> int: ...

    @property
    def block_hash(self) -> Digest: ...


class Included(Moved, Protocol):
    """A transaction that is in a block; `succeeded` is false for a revert."""

    @property
    def succeeded(self) -> bool: ...


class Executed(Included, Protocol):
    """A transaction of ours that is in a block."""

    def outcomes(self, items: Sequence[Settleable]) -> Sequence[ItemOutcome]:
        """What it did with the authorizations, or with what else it was signed for, in their
        order."""
        ...


class Settles(Protocol):
    """What the settler asks a payment's method."""

    def settle(self, payment: Payment) -> Settleable | None:
        """What the chain is given to take the money, or the order up; None where the money was
        taken before the order."""
        ...


class PaymentChain(Protocol):
    """What accepting a payment asks of the chain.

    Raises: Unavailable when the chain cannot be asked.
    """

    @property
    def asset(self) -> Asset: ...

    async def head(self) -> int:
        """The number of the newest block."""
        ...

    async def balance(self, holder: Address) -> int:
        """The holder's balance of the asset, in atomic units."""
        ...

    async def payer_state(self, payer: Address, nonce: Digest) -> PayerState:
        """Balance, nonce and code at once; many who ask at a time are answered by one call."""
        ...

    async def check_settles(self, item: Settleable) -> None:
        """Returns when settling it would succeed now.

        Raises: PaymentRejected AUTHORIZATION_REFUSED, ORDER_REFUSED, PASS_REFUSED.
        """
        ...

    async def earlier_settlement(self, authorization: Authorization) -> int | None:
        """The block of a transaction, whoever sent it and however deep it is, that used the
        authorization and moved exactly its funds; None when the newest blocks hold none."""
        ...

    async def authorization_used(self, payer: Address, nonce: Digest) -> bool:
        """True when the nonce is used up. Soundness: a cancellation uses it up too."""
        ...


class SettlementChain(PaymentChain, Protocol):
    """What settling and refunding ask of the chain, with one key that sends.

    Raises: Unavailable when the chain cannot be asked.
    """

    @property
    def sender(self) -> Address:
        """The address that sends, and whose tokens pay for refunds."""
        ...

    @property
    def batch_size(self) -> int:
        """How many authorizations one transaction settles at most; one without a contract."""
        ...

    @property
    def confirmations(self) -> int:
        """How deep a block must be before it counts, itself included."""
        ...

    async def look(self) -> Sight:
        """The chain as it is now, with all that one round of settling asks for."""
        ...

    async def sign_settlement(
        self, items: Sequence[Settleable], nonce: int, fees: Fees
    ) -> SignedTransaction:
        """One transaction that settles each of the authorizations on its own, or that accepts one
        order, or takes one call that was bought; nothing is sent."""
        ...

    async def sign_refund(
        self, to: Address, amount: int, nonce: int, fees: Fees, mark: Digest | None = None
    ) -> SignedTransaction:
        """One transaction that moves the amount; by the mark it is found again."""
        ...

    async def sign_restore(
        self, taken: Consumption, nonce: int, fees: Fees, mark: Digest | None = None
    ) -> SignedTransaction:
        """One transaction that gives a call back; by the mark it is found again."""
        ...

    async def refunds_made(
        self, wanted: Mapping[Digest, RefundTerms], first_block: int
    ) -> Mapping[Digest, Included]:
        """Those of the refunds, by their marks, that the sender made since `first_block`, however
        deep."""
        ...

    async def sign_filler(self, nonce: int, fees: Fees) -> SignedTransaction:
        """A transaction that does nothing but take its number."""
        ...

    async def sign_again(self, raw: bytes, fees: Fees) -> SignedTransaction:
        """The same transaction with other fees."""
        ...

    async def submit(self, raw: bytes) -> None:
        """Returns when a node has the transaction, now or from before.

        Raises: Conflict TX_NONCE_USED when its number is spent, by it or by another; Unavailable
        TX_REFUSED when the node does not take it, others when it may or may not have been taken.
        """
        ...

    async def included(self, txs: Sequence[Digest]) -> Mapping[Digest, Executed]:
        """Those of the transactions that are in a block, however deep."""
        ...

    async def block_digests(self, numbers: Sequence[int]) -> Sequence[Digest | None]:
        """The digests of the blocks with these numbers; None for one that is not there."""
        ...

    async def payer_states(self, items: Sequence[Settleable]) -> Sequence[PayerState]:
        """As `payer_state`, for many at once. An order in an escrow is used once it is not open,
        and has code: a trial tells whether it can be accepted. So has a call that was bought."""
        ...

    async def settled_by(self, item: Settleable, first_block: int) -> Included | None:
        """The transaction, whoever sent it, that used the authorization since `first_block` and
        moved exactly its funds, or by which we accepted the order or took the call; None when
        there is none.

        Raises: Unavailable TX_NOT_CONFIRMED while its block is not deep enough.
        """
        ...


class PayoutChain(Protocol):
    """What paying developers asks of the chain, with the key that settles.

    Raises: Unavailable when the chain cannot be asked.
    """

    @property
    def payer(self) -> Address:
        """Whose tokens are paid out."""
        ...

    @property
    def contract(self) -> Address:
        """What makes payouts now. Those that were planned before name their own."""
        ...

    async def is_used(self, number: int) -> bool:
        """Whether the contract has paid anything of the payer's under this number."""
        ...

    async def sign_payout(self, payout: Payout, nonce: int, fees: Fees) -> SignedTransaction:
        """One transaction that makes the payout, wholly or not at all; nothing is sent."""
        ...

    async def made(self, payout: Payout) -> Included | None:
        """The transaction that made the payout, however deep; None where none has.

        Raises: Conflict PAYOUT_ELSEWHERE where something else was paid under its number.
        """
        ...

    async def credited(self, tx: Digest, payout: Payout) -> frozenset[int]:
        """The positions whose money the contract kept for the payee, in the transaction that made
        the payout. Raises: Conflict PAYOUT_ELSEWHERE."""
        ...


class OrderChain(Protocol):
    """What delivering orders asks of an escrow, with the key that settles.

    Raises: Unavailable when the chain cannot be asked.
    """

    async def slot(self, order: Digest, *, block: int | None = None) -> OrderSlot:
        """What the escrow keeps of an order after a block, by default the newest."""
        ...

    async def accepted_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        """The transaction since a block by which it was accepted, whoever did."""
        ...

    async def delivered_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        """The transaction since a block by which it was delivered, whoever did."""
        ...

    async def refunded_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        """The transaction since a block by which its buyer was refunded."""
        ...

    async def delivery_gas(
        self, acceptance: Acceptance, outputs: Sequence[FixedTensor], proof: bytes
    ) -> int:
        """The gas of a delivery that the escrow would take now.

        Raises: Rejection ORDER_REFUSED.
        """
        ...

    async def sign_delivery(
        self,
        acceptance: Acceptance,
        outputs: Sequence[FixedTensor],
        proof: bytes,
        *,
        gas: int,
        nonce: int,
        fees: Fees,
    ) -> SignedTransaction:
        """The transaction that delivers the order; nothing is sent."""
        ...
