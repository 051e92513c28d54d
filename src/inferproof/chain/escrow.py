"""Orders on a chain: their money waits in a contract until it has verified a proof.

An order is handed over in full with each call and known by its digest, so that whoever has the
order can look at it, and whoever has it from the chain's events can serve it.

Soundness: the contract says what became of the money, and that a proof holds under the key that the
version was registered with. Whether that key is the model's is compared by who holds its bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inferproof.chain.abi import calldata, decode_values, encode_arguments, event_topic
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import ESCROW, load_artifact
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import Misconfigured, NotFound, Reason, Rejection
from inferproof.protocol.encoding import encode_fixed_tensor, keccak256
from inferproof.protocol.escrow import ORDER, order_id, order_of, order_values
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order, OrderSlot, OrderStatus
from inferproof.types.event import Log
from inferproof.types.payment import Authorization
from inferproof.types.tensor import FixedTensor

_FIELDS = (
    "address,address,uint128,uint128,bytes32,bytes32,bytes32,bytes32,address,uint8,uint40,uint40,"
    "uint40,uint40,bytes32"
)
_ORDER = f"({_FIELDS})"
_PERMIT = "(uint256,uint8,bytes32,bytes32)"
_AUTHORIZATION = "(uint256,uint256,bytes)"
REQUEST = f"request({_ORDER})"
REQUEST_WITH_PERMIT = f"requestWithPermit({_ORDER},{_PERMIT})"
REQUEST_WITH_AUTHORIZATION = f"requestWithAuthorization({_ORDER},{_AUTHORIZATION})"
CANCEL = f"cancel({_ORDER})"
ACCEPT = f"accept({_ORDER},bool)"
ACKNOWLEDGE = f"acknowledge({_ORDER})"
POST_INPUT = f"postInput({_ORDER},bytes)"
DELIVER = f"deliver({_ORDER},bytes[],bytes)"
REFUND = f"refund({_ORDER})"
DEPOSIT = "deposit(address,uint256)"
WITHDRAW = "withdraw(address,address,uint256)"
SLOT_OF = "slotOf(bytes32)"
REGISTRY = "REGISTRY()"
ROUTER = "ROUTER()"
REPUTATION = "REPUTATION()"
BALANCE_OF = "balanceOf(address,address)"
FEES_OF = "feesOf(address)"
WITHDRAW_FEES = "withdrawFees(address,address,uint256)"
APPROVE = "approve(address,uint256)"

REQUESTED = event_topic(f"Requested(bytes32,address,bytes32,{_ORDER},uint16)")
ACCEPTED = event_topic("Accepted(bytes32,address,uint256,bool)")
DELIVERED = event_topic("Delivered(bytes32,address,bool,bytes[],uint256,uint256,uint256)")
REFUNDED = event_topic("Refunded(bytes32,address,uint256,uint256)")


@dataclass(frozen=True, slots=True)
class Permit:
    """A buyer's EIP-2612 permit over an order's price. Units: `deadline` in Unix seconds."""

    deadline: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class RequestedOrder:
    """An order as its event tells it. `id` is the order's own digest."""

    id: Digest
    order: Order
    fee_bps: int


def request_data(order: Order) -> bytes:
    """The data of a request whose price was approved."""
    return _data(REQUEST, [_ORDER], _values(order))


def request_with_permit_data(order: Order, permit: Permit) -> bytes:
    """The data of a request with a permit."""
    r, s, v = permit.signature[:32], permit.signature[32:64], permit.signature[64]
    told = (permit.deadline, v, r, s)
    return _data(REQUEST_WITH_PERMIT, [_ORDER, _PERMIT], _values(order), told)


def request_with_authorization_data(order: Order, authorization: Authorization) -> bytes:
    """The data of a request that anyone may send. The authorization's nonce is the order's id."""
    told = (authorization.valid_after, authorization.valid_before, authorization.signature)
    types = [_ORDER, _AUTHORIZATION]
    return _data(REQUEST_WITH_AUTHORIZATION, types, _values(order), told)


def accept_data(order: Order, *, acknowledged: bool) -> bytes:
    """The data of an acceptance by a server that has the input, or has it not yet."""
    return _data(ACCEPT, [_ORDER, "bool"], _values(order), acknowledged)


def acknowledge_data(order: Order) -> bytes:
    """The data of a server's word that it has the input."""
    return _data(ACKNOWLEDGE, [_ORDER], _values(order))


def post_input_data(order: Order, numbers: bytes) -> bytes:
    """The data that puts the quantised input on the chain."""
    return _data(POST_INPUT, [_ORDER, "bytes"], _values(order), numbers)


