"""The mark that a compiled model keeps of how much was taken, beside its files.

It is a second witness: a count that is brought back from a backup, while the model's folder is not,
counts less than the mark, and is spent. The mark alone gives no right to open anything. It is
written after the count, so a crash leaves it behind the count and never ahead.

<folder>/openings.json   for each key and store the most that was known to be taken
<folder>/openings.lock   held while the mark is changed; it means nothing by itself
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inferproof.errors import Conflict, InferproofError, Reason, RequestRejected
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.opening_budget import MAX_SLOTS, Opening, Slice, Use
from inferproof.storage.durable import file_error, replace_durably
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.types.digest import Digest

FORMAT = "inferproof/opening-mark/1"
NAME = "openings.json"
LOCK = "openings.lock"
MAX_BYTES = 2**20
_ROOM = 4096
"""Bytes that a mark may take more than it did: a page of the disk."""

_Marks = dict[tuple[Digest, Digest], int]
"""What was taken, by key and store."""


class MarkedOpenings:
    """Takes openings for the compiled model in one folder, and keeps its mark."""

    def __init__(self, budgets: OpeningBudgets, folder: Path) -> None:
        self._budgets = budgets
        self._folder = folder

    async def take(self, key: Digest, use: Use = Use.PROOF) -> Opening:
        """See OpeningBudgets.take. A folder that cannot be written, or has no room,
        costs no slot.

        Raises: besides Conflict OPENINGS_DAMAGED; Unavailable STORAGE_FULL, STORAGE_UNAVAILABLE.
        """
        seen = await self._seen(key)
        opening = await self._budgets.take(key, use, seen=seen)
        await asyncio.to_thread(self._raise, key, opening.store, opening.taken)
        return opening

    async def delegate(self, key: Digest, taker: Digest, count: int | None) -> Slice:
        """See OpeningBudgets.delegate. Raises: as `take`."""
        slots = await self._budgets.delegate(key, taker, count, seen=await self._seen(key))
        known = await self._budgets.budget(key)
        await asyncio.to_thread(self._raise, key, known.store, known.taken)
        return slots

    async def _seen(self, key: Digest) -> int:
        known = await self._budgets.budget(key)
        return await asyncio.to_thread(self._known, key, known.store)

    def _known(self, key: Digest, store: Digest) -> int:
        """What was known to be taken, once it is seen that a mark can be written."""
        try:
            with self._locked(), tempfile.TemporaryFile(dir=self._folder) as file:
                file.write(bytes(_ROOM))
                file.flush()
                return self._read().get((key, store), 0)
        except OSError as error:
            raise file_error(error) from error

    def _raise(self, key: Digest, store: Digest, taken: int) -> None:
        """Brings the mark up to what was taken. It never falls."""
        try:
            with self._locked():
                marks = self._read()
                marks[key, store] = max(taken, marks.get((key, store), 0))
                replace_durably(self._folder / NAME, _encode(marks))
        except OSError as error:
            raise file_error(error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        import fcntl  # not on Windows

        with (self._folder / LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read(self) -> _Marks:
        path = self._folder / NAME
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return {}
        try:
            return decode_document(data, FORMAT, _marks, max_bytes=MAX_BYTES, kind=RequestRejected)
        except InferproofError as error:
            raise Conflict(Reason.OPENINGS_DAMAGED, path=path, why=error.message) from None


def _encode(marks: _Marks) -> bytes:
    listed: list[Json] = [
        {"key": key.hex, "store": store.hex, "taken": taken}
        for (key, store), taken in sorted(marks.items())
    ]
    return encode_document(FORMAT, {"marks": listed})


def _marks(fields: Fields) -> _Marks:
    marks = dict(fields.nested_list("marks", _mark, most=4096))
    fields.end()
    return marks


def _mark(fields: Fields) -> tuple[tuple[Digest, Digest], int]:
    mark = (fields.digest("key"), fields.digest("store")), fields.integer("taken", most=MAX_SLOTS)
    fields.end()
    return mark
