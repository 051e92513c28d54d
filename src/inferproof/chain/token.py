"""A dollar token with EIP-3009 on one chain: everything that settling and refunding need.

Soundness: `authorizationState` alone never means paid. It is also true after the payer
cancelled. Only the two events of `protocol.settlement` in one successful transaction are.
"""

from collections.abc import Sequence

from inferproof.chain.abi import calldata, revert_reason
from inferproof.chain.answers import Block, ChainReceipt
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.token_state import PayerKey, TokenState, ask_payer_states
from inferproof.chain.transactions import SignedTx, sign_tx, suggest_fees
from inferproof.errors import Misconfigured, PaymentRejected, Reason, Unavailable
from inferproof.protocol.authorization import asset_domain
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.settlement import moves_funds
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.transfer import AUTHORIZATION_USED_EVENT
from inferproof.types.chain import Fees
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization

_TRANSFER_FIELDS = "address,address,uint256,uint256,uint256,bytes32"
SETTLE_VRS = f"transferWithAuthorization({_TRANSFER_FIELDS},uint8,bytes32,bytes32)"
_SETTLE = keccak256(SETTLE_VRS.encode())[:4]
SETTLE_BYTES = f"transferWithAuthorization({_TRANSFER_FIELDS},bytes)"

SETTLE_GAS = 150_000
"""FiatTokenV2_2 takes about 95,000 for a first-time recipient behind its proxy, and more with a
contract wallet's own check; what is left over is not charged."""
TRANSFER_GAS = 100_000


async def check_token(rpc: Rpc, asset: Asset) -> None:
    """Returns when the node serves the asset's chain and the token is the one described.

    1  the chain id is that of the asset's network
    2  there is code at the token's address
    3  its EIP-712 domain separator is the one our name and version give
    4  it knows EIP-3009
    5  it has the stated decimals

    Raises: Misconfigured CHAIN_ID_MISMATCH, CHAIN_NO_CONTRACT, TOKEN_DOMAIN_MISMATCH,
    TOKEN_DECIMALS_MISMATCH, CHAIN_BAD_ANSWER; CallReverted for a contract without these
    functions; Unavailable.
    """
    # 1
    await rpc.require_chain(asset.network.chain_id)
    # 2
    if not await rpc.code(asset.address):
        raise Misconfigured(
            Reason.CHAIN_NO_CONTRACT, address=asset.address, chain_id=asset.network.chain_id
        )
    # 3
    if await _word(rpc, asset.address, "DOMAIN_SEPARATOR()") != asset_domain(asset).raw:
        raise Misconfigured(
            Reason.TOKEN_DOMAIN_MISMATCH,
            token=asset.address,
            name=asset.domain_name,
            version=asset.domain_version,
            chain_id=asset.network.chain_id,
        )
    # 4
    await authorization_state(rpc, asset.address, asset.address, Digest(bytes(32)))
    # 5
    decimals = int.from_bytes(await _word(rpc, asset.address, "decimals()"), "big")
    if decimals != asset.decimals:
        raise Misconfigured(
            Reason.TOKEN_DECIMALS_MISMATCH,
            token=asset.address,
            got=decimals,
            expected=asset.decimals,
        )


async def authorization_state(rpc: Rpc, token: Address, payer: Address, nonce: Digest) -> bool:
    """True when the nonce is used up, by a transfer or by a cancellation."""
    word = await _word(rpc, token, "authorizationState(address,bytes32)", payer, nonce)
    return any(word)


async def _word(
    rpc: Rpc, token: Address, signature: str, *arguments: object, block: int | None = None
) -> bytes:
    answer = await rpc.call(token, calldata(signature, *arguments), what=signature, block=block)
    if len(answer) != 32:
        raise Misconfigured(
            Reason.CHAIN_BAD_ANSWER, address=token, call=signature, got=len(answer), expected=32
        )
    return answer


def settlement_calldata(authorization: Authorization, *, as_bytes: bool = False) -> bytes:
    """The call that moves the authorized funds.

    `as_bytes` chooses the form for contract wallets, which not every token has; the other
    form splits a 65-byte signature, whose last byte may be 0, 1, 27 or 28.
    Raises: PaymentRejected AUTHORIZATION_SIGNATURE_FORM.
    """
    signature = authorization.signature
    if as_bytes:
        terms = (
            authorization.payer,
            authorization.payee,
            authorization.amount,
            authorization.valid_after,
            authorization.valid_before,
            authorization.nonce,
        )
        return calldata(SETTLE_BYTES, *terms, signature)
    if len(signature) != 65:
        raise PaymentRejected(Reason.AUTHORIZATION_SIGNATURE_FORM, size=len(signature))
    v = signature[64] + 27 if signature[64] < 2 else signature[64]
    # Nine words in a row, which the general encoder takes ten times as long for: a busy gateway
    # makes hundreds of these a second.
    return b"".join(
        (
            _SETTLE,
            bytes(12),
            authorization.payer.raw,
            bytes(12),
            authorization.payee.raw,
            authorization.amount.to_bytes(32, "big"),
            authorization.valid_after.to_bytes(32, "big"),
            authorization.valid_before.to_bytes(32, "big"),
            authorization.nonce.raw,
            v.to_bytes(32, "big"),
            signature[:64],
        )
    )


