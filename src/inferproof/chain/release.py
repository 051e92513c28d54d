"""What a release deploys to a chain, where, and whether it is there.

Addresses follow from the contracts' code and from the one account that administrates them: the same
on every chain (chain/create2.py). Deploying takes up where it stopped.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inferproof.chain.abi import decode_values
from inferproof.chain.contracts import (
    ACCESS,
    BATCH_SETTLER,
    ESCROW,
    EZKL_ADAPTER,
    EZKL_VERIFIER,
    MARKET,
    MODEL_REGISTRY,
    OPENINGS,
    PAYOUTS,
    PRIVATE_PROOFS,
    PRIVATE_PROOFS_ADAPTER,
    REPUTATION,
    VERIFIER_ROUTER,
    load_artifact,
)
from inferproof.chain.create2 import (
    Planned,
    check_deployer,
    deploy_planned,
    gas_of,
    planned,
)
from inferproof.chain.deployments import Deployed, Deployment
from inferproof.chain.rpc import Rpc
from inferproof.errors import NotFound, Reason, Rejection
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network

Report = Callable[[str, float], None]
"""Is told what is deployed now, and the share that is done."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A contract of the release on a chain. Units: gas that deploying took now, 0 where it was
    there; with a dry run, what it would take."""

    contract: Planned
    gas: int


ADMIN_DELAY_S = 3 * 24 * 3600
"""Until who was named the market's next administrator may accept: time to notice a stolen key."""
_OWNER, _DELAY = "owner", "delay"
_CONTRACTS: Sequence[tuple[str, Sequence[str]]] = (
    (BATCH_SETTLER, ()),
    (EZKL_VERIFIER, ()),
    (OPENINGS, ()),
    (PRIVATE_PROOFS, (OPENINGS,)),
    (MODEL_REGISTRY, ()),
    (VERIFIER_ROUTER, (_OWNER,)),
    (PRIVATE_PROOFS_ADAPTER, (PRIVATE_PROOFS,)),
    (EZKL_ADAPTER, (EZKL_VERIFIER,)),
    (MARKET, (_OWNER, _DELAY)),
    (REPUTATION, (MARKET,)),
    (ACCESS, (MODEL_REGISTRY, _OWNER)),
    (ESCROW, (MARKET, MODEL_REGISTRY, VERIFIER_ROUTER, REPUTATION, ACCESS)),
    (PAYOUTS, ()),
)
"""Each behind those that its constructor takes."""


def release(owner: Address) -> tuple[Planned, ...]:
    """The contracts of this release, in the order in which they are deployed. `owner` administrates
    the market, the router of verifiers, and access."""
    taken: dict[str, object] = {_OWNER: owner, _DELAY: ADMIN_DELAY_S}
    found: list[Planned] = []
    for name, takes in _CONTRACTS:
        found.append(planned(load_artifact(name), *(taken[each] for each in takes)))
        taken[name] = found[-1].address
    return tuple(found)


def owner_in(told: Deployment) -> Address:
    """Who administrates what was written down: the first argument of the market's constructor.

    Raises: NotFound DEPLOYMENT_LACKS_CONTRACT; Rejection DEPLOYMENT_DIFFERS.
    """
    told.address(MARKET)  # or it is told that there is none
    values = decode_values(["address", "uint48"], told.contracts[MARKET].arguments)
    if values is None:
        raise _differs(told.network, MARKET, "its arguments were written down otherwise")
    return Address.from_hex(values[0])


def addresses(contracts: Sequence[Planned]) -> Mapping[str, Address]:
    """Where they are, by name."""
    return {contract.name: contract.address for contract in contracts}


async def estimate_release(rpc: Rpc, contracts: Sequence[Planned], sender: Address) -> list[Placed]:
    """What deploying them would take now; nothing is sent.

    Raises: NotFound DEPLOYER_MISSING; as `gas_of`.
    """
    await check_deployer(rpc)
    return [Placed(each, await gas_of(rpc, each, sender)) for each in contracts]


async def deploy_release(
    rpc: Rpc, contracts: Sequence[Planned], key: SigningKey, report: Report
) -> list[Placed]:
    """The contracts, once all are on the chain; those that are there are left as they are.

    Raises: NotFound DEPLOYER_MISSING; as `deploy_planned`.
    """
    await check_deployer(rpc)
    found = []
    for index, each in enumerate(contracts):
        report(each.name, index / len(contracts))
        found.append(Placed(each, await deploy_planned(rpc, each, key)))
    return found


async def recorded(rpc: Rpc, contracts: Sequence[Planned]) -> Deployment:
    """What is written down of the contracts, once each is seen to be this release's.

    Raises: NotFound CHAIN_NO_CONTRACT; Rejection DEPLOYMENT_DIFFERS; Unavailable.
    """
    chain_id = await rpc.chain_id()
    network, found = Network.evm(chain_id), {}
    for each in contracts:
        code = await rpc.code(each.address)
        if not code:
            raise NotFound(Reason.CHAIN_NO_CONTRACT, address=each.address, chain_id=chain_id)
        if not each.artifact.is_code(code):
            raise _differs(network, each.name, f"the code at {each.address} is another one")
        found[each.name] = Deployed(each.address, Digest(keccak256(code)), each.arguments)
    return Deployment(network, found)


async def check_release(rpc: Rpc, contracts: Sequence[Planned], told: Deployment) -> Deployment:
    """What is on the chain, once it is this release's and what was written down of it.

    Raises: as `recorded`; Rejection DEPLOYMENT_DIFFERS.
    """
    for each in contracts:
        address = told.address(each.name)
        if address != each.address:
            why = f"it would be at {each.address}, and {address} is written down"
            raise _differs(told.network, each.name, why)
    now = await recorded(rpc, contracts)
    for name, found in now.contracts.items():
        if told.contracts[name] != found:
            raise _differs(told.network, name, "its code or arguments were written down otherwise")
    return now


def _differs(network: Network, contract: str, why: str) -> Rejection:
    return Rejection(Reason.DEPLOYMENT_DIFFERS, network=network, contract=contract, why=why)
