"""A chain in memory: one EIP-3009 token, accounts with numbers, fees, blocks, and faults on demand.

It keeps to the rules that settling relies on; tests/suites/settlement_chain_suite.py holds it
and a real chain to the same ones:

- a transaction is included once, in the order of its sender's numbers, and never after another
  one with its number
- one with higher fees takes the place of another with its number that waits
- an authorization moves its funds once, between its times, if its payer signed it and can pay;
  in a batch, whatever the others do
- a block may be taken back, with all that happened in it
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inferproof.errors import Conflict, InferproofError, PaymentRejected, Reason, Unavailable
from inferproof.protocol.authorization import (
    authorization_json,
    check_signature,
    read_authorization,
)
from inferproof.protocol.encoding import Json, canonical_json, keccak256, parse_canonical_json
from inferproof.protocol.fields import Fields
from inferproof.testing.cash_access import (
    CashRight,
    consume,
    consumption_json,
    read_consumption,
    restore,
)
from inferproof.types.access import Consumption
from inferproof.types.chain import Fees, ItemOutcome, ItemState, RefundTerms, Sight
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Acceptance, Settleable
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, PayerState
from inferproof.types.reconciliation import CallTaken, Transfer

_MAX_RAW = 1 << 20
_KEPT_BLOCKS = 64
TIP = 10
PLENTY = Fees(10**6, TIP)
"""What a transaction of a test offers that is not about fees."""


@dataclass(frozen=True, slots=True)
class CashTransaction:
    """A transaction of this chain. It is not signed: its raw form names its sender."""

    tx: Digest
    nonce: int
    sender: Address
    raw: bytes = field(repr=False)
    fees: Fees


@dataclass(frozen=True, slots=True)
class CashInclusion:
    """A transaction in a block, and what it did with each of its authorizations."""

    tx: Digest
    succeeded: bool
    block: int
    block_hash: Digest
    items: Mapping[Digest, ItemOutcome] = field(default_factory=dict)

    def outcomes(self, authorizations: Sequence[Settleable]) -> Sequence[ItemOutcome]:
        """What it did with the authorizations that it was made for, in their order."""
        return [self.items[authorization.nonce] for authorization in authorizations]


class CashLedger:
    """The chain itself. It outlives the services that use it, as a chain does.

    `confirmations` is how deep a block must be before its transactions are told of; `holding`
    keeps transactions waiting until `mine` is called; `down` lets every call fail; `forgetful`
    takes a transaction and loses it; `base_fee` is what a transaction must offer to be included;
    `short_of_gas` names authorizations that lack gas in a batch, and `untried` those that a batch
    does not reach; `codes` has the accounts with code, and whether it says yes to signatures;
    `consumers` may take calls of `rights`, which a CashAccess hands out.
    """

    def __init__(self, asset: Asset, clock: Callable[[], int]) -> None:
        self.asset = asset
        self._clock = clock
        self.block = 1
        self._mined_at = clock()
        self.balances: dict[Address, int] = {}
        self.used: dict[tuple[Address, Digest], CashInclusion | None] = {}
        self.transfers: list[Transfer] = []
        self.marked: dict[tuple[Address, RefundTerms, Digest], Digest] = {}
        self.included: dict[Digest, CashInclusion] = {}
        self.next_nonce: dict[Address, int] = {}
        self.waiting: dict[tuple[Address, int], CashTransaction] = {}
        self.confirmations = 1
        self.down = False
        self.holding = False
        self.forgetful = False
        self.syncing = False
        self.base_fee = 100
        self.short_of_gas: set[Digest] = set()
        self.untried: set[Digest] = set()
        self.codes: dict[Address, bool] = {}
        self.consumers: set[Address] = set()
        self.rights: dict[Digest, CashRight] = {}
        self.hashes = {1: self._new_hash(1)}
        self._before: dict[int, Any] = {}

    def _new_hash(self, block: int) -> Digest:
        # Blocks that differ in anything have other hashes; here each new one has.
        self._blocks_made = getattr(self, "_blocks_made", 0) + 1
        return Digest(keccak256(b"cash block %d %d" % (block, self._blocks_made)))

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
        place = transaction.sender, transaction.nonce
        there = self.waiting.get(place)
        if there is not None and there.tx != transaction.tx and not _replaces(transaction, there):
            raise Unavailable(Reason.TX_REFUSED, why="replacement transaction underpriced")
        self.waiting[place] = transaction
        if not self.holding:
            self.mine()

    def mine(self) -> None:
        """One block with everything that waits, whose turn it is and that offers enough."""
        self._before[self.block + 1] = (
            dict(self.balances),
            dict(self.used),
            dict(self.included),
            dict(self.next_nonce),
            list(self.transfers),
            self._mined_at,
            dict(self.rights),
        )
        self._before.pop(self.block + 1 - _KEPT_BLOCKS, None)
        self.block += 1
        self.hashes[self.block] = self._new_hash(self.block)
        self._mined_at = self._clock()
        for place in sorted(self.waiting, key=lambda place: (place[0].raw, place[1])):
            sender, nonce = place
            if nonce < self.next_nonce.get(sender, 0):
                del self.waiting[place]
            elif nonce == self.next_nonce.get(sender, 0):
                if self.waiting[place].fees.cap < self.base_fee:
                    continue
                transaction = self.waiting.pop(place)
                self.next_nonce[sender] = nonce + 1
                self.included[transaction.tx] = self._execute(transaction)

    def take_back(self, depth: int) -> None:
        """Undoes the newest blocks, as a reorganisation does; what was in them is forgotten."""
        first = self.block - depth + 1
        before = self._before[first]
        self.balances, self.used, self.included = before[:3]
        self.next_nonce, self.transfers, self._mined_at, self.rights = before[3:]
        for number in range(first, self.block + 1):
            self._before.pop(number, None)
            del self.hashes[number]
        self.block = first - 1

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
        items: dict[Digest, ItemOutcome] = {}
        if fields.has("authorizations"):
            batch = fields.nested_list("authorizations", read_authorization)
            for item in batch:
                items[item.nonce] = self._settle(transaction.tx, item, alone=len(batch) == 1)
            succeeded = len(batch) > 1 or all(
                outcome.state is ItemState.SETTLED for outcome in items.values()
            )
        elif fields.has("consume"):
            taken = fields.nested("consume", read_consumption)
            succeeded = consume(self, taken)
            state = ItemState.SETTLED if succeeded else ItemState.REFUSED
            items[taken.nonce] = ItemOutcome(taken, state)
        elif fields.has("restore"):
            taken, succeeded = fields.nested("restore", read_consumption), True
            restore(self, taken)
            if fields.has("mark"):
                terms = RefundTerms(taken.buyer, 0, taken)
                self.marked[transaction.sender, terms, fields.digest("mark")] = transaction.tx
        elif fields.has("to"):
            to, amount = fields.address("to"), fields.amount("amount")
            succeeded = self._transfer(transaction.tx, transaction.sender, to, amount)
            if succeeded and fields.has("mark"):
                place = transaction.sender, RefundTerms(to, amount), fields.digest("mark")
                self.marked[place] = transaction.tx
        else:
            succeeded = True
        inclusion = CashInclusion(
            transaction.tx, succeeded, self.block, self.hashes[self.block], items
        )
        for item_nonce, outcome in items.items():
            if outcome.state is ItemState.SETTLED:
                self.used[outcome.authorization.payer, item_nonce] = inclusion
        return inclusion

    def _settle(self, tx: Digest, item: Authorization, *, alone: bool) -> ItemOutcome:
        if item.nonce in self.untried and not alone:
            return ItemOutcome(item, ItemState.NOT_TRIED)
        if item.nonce in self.short_of_gas and not alone:
            return ItemOutcome(item, ItemState.REFUSED, "", may_lack_gas=True)
        if self._transfer_authorized(tx, item):
            # Seen by the items after it.
            self.used[item.payer, item.nonce] = None
            return ItemOutcome(item, ItemState.SETTLED)
        return ItemOutcome(item, ItemState.REFUSED, "refused")

    def would_settle(self, authorization: Authorization) -> bool:
        """Whether the authorization would move its funds now."""
        try:
            check_signature(authorization)
        except InferproofError:
            return False
        return (
            authorization.valid_after < self._clock() < authorization.valid_before
            and (authorization.payer, authorization.nonce) not in self.used
            and self.balances.get(authorization.payer, 0) >= authorization.amount
            and self.codes.get(authorization.payer, True)
        )

    def _transfer_authorized(self, tx: Digest, authorization: Authorization) -> bool:
        return self.would_settle(authorization) and self._transfer(
            tx,
            authorization.payer,
            authorization.payee,
            authorization.amount,
            authorization.nonce,
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


def _replaces(new: CashTransaction, old: CashTransaction) -> bool:
    return new.fees.cap * 10 >= old.fees.cap * 11 and new.fees.tip * 10 >= old.fees.tip * 11


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

    async def calls(
        self, consumers: Iterable[Address], first: int, last: int
    ) -> Sequence[CallTaken] | None:
        self._ledger.require_up()
        ours = frozenset(consumers)
        found = [
            (inclusion, outcome.authorization)
            for inclusion in self._ledger.included.values()
            for outcome in inclusion.items.values()
            if outcome.state is ItemState.SETTLED and first <= inclusion.block <= last
        ]
        return [
            CallTaken(inclusion.tx, inclusion.block, index, taken.buyer, taken.consumer)
            for index, (inclusion, taken) in enumerate(found)
            if isinstance(taken, Consumption) and taken.consumer in ours
        ]


class CashChain:
    """One sender's door to a ledger. Implements services.settlement.base.SettlementChain."""

    def __init__(self, ledger: CashLedger, sender: Address, *, batch_size: int = 1) -> None:
        self._ledger = ledger
        self._sender = sender
        self._batch_size = batch_size

    @property
    def asset(self) -> Asset:
        return self._ledger.asset

    @property
    def sender(self) -> Address:
        return self._sender

    @property
    def batch_size(self) -> int:
        return self._batch_size

    @property
    def confirmations(self) -> int:
        return self._ledger.confirmations

    async def head(self) -> int:
        self._ledger.require_up()
        return self._ledger.block

    async def balance(self, holder: Address) -> int:
        self._ledger.require_up()
        return self._ledger.balances.get(holder, 0)

    async def payer_state(self, payer: Address, nonce: Digest) -> PayerState:
        head = await self.head()
        used = await self.authorization_used(payer, nonce)
        return PayerState(await self.balance(payer), used, head, payer in self._ledger.codes)

    async def payer_states(self, authorizations: Sequence[Settleable]) -> list[PayerState]:
        return [
            PayerState(0, False, await self.head(), has_code=True)
            if isinstance(item, Consumption)
            else await self.payer_state(item.payer, item.nonce)
            for item in authorizations
        ]

    async def check_settles(self, authorization: Settleable) -> None:
        self._ledger.require_up()
        if isinstance(authorization, Consumption):
            found = self._ledger.rights.get(authorization.right)
            if found is None or not found.entitles(authorization, self._ledger.time()):
                raise PaymentRejected(
                    Reason.PASS_REFUSED, right=authorization.right, why="NotEntitled"
                )
            return
        if not self._ledger.would_settle(_authorization(authorization)):
            raise PaymentRejected(Reason.AUTHORIZATION_REFUSED, why="refused")

    async def earlier_settlement(self, authorization: Authorization) -> int | None:
        self._ledger.require_up()
        found = self._ledger.used.get((authorization.payer, authorization.nonce))
        return None if found is None else found.block

    async def authorization_used(self, payer: Address, nonce: Digest) -> bool:
        self._ledger.require_up()
        return (payer, nonce) in self._ledger.used

    async def look(self) -> Sight:
        self._ledger.require_up()
        ledger = self._ledger
        spent = pending = ledger.next_nonce.get(self._sender, 0)
        while (self._sender, pending) in ledger.waiting:
            pending += 1
        deep = max(ledger.block - ledger.confirmations + 1, 0)
        shallow = [i for i in ledger.included.values() if i.block > deep]
        return Sight(
            head=ledger.block,
            digest=ledger.hashes[ledger.block],
            time=ledger.time(),
            spent=spent,
            spent_deep=spent - len(shallow) if ledger.confirmations > 1 else spent,
            pending=pending,
            base_fee=ledger.base_fee,
            fees=Fees(2 * ledger.base_fee + TIP, TIP),
            syncing=ledger.syncing,
        )

    async def sign_settlement(
        self, authorizations: Sequence[Settleable], nonce: int, fees: Fees = PLENTY
    ) -> CashTransaction:
        if len(authorizations) == 1 and isinstance(authorizations[0], Consumption):
            return self._sign({"consume": consumption_json(authorizations[0])}, nonce, fees)
        items: list[Json] = [authorization_json(_authorization(item)) for item in authorizations]
        return self._sign({"authorizations": items}, nonce, fees)

    async def sign_refund(
        self,
        to: Address,
        amount: int,
        nonce: int,
        fees: Fees = PLENTY,
        mark: Digest | None = None,
    ) -> CashTransaction:
        marked = {} if mark is None else {"mark": mark.hex}
        return self._sign({"to": to.hex, "amount": str(amount), **marked}, nonce, fees)

    async def sign_restore(
        self,
        taken: Consumption,
        nonce: int,
        fees: Fees = PLENTY,
        mark: Digest | None = None,
    ) -> CashTransaction:
        marked = {} if mark is None else {"mark": mark.hex}
        return self._sign({"restore": consumption_json(taken), **marked}, nonce, fees)

    async def refunds_made(
        self, wanted: Mapping[Digest, RefundTerms], first_block: int
    ) -> dict[Digest, CashInclusion]:
        self._ledger.require_up()
        included, found = self._ledger.included, {}
        for mark, terms in wanted.items():
            tx = self._ledger.marked.get((self._sender, terms, mark))
            if tx in included and included[tx].block >= first_block:
                found[mark] = included[tx]
        return found

    async def sign_filler(self, nonce: int, fees: Fees = PLENTY) -> CashTransaction:
        return self._sign({}, nonce, fees)

    async def sign_again(self, raw: bytes, fees: Fees) -> CashTransaction:
        document = parse_canonical_json(raw, max_bytes=_MAX_RAW)
        assert isinstance(document, dict)  # noqa: S101 - as `_sign` made it
        nonce = document["nonce"]
        assert isinstance(nonce, int)  # noqa: S101 - as above
        return self._sign(document, nonce, fees)

    async def submit(self, raw: bytes) -> None:
        self._ledger.require_up()
        fields = Fields(parse_canonical_json(raw, max_bytes=_MAX_RAW), "transaction")
        self._ledger.submit(
            CashTransaction(
                Digest(keccak256(raw)),
                fields.integer("nonce"),
                fields.address("sender"),
                raw,
                Fees(fields.amount("cap"), fields.amount("tip")),
            )
        )

    async def included(self, txs: Sequence[Digest]) -> dict[Digest, CashInclusion]:
        self._ledger.require_up()
        return {tx: self._ledger.included[tx] for tx in txs if tx in self._ledger.included}

    async def block_digests(self, numbers: Sequence[int]) -> list[Digest | None]:
        self._ledger.require_up()
        return [self._ledger.hashes.get(number) for number in numbers]

    async def settled_by(self, authorization: Settleable, first_block: int) -> CashInclusion | None:
        self._ledger.require_up()
        found = self._ledger.used.get((authorization.payer, authorization.nonce))
        if found is None or found.block < first_block:
            return None
        needed, depth = self._ledger.confirmations, self._ledger.block - found.block + 1
        if depth < needed:
            raise Unavailable(Reason.TX_NOT_CONFIRMED, tx=found.tx, got=depth, needed=needed)
        return found

    def _sign(self, action: Mapping[str, Json], nonce: int, fees: Fees) -> CashTransaction:
        raw = canonical_json(
            {
                **action,
                "sender": self._sender.hex,
                "nonce": nonce,
                "cap": str(fees.cap),
                "tip": str(fees.tip),
            }
        )
        return CashTransaction(Digest(keccak256(raw)), nonce, self._sender, raw, fees)


def _authorization(item: Settleable) -> Authorization:
    """What else is settled here: there is no escrow on this chain."""
    assert not isinstance(item, Acceptance | Consumption)  # noqa: S101
    return item
