"""Registered models with their submissions read; a version never changes, so reading is kept."""

import time
from collections import OrderedDict
from dataclasses import dataclass

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.services.gateway.submission import Submission, read_submission
from inferproof.storage.base import ModelRecord, ModelStatus, ModelStore

KEPT = 64
"""Submissions held in memory; each is about as large as its verifying key."""

ACTIVE_S = 1.0
"""How long a model may be sold on after another process suspended it."""


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A record, and what its document says."""

    record: ModelRecord
    submission: Submission


class Catalog:
    """Finds models by id or `id@version`."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models
        self._kept: OrderedDict[str, RegisteredModel] = OrderedDict()
        self._active: dict[str, tuple[RegisteredModel, float]] = {}

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
        kept = self._active.get(name)
        if kept is not None and time.monotonic() < kept[1]:
            return kept[0]
        model = await self.find(name)
        if model.record.status is not ModelStatus.ACTIVE:
            raise Conflict(
                Reason.MODEL_NOT_ACTIVE, model=model.record.name, status=model.record.status.value
            )
        if len(self._active) >= 2 * KEPT:
            self._active.clear()
        self._active[name] = model, time.monotonic() + ACTIVE_S
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
