"""Step boundaries: the moments just before and just after each effect of a gateway.

`app.build(settings, watch=Watcher(folder))` puts a passage on both sides of every effect. What an
effect is comes from the protocols themselves: each method is one unless it stands in QUESTIONS,
so a method that is added later is a boundary by itself, and the kill suite fails until it has a
case.

    settlements.settled:before     the store was not asked yet
    settlements.settled:after      it is durable, and whoever asked does not know it yet

A watcher writes every passage down, in a file that survives the process, and ends its own process
with SIGKILL at the passage that the file `armed` names. The first of several processes to come
there takes the file away, so only one dies. For tests alone: no setting turns this on.
"""

import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from inferproof.payments.transfer.method import TransferChain
from inferproof.protocol.opening_budget import Opening
from inferproof.proving.base import Execution, ProofSystem
from inferproof.services.notifier.base import Sender
from inferproof.services.settlement.base import SettlementChain
from inferproof.storage.ports.blobs import BlobStore
from inferproof.storage.ports.chain_events import ChainEvents
from inferproof.storage.ports.deliveries import Deliveries
from inferproof.storage.ports.jobs import Answer, Jobs, KeptProof
from inferproof.storage.ports.models import ModelStore
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.ports.order_deliveries import OrderDeliveries
from inferproof.storage.ports.outbox import Outbox
from inferproof.storage.ports.queue import Queue
from inferproof.storage.ports.revenue import Payouts
from inferproof.storage.ports.settlements import Settlements
from inferproof.types.digest import Digest

T = TypeVar("T")

PARTS: dict[str, tuple[type, ...]] = {
    "jobs": (Jobs,),
    "settlements": (Settlements,),
    "outbox": (Outbox,),
    "queue": (Queue,),
    "chain": (SettlementChain,),
    "blobs": (BlobStore,),
    "system": (ProofSystem,),
    "execution": (Execution,),
    "transactions": (TransferChain,),
    "deliveries": (Deliveries,),
    "sender": (Sender,),
    "models": (ModelStore,),
    "openings": (OpeningBudgets,),
    "payouts": (Payouts,),
    "events": (ChainEvents,),
    "order_deliveries": (OrderDeliveries,),
}
"""The watched parts by the name under which `app.build` gives them to its watch, and the protocols
that say what can be done with each."""

QUESTIONS: dict[str, frozenset[str]] = {
    "jobs": frozenset(
        [
            "find",
            "job",
            "job_of_proof",
            "find_payment",
            "find_payment_id",
            "in_state",
            "events",
            "progress",
        ]
    ),
    "settlements": frozenset(
        [
            "to_settle",
            "refused",
            "payables",
            "due_refunds",
        ]
    ),
    "outbox": frozenset(
        [
            "open_outbox",
            "raw",
            "free_nonces",
            "watched",
        ]
    ),
    "queue": frozenset(
        [
            "runnable",
            "startable",
            "kept",
            "expired_leases",
            "overdue",
        ]
    ),
    "chain": frozenset(
        [
            "head",
            "balance",
            "payer_state",
            "payer_states",
            "check_settles",
            "earlier_settlement",
            "authorization_used",
            "look",
            "sign_settlement",
            "sign_refund",
            "refunds_made",
            "sign_filler",
            "sign_again",
            "included",
            "block_digests",
            "settled_by",
        ]
    ),
    "blobs": frozenset(["get", "size"]),
    "system": frozenset(["supports", "describe", "compile", "execute", "verifier", "estimate"]),
    "execution": frozenset(["close"]),
    "transactions": frozenset(["transaction"]),
    "deliveries": frozenset(["due", "in_state", "retry"]),
    "sender": frozenset(),
    "models": frozenset(["check_add", "of_commitment", "add", "find", "list"]),
    "openings": frozenset(["store", "delegate", "accept", "budget"]),
    "payouts": frozenset(["due", "carried"]),
    "events": frozenset(["begin", "block_below", "forget", "cursor", "find", "sets"]),
    "order_deliveries": frozenset(["due", "carried", "of_jobs"]),
}
"""What changes nothing outside its own process, or is no step of a job but an operator's."""

MAKES = {("system", "execute"): "execution", ("system", "execute_private"): "execution"}
"""What a method gives that is a watched part itself."""

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True, slots=True, order=True)
class Boundary:
    """One side of one effect. `count` is the passage that is meant, from one on."""

    part: str
    method: str
    side: str
    count: int = 1

    @property
    def effect(self) -> str:
        """Part and method: settlements.settled."""
        return f"{self.part}.{self.method}"

    def __str__(self) -> str:
        numbered = "" if self.count == 1 else f"#{self.count}"
        return f"{self.effect}:{self.side}{numbered}"

    @classmethod
    def read(cls, text: str) -> "Boundary":
        """The inverse of `str`."""
        name, _, count = text.partition("#")
        effect, _, side = name.partition(":")
        part, _, method = effect.partition(".")
        return cls(part, method, side, int(count or 1))


def effects(part: str) -> tuple[str, ...]:
    """The methods of a watched part that change something, by introspection of its protocol."""
    return tuple(name for name in _methods(PARTS[part]) if name not in QUESTIONS[part])


