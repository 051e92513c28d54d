"""How often the commitment to a key's weights may be opened: the rules of its budget.

A hiding commitment hides the weights for so many openings and no more. Each opening takes a *slot*,
one of the numbers 0, 1, … below the key's capacity, and no slot is ever taken twice. Epochs, which
hang on a key and live in one process, are counted alike under names of their own; what is said of
keys holds for them (ADR 35).

A budget is a set of ranges of slots, each counted by one *store*, an order book or a folder of
records on one machine. The whole key is a range, and so is a *slice* that another store was given:

                     taken, by openings and slices          left         reserved
    a range    │ first ─────────────────────────────►│◄───────────────►│◄────────►│

Slots are taken in order, so that one number says which are gone. An opening is a slice of one. The
last `reserved` are for rotation alone, the proof that a new key is of the same weights; rotation
may take any other too, so that one that was interrupted may be tried again.

A store knows its own ranges of a key by an identity, which a copy of the store does not have, nor a
store that lost its count and begins another: a slice made out to it is used once, or never. What is
not known, was copied, or counts less than somebody saw before, counts as spent.

The store that keeps a budget applies a `Change` durably, and only then gives what it gives. Where
it dies in between, the slots are spent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from inferproof.errors import Conflict, Reason, RequestRejected
from inferproof.types.digest import Digest

T = TypeVar("T")

MAX_SLOTS = 2**48
"""Of one key. Every key serves 10^6 proofs at least; a whole number of JSON and SQL holds this."""

LOW = 5
"""A budget is low when a fifth of it is left."""


class Use(StrEnum):
    """What an opening is for."""

    PROOF = "proof"
    ROTATION = "rotation"


class Level(StrEnum):
    """How much of a budget is left."""

    AMPLE = "ample"
    LOW = "low"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Slice:
    """Slots `first` to `first + size - 1` of a key, given by one store for one other to take."""

    key: Digest
    taker: Digest
    first: int
    size: int
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """Slots `first` to `first + size - 1` of a key, of which the first `taken` are gone; so many of
    these were `delegated` to other stores. The last `reserved` are for rotation."""

    store: Digest
    first: int
    size: int
    reserved: int
    taken: int = 0
    delegated: int = 0

    def __post_init__(self) -> None:
        counts = 0 <= self.delegated <= self.taken <= self.size
        if not (counts and 0 <= self.reserved <= self.size):
            raise ValueError("more is taken or reserved than a range holds")
        if not (self.first >= 0 < self.size and self.end <= MAX_SLOTS):
            raise ValueError("a range of slots is not empty and not without end")

    @property
    def end(self) -> int:
        return self.first + self.size

    @property
    def left(self) -> int:
        """Openings for proofs."""
        return max(0, self.size - self.reserved - self.taken)

    @property
    def kept(self) -> int:
        """Openings for proofs, left or used, that were given to nobody else."""
        return max(self.left, self.size - self.reserved - self.delegated)

    def room(self, use: Use) -> int:
        """How many slots may be taken for this use."""
        return self.left if use is Use.PROOF else self.size - self.taken


@dataclass(frozen=True, slots=True)
class Opening:
    """The right to open the commitment once. `taken` is how many slots this store has used up, for
    whoever keeps a mark of it; `fell_to` is present when this opening brought the budget there."""

    key: Digest
    store: Digest
    slot: int
    taken: int
    left: int
    fell_to: Level | None = None


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A range as it was, None for a new one; as it is to be; and what may be given out then."""

    before: Range | None
    after: Range
    gives: T


