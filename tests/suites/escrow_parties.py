"""What parties of an escrow need on a chain: a door to the contracts, signatures, proofs."""

from dataclasses import dataclass, replace

from serving_parts import Chain

from inferproof.chain.abi import calldata
from inferproof.chain.escrow import Escrow, Permit, open_escrow
from inferproof.chain.market import Market, open_market
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.errors import NotFound, Reason, Rejection
from inferproof.protocol.authorization import asset_domain, receive_digest
from inferproof.protocol.commitments import output_commitment
from inferproof.protocol.eip712 import Struct, digest, hash_struct
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.statement import statement_digest
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order
from inferproof.types.payment import Authorization
from inferproof.types.proof import Statement
from inferproof.types.tensor import FixedTensor

BOUND = bytes.fromhex(
    "60248060095f395ff3"  # the code that follows
    "600435600401356024356024013514"  # is the proof's first word the claim's statement?
    "6015575f5ffd5b"  # it reverts if not
    "5f3560e01c60e01b5f5260205ff3"  # else it answers with its selector
)
"""The verifier: verifyStatement((bytes32 statement, …) claim, bytes proof)."""

OUTPUTS = [FixedTensor("scores", (2,), (3, -4), 0.5)]
PERMIT = Struct(
    "Permit",
    {
        "owner": "address",
        "spender": "address",
        "value": "uint256",
        "nonce": "uint256",
        "deadline": "uint256",
    },
)


@dataclass(frozen=True)
class Door:
    """What a process has of the chain; it dies with it."""

    rpc: Rpc
    escrow: Escrow
    market: Market
    token: TokenChain


async def opened(chain: Chain) -> Door:
    """A door whose connection is its owner's to close."""
    rpc = Rpc(chain.devnet.rpc_url)
    return Door(
        rpc,
        await open_escrow(rpc, chain.contracts.escrow),
        await open_market(rpc, chain.contracts.market),
        TokenChain(rpc, chain.devnet.token),
    )


def why_refused(error: Rejection | NotFound) -> str:
    """The name of the contract's error, also where the wrapper has told it in its own words."""
    if error.reason in (Reason.ORDER_STATUS, Reason.ORDER_UNKNOWN):
        return "WrongStatus"
    if error.reason is Reason.ORDER_TOO_EARLY:
        return "TooEarly"
    assert error.reason is Reason.ORDER_REFUSED, error
    return str(error.facts["why"]).partition("(")[0]


def proof_for(order: Order, name: Digest, server: Address) -> Digest:
    """What the verifier takes of this server: the digest of the statement about OUTPUTS."""
    commitment = output_commitment(OUTPUTS)
    return statement_digest(
        Statement(name, order.model, order.input_commitment, commitment, "sumcheck", server)
    )


def authorization_for(door: Door, order: Order, buyer: SigningKey) -> Authorization:
    unsigned = Authorization(
        asset=door.token.asset,
        payer=order.buyer,
        payee=door.escrow.address,
        amount=order.price,
        valid_after=0,
        valid_before=2**40,
        nonce=door.escrow.id_of(order),
        signature=b"",
    )
    return replace(unsigned, signature=buyer.sign(receive_digest(unsigned)))


async def permit_for(door: Door, order: Order, buyer: SigningKey) -> Permit:
    asset, deadline = door.token.asset, 2**40
    answer = await door.rpc.call(asset.address, calldata("nonces(address)", order.buyer), what="")
    told = {
        "owner": order.buyer,
        "spender": door.escrow.address,
        "value": order.price,
        "nonce": int.from_bytes(answer, "big"),
        "deadline": deadline,
    }
    signed = digest(asset_domain(asset), hash_struct(PERMIT, told))
    return Permit(deadline, buyer.sign(signed))
