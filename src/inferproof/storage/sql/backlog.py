"""What was accepted and is not over, read in a time that follows what has changed.

A gateway asks several times a second, and thousands of payments may be unsettled: nearly all of
them it has read before, and what was paid never changes. So each look reads the numbers of their
jobs, and the payments of those numbers alone that are new to it.
"""

import asyncio
from collections.abc import Sequence

from sqlalchemy import BigInteger, String, cast, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.ports.ledger import Backlog, PayerKey
from inferproof.storage.sql.constructs import gathered, given_rows
from inferproof.storage.sql.tables import jobs, payment_reservations
from inferproof.types.digest import Address
from inferproof.types.job import JobState

WAITING = tuple(
    state.value
    for state in (JobState.RESERVED, JobState.SETTLING, JobState.QUEUED, JobState.RUNNING)
)
_UNSETTLED = (JobState.RESERVED.value, JobState.SETTLING.value, JobState.WITHDRAWN.value)
_AS_TEXT = tuple(payment_reservations.c[name] for name in ("token", "payer", "nonce", "amount"))
"""Read as they are stored: what they mean is only made of them where it differs."""
_AT_A_TIME = 500
"""Others go on between so many payments: what they are is made of texts in the event loop."""


class BacklogReader:
    """Reads the backlog, and keeps what it read of payments that were unsettled then."""

    def __init__(self) -> None:
        # By number, and of plain values: an object for each of thousands of payments is one that
        # the garbage collector looks at, in a pause of everything.
        self._payer_key_of: dict[int, PayerKey] = {}
        self._nonce_of: dict[int, bytes] = {}
        self._unsettled: dict[PayerKey, dict[bytes, int]] = {}
        self._payer_keys: dict[tuple[str, str, str], PayerKey] = {}
        self._alone = asyncio.Lock()

    async def __call__(self, connection: AsyncConnection) -> Backlog:
        """See Ledger.backlog. Both of its parts are of one moment."""
        # A second look in between would take away what this one has found.
        async with self._alone:
            numbers, waiting = await _numbers(connection)
            for number in self._nonce_of.keys() - numbers:
                self._forget(number)
            new = list(numbers - self._nonce_of.keys())
            for at in range(0, len(new), _AT_A_TIME):
                await self._learn(connection, new[at : at + _AT_A_TIME])
            unsettled = {payer_key: dict(amounts) for payer_key, amounts in self._unsettled.items()}
            return Backlog(waiting, unsettled)

    async def _learn(self, connection: AsyncConnection, numbers: Sequence[int]) -> None:
        c = payment_reservations.c
        given, (number,) = given_rows(connection, [(str(n),) for n in numbers], 1)
        found = await connection.execute(
            select(jobs.c.number, c.network, *(type_coerce(column, String) for column in _AS_TEXT))
            .select_from(given)
            .join(jobs, jobs.c.number == cast(number, BigInteger))
            .join(payment_reservations, jobs.c.job_id == c.job_id)
        )
        for job, network, token, payer, nonce, amount in found:
            payer_key = self._payer_keys.get((network, token, payer))
            if payer_key is None:
                payer_key = (network, Address.from_hex(token), Address.from_hex(payer))
                self._payer_keys[network, token, payer] = payer_key
            self._payer_key_of[job] = payer_key
            self._nonce_of[job] = paid = bytes.fromhex(nonce[2:])
            self._unsettled.setdefault(payer_key, {})[paid] = int(amount)

    def _forget(self, number: int) -> None:
        payer_key = self._payer_key_of.pop(number)
        amounts = self._unsettled[payer_key]
        del amounts[self._nonce_of.pop(number)]
        if not amounts:
            del self._unsettled[payer_key]
            network, token, payer = payer_key
            del self._payer_keys[network, token.hex, payer.hex]


async def _numbers(connection: AsyncConnection) -> tuple[set[int], int]:
    """The jobs whose payments may still settle, and how many wait."""
    state = jobs.c.state
    found = await connection.execute(
        select(
            # The money of an order in an escrow is locked there, and promised to nobody else.
            gathered(connection, jobs.c.number).filter(
                state.in_(_UNSETTLED), jobs.c.deliver_by.is_(None)
            ),
            func.count().filter(state.in_(WAITING)),
        ).where(state.in_({*_UNSETTLED, *WAITING}))
    )
    numbers, waiting = found.one()
    return set(numbers or ()), int(waiting)
