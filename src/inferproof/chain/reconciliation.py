"""What the token says of money: its transfers to and from accounts, and balances after a block."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice

from inferproof.chain.abi import words
from inferproof.chain.answers import PlacedLog
from inferproof.chain.ranges import SPAN_BLOCKS, in_ranges
from inferproof.chain.rpc import CallReverted
from inferproof.chain.token import TokenChain
from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.protocol.passes import CALL_CONSUMED
from inferproof.protocol.transfer import AUTHORIZATION_USED_EVENT, TRANSFER_EVENT
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.reconciliation import CallTaken, Transfer

MANY_TOPICS = 100
"""How many payers one question names; nodes limit their number."""


class TokenBooks:
    """The books' view of one token. Implements services.books.base.BookChain.

    `confirmations` is how deep a block must be before it counts, its own included. `access` is the
    contract of which calls are taken, where there is one.
    """

    def __init__(
        self,
        token: TokenChain,
        *,
        confirmations: int = 1,
        span_blocks: int = SPAN_BLOCKS,
        access: Address | None = None,
    ) -> None:
        self._token = token
        self._confirmations = confirmations
        self._span = span_blocks
        self._access = access

    @property
    def asset(self) -> Asset:
        return self._token.asset

    async def last_block(self) -> int:
        """The newest block that is deep enough to count."""
        return max(0, (await self._token.head()).number - self._confirmations + 1)

    async def balance(self, holder: Address, block: int) -> int:
        """The holder's balance after the block, in atomic units; none before the first block.

        Raises: Unavailable BOOKS_NO_STATE where the node keeps no state of that block, or the
        token was not there yet.
        """
        if block < 0:
            return 0
        try:
            return await self._token.balance(holder, block=block)
        except (CallReverted, Misconfigured) as error:
            why = error.message
        except Unavailable as error:
            if error.reason is Reason.CHAIN_UNREACHABLE:
                raise
            why = error.message
        raise Unavailable(Reason.BOOKS_NO_STATE, account=holder, block=block, why=why)

    async def transfers(
        self, accounts: Iterable[Address], first: int, last: int
    ) -> Sequence[Transfer]:
        """All transfers to or from the accounts in these blocks, both ends included, in order."""
        ours = sorted(_topic(account) for account in accounts)
        if not ours:
            return []
        return await in_ranges(partial(self._range, ours), first, last, span=self._span)

    async def calls(
        self, consumers: Iterable[Address], first: int, last: int
    ) -> Sequence[CallTaken] | None:
        """All calls that these took of the contract in these blocks, in order; None without one."""
        ours, access = sorted(_topic(each) for each in consumers), self._access
        if access is None:
            return None
        if not ours:
            return []

        async def ask(start: int, end: int) -> list[CallTaken]:
            found = await self._token.rpc.logs(
                access, [CALL_CONSUMED, None, None, ours], first_block=start, last_block=end
            )
            return [_call(log) for log in found]

        return await in_ranges(ask, first, last, span=self._span)

    async def _range(self, ours: list[Digest], start: int, end: int) -> list[Transfer]:
        into = await self._logs([TRANSFER_EVENT, None, ours], start, end)
        out = await self._logs([TRANSFER_EVENT, ours], start, end)
        payers = iter(sorted({log.log.topics[1] for log in into}))
        used: dict[tuple[int, int], PlacedLog] = {}
        while chunk := list(islice(payers, MANY_TOPICS)):
            for log in await self._logs([AUTHORIZATION_USED_EVENT, chunk], start, end):
                used[log.block, log.index] = log
        placed = {(log.block, log.index): log for log in (*into, *out)}
        return [_transfer(placed[at], used.get((at[0], at[1] - 1))) for at in sorted(placed)]

    async def _logs(
        self, topics: Sequence[Digest | Sequence[Digest] | None], start: int, end: int
    ) -> tuple[PlacedLog, ...]:
        return await self._token.rpc.logs(
            self.asset.address, topics, first_block=start, last_block=end
        )


def _transfer(moved: PlacedLog, before: PlacedLog | None) -> Transfer:
    """The transfer, with the nonce of the use that is its very next neighbour.

    Soundness: the same rule as `protocol.settlement`, by the events' places in their block.
    """
    _, sender, recipient = moved.log.topics[:3]
    nonce = None
    if before is not None and before.tx == moved.tx and before.log.topics[1] == sender:
        nonce = before.log.topics[2]
    return Transfer(
        tx=moved.tx,
        block=moved.block,
        index=moved.index,
        sender=_address(sender),
        recipient=_address(recipient),
        amount=int.from_bytes(words(moved.log.data)[0], "big"),
        nonce=nonce,
    )


def _call(placed: PlacedLog) -> CallTaken:
    _, _, buyer, consumer = placed.log.topics
    return CallTaken(placed.tx, placed.block, placed.index, _address(buyer), _address(consumer))


def _topic(address: Address) -> Digest:
    return Digest(bytes(12) + address.raw)


def _address(topic: Digest) -> Address:
    return Address(topic.raw[12:])
