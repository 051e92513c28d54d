"""What a payment method is. Each is one folder beside this file, and has up to three sides.

- `PaymentPart` (protocol.payment_part) states and checks payments in receipts. It is pure: workers
  and verifiers ask it.
- `PaymentMethod` adds to it what a gateway asks: from its entry in the 402 to what settles it.
- `BuyerMethod` (payments.buyer) signs for a request, and gives a `SignedPayment`: clients ask it.

An order goes through a PaymentMethod in this order; `services.orders.intake` has all its steps:

    challenge ─ the buyer pays ─ read ─ check_signed, check_bound, check ─ reserve ─ settle
                                 pure                                      asks a chain

A method may be settled by a transaction of ours after the order was taken (`exact`), or have been
settled before (`transfer`): `reserve` says which, for each payment that it finds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from inferproof.errors import Conflict
from inferproof.protocol.encoding import Json
from inferproof.protocol.payment_part import PaymentPart
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import OrderedInput, Settleable
from inferproof.types.payment import Payment, Quote

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Presented(Generic[P]):
    """A payment as it came with a request. Nothing of it is verified but its form and its asset.

    `signed` is what its payer signed, as the method has it. `payment` is the payment itself, where
    that is known before a chain is asked; `job_id` is given where it is not: the one job that this
    can have bought. `salt` is the secret that was announced with it, `quote` the signed price that
    it answers, and `payment_id` the payer's own name for it, where they were sent. `draws` says
    whether its money is still to be taken out of the payer's balance. `ordered` is the input that
    it is for, where its payer committed to one: the proof is about that commitment.
    """

    method: str
    payer: Address
    signed: P
    payment: Payment | None = None
    job_id: Digest | None = None
    salt: Digest | None = field(default=None, repr=False)
    quote: tuple[Quote, bytes] | None = field(default=None, repr=False)
    payment_id: str | None = None
    draws: bool = True
    ordered: OrderedInput | None = None


@dataclass(frozen=True, slots=True)
class Reservable:
    """A payment that an order may reserve.

    No settlement of it is in a block older than `first_block`. With `settled_in`, the transaction
    that moved its money, it is settled already, in that block. With `deliver_by` the money is
    earned by a delivery on the chain, alone until that second and at all until `deadline`.
    """

    payment: Payment
    first_block: int
    settled_in: Digest | None = None
    deliver_by: int | None = None
    deadline: int | None = None


class PayerExposure(Protocol):
    """What an order's payer promised to its other orders here that are not settled yet."""

    def promised(self) -> Sequence[int]:
        """Amounts in atomic units of the asset, also of some that were settled lately."""
        ...

    async def look(self) -> None:
        """Returns when `promised` is exact as of now. Raises: Unavailable STORAGE_UNAVAILABLE."""
        ...

    async def allows(self) -> bool:
        """Whether the payer may have this order unsettled too, by what it has settled before."""
        ...

    async def check(self) -> None:
        """Raises: TooMany PAYER_EXPOSURE where it may not."""
        ...


class PaymentMethod(PaymentPart, Protocol[P]):
    """The gateway's side of one payment method. `request` is the digest of the paid request."""

    @property
    def header(self) -> str:
        """The name of the header that carries its payments."""
        ...

    @property
    def takes_key(self) -> bool:
        """Whether an Idempotency-Key names its payments; without, the header is not read."""
        ...

    def challenge(self, quote: Quote) -> dict[str, Json] | None:
        """Its entry of x402's `accepts` in the 402 that asks for the quoted price; None where it
        has none, since public clients pay the first entry that they know."""
        ...

    def offer(self) -> dict[str, Json]:
        """What it says of itself, whatever the price: members of our extension in a 402, and of
        the discovery document. Empty for a method that is closed."""
        ...

    def read(self, headers: Mapping[str, str]) -> Presented[P] | None:
        """The payment in a request's headers, by their names in lower case; None for none.

        Raises: PaymentRejected with the reason of its form.
        """
        ...

    def check_signed(self, presented: Presented[P], request: Digest) -> None:
        """Returns when the payer's own key signed it. Raises: PaymentRejected."""
        ...

    def check_bound(self, presented: Presented[P], request: Digest) -> None:
        """Returns when it is bound to the request, where it says that it is.

        Raises: PaymentRejected.
        """
        ...

    def check(self, presented: Presented[P], quote: Quote, now: int) -> None:
        """Returns when it is on the quoted terms, at this time. Raises: PaymentRejected."""
        ...

    async def reserve(
        self, presented: Presented[P], quote: Quote, now: int, exposure: PayerExposure
    ) -> Sequence[Reservable]:
        """The payments that the order may reserve, one of them, in this order; at least one.

        Each has its key: network, token, payer and `Payment.nonce` are single-use.
        Raises: PaymentRejected, Unavailable, as the chain says.
        """
        ...

    def used(self, presented: Presented[P]) -> Conflict:
        """What is said where all that it could reserve is reserved for other orders."""
        ...

    def settle(self, payment: Payment) -> Settleable | None:
        """What the chain is given to take the money, or the order up; None where the money was
        taken before the order."""
        ...

    def view(self, payment: Payment) -> dict[str, Json]:
        """What buyers see of it beside payer, payee and amount; `kind` says what it is."""
        ...


PaymentMethods = Mapping[str, PaymentMethod[Any]]
"""Payment methods by their names, in the order in which a 402 offers them."""
