"""Orders of an escrow in a market of the kill suite: their buyer, another server, and their books.

The proofs are real: contracts verify them. Another server accepts orders and never delivers.
"""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferproof.app.openings import local_system
from inferproof.app.order_proofs import order_numbers
from inferproof.app.publishing import install_model
from inferproof.app.router_proofs import contract_key
from inferproof.chain.abi import calldata
from inferproof.chain.escrow import (
    ACCEPTED,
    BALANCE_OF,
    DELIVERED,
    SLOT_OF,
    Escrow,
    accept_data,
    refund_data,
    request_data,
)
from inferproof.chain.model_registry import ModelRegistry
from inferproof.chain.private_proofs import store_programs
from inferproof.chain.rpc import Rpc
from inferproof.inference.request import request_tensors
from inferproof.payments.escrow import ORDER_HEADER, SignedOrder, order_header
from inferproof.protocol.commitments import input_commitment
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.escrow import order_id, server_share
from inferproof.protocol.registration import SEAL_AGE_S
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.pool import WorkerPool
from inferproof.proving.registry import get_system
from inferproof.proving.sumcheck.contract import contract_programs
from inferproof.proving.sumcheck.profiles import EVM
from inferproof.settings import Settings
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.tiny import PRICE, compile_tiny
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.escrow import Order, OrderStatus
from inferproof.types.job import JobState
from inferproof.types.registry import CommitmentKind, Registration, Terms, TokenPrice
from inferproof.types.verifier import ContractAssurance

if TYPE_CHECKING:
    from kill_market import Bought, KillMarket

ORDERED = "tiny-ordered"
"""The model whose answers are ordered, where a market has one."""
BOND = 50_001
"""Odd, so that half of it has to be rounded."""
FEE_BPS = 250
KEPT, STAKED = 50_000_000, 60_000_000
"""What the gateway keeps in the escrow for bonds, and what it begins with: between once and twice
as much nothing is moved."""
SHARE = server_share(PRICE, FEE_BPS)
ACCEPT_S, DELIVER_S, RESCUE_S = 600, 1_200, 1_800
"""What an order's times are after it is made: the stories move the chain's clock."""
WAIT_S = 60.0
"""How long a transaction may take into a block, on a machine that is slow and full."""


@dataclass
class Ordered:
    """An order that its buyer has locked money for, the call that it pays for, and the states in
    which it may end."""

    order: Order
    bought: "Bought"
    ends: frozenset[OrderStatus]
    acceptances: int = 1
    """How many transactions of the gateway's are to have tried to accept it."""

    @property
    def id(self) -> Digest:
        return self.bought.job


def order_settings(devnet: DevnetInfo) -> dict[str, object]:
    """The settings of a gateway that serves the escrow's orders."""
    return {
        "escrow_address": devnet.escrow.hex,
        "escrow_margin_s": 1,
        "escrow_keep_units": KEPT,
    }


def open_orders(devnet: DevnetInfo, settings: Settings, folder: Path) -> VerifierBundle:
    """The model is compiled for contracts, registered and published; servers have money to take
    bonds of, and the buyer lets the escrow take prices."""
    with closing(WorkerPool(1)) as pool, local_system("sumcheck", pool) as prover:
        compile_tiny(folder / ORDERED, ORDERED, prover, profile=EVM)
    bundle = get_system("sumcheck").verifier(folder / ORDERED / "compiled")

    async def build() -> None:
        async with Rpc(devnet.rpc_url) as rpc:
            await _register(rpc, devnet, bundle)
            for key in (devnet.accounts.gateway, devnet.accounts.provider):
                escrow = Escrow(rpc, devnet.escrow, devnet.chain_id)
                await escrow.deposit(devnet.token.address, STAKED, key)

    asyncio.run(build())
    model, key = folder / ORDERED, devnet.accounts.gateway
    asyncio.run(install_model(settings, model, model / "compiled", key=key))
    return bundle


async def _register(rpc: Rpc, devnet: DevnetInfo, bundle: VerifierBundle) -> None:
    owner, disclosed = devnet.accounts.gateway, CommitmentKind.DISCLOSED
    programs = contract_programs(bundle.verifying_key).every
    await store_programs(rpc, devnet.private_proofs, programs, owner)
    registration = Registration(
        bundle.commitment,
        bundle.commitment,
        owner.address,
        2**40,
        Terms(contract_key(bundle), disclosed, disclosed, ZERO_DIGEST, "", b""),
        (TokenPrice(devnet.token.address, PRICE),),
    )
    registry = ModelRegistry(rpc, devnet.model_registry)
    await registry.seal(registration, owner)
    await rpc.request("evm_increaseTime", SEAL_AGE_S + 1)
    await rpc.request("evm_mine")
    await registry.register(registration, owner)


