"""A key as the native module makes one, but for the proofs: it counts what it is
opened for, and refuses what would show weights."""

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from inferproof.proving.openings import Openings
from inferproof.types.digest import Digest


@dataclass
class FakeEpoch:
    """An epoch, and all slots that it was opened by."""

    key: "FakeKey"
    number: int
    size: int
    for_proofs: bool
    of_private: bool = False
    attempts: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)

    def name(self) -> bytes:
        return self.key.seed + self.number.to_bytes(31, "big")

    def openings(self) -> int:
        return self.size

    def proves(self) -> bool:
        return self.for_proofs

    def private_inputs(self) -> bool:
        return self.of_private

    def begin(self, slot: int, goes_on: object = None, private_inputs: bool = False) -> "FakeEpoch":
        assert not self.for_proofs
        self.key.opened(self, slot)
        return self.key.epoch(self.key.proofs, for_proofs=True, of_private=private_inputs)

    def prove(
        self,
        execution: Any,
        statement: bytes,
        slot: int,
        goes_on: object = None,
        attempt: int | None = None,
    ) -> bytes:
        assert self.for_proofs
        assert self.of_private == (attempt is not None)
        self.key.opened(self, slot)
        if attempt is not None:
            self.attempts.append(attempt)
        if self.key.fails:
            raise RuntimeError("the prover fails")
        return self.name() + slot.to_bytes(4, "big") + statement


@dataclass
class FakeKey:
    """A key whose epochs for proofs serve `proofs`, and those for links `links`, 0 for none."""

    proofs: int = 4
    links: int = 2
    size: int = 9
    seed: bytes = b"k"
    fails: bool = False
    slots: list[int] = field(default_factory=list)
    epochs: list[FakeEpoch] = field(default_factory=list)
    lock: Any = field(default_factory=Lock)

    def name(self) -> bytes:
        return self.seed + bytes(31)

    def openings(self) -> int:
        return self.size

    def registered(self, openings: Openings) -> "FakeKey":
        openings.register(Digest(self.name()), self.size)
        return self

    def begin(self, slot: int, goes_on: object = None, private_inputs: bool = False) -> FakeEpoch:
        self.opened(self, slot)
        if self.links:
            return self.epoch(self.links, for_proofs=False)
        return self.epoch(self.proofs, for_proofs=True, of_private=private_inputs)

    def epoch(self, size: int, *, for_proofs: bool, of_private: bool = False) -> FakeEpoch:
        with self.lock:
            made = FakeEpoch(self, len(self.epochs) + 1, size, for_proofs, of_private)
            self.epochs.append(made)
            return made

    def opened(self, what: "FakeKey | FakeEpoch", slot: int) -> None:
        with self.lock:
            assert slot < what.size, "there is no such opening"
            assert slot not in what.slots, "an opening is used twice"
            what.slots.append(slot)

    def proven(self) -> int:
        """How many proofs were made or begun."""
        return sum(len(each.slots) for each in self.epochs if each.for_proofs)
