"""What serves orders in an escrow, where one is set."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.app.order_proofs import OrderKeys, OrderProofs
from inferproof.app.stores import Stores
from inferproof.chain.abi import calldata, words
from inferproof.chain.escrow import Escrow, open_escrow
from inferproof.chain.model_registry import ModelRegistry
from inferproof.chain.rpc import Rpc
from inferproof.chain.scores import ReputationScores
from inferproof.chain.serving import BondAccount, OrderAccount
from inferproof.chain.token import TokenChain
from inferproof.chain.verifier_router import VerifierRouter
from inferproof.payments.escrow.method import OrderTerms
from inferproof.protocol.signature import SigningKey
from inferproof.services.settlement.bonds import BondParts
from inferproof.services.settlement.orders import DeliveryParts
from inferproof.settings import Settings
from inferproof.types.digest import Address

REGISTRY = "REGISTRY()"
ROUTER = "ROUTER()"
REPUTATION = "REPUTATION()"


@dataclass(frozen=True, slots=True)
class Serving:
    """A server's parts. `account` is its own in the escrow."""

    escrow: Escrow
    account: OrderAccount
    keys: OrderKeys
    deliveries: DeliveryParts
    bonds: BondParts | None
    terms: OrderTerms
    scores: ReputationScores


async def open_serving(
    settings: Settings, rpc: Rpc, key: SigningKey, stores: Stores
) -> Serving | None:
    """What serves orders in the escrow of the settings, which is found to be the one we ship; None
    where none is set.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured ESCROW_CODE_UNKNOWN; Unavailable.
    """
    if settings.escrow_address is None:
        return None
    escrow = await open_escrow(rpc, Address.from_hex(settings.escrow_address))
    names = (REGISTRY, ROUTER, REPUTATION)
    registry, router, reputation = await _asked(rpc, escrow.address, names)
    account, keep = OrderAccount(rpc, escrow, key), settings.escrow_keep_units
    proofs = OrderProofs(rpc, VerifierRouter(rpc, router), stores.catalog, stores.blobs)
    return Serving(
        escrow=escrow,
        account=account,
        keys=OrderKeys(ModelRegistry(rpc, registry)),
        deliveries=DeliveryParts(stores.orders.deliveries, account, proofs),
        bonds=None
        if keep is None
        else BondParts(BondAccount(TokenChain(rpc, settings.asset), escrow, key), keep),
        terms=OrderTerms(
            escrow=escrow.address,
            server=key.address,
            margin_s=settings.escrow_margin_s,
            bond_limit=settings.escrow_bond_limit_units,
            coin_units=settings.escrow_coin_units,
        ),
        scores=ReputationScores(rpc, reputation),
    )


async def _asked(rpc: Rpc, escrow: Address, names: Sequence[str]) -> list[Address]:
    found = [words(await rpc.call(escrow, calldata(name), what=name)) for name in names]
    return [Address(word[12:]) for (word,) in found]
