"""A payer on a real chain whose database has something to pay to developers."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from order_book_suite import ANSWER, BLOCK, order, transaction

from inferproof.chain.abi import calldata
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.payouts import PayoutAccount
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import transact
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.services.event_bus import EventBus
from inferproof.services.settlement.payouts import PayoutParts
from inferproof.services.settlement.service import Settler, SettlerSettings
from inferproof.storage.ports.outbox import Inclusion
from inferproof.storage.ports.revenue import PayoutTerms
from inferproof.storage.sql.payouts import SqlPayouts
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.memory_store import Stores
from inferproof.testing.metrics import MemoryMetrics
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.revenue import Entry, Payout, Shares

SHARES = (700, 41)
TOTAL = sum(SHARES)


@dataclass
class Payer:
    """A fresh account with coin and tokens, and two developers to whom something is due."""

    rpc: Rpc
    devnet: DevnetInfo
    asset: Asset
    key: SigningKey = field(default_factory=lambda: SigningKey(secrets.token_bytes(32)))
    now: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.token = TokenChain(self.rpc, self.asset)
        self.developers = [Address(secrets.token_bytes(20)) for _ in SHARES]
        self.metrics = MemoryMetrics()

    @property
    def chain(self) -> PayoutAccount:
        return PayoutAccount(self.token, self.key, self.devnet.payouts)

    def clock(self) -> int:
        return self.now

    async def fund(self, amount: int = 10 * TOTAL) -> None:
        await self.rpc.request("anvil_setBalance", self.key.address.hex, hex(10**20))
        await self.call("mint(address,uint256)", self.key.address, amount)

    async def call(self, signature: str, *arguments: object) -> None:
        """The token's owner does something."""
        data = calldata(signature, *arguments)
        owner = self.devnet.accounts.owner
        await transact(self.rpc, owner, to=self.asset.address, data=data, what=signature)

    async def earn(self, stores: Stores, first: int = 0) -> None:
        """An answered order for each developer, settled so deep that nothing takes it back."""
        entries = []
        for number, (developer, amount) in enumerate(
            zip(self.developers, SHARES, strict=True), first
        ):
            job_id = await answered(stores, self.asset, number)
            entries.append(Entry(job_id, developer, Shares(amount, 3)))
        await SqlRevenue(stores.database).enter(entries, now=self.now)

    async def plan(self, stores: Stores) -> Sequence[Payout]:
        revenue = SqlRevenue(stores.database)
        head = (await self.token.head()).number
        terms = PayoutTerms(self.key.address, self.devnet.payouts, 1, 50, head)
        first = await revenue.next_number()
        return await revenue.plan(self.asset, terms, first=first, now=self.now)

    def settler(self, stores: Stores, chain: Any = None, payouts: Any = None) -> Settler:
        return Settler(
            jobs=stores.orders.jobs,
            settlements=stores.orders.settlements,
            outbox=stores.orders.outbox,
            chain=chain or SettlementAccount(self.token, self.key),
            methods={},
            settings=SettlerSettings(),
            clock=self.clock,
            metrics=self.metrics,
            event_bus=EventBus(),
            leader=stores.database.leader_lock("settler"),
            payouts=PayoutParts(payouts or SqlPayouts(stores.database), self.chain),
        )

    async def payout(self, stores: Stores) -> Payout:
        (payout,) = await SqlRevenue(stores.database).payouts(self.asset, after=0, limit=9)
        return payout

    async def balances(self) -> list[int]:
        return [await self.token.balance(developer) for developer in self.developers]


async def answered(stores: Stores, asset: Asset, number: int) -> Digest:
    """An order in this asset that was answered."""
    orders, usual = stores.orders, order(number)
    nonce = Digest(keccak256(secrets.token_bytes(32)))
    made = replace(usual, payment=replace(usual.payment, asset=asset, nonce=nonce))
    await orders.jobs.reserve(made)
    (item,) = await orders.settlements.send_settlements(
        [([made.job_id], transaction(number))], now=2
    )
    await orders.settlements.included(
        [Inclusion(item, item.newest.tx, BLOCK, {made.job_id: None})], now=3
    )
    claimed = await orders.queue.claim(now=4, lease_until=34)
    assert claimed is not None
    await orders.queue.finish(made.job_id, claimed.fence, ANSWER, now=5)
    await orders.outbox.unwatch(asset.network, below=BLOCK.number + 1)
    return made.job_id
