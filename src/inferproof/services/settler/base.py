"""What gateway and settler ask of a chain."""

from typing import Protocol

from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, Purse


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


class Included(Protocol):
    """A transaction that is in a block; `succeeded` is false for a revert."""

    @property
    def tx(self) -> Digest: ...

    @property
    def succeeded(self) -> bool: ...

    @property
    def block(self) -> int: ...


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

    async def purse(self, payer: Address, nonce: Digest) -> Purse:
        """Balance and nonce at once; many who ask at a time are answered by one call."""
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

    async def next_nonce(self) -> int:
        """The number of the sender's next transaction, unmined ones counted."""
        ...

    async def sign_settlement(
        self, authorization: Authorization, nonce: int
    ) -> SignedTransaction: ...

    async def sign_refund(self, to: Address, amount: int, nonce: int) -> SignedTransaction: ...

    async def submit(self, raw: bytes) -> None:
        """Returns when a node has the transaction, now or from before.

        Raises: Conflict TX_NONCE_USED when its number is spent, by it or by another; Unavailable
        when it may or may not have been taken.
        """
        ...

    async def included(self, tx: Digest) -> Included | None:
        """The transaction as it is in a block, or None while no block holds it.

        Raises: Unavailable TX_NOT_CONFIRMED while a block does and is not deep enough: it must
        not be taken for absent.
        """
        ...

    async def time(self) -> int:
        """The time of the newest block that is deep enough to count; no later block is from
        before it. Units: Unix seconds."""
        ...

    async def settled_by(self, authorization: Authorization, first_block: int) -> Included | None:
        """The transaction, whoever sent it, that used the authorization since `first_block` and
        moved exactly its funds; None when there is none.

        Raises: Unavailable TX_NOT_CONFIRMED while its block is not deep enough.
        """
        ...
