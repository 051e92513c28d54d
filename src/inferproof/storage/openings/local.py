"""Counts of openings in a folder of this machine's user, outside of every compiled model.

<root>/lock           held for each change; it stays for ever, and says which folder this is
<root>/abcdef….json   the count of the key abcdef…, replaced whole

A count is on the disk before its slot is given out.
"""

import asyncio
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
from inferproof.storage.durable import file_error, replace_durably
from inferproof.storage.openings.identity import (
    new_secret,
    place_of,
    state_folder,
    store_identity,
)
from inferproof.types.digest import Digest

T = TypeVar("T")

FORMAT = "inferproof/opening-count/1"
MAX_BYTES = 2**20
LOCK = "lock"


class LocalOpeningBudgets:
    """The OpeningBudgets in a folder. Several processes may share it, on one machine."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = state_folder() if root is None else root

    async def store(self, key: Digest) -> Digest:
        return await asyncio.to_thread(self._store, key)

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

    async def forget(self, key: Digest) -> None:
        await asyncio.to_thread(self._forget, key)

    async def budget(self, key: Digest) -> Budget:
        return await asyncio.to_thread(self._budget, key)

    async def _change(self, key: Digest, rule: Callable[[Budget], Change[T]]) -> T:
        return await asyncio.to_thread(self._changed, key, rule)

    def _changed(self, key: Digest, rule: Callable[[Budget], Change[T]]) -> T:
        with self._locked() as place:
            secret, budget = self._read(key, place)
            change = rule(budget)
            self._write(secret, budget.with_range(change.after))
            return change.gives

    def _forget(self, key: Digest) -> None:
        with self._locked() as place:
            self._read(key, place)[1].check_forgotten()
            self._path(key).unlink(missing_ok=True)

    def _budget(self, key: Digest) -> Budget:
        with self._locked() as place:
            return self._read(key, place)[1]

    def _store(self, key: Digest) -> Digest:
        with self._locked() as place:
            secret, budget = self._read(key, place)
            if not self._path(key).exists():
                self._write(secret, budget)
            return budget.store

    @contextmanager
    def _locked(self) -> Iterator[str]:
        """The store's place, while no other process changes a count."""
        import fcntl  # not on Windows

        path = self._root / LOCK
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield place_of(path)
        except OSError as error:
            raise file_error(error) from error

    def _read(self, key: Digest, place: str) -> tuple[Digest, Budget]:
        """The secret of the key's count, and what is counted; a new one where there is none."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            secret = new_secret()
            return secret, Budget(key, store_identity(secret, place))
        try:
            known, secret, ranges = decode_document(
                data, FORMAT, _count, max_bytes=MAX_BYTES, kind=RequestRejected
            )
        except (InferproofError, ValueError) as error:
            raise _damaged(path, str(error)) from None
        if known != key:
            raise _damaged(path, "it is of another key")
        return secret, Budget(key, store_identity(secret, place), ranges)

    def _write(self, secret: Digest, budget: Budget) -> None:
        body: dict[str, Json] = {
            "key": budget.key.hex,
            "secret": secret.hex,
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


def _count(fields: Fields) -> tuple[Digest, Digest, tuple[Range, ...]]:
    key, secret = fields.digest("key"), fields.digest("secret")
    ranges = ordered(fields.nested_list("ranges", _range, most=4096))
    fields.end()
    if any(each.end > after.first for each, after in pairwise(ranges)):
        raise ValueError("its ranges overlap")
    return key, secret, ranges


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
