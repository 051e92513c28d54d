"""Submitting, approving, suspending and listing models."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from inferproof.errors import ArtifactRejected, Conflict, Reason, RequestRejected
from inferproof.models.card import CURRENCY_DECIMALS
from inferproof.protocol.proof_mode import SYSTEM, is_ended, refuse_ended
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.base import Estimate, OpeningCounter
from inferproof.services.base import Clock, Systems
from inferproof.services.models.catalog import Catalog, RegisteredModel
from inferproof.services.models.followed_registry import FollowedRegistry
from inferproof.services.models.submission import (
    Submission,
    check_submission_signature,
    read_submission,
)
from inferproof.services.orders.base import GatewaySettings, ModelView
from inferproof.services.orders.views import model_view
from inferproof.services.private_inputs import PrivateInputs
from inferproof.storage.ports.blobs import ArtifactStore, BlobStore
from inferproof.storage.ports.models import (
    ModelEstimate,
    ModelFilter,
    ModelOrder,
    ModelRecord,
    ModelStatus,
    ModelStore,
)

_PAGE = 100
"""Models that are looked at in one list."""


class Registry:
    """The part of the gateway that knows models."""

    def __init__(
        self,
        *,
        models: ModelStore,
        catalog: Catalog,
        blobs: BlobStore,
        artifacts: ArtifactStore,
        systems: Systems,
        private_inputs: PrivateInputs,
        settings: GatewaySettings,
        clock: Clock,
        followed: FollowedRegistry | None = None,
    ) -> None:
        self._models = models
        self._catalog = catalog
        self._blobs = blobs
        self._artifacts = artifacts
        self._systems = systems
        self._private_inputs = private_inputs
        self._settings = settings
        self._clock = clock
        self._followed = followed

    async def list(self, wanted: ModelFilter) -> Sequence[ModelView]:
        found = await self._models.list(wanted)
        return [await self._view(record) for record in found]

    async def model(self, name: str) -> ModelView:
        return await self._viewed(await self._catalog.find(name))

    async def bundle(self, name: str) -> bytes:
        return (await self._catalog.find(name)).submission.bundle_bytes

    async def submit(self, document: bytes, signature: bytes) -> ModelView:
        submission = await asyncio.to_thread(read_submission, document)
        check_submission_signature(document, signature, submission.provider)
        _check_mode(submission.bundle)
        self._check_currency(submission)
        card, now = submission.card, self._clock()
        known = await self._models.check_add(
            f"{card.id}@{card.version}", submission.provider, document
        )
        if known is not None:
            return await self._view(known)
        record = ModelRecord(
            id=card.id,
            version=card.version,
            commitment=submission.bundle.commitment,
            provider=submission.provider,
            proof_system=submission.bundle.parts.proof_system,
            title=card.title,
            category=card.category,
            input_type=card.input.type,
            output_type=card.output.type,
            card_price=card.price.atomic,
            status=ModelStatus.PENDING,
            document=document,
            signature=signature,
            bundle_blob=await asyncio.to_thread(self._blobs.put, submission.bundle_bytes),
            created_at=now,
            updated_at=now,
        )
        return await self._view(await self._models.add(record))

    async def approve(self, name: str) -> ModelView:
        """The active model, once the compiled model on this machine is the submitted one, and the
        openings of its key are counted here, where they are counted.

        The currency is looked at again: the gateway's token may be another one by now. Where a
        registry on a chain is followed, it offers the model as its provider's, and says its price.
        """
        registered = await self._catalog.find(name)
        _check_mode(registered.submission.bundle)
        self._check_currency(registered.submission)
        record = registered.record
        price = None
        if self._followed is None:
            await self._check_commitment(record)
        else:  # whose the commitment is, the registry says, and not who was approved first
            price = await self._followed.price_of(record.commitment, record.provider)
        system = self._systems(record.proof_system)
        path = self._artifacts.path(record.commitment)
        bundle = await asyncio.to_thread(system.verifier, path)
        if bundle.commitment != record.commitment:
            raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part="commitment")
        if isinstance(system, OpeningCounter):
            budget = await asyncio.to_thread(system.budget, path)
            if budget is not None:
                budget.check_counted()
        estimate = await asyncio.to_thread(system.estimate, path)
        changed = await self._models.set_status(
            record.name,
            ModelStatus.ACTIVE,
            estimate=_estimate(estimate),
            listed_price=price,
            now=self._clock(),
        )
        self._catalog.changed()
        return await self._view(changed)

    async def _view(self, record: ModelRecord) -> ModelView:
        return await self._viewed(self._catalog.read(record))

    async def _viewed(self, model: RegisteredModel) -> ModelView:
        taken = await self._private_inputs.taken(model)
        return model_view(model, self._settings, private_inputs=taken)

    async def _check_commitment(self, record: ModelRecord) -> None:
        """Whoever was approved first with a compiled model is whom its answers pay."""
        for other in await self._models.of_commitment(record.commitment):
            if other.provider != record.provider and other.status is not ModelStatus.PENDING:
                raise Conflict(
                    Reason.MODEL_COMMITMENT_OWNED,
                    commitment=record.commitment,
                    owner=other.provider,
                    model=other.name,
                )

    def _check_currency(self, submission: Submission) -> None:
        # Prices are kept in atomic units: in a token of 18 decimals a quarter would be dust.
        currency, asset = submission.card.price.currency, self._settings.asset
        decimals = CURRENCY_DECIMALS[currency]
        if decimals != asset.decimals:
            raise RequestRejected(
                Reason.SUBMISSION_CURRENCY,
                currency=currency,
                decimals=decimals,
                symbol=asset.symbol,
                got=asset.decimals,
            )

    async def suspend(self, name: str) -> ModelView:
        record = (await self._catalog.find(name)).record
        changed = await self._models.set_status(
            record.name, ModelStatus.SUSPENDED, now=self._clock()
        )
        self._catalog.changed()
        return await self._view(changed)

    async def suspend_ended(self) -> Sequence[str]:
        """The names of the models whose mode has ended and which were active, or withdrawn and so
        might be again, and are suspended now.

        Their paid jobs that wait fail when a worker takes them, and are refunded as failed ones
        are. Doing it again, or in several processes at a time, changes nothing more.
        """
        suspended: list[str] = []
        for status in (ModelStatus.ACTIVE, ModelStatus.WITHDRAWN):
            wanted = ModelFilter(status, proof_system=SYSTEM, order=ModelOrder.NEWEST, limit=_PAGE)
            while found := await self._models.list(wanted):
                read = [self._catalog.read(each) for each in found]
                suspended += [
                    each.record.name for each in read if _has_ended(each.submission.bundle)
                ]
                wanted = replace(wanted, offset=wanted.offset + len(found))
        for name in suspended:
            await self.suspend(name)
        return suspended


def _has_ended(bundle: VerifierBundle) -> bool:
    """Whether no proof of the model is verified any more."""
    return bundle.parts.proof_system == SYSTEM and is_ended(bundle.verifying_key)


def _check_mode(bundle: VerifierBundle) -> None:
    if bundle.parts.proof_system == SYSTEM:
        refuse_ended(bundle.verifying_key)


def _estimate(estimate: Estimate) -> ModelEstimate:
    return ModelEstimate(
        prove_ms=round(estimate.prove_s * 1000),
        verify_ms=round(estimate.verify_s * 1000),
        peak_bytes=estimate.peak_bytes,
        key_bytes=estimate.key_bytes,
        proof_bytes=estimate.proof_bytes,
        verify_gas=estimate.verify_gas,
    )
