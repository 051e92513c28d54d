"""Counts of openings in a folder of this machine's user, outside of every compiled model.

<root>/store          the store's secret: made once, never written again, locked for each change
<root>/abcdef….json   the ranges of the key abcdef…, replaced whole

A count is on the disk before its slot is given out.
"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from inferproof.errors import Conflict, InferproofError, Reason, RequestRejected
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.opening_budget import (
    MAX_SLOTS,
    Budget,
    Change,
    Opening,
    Range,
    Slice,
    Use,
    ordered,
)
from inferproof.storage.durable import file_error, replace_durably, sync_folder
from inferproof.storage.openings.identity import (
    SECRET_BYTES,
    place_of,
    state_folder,
    store_identity,
)
from inferproof.types.digest import Digest

T = TypeVar("T")

FORMAT = "inferproof/opening-count/1"
MAX_BYTES = 2**20
_STORE = "store"


class LocalOpeningBudgets:
    """The OpeningBudgets in a folder. Several processes may share it, on one machine."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = state_folder() if root is None else root

    async def store(self) -> Digest:
        return await asyncio.to_thread(self._identity)

    async def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        await self._change(key, lambda budget: budget.register(size, reserved))

    async def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int = 0) -> Opening:
        return await self._change(key, lambda budget: budget.take(use, seen))

    async def delegate(
        self, key: Digest, taker: Digest, count: int | None, *, seen: int = 0
    ) -> Slice:
        return await self._change(key, lambda budget: budget.delegate(taker, count, seen))

    async def accept(self, slots: Slice) -> None:
        await self._change(slots.key, lambda budget: budget.accept(slots))

    async def budget(self, key: Digest) -> Budget:
        return await asyncio.to_thread(self._budget, key)

    async def _change(self, key: Digest, rule: Callable[[Budget], Change[T]]) -> T:
        return await asyncio.to_thread(self._changed, key, rule)

    def _changed(self, key: Digest, rule: Callable[[Budget], Change[T]]) -> T:
        with self._locked() as store:
            budget = self._read(key, store)
            change = rule(budget)
            self._write(budget.with_range(change.after))
            return change.gives

    def _budget(self, key: Digest) -> Budget:
        with self._locked() as store:
            return self._read(key, store)

    def _identity(self) -> Digest:
        with self._locked() as store:
            return store

    @contextmanager
    def _locked(self) -> Iterator[Digest]:
        """The store's identity, while no other process changes a count."""
        import fcntl  # not on Windows

        path = self._root / _STORE
        try:
            if not path.exists():
                _draw_secret(path)
            with path.open("r+b") as file:  # a lock on NFS needs a file that may be written
                fcntl.flock(file, fcntl.LOCK_EX)
                secret = file.read(SECRET_BYTES + 1)
                if len(secret) != SECRET_BYTES:
                    raise _damaged(path, "it is not whole")
                yield store_identity(secret, place_of(path))
        except OSError as error:
            raise file_error(error) from error

    def _read(self, key: Digest, store: Digest) -> Budget:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return Budget(key, store)
        try:
            known, ranges = decode_document(
                data, FORMAT, _count, max_bytes=MAX_BYTES, kind=RequestRejected
            )
        except (InferproofError, ValueError) as error:
            raise _damaged(path, str(error)) from None
        if known != key:
            raise _damaged(path, "it is of another key")
        return Budget(key, store, ranges)

    def _write(self, budget: Budget) -> None:
        body: dict[str, Json] = {
            "key": budget.key.hex,
            "ranges": [
                {
                    "store": each.store.hex,
                    "first": each.first,
                    "size": each.size,
                    "reserved": each.reserved,
                    "taken": each.taken,
                    "delegated": each.delegated,
                }
                for each in budget.ranges
            ],
        }
        replace_durably(self._path(budget.key), encode_document(FORMAT, body))

    def _path(self, key: Digest) -> Path:
        return self._root / f"{key.raw.hex()}.json"


def _draw_secret(path: Path) -> None:
    """Makes the file with a new secret, whole from its first moment; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".store.") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)  # unlike a rename it replaces nothing
        except FileExistsError:
            return
    sync_folder(path.parent)


def _count(fields: Fields) -> tuple[Digest, tuple[Range, ...]]:
    key = fields.digest("key")
    ranges = ordered(fields.nested_list("ranges", _range, most=4096))
    fields.end()
    if any(each.end > after.first for each, after in pairwise(ranges)):
        raise ValueError("its ranges overlap")
    return key, ranges


def _range(fields: Fields) -> Range:
    found = Range(
        store=fields.digest("store"),
        **{
            name: fields.integer(name, most=MAX_SLOTS)
            for name in ("first", "size", "reserved", "taken", "delegated")
        },
    )
    fields.end()
    return found


def _damaged(path: Path, why: str) -> Conflict:
    return Conflict(Reason.OPENINGS_DAMAGED, path=path, why=why)
