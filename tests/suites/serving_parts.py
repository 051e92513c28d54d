"""A server whose database has an order to serve, on a real chain with a real escrow, behind whose
router a contract accepts whatever it is brought."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from market_contracts import (
    FEE_BPS,
    MarketContracts,
    admit_server,
    deploy_escrow,
    order_request,
)
from order_book_suite import ANSWER, order

from inferproof.chain.abi import calldata
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.contracts import ContractArtifact, deploy
from inferproof.chain.escrow import Escrow, accept_data
from inferproof.chain.model_registry import ModelRegistry
from inferproof.chain.rpc import Rpc
from inferproof.chain.serving import BondAccount, OrderAccount
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import transact
from inferproof.payments.escrow import SignedOrder
from inferproof.payments.escrow.method import EscrowMethod, OrderTerms
from inferproof.payments.escrow.receipt import order_payment
from inferproof.protocol.escrow import server_share
from inferproof.protocol.signature import SigningKey
from inferproof.services.event_bus import EventBus
from inferproof.services.settlement.bonds import BondParts
from inferproof.services.settlement.orders import Deliverable, DeliveryParts
from inferproof.services.settlement.service import Settler, SettlerSettings
from inferproof.storage.ports.jobs import Failure, Job, ValidatedOrder
from inferproof.storage.ports.order_deliveries import OrderDelivery
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.memory_store import Stores
from inferproof.testing.metrics import MemoryMetrics
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.escrow import ContractAssurance, Order, OrderStatus
from inferproof.types.registry import (
    CommitmentKind,
    ContractKey,
    Registration,
    Terms,
    TokenPrice,
)

SELECTOR = b"\x0a\x0b\x0c\x0d"
YES = bytes.fromhex("6d5f3560e01c60e01b5f5260205ff35f52600e6012f3")
"""A contract that answers each call with the call's own selector: it accepts every proof."""
PRICE, BOND, BONDS = 1_000_001, 300_001, 900_003
SHARE = server_share(PRICE, FEE_BPS)
WHY = Failure("JOB_ATTEMPTS", "it was tried often enough", {})


@dataclass
class Chain:
    """The contracts, and a model that is registered."""

    rpc: Rpc
    devnet: DevnetInfo
    contracts: MarketContracts
    model: Digest

    @property
    def escrow(self) -> Escrow:
        return Escrow(self.rpc, self.contracts.escrow, self.devnet.chain_id)

    async def now(self) -> int:
        return (await self.rpc.head()).timestamp

    async def go_on(self, seconds: int) -> None:
        # Its clock may be behind its blocks, which were hurried.
        await self.rpc.request("evm_setNextBlockTimestamp", await self.now() + seconds)
        await self.rpc.request("evm_mine")


async def open_chain(rpc: Rpc, devnet: DevnetInfo, verifier: bytes = YES) -> Chain:
    """On a chain of its own: its clock is moved."""
    await rpc.request("anvil_setBlockTimestampInterval", 61)  # a seal is a block old then
    owner, provider = devnet.accounts.owner, devnet.accounts.provider
    artifact = ContractArtifact("Verifier", [], verifier, b"", {})
    adapter = await deploy(rpc, artifact, owner)
    contracts = await deploy_escrow(rpc, devnet, SELECTOR, adapter)
    registry, model = ModelRegistry(rpc, devnet.model_registry), Digest(secrets.token_bytes(32))
    kind, key = CommitmentKind.DISCLOSED, ContractKey(SELECTOR, Digest(b"\x11" * 32))
    registration = Registration(
        model,
        model,
        provider.address,
        await registry.deadline(),
        Terms(key, kind, kind, ZERO_DIGEST, "", b""),
        (TokenPrice(devnet.token.address, PRICE),),
    )
    await registry.register(registration, provider)
    await rpc.request("anvil_removeBlockTimestampInterval")
    return Chain(rpc, devnet, contracts, model)


