"""What a provider does with the openings of a compiled model's key: see what is left, give some to
another store or take them over, and make a new key of the same weights.

Each step is durable before the next, so that what dies in between has lost openings at most.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from inferproof.errors import ArtifactRejected, Conflict, NotFound, Reason
from inferproof.protocol.opening_budget import Budget, Slice, Use
from inferproof.protocol.opening_slice import decode_slice, encode_slice
from inferproof.proving.sumcheck.private_key import (
    PRIVATE_KEY,
    KeptKey,
    encode_key,
    has_key,
    key_bytes,
    read_key,
)
from inferproof.proving.sumcheck.rotation import Rotation, kept_key
from inferproof.storage.durable import file_error, replace_durably
from inferproof.storage.openings.marks import MarkedOpenings
from inferproof.storage.ports.blobs import ArtifactStore
from inferproof.storage.ports.models import ModelFilter, ModelStore
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.types.digest import Digest

MAX_SHOWN = 1000
MOVING = "openings-moving.json"
"""In a compiled model: the slice that its store gave to an order book, until that counts it."""


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """What one store knows of a key's openings. `store` is what slices for it are made out to."""

    key: Digest
    store: Digest
    budget: Budget


@dataclass(frozen=True, slots=True)
class Rotated:
    """A key that was replaced by another of the same weights, and what that has left."""

    old: Digest
    new: KeyBudget


async def show(budgets: OpeningBudgets, folder: Path) -> KeyBudget:
    """What is left of the key of a compiled model. Raises: as `kept_key`, `OpeningBudgets`."""
    return await _known(budgets, (await asyncio.to_thread(kept_key, folder)).name)


async def give(budgets: OpeningBudgets, folder: Path, taker: Digest, count: int | None) -> Slice:
    """The next openings of a compiled model's key, for the store `taker` alone; with None all that
    one range has left. Raises: as `kept_key`, `MarkedOpenings.delegate`."""
    kept = await asyncio.to_thread(kept_key, folder)
    return await MarkedOpenings(budgets, folder).delegate(kept.name, taker, count)


async def accept(budgets: OpeningBudgets, slots: Slice) -> KeyBudget:
    """Counts a slice from now on. Raises: as `OpeningBudgets.accept`."""
    await budgets.accept(slots)
    return await _known(budgets, slots.key)


async def rotate(budgets: OpeningBudgets, folder: Path) -> Rotated:
    """A new key of the same weights in the place of a compiled model's; its identity stays.

    1  an opening of the old key is taken
    2  the new key is made by it, and found to open
    3  its openings are counted from now on
    4  it takes the place of the old one, at once

    What dies before 4 leaves the old key as it was, less an opening, and the new one unused.
    Raises: as `Rotation`, `MarkedOpenings.take`, `OpeningBudgets.register`; Unavailable
    STORAGE_UNAVAILABLE, STORAGE_FULL.
    """
    rotation = await asyncio.to_thread(Rotation, folder)
    taken = await MarkedOpenings(budgets, folder).take(rotation.old.name, Use.ROTATION)
    fresh = await asyncio.to_thread(rotation.make, taken.slot)
    await budgets.register(fresh.name, fresh.openings)
    await asyncio.to_thread(_replace, folder / PRIVATE_KEY, encode_key(fresh))
    return Rotated(rotation.old.name, await _known(budgets, fresh.name))


async def bring(
    records: OpeningBudgets, shared: OpeningBudgets, compiled: Path, installed: Path
) -> None:
    """Returns when the order book `shared` counts the openings of an installed model's key, if they
    are counted at all: where it does not yet, `records` gives it all that they have.

    `compiled` is the folder that `installed` was copied from. What was given is kept in it until it
    is counted, so that a publication that died is taken up by the next.
    Raises: Conflict OPENINGS_ELSEWHERE where neither counts them; as `OpeningBudgets`.
    """
    if not has_key(compiled) or not has_key(installed):
        return
    if (await shared.budget(read_key(installed).name)).own:
        return
    key = read_key(compiled).name
    await asyncio.to_thread(_replace, installed / PRIVATE_KEY, key_bytes(compiled))
    if not (await shared.budget(key)).own:
        await _move(records, shared, compiled, key)


async def openings_left(
    models: ModelStore, artifacts: ArtifactStore, budgets: OpeningBudgets
) -> dict[str, int]:
    """How many openings are left of the keys of active models that have a budget, by their names.

    Raises: Unavailable.
    """
    left = {}
    for record in await models.list(ModelFilter(limit=MAX_SHOWN)):
        try:
            kept = await asyncio.to_thread(_kept, artifacts, record.commitment)
        except (NotFound, ArtifactRejected):
            continue  # /ready says so
        if kept is not None:
            left[record.name] = (await budgets.budget(kept.name)).left
    return left


async def _move(
    records: OpeningBudgets, shared: OpeningBudgets, compiled: Path, key: Digest
) -> None:
    store, waiting = await shared.store(key), compiled / MOVING
    slots = await asyncio.to_thread(_waiting, waiting)
    if slots is None or (slots.key, slots.taker) != (key, store):
        try:
            slots = await MarkedOpenings(records, compiled).delegate(key, store, None)
        except Conflict as error:
            if error.reason not in _NOT_HERE:
                raise
            raise Conflict(Reason.OPENINGS_ELSEWHERE, key=key, store=store) from error
        await asyncio.to_thread(_replace, waiting, encode_slice(slots))
    await shared.accept(slots)
    await asyncio.to_thread(waiting.unlink)


def _kept(artifacts: ArtifactStore, commitment: Digest) -> KeptKey | None:
    folder = artifacts.path(commitment)
    return read_key(folder) if has_key(folder) else None


_NOT_HERE = (Reason.OPENINGS_UNKNOWN, Reason.OPENINGS_COPIED, Reason.OPENINGS_GIVEN)


async def _known(budgets: OpeningBudgets, key: Digest) -> KeyBudget:
    return KeyBudget(key, await budgets.store(key), await budgets.budget(key))


def _waiting(path: Path) -> Slice | None:
    try:
        return decode_slice(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error(error) from error


def _replace(path: Path, data: bytes) -> None:
    try:
        replace_durably(path, data)
    except OSError as error:
        raise file_error(error) from error
