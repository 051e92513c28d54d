"""A buyer, two servers, a thief, the clock, reorganisations and crashes, on a real chain with the
real contracts, against the rules in plain Python (tests/suites/escrow_rules.py).

At any time: each order is as the rules have it, everybody has what the rules say, in the escrow and
outside, a step is refused by both or by none and for the same reason, and every token in the escrow
is somebody's or locked. The first server, which only accepts what it has the input of and delivers
in time, never loses; the buyer spends no more than the prices of what was delivered; the thief,
which is a server too, and brings the proofs of others, gains nothing. In the end all orders are
over, all balances are taken out, and the escrow is empty.

The one thing that is not real is the verifier: a contract that takes for a proof the digest of the
statement that it shows, as the double of the contract's own tests does. So a proof is bound to
order, model, input, outputs and server, as real ones are, which `tests/e2e/test_orders_e2e.py` has.
"""

import asyncio
import copy
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

import pytest
from escrow_parties import (
    BOUND,
    OUTPUTS,
    Door,
    authorization_for,
    opened,
    permit_for,
    proof_for,
    why_refused,
)
from escrow_rules import EscrowRules, Kept, Refused
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from market_contracts import FEE_BPS, admit_server
from serving_parts import BOND, BONDS, PRICE, Chain, open_chain

from inferproof.chain.abi import calldata
from inferproof.chain.escrow import accept_data, acknowledge_data, deliver_data
from inferproof.chain.market import Role, open_market
from inferproof.chain.rpc import Rpc
from inferproof.chain.serving import OrderAccount
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import transact
from inferproof.errors import NotFound, Rejection
from inferproof.protocol.encoding import keccak256
from inferproof.testing.devnet import FUNDS, Devnet, DevnetInfo, dev_key
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.escrow import ContractAssurance, Order, OrderStatus
from inferproof.types.tensor import FixedTensor

T = TypeVar("T")

FIRST, SECOND, THIEF, STRANGER = (dev_key(index) for index in (4, 5, 6, 7))
NUMBERS = b"\x01\x00\x00\x00\x02\x00\x00\x00"
OTHERS = [FixedTensor("scores", (2,), (3, 4), 0.5)]
MOST = 5
"""Orders at a time."""
MARGIN = 200
"""Seconds, of which each step takes a few: so long before its time the first server delivers."""

WHICH = st.integers(0, MOST - 1)
WHO = st.sampled_from(["first", "second", "thief"])
KEYS = {"first": FIRST, "second": SECOND, "thief": THIEF, "stranger": STRANGER}

Call = Callable[[Door], Awaitable[object]]
Rule = Callable[[EscrowRules, int], None]
"""What the rules make of a step in a block of this second. Raises: Refused."""


