"""Models that are published here, and submissions for another gateway."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from inferproof.app.following import open_followed
from inferproof.app.key_budgets import bring
from inferproof.app.provers import open_systems
from inferproof.app.running import clock
from inferproof.app.stores import Stores, open_stores
from inferproof.chain.rpc import Rpc
from inferproof.errors import Reason, RequestRejected
from inferproof.inference.preprocess import load_preprocessing
from inferproof.models.variants import Variant, read_variants
from inferproof.protocol.commitments import preprocessing_digest
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.proving.artifact import BUNDLE
from inferproof.proving.base import ProofSystem
from inferproof.services.base import Systems
from inferproof.services.models.followed_registry import FollowedRegistry
from inferproof.services.models.registry import Registry
from inferproof.services.models.submission import build_submission
from inferproof.services.orders.base import GatewaySettings, ModelView
from inferproof.services.private_inputs import PrivateInputs
from inferproof.settings import Settings
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.types.digest import Digest


async def install_model(
    settings: Settings,
    card_path: Path,
    compiled: Path,
    *,
    key: SigningKey | None = None,
    more_systems: Mapping[str, ProofSystem] | None = None,
) -> tuple[ModelView, ...]:
    """The model of a card and its compiled folder, published here and active; of a card of several
    sizes each, as a version of its own.

    `key` is the provider's, by default the gateway's own. A gateway that runs on the same
    data folder offers the model at once. Doing it again changes nothing. Where the model's key may
    be opened so often, the order book counts it from then on, and the user's own records give it
    all that they have.
    Raises: ModelRejected CARD_*; ArtifactRejected; RequestRejected SUBMISSION_MISMATCH;
    Conflict MODEL_VERSION_TAKEN, MODEL_OWNED, OPENINGS_ELSEWHERE; Misconfigured; where a registry
    on a chain is followed, as `open_followed` and `FollowedRegistry.price_of`.
    """
    key = key or settings.signing_key()
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        systems = open_systems(settings, stores, stack, more_systems or {})
        made = await asyncio.to_thread(submissions, card_path, compiled, key)
        terms = GatewaySettings(asset=settings.asset, payee=key.address)
        private_inputs = PrivateInputs(systems, stores.openings)
        followed = None
        if settings.model_registry_address is not None:
            rpc = await stack.enter_async_context(Rpc(settings.rpc))
            followed = await open_followed(settings, rpc, stores)
        registry = open_registry(stores, systems, private_inputs, terms, followed)
        views = []
        for each in made:
            view = await registry.submit(each.document, each.signature)
            folder = await asyncio.to_thread(
                stores.artifacts.install, each.commitment, each.compiled
            )
            await bring(LocalOpeningBudgets(), stores.openings, each.compiled, folder)
            views.append(await registry.approve(view.name))
    return tuple(views)


@dataclass(frozen=True, slots=True)
class SignedSubmission:
    """A submission for POST /v1/models, and the compiled model that it is of."""

    document: bytes = field(repr=False)
    signature: bytes
    commitment: Digest
    compiled: Path


def submissions(card_path: Path, compiled: Path, key: SigningKey) -> list[SignedSubmission]:
    """The signed submission of a card and its compiled folder, or of each of the card's sizes and
    the folder in it. Raises: ModelRejected CARD_*; RequestRejected FILE_UNREADABLE,
    SUBMISSION_MISMATCH; as `decode_bundle`.
    """
    variants = read_variants(card_path)
    return [_submission(each, compiled / each.choice.name, key) for each in variants]


def _submission(variant: Variant, compiled: Path, key: SigningKey) -> SignedSubmission:
    card = variant.card
    try:
        bundle_bytes = (compiled / BUNDLE).read_bytes()
        size = card.model_path.stat().st_size
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
    document, signature = build_submission(variant.content, bundle_bytes, size, key)
    return SignedSubmission(document, signature, bundle.commitment, compiled)


def open_registry(
    stores: Stores,
    systems: Systems,
    private_inputs: PrivateInputs,
    terms: GatewaySettings,
    followed: FollowedRegistry | None,
) -> Registry:
    """The registry over these stores."""
    return Registry(
        models=stores.models,
        catalog=stores.catalog,
        blobs=stores.blobs,
        artifacts=stores.artifacts,
        systems=systems,
        private_inputs=private_inputs,
        settings=terms,
        clock=clock,
        followed=followed,
    )