def deliver_data(order: Order, outputs: Sequence[FixedTensor], proof: bytes) -> bytes:
    """The data of a delivery. `proof` is in the encoding of the version's contract verifier."""
    encoded = [encode_fixed_tensor(output) for output in outputs]
    return _data(DELIVER, [_ORDER, "bytes[]", "bytes"], _values(order), encoded, proof)


def cancel_data(order: Order) -> bytes:
    """The data by which a buyer takes an order back that nobody accepted."""
    return _data(CANCEL, [_ORDER], _values(order))


def refund_data(order: Order) -> bytes:
    """The data by which anyone ends an order whose time is over."""
    return _data(REFUND, [_ORDER], _values(order))


def read_requested(log: Log) -> RequestedOrder | None:
    """The order of an event of an escrow; None for another event, or one that is malformed."""
    if len(log.topics) != 4 or log.topics[0] != REQUESTED:
        return None
    values = decode_values([_ORDER, "uint16"], log.data)
    if values is None:
        return None
    fields, fee_bps = values
    try:
        order = order_of(dict(zip(ORDER.fields, fields, strict=True)))
    except ValueError:
        return None
    return RequestedOrder(log.topics[1], order, fee_bps)


class Escrow:
    """One escrow through one node. Its code is looked at by `open_escrow`."""

    def __init__(self, rpc: Rpc, address: Address, chain_id: int) -> None:
        self._rpc = rpc
        self.address = address
        self.chain_id = chain_id

    def id_of(self, order: Order) -> Digest:
        """The order's id here."""
        return order_id(order, self.chain_id, self.address)

    # -- questions

    async def registry(self) -> Address:
        """The registry of the models that its orders are about. Raises: as `slot`."""
        return await self._part(REGISTRY)

    async def router(self) -> Address:
        """The router of verifiers that it asks before it pays. Raises: as `slot`."""
        return await self._part(ROUTER)

    async def reputation(self) -> Address:
        """The scores that it writes of servers. Raises: as `slot`."""
        return await self._part(REPUTATION)

    async def slot(self, order: Digest, *, block: int | None = None) -> OrderSlot:
        """What is kept of an order, by its id, after a block, by default the newest; the status
        NONE where it was never made.

        Raises: Misconfigured CHAIN_BAD_ANSWER; Unavailable.
        """
        types = ["uint8", "address", "bool", "bool", "uint16", "uint8"]
        status, server, given, own, fee, factor = await self._ask(
            SLOT_OF, types, "an order", order, block=block
        )
        try:
            known = OrderStatus(status)
        except ValueError:
            raise self._bad_answer(SLOT_OF, b"", "an order") from None
        return OrderSlot(known, Address.from_hex(server), given, own, fee, factor)

    async def balance(self, account: Address, token: Address) -> int:
        """What an account has in the escrow. Units: atomic. Raises: as `slot`."""
        (amount,) = await self._ask(BALANCE_OF, ["uint256"], "an amount", account, token)
        return int(amount)

    async def fees(self, token: Address) -> int:
        """The fees that wait to be taken out. Units: atomic. Raises: as `slot`."""
        (amount,) = await self._ask(FEES_OF, ["uint256"], "an amount", token)
        return int(amount)

    # -- what a buyer does

    async def request(
        self,
        order: Order,
        key: SigningKey,
        *,
        permit: Permit | None = None,
        authorization: Authorization | None = None,
    ) -> ChainReceipt:
        """Makes an order in one transaction: with a permit or an authorization over its price, or
        else by an approval that was given before.

        Raises: Rejection ORDER_REFUSED; as `transact`.
        """
        if authorization is not None:
            data, what = request_with_authorization_data(order, authorization), "request"
        elif permit is not None:
            data, what = request_with_permit_data(order, permit), "request"
        else:
            data, what = request_data(order), "request"
        return await self.send(key, data, what)

    async def cancel(self, order: Order, key: SigningKey) -> ChainReceipt:
        """Takes an order back. Raises: Rejection ORDER_STATUS, ORDER_REFUSED; as `transact`."""
        await self.require(order, OrderStatus.OPEN)
        return await self.send(key, cancel_data(order), "cancel")

    async def post_input(self, order: Order, numbers: bytes, key: SigningKey) -> ChainReceipt:
        """Puts what the input is quantised to on the chain, where everybody sees it.

        Raises: Rejection ORDER_REFUSED; as `transact`.
        """
        return await self.send(key, post_input_data(order, numbers), "postInput")

    # -- what anyone does

    async def refund(self, order: Order, key: SigningKey) -> ChainReceipt:
        """Ends an order whose time is over, by the time of the block that is made next.

        Raises: Rejection ORDER_STATUS, ORDER_TOO_EARLY, ORDER_REFUSED; as `transact`.
        """
        slot = await self.require(order, OrderStatus.OPEN, OrderStatus.ACCEPTED)
        end, now = refund_after(order, slot), (await self._rpc.head()).timestamp
        try:
            return await self.send(key, refund_data(order), "refund")
        except Rejection as error:
            if error.reason is Reason.ORDER_REFUSED and now <= end:
                raise Rejection(
                    Reason.ORDER_TOO_EARLY, order=self.id_of(order), from_time=end + 1, now=now
                ) from error
            raise

    async def deposit(self, token: Address, amount: int, key: SigningKey) -> ChainReceipt:
        """Puts money into the key's balance, of which its bonds are taken: two transactions, the
        first of which approves the amount. Raises: Rejection ORDER_REFUSED; as `transact`."""
        approve = calldata(APPROVE, self.address, amount)
        await transact(self._rpc, key, to=token, data=approve, what=APPROVE)
        return await self.send(key, calldata(DEPOSIT, token, amount), DEPOSIT)

    async def withdraw(
        self, token: Address, to: Address, amount: int, key: SigningKey
    ) -> ChainReceipt:
        """Takes money out of the key's balance. Raises: Rejection ORDER_REFUSED; as `transact`."""
        return await self.send(key, calldata(WITHDRAW, token, to, amount), WITHDRAW)

    async def withdraw_fees(
        self, token: Address, to: Address, amount: int, key: SigningKey
    ) -> ChainReceipt:
        """Takes out fees, by the market's role for that. Raises: as `withdraw`."""
        return await self.send(key, calldata(WITHDRAW_FEES, token, to, amount), WITHDRAW_FEES)

    # -- inside

    async def require(self, order: Order, *expected: OrderStatus) -> OrderSlot:
        """What is kept of the order. Raises: NotFound ORDER_UNKNOWN; Rejection ORDER_STATUS; as
        `slot`."""
        slot = await self.slot(self.id_of(order))
        if slot.status is OrderStatus.NONE:
            raise NotFound(Reason.ORDER_UNKNOWN, escrow=self.address, order=self.id_of(order))
        if slot.status not in expected:
            raise Rejection(
                Reason.ORDER_STATUS,
                order=self.id_of(order),
                status=slot.status.name.lower(),
                expected=" or ".join(status.name.lower() for status in expected),
            )
        return slot

    async def send(self, key: SigningKey, data: bytes, what: str) -> ChainReceipt:
        """A call of the escrow, once it is in a block. Raises: Rejection ORDER_REFUSED with the
        contract's own words; as `transact`."""
        try:
            return await transact(
                self._rpc, key, to=self.address, data=data, what=what, pending=True
            )
        except CallReverted as error:
            call, why = what.partition("(")[0], error.facts.get("why", error.message)
            raise Rejection(Reason.ORDER_REFUSED, call=call, why=why) from error

    async def _part(self, name: str) -> Address:
        (found,) = await self._ask(name, ["address"], "an address")
        return Address.from_hex(found)

    async def _ask(
        self,
        signature: str,
        types: Sequence[str],
        expected: str,
        *arguments: object,
        block: int | None = None,
    ) -> tuple[Any, ...]:
        data = calldata(signature, *arguments)
        answer = await self._rpc.call(self.address, data, what=signature, block=block)
        values = decode_values(types, answer)
        if values is None:
            raise self._bad_answer(signature, answer, expected)
        return values

    def _bad_answer(self, call: str, answer: bytes, expected: str) -> Misconfigured:
        return Misconfigured(
            Reason.CHAIN_BAD_ANSWER,
            address=self.address,
            call=call,
            got=len(answer),
            expected=expected,
        )


def refund_after(order: Order, slot: OrderSlot) -> int:
    """The second after which an order that is open or accepted can be refunded."""
    if slot.status is OrderStatus.OPEN:
        return order.accept_by
    return order.rescue_by if slot.given else order.input_by


async def open_escrow(rpc: Rpc, address: Address) -> Escrow:
    """The escrow at an address.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured ESCROW_CODE_UNKNOWN; Unavailable.
    """
    code, chain_id = await rpc.code(address), await rpc.chain_id()
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=address, chain_id=chain_id)
    if not load_artifact(ESCROW).is_code(code):
        raise Misconfigured(Reason.ESCROW_CODE_UNKNOWN, address=address, contract=ESCROW)
    return Escrow(rpc, address, chain_id)


def _values(order: Order) -> tuple[object, ...]:
    return tuple(_plain(value) for value in order_values(order).values())


def _plain(value: object) -> object:
    if isinstance(value, Address):
        return value.hex
    return value.raw if isinstance(value, Digest) else value


def _data(signature: str, types: Sequence[str], *values: object) -> bytes:
    return keccak256(signature.encode())[:4] + encode_arguments(types, values)
