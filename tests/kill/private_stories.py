"""Jobs about a privately proven model whose processes die, and what is looked at afterwards: no two
proofs share randomness, no slot is given twice, and no count goes down.

Phases of a proof are boundaries, too; which there are is seen by watching one proof.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from kill_market import PRIVATE, Bought, KillMarket
from stories import Case, sent

from inferproof.cli.compiled import read_bundle
from inferproof.protocol.opening_budget import Budget
from inferproof.protocol.proof_file import ProofFile, decode_proof_file
from inferproof.proving.sumcheck.private_key import has_key, read_key
from inferproof.settings import Settings
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.testing.boundaries import Boundary, Passage
from inferproof.testing.kill_server import GATEWAY, MADE, PHASE, SLOW
from inferproof.types.digest import Digest
from reference.shown import Examined, examine

TAKEN, COUNTED = "openings.take:after", "openings.register:after"
TRIES = 10
"""How often a process is killed to die once while it makes an epoch."""


def begun(market: KillMarket, at: Boundary | None) -> Bought:
    """Proven by a process that began just now: it opens the key, makes epochs, and opens these."""
    restart(market)
    return sent(market, market.buy(model=PRIVATE), at)


def ended(market: KillMarket, at: Boundary | None) -> Bought:
    """Processes with epochs are asked to end, and forget the counts of these."""
    first = market.buy(model=PRIVATE)
    market.send(first)
    market.bring_to_end(first)
    market.arm(at)
    market.deployment.stop(*provers(market))
    market.deployment.revive()
    bought = market.buy(model=PRIVATE)
    market.send(bought)
    market.bring_to_end(bought)
    return bought


def about_private_input(market: KillMarket, at: Boundary | None) -> Bought:
    """The same about a private input, whose attempts are counted too: from before its payment is
    reserved until it is over."""
    restart(market)
    bought = sent(market, market.buy(model=PRIVATE, private_input=True), at)
    market.reach(at)
    return bought


INPUT = Case(about_private_input, "a job with a private input passes it")
_BEGUN = Case(begun, "a process that has just begun passes it")
_ENDED = Case(ended, "a process that has epochs is asked to end")

_STORIES: dict[str, Case] = {
    "openings.take": _BEGUN,
    "openings.register": _BEGUN,
    "openings.forget": _ENDED,
    "execution.prove": _BEGUN,
    "blobs.put": _BEGUN,
    "queue.checkpoint": _BEGUN,
    "queue.finish": _BEGUN,
}
OPENING = frozenset(effect for effect in _STORIES if effect.startswith("openings."))
"""Effects on the counts of openings, which only proofs by sumcheck come to."""

FURTHER = tuple(
    Boundary("openings", method, side, count)
    for method, most in (("take", 3), ("register", 2), ("forget", 2))
    for count in range(2, most + 1)
    for side in ("before", "after")
)
"""What a process passes more than once before its first proof: the key, an epoch for links and
one for proofs are opened, and the two epochs are counted, and forgotten in the end."""


OF_INPUTS = tuple(
    Boundary("openings", method, side, count)
    for method, count in (("register", 1), ("take", 1), ("take", 2), ("forget", 1))
    for side in ("before", "after")
)
"""What a job with a private input passes by itself: its attempts are counted, one is taken, the key
is opened after that, and the attempts are forgotten in the end."""


def case(at: Boundary) -> Case:
    """The story that comes to the boundary of a market with a private model."""
    return _BEGUN if at.part == PHASE else _STORIES[at.effect]


def private_boundaries(known: tuple[Boundary, ...]) -> list[Boundary]:
    """Those of a private proof, but for its phases."""
    return [*(each for each in known if each.effect in _STORIES), *FURTHER]


def phases(market: KillMarket) -> list[Boundary]:
    """The phases that a proof was seen to pass."""
    seen = {p.boundary for p in market.deployment.trace() if p.boundary.startswith(f"{PHASE}.")}
    return sorted(map(Boundary.read, seen))


def provers(market: KillMarket) -> tuple[str, ...]:
    """The roles that prove."""
    return market.deployment.workers or (GATEWAY,)


def restart(market: KillMarket) -> None:
    """What proves begins anew, without any epoch."""
    market.deployment.kill(*provers(market))
    market.deployment.revive()


def while_made(market: KillMarket) -> None:
    """Killed between the opening that an epoch is made by and the count of the epoch: at whatever
    moment of its making. Raises: AssertionError where that never came about."""
    for _ in range(TRIES):
        restart(market)
        begin = len(market.deployment.trace())
        bought = market.buy(model=PRIVATE)
        market.send(bought)
        if not market.until(lambda begin=begin: _has(market, begin, TAKEN)):
            raise AssertionError(f"{market.name}: nobody opens the key")
        market.deployment.kill(*provers(market))
        market.kills += 1
        within = not _has(market, begin, COUNTED)
        market.bring_to_end(bought)
        if within:
            return
    raise AssertionError(f"{market.name}: nobody died while an epoch was made")


def _has(market: KillMarket, begin: int, boundary: str) -> bool:
    return any(each.boundary == boundary for each in market.deployment.trace()[begin:])


def restored_folder(market: KillMarket, witness: "Witness") -> None:
    """The folder of compiled models is brought back as it was at first, while the order book is
    not: it goes on from the order book's count. A folder without its count is a unit test's."""
    market.deployment.kill(*market.deployment.roles)
    shutil.rmtree(market.models)
    shutil.copytree(witness.kept, market.models)
    market.deployment.revive()
    restart(market)
    bought = market.buy(model=PRIVATE)
    market.send(bought)
    market.bring_to_end(bought)


# -- what is looked at ----------------------------------------------------------------------------


class Witness:
    """What a private market showed, from its first job on."""

    def __init__(self, market: KillMarket) -> None:
        self._market = market
        (self.folder,) = (each for each in market.models.iterdir() if has_key(each))
        self.key = read_key(self.folder).name
        self.kept = market.models.with_name("models-at-first")
        """A copy of all compiled models."""
        shutil.copytree(market.models, self.kept)
        self._taken = [self._budget(self.key).taken]
        self._proofs: dict[Digest, bytes] = {}

    def look(self) -> None:
        """Looks at the count of the key, which may have grown alone, and keeps the proofs that
        buyers were sent. Raises: AssertionError."""
        taken = self._budget(self.key).taken
        if taken < self._taken[-1]:
            raise AssertionError(f"the count of openings fell from {self._taken[-1]} to {taken}")
        self._taken.append(taken)
        for bought in self._market.bought:
            if bought.model == PRIVATE and bought.state == "done":
                self._proofs.setdefault(bought.job, self._market.proof(bought))

    def check(self) -> str:
        """What was found, in words, once every promise was found kept. Raises: AssertionError.

        Of all proofs that came out, also those that nobody was sent, no two have anything in
        common that is uniform; each opening of each commitment has a slot of its own, which was
        counted; each job was sent one proof, and was sent the same again.
        """
        self.look()
        again = {b.job: self._market.proof(b) for b in self._market.bought if b.job in self._proofs}
        if again != self._proofs:
            raise AssertionError("a stored proof was not sent again byte for byte")
        made = made_proofs(self._market.deployment.folder)
        lost = set(self._proofs.values()) - set(made.values())
        if lost:
            raise AssertionError(f"{len(lost)} proofs were sent that nobody made")
        files = {name: decode_proof_file(file) for name, file in made.items()}
        found, private = self._examined(files), sum(map(is_private, files.values()))
        trace = self._market.deployment.trace()
        slots = check_slots(trace, self.key, self._budget)
        check_openings(found, slots)
        return (
            f"{len(made)} proofs ({private} about private inputs) of {len(self._proofs)} jobs, "
            f"{sum(found.openings.values())} openings of {len(found.commitments)} commitments, "
            f"{sum(slots.values())} slots, {self._taken[0]} to {self._taken[-1]} of the key: "
            "none shared"
        )

    def _examined(self, files: dict[str, ProofFile]) -> Examined:
        key = read_bundle(self.folder).verifying_key
        proofs = [(name, file.proof) for name, file in files.items()]
        found = examine(key, proofs, {name for name, file in files.items() if is_private(file)})
        if found.shared:
            raise AssertionError(f"two openings share randomness: {'; '.join(found.shared[:3])}")
        return found

    def _budget(self, key: Digest) -> Budget:
        return asyncio.run(_budget(self._market.settings, key))


def is_private(file: ProofFile) -> bool:
    """Whether a proof is about a private input."""
    return file.input_root is not None


def control(market: KillMarket, witness: Witness) -> None:
    """Slots are given twice, and that is found. Raises: AssertionError where it is not."""
    market.deployment.restart(test_slots_twice="yes")
    for _ in range(2):
        begun(market, None)
    try:
        witness.check()
    except AssertionError as found:
        if "given twice" in str(found):
            return
        raise
    raise AssertionError("nobody found a slot that was given twice")


def made_proofs(folder: Path) -> dict[str, bytes]:
    """The files of all proofs that came out of the native prover, by process and moment."""
    kept = (path for path in (folder / MADE).glob("*") if not path.suffix)
    return {path.name: path.read_bytes() for path in sorted(kept)}


def check_slots(
    trace: list[Passage], key: Digest, budget: Callable[[Digest], Budget]
) -> Counter[bytes]:
    """How many slots were given of each commitment, by its digest.

    Raises: AssertionError where one was given twice, or one that its store does not show as used,
    or where what one process saw to be taken did not grow.
    """
    given: Counter[tuple[Digest, int]] = Counter()
    seen: dict[tuple[int, str], int] = {}
    for passage in trace:
        if passage.boundary == TAKEN:
            slot, taken = map(int, passage.detail.split("/"))
            given[Digest.from_hex(passage.job), slot] += 1
            before = seen.get((passage.pid, passage.job), 0)
            if taken <= before:
                raise AssertionError(f"of {passage.job} {taken} were taken after {before}")
            seen[passage.pid, passage.job] = taken
    twice = [f"slot {slot} of {key}" for (key, slot), times in given.items() if times > 1]
    if twice:
        raise AssertionError(f"given twice: {', '.join(twice)}")
    known = {each for each, _ in given}
    if key not in known:
        raise AssertionError("the key was never opened")
    for each in known:
        own = budget(each).own
        used = {slot for of in own for slot in range(of.first, of.first + of.taken)}
        # The counts of epochs are forgotten when these end, and those of the key never are.
        more = {slot for of, slot in given if of == each} - used
        if more and (own or each == key):
            raise AssertionError(f"slots {sorted(more)} of {each} are not counted as used")
    return Counter(each.raw for each, _ in given)


def check_openings(found: Examined, slots: Counter[bytes]) -> None:
    """Raises: AssertionError where a commitment was opened more often than it had slots."""
    for commitment, times in found.openings.items():
        if times > slots[commitment]:
            raise AssertionError(
                f"{commitment.hex()} was opened {times} times by {slots[commitment]} slots"
            )


async def _budget(settings: Settings, key: Digest) -> Budget:
    database = await Database.open(settings.database)
    try:
        return await SqlOpeningBudgets(database).budget(key)
    finally:
        await database.close()


def many(market: KillMarket, moods: list[float]) -> None:
    """More jobs than an epoch serves, some of them slow, without any death."""
    jobs = [
        market.buy(mood, model=PRIVATE, private_input=number % 4 == 1)
        for number, mood in enumerate(moods)
    ]
    for job in jobs:
        market.send(job)
    for job in jobs:
        market.bring_to_end(job)


MANY = [SLOW] + [1.0] * 31
"""More than the 20 proofs that an epoch of the model serves, and every fourth about a private
input."""
