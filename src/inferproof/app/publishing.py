"""Models that are published here, and submissions for another gateway."""

import asyncio
import hashlib
import tomllib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from inferproof.app.provers import open_systems
from inferproof.app.running import clock
from inferproof.app.stores import Stores, open_stores
from inferproof.errors import Reason, RequestRejected
from inferproof.inference.preprocess import load_preprocessing
from inferproof.models.card import load_card
from inferproof.protocol.commitments import preprocessing_digest
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.proving.artifact import BUNDLE
from inferproof.proving.base import ProofSystem
from inferproof.services.base import Systems
from inferproof.services.models.registry import Registry
from inferproof.services.models.submission import build_submission
from inferproof.services.orders.base import GatewaySettings, ModelView
from inferproof.settings import Settings
from inferproof.types.digest import Digest


async def install_model(
    settings: Settings,
    card_path: Path,
    compiled: Path,
    *,
    key: SigningKey | None = None,
    more_systems: Mapping[str, ProofSystem] | None = None,
) -> ModelView:
    """The model of a card and its compiled folder, published here and active.

    `key` is the provider's, by default the gateway's own. A gateway that runs on the same
    data folder offers the model at once. Doing it again changes nothing.
    Raises: ModelRejected CARD_*; ArtifactRejected; RequestRejected SUBMISSION_MISMATCH;
    Conflict MODEL_VERSION_TAKEN, MODEL_OWNED; Misconfigured.
    """
    key = key or settings.signing_key()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        systems = open_systems(settings, stack, more_systems or {})
        document, signature, commitment = await asyncio.to_thread(
            _submission, card_path, compiled, key
        )
        terms = GatewaySettings(asset=settings.asset, payee=key.address)
        registry = open_registry(stores, systems, terms)
        view = await registry.submit(document, signature)
        await asyncio.to_thread(stores.artifacts.install, commitment, compiled)
        return await registry.approve(view.name)


def submission(card_path: Path, compiled: Path, key: SigningKey) -> tuple[bytes, bytes]:
    """The signed submission of a card and its compiled folder, for POST /v1/models."""
    document, signature, _ = _submission(card_path, compiled, key)
    return document, signature


def _submission(card_path: Path, compiled: Path, key: SigningKey) -> tuple[bytes, bytes, Digest]:
    card = load_card(card_path)
    file = card_path / "card.toml" if card_path.is_dir() else card_path
    try:
        bundle_bytes = (compiled / BUNDLE).read_bytes()
        model = card.model_path.read_bytes()
    except OSError as error:
        missing = error.filename or compiled
        why = (error.strerror or type(error).__name__).lower()
        raise RequestRejected(Reason.FILE_UNREADABLE, path=missing, why=why) from None
    bundle = decode_bundle(bundle_bytes)
    declared = preprocessing_digest(load_preprocessing(card.preprocessing, card.folder).canonical())
    if declared != bundle.parts.preprocessing:
        raise RequestRejected(
            Reason.SUBMISSION_MISMATCH,
            what="pre-processing",
            card=declared,
            bundle=bundle.parts.preprocessing,
        )
    digest = Digest(hashlib.sha256(model).digest())
    content = tomllib.loads(file.read_text("utf-8"))
    document, signature = build_submission(content, bundle_bytes, digest, len(model), key)
    return document, signature, bundle.commitment


def open_registry(stores: Stores, systems: Systems, terms: GatewaySettings) -> Registry:
    """The registry over these stores."""
    return Registry(
        models=stores.models,
        catalog=stores.catalog,
        blobs=stores.blobs,
        artifacts=stores.artifacts,
        systems=systems,
        settings=terms,
        clock=clock,
    )
