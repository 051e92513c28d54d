"""The market's contract: who may do what, its parameters, its servers and its tokens.

Soundness: none of its roles has power over money that is locked or owed, nor over what was agreed
in an order that was made (specs/escrow.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inferproof.chain.abi import calldata, decode_values
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import MARKET, load_artifact
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import Misconfigured, NotFound, Reason, Rejection, RequestRejected
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest

SET_FEE = "setFee(uint16)"
SET_ADMISSION = "setAdmission(uint16,uint8)"
SET_TOKEN = "setToken(address,bool,uint128)"  # noqa: S105 - the name of a function
SET_SERVER = "setServer(address,bool)"
SET_INPUT_KEY = "setInputKey(bytes32)"
PAUSE, UNPAUSE, PAUSED = "pause()", "unpause()", "paused()"
GRANT, REVOKE = "grantRole(bytes32,address)", "revokeRole(bytes32,address)"
HAS_ROLE = "hasRole(bytes32,address)"
PARAMETERS = "parameters()"
TOKEN_OF = "tokenOf(address)"  # noqa: S105 - the name of a function
IS_SERVER = "isServer(address)"
INPUT_KEY_OF = "inputKeyOf(address)"
ADMIN = "defaultAdmin()"

MAX_FEE_BPS = 1_000
MAX_SCORE = 10_000
MAX_BOND_FACTOR = 10
MAX_WEIGHT = 2**128 - 1
DOLLAR_WEIGHT = 10**18
"""Of an atomic unit of a dollar token with six decimals, in reputations."""


class Role(StrEnum):
    """A kind of power in the market. Source: contracts/src/admin/Roles.sol."""

    PARAMETERS = "parameters"
    """Sets fee, least score, bond factor and tokens."""
    PAUSER = "pauser"
    """Stops and resumes new orders and acceptances."""
    ADMISSION = "admission"
    """Authorises and removes servers."""
    FEES = "fees"
    """Takes the market's fees out of escrows."""
    RECORDER = "recorder"
    """Tells the reputation what became of orders: escrows."""

    @property
    def name_on_chain(self) -> Digest:
        return Digest(keccak256(f"inferproof {self.value}".encode()))


@dataclass(frozen=True, slots=True)
class MarketParameters:
    """Units: `fee_bps` basis points of an order's price. A server whose score, from 0 to 10,000, is
    below `least_score` stakes `bond_factor` times an order's bond."""

    fee_bps: int
    least_score: int
    bond_factor: int