class Orders:
    """The orders of one market."""

    def __init__(self, market: "KillMarket", bundle: VerifierBundle) -> None:
        self._market = market
        self._bundle = bundle
        self._devnet = market.devnet
        self._escrow = self._devnet.escrow
        self.made: list[Ordered] = []
        accounts, token = self._devnet.accounts, self._devnet.token.address
        approve = calldata("approve(address,uint256)", self._escrow, 2**200)
        self._send(accounts.buyer.address, token, approve)
        fee = calldata("setFee(uint16)", FEE_BPS)
        self._send(accounts.owner.address, self._devnet.market, fee)

    # -- the buyer and others -------------------------------------------------------------------

    def make(self, mood: float = 1.0, *ends: OrderStatus, state: str = "done") -> Ordered:
        """An order in the escrow, of which no gateway knows the input yet. `state` is that in
        which its job may end."""
        from kill_market import Bought

        body = json.dumps({"input": [[mood, len(self.made) / 100, 3.0]]}).encode()
        salt, buyer = Digest(secrets.token_bytes(32)), self._devnet.accounts.buyer
        tensors = request_tensors(self._bundle.preprocessing, body)
        now = self.now()
        order = Order(
            buyer=buyer.address,
            token=self._devnet.token.address,
            price=PRICE,
            bond=BOND,
            model=self._bundle.commitment,
            input_commitment=input_commitment(salt.raw, tensors),
            inputs=Digest(keccak256(order_numbers(self._bundle, tensors))),
            assurance=ContractAssurance.ZK_PRIVATE,
            accept_by=now + ACCEPT_S,
            input_by=now + ACCEPT_S + 1,
            deliver_by=now + DELIVER_S,
            rescue_by=now + RESCUE_S,
            salt=Digest(secrets.token_bytes(32)),
        )
        self._send(buyer.address, self._escrow, request_data(order))
        unsigned = SignedOrder(self._devnet.token, self._escrow, order, b"")
        signed = replace(unsigned, signature=buyer.sign(unsigned.id))
        headers = {ORDER_HEADER: order_header(signed, salt)}
        job = order_id(order, self._devnet.chain_id, self._escrow)
        bought = Bought(ORDERED, body, headers, job, frozenset([state]), None)
        made = Ordered(order, bought, frozenset(ends or (OrderStatus.PAID,)))
        self.made.append(made)
        return made

    def accepted_by_another(self, made: Ordered) -> None:
        """Another server accepts the order, and delivers nothing."""
        rival = self._devnet.accounts.provider.address
        self._send(rival, self._escrow, accept_data(made.order, acknowledged=True))

    def refund(self, made: Ordered) -> None:
        """A stranger ends an order whose time is over."""
        self._send(self._devnet.accounts.owner.address, self._escrow, refund_data(made.order))

    def take_out(self, amount: int) -> None:
        """Another program uses the gateway's key to take money out of the escrow."""
        gateway, token = self._devnet.accounts.gateway.address, self._devnet.token.address
        data = calldata("withdraw(address,address,uint256)", token, gateway, amount)
        self._send(gateway, self._escrow, data)

    def _send(self, sender: Address, to: Address, data: bytes) -> None:
        call = {"from": sender.hex, "to": to.hex, "data": "0x" + data.hex()}
        tx, found = self._market.chain("eth_sendTransaction", call), None
        end = time.monotonic() + WAIT_S
        while found is None and time.monotonic() < end:  # its block may be a moment later
            found = self._market.chain("eth_getTransactionReceipt", tx)
            time.sleep(0.01)
        if found is None or int(found["status"], 16) != 1:
            raise AssertionError(f"{self._market.name}: {tx} did nothing: {found}")

    # -- the chain --------------------------------------------------------------------------------

    def now(self) -> int:
        return int(self._market.chain("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def pass_until(self, second: int) -> None:
        """The chain's clock is behind this second."""
        self._market.chain("evm_increaseTime", max(0, second - self.now()) + 1)
        self._market.chain("evm_mine")

    def status(self, made: Ordered) -> OrderStatus:
        """Where the order stands in the escrow: the first word of its slot."""
        return OrderStatus(int(self._ask(SLOT_OF, made.id)[2:66], 16))

    def balance(self, holder: Address) -> int:
        """What an account has in the escrow."""
        return int(self._ask(BALANCE_OF, holder, self._devnet.token.address), 16)

    def block_of(self, made: Ordered, event: Digest) -> int:
        """The block of an order's one event of this kind."""
        (log,) = [each for each in self._logs(event) if each["topics"][1] == made.id.hex]
        return int(log["blockNumber"], 16)

    def bring_to_end(self, made: Ordered) -> None:
        """Revives what is dead until the order is over in the escrow, and its job at the gateway.

        Raises: AssertionError.
        """
        market, bought = self._market, made.bought

        def over() -> bool:
            state = market.ask(bought) or market.send(bought)
            return state in bought.ends and self.status(made) in made.ends

        if not market.until(over):
            raise AssertionError(
                f"{market.name}: order {made.id} hangs in {self.status(made).name}, its job in "
                f"{bought.state or bought.facts}; see {market.deployment.log}"
            )

    def _ask(self, signature: str, *arguments: object) -> str:
        # By one request, and without a client of its own: it is asked all the time.
        data = "0x" + calldata(signature, *arguments).hex()
        return str(self._market.chain("eth_call", {"to": self._escrow.hex, "data": data}, "latest"))

    def _logs(self, event: Digest) -> list[dict[str, Any]]:
        wanted = {
            "fromBlock": "0x0",
            "toBlock": "latest",
            "address": self._escrow.hex,
            "topics": [event.hex],
        }
        logs: list[dict[str, Any]] = self._market.chain("eth_getLogs", wanted)
        return logs

    # -- the books --------------------------------------------------------------------------------

    def check(self) -> Counter[str]:
        """How many orders ended how, once every promise was found kept. Raises: AssertionError.

        Each order ended as it may, was accepted once and delivered once at most, by as many
        transactions of the gateway's; each party has in the escrow, to the atomic unit, what its
        rules give it of price and bond; each answer's receipt verifies.
        """
        ends: Counter[str] = Counter()
        gateway, rival = self._devnet.accounts.gateway.address, self._devnet.accounts.provider
        due: Counter[Address] = Counter({gateway: self._moved(gateway)})
        due[rival.address] = self._moved(rival.address)
        tried = self._transactions(gateway)
        accepted, delivered = self._servers(ACCEPTED), self._servers(DELIVERED)
        for made in self.made:
            self.bring_to_end(made)
            status = self.status(made)
            ends[status.name.lower()] += 1
            acceptors, deliverers = accepted[made.id.hex], delivered[made.id.hex]
            self._require(len(acceptors) <= 1, made, f"was accepted by {acceptors}")
            served = status in (OrderStatus.PAID, OrderStatus.RESCUED)
            self._require(deliverers == [gateway] * served, made, f"was delivered by {deliverers}")
            found = tried[made.order.salt.raw]
            self._require(found == made.acceptances, made, f"was accepted by {found} transactions")
            _share_out(due, made.order, status, acceptors, gateway)
            if made.bought.state == JobState.DONE.value and served:
                self._market.check_receipt(made.bought)
        for holder, amount in due.items():
            has = self.balance(holder)
            if has != amount:
                raise AssertionError(f"{self._market.name}: {holder} has {has}, and not {amount}")
        self._check_conserved(due, ends["paid"] + ends["rescued"])
        return ends

    def _check_conserved(self, due: Counter[Address], served: int) -> None:
        held = self._market.balance(self._escrow)
        owed = sum(due.values()) + served * (PRICE - SHARE)
        if held != owed:
            raise AssertionError(f"{self._market.name}: the escrow holds {held}, and owes {owed}")

    def _moved(self, account: Address) -> int:
        """What the account has put in, less what it has taken out."""
        word = "0x" + account.raw.rjust(32, b"\0").hex()
        names = ("Deposited(address,address,uint256)", "Withdrawn(address,address,address,uint256)")
        put, taken = (
            sum(
                int(log["data"], 16)
                for log in self._logs(Digest(keccak256(name.encode())))
                if log["topics"][1] == word
            )
            for name in names
        )
        return put - taken

    def _servers(self, event: Digest) -> dict[str, list[Address]]:
        """Of each order who has accepted, or delivered it, as often as it was done."""
        found: dict[str, list[Address]] = {made.id.hex: [] for made in self.made}
        for log in self._logs(event):
            found[log["topics"][1]].append(Address(bytes.fromhex(log["topics"][2][-40:])))
        return found

    def _transactions(self, sender: Address) -> Counter[bytes]:
        """How many transactions of the sender tried to accept each order, by its salt."""
        tried: Counter[bytes] = Counter()
        selector = accept_data(self.made[0].order, acknowledged=True)[:4]
        for number in range(int(self._market.chain("eth_blockNumber"), 16) + 1):
            block = self._market.chain("eth_getBlockByNumber", hex(number), True)
            for tx in block["transactions"]:
                data = bytes.fromhex(tx["input"][2:])
                if tx["from"] == sender.hex and data[:4] == selector:
                    tried[data[4 + 14 * 32 : 4 + 15 * 32]] += 1
        return tried

    def _require(self, holds: bool, made: Ordered, problem: str) -> None:
        if not holds:
            raise AssertionError(f"{self._market.name}: order {made.id} {problem}")


def _share_out(
    due: Counter[Address],
    order: Order,
    status: OrderStatus,
    acceptors: Sequence[Address],
    deliverer: Address,
) -> None:
    """What the escrow owes to whom after an order. Source: specs/escrow.md, section 5."""
    for acceptor in acceptors:
        due[acceptor] -= order.bond
    if status is OrderStatus.PAID:
        due[deliverer] += SHARE + order.bond
    elif status is OrderStatus.RESCUED:
        due[deliverer] += SHARE + order.bond // 2
        due[order.buyer] += order.bond - order.bond // 2
    else:
        due[order.buyer] += order.price + order.bond * len(acceptors)
