"""A buyer's side of a chain: making orders in an escrow, with the proof systems of this release."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from inferproof.app.order_proofs import order_numbers
from inferproof.app.router_proofs import contract_key
from inferproof.chain.escrow import Escrow, open_escrow
from inferproof.chain.model_registry import open_registry
from inferproof.chain.rpc import Rpc
from inferproof.errors import ArtifactRejected, Reason, Rejection
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Address
from inferproof.types.escrow import Order, OrderStatus
from inferproof.types.payment import Authorization
from inferproof.types.registry import ContractKey
from inferproof.types.tensor import Tensors

T = TypeVar("T")


class BuyerChain:
    """An OrderChain (see client.orders) of one node. `key` pays the gas; it need not be that of the
    buyer, whose authorization anyone may bring. Blocks; each call has connections of its own."""

    def __init__(self, rpc_url: str, key: SigningKey) -> None:
        self._url = rpc_url
        self._key = key

    def now(self) -> int:
        async def ask() -> int:
            async with Rpc(self._url) as rpc:
                return (await rpc.head()).timestamp

        return _run(ask())

    def check(self, escrow: Address, bundle: VerifierBundle) -> None:
        """See OrderChain. Raises: also as `contract_key`."""

        async def ask() -> ContractKey:
            async with Rpc(self._url) as rpc:
                found = await open_escrow(rpc, escrow)
                registry = await open_registry(rpc, await found.registry())
                return (await registry.version(bundle.commitment)).terms.key

        registered, own = _run(ask()), contract_key(bundle)
        if registered != own or not any(own.verifier):
            raise ArtifactRejected(
                Reason.REGISTRY_OTHER_KEY,
                commitment=bundle.commitment,
                got=registered.digest,
                expected=own.digest,
            )

    def numbers(self, bundle: VerifierBundle, tensors: Tensors) -> bytes:
        return order_numbers(bundle, tensors)

    def place(self, escrow: Address, order: Order, authorization: Authorization) -> None:
        """See OrderChain. An order over nothing, which a plan has paid, is made by the buyer's own
        key. Raises: also Rejection ORDER_STATUS for one that is over."""

        async def ask() -> None:
            async with Rpc(self._url) as rpc:
                found = await open_escrow(rpc, escrow)
                if not await self._is_there(found, order):
                    given = authorization if order.price else None
                    await found.request(order, self._key, authorization=given)

        _run(ask())

    async def _is_there(self, escrow: Escrow, order: Order) -> bool:
        status = (await escrow.slot(escrow.id_of(order))).status
        if status in (OrderStatus.REFUNDED, OrderStatus.CANCELLED):
            raise Rejection(
                Reason.ORDER_STATUS,
                order=escrow.id_of(order),
                status=status.name.lower(),
                expected="open or accepted",
            )
        return status is not OrderStatus.NONE


def _run(work: Coroutine[Any, Any, T]) -> T:
    # A thread of its own: the caller may be inside a running event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