def _topic(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


def transfer_calldata(to: Address, amount: int, mark: Digest | None = None) -> bytes:
    """The call `transfer`, and behind its arguments the mark, which a token does not read."""
    data = calldata("transfer(address,uint256)", to, amount)
    return data if mark is None else data + mark.raw


class TokenChain:
    """One asset on its chain, through one node."""

    def __init__(self, rpc: Rpc, asset: Asset) -> None:
        self.rpc = rpc
        self.asset = asset

    async def check(self) -> None:
        """The check at start. Raises: as `check_token`."""
        await check_token(self.rpc, self.asset)

    async def head(self) -> Block:
        """The newest block; its timestamp is the clock that authorizations are judged by."""
        return await self.rpc.head()

    async def fees(self) -> Fees:
        """Fees to offer now."""
        return await suggest_fees(self.rpc)

    async def nonce(self, address: Address) -> int:
        """The number of the account's next transaction."""
        return await self.rpc.nonce(address)

    async def balance(self, address: Address, *, block: int | None = None) -> int:
        """The account's balance of the token, in atomic units: now, or after a block."""
        word = await _word(self.rpc, self.asset.address, "balanceOf(address)", address, block=block)
        return int.from_bytes(word, "big")

    async def authorization_state(self, payer: Address, nonce: Digest) -> bool:
        """True when the nonce is used up. Soundness: that is not yet paid; see the module."""
        return await authorization_state(self.rpc, self.asset.address, payer, nonce)

    async def payer_states(self, wanted: Sequence[PayerKey]) -> tuple[list[TokenState], int]:
        """The state of each payer and nonce, and a block that was the newest one while this was
        asked. Raises: as `ask_payer_states`."""
        return await ask_payer_states(self.rpc, self.asset.address, wanted)

    async def simulate_settlement(
        self, authorization: Authorization, sender: Address, *, as_bytes: bool = False
    ) -> None:
        """Returns when settling would succeed in the newest block.

        Raises: PaymentRejected AUTHORIZATION_REFUSED with the token's own reason;
        Unavailable.
        """
        data = settlement_calldata(authorization, as_bytes=as_bytes)
        try:
            await self.rpc.call(self.asset.address, data, what="the settlement", sender=sender)
        except CallReverted as error:
            raise PaymentRejected(
                Reason.AUTHORIZATION_REFUSED, why=revert_reason(error.data)
            ) from error

    def build_settlement_tx(
        self,
        authorization: Authorization,
        key: SigningKey,
        *,
        nonce: int,
        fees: Fees,
        gas: int = SETTLE_GAS,
        as_bytes: bool = False,
    ) -> SignedTx:
        """The signed transaction that settles the authorization; nothing is sent.

        Raises: PaymentRejected AUTHORIZATION_SIGNATURE_FORM.
        """
        data = settlement_calldata(authorization, as_bytes=as_bytes)
        return self._sign(key, nonce, fees, gas, data)

    def build_transfer_tx(
        self,
        to: Address,
        amount: int,
        key: SigningKey,
        *,
        nonce: int,
        fees: Fees,
        mark: Digest | None = None,
    ) -> SignedTx:
        """The signed transaction that transfers the key holder's own tokens, as for a refund."""
        data = transfer_calldata(to, amount, mark)
        return self._sign(key, nonce, fees, TRANSFER_GAS, data)

    def _sign(self, key: SigningKey, nonce: int, fees: Fees, gas: int, data: bytes) -> SignedTx:
        return sign_tx(
            key,
            chain_id=self.asset.network.chain_id,
            nonce=nonce,
            fees=fees,
            gas=gas,
            to=self.asset.address,
            data=data,
        )

    async def submit_raw(self, raw: bytes) -> Digest:
        """The hash of the transaction that the node has taken. Sending again is harmless.

        Raises: as `Rpc.send_raw`.
        """
        return await self.rpc.send_raw(raw)

    async def receipt(self, tx: Digest) -> ChainReceipt | None:
        """The transaction's receipt, or None while it is in no block."""
        return await self.rpc.receipt(tx)

    async def find_settlement(
        self, authorization: Authorization, *, first_block: int
    ) -> ChainReceipt | None:
        """The receipt of the transaction that settled the authorization, whoever sent it.

        Anyone who has seen an authorization may submit it: our own transaction then reverts
        although the money has arrived. None when no block since `first_block` holds it: it is
        unused, or was cancelled.
        """
        topics = (AUTHORIZATION_USED_EVENT, _topic(authorization.payer), authorization.nonce)
        found = await self.rpc.find_logs(self.asset.address, topics, first_block=first_block)
        for tx in found:
            receipt = await self.rpc.receipt(tx)
            if receipt is None:
                raise Unavailable(Reason.TX_NOT_MINED, tx=tx, seconds="0")
            if moves_funds(receipt, authorization):
                return receipt
        return None
