"""What a registry says of many versions at once, after one block that is deep enough to count.

    1  the newest block that is deep enough
    2  of each version: its model, whether it is active, and its price
    3  of each model: its owner

Steps 2 and 3 take a request to the node for every MAX_TOGETHER calls, at once: seven for 300
versions of one model, beside the first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inferproof.chain.abi import calldata, decode_values
from inferproof.chain.model_registry import (
    OWNERSHIP,
    OWNERSHIP_TYPES,
    PRICE_OF,
    PRICE_TYPES,
    UNKNOWN_VERSION,
    VERSION,
    VERSION_OF,
)
from inferproof.chain.rpc import CallReverted, Rpc, RpcCall
from inferproof.errors import InferproofError, Misconfigured, Reason
from inferproof.types.digest import Address, Digest
from inferproof.types.registry import Listing, TokenPrice


class RegistryListings:
    """One registry through one node. Implements services.models.followed_registry.Listings.

    `confirmations` is how deep a block must be before what it says counts, its own included. The
    code at the address is looked at by `check_registry`.
    """

    def __init__(
        self, rpc: Rpc, registry: Address, token: Address, *, confirmations: int = 1
    ) -> None:
        self._rpc = rpc
        self._registry = registry
        self._token = token
        self._confirmations = confirmations

    async def ask(self, commitments: Sequence[Digest]) -> tuple[int, Mapping[Digest, Listing]]:
        """The block after which it was asked, and what the registry says of those of the versions
        that it has.

        Raises: Misconfigured CHAIN_BAD_ANSWER; CallReverted; Unavailable CHAIN_UNREACHABLE,
        CHAIN_RPC_ERROR.
        """
        # 1
        head = (await self._rpc.head()).number
        block = max(0, head - self._confirmations + 1)
        # 2
        wanted = list(dict.fromkeys(commitments))
        answers = await self._batch(
            [
                *(self._call(VERSION_OF, block, each) for each in wanted),
                *(self._call(PRICE_OF, block, each, self._token) for each in wanted),
            ]
        )
        found: dict[Digest, tuple[Digest, bool, TokenPrice]] = {}
        for each, version, price in zip(
            wanted, answers[: len(wanted)], answers[len(wanted) :], strict=True
        ):
            if isinstance(version, CallReverted) and version.data[:4] == UNKNOWN_VERSION:
                continue
            ((model, _, active, _),) = self._read(VERSION_OF, (VERSION,), "a version", version)
            amount, accepted = self._read(PRICE_OF, PRICE_TYPES, "a price", price)
            asked = TokenPrice(self._token, amount if accepted else None)
            found[each] = Digest(model), active, asked
        # 3
        models = list(dict.fromkeys(model for model, _, _ in found.values()))
        answers = await self._batch([self._call(OWNERSHIP, block, model) for model in models])
        owners = {
            model: Address.from_hex(self._read(OWNERSHIP, OWNERSHIP_TYPES, "an owner", answer)[0])
            for model, answer in zip(models, answers, strict=True)
        }
        return block, {
            each: Listing(owners[model], active, price)
            for each, (model, active, price) in found.items()
        }

    async def _batch(self, calls: Sequence[RpcCall]) -> list[Any]:
        return await self._rpc.batch(calls) if calls else []

    def _call(self, signature: str, block: int, *arguments: object) -> RpcCall:
        data = "0x" + calldata(signature, *arguments).hex()
        return "eth_call", ({"to": self._registry.hex, "data": data}, hex(block))

    def _read(
        self, call: str, types: Sequence[str], expected: str, answer: object
    ) -> tuple[Any, ...]:
        if isinstance(answer, InferproofError):
            raise answer
        try:
            data = bytes.fromhex(str(answer)[2:])
        except ValueError:
            data = b""
        values = decode_values(types, data)
        if values is None:
            raise Misconfigured(
                Reason.CHAIN_BAD_ANSWER,
                address=self._registry,
                call=call,
                got=len(data),
                expected=expected,
            )
        return values
