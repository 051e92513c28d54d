"""Transfers of the token that buyers make themselves, to pay with them afterwards."""

import asyncio
from collections import Counter

from inferproof.chain.abi import calldata
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import Fees, require_success, sign_tx
from inferproof.errors import Conflict, Unavailable
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset

FEES = Fees(cap=10**11, tip=1)
GAS = 100_000
LOOK_AGAIN_S = 0.3


class Transfers:
    """Sends `amount` of the token to `payee`, in transactions that survive outages and reorgs."""

    def __init__(self, rpc: Rpc, chain_id: int, token: Asset, payee: Address, amount: int) -> None:
        self._rpc = rpc
        self._chain_id = chain_id
        self._token = token
        self._payee = payee
        self._amount = amount
        self._raws: dict[Digest, bytes] = {}
        self._signed: Counter[Address] = Counter()

    def sign(self, payer: SigningKey) -> Digest:
        """A new transfer of the payer, who sends no other transactions; it is not sent yet."""
        signed = sign_tx(
            payer,
            chain_id=self._chain_id,
            nonce=self._signed[payer.address],
            fees=FEES,
            gas=GAS,
            to=self._token.address,
            data=calldata("transfer(address,uint256)", self._payee, self._amount),
        )
        self._signed[payer.address] += 1
        self._raws[signed.tx] = signed.raw
        return signed.tx

    async def bring(self, tx: Digest, depth: int) -> None:
        """Returns once so many blocks hold the transfer or lie on it; it is sent until then,
        again where the chain has dropped it."""
        while True:
            try:
                receipt = await self._rpc.receipt(tx)
                if receipt is None:
                    await self._rpc.send_raw(self._raws[tx])
                else:
                    require_success(receipt)
                    if (await self._rpc.head()).number - receipt.block + 1 >= depth:
                        return
            except (Conflict, Unavailable):
                pass  # the node is away, or has put it into a block meanwhile
            await asyncio.sleep(LOOK_AGAIN_S)
