"""What a gateway asks of an order before its server takes it up, and of its input."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from order_parts import ESCROW, INPUT_SALT, sample_order, signed_order

from inferproof.errors import InputRejected, PaymentRejected, Reason, Unavailable
from inferproof.payments.escrow import ORDER_HEADER, IncomingOrder, order_header
from inferproof.payments.escrow.buyer import MadeOrder
from inferproof.payments.escrow.method import EscrowMethod, OrderTerms
from inferproof.payments.escrow.receipt import order_payment
from inferproof.payments.method import Presented, Reservable
from inferproof.protocol.commitments import input_commitment
from inferproof.protocol.encoding import keccak256
from inferproof.services.orders.exposure_limits import NoExposure
from inferproof.services.orders.ordered_input import OrderedInputs
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, ORDERED_AT, STRANGER, Sample, sample_preprocess
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.escrow import (
    Acceptance,
    Order,
    OrderedInput,
    OrderSlot,
    OrderStatus,
    OrderTransaction,
)
from inferproof.types.money import Money
from inferproof.types.payment import Quote
from inferproof.types.receipt import Request

SERVER = Address(b"\x5e" * 20)
MODEL = Sample().bundle.commitment
OTHER_MODEL = Digest(b"\x01" * 32)
TERMS = OrderTerms(ESCROW, SERVER, margin_s=60, slack=2.0, bond_limit=1_000_000)
TX = OrderTransaction(Digest(b"\x0c" * 32), 77, Digest(b"\x0d" * 32), SERVER)
OPEN = OrderSlot(OrderStatus.OPEN, ZERO_ADDRESS, False, False, 250, 0)


def accepted(server: Address) -> OrderSlot:
    return replace(OPEN, status=OrderStatus.ACCEPTED, server=server, given=True, bond_factor=1)


@dataclass
class FakeEscrow:
    """What a server asks an escrow, in which one order is."""

    kept: OrderSlot = OPEN
    taken: OrderTransaction | None = None
    price: int = 10**9
    trials: list[Acceptance] = field(default_factory=list)
    refuses: str | None = None

    async def slot(self, order: Digest) -> OrderSlot:
        return self.kept

    async def head(self) -> int:
        return 99

    async def gas_price(self) -> int:
        return self.price

    async def check_acceptance(self, acceptance: Acceptance) -> None:
        self.trials.append(acceptance)
        if self.refuses is not None:
            raise PaymentRejected(Reason.ORDER_REFUSED, call="accept", why=self.refuses)

    async def accepted_in(self, order: Digest, first_block: int) -> OrderTransaction | None:
        return self.taken


def quote(**changes: Any) -> Quote:
    own = replace(Sample().quote(), price=Money(250_000, ASSET), payee=SERVER, provider=SERVER)
    return replace(own, model_commitment=MODEL, prove_ms=10_000, **changes)


def method(chain: FakeEscrow | None = None, waiting: float = 0, **terms: Any) -> EscrowMethod:
    async def waits() -> float:
        return waiting

    return EscrowMethod(ASSET, chain or FakeEscrow(), replace(TERMS, **terms), waits)


def presented(order: Order | None = None, asked: EscrowMethod | None = None) -> Presented[Any]:
    signed = signed_order(order or sample_order(model=MODEL))
    return (asked or method()).present(IncomingOrder(signed, INPUT_SALT))


async def reserve(
    asked: EscrowMethod, order: Order | None = None, now: int = ORDERED_AT, **quoted: Any
) -> Reservable:
    (found,) = await asked.reserve(presented(order), quote(**quoted), now, NoExposure())
    return found


# -- what comes in ------------------------------------------------------------------------------


def test_a_header_is_presented_with_the_input_that_it_commits_to() -> None:
    signed = signed_order()
    headers = {ORDER_HEADER.lower(): order_header(signed, INPUT_SALT)}
    found = method().read(headers)
    assert found is not None
    assert (found.payer, found.signed, found.draws) == (signed.order.buyer, signed, False)
    assert found.payment == order_payment(signed, SERVER)
    assert found.ordered == OrderedInput(
        signed.order.input_commitment, signed.order.inputs, INPUT_SALT
    )
    assert method().read({}) is None
    assert method().offer() == {"escrow": {"header": "Inferproof-Order", "address": ESCROW.hex}}


def test_a_gateway_without_an_escrow_takes_none() -> None:
    closed = EscrowMethod(ASSET, None, None)
    assert closed.offer() == {}
    headers = {ORDER_HEADER.lower(): order_header(signed_order(), INPUT_SALT)}
    message = "this gateway serves no orders of an escrow; sign an authorization"
    with rejects(Reason.ESCROWS_CLOSED, message, kind=PaymentRejected):
        closed.read(headers)


def test_an_order_of_another_escrow() -> None:
    elsewhere = signed_order(escrow=STRANGER.address)
    found = method().present(IncomingOrder(elsewhere, INPUT_SALT))
    message = (
        f"the order is in the escrow {STRANGER.address}, this gateway serves those in {ESCROW}"
    )
    with rejects(Reason.ORDER_ESCROW, message, kind=PaymentRejected):
        method().check_signed(found, Digest(bytes(32)))
    method().check_signed(presented(), Digest(bytes(32)))


@pytest.mark.parametrize(
    ("order", "quoted", "reason", "message"),
    [
        (
            {"price": 249_999},
            {},
            Reason.ORDER_PRICE,
            "the order locks 0.249999 USDC, the price is 0.25 USDC",
        ),
        (
            {"server": STRANGER.address},
            {},
            Reason.ORDER_SERVER,
            f"the order is for the server {STRANGER.address}, and not for {SERVER}",
        ),
    ],
)
def test_what_is_not_on_the_terms(
    order: dict[str, Any], quoted: dict[str, Any], reason: Reason, message: str
) -> None:
    asked = presented(sample_order(**({"model": MODEL} | order)))
    with rejects(reason, message, kind=PaymentRejected):
        method().check(asked, replace(quote(), **quoted), ORDERED_AT)


def test_orders_that_this_server_is_not_paid_for() -> None:
    with rejects(
        Reason.ORDER_MODEL,
        f"the order is of model {OTHER_MODEL}, the request is to {MODEL}",
        kind=PaymentRejected,
    ):
        method().check(presented(sample_order(model=OTHER_MODEL)), quote(), ORDERED_AT)
    with rejects(
        Reason.ORDER_PROVIDER,
        f"an order is paid to who proves it, {SERVER}; the provider of this model is "
        f"{STRANGER.address}",
        kind=PaymentRejected,
    ):
        asked = presented(sample_order(model=MODEL))
        method().check(asked, replace(quote(), provider=STRANGER.address), ORDERED_AT)
    with rejects(
        Reason.ORDER_BOND,
        "the order's bond is 1.000001 USDC, and this server stakes 1 at most",
        kind=PaymentRejected,
    ):
        method().check(presented(sample_order(model=MODEL, bond=1_000_001)), quote(), ORDERED_AT)


def test_what_is_on_the_terms_passes() -> None:
    method().check(presented(sample_order(model=MODEL, price=300_000)), quote(), ORDERED_AT)
    method().check(presented(sample_order(model=MODEL, server=SERVER)), quote(), ORDERED_AT)


# -- what the chain says ------------------------------------------------------------------------


async def test_an_open_order_is_reserved_to_be_accepted() -> None:
    chain, order = FakeEscrow(), sample_order(model=MODEL)
    asked = method(chain)
    found = await reserve(asked, order)
    assert (found.first_block, found.settled_in) == (99, None)
    assert (found.deliver_by, found.deadline) == (order.deliver_by, order.rescue_by)
    (tried,) = chain.trials
    assert tried == asked.settle(found.payment)
    assert (tried.server, tried.id, tried.order) == (SERVER, found.payment.nonce, order)


async def test_what_the_escrow_refuses_is_not_taken() -> None:
    message = "the escrow refuses accept: BalanceTooLow"
    with rejects(Reason.ORDER_REFUSED, message, kind=PaymentRejected):
        await reserve(method(FakeEscrow(refuses="BalanceTooLow")))


@pytest.mark.parametrize(
    ("changes", "waiting", "left", "what", "needed"),
    [
        ({"accept_by": ORDERED_AT + 59}, 0, 59, "accept_by", 60),
        # Twice ten seconds of proving, and a margin for each of two transactions.
        ({"deliver_by": ORDERED_AT + 139}, 0, 139, "deliver_by", 140),
        ({"deliver_by": ORDERED_AT + 179}, 2, 179, "deliver_by", 180),
    ],
)
async def test_an_order_that_leaves_too_little_time(
    changes: dict[str, int], waiting: float, left: int, what: str, needed: int
) -> None:
    order = sample_order(model=MODEL, **changes)
    message = (
        f"order {signed_order(order).id} leaves {left} seconds until {what}, and {needed} are "
        "needed; make another with later times"
    )
    with rejects(Reason.ORDER_LATE, message, kind=PaymentRejected):
        await reserve(method(waiting=waiting), order)
    await reserve(method(waiting=waiting), order, now=ORDERED_AT - 1)


async def test_an_order_that_costs_more_gas_than_it_brings() -> None:
    # 0.25 less 2.5 % of fee; a million gas at a gwei are a thousandth of a coin.
    order, gas = sample_order(model=MODEL), {"verify_gas": 700_000}
    dear = method(coin_units=243_750_000)
    message = "the order brings 0.24375 USDC, and 1000000 gas to serve it is worth 0.24375 USDC now"
    with rejects(Reason.ORDER_GAS, message, kind=PaymentRejected):
        await dear.reserve(presented(order), replace(quote(), **gas), ORDERED_AT, NoExposure())
    cheap = method(coin_units=243_749_999)
    await cheap.reserve(presented(order), replace(quote(), **gas), ORDERED_AT, NoExposure())


async def test_an_order_that_this_server_has_accepted_goes_on() -> None:
    found = await reserve(method(FakeEscrow(accepted(SERVER), TX)))
    assert (found.settled_in, found.first_block) == (TX.tx, TX.block)


async def test_an_order_of_another_server_waits_until_that_is_late() -> None:
    other = replace(TX, server=STRANGER.address)
    asked = method(FakeEscrow(accepted(STRANGER.address), other))
    order = sample_order(model=MODEL)
    message = (
        f"order {signed_order(order).id} is served by {STRANGER.address} until "
        f"{order.deliver_by}; send it again if it is late then"
    )
    with rejects(Reason.ORDER_TAKEN, message, kind=Unavailable):
        await reserve(asked, order, now=order.deliver_by)
    rescued = await reserve(asked, order, now=order.deliver_by + 1)
    assert rescued.settled_in == TX.tx
    with pytest.raises(PaymentRejected) as caught:
        await reserve(asked, order, now=order.rescue_by - 79)
    assert caught.value.reason is Reason.ORDER_LATE


async def test_an_order_that_nobody_knows_yet() -> None:
    asked = method(FakeEscrow(replace(OPEN, status=OrderStatus.NONE)))
    message = f"the escrow at {ESCROW} knows no order {presented().signed.id}"
    with rejects(Reason.ORDER_UNKNOWN, message, kind=Unavailable):
        await reserve(asked)
    lost = method(FakeEscrow(accepted(SERVER), None))
    with rejects(Reason.ORDER_UNKNOWN, message, kind=Unavailable):
        await reserve(lost)


@pytest.mark.parametrize("status", [s for s in OrderStatus if s.is_over])
async def test_an_order_that_is_over(status: OrderStatus) -> None:
    asked = method(FakeEscrow(replace(OPEN, status=status)))
    message = f"order {presented().signed.id} is {status.name.lower()}, and not open or accepted"
    with rejects(Reason.ORDER_STATUS, message, kind=PaymentRejected):
        await reserve(asked)


def test_what_buyers_see_of_it() -> None:
    order = sample_order()
    payment = order_payment(signed_order(order), SERVER)
    assert method().view(payment) == {
        "kind": "order",
        "nonce": payment.nonce.hex,
        "escrow": ESCROW.hex,
        "bond": "100000",
        "deliver_by": order.deliver_by,
        "rescue_by": order.rescue_by,
    }
    assert method().challenge(quote()) is None
    assert method().used(presented()).reason is Reason.PAYMENT_REPLAYED


def test_a_buyer_needs_a_gateway_of_the_same_escrow() -> None:
    class Offer:
        def __init__(self, escrow: Address | None) -> None:
            offer = {} if escrow is None else {"escrow": {"address": escrow.hex}}
            self.extensions = {"inferproof": {"info": offer}}

    made = MadeOrder(ESCROW, sample_order(), INPUT_SALT)
    made.require_offered(Offer(ESCROW))  # type: ignore[arg-type]
    with pytest.raises(PaymentRejected) as caught:
        made.require_offered(Offer(None))  # type: ignore[arg-type]
    assert caught.value.reason is Reason.ESCROWS_CLOSED
    message = (
        f"the order is in the escrow {ESCROW}, this gateway serves those in {STRANGER.address}"
    )
    with rejects(Reason.ORDER_ESCROW, message, kind=PaymentRejected):
        made.require_offered(Offer(STRANGER.address))  # type: ignore[arg-type]


# -- the input ----------------------------------------------------------------------------------

BODY = b'{"input":[1.5,-2,0.25]}'
REQUEST = Request("POST", "/v1/models/sample/infer", BODY)
TENSORS = sample_preprocess({}, BODY)
NUMBERS = b"the numbers"
ORDER = Digest(b"\x0e" * 32)
ORDERED = OrderedInput(
    input_commitment(INPUT_SALT.raw, TENSORS), Digest(keccak256(NUMBERS)), INPUT_SALT
)


class Model:
    """A registered model, as far as it is asked for its bundle."""

    class submission:  # noqa: N801
        bundle = Sample().bundle


async def check(ordered: OrderedInput = ORDERED, request: Request = REQUEST) -> list[Any]:
    asked: list[Any] = []

    async def key(bundle: Any) -> None:
        asked.append(bundle)

    checks = OrderedInputs(sample_preprocess, lambda _bundle, _tensors: NUMBERS, key)
    await checks(Model, request, ORDER, ordered)  # type: ignore[arg-type]
    return asked


async def test_the_ordered_input_passes_once_the_key_is_the_models() -> None:
    assert await check() == [Sample().bundle]


async def test_another_input_than_the_ordered_one() -> None:
    other = replace(REQUEST, body=b'{"input":[1.5,-2,0.5]}')
    got = input_commitment(INPUT_SALT.raw, sample_preprocess({}, other.body))
    message = (
        f"the request is not what the order {ORDER} is about: its input is committed to as {got}, "
        f"and not as {ORDERED.commitment}"
    )
    with rejects(Reason.ORDER_INPUT, message, kind=InputRejected):
        await check(request=other)


async def test_another_salt_than_the_ordered_one() -> None:
    with pytest.raises(InputRejected) as caught:
        await check(replace(ORDERED, salt=Digest(b"\x01" * 32)))
    assert caught.value.reason is Reason.ORDER_INPUT


async def test_other_numbers_than_the_ordered_ones() -> None:
    wanted = Digest(b"\x02" * 32)
    message = (
        f"the request is not what the order {ORDER} is about: its numbers have the digest "
        f"{ORDERED.numbers}, and not {wanted}"
    )
    with rejects(Reason.ORDER_INPUT, message, kind=InputRejected):
        await check(replace(ORDERED, numbers=wanted))


async def test_a_private_input_is_none_of_an_order() -> None:
    message = f"the request is not what the order {ORDER} is about: it asks for a private input"
    with rejects(Reason.ORDER_INPUT, message, kind=InputRejected):
        await check(request=replace(REQUEST, salt=b"\x03" * 32))
