"""How a price is shared between developer and platform, and why an order pays nothing.

Source: docs/adr/0055-revenue-is-derived-from-settled-orders.md.
"""

from collections.abc import Collection

from inferproof.protocol.authorization import asset_domain
from inferproof.protocol.eip712 import Struct, address_word, digest, hash_words
from inferproof.protocol.encoding import tagged_digest
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState
from inferproof.types.money import Asset
from inferproof.types.payment import SettlementState
from inferproof.types.revenue import OrderFacts, PayoutState, Shares, Unpaid

WHOLE_BPS = 10_000
DEVELOPER_BPS = 7_000
"""What a developer has of a price where a model card does not say otherwise."""
MAX_ITEMS = 100
"""Items of a payout at most: the contract's own limit."""

LEDGER_TAG = "inferproof/revenue-ledger/1"
PAYOUT_TAG = "inferproof/payout/1"
FUNDING_TAG = "inferproof/payout-funding/1"

RECEIVE_WITH_AUTHORIZATION = Struct(
    "ReceiveWithAuthorization",
    {
        "from": "address",
        "to": "address",
        "value": "uint256",
        "validAfter": "uint256",
        "validBefore": "uint256",
        "nonce": "bytes32",
    },
)
"""Source: EIP-3009."""

SENTENCES = {
    Unpaid.OPEN: "the order is not over",
    Unpaid.NOT_TAKEN: "no money was taken for the order",
    Unpaid.TO_GIVE_BACK: "the price is to go back to the buyer",
    Unpaid.GIVEN_BACK: "the price went back to the buyer",
    Unpaid.TO_DELIVER: "the escrow pays once the answer is delivered",
    Unpaid.NOT_DELIVERED: "the answer was not delivered to the escrow, which paid nothing",
    Unpaid.LOST: "the chain took the payment back for good",
    Unpaid.UNCERTAIN: "it is not certain that the chain has the payment",
    Unpaid.NOT_DEEP: "the block of the payment may still be taken back",
    Unpaid.NOT_ENTERED: "it was not entered yet",
    Unpaid.ZERO: "the developer's share of the price is nothing",
    Unpaid.OWN: "the developer is the platform itself",
    Unpaid.SMALL: "less is due to the developer than the least payout",
    Unpaid.WAITS: "no payout was made since",
    Unpaid.UNDER_WAY: "its payout is in no block yet",
    Unpaid.CREDITED: "the token did not pass it on: it waits in the contract for the developer",
}
"""Why nothing was paid, in words."""


def split(price: int, developer_bps: int) -> Shares:
    """The parts of a price. They sum to it; what rounding leaves is the developer's.

    Units: atomic, basis points. Raises: ValueError for a share that is none: a bug of ours.
    """
    if not 0 <= developer_bps <= WHOLE_BPS or price < 0:
        raise ValueError("a share is 0 to 10,000 basis points of a price that is not negative")
    platform = price * (WHOLE_BPS - developer_bps) // WHOLE_BPS
    return Shares(price - platform, platform)


def why_unpaid(
    facts: OrderFacts, platform: Address, small: Collection[Address] = ()
) -> Unpaid | None:
    """Why the order has paid its developer nothing; None where the developer has the money.

    `small` are the developers to whom less is due than the least payout.
    """
    entry, payout = facts.entry, facts.payout
    if entry is None:
        return _why_not_entered(facts)
    if entry.shares.developer == 0:
        return Unpaid.ZERO
    if payout is None:
        if entry.developer == platform:
            return Unpaid.OWN
        return Unpaid.SMALL if entry.developer in small else Unpaid.WAITS
    if payout.state is not PayoutState.PAID:
        return Unpaid.UNDER_WAY
    return Unpaid.CREDITED if payout.credited else None


def _why_not_entered(facts: OrderFacts) -> Unpaid:
    over = {
        JobState.VOID: Unpaid.NOT_TAKEN,
        JobState.FAILED: Unpaid.TO_GIVE_BACK,
        JobState.REFUNDING: Unpaid.TO_GIVE_BACK,
        JobState.REFUNDED: Unpaid.GIVEN_BACK,
    }
    if facts.state is not JobState.DONE:
        return over.get(facts.state, Unpaid.OPEN)
    if facts.delivery is not None and facts.delivery is not OrderDeliveryState.DELIVERED:
        is_open = facts.delivery is OrderDeliveryState.OPEN
        return Unpaid.TO_DELIVER if is_open else Unpaid.NOT_DELIVERED
    if facts.settlement is SettlementState.SETTLED:
        return Unpaid.NOT_ENTERED if facts.is_deep else Unpaid.NOT_DEEP
    return Unpaid.LOST if facts.settlement is SettlementState.FAILED else Unpaid.UNCERTAIN


def ledger_digest(asset: Asset, contract: Address, payer: Address) -> Digest:
    """What a ledger is called on the chain: the same for every copy of one gateway's database."""
    network = asset.network.caip2.encode()
    return tagged_digest(LEDGER_TAG, network, asset.address.raw, contract.raw, payer.raw)


def payout_id(ledger: Digest, number: int, position: int) -> Digest:
    """The id under which the contract pays an item, once for ever.

    Encoding: the first 31 bytes are of a digest of ledger and number; the last is the position,
    so that all items of a payout share one slot of the contract.
    Soundness: whom an item pays is not in it. Two databases that are copies of one another, and
    have come to different payouts of one number, cannot both make theirs.
    """
    if not 0 <= position < MAX_ITEMS:
        raise ValueError(f"a payout has {MAX_ITEMS} items at most")
    word = tagged_digest(PAYOUT_TAG, ledger.raw, number.to_bytes(8, "big"))
    return Digest(word.raw[:31] + bytes([position]))


def funding_nonce(ledger: Digest, number: int) -> Digest:
    """The EIP-3009 nonce by which the contract receives what a payout pays."""
    return tagged_digest(FUNDING_TAG, ledger.raw, number.to_bytes(8, "big"))


def funding_digest(
    asset: Asset, payer: Address, contract: Address, amount: int, nonce: Digest, valid_before: int
) -> Digest:
    """What the payer signs, so that the contract may receive the amount from it, and nobody else.

    Source: EIP-3009, receiveWithAuthorization. It is valid from the beginning of time.
    """
    words = (address_word(payer), address_word(contract), amount, 0, valid_before, nonce.raw)
    return digest(asset_domain(asset), hash_words(RECEIVE_WITH_AUTHORIZATION, *words))


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_cell(value: object) -> str:
    """A value as a cell of a CSV file that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