@dataclass
class Serving:
    """A server with a key of its own, and the order that it serves."""

    chain: Chain
    key: SigningKey = field(default_factory=lambda: SigningKey(secrets.token_bytes(32)))
    now: int = 0

    def __post_init__(self) -> None:
        self.token = TokenChain(self.chain.rpc, self.chain.devnet.token)
        self.metrics = MemoryMetrics()
        self.account = OrderAccount(self.chain.rpc, self.chain.escrow, self.key)
        self.bonds = BondAccount(self.token, self.chain.escrow, self.key)
        terms = OrderTerms(self.chain.contracts.escrow, self.key.address)
        self.method = EscrowMethod(self.token.asset, self.account, terms)

    def clock(self) -> int:
        return self.now

    async def admit(self) -> "Serving":
        chain = self.chain
        await admit_server(chain.rpc, chain.devnet, chain.contracts, self.key, BONDS)
        self.now = await chain.now()
        return self

    async def order(self, **changes: Any) -> Order:
        """An order that its buyer has made."""
        chain, now = self.chain, await self.chain.now()
        made = Order(
            buyer=chain.devnet.accounts.buyer.address,
            token=self.token.asset.address,
            price=PRICE,
            bond=BOND,
            model=chain.model,
            input_commitment=Digest(b"\x12" * 32),
            inputs=Digest(b"\x13" * 32),
            assurance=ContractAssurance.ANY,
            accept_by=now + 300,
            input_by=now + 400,
            deliver_by=now + 1_000,
            rescue_by=now + 2_000,
            salt=Digest(secrets.token_bytes(32)),
        )
        made = replace(made, **changes)
        await order_request(chain.rpc, chain.contracts, made, chain.devnet.accounts.buyer)
        self.now = await chain.now()
        return made

    def asked(self, made: Order) -> ValidatedOrder:
        """The order as a gateway keeps it."""
        signed = SignedOrder(self.token.asset, self.chain.contracts.escrow, made, bytes(65))
        payment = order_payment(signed, self.key.address)
        return replace(
            order(),
            job_id=payment.nonce,
            payment=payment,
            first_block=0,
            created_at=self.now,
            deadline=made.rescue_by,
            deliver_by=made.deliver_by,
        )

    def settler(
        self,
        stores: Stores,
        orders: Any = None,
        chain: Any = None,
        *,
        keep: int | None = None,
    ) -> Settler:
        ports = orders or stores.orders
        return Settler(
            jobs=ports.jobs,
            settlements=ports.settlements,
            outbox=ports.outbox,
            chain=chain or SettlementAccount(self.token, self.key, orders=self.account),
            methods={"escrow": self.method},
            settings=SettlerSettings(),
            clock=self.clock,
            metrics=self.metrics,
            event_bus=EventBus(),
            leader=stores.database.leader_lock("settler"),
            deliveries=DeliveryParts(ports.deliveries, self.account, deliverable),
            bonds=None if keep is None else BondParts(self.bonds, keep),
        )

    async def status(self, made: Order) -> OrderStatus:
        return (await self.chain.escrow.slot(self.chain.escrow.id_of(made))).status

    async def balance(self, key: SigningKey | None = None) -> int:
        holder = (key or self.key).address
        return await self.chain.escrow.balance(holder, self.token.asset.address)

    async def bought(self) -> int:
        return await self.balance(self.chain.devnet.accounts.buyer)

    async def mint(self, amount: int) -> None:
        """Tokens for the server's own account."""
        owner, token = self.chain.devnet.accounts.owner, self.token.asset.address
        data = calldata("mint(address,uint256)", self.key.address, amount)
        await transact(self.chain.rpc, owner, to=token, data=data, what="mint")

    async def accept(self, made: Order) -> None:
        """Without a gateway, and without a delivery."""
        await self.chain.escrow.send(self.key, accept_data(made, acknowledged=True), "accept")
        self.now = await self.chain.now()


async def deliverable(job: Job) -> Deliverable:
    """Nobody looks at the proof."""
    assert job.answer is not None
    return Deliverable(job.answer.outputs, b"a proof")


async def answer(stores: Stores, now: int, failure: Failure | None = None) -> Job | None:
    """What a worker does with the job that waits: it answers it, or gives it up."""
    job = await stores.orders.queue.claim(now=now, lease_until=now + 60)
    if job is None:
        return None
    if failure is not None:
        return await stores.orders.queue.give_up(job.order.job_id, job.fence, failure, now=now)
    return await stores.orders.queue.finish(job.order.job_id, job.fence, ANSWER, now=now)


async def delivery(stores: Stores, server: Serving) -> OrderDelivery:
    (found,) = await stores.orders.deliveries.of_jobs(server.token.asset, limit=9)
    return found


async def rounds(
    settlers: Sequence[Settler], server: Serving, stores: Stores, *, times: int = 8
) -> None:
    """Rounds of settling, with a worker between them."""
    for _ in range(times):
        for settler in settlers:
            await settler.settle_once()
        await answer(stores, server.now)
        server.now += 5
