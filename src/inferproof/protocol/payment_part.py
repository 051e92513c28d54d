"""How payments stand in receipts, and are checked there, whatever their method.

A receipt states of every payment its asset, payer, payee, amount and signature, and beside them
what its method adds. What a method adds, and what it takes for that to hold, is the method's own: a
`PaymentPart` says it, and is handed to whoever reads, signs or verifies a receipt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.protocol.claims import PaymentClaims
from inferproof.protocol.fields import Fields
from inferproof.types.digest import Digest
from inferproof.types.event import Log
from inferproof.types.payment import Payment
from inferproof.types.receipt import Receipt


@dataclass(frozen=True, slots=True)
class PartForm:
    """The signed form of a method's part: names and EIP-712 types of its own fields, in order. The
    common ones stand before them, and the payer's signature behind.

    `prefix` names the structs: `⟨prefix⟩Receipt` with a `⟨prefix⟩Payment` in it.
    """

    prefix: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Authorized:
    """What a payer signed, once it was checked.

    `how` says it in a few words. An order can have been placed with it from the second `earliest`
    to the second `latest`, None standing for ever. Units: Unix seconds.
    """

    how: str
    earliest: int = 0
    latest: int | None = None


class Included(Protocol):
    """A transaction that is in a block, as a chain gives it."""

    @property
    def tx(self) -> Digest: ...

    @property
    def succeeded(self) -> bool: ...

    @property
    def block(self) -> int: ...

    @property
    def logs(self) -> Sequence[Log]: ...


class PaymentPart(Protocol):
    """The receipt's side of one payment method. Pure: it asks no chain and no clock.

    `request` is the digest of the paid request, `salt` the secret that was announced with the
    payment, where one was.
    """

    @property
    def method(self) -> str:
        """The method's name, as `Payment.method` has it."""
        ...

    @property
    def form(self) -> PartForm: ...

    def receipt_part(self, payment: Payment) -> Mapping[str, object]:
        """The method's own fields of a payment under the names of its form, as they are signed."""
        ...

    def recognises(self, fields: Fields) -> bool:
        """Whether a receipt's payment, in decoded JSON, is of this method. Reads no field.

        Soundness: of two methods at most one does; their names of fields tell them apart.
        """
        ...

    def read_receipt_part(self, fields: Fields, request: Digest, salt: Digest | None) -> Payment:
        """The payment in decoded JSON that this method recognises.

        Raises: RequestRejected FIELD_MALFORMED.
        """
        ...

    def job_id(self, payment: Payment, request: Digest, salt: Digest | None) -> Digest:
        """The job that the payment buys. Hidden from who sees the payment alone."""
        ...

    def claims(self, payment: Payment, request: Digest, salt: Digest | None) -> PaymentClaims:
        """What can be claimed of the payment. Nothing is checked but whether it covers the
        request."""
        ...

    def verify_receipt_part(self, receipt: Receipt) -> Authorized:
        """What the payer authorized, once its signature holds, on the quoted terms, and the
        settlement is one that the method allows.

        Raises: PaymentRejected and ReceiptRejected, each with its reason.
        Soundness: that the settlement happened is checked by `verify_on_chain` alone.
        """
        ...

    def verify_on_chain(self, receipt: Receipt, found: Included) -> str:
        """How the transaction, which is the one that the receipt's settlement names, moved exactly
        this payment: words to put behind it, or none.

        Raises: PaymentRejected with its reason where it did not.
        """
        ...


PaymentParts = Mapping[str, PaymentPart]
"""Payment methods by their names."""
