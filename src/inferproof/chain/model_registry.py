"""The registry of models on a chain: which there are, whose they are, and what a call costs.

Registering takes two transactions, a seal and what was sealed, so that who sees the second comes
too late to have the commitment for itself (docs/adr/0051-a-registration-is-sealed-and-signed.md). A
digest is a function of the registration, so that nothing has to be kept between the two.

Soundness: the registry says who registered a commitment first, not who made the model, and its
terms are their owner's word. Compare them with a verifier bundle of that commitment.
"""

import time
from asyncio import sleep
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inferproof.chain.abi import calldata, decode_values, encode_arguments
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import MODEL_REGISTRY, deploy, load_artifact
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import Conflict, Misconfigured, NotFound, Reason, Rejection, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.registration import (
    MAX_PRICES,
    check_bound,
    check_registration,
    registration_digest,
)
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.registry import (
    CommitmentKind,
    ContractKey,
    Ownership,
    RegisteredVersion,
    Registration,
    Terms,
    TokenPrice,
)

_TERMS = "(bytes4,bytes32,uint8,uint8,bytes32,string,bytes)"
_PRICES = "(address,uint128,bool)[]"
_REGISTRATION = f"(bytes32,bytes32,address,uint64,{_TERMS},{_PRICES})"
VERSION = f"(bytes32,uint32,bool,{_TERMS})"
SEAL = "seal(bytes32)"
REGISTER = f"register({_REGISTRATION},bytes)"
SET_PRICES = f"setPrices(bytes32,{_PRICES})"
SET_ACTIVE = "setActive(bytes32,bool)"
TRANSFER = "transferModel(bytes32,address)"
ACCEPT = "acceptModel(bytes32)"
VERSION_OF = "versionOf(bytes32)"
OWNERSHIP = "ownership(bytes32)"
PRICE_OF = "priceOf(bytes32,address)"
OWNERSHIP_TYPES = ("address", "address", "uint256")
PRICE_TYPES = ("uint256", "bool")
SEALED_AT = "sealedAt(bytes32)"
SEAL_AGE = "SEAL_AGE()"

UNKNOWN_VERSION = keccak256(b"UnknownVersion(bytes32)")[:4]
_UNKNOWN_MODEL = keccak256(b"UnknownModel(bytes32)")[:4]
_TOO_YOUNG = keccak256(b"SealTooYoung(uint256)")[:4]
_TAKEN = keccak256(b"CommitmentTaken(bytes32,bytes32)")[:4]

