"""Transactions on the cash chain that others made: what payment by earlier transfer looks at."""

from dataclasses import dataclass, field

from inferproof.errors import Reason, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.transfer import AUTHORIZATION_USED_EVENT, TRANSFER_EVENT
from inferproof.testing.cash import CashLedger
from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log, MinedTransaction
from inferproof.types.reconciliation import Transfer


def transfer_log(token: Address, payer: Address, payee: Address, amount: int) -> Log:
    """The event that a token emits for a transfer."""
    topics = (TRANSFER_EVENT, _word(payer), _word(payee))
    return Log(token, topics, amount.to_bytes(32, "big"))


def authorization_log(token: Address, payer: Address, nonce: Digest) -> Log:
    """The event that a token emits when an authorization is used."""
    return Log(token, (AUTHORIZATION_USED_EVENT, _word(payer), nonce), b"")


def _word(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


@dataclass
class CashTransfers:
    """Transactions in blocks of a ledger, and the reader of them.

    Implements payments.transfer.method.TransferChain. `replaced` are transactions whose block
    is another one whenever it is looked at twice.
    """

    ledger: CashLedger
    made: dict[Digest, MinedTransaction] = field(default_factory=dict)
    replaced: set[Digest] = field(default_factory=set)

    def transfer(self, payer: Address, payee: Address, *amounts: int) -> Digest:
        """A transaction that moves these amounts, each in a log of its own, from 0."""
        token = self.ledger.asset.address
        logs = [transfer_log(token, payer, payee, amount) for amount in amounts]
        for amount in amounts:
            assert self.ledger.balances.get(payer, 0) >= amount, "the payer lacks the money"  # noqa: S101
            self.ledger.credit(payer, -amount)
            self.ledger.credit(payee, amount)
        tx = self.put(*logs)
        moved, block = self.ledger.transfers, self.ledger.block
        for amount in amounts:
            moved.append(Transfer(tx, block, len(moved), payer, payee, amount))
        return tx

    def put(self, *logs: Log, succeeded: bool = True, age_s: int = 0) -> Digest:
        """A transaction with these logs, in a block of its own. It moves no balances."""
        self.ledger.mine()
        tx = Digest(keccak256(b"transaction %d" % len(self.made)))
        self.made[tx] = MinedTransaction(
            tx=tx,
            succeeded=succeeded,
            block=self.ledger.block,
            time=self.ledger.time() - age_s,
            depth=1,
            logs=logs if succeeded else (),
        )
        return tx

    def confirm(self, blocks: int = 2) -> None:
        """So many blocks more."""
        for _ in range(blocks):
            self.ledger.mine()

    async def transaction(self, tx: Digest) -> MinedTransaction | None:
        self.ledger.require_up()
        found = self.made.get(tx)
        if found is None:
            return None
        if tx in self.replaced:
            raise Unavailable(Reason.CHAIN_CHANGED, tx=tx)
        depth = self.ledger.block - found.block + 1
        return MinedTransaction(tx, found.succeeded, found.block, found.time, depth, found.logs)
