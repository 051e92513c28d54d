"""What a buyer allows its client to spend, on what, and to whom."""

from dataclasses import dataclass

from inferproof.errors import PolicyRejected, Reason
from inferproof.types.digest import Address
from inferproof.types.money import Asset, Money, Network, parse_units
from inferproof.types.payment import Quote

DEVNET = Network.evm(31337)
"""The chain id of local test chains. What is signed for it is worth nothing anywhere else."""


def _usdc(chain_id: int, address: str, name: str) -> Asset:
    return Asset(Network.evm(chain_id), Address.from_hex(address), "USDC", 6, name, "2")


USDC: tuple[Asset, ...] = (
    _usdc(1, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USD Coin"),
    _usdc(137, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USD Coin"),
    _usdc(8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin"),
    _usdc(42161, "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin"),
    _usdc(43114, "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USD Coin"),
    _usdc(84532, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC"),
    _usdc(421614, "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USD Coin"),
)
"""USDC where Circle issues it: Ethereum, Polygon, Base, Arbitrum, Avalanche, and the test
networks of Base and Arbitrum. Decimals must come from here and not from a gateway: a gateway
that names six decimals of an asset that has four would be paid a hundred times its price."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be paid. None allows any.

    `assets` are those that may be spent, `networks` narrows them; on DEVNET any asset may be
    spent. `budget` is the total for each asset, over the life of the client's ledger.
    """

    budget: str | Money | None = None
    payees: frozenset[Address] | None = None
    assets: frozenset[Asset] = frozenset(USDC)
    networks: frozenset[Network] | None = None

    def check(self, quote: Quote, max_price: str | Money, price: Money | None = None) -> None:
        """Returns when asset and payee of a quote are allowed, and what is to be spent: its price,
        unless another is given.

        Raises: PolicyRejected ASSET_NOT_ALLOWED, PAYEE_NOT_ALLOWED, PRICE_ABOVE_MAX.
        """
        asset = quote.price.asset
        on_network = self.networks is None or asset.network in self.networks
        if not on_network or (asset not in self.assets and asset.network != DEVNET):
            raise _asset_refused(asset)
        if self.payees is not None and quote.payee not in self.payees:
            raise PolicyRejected(Reason.PAYEE_NOT_ALLOWED, payee=quote.payee)
        limit = in_asset(max_price, asset)
        price = price or quote.price
        if price.amount > limit.amount:
            raise PolicyRejected(Reason.PRICE_ABOVE_MAX, price=price, limit=limit)

    def check_budget(self, price: Money, spent: int) -> None:
        """Returns when the price fits in the budget. Raises: PolicyRejected BUDGET_EXCEEDED."""
        if self.budget is None:
            return
        left = max(in_asset(self.budget, price.asset).amount - spent, 0)
        if price.amount > left:
            raise PolicyRejected(Reason.BUDGET_EXCEEDED, price=price, left=Money(left, price.asset))


def in_asset(limit: str | Money, asset: Asset) -> Money:
    """A limit in units of this asset; a decimal string is taken in whichever asset is asked for.

    Raises: RequestRejected AMOUNT_MALFORMED; PolicyRejected ASSET_NOT_ALLOWED where the limit
    is money in another asset.
    """
    if isinstance(limit, Money):
        if limit.asset != asset:
            raise _asset_refused(asset)
        return limit
    return Money(parse_units(limit, asset.decimals), asset)


def _asset_refused(asset: Asset) -> PolicyRejected:
    return PolicyRejected(
        Reason.ASSET_NOT_ALLOWED,
        symbol=asset.symbol,
        token=asset.address,
        network=asset.network,
    )