class Parties(RuleBasedStateMachine):
    """One escrow, from the snapshot in which nobody has ordered anything."""

    chain: ClassVar[Chain]
    start: ClassVar[EscrowRules]
    snapshot: ClassVar[str]

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.door = self.do(opened(Parties.chain))
        self.do(self.back_to(Parties.snapshot))
        Parties.snapshot = self.do(self.door.rpc.request("evm_snapshot"))
        self.rules = copy.deepcopy(Parties.start)
        self.first_block = self.do(self.door.rpc.head()).number + 1
        self.made: list[Order] = []
        self.salt = 0
        self.since: list[tuple[Call, Rule]] = []
        self.sound = True
        self.remember()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        if not hasattr(self, "since"):
            return
        try:
            if self.sound:
                self.end()
        finally:
            self.do(self.door.rpc.close())
            self.runner.close()

    # -- steps

    def now(self) -> int:
        """The second of the next block."""
        return self.do(self.door.rpc.head()).timestamp + 1

    def step(self, call: Call, expected: Rule) -> None:
        """Chain and rules take the step both, or refuse it for the same reason."""
        self.since.append((call, expected))
        why = refused = None
        try:
            expected(self.rules, self.now())
        except Refused as error:
            why = str(error)
        try:
            self.do(self.tried(call))
        except (Rejection, NotFound) as error:
            refused = why_refused(error)
        self.sound = refused == why
        assert refused == why

    async def tried(self, call: Call) -> None:
        await call(self.door)

    def pick(self, which: int) -> tuple[Order, Digest]:
        order = self.made[which % len(self.made)]
        return order, self.door.escrow.id_of(order)

    def some(self) -> bool:
        return bool(self.made)

    # -- the buyer

    @precondition(lambda self: len(self.made) < MOST)
    @rule(
        way=st.sampled_from(["approval", "permit", "authorization"]),
        bond=st.sampled_from([0, 1, BOND, BOND, BONDS + 1]),
        more=st.sampled_from([0, 0, 777, -1]),
        first_s=st.sampled_from([100, 100, 1_000, 0]),
        chosen=st.sampled_from([None, None, "first"]),
    )
    def request(self, way: str, bond: int, more: int, first_s: int, chosen: str | None) -> None:
        self.salt += 1
        now, buyer = self.now(), Parties.chain.devnet.accounts.buyer
        order = Order(
            buyer=buyer.address,
            token=self.door.token.asset.address,
            price=PRICE + more,
            bond=bond,
            model=Parties.chain.model,
            input_commitment=Digest(b"\x12" * 32),
            inputs=Digest(keccak256(NUMBERS)),
            assurance=ContractAssurance.ANY,
            accept_by=now + first_s,
            input_by=now + first_s + 100,
            deliver_by=now + first_s + 700,
            rescue_by=now + first_s + 1_200,
            salt=Digest(self.salt.to_bytes(32, "big")),
            server=KEYS[chosen].address if chosen else ZERO_ADDRESS,
        )
        made = self.door.escrow.id_of(order)

        async def call(door: Door) -> None:
            if way == "approval":
                await door.escrow.request(order, buyer)
            elif way == "permit":
                permit = await permit_for(door, order, buyer)
                await door.escrow.request(order, buyer, permit=permit)
                await approve_all(door.rpc)  # the permit took the place of what was approved
            else:
                signed = authorization_for(door, order, buyer)
                await door.escrow.request(order, STRANGER, authorization=signed)

        self.step(call, lambda rules, at: rules.request(made, order, at))
        self.made.append(order)

    @precondition(some)
    @rule(which=WHICH, mine=st.booleans())
    def cancel(self, which: int, mine: bool) -> None:
        order, name = self.pick(which)
        key = Parties.chain.devnet.accounts.buyer if mine else THIEF
        self.step(
            lambda door: door.escrow.cancel(order, key),
            lambda rules, _at: rules.cancel(name, key.address),
        )

    @precondition(some)
    @rule(which=WHICH, right=st.booleans())
    def post_input(self, which: int, right: bool) -> None:
        order, name = self.pick(which)
        numbers = NUMBERS if right else NUMBERS[:4]
        self.step(
            lambda door: door.escrow.post_input(order, numbers, STRANGER),
            lambda rules, at: rules.post_input(name, right, at),
        )

    # -- servers

    @precondition(some)
    @rule(which=WHICH, who=WHO, acknowledged=st.booleans())
    def accept(self, which: int, who: str, acknowledged: bool) -> None:
        (order, name), key = self.pick(which), KEYS[who]
        given = acknowledged or key == FIRST
        data = accept_data(order, acknowledged=given)
        self.step(
            lambda door: door.escrow.send(key, data, "accept"),
            lambda rules, at: rules.accept(name, key.address, given, at),
        )

    @precondition(some)
    @rule(which=WHICH, who=WHO)
    def acknowledge(self, which: int, who: str) -> None:
        (order, name), key = self.pick(which), KEYS[who]
        self.step(
            lambda door: door.escrow.send(key, acknowledge_data(order), "acknowledge"),
            lambda rules, at: rules.acknowledge(name, key.address, at),
        )

    @precondition(some)
    @rule(which=WHICH, who=st.sampled_from(["first", "second", "stranger"]), sound=st.booleans())
    def deliver(self, which: int, who: str, sound: bool) -> None:
        """Its own proof, of its outputs or of others."""
        self.bring(*self.pick(which), who, who, OUTPUTS if sound else OTHERS)

    @precondition(some)
    @rule(which=WHICH, whose=st.sampled_from(["first", "second"]))
    def steal(self, which: int, whose: str) -> None:
        """The proof of another, who is about to deliver it."""
        self.bring(*self.pick(which), "thief", whose, OUTPUTS)

    def bring(
        self, order: Order, name: Digest, who: str, whose: str, outputs: list[FixedTensor]
    ) -> None:
        key = KEYS[who]
        proof = proof_for(order, name, KEYS[whose].address)
        data = deliver_data(order, outputs, proof.raw)
        proven = who == whose and outputs is OUTPUTS
        self.step(
            lambda door: door.escrow.send(key, data, "deliver"),
            lambda rules, at: rules.deliver(name, key.address, proven, at),
        )

    # -- anybody

    @precondition(some)
    @rule(which=WHICH)
    def refund(self, which: int) -> None:
        order, name = self.pick(which)
        self.step(
            lambda door: door.escrow.refund(order, STRANGER),
            lambda rules, at: rules.refund(name, at),
        )

    @rule(
        who=st.sampled_from(["buyer", "first", "second", "thief"]),
        part=st.sampled_from(["all", "half", "more"]),
    )
    def withdraw(self, who: str, part: str) -> None:
        buyer = Parties.chain.devnet.accounts.buyer
        key = KEYS.get(who, buyer)
        balance = self.rules.balances[key.address]
        amount = {"all": balance, "half": balance // 2, "more": balance + 1}[part]
        token = self.door.token.asset.address
        self.step(
            lambda door: door.escrow.withdraw(token, key.address, amount, key),
            lambda rules, _at: rules.withdraw(key.address, amount),
        )

    @rule(who=WHO)
    def deposit(self, who: str) -> None:
        key = KEYS[who]
        amount = self.rules.wallets[key.address] // 2
        token = self.door.token.asset.address

        # A step that is repeated may find less: then it puts in what there is.
        async def call(door: Door) -> None:
            has = await door.token.balance(key.address)
            await door.escrow.deposit(token, min(amount, has), key)

        def expected(rules: EscrowRules, _at: int) -> None:
            rules.deposit(key.address, min(amount, rules.wallets[key.address]))

        self.step(call, expected)

    @rule(what=st.sampled_from(["pause", "resume", "admit", "remove", "fee", "no fee"]))
    def administrate(self, what: str) -> None:
        owner = Parties.chain.devnet.accounts.owner

        async def call(door: Door) -> None:
            if what in ("pause", "resume"):
                if await door.market.paused() != (what == "pause"):
                    await (door.market.pause if what == "pause" else door.market.unpause)(owner)
            elif what in ("admit", "remove"):
                await door.market.set_server(SECOND.address, what == "admit", owner)
            else:
                await door.market.set_fee(FEE_BPS if what == "fee" else 0, owner)

        def expected(rules: EscrowRules, _at: int) -> None:
            if what in ("pause", "resume"):
                rules.paused = what == "pause"
            elif what == "admit":
                rules.servers.add(SECOND.address)
            elif what == "remove":
                rules.servers.discard(SECOND.address)
            else:
                rules.fee_bps = FEE_BPS if what == "fee" else 0

        self.step(call, expected)

    # -- the clock

    @rule(seconds=st.sampled_from([50, 300, 700, 1_500]))
    def wait(self, seconds: int) -> None:
        self.go_to(self.now() + seconds)

    @precondition(some)
    @rule(which=WHICH, end=st.integers(0, 3), after=st.booleans())
    def wait_for(self, which: int, end: int, after: bool) -> None:
        """The next block is the last one in a time of the order, or the first one after it."""
        order, _ = self.pick(which)
        times = (order.accept_by, order.input_by, order.deliver_by, order.rescue_by)
        self.go_to(times[end] + after)

    def go_to(self, second: int) -> None:
        self.serve(second + MARGIN)
        if second > self.now():
            self.do(self.mined_at(second - 1))

    async def mined_at(self, second: int) -> None:
        await self.door.rpc.request("evm_setNextBlockTimestamp", second)
        await self.door.rpc.request("evm_mine")

    def serve(self, until: int) -> None:
        """The first server delivers what it has accepted and owes before this second."""
        for name, kept in list(self.rules.orders.items()):
            accepted = (OrderStatus.ACCEPTED, FIRST.address)
            if (kept.status, kept.acceptor) == accepted and kept.order.deliver_by <= until:
                self.bring(kept.order, name, "first", "first", OUTPUTS)

    # -- what chains and processes do

    @rule()
    def remember(self) -> None:
        """From here on the chain may become another one."""
        self.kept = copy.deepcopy(self.rules)
        self.place: str = self.do(self.door.rpc.request("evm_snapshot"))
        self.since = []

    @rule(again=st.lists(st.booleans(), max_size=8))
    def reorganise(self, again: list[bool]) -> None:
        """The blocks since are gone; some of their transactions come once more."""
        steps = [step for step, kept in zip(self.since, again, strict=False) if kept]
        self.do(self.back_to(self.place))
        self.rules = self.kept
        self.remember()
        for step in steps:
            self.step(*step)

    async def back_to(self, snapshot: str) -> None:
        assert await self.door.rpc.request("evm_revert", snapshot)

    @precondition(lambda self: bool(self.since))
    @rule()
    def repeat(self) -> None:
        """Who does not know whether its transaction was taken sends what it wanted once more."""
        self.step(*self.since[-1])

    @rule()
    def crash(self) -> None:
        """A process that knows nothing but what the chain tells."""
        self.do(self.door.rpc.close())
        self.door = self.do(opened(Parties.chain))
        self.made = self.do(self.told())

    async def told(self) -> list[Order]:
        """The orders that were made, by their events, which say what became of each."""
        account = OrderAccount(self.door.rpc, self.door.escrow, FIRST)
        found = await account.requested(self.first_block, await account.head())
        assert {each.id: each.order for each in found} == {
            name: kept.order for name, kept in self.rules.orders.items()
        }
        for each in found:
            kept = self.rules.orders[each.id]
            assert each.order.price * each.fee_bps // 10_000 == kept.fee
            accepted = await account.accepted_in(each.id, self.first_block)
            assert (accepted.server if accepted else ZERO_ADDRESS) == kept.acceptor
            delivered = await account.delivered_in(each.id, self.first_block)
            ended = (OrderStatus.PAID, OrderStatus.RESCUED)
            assert (delivered is not None) == (kept.status in ended)
            refunded = await account.refunded_in(each.id, self.first_block)
            assert (refunded is not None) == (kept.status is OrderStatus.REFUNDED)
        return [each.order for each in found]

    # -- what is to hold

    @invariant()
    def the_chain_is_as_the_rules_have_it(self) -> None:
        if hasattr(self, "since"):
            self.do(self.compared())

    async def compared(self) -> None:
        rules, escrow, token = self.rules, self.door.escrow, self.door.token
        asset = token.asset.address

        async def order(name: Digest, kept: Kept) -> None:
            slot = await escrow.slot(name)
            assert (slot.status, slot.server) == (kept.status, kept.acceptor)
            assert slot.given == kept.given

        async def account(who: Address) -> None:
            assert await escrow.balance(who, asset) == rules.balances[who]
            assert await token.balance(who) == rules.wallets[who]

        async def escrow_itself() -> None:
            assert await escrow.fees(asset) == rules.fees
            assert await token.balance(escrow.address) == rules.held

        await asyncio.gather(
            *(order(name, kept) for name, kept in rules.orders.items()),
            *(account(who) for who in rules.wallets),
            escrow_itself(),
        )

    @invariant()
    def who_never_misbehaves_never_loses(self) -> None:
        if not hasattr(self, "since"):
            return
        rules, start = self.rules, Parties.start
        buyer = Parties.chain.devnet.accounts.buyer.address
        assert rules.supply == start.supply
        assert rules.has(FIRST.address) + rules.staked(FIRST.address) >= start.has(FIRST.address)
        assert rules.has(buyer) + rules.spent() >= start.has(buyer)
        assert rules.has(THIEF.address) + rules.staked(THIEF.address) <= start.has(THIEF.address)

    def end(self) -> None:
        """Everybody does what is left to do."""
        self.serve(2**40)
        kept = self.rules.orders
        self.go_to(max((each.order.rescue_by for each in kept.values()), default=0) + 1)
        for name, each in list(kept.items()):
            if not each.status.is_over:
                self.made = [each.order]
                self.refund(0)
            assert kept[name].status.is_over
        owner, token = Parties.chain.devnet.accounts.owner, self.door.token.asset.address
        for who in ("buyer", "first", "second", "thief"):
            self.withdraw(who, "all")
        fees = self.rules.fees
        self.step(
            lambda door: door.escrow.withdraw_fees(token, owner.address, fees, owner),
            lambda rules, _at: rules.withdraw_fees(owner.address),
        )
        assert self.rules.held == 0
        self.the_chain_is_as_the_rules_have_it()
        self.who_never_misbehaves_never_loses()


async def approve_all(rpc: Rpc) -> None:
    """Lets the escrow take what the buyer has."""
    chain = Parties.chain
    data = calldata("approve(address,uint256)", chain.contracts.escrow, FUNDS)
    buyer, token = chain.devnet.accounts.buyer, chain.devnet.token.address
    await transact(rpc, buyer, to=token, data=data, what="approve")


async def _set_up(info: DevnetInfo) -> None:
    async with Rpc(info.rpc_url) as rpc:
        Parties.chain = chain = await open_chain(rpc, info, BOUND)
        owner, buyer = info.accounts.owner, info.accounts.buyer
        market = await open_market(rpc, chain.contracts.market)
        for role in (Role.PAUSER, Role.FEES):
            await market.grant(role, owner.address, owner)
        for key in (FIRST, SECOND, THIEF):
            await admit_server(rpc, info, chain.contracts, key, BONDS)
        await approve_all(rpc)
        servers = [key.address for key in (FIRST, SECOND, THIEF)]
        token = TokenChain(rpc, info.token)
        everybody = [buyer.address, owner.address, STRANGER.address, *servers]
        Parties.start = EscrowRules(
            price=PRICE,
            fee_bps=FEE_BPS,
            servers=set(servers),
            wallets=Counter({who: await token.balance(who) for who in everybody}),
            balances=Counter(dict.fromkeys(servers, BONDS)),
        )
        # Each block is a second after the one before, whatever the time is.
        await rpc.request("anvil_setBlockTimestampInterval", 1)
        Parties.snapshot = await rpc.request("evm_snapshot")


@pytest.fixture(scope="module", autouse=True)
def own_chain() -> Iterator[None]:
    """A chain of its own: its clock is moved, and it is reorganised."""
    with Devnet() as running, ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, _set_up(running.info)).result()
        yield


TestParties = Parties.TestCase
TestParties.settings = settings(
    max_examples=6,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
class TestPartiesForLong(Parties.TestCase):  # type: ignore[misc, valid-type, name-defined]
    """The same, longer."""

    settings = settings(TestParties.settings, max_examples=60, stateful_step_count=50)
