"""Orders in an escrow, served by two nodes that are killed, while the chain fails and drops blocks.

    ESCROW=200 SEED=1 make soak

Real processes, real proofs, each checked by the contract before it pays; anvil with a block each
second and three confirmations. Some orders are taken by a server that never delivers: a node
rescues them from its bond, or a passer-by ends them. At the end the contract's events, its
balances, the buyers' wallets and the books of both nodes must agree. Exits with 0 when the last
line is `requests N paid P rescued R refunded F lost 0 doubled 0`, where P + R + F is N, and nothing
else was wrong.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.measure import say
from bench.soak.escrow_buyers import OrderCrowd, Ordered
from bench.soak.escrow_plan import OrderPlan, Trouble, make_order_plan
from bench.soak.escrow_verdict import OrderVerdict, Step, Told, Witnesses, weigh_orders
from bench.soak.escrow_world import FEE_BPS, Node, OrderWorld, open_order_world
from bench.soak.world import FUNDS
from inferproof.chain.abi import event_topic
from inferproof.chain.escrow import ACCEPTED, DELIVERED, REFUNDED, REQUESTED
from inferproof.chain.token import TokenChain
from inferproof.testing.market import LocalChain
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.event import Log

ZOO = "fraud"
BUYERS = 16
"""Orders that are under way at a time."""
OUTAGE_S = 4.0
AWAY_S = 60.0
"""How long a node is away whose orders become late."""
SECONDS_FOR_EACH, START_S = 8.0, 300.0
"""A run that takes longer than this for each order, and once, is given up."""
SAY_S = 10.0
QUIET_S = 120.0
"""How long the nodes have to bring their own books to an end after the last order."""
OVER = frozenset({"done", "void", "refunded"})
DEPOSITED = event_topic("Deposited(address,address,uint256)")
WITHDRAWN = event_topic("Withdrawn(address,address,address,uint256)")


def soak_orders(count: int, seed: int, folder: Path) -> int:
    """The exit status."""
    plan = make_order_plan(count, seed)
    say("starting a chain, and compiling the model for its contracts")
    with LocalChain(folder / "chain", zoo=(ZOO,), for_contracts=True, escrow=True) as chain:
        return asyncio.run(_run(plan, chain, folder))


async def _run(plan: OrderPlan, chain: LocalChain, folder: Path) -> int:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(BUYERS + 8))
    async with open_order_world(chain, folder, orders=len(plan.kinds)) as world:
        wanted = [Ordered(number, kind) for number, kind in enumerate(plan.kinds)]
        over: list[Ordered] = []
        troubles = _Troubles(world, plan, over)
        began = time.monotonic()
        await _buy(world, wanted, over, troubles, folder / "buyers")
        wall_s = time.monotonic() - began
        await _come_to_rest(world)
        verdict = weigh_orders(await _witnesses(world, wanted))
    for ordered in wanted:
        verdict.wrongs += [f"order {ordered.number}: {wrong}" for wrong in ordered.wrongs]
    print(_report(plan, wanted, verdict, troubles.happened, wall_s))
    print(verdict.line)
    return 0 if verdict.good else 1


async def _buy(
    world: OrderWorld,
    wanted: Sequence[Ordered],
    over: list[Ordered],
    troubles: "_Troubles",
    folder: Path,
) -> None:
    """Returns when every order is over, or its time is; `over` has those that are."""
    crowd = OrderCrowd(world, folder, asyncio.get_running_loop())
    waiting = iter(wanted)

    async def buyer() -> None:
        for ordered in waiting:
            await asyncio.to_thread(crowd.buy, ordered)
            over.append(ordered)

    limit = START_S + SECONDS_FOR_EACH * len(wanted)
    others = [
        asyncio.create_task(work)
        for work in (troubles.run(), troubles.keep_alive(), _tell(over, len(wanted)))
    ]
    buying = asyncio.gather(*(buyer() for _ in range(BUYERS)))
    try:
        async with asyncio.timeout(limit):
            while not buying.done():
                await asyncio.wait([buying, *others], return_when=asyncio.FIRST_COMPLETED)
                for task in [t for t in others if t.done()]:
                    others.remove(task)
                    task.result()  # a trouble that could not be brought about ends the run
            await buying
    except TimeoutError:
        say(f"given up after {limit:.0f} s")
    finally:
        crowd.give_up()
        buying.cancel()
        for task in others:
            task.cancel()
        await asyncio.gather(buying, *others, return_exceptions=True)


class _Troubles:
    """Brings those of a plan, each at its place, and starts again what is dead."""

    def __init__(self, world: OrderWorld, plan: OrderPlan, over: Sequence[Ordered]) -> None:
        self._world = world
        self._plan = plan
        self._over = over
        self._processes = asyncio.Lock()
        self.happened: Counter[Trouble] = Counter()

    async def run(self) -> None:
        """Returns after the last of them."""
        for happening in self._plan.happenings:
            while len(self._over) < happening.after:  # noqa: ASYNC110 - nobody tells of each order
                await asyncio.sleep(0.05)
            node = self._world.nodes[happening.node]
            say(f"{len(self._over)} orders are over: {happening.trouble} ({node.name})")
            await self._bring(happening.trouble, node)
            self.happened[happening.trouble] += 1

    async def keep_alive(self) -> None:
        """Starts again whatever has died, until it is cancelled. Raises: RuntimeError where a
        process does not start although nothing hinders it."""
        while True:
            async with self._processes:
                for node in self._world.nodes:
                    if not node.held:
                        await asyncio.to_thread(node.deployment.revive)
            await asyncio.sleep(0.1)

    async def _bring(self, trouble: Trouble, node: Node) -> None:
        world = self._world
        async with self._processes:  # no node is started without a chain
            match trouble:
                case Trouble.KILL:
                    await _kill(node)
                case Trouble.KILL_BOTH:
                    await _kill(*world.nodes)
                case Trouble.AWAY:
                    node.held = True
                    await _kill(node)
                case Trouble.CHAIN_GONE:
                    await world.lose_chain(OUTAGE_S)
                case Trouble.CHAIN_SILENT:
                    await world.silence_chain(OUTAGE_S)
                case Trouble.REORG:
                    await world.reorganise()
        if node.held:
            await asyncio.sleep(AWAY_S)
            node.held = False


async def _kill(*nodes: Node) -> None:
    for node in nodes:
        await asyncio.to_thread(node.deployment.kill, *node.deployment.roles)


async def _tell(over: Sequence[Ordered], of: int) -> None:
    while True:
        await asyncio.sleep(SAY_S)
        say(f"{len(over)} of {of} orders are over")


async def _come_to_rest(world: OrderWorld) -> None:
    """Returns once no node has anything left to do, or its time for that is over."""
    end = time.monotonic() + QUIET_S
    for node in world.nodes:
        await asyncio.to_thread(node.deployment.revive)
    while time.monotonic() < end:
        books = [kept for node in world.nodes for kept in await asyncio.to_thread(node.books)]
        if all(kept.delivery != "open" and kept.job in OVER for kept in books):
            return
        await asyncio.sleep(1.0)


# -- what is compared --------------------------------------------------------------------------


async def _witnesses(world: OrderWorld, wanted: Sequence[Ordered]) -> Witnesses:
    escrow, token = world.escrow, world.info.token
    head = (await world.rpc.head()).number

    async def events(*topics: Digest) -> Sequence[Log]:
        found = await world.rpc.logs(escrow.address, [topics], first_block=0, last_block=head)
        return [placed.log for placed in found]

    orders = {job: order for ordered in wanted for job, order in ordered.made.items()}
    wallets = TokenChain(world.rpc, token)
    servers = [world.idle.address, *(node.key.address for node in world.nodes)]
    buyers = [payer.address for payer in world.payers]
    put: Counter[Address] = Counter()
    for log in await events(DEPOSITED, WITHDRAWN):
        amount = int.from_bytes(log.data[-32:], "big")
        put[_address(log.topics[1])] += amount if log.topics[0] == DEPOSITED else -amount
    return Witnesses(
        asked=len(wanted),
        orders=orders,
        events=[told(log) for log in await events(REQUESTED, ACCEPTED, DELIVERED, REFUNDED)],
        fee_bps=FEE_BPS,
        put=put,
        owned={who: await escrow.balance(who, token.address) for who in (*servers, *buyers)},
        fees=await escrow.fees(token.address),
        held=await wallets.balance(escrow.address),
        spent={who: FUNDS - await wallets.balance(who) for who in buyers},
        books={node.key.address: node.books() for node in world.nodes},
    )


def told(log: Log) -> Told:
    """What an event of the escrow says of an order."""
    topic, order = log.topics[0], log.topics[1]
    if topic == REQUESTED:
        return Told(order, Step.REQUESTED)
    who = _address(log.topics[2])
    if topic == ACCEPTED:
        return Told(order, Step.ACCEPTED, who)
    if topic == DELIVERED:
        late = log.data[31] != 0
        return Told(order, Step.RESCUED if late else Step.PAID, who)
    return Told(order, Step.REFUNDED, None if who == ZERO_ADDRESS else who)


def _address(topic: Digest) -> Address:
    return Address(topic.raw[12:])


def _report(
    plan: OrderPlan,
    wanted: Sequence[Ordered],
    verdict: OrderVerdict,
    happened: Counter[Trouble],
    wall_s: float,
) -> str:
    """The report as text, without the last line."""
    met: Counter[str] = Counter()
    for ordered in wanted:
        met += ordered.met
    lines = [
        f"{len(plan.kinds)} orders of seed {plan.seed} in {wall_s:.0f} s",
        "  of these " + ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(plan.kinds).items())),
        "  troubles: " + ", ".join(f"{n} x {what}" for what, n in sorted(happened.items())),
        f"  answered with a proof that its buyer verified: {sum(o.answered for o in wanted)}",
        "  buyers tried again after " + ", ".join(f"{n} {code}" for code, n in met.most_common()),
    ]
    return "\n".join([*lines, *(f"WRONG: {wrong}" for wrong in verdict.wrongs)])