DAY_S = 24 * 3600
WAIT_S = 180.0
"""For a seal to be old enough: its age, which is a minute, and two minutes for blocks to come."""
POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered version. Units: gas that was taken now, 0 where something was there before."""

    version: RegisteredVersion
    seal_gas: int
    gas: int


async def deploy_registry(rpc: Rpc, key: SigningKey) -> Address:
    """A newly deployed registry. Raises: as `deploy`."""
    return await deploy(rpc, load_artifact(MODEL_REGISTRY), key)


async def check_registry(rpc: Rpc, registry: Address) -> None:
    """Returns when the code at the address is the contract that this package ships.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured REGISTRY_CODE_UNKNOWN; Unavailable.
    """
    code = await rpc.code(registry)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=registry, chain_id=await rpc.chain_id())
    if not load_artifact(MODEL_REGISTRY).is_code(code):
        raise Misconfigured(Reason.REGISTRY_CODE_UNKNOWN, address=registry, contract=MODEL_REGISTRY)


class ModelRegistry:
    """One registry through one node. Its code is looked at by `open_registry`."""

    def __init__(self, rpc: Rpc, address: Address) -> None:
        self._rpc = rpc
        self.address = address

    # -- questions

    async def version(self, commitment: Digest) -> RegisteredVersion:
        """The version that is registered under a commitment.

        Raises: NotFound VERSION_NOT_REGISTERED; Misconfigured CHAIN_BAD_ANSWER; Unavailable.
        """
        try:
            ((model, number, active, terms),) = await self._ask(
                VERSION_OF, [VERSION], "a version", commitment
            )
        except CallReverted as error:
            if error.data[:4] != UNKNOWN_VERSION:
                raise
            raise NotFound(
                Reason.VERSION_NOT_REGISTERED, registry=self.address, commitment=commitment
            ) from error
        return RegisteredVersion(commitment, Digest(model), number, active, _read_terms(terms))

    async def ownership(self, model: Digest) -> Ownership:
        """Whose a model is. Raises: NotFound MODEL_NOT_REGISTERED; as `version`."""
        try:
            owner, offered, versions = await self._ask(
                OWNERSHIP, OWNERSHIP_TYPES, "an owner", model
            )
        except CallReverted as error:
            if error.data[:4] != _UNKNOWN_MODEL:
                raise
            raise NotFound(
                Reason.MODEL_NOT_REGISTERED, registry=self.address, model=model
            ) from error
        to = Address.from_hex(offered)
        return Ownership(Address.from_hex(owner), None if to == ZERO_ADDRESS else to, versions)

    async def price(self, commitment: Digest, token: Address) -> TokenPrice:
        """What a call costs in a token. Raises: as `version`, but for NotFound."""
        amount, accepted = await self._ask(PRICE_OF, PRICE_TYPES, "a price", commitment, token)
        return TokenPrice(token, amount if accepted else None)

    async def deadline(self) -> int:
        """Until when a registration that is made now may be used: the end of tomorrow, by the
        chain's clock in UTC. It is the same all day, and so is the same registration's digest."""
        return ((await self._rpc.head()).timestamp // DAY_S + 2) * DAY_S - 1

    # -- registering

    async def register(
        self, registration: Registration, key: SigningKey, *, wait_s: float = WAIT_S
    ) -> Registered:
        """The version, once it is registered; nothing is sent for one that was, with these terms.

        1  its texts and lists are within bounds
        2  the commitment is free, and the model the key's own or a new one
        3  every token is a contract
        4  the digest is sealed
        5  the seal is old enough, and the registration made

        It can be called again after any failure, and goes on from there.
        Raises: RequestRejected REGISTRATION_TOO_LONG, REGISTRATION_METADATA; Conflict
        COMMITMENT_TAKEN; NotFound MODEL_NOT_REGISTERED, CHAIN_NO_CONTRACT; Rejection
        MODEL_OWNER_OTHER; Unavailable REGISTRATION_WAITS; as `transact`.
        """
        # 1
        check_registration(registration)
        # 2
        found = await self._registered(registration, key)
        if found is not None:
            return Registered(found, 0, 0)
        # 3
        await self._check_tokens(registration.prices)
        # 4
        digest, seal_gas = await self.seal(registration, key)
        # 5
        signed = encode_arguments(
            [_REGISTRATION, "bytes"], [_encoded(registration), key.sign(digest)]
        )
        data = keccak256(REGISTER.encode())[:4] + signed
        gas = await self._when_old_enough(key, data, registration, wait_s)
        return Registered(await self.version(registration.commitment), seal_gas, gas)

    async def seal(self, registration: Registration, key: SigningKey) -> tuple[Digest, int]:
        """The registration's digest, and the gas that sealing it took; 0 where it was sealed.

        Raises: as `transact`.
        """
        digest = registration_digest(registration, await self._rpc.chain_id(), self.address)
        if any(await self._ask(SEALED_AT, ["uint256"], "a time", digest)):
            return digest, 0
        return digest, (await self._send(key, calldata(SEAL, digest), SEAL)).gas_used

    async def _registered(
        self, registration: Registration, key: SigningKey
    ) -> RegisteredVersion | None:
        """The version where it is registered as this says; None where the commitment is free."""
        commitment, model = registration.commitment, registration.model
        try:
            found = await self.version(commitment)
        except NotFound:
            if model != commitment:
                await self._check_owner(model, key.address)
            return None
        owner = (await self.ownership(found.model)).owner
        if (found.model, found.terms, owner) != (model, registration.terms, key.address):
            raise Conflict(
                Reason.COMMITMENT_TAKEN, commitment=commitment, model=found.model, owner=owner
            )
        return found

    async def _when_old_enough(
        self, key: SigningKey, data: bytes, registration: Registration, wait_s: float
    ) -> int:
        """The gas of the registration; 0 where somebody sent in between what the owner signed."""
        end = time.monotonic() + wait_s
        while True:
            try:
                return (await self._send(key, data, "register")).gas_used
            except CallReverted as error:
                if error.data[:4] == _TAKEN and await self._registered(registration, key):
                    return 0
                if error.data[:4] != _TOO_YOUNG:
                    raise
                if time.monotonic() >= end:
                    (age,) = await self._ask(SEAL_AGE, ["uint256"], "a time")
                    raise Unavailable(
                        Reason.REGISTRATION_WAITS, seconds=f"{wait_s:g}", age=age
                    ) from error
            await sleep(POLL_S)

    # -- what an owner changes

    async def set_prices(
        self, commitment: Digest, prices: Sequence[TokenPrice], key: SigningKey
    ) -> ChainReceipt:
        """Sets what a call costs in these tokens; in others it stays what it was.

        Raises: RequestRejected REGISTRATION_TOO_LONG; NotFound VERSION_NOT_REGISTERED,
        CHAIN_NO_CONTRACT; Rejection MODEL_OWNER_OTHER; as `transact`.
        """
        check_bound("list of prices", len(prices), MAX_PRICES, "tokens")
        await self._check_owner((await self.version(commitment)).model, key.address)
        await self._check_tokens(prices)
        data = keccak256(SET_PRICES.encode())[:4] + encode_arguments(
            ["bytes32", _PRICES], [commitment, _encoded_prices(prices)]
        )
        return await self._send(key, data, "setPrices")

    async def set_active(self, commitment: Digest, active: bool, key: SigningKey) -> ChainReceipt:
        """Offers a version, or ends that. Raises: NotFound VERSION_NOT_REGISTERED; Rejection
        MODEL_OWNER_OTHER; as `transact`."""
        await self._check_owner((await self.version(commitment)).model, key.address)
        return await self._send(key, calldata(SET_ACTIVE, commitment, active), SET_ACTIVE)

    async def transfer(self, model: Digest, to: Address, key: SigningKey) -> ChainReceipt:
        """Offers a model with all its versions to somebody, who has to accept; to the zero address:
        to nobody any more. Raises: NotFound MODEL_NOT_REGISTERED; Rejection MODEL_OWNER_OTHER; as
        `transact`."""
        await self._check_owner(model, key.address)
        return await self._send(key, calldata(TRANSFER, model, to), TRANSFER)

    async def accept(self, model: Digest, key: SigningKey) -> ChainReceipt:
        """Makes a model that was offered to the key's address its own. Raises: NotFound
        MODEL_NOT_REGISTERED; Rejection MODEL_NOT_OFFERED; as `transact`."""
        if (await self.ownership(model)).offered_to != key.address:
            raise Rejection(Reason.MODEL_NOT_OFFERED, model=model, sender=key.address)
        return await self._send(key, calldata(ACCEPT, model), ACCEPT)

    # -- inside

    async def _check_owner(self, model: Digest, sender: Address) -> None:
        owner = (await self.ownership(model)).owner
        if owner != sender:
            raise Rejection(Reason.MODEL_OWNER_OTHER, model=model, owner=owner, sender=sender)

    async def _check_tokens(self, prices: Sequence[TokenPrice]) -> None:
        for price in prices:
            if price.amount is not None and not await self._rpc.code(price.token):
                raise NotFound(
                    Reason.CHAIN_NO_CONTRACT,
                    address=price.token,
                    chain_id=await self._rpc.chain_id(),
                )

    async def _send(self, key: SigningKey, data: bytes, what: str) -> ChainReceipt:
        return await transact(self._rpc, key, to=self.address, data=data, what=what, pending=True)

    async def _ask(
        self, signature: str, types: Sequence[str], expected: str, *arguments: object
    ) -> tuple[Any, ...]:
        answer = await self._rpc.call(self.address, calldata(signature, *arguments), what=signature)
        values = decode_values(types, answer)
        if values is None:
            raise Misconfigured(
                Reason.CHAIN_BAD_ANSWER,
                address=self.address,
                call=signature,
                got=len(answer),
                expected=expected,
            )
        return values


async def open_registry(rpc: Rpc, address: Address) -> ModelRegistry:
    """The registry at an address. Raises: as `check_registry`."""
    await check_registry(rpc, address)
    return ModelRegistry(rpc, address)


def _encoded(registration: Registration) -> tuple[object, ...]:
    terms = registration.terms
    return (
        registration.commitment.raw,
        registration.model.raw,
        registration.owner.hex,
        registration.deadline,
        (
            terms.key.verifier,
            terms.key.digest.raw,
            int(terms.inputs),
            int(terms.outputs),
            terms.metadata.raw,
            terms.metadata_uri,
            terms.content_id,
        ),
        _encoded_prices(registration.prices),
    )


def _encoded_prices(prices: Sequence[TokenPrice]) -> list[tuple[object, ...]]:
    return [(p.token.hex, p.amount or 0, p.amount is not None) for p in prices]


def _read_terms(terms: Sequence[Any]) -> Terms:
    verifier, key, inputs, outputs, metadata, uri, content_id = terms
    return Terms(
        ContractKey(verifier, Digest(key)),
        CommitmentKind(inputs),
        CommitmentKind(outputs),
        Digest(metadata),
        uri,
        content_id,
    )
