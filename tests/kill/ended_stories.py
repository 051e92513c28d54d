"""Paid jobs that wait about an active model whose mode has ended: a gateway that starts suspends
the model, and each job is refunded once, wherever the gateway dies meanwhile."""

import asyncio
import shutil
import time
from dataclasses import replace
from pathlib import Path

from kill_market import MIGRATING, PRIVATE, Bought, KillMarket
from stories import Case, died

from inferproof.app.publishing import submissions
from inferproof.app.stores import open_stores
from inferproof.errors import Reason
from inferproof.protocol.proof_mode import SYSTEM, is_ended
from inferproof.protocol.verifier_bundle import VerifierBundle, verifying_key_digest
from inferproof.proving.artifact import open_artifact, write_header
from inferproof.proving.sumcheck.check import VERSION
from inferproof.services.models.submission import read_submission
from inferproof.storage.ports.models import ModelRecord, ModelStatus
from inferproof.testing.boundaries import Boundary

PLACE = 12
"""Of the byte of a verifying key that names its mode."""
JOBS = 3
SUSPENDING = frozenset(["models.set_status"])
"""Effects of a gateway that starts with a model whose mode has ended."""
ENDED = (
    "models.set_status",
    "queue.claim",
    "queue.give_up",
    "settlements.send_refund",
    "chain.submit",
    "outbox.note_sent",
    "settlements.refunded",
)
"""What it passes until each job is refunded, in this order."""


def ended_codes() -> tuple[int, ...]:
    """The bytes of modes that have ended."""
    return tuple(code for code in range(256) if is_ended(bytes(PLACE) + bytes([code])))


def suspended(market: KillMarket, at: Boundary | None) -> Bought:
    """Three paid jobs wait about a model of each mode that has ended while the gateway is down."""
    models = [_install(market, code) for code in ended_codes()]
    jobs = [market.buy(model=model, ends="refunded") for model in models for _ in range(JOBS)]
    with market.held():
        for job in jobs:
            market.send(job)
            market.wait_for(job, "settling")
        market.arm(Boundary("queue", "claim", "before"))
    died(market)
    market.arm(at)
    market.deployment.revive()
    for job in jobs:
        market.bring_to_end(job)
        why = job.facts["failure"]["code"]
        if why != Reason.MODE_ENDED.name:
            raise AssertionError(f"job {job.job} failed for {why}")
    market.reach(at)
    for model in models:
        market.check_suspended(model)
    return jobs[0]


CASE = Case(suspended, "the gateway is killed with paid jobs, before it starts again")


def ended_boundaries(known: tuple[Boundary, ...]) -> list[Boundary]:
    """Those from a gateway's start to the last refund."""
    return [at for effect in ENDED for at in known if at.effect == effect]


def _install(market: KillMarket, code: int) -> str:
    """The name of a fresh active model whose key names the mode of this byte, as a build that still
    proved by it has left it."""
    market.installed += 1
    name = f"old-{code}-{market.installed}"
    folder = market.folder / name
    _of_mode(market.folder / PRIVATE, folder, name, code)
    with MIGRATING:
        asyncio.run(_publish(market, folder))
    return name


def _of_mode(whole: Path, folder: Path, name: str, code: int) -> None:
    """Card and compiled model of another one under this name, with another byte in its key."""
    shutil.copytree(whole, folder)
    card = folder / "card.toml"
    card.write_text(card.read_text().replace(f'id = "{PRIVATE}"', f'id = "{name}"'))
    artifact = open_artifact(folder / "compiled", SYSTEM, VERSION)
    changed = _with_byte(artifact.bundle, code)
    write_header(artifact.folder, changed, artifact.costs, artifact.details)


def _with_byte(bundle: VerifierBundle, code: int) -> VerifierBundle:
    key = bytearray(bundle.verifying_key)
    key[PLACE] = code
    parts = replace(bundle.parts, verifying_key=verifying_key_digest(bytes(key)))
    # Proofs of ranges are for keys of today alone.
    return replace(bundle, parts=parts, verifying_key=bytes(key), ranges=b"")


async def _publish(market: KillMarket, folder: Path) -> None:
    key, now = market.devnet.accounts.provider, int(time.time())
    (made,) = submissions(folder, folder / "compiled", key)
    told = read_submission(made.document)
    async with open_stores(market.settings) as stores:
        record = ModelRecord(
            id=told.card.id,
            version=told.card.version,
            commitment=made.commitment,
            provider=key.address,
            proof_system=SYSTEM,
            title=told.card.title,
            category=told.card.category,
            input_type=told.card.input.type,
            output_type=told.card.output.type,
            card_price=told.card.price.atomic,
            status=ModelStatus.PENDING,
            document=made.document,
            signature=made.signature,
            bundle_blob=stores.blobs.put(told.bundle_bytes),
            created_at=now,
            updated_at=now,
        )
        stores.artifacts.install(made.commitment, made.compiled)
        added = await stores.models.add(record)
        await stores.models.set_status(added.name, ModelStatus.ACTIVE, now=now)
