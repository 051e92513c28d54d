"""Reading a transaction that somebody else sent, so that it may be relied on."""

from inferproof.chain.token import TokenChain
from inferproof.errors import Reason, Unavailable
from inferproof.types.digest import Digest
from inferproof.types.event import MinedTransaction


class TransactionReader:
    """What payment by earlier transfer asks of a chain."""

    def __init__(self, token: TokenChain) -> None:
        self._rpc = token.rpc

    async def transaction(self, tx: Digest) -> MinedTransaction | None:
        """The transaction as it lies in the chain, however deep, or None while no block holds it.

        1  the receipt: outcome, block and logs
        2  the head, which says how deep that block is
        3  the block of this number now, which must still be the one of the receipt

        Soundness: in this order. A block that is replaced between 1 and 3 is noticed, and one
        that is replaced later was as deep as is said here.
        Raises: Unavailable CHAIN_CHANGED, CHAIN_UNREACHABLE, CHAIN_RPC_ERROR.
        """
        # 1
        receipt = await self._rpc.receipt(tx)
        if receipt is None:
            return None
        # 2
        head = await self._rpc.head()
        # 3
        block = await self._rpc.block(receipt.block)
        if block.hash != receipt.block_hash or receipt.tx != tx:
            raise Unavailable(Reason.CHAIN_CHANGED, tx=tx)
        return MinedTransaction(
            tx=tx,
            succeeded=receipt.succeeded,
            block=receipt.block,
            time=block.timestamp,
            # A node that is behind the one that gave the receipt knows no block above it.
            depth=max(0, head.number - receipt.block + 1),
            logs=receipt.logs,
        )
