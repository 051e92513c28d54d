"""Quotes, authorizations to move funds, and settlements."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Money


@dataclass(frozen=True, slots=True)
class Quote:
    """A price and its terms. Signed by the gateway; its EIP-712 digest is its id.

    `request_digest` is zero when the quote holds for any request to the model. Times are Unix
    seconds; predictions come from measured cost and bind nobody. Source: specs/receipt.md.
    """

    model_id: str
    model_commitment: Digest
    proof_system: str
    provider: Address
    price: Money
    payee: Address
    request_digest: Digest
    prove_ms: int
    peak_bytes: int
    proof_bytes: int
    verify_gas: int
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Authorization:
    """A payer's EIP-3009 authorization: `payee` may take `amount` once, in a span of time.

    Units: `amount` in atomic units of the asset; times in Unix seconds, the authorization
    being valid strictly after `valid_after` and strictly before `valid_before`.
    """

    asset: Asset
    payer: Address
    payee: Address
    amount: int
    valid_after: int
    valid_before: int
    nonce: Digest
    signature: bytes = field(repr=False)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.asset)


@dataclass(frozen=True, slots=True)
class TransferClaim:
    """A payer's signed word that a transfer, which it made before, pays for one request.

    `log_index` is the place of the Transfer event among the logs of its transaction, from 0;
    None leaves the choice among the payer's own transfers there to the gateway. `request` is the
    digest of the request, `salt` 32 secret random bytes, not zero. Source: specs/transfer.md.
    """

    asset: Asset
    payer: Address
    payee: Address
    transaction: Digest
    log_index: int | None
    request: Digest
    salt: Digest
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransferPayment:
    """A transfer that was found on the chain, and the claim that spends it.

    Units: `amount` is what the transfer moved, in atomic units; it may be more than the price.
    `log_index` is where it was found. `nonce` makes it single-use: a digest of transaction and
    log index (`protocol.transfer.transfer_nonce`).
    """

    claim: TransferClaim
    amount: int
    log_index: int
    nonce: Digest

    @property
    def asset(self) -> Asset:
        return self.claim.asset

    @property
    def payer(self) -> Address:
        return self.claim.payer

    @property
    def payee(self) -> Address:
        return self.claim.payee

    @property
    def money(self) -> Money:
        return Money(self.amount, self.asset)


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as it is kept and as receipts state it, whatever its method.

    `method` names its payment method. `nonce` makes it single-use, beside network, token and payer.
    `terms` is what only the method reads: the canonical JSON of what it says in a receipt beside
    asset, payer, payee, amount and the payer's signature. `ends` is the second from which it can no
    longer be settled; None where it is settled before it is taken. Units: `amount` in atomic units.
    """

    method: str
    asset: Asset
    payer: Address
    payee: Address
    amount: int
    nonce: Digest
    terms: bytes
    signature: bytes = field(repr=False)
    ends: int | None = None

    @property
    def money(self) -> Money:
        return Money(self.amount, self.asset)

    def is_same(self, other: "Payment") -> bool:
        """Whether both are one payment: a wallet may sign the same terms twice."""
        return replace(self, signature=other.signature) == other


@dataclass(frozen=True, slots=True)
class PayerState:
    """What a chain says of a payer and an authorization.

    Units: `balance` in atomic units. `head` is a block that was the newest one before the
    authorization was found unused: no settlement of it is in an older one. Where the payer's
    account `has_code`, a token may ask that code whether the signature holds (EIP-1271), so that
    only a trial tells whether the authorization settles.
    """

    balance: int
    used: bool
    head: int
    has_code: bool = False


class SettlementState(StrEnum):
    """The outcome of a settlement on chain."""

    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of a settlement. Transaction and block are present once it is settled."""

    state: SettlementState
    transaction: Digest | None = None
    block: int | None = None
