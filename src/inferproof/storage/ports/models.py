"""The registry of models and their versions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from inferproof.types.digest import Address, Digest


class ModelStatus(StrEnum):
    """Where a version of a model stands."""

    PENDING = "pending"
    """Submitted; waits for the operator."""
    ACTIVE = "active"
    """Answers paid calls."""
    SUSPENDED = "suspended"
    """Answers no new call: the operator's word, which the operator alone takes back."""
    WITHDRAWN = "withdrawn"
    """Answers no new call, for the registry that the gateway follows does not offer it as its
    provider's; active again once that does."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Running figures of one version. `prove_ms` is the mean over the answers, 0 for none."""

    calls: int
    done: int
    failed: int
    prove_ms: int


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """What one proof will cost, as measured when the model was compiled."""

    prove_ms: int
    verify_ms: int
    peak_bytes: int
    key_bytes: int
    proof_bytes: int
    verify_gas: int


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One version of a model. `document` is the submission as the provider signed it.

    Units: prices in atomic units of the gateway's asset. `card_price` is what the card says, and
    `listed_price` what the registry says, of a version that is sold by one. `estimate` is present
    once approved.
    """

    id: str
    version: str
    commitment: Digest
    provider: Address
    proof_system: str
    title: str
    category: str
    input_type: str
    output_type: str
    card_price: int
    status: ModelStatus
    document: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    bundle_blob: Digest
    created_at: int
    updated_at: int
    estimate: ModelEstimate | None = None
    statistics: Statistics = Statistics(0, 0, 0, 0)
    listed_price: int | None = None

    @property
    def price(self) -> int:
        """What a call costs."""
        return self.card_price if self.listed_price is None else self.listed_price

    @property
    def name(self) -> str:
        """Id and version in one word: crypto-news-sentiment@1.0.0."""
        return f"{self.id}@{self.version}"


class ModelOrder(StrEnum):
    """How a list of models is sorted."""

    USE = "use"
    """By the reputation of who has them, where a market is asked for it, then by calls."""
    PRICE = "price"
    TITLE = "title"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which models to list. None stands for any. Units: `max_price` in atomic units."""

    status: ModelStatus | None = ModelStatus.ACTIVE
    id: str | None = None
    category: str | None = None
    max_price: int | None = None
    input_type: str | None = None
    output_type: str | None = None
    proof_system: str | None = None
    order: ModelOrder = ModelOrder.USE
    limit: int = 100
    offset: int = 0


class ModelStore(Protocol):
    """The registry. A version never changes what it is; only status and figures move."""

    async def check_add(self, name: str, provider: Address, document: bytes) -> ModelRecord | None:
        """The record that this submission made before, None where `add` would make a new one.

        To be asked before anything is stored for it. Raises: what `add` raises.
        """
        ...

    async def of_commitment(self, commitment: Digest) -> Sequence[ModelRecord]:
        """The models, of whatever provider and status, with this commitment."""
        ...

    async def add(self, record: ModelRecord) -> ModelRecord:
        """The stored record; the same document again gives the record that is there.

        Raises: Conflict MODEL_VERSION_TAKEN when id and version name another document,
        Conflict MODEL_OWNED when the id belongs to another provider.
        """
        ...

    async def find(self, name: str) -> ModelRecord | None:
        """The version `id@version`, or for a bare id its newest active version, or else its
        newest version."""
        ...

    async def list(self, wanted: ModelFilter) -> Sequence[ModelRecord]: ...

    async def set_status(
        self,
        name: str,
        status: ModelStatus,
        *,
        estimate: ModelEstimate | None = None,
        listed_price: int | None = None,
        now: int,
    ) -> ModelRecord:
        """The record with another status, and an estimate and a registry's price where given.

        Raises: NotFound MODEL_UNKNOWN.
        """
        ...
