"""A chain in memory: one EIP-3009 token, accounts with numbers, blocks, and faults on demand.

It keeps to the rules that settling relies on; tests/suites/settlement_chain_suite.py holds it
and a real chain to the same ones:

- a transaction is included once, in the order of its sender's numbers, and never after another
  one with its number
- an authorization moves its funds once, between its times, if its payer signed it and can pay
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from inferproof.errors import Conflict, InferproofError, Reason, Unavailable
from inferproof.protocol.authorization import check_signature
from inferproof.protocol.encoding import Json, canonical_json, keccak256, parse_canonical_json
from inferproof.protocol.fields import Fields
from inferproof.protocol.receipt import authorization_json, read_authorization
from inferproof.types.books import Transfer
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, Purse

_MAX_RAW = 65_536


@dataclass(frozen=True, slots=True)
class CashTransaction:
    """A transaction of this chain. It is not signed: its raw form names its sender."""

    tx: Digest
    nonce: int
    sender: Address
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CashInclusion:
    """A transaction in a block."""

    tx: Digest
    succeeded: bool
    block: int


class CashLedger:
    """The chain itself. It outlives the services that use it, as a chain does.

    `confirmations` is how deep a block must be before its transactions are told of; `holding`
    keeps transactions waiting until `mine` is called; `down` lets every call fail; `forgetful`
    takes a transaction and loses it.
    """

    def __init__(self, asset: Asset, clock: Callable[[], int]) -> None:
        self.asset = asset
        self._clock = clock
        self.block = 1
        self._mined_at = clock()
        self.balances: dict[Address, int] = {}
        self.used: dict[tuple[Address, Digest], CashInclusion | None] = {}
        self.transfers: list[Transfer] = []
        self.included: dict[Digest, CashInclusion] = {}
        self.next_nonce: dict[Address, int] = {}
        self.waiting: dict[tuple[Address, int], CashTransaction] = {}
        self.confirmations = 1
        self.down = False
        self.holding = False
        self.forgetful = False

    def credit(self, holder: Address, amount: int) -> None:
        """Gives the holder tokens."""
        self.balances[holder] = self.balances.get(holder, 0) + amount

    def cancel(self, payer: Address, nonce: Digest) -> None:
        """What the payer does with cancelAuthorization: the nonce is used, nothing moves."""
        self.used[payer, nonce] = None

    def drop_waiting(self) -> None:
        """Forgets what waits, as a node does that restarts."""
        self.waiting.clear()

    def submit(self, transaction: CashTransaction) -> None:
        """Takes a transaction, and includes what can be unless `holding`."""
        if self.forgetful:
            return
        if transaction.nonce < self.next_nonce.get(transaction.sender, 0):
            raise Conflict(Reason.TX_NONCE_USED, tx=transaction.tx)
        self.waiting.setdefault((transaction.sender, transaction.nonce), transaction)
        if not self.holding:
            self.mine()

    def mine(self) -> None:
        """One block with everything that waits and whose turn it is."""
        self.block += 1
        self._mined_at = self._clock()
        for place in sorted(self.waiting, key=lambda place: (place[0].raw, place[1])):
            sender, nonce = place
            if nonce == self.next_nonce.get(sender, 0):
                transaction = self.waiting.pop(place)
                self.next_nonce[sender] = nonce + 1
                self.included[transaction.tx] = self._execute(transaction)

    def time(self) -> int:
        """The time of the newest block. Blocks come all the time, unless the chain is `holding`:
        then this is the time of the last one."""
        if not self.holding:
            self._mined_at = self._clock()
        return self._mined_at

    def require_up(self) -> None:
        """Raises: Unavailable CHAIN_UNREACHABLE while the chain is down."""
        if self.down:
            raise Unavailable(Reason.CHAIN_UNREACHABLE, url="cash", why="the test switched it off")

    def _execute(self, transaction: CashTransaction) -> CashInclusion:
        fields = Fields(parse_canonical_json(transaction.raw, max_bytes=_MAX_RAW), "transaction")
        if fields.has("authorization"):
            authorization = fields.nested("authorization", read_authorization)
            moved = self._transfer_authorized(transaction.tx, authorization)
            key = authorization.payer, authorization.nonce
        else:
            to, amount = fields.address("to"), fields.amount("amount")
            moved, key = self._transfer(transaction.tx, transaction.sender, to, amount), None
        inclusion = CashInclusion(transaction.tx, moved, self.block)
        if moved and key is not None:
            self.used[key] = inclusion
        return inclusion

    def _transfer_authorized(self, tx: Digest, authorization: Authorization) -> bool:
        try:
            check_signature(authorization)
        except InferproofError:
            return False
        return (
            authorization.valid_after < self._clock() < authorization.valid_before
            and (authorization.payer, authorization.nonce) not in self.used
            and self._transfer(
                tx,
                authorization.payer,
                authorization.payee,
                authorization.amount,
                authorization.nonce,
            )
        )

    def _transfer(
        self, tx: Digest, payer: Address, payee: Address, amount: int, nonce: Digest | None = None
    ) -> bool:
        if self.balances.get(payer, 0) < amount:
            return False
        self.balances[payer] = self.balances.get(payer, 0) - amount
        self.credit(payee, amount)
        index = len(self.transfers)
        self.transfers.append(Transfer(tx, self.block, index, payer, payee, amount, nonce))
        return True


class CashBooks:
    """The books' view of a ledger. Implements services.books.base.BookChain."""

    def __init__(self, ledger: CashLedger) -> None:
        self._ledger = ledger

    @property
    def asset(self) -> Asset:
        return self._ledger.asset

    async def last_block(self) -> int:
        self._ledger.require_up()
        return max(0, self._ledger.block - self._ledger.confirmations + 1)

    async def balance(self, holder: Address, block: int) -> int:
        self._ledger.require_up()
        since = [moved for moved in self._ledger.transfers if moved.block > block]
        gained = sum(moved.amount for moved in since if moved.recipient == holder)
        lost = sum(moved.amount for moved in since if moved.sender == holder)
        return self._ledger.balances.get(holder, 0) - gained + lost

    async def transfers(
        self, accounts: Iterable[Address], first: int, last: int
    ) -> Sequence[Transfer]:
        self._ledger.require_up()
        ours = frozenset(accounts)
        return [
            moved
            for moved in self._ledger.transfers
            if first <= moved.block <= last and ours & {moved.sender, moved.recipient}
        ]


