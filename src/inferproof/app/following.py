"""The registry of models on a chain that a gateway follows, by its settings."""

from inferproof.app.running import clock
from inferproof.app.stores import Stores
from inferproof.chain.listings import RegistryListings
from inferproof.chain.model_registry import check_registry
from inferproof.chain.rpc import Rpc
from inferproof.services.models.followed_registry import FollowedRegistry, FollowerSettings
from inferproof.settings import Settings
from inferproof.storage.sql.listings import SqlListings
from inferproof.types.digest import Address


def registry_address(settings: Settings) -> Address | None:
    """The address of the registry that is followed; None where none is."""
    address = settings.model_registry_address
    return None if address is None else Address.from_hex(address)


async def open_followed(settings: Settings, rpc: Rpc, stores: Stores) -> FollowedRegistry | None:
    """The registry that is followed, once the contract was found to be the one we ship; None where
    none is.

    Raises: as `check_registry`.
    """
    address = registry_address(settings)
    if address is None:
        return None
    await check_registry(rpc, address)
    asset = settings.asset
    return FollowedRegistry(
        registry=address,
        asset=asset,
        listings=RegistryListings(
            rpc, address, asset.address, confirmations=settings.confirmations
        ),
        store=SqlListings(stores.database),
        settings=FollowerSettings(
            settings.model_registry_poll_s, settings.model_registry_max_age_s
        ),
        clock=clock,
        changed=stores.catalog.changed,
    )