@dataclass(frozen=True, slots=True)
class Budget:
    """What a store knows of a key's openings. Ranges of another identity were copied here."""

    key: Digest
    store: Digest
    ranges: tuple[Range, ...] = ()

    @property
    def own(self) -> tuple[Range, ...]:
        return tuple(each for each in self.ranges if each.store == self.store)

    @property
    def taken(self) -> int:
        """Never falls: slots that are gone from this store, whoever has them."""
        return sum(each.taken for each in self.own)

    @property
    def left(self) -> int:
        return sum(each.left for each in self.own)

    @property
    def _delegated(self) -> int:
        return sum(each.delegated for each in self.own)

    @property
    def level(self) -> Level:
        if self.left == 0:
            return Level.SPENT
        low = self.left * LOW <= sum(each.kept for each in self.own)
        return Level.LOW if low else Level.AMPLE

    def register(self, size: int, reserved: int) -> Change[None]:
        """The budget of a key that was made just now.

        Raises: Conflict OPENINGS_COUNTED when any store's count is here: it would begin anew.
        """
        if self.ranges:
            raise Conflict(Reason.OPENINGS_COUNTED, key=self.key)
        return Change(None, Range(self.store, 0, size, reserved), None)

    def take(self, use: Use, seen: int) -> Change[Opening]:
        """One slot. `seen` is the most that anybody knows to be taken from this store.

        Raises: Conflict OPENINGS_UNKNOWN, OPENINGS_COPIED, OPENINGS_OLDER, OPENINGS_SPENT,
        OPENINGS_GIVEN, ROTATION_SPENT.
        """
        before = self._with_room(1, use, seen)
        after = replace(before, taken=before.taken + 1)
        then = self.with_range(after)
        fell = then.level if then.level is not self.level else None
        slot = before.first + before.taken
        opening = Opening(self.key, self.store, slot, then.taken, then.left, fell)
        return Change(before, after, opening)

    def delegate(self, taker: Digest, count: int | None, seen: int) -> Change[Slice]:
        """The next `count` slots of one range, for another store. With None all that it has left,
        and what is reserved with them. Raises: as `take`."""
        if count is None:
            before = self._with_room(1, Use.ROTATION, seen)
            count, reserved = before.room(Use.ROTATION), min(before.reserved, _rest(before))
        else:
            if count < 1:
                raise ValueError("a slice is not empty")
            before, reserved = self._with_room(count, Use.PROOF, seen), 0
        after = replace(before, taken=before.taken + count, delegated=before.delegated + count)
        slots = Slice(self.key, taker, before.first + before.taken, count, reserved)
        return Change(before, after, slots)

    def accept(self, slots: Slice) -> Change[None]:
        """The slice as a range of this store.

        Raises: RequestRejected SLICE_OTHER_STORE; Conflict SLICE_USED when any of its slots was
        ever counted here.
        """
        if slots.taker != self.store:
            raise RequestRejected(Reason.SLICE_OTHER_STORE, taker=slots.taker, store=self.store)
        new = Range(self.store, slots.first, slots.size, slots.reserved)
        if any(each.first < new.end and new.first < each.end for each in self.ranges):
            raise Conflict(Reason.SLICE_USED, first=new.first, last=new.end - 1, key=self.key)
        return Change(None, new, None)

    def check_forgotten(self) -> None:
        """Returns when the count may be given up: what is not known is spent, so that nothing of it
        is opened afterwards. Raises: Conflict OPENINGS_KEPT where rotation has a slot reserved,
        which only keys have."""
        if any(each.reserved for each in self.ranges):
            raise Conflict(Reason.OPENINGS_KEPT, key=self.key)

    def with_range(self, new: Range) -> "Budget":
        """With this range, in place of the one that begins where it does."""
        others = (each for each in self.ranges if each.first != new.first)
        return replace(self, ranges=ordered((*others, new)))

    def check_counted(self) -> None:
        """Returns when this store counts the key, whatever is left.

        Raises: Conflict OPENINGS_UNKNOWN, OPENINGS_COPIED.
        """
        if not self.ranges:
            raise Conflict(Reason.OPENINGS_UNKNOWN, key=self.key)
        if not self.own:
            raise Conflict(Reason.OPENINGS_COPIED, key=self.key)

    def _with_room(self, count: int, use: Use, seen: int) -> Range:
        self.check_counted()
        if self.taken < seen:
            raise Conflict(Reason.OPENINGS_OLDER, key=self.key, taken=self.taken, seen=seen)
        most = max(self.own, key=lambda each: each.room(use))
        found = next((each for each in self.own if each.room(use) >= count), None)
        if all(each.size == each.taken for each in self.own) and self._delegated:
            raise Conflict(Reason.OPENINGS_GIVEN, key=self.key)
        if found is None and use is Use.ROTATION:
            raise Conflict(Reason.ROTATION_SPENT, key=self.key)
        if found is None:
            raise Conflict(Reason.OPENINGS_SPENT, key=self.key, left=most.room(use), wanted=count)
        return found


def ordered(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The ranges from the first slot on."""
    return tuple(sorted(ranges, key=lambda each: each.first))


def figures(budget: Budget) -> dict[str, int | str]:
    """What an operator is shown of a budget."""
    own = budget.own
    delegated = sum(each.delegated for each in own)
    return {
        "left": budget.left,
        "reserved": sum(min(each.reserved, _rest(each)) for each in own),
        "used": budget.taken - delegated,
        "delegated": delegated,
        "level": budget.level.value,
    }


def _rest(slots: Range) -> int:
    return slots.size - slots.taken