class CashChain:
    """One sender's door to a ledger. Implements services.settler.base.SettlementChain."""

    def __init__(self, ledger: CashLedger, sender: Address) -> None:
        self._ledger = ledger
        self._sender = sender

    @property
    def asset(self) -> Asset:
        return self._ledger.asset

    @property
    def sender(self) -> Address:
        return self._sender

    async def head(self) -> int:
        self._ledger.require_up()
        return self._ledger.block

    async def balance(self, holder: Address) -> int:
        self._ledger.require_up()
        return self._ledger.balances.get(holder, 0)

    async def purse(self, payer: Address, nonce: Digest) -> Purse:
        head = await self.head()
        used = await self.authorization_used(payer, nonce)
        return Purse(await self.balance(payer), used, head)

    async def authorization_used(self, payer: Address, nonce: Digest) -> bool:
        self._ledger.require_up()
        return (payer, nonce) in self._ledger.used

    async def next_nonce(self) -> int:
        self._ledger.require_up()
        nonce = self._ledger.next_nonce.get(self._sender, 0)
        while (self._sender, nonce) in self._ledger.waiting:
            nonce += 1
        return nonce

    async def sign_settlement(self, authorization: Authorization, nonce: int) -> CashTransaction:
        return self._sign({"authorization": authorization_json(authorization)}, nonce)

    async def sign_refund(self, to: Address, amount: int, nonce: int) -> CashTransaction:
        return self._sign({"to": to.hex, "amount": str(amount)}, nonce)

    async def submit(self, raw: bytes) -> None:
        self._ledger.require_up()
        fields = Fields(parse_canonical_json(raw, max_bytes=_MAX_RAW), "transaction")
        self._ledger.submit(
            CashTransaction(
                Digest(keccak256(raw)), fields.integer("nonce"), fields.address("sender"), raw
            )
        )

    async def included(self, tx: Digest) -> CashInclusion | None:
        self._ledger.require_up()
        return self._deep(self._ledger.included.get(tx))

    async def time(self) -> int:
        self._ledger.require_up()
        return self._ledger.time()

    async def settled_by(
        self, authorization: Authorization, first_block: int
    ) -> CashInclusion | None:
        self._ledger.require_up()
        found = self._ledger.used.get((authorization.payer, authorization.nonce))
        return self._deep(found) if found is not None and found.block >= first_block else None

    def _deep(self, found: CashInclusion | None) -> CashInclusion | None:
        needed = self._ledger.confirmations
        depth = self._ledger.block - found.block + 1 if found is not None else needed
        if depth < needed:
            tx = found.tx if found is not None else None
            raise Unavailable(Reason.TX_NOT_CONFIRMED, tx=tx, got=depth, needed=needed)
        return found

    def _sign(self, action: dict[str, Json], nonce: int) -> CashTransaction:
        raw = canonical_json({**action, "sender": self._sender.hex, "nonce": nonce})
        return CashTransaction(Digest(keccak256(raw)), nonce, self._sender, raw)
