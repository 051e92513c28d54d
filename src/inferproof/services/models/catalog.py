"""Registered models with their submissions read; a version never changes, so reading is kept."""

import time
from collections import OrderedDict
from dataclasses import dataclass

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.services.models.submission import Submission, read_submission
from inferproof.storage.ports.models import ModelRecord, ModelStatus, ModelStore

KEPT = 64
"""Submissions held in memory; each is about as large as its verifying key."""

ACTIVE_S = 1.0
"""How long a model may be sold on after another process suspended it."""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A record, and what its document says."""

    record: ModelRecord
    submission: Submission


@dataclass(slots=True)
class _Active:
    """A model that was found active: from `renew` on somebody is to look again (`is_looked_at`
    once one does), and from `until` on it is not known. Units: seconds of the monotonic clock."""

    model: RegisteredModel
    renew: float
    until: float
    is_looked_at: bool = False


class Catalog:
    """Finds models by id or `id@version`."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models
        self._kept: OrderedDict[str, RegisteredModel] = OrderedDict()
        self._active: dict[str, _Active] = {}

    async def find(self, name: str) -> RegisteredModel:
        """Raises: NotFound MODEL_UNKNOWN."""
        record = await self._models.find(name)
        if record is None:
            raise NotFound(Reason.MODEL_UNKNOWN, model=name)
        return self.read(record)

    async def active(self, name: str) -> RegisteredModel:
        """The model as it was at most ACTIVE_S ago, or since `changed`.

        Raises: NotFound MODEL_UNKNOWN; Conflict MODEL_NOT_ACTIVE.
        """
        known, now = self._active.get(name), time.monotonic()
        if known is not None and now < known.until and (now < known.renew or known.is_looked_at):
            return known.model
        if known is not None:
            known.is_looked_at = True  # one looks, the others go on with what is known
        model = await self.find(name)
        if model.record.status is not ModelStatus.ACTIVE:
            self._active.pop(name, None)
            raise Conflict(
                Reason.MODEL_NOT_ACTIVE, model=model.record.name, status=model.record.status.value
            )
        if len(self._active) >= 2 * KEPT:
            self._active.clear()
        now = time.monotonic()
        self._active[name] = _Active(model, now + ACTIVE_S / 2, now + ACTIVE_S)
        return model

    def changed(self) -> None:
        """Forgets which models are active: one was approved or suspended here."""
        self._active.clear()

    async def described(self, model_id: str, version: str) -> RegisteredModel:
        """A version as it was read last: what it is never changes, status and figures may have.

        Raises: NotFound MODEL_UNKNOWN.
        """
        name = f"{model_id}@{version}"
        return self._kept.get(name) or await self.find(name)

    def read(self, record: ModelRecord) -> RegisteredModel:
        """The record with its submission."""
        kept = self._kept.pop(record.name, None)
        submission = read_submission(record.document) if kept is None else kept.submission
        model = RegisteredModel(record, submission)
        self._kept[record.name] = model
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return model