class Market:
    """One market through one node. Its code is looked at by `open_market`."""

    def __init__(self, rpc: Rpc, address: Address) -> None:
        self._rpc = rpc
        self.address = address

    # -- questions. Raise: Misconfigured CHAIN_BAD_ANSWER; Unavailable.

    async def parameters(self) -> MarketParameters:
        fee, score, factor = await self._ask(PARAMETERS, ["uint16", "uint16", "uint8"], "numbers")
        return MarketParameters(fee, score, factor)

    async def paused(self) -> bool:
        (found,) = await self._ask(PAUSED, ["bool"], "a flag")
        return bool(found)

    async def admin(self) -> Address:
        """Who hands out roles."""
        (found,) = await self._ask(ADMIN, ["address"], "an address")
        return Address.from_hex(found)

    async def has_role(self, role: Role, who: Address) -> bool:
        (found,) = await self._ask(HAS_ROLE, ["bool"], "a flag", role.name_on_chain, who)
        return bool(found)

    async def token(self, token: Address) -> tuple[bool, int]:
        """Whether orders are made in a token, and what its atomic unit weighs in reputations."""
        listed, weight = await self._ask(TOKEN_OF, ["bool", "uint128"], "a token", token)
        return bool(listed), int(weight)

    async def is_server(self, server: Address) -> bool:
        (found,) = await self._ask(IS_SERVER, ["bool"], "a flag", server)
        return bool(found)

    async def input_key(self, server: Address) -> Digest:
        """The X25519 key to which inputs for a server are encrypted; zero where it has none."""
        (found,) = await self._ask(INPUT_KEY_OF, ["bytes32"], "a key", server)
        return Digest(found)

    # -- what roles do. Raise: Rejection MARKET_ROLE; RequestRejected MARKET_BOUND; as `transact`.

    async def set_fee(self, bps: int, key: SigningKey) -> ChainReceipt:
        """Sets the fee of orders that are made from now on, in basis points of their price."""
        _check("fee in basis points", bps, 0, MAX_FEE_BPS)
        return await self._as(Role.PARAMETERS, key, SET_FEE, bps)

    async def set_admission(
        self, least_score: int, bond_factor: int, key: SigningKey
    ) -> ChainReceipt:
        """Sets below which score servers stake how many times a bond, from now on."""
        _check("score", least_score, 0, MAX_SCORE)
        _check("bond factor", bond_factor, 1, MAX_BOND_FACTOR)
        return await self._as(Role.PARAMETERS, key, SET_ADMISSION, least_score, bond_factor)

    async def set_token(
        self, token: Address, listed: bool, weight: int, key: SigningKey
    ) -> ChainReceipt:
        """Lists a token, or ends that; what is locked in it stays."""
        _check("weight", weight, 0, MAX_WEIGHT)
        return await self._as(Role.PARAMETERS, key, SET_TOKEN, token, listed, weight)

    async def set_server(self, server: Address, authorised: bool, key: SigningKey) -> ChainReceipt:
        """Authorises a server, or removes it: that counts for new acceptances."""
        return await self._as(Role.ADMISSION, key, SET_SERVER, server, authorised)

    async def pause(self, key: SigningKey) -> ChainReceipt:
        """Stops new orders and acceptances. Deliveries, refunds and withdrawals go on."""
        return await self._as(Role.PAUSER, key, PAUSE)

    async def unpause(self, key: SigningKey) -> ChainReceipt:
        """Resumes what was stopped."""
        return await self._as(Role.PAUSER, key, UNPAUSE)

    async def grant(self, role: Role, to: Address, key: SigningKey) -> ChainReceipt:
        """Gives a role. The administrator does. Raises: Rejection MARKET_ADMIN_OTHER."""
        return await self._as_admin(key, GRANT, role.name_on_chain, to)

    async def revoke(self, role: Role, of: Address, key: SigningKey) -> ChainReceipt:
        """Takes a role away. Raises: as `grant`."""
        return await self._as_admin(key, REVOKE, role.name_on_chain, of)

    async def set_input_key(self, input_key: Digest, key: SigningKey) -> ChainReceipt:
        """Sets the X25519 key of the sender."""
        return await self._send(key, SET_INPUT_KEY, input_key)

    # -- inside

    async def _as(self, role: Role, key: SigningKey, call: str, *arguments: object) -> ChainReceipt:
        if not await self.has_role(role, key.address):
            raise Rejection(
                Reason.MARKET_ROLE, market=self.address, sender=key.address, role=role.value
            )
        return await self._send(key, call, *arguments)

    async def _as_admin(self, key: SigningKey, call: str, *arguments: object) -> ChainReceipt:
        admin = await self.admin()
        if admin != key.address:
            raise Rejection(
                Reason.MARKET_ADMIN_OTHER, market=self.address, admin=admin, sender=key.address
            )
        return await self._send(key, call, *arguments)

    async def _send(self, key: SigningKey, call: str, *arguments: object) -> ChainReceipt:
        data = calldata(call, *arguments)
        return await transact(self._rpc, key, to=self.address, data=data, what=call)

    async def _ask(
        self, call: str, types: Sequence[str], expected: str, *arguments: object
    ) -> tuple[Any, ...]:
        answer = await self._rpc.call(self.address, calldata(call, *arguments), what=call)
        values = decode_values(types, answer)
        if values is None:
            raise Misconfigured(
                Reason.CHAIN_BAD_ANSWER,
                address=self.address,
                call=call,
                got=len(answer),
                expected=expected,
            )
        return values


async def open_market(rpc: Rpc, address: Address) -> Market:
    """The market at an address.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured ESCROW_CODE_UNKNOWN; Unavailable.
    """
    code = await rpc.code(address)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=address, chain_id=await rpc.chain_id())
    if not load_artifact(MARKET).is_code(code):
        raise Misconfigured(Reason.ESCROW_CODE_UNKNOWN, address=address, contract=MARKET)
    return Market(rpc, address)


def _check(what: str, got: int, least: int, most: int) -> None:
    if not least <= got <= most:
        raise RequestRejected(Reason.MARKET_BOUND, what=what, got=got, least=least, most=most)
