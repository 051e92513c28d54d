"""Orders in an escrow, without I/O: what a buyer locks money for, made of a gateway's offer.

    1  ask for the offer, as for any call; the gateway must serve orders in the buyer's escrow
    2  check it against policy and limits
    3  fetch the model's verifier bundle, which has the offered commitment, and look whether the
       escrow's registry knows the model by that bundle's key: its contract pays by no other
    4  pre-process and quantise the input here, so that the order commits to it
    5  sign the order, and an authorization of its price whose nonce is its id; write it down

Then the money is locked by one transaction, which anyone may send, and the call goes on as any
other: the same request with the order in a header.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import quote as percent

from inferproof.client.answer import Answer
from inferproof.client.checks import check_offer
from inferproof.client.flow import (
    JSON_HEADERS,
    Buyer,
    challenge_flow,
    paid_flow,
    unpaid,
    unpaid_call,
)
from inferproof.client.ledger import PaidCall
from inferproof.client.steps import Call, Event, Step, refusal
from inferproof.errors import ArtifactRejected, PaymentRejected, Reason, RequestRejected
from inferproof.payments.escrow.buyer import MadeOrder, SentOrder, offered_escrow
from inferproof.payments.escrow.wire import SignedOrder, parse_order
from inferproof.payments.x402 import Challenge
from inferproof.protocol.authorization import receive_digest
from inferproof.protocol.commitments import input_commitment
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.escrow import order_id
from inferproof.protocol.signature import Signer
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.escrow import Order
from inferproof.types.money import Asset, Money
from inferproof.types.payment import Authorization
from inferproof.types.tensor import Tensors
from inferproof.types.verifier import ContractAssurance

Preprocess = Callable[[VerifierBundle, bytes], Tensors]
Numbers = Callable[[VerifierBundle, Tensors], bytes]


class OrderChain(Protocol):
    """What making an order asks of a chain and of the proof systems that are installed."""

    def check(self, escrow: Address, bundle: VerifierBundle) -> None:
        """Returns when the contract is an escrow of ours, whose registry knows the bundle's model
        by the bundle's key. Raises: NotFound CHAIN_NO_CONTRACT, VERSION_NOT_REGISTERED;
        Misconfigured ESCROW_CODE_UNKNOWN; ArtifactRejected REGISTRY_OTHER_KEY; Unavailable."""
        ...

    def now(self) -> int:
        """The time of the newest block, in Unix seconds. Raises: Unavailable."""
        ...

    def numbers(self, bundle: VerifierBundle, tensors: Tensors) -> bytes:
        """What the input is quantised to, as the model's contract verifier takes it.

        Raises: NotFound NO_CONTRACT_FOR_SYSTEM; InputRejected.
        """
        ...

    def place(self, escrow: Address, order: Order, authorization: Authorization) -> None:
        """Returns when the order is open in the escrow, with its price locked; also when it was
        before. Raises: Rejection ORDER_REFUSED; Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What a buyer chooses of an order. Units: seconds; `bond_bps` in basis points of the price.

    It is to be accepted within `accept_s`; delivered by the server that accepts within `deliver_s`
    more, and by any within `rescue_s` more. With `any_server` others than the gateway's may accept,
    and one that has no input could, to make the buyer wait.
    """

    accept_s: int = 120
    deliver_s: int = 600
    rescue_s: int = 600
    bond_bps: int = 2_000
    any_server: bool = False
    plan: Digest = ZERO_DIGEST
    assurance: ContractAssurance = ContractAssurance.ZK_INTEGRITY


@dataclass(frozen=True, slots=True)
class PreparedOrder:
    """A signed order that nothing was paid for yet, and the call that it will pay for."""

    made: MadeOrder
    authorization: Authorization = field(repr=False)
    call: PaidCall = field(repr=False)
    gateway: Address


def prepare_order(
    buyer: Buyer,
    model: str,
    body: bytes,
    max_price: str | Money,
    escrow: Address,
    terms: OrderTerms,
    chain: OrderChain,
    preprocess: Preprocess,
) -> Generator[Step, Event, PreparedOrder]:
    """Steps 1 to 5. The call is recorded in the buyer's ledger: `resume` takes it up.

    Raises: PaymentRejected ESCROWS_CLOSED, ORDER_ESCROW; what the limits, the policy and the
    gateway refuse; as `OrderChain.check`.
    Soundness: the buyer names the escrow. One that a gateway names could have a verifier that lets
    everything pass.
    """
    # 1
    call = unpaid_call(buyer, model, body, None)
    challenge, offer = yield from challenge_flow(buyer, call, None)
    offered = offered_escrow(challenge)
    if offered is None:
        raise PaymentRejected(Reason.ESCROWS_CLOSED)
    if offered != escrow:
        raise PaymentRejected(Reason.ORDER_ESCROW, got=escrow, expected=offered)
    # 2
    price = challenge.quote.price
    check_offer(offer, buyer.policy, buyer.tools)
    buyer.limits.check(challenge.quote, max_price)
    buyer.limits.check_budget(price, buyer.ledger.spent(price.asset))
    # 3
    bundle = yield from _bundle(buyer, model, challenge.quote.model_commitment)
    chain.check(escrow, bundle)
    # 4
    salt = Digest(buyer.salts())
    tensors = preprocess(bundle, body)
    order = _order(challenge, terms, buyer.signer.address, chain.now())
    order = replace(
        order,
        input_commitment=input_commitment(salt.raw, tensors),
        inputs=Digest(keccak256(chain.numbers(bundle, tensors))),
        salt=Digest(buyer.salts()),
    )
    # 5
    made = MadeOrder(escrow, order, salt)
    authorization = authorize(escrow, order, price.asset, buyer.signer)
    paid = PaidCall(
        path=call.path,
        body=call.body,
        payment=made.sign(challenge, buyer.signer, salt, int(buyer.clock())),
        quote=challenge.quote,
        quote_signature=challenge.quote_signature,
    )
    buyer.ledger.record(paid, lambda spent: buyer.limits.check_budget(price, spent))
    return PreparedOrder(made, authorization, paid, offer.gateway)


def rescue_flow(buyer: Buyer, paid: PaidCall) -> Generator[Step, Event, Answer]:
    """The answer to a call whose order another server was late with, from the gateway that is asked
    now. Raises: PaymentRejected ESCROWS_CLOSED, ORDER_ESCROW; as `paid_flow`."""
    signed = order_in(paid)
    call = Call("POST", paid.path, paid.body, JSON_HEADERS)
    challenge, offer = yield from challenge_flow(buyer, call, None)
    salt = parse_order(paid.payment.header, [signed.asset]).salt
    made = MadeOrder(signed.escrow, signed.order, salt)
    made.require_offered(challenge)
    check_offer(offer, buyer.policy, buyer.tools)
    again = replace(
        paid,
        payment=made.sign(challenge, buyer.signer, salt, int(buyer.clock())),
        quote=challenge.quote,
        quote_signature=challenge.quote_signature,
    )
    return (yield from paid_flow(buyer, again, offer.gateway))


def order_in(paid: PaidCall) -> SignedOrder:
    """The order that pays for a call. Raises: RequestRejected CALL_WITHOUT_ORDER."""
    if not isinstance(paid.payment, SentOrder):
        raise RequestRejected(Reason.CALL_WITHOUT_ORDER, job=paid.job_id)
    return paid.payment.signed


def _bundle(buyer: Buyer, model: str, commitment: Digest) -> Generator[Step, Event, VerifierBundle]:
    call = Call("GET", f"{buyer.prefix}/v1/models/{percent(model, safe='@')}/verifier")
    reply = yield from unpaid(buyer, call)
    if reply.status >= 400:
        raise refusal(reply, call).error()
    bundle = decode_bundle(reply.body)
    if bundle.commitment != commitment:
        raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part="commitment")
    return bundle


def _order(challenge: Challenge, terms: OrderTerms, buyer: Address, now: int) -> Order:
    quote = challenge.quote
    accept_by = now + terms.accept_s
    deliver_by = accept_by + terms.deliver_s
    return Order(
        buyer=buyer,
        token=quote.price.asset.address,
        price=quote.price.amount,
        bond=quote.price.amount * terms.bond_bps // 10_000,
        model=quote.model_commitment,
        input_commitment=ZERO_DIGEST,
        inputs=ZERO_DIGEST,
        assurance=terms.assurance,
        accept_by=accept_by,
        input_by=accept_by,
        deliver_by=deliver_by,
        rescue_by=deliver_by + terms.rescue_s,
        salt=ZERO_DIGEST,
        plan=terms.plan,
        server=ZERO_ADDRESS if terms.any_server else quote.provider,
    )


def authorize(escrow: Address, order: Order, asset: Asset, signer: Signer) -> Authorization:
    """The buyer's authorization of the order's price, worth nothing but for this order."""
    unsigned = Authorization(
        asset=asset,
        payer=order.buyer,
        payee=escrow,
        amount=order.price,
        valid_after=0,
        valid_before=order.accept_by,
        nonce=order_id(order, asset.network.chain_id, escrow),
        signature=b"",
    )
    return replace(unsigned, signature=signer.sign(receive_digest(unsigned)))
