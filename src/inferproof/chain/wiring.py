"""What the contracts of a release know of each other, beside what their constructors took.

Each step is looked at before it is done, so that a run that was stopped is taken up by the next
one, and one more does nothing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from inferproof.chain.abi import calldata, decode_values
from inferproof.chain.contracts import (
    ACCESS,
    ESCROW,
    EZKL_ADAPTER,
    MARKET,
    PRIVATE_PROOFS_ADAPTER,
    VERIFIER_ROUTER,
)
from inferproof.chain.market import DOLLAR_WEIGHT, Market, Role
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.chain.verifier_router import VerifierRouter
from inferproof.errors import NotFound
from inferproof.protocol.registration import verifier_selector
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.verifier import ContractAssurance, Verifier

IS_CONSUMER, SET_CONSUMER = "isConsumer(address)", "setConsumer(address,bool)"

OWN_ROLES = (Role.PARAMETERS, Role.PAUSER, Role.ADMISSION, Role.FEES)
"""What who deploys a market has at first, and may give to others and give up."""


@dataclass(frozen=True, slots=True)
class KnownVerifier:
    """A verifier that a release puts behind its router. Units: gas."""

    system: str
    version: str
    adapter: str
    gas_cap: int
    specification: Digest
    assurance: ContractAssurance

    def at(self, addresses: Mapping[str, Address]) -> Verifier:
        """As the router has it, with its adapter at one of these addresses."""
        return Verifier(
            verifier_selector(self.system, self.version),
            addresses[self.adapter],
            self.gas_cap,
            self.specification,
            self.assurance,
            self.system,
        )


VERIFIERS = (
    KnownVerifier(
        "sumcheck",
        "1",
        PRIVATE_PROOFS_ADAPTER,
        12_000_000,
        Digest.from_hex("0x1a83a484b3fb8ea9c704cda776726d55817bca01300bc43b943e4c6e8df01b5e"),
        ContractAssurance.ZK_PRIVATE,
    ),
    KnownVerifier(
        "ezkl",
        "23.0.5",
        EZKL_ADAPTER,
        6_000_000,
        Digest.from_hex("0x5249205b11845d1ec3ee9eb8885eab9cafc0388527726e70565af55d62b04ef4"),
        ContractAssurance.ZK_INTEGRITY,
    ),
)
"""Specifications are `specs/programs.md` and `specs/registry.md` as this release has them. A cap
leaves room for a delivery, with a quarter more than is estimated, in a transaction of 2^24 gas,
which is the most that Ethereum takes (EIP-7825)."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be known. `done` asks whether it is."""

    what: str
    done: Callable[[], Awaitable[bool]]
    do: Callable[[SigningKey], Awaitable[object]]


def steps(rpc: Rpc, found: Mapping[str, Address], owner: Address) -> list[Step]:
    """What the owner of a release does once: its own roles, the escrow's, and the verifiers."""
    market = Market(rpc, found[MARKET])
    roles = [(role, owner) for role in OWN_ROLES] + [(Role.RECORDER, found[ESCROW])]
    return [
        *(_role(market, role, who) for role, who in roles),
        _consumer(rpc, found[ACCESS], found[ESCROW], "access asked by the escrow"),
        *(_verifier(rpc, found[VERIFIER_ROUTER], each.at(found)) for each in VERIFIERS),
    ]


def token_steps(rpc: Rpc, market: Address, tokens: Sequence[Address]) -> list[Step]:
    """Dollar tokens of six decimals that orders may be made in."""
    return [_token(Market(rpc, market), token) for token in tokens]


def server_steps(rpc: Rpc, market: Address, servers: Sequence[Address]) -> list[Step]:
    """Servers that may accept orders."""
    return [_server(Market(rpc, market), server) for server in servers]


def consumer_steps(rpc: Rpc, access: Address, gateways: Sequence[Address]) -> list[Step]:
    """Gateways that may take calls of access."""
    return [_consumer(rpc, access, each, f"access asked by {each}") for each in gateways]


async def wire(
    todo: Sequence[Step], key: SigningKey, report: Callable[[str, float], None]
) -> list[str]:
    """The steps that were done now. Raises: what a step raises; those before it stay done."""
    done: list[str] = []
    for index, step in enumerate(todo):
        report(step.what, index / len(todo))
        if not await step.done():
            await step.do(key)
            done.append(step.what)
    return done


async def left(todo: Sequence[Step]) -> list[str]:
    """The steps that are not done."""
    return [step.what for step in todo if not await step.done()]


def _role(market: Market, role: Role, who: Address) -> Step:
    return Step(
        f"role {role} of {who}",
        lambda: market.has_role(role, who),
        lambda key: market.grant(role, who, key),
    )


def _token(market: Market, token: Address) -> Step:
    async def done() -> bool:
        return await market.token(token) == (True, DOLLAR_WEIGHT)

    return Step(
        f"token {token}", done, lambda key: market.set_token(token, True, DOLLAR_WEIGHT, key)
    )


def _server(market: Market, server: Address) -> Step:
    return Step(
        f"server {server}",
        lambda: market.is_server(server),
        lambda key: market.set_server(server, True, key),
    )


def _consumer(rpc: Rpc, access: Address, who: Address, what: str) -> Step:
    async def done() -> bool:
        answer = await rpc.call(access, calldata(IS_CONSUMER, who), what=IS_CONSUMER)
        return decode_values(["bool"], answer) == (True,)

    async def do(key: SigningKey) -> object:
        data = calldata(SET_CONSUMER, who, True)
        return await transact(rpc, key, to=access, data=data, what=SET_CONSUMER)

    return Step(what, done, do)


def _verifier(rpc: Rpc, address: Address, verifier: Verifier) -> Step:
    router = VerifierRouter(rpc, address)

    async def done() -> bool:
        try:
            return await router.verifier(verifier.selector) == verifier
        except NotFound:
            return False

    return Step(f"verifier of {verifier.system}", done, lambda key: router.add(verifier, key))