def unknown_questions() -> tuple[str, ...]:
    """Names in QUESTIONS that no protocol has any more."""
    return tuple(
        f"{part}.{name}"
        for part, names in QUESTIONS.items()
        for name in sorted(names - set(_methods(PARTS[part])))
    )


def boundaries() -> tuple[Boundary, ...]:
    """Every boundary there is."""
    return tuple(
        Boundary(part, method, side)
        for part in PARTS
        for method in effects(part)
        for side in (BEFORE, AFTER)
    )


def _methods(protocols: tuple[type, ...]) -> Iterator[str]:
    """The methods that the protocols and those they extend declare, in their order."""
    seen: set[str] = set()
    for kind in (kind for protocol in protocols for kind in protocol.__mro__):
        if getattr(kind, "_is_protocol", False):
            for name, member in vars(kind).items():
                if inspect.isfunction(member) and not name.startswith("_") and name not in seen:
                    seen.add(name)
                    yield name


@dataclass(frozen=True, slots=True)
class Passage:
    """One line of the trace. `job` and `detail` are present where the call was about them; of
    openings they are the key, and after one was taken its slot and how many were taken by then."""

    pid: int
    boundary: str
    job: str
    detail: str


def armed(folder: Path) -> Boundary | None:
    """The boundary at which the next process to come there dies."""
    try:
        return Boundary.read((folder / Watcher.ARMED).read_text())
    except FileNotFoundError:
        return None


class Watcher:
    """What `app.build` is given as its watch; see the module. All processes share the folder."""

    ARMED, FIRED, TRACE = "armed", "fired", "trace"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fired = folder / self.FIRED
        self._trace = os.open(folder / self.TRACE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._counting = threading.Lock()
        self._counted: tuple[Boundary | None, int] = (None, 0)

    def __call__(self, part: str, target: T) -> T:
        """The part with a passage on both sides of each effect."""
        return cast("T", _Watched(target, part, frozenset(effects(part)), self.passed))

    def passed(self, boundary: str, job: str, detail: str) -> None:
        """Writes the passage down; never returns where it is the armed one."""
        os.write(self._trace, f"{os.getpid()} {boundary} {job} {detail}\n".encode())
        wanted = armed(self._folder)
        if wanted is None or boundary != str(replace(wanted, count=1)):
            return
        with self._counting:
            known, count = self._counted
            count = count + 1 if known == wanted else 1
            self._counted = (wanted, count)
        if count == wanted.count and self._take():
            os.kill(os.getpid(), signal.SIGKILL)

    def _take(self) -> bool:
        try:
            (self._folder / self.ARMED).rename(self._fired)
        except FileNotFoundError:
            return False
        return True


class _Watched:
    """Everything of a target, with passages around the named methods."""

    def __init__(
        self,
        target: Any,
        part: str,
        methods: frozenset[str],
        passed: Callable[[str, str, str], None],
    ) -> None:
        self._target = target
        self._part = part
        self._methods = methods
        self._passed = passed

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._target, name)
        if (self._part, name) in MAKES:
            return self._made(MAKES[self._part, name], member)
        if name not in self._methods:
            return member
        effect, passed = f"{self._part}.{name}", self._passed

        if inspect.iscoroutinefunction(member):

            @wraps(member)
            async def call(*args: Any, **kwargs: Any) -> Any:
                passed(f"{effect}:{BEFORE}", *_about(args))
                result = await member(*args, **kwargs)
                passed(f"{effect}:{AFTER}", *_about(args, result))
                return result

            return call

        @wraps(member)
        def call_now(*args: Any, **kwargs: Any) -> Any:
            passed(f"{effect}:{BEFORE}", *_about(args))
            result = member(*args, **kwargs)
            passed(f"{effect}:{AFTER}", *_about(args, result))
            return result

        return call_now

    def _made(self, part: str, make: Callable[..., Any]) -> Callable[..., Any]:
        """The same, which gives a watched part."""

        @wraps(make)
        def call(*args: Any, **kwargs: Any) -> Any:
            return _Watched(make(*args, **kwargs), part, frozenset(effects(part)), self._passed)

        return call


def _about(args: tuple[Any, ...], given: object = None) -> tuple[str, str]:
    """The job of a call or the key that it counts, and the step or the slot that it gives, where
    there is one; a dash for none."""
    job, detail = "-", "-"
    for value in args:
        if job == "-":
            named = value if isinstance(value, Digest) else getattr(value, "job_id", None)
            job = named.hex if isinstance(named, Digest) else job
        if isinstance(value, KeptProof | Answer):
            detail = type(value).__name__
    if isinstance(given, Opening):
        detail = f"{given.slot}/{given.taken}"
    return job, detail


def read_trace(folder: Path) -> list[Passage]:
    """All passages so far, in the order in which they were written."""
    path = folder / Watcher.TRACE
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    parts = (line.split(" ", 3) for line in lines)
    return [Passage(int(pid), boundary, job, detail) for pid, boundary, job, detail in parts]
