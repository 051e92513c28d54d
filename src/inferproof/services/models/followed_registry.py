"""Selling by a registry on a chain: its prices, and only what it offers as its provider's.

A round, every few seconds, by one process for all that share a database:

    1  the versions that are active or withdrawn
    2  what the registry says of all of them, after a block that is deep enough
    3  what becomes of each: its price, and whether it is sold
    4  that, and when it was asked, in one transaction

A chain that cannot be asked leaves everything as it was last known, for `max_age_s`: a node that
restarts stops no sale. After that nothing is sold until it answers (REGISTRY_SILENT): an owner who
withdrew a model, handed it on or raised its price would not be heard, and the gateway would go on
for ever in its name. The age is kept with the orders, so that each process that takes requests
knows it, also where the one that asks is gone.

A signed quote holds its price; it buys nothing of a version that is withdrawn. An operator's
suspension is not looked at here, and is never undone here.

Soundness: ages are by this machine's clock, and not by the time of the block: chains of tests stand
still while nothing happens. A node that stands still too, and answers, is not told from them.
"""

import asyncio
import logging
from asyncio import timeout as time_limit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.errors import Conflict, InferproofError, NotFound, Reason, Unavailable
from inferproof.observability.faults import loggable
from inferproof.services.base import Clock
from inferproof.services.heartbeat import Heartbeat
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.storage.ports.listings import ListingChange, ListingStore, SoldModel
from inferproof.storage.ports.models import ModelStatus
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.registry import Followed, Heard, Listing

log = logging.getLogger("inferproof.registry")

ROUND_S = 60.0
"""Longest that a round may take: a node has ten seconds for each of three questions, and the
database as long again."""
MOST_PRICE = 10**18 - 1
"""Atomic units: what a card can ask at most too, so that a price fits wherever a card's does."""


class Listings(Protocol):
    """A registry on a chain."""

    async def ask(self, commitments: Sequence[Digest]) -> tuple[int, Mapping[Digest, Listing]]:
        """The block after which it was asked, and what it says of those of the versions that it
        has, in the gateway's token. Raises: InferproofError, whatever keeps it from answering."""
        ...


@dataclass(frozen=True, slots=True)
class FollowerSettings:
    """Units: seconds."""

    poll_s: float = 5.0
    max_age_s: int = 600


class FollowedRegistry:
    """The registry by which one gateway sells."""

    def __init__(
        self,
        *,
        registry: Address,
        asset: Asset,
        listings: Listings,
        store: ListingStore,
        settings: FollowerSettings,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._followed = Followed(asset.network, registry, asset.address)
        self._asset = asset
        self._listings = listings
        self._store = store
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._heard: Heard | None = None

    @property
    def name(self) -> str:
        """What it is, for locks and people."""
        return f"registry {self._followed.registry} on {self._followed.network}"

    async def price_of(self, commitment: Digest, provider: Address) -> int:
        """What a call to a version costs, in atomic units, once the registry offers it as its
        provider's.

        Raises: NotFound VERSION_NOT_REGISTERED; Conflict VERSION_OWNER_OTHER, VERSION_INACTIVE,
        VERSION_NO_PRICE, VERSION_PRICE; as `Listings.ask`.
        """
        _, found = await self._listings.ask([commitment])
        return self._offered(found.get(commitment), commitment, provider)

    async def check_heard(self) -> str:
        """One line on when the registry was heard of, once that is no longer ago than it may be.

        Raises: Unavailable REGISTRY_SILENT, STORAGE_UNAVAILABLE.
        """
        heard = self._heard
        if heard is None or self._is_old(heard):
            heard = self._heard = await self._store.heard(self._followed)
        if heard is None or self._is_old(heard):
            raise Unavailable(
                Reason.REGISTRY_SILENT,
                registry=self._followed.registry,
                limit=self._settings.max_age_s,
            )
        return f"{self.name} was asked after block {heard.block}"

    async def follow(self) -> Sequence[str]:
        """One round; the names of the versions that changed. See the steps of this module.

        Raises: as `Listings.ask`; Unavailable STORAGE_UNAVAILABLE, STORAGE_FULL.
        """
        # 1
        sold = await self._store.sold()
        # 2
        now = self._clock()
        block, found = await self._listings.ask([model.commitment for model in sold])
        # 3
        changes = [
            change
            for model in sold
            if (change := self._change(model, found.get(model.commitment))) is not None
        ]
        # 4
        heard = Heard(block, now)
        names = await self._store.record(self._followed, heard, changes)
        self._heard = heard
        if names:
            self._changed()
        return names

    async def try_follow(self, leader: LeaderLock | None = None) -> None:
        """One round, within its time, where the lock is held or none is given; a failure is logged,
        and the next round may do better."""
        try:
            if leader is None or await leader.held():  # whose question must not be broken off
                async with time_limit(ROUND_S):
                    await self.follow()
        except InferproofError as error:
            log.warning("cannot follow the registry: %s", loggable(error))
        except TimeoutError:
            log.warning("cannot follow the registry: a round took %g seconds", ROUND_S)
        except Exception:  # the edge of a service that must not end with one bad day
            log.exception("a fault of ours")

    async def run(self, leader: LeaderLock, heartbeat: Heartbeat) -> None:
        """A round every few seconds, while it holds the lock, until it is cancelled."""
        try:
            while True:
                heartbeat.beat("following")
                await self.try_follow(leader)
                await asyncio.sleep(self._settings.poll_s)
        finally:
            await leader.release()

    def _is_old(self, heard: Heard) -> bool:
        return self._clock() - heard.at > self._settings.max_age_s

    def _change(self, model: SoldModel, listing: Listing | None) -> ListingChange | None:
        """What becomes of a version; None where it stays as it is. One that is withdrawn keeps
        the price that it had."""
        status, price = ModelStatus.ACTIVE, model.listed_price
        why: InferproofError | None = None
        try:
            price = self._offered(listing, model.commitment, model.provider)
        except InferproofError as error:
            status, why = ModelStatus.WITHDRAWN, error
        if (status, price) == (model.status, model.listed_price):
            return None
        if status is not model.status:
            log.info("%s is %s: %s", model.name, status.value, why.message if why else "offered")
        if price != model.listed_price:
            log.info("a call of %s costs %s atomic units", model.name, price)
        return ListingChange(model.name, model.status, status, price)

    def _offered(self, listing: Listing | None, commitment: Digest, provider: Address) -> int:
        """The price of a version that the registry offers as this provider's. Raises: as
        `price_of`."""
        about = {"registry": self._followed.registry, "commitment": commitment}
        if listing is None:
            raise NotFound(Reason.VERSION_NOT_REGISTERED, **about)
        if listing.owner != provider:
            raise Conflict(
                Reason.VERSION_OWNER_OTHER, owner=listing.owner, provider=provider, **about
            )
        if not listing.active:
            raise Conflict(Reason.VERSION_INACTIVE, **about)
        price = listing.price.amount
        if price is None:
            raise Conflict(
                Reason.VERSION_NO_PRICE,
                symbol=self._asset.symbol,
                token=self._asset.address,
                **about,
            )
        if not 0 < price <= MOST_PRICE:
            raise Conflict(Reason.VERSION_PRICE, price=price, most=MOST_PRICE, **about)
        return price
