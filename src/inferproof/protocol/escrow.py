"""Orders in an escrow: their id, their bounds, who gets what of their money, and their JSON.

Source: specs/escrow.md.
"""

from collections.abc import Mapping, Sequence

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.eip712 import Struct, digest, domain_separator, hash_struct
from inferproof.protocol.encoding import Json, keccak256
from inferproof.protocol.fields import Fields
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order
from inferproof.types.event import Log
from inferproof.types.verifier import ContractAssurance

MAX_AMOUNT = 2**128 - 1
MAX_TIME = 2**40 - 1
LONGEST_S = 30 * 24 * 3600
"""From when an order is made to its refund. As in the contract."""
BPS = 10_000
ACCEPTED_EVENT = Digest(keccak256(b"Accepted(bytes32,address,uint256,bool)"))
"""Topics: the order's id and the server. Source: contracts/src/Events.sol."""

ORDER = Struct(
    "Order",
    {
        "buyer": "address",
        "token": "address",
        "price": "uint128",
        "bond": "uint128",
        "model": "bytes32",
        "inputCommitment": "bytes32",
        "inputs": "bytes32",
        "plan": "bytes32",
        "server": "address",
        "assurance": "uint8",
        "acceptBy": "uint40",
        "inputBy": "uint40",
        "deliverBy": "uint40",
        "rescueBy": "uint40",
        "salt": "bytes32",
    },
)


def order_values(order: Order) -> dict[str, object]:
    """The fields of an order by their names in the struct, in its order."""
    return {
        "buyer": order.buyer,
        "token": order.token,
        "price": order.price,
        "bond": order.bond,
        "model": order.model,
        "inputCommitment": order.input_commitment,
        "inputs": order.inputs,
        "plan": order.plan,
        "server": order.server,
        "assurance": int(order.assurance),
        "acceptBy": order.accept_by,
        "inputBy": order.input_by,
        "deliverBy": order.deliver_by,
        "rescueBy": order.rescue_by,
        "salt": order.salt,
    }


def order_id(order: Order, chain_id: int, escrow: Address) -> Digest:
    """The order's id on one chain, for one escrow: the digest that its buyer signs, the nonce of
    its authorization, and the job id of its statement.

    Raises: ValueError for a number that does not fit its type.
    """
    domain = domain_separator("inferproof escrow", "1", chain_id, escrow)
    return digest(domain, hash_struct(ORDER, order_values(order)))


def check_times(order: Order, now: int) -> None:
    """Returns when an escrow would take the order's times at this second.

    Raises: RequestRejected ORDER_TIMES.
    """
    times = (order.accept_by, order.input_by, order.deliver_by, order.rescue_by)
    if not now < order.accept_by <= order.input_by < order.deliver_by < order.rescue_by:
        raise RequestRejected(
            Reason.ORDER_TIMES, why=f"at {now}, its times {times} are not one after the other"
        )
    if order.rescue_by > now + LONGEST_S:
        raise RequestRejected(Reason.ORDER_TIMES, why="it ends more than 30 days from now")


def server_share(price: int, fee_bps: int) -> int:
    """What the server that delivers in time has of the price: what the fee leaves, which is rounded
    down. Units: atomic; basis points."""
    return price - price * fee_bps // BPS


def acceptor_in(logs: Sequence[Log], escrow: Address, order: Digest) -> Address | None:
    """The server for which a transaction with these events accepts the order; None for none."""
    for log in logs:
        if log.address == escrow and log.topics[:2] == (ACCEPTED_EVENT, order):
            return Address(log.topics[2].raw[12:])
    return None


def order_json(order: Order) -> dict[str, Json]:
    """The order in JSON: amounts as decimal texts, times as numbers."""
    return {
        "buyer": order.buyer.hex,
        "token": order.token.hex,
        "price": str(order.price),
        "bond": str(order.bond),
        "model": order.model.hex,
        "input_commitment": order.input_commitment.hex,
        "inputs": order.inputs.hex,
        "plan": order.plan.hex,
        "server": order.server.hex,
        "assurance": int(order.assurance),
        "accept_by": order.accept_by,
        "input_by": order.input_by,
        "deliver_by": order.deliver_by,
        "rescue_by": order.rescue_by,
        "salt": order.salt.hex,
    }


def read_order(value: object) -> Order:
    """The order in decoded JSON. Raises: RequestRejected FIELD_MALFORMED."""
    fields = Fields(value, "order")
    order = Order(
        buyer=fields.address("buyer"),
        token=fields.address("token"),
        price=_amount(fields, "price"),
        bond=_amount(fields, "bond"),
        model=fields.digest("model"),
        input_commitment=fields.digest("input_commitment"),
        inputs=fields.digest("inputs"),
        plan=fields.digest("plan"),
        server=fields.address("server"),
        assurance=_assurance(fields),
        accept_by=fields.integer("accept_by", most=MAX_TIME),
        input_by=fields.integer("input_by", most=MAX_TIME),
        deliver_by=fields.integer("deliver_by", most=MAX_TIME),
        rescue_by=fields.integer("rescue_by", most=MAX_TIME),
        salt=fields.digest("salt"),
    )
    fields.end()
    return order


def order_of(values: Mapping[str, object]) -> Order:
    """The order whose fields these are, by their names in the struct, as a chain's events give
    them: addresses as text, digests as bytes. Raises: ValueError where one is of another type."""
    return Order(
        buyer=Address.from_hex(str(values["buyer"])),
        token=Address.from_hex(str(values["token"])),
        price=_number(values["price"]),
        bond=_number(values["bond"]),
        model=_digest(values["model"]),
        input_commitment=_digest(values["inputCommitment"]),
        inputs=_digest(values["inputs"]),
        plan=_digest(values["plan"]),
        server=Address.from_hex(str(values["server"])),
        assurance=ContractAssurance(_number(values["assurance"])),
        accept_by=_number(values["acceptBy"]),
        input_by=_number(values["inputBy"]),
        deliver_by=_number(values["deliverBy"]),
        rescue_by=_number(values["rescueBy"]),
        salt=_digest(values["salt"]),
    )


def _amount(fields: Fields, name: str) -> int:
    amount = fields.amount(name)
    if amount > MAX_AMOUNT:
        raise fields.malformed(name)
    return amount


def _assurance(fields: Fields) -> ContractAssurance:
    number = fields.integer("assurance", least=0, most=255)
    try:
        return ContractAssurance(number)
    except ValueError:
        raise fields.malformed("assurance") from None


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError("it is not a number")
    return value


def _digest(value: object) -> Digest:
    if type(value) is not bytes:
        raise ValueError("it is not bytes")
    return Digest(value)
