"""Latency of paid calls to a gateway on a local chain, proven by `sumcheck` and without a proof.

One gateway sells token-risk twice: as it is, and with a proof system that only computes and
binds the outputs. Payment, settlement, pre-processing, inference, storage and the buyer's
verification are the same in both, so the difference is what proving costs.
"""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import percentile, run_json, say
from inferproof.app.compiling import compile_card
from inferproof.app.publishing import install_model
from inferproof.models.card import ModelCard, load_card
from inferproof.settings import Settings
from inferproof.testing.limits import WIDE
from inferproof.testing.live import LiveGateway
from inferproof.testing.market import LocalChain
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem

MODEL = "token_risk"
PROVEN = "sumcheck"
"""The proof system of cards, and what both are measured with."""
BUYERS = [sys.executable, "-m", "bench.buyers"]
PERCENTILES = (50, 95, 99)
STAGES = (
    "offer",
    "settle and queue",
    "preprocess",
    "load",
    "prove",
    "verify",
    "store",
    "fetch",
    "buyer",
)
"""In the order in which they happen. `prove` includes the witness; without a proof it is the
inference alone."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`calls` paid calls by as many buyers as `concurrency`; none begins after `limit_s`."""

    proving: bool
    concurrency: int
    calls: int
    warm_up: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class Shop:
    """A running gateway: the models with a proof and without, and the buyer's key."""

    url: str
    proven: ModelCard
    unproven: ModelCard
    key: str


@contextmanager
def open_shop(work: Path) -> Iterator[Shop]:
    """A gateway in this process, on a chain of its own; buyers are another process."""
    say("gateway: starting a chain, compiling token-risk")
    toy = ToySystem(ACKNOWLEDGEMENT)
    with LocalChain(work / "market", zoo=(MODEL,), system=PROVEN) as market:
        (listing,) = market.models
        info = market.devnet
        given = info.settings(work / "gateway") | {"sync_wait_s": 120.0, **WIDE}
        settings = Settings.load(**given)
        unproven = without_proof(listing.card, work / "unproven")
        compile_card(unproven, work / "unproven.compiled", toy)
        systems = {toy.name: toy}
        for card, compiled in (
            (listing.card, listing.compiled),
            (unproven, work / "unproven.compiled"),
        ):
            asyncio.run(
                install_model(
                    settings,
                    card.folder,
                    compiled,
                    key=info.accounts.provider,
                    more_systems=systems,
                )
            )
        with LiveGateway(settings, more_systems=systems) as live:
            yield Shop(live.url, listing.card, unproven, info.accounts.buyer.secret().hex())


def measure_calls(shop: Shop, scenario: Scenario) -> dict[str, Any]:
    """Figures of one scenario, as results.json has them. Raises: BenchFailed."""
    card = shop.proven if scenario.proving else shop.unproven
    say(
        f"gateway: {scenario.calls} paid calls, {PROVEN if scenario.proving else 'no proof'}, "
        f"{scenario.concurrency} at once"
    )
    order = {
        "url": shop.url,
        "key": shop.key,
        "model": card.id,
        "values": [example.value for example in card.input.examples],
        "concurrency": scenario.concurrency,
        "warm_up": scenario.warm_up,
        "calls": scenario.calls,
        "limit_s": scenario.limit_s,
    }
    bought = run_json(BUYERS, order).answer
    calls, errors = bought["calls"], bought["errors"]
    totals = [call["total_s"] for call in calls]
    return {
        "proving": PROVEN if scenario.proving else "none",
        "concurrency": scenario.concurrency,
        "calls": len(calls) + len(errors),
        "errors": len(errors),
        "error_codes": sorted(set(errors)),
        "calls_per_s": len(calls) / bought["wall_s"],
        "latency_s": {f"p{p}": percentile(totals, p) for p in PERCENTILES}
        | {"fastest": min(totals), "slowest": max(totals)}
        if totals
        else None,
        "stages_s": {name: median(_stages(call)[name] for call in calls) for name in STAGES}
        if calls
        else None,
        "samples_s": sorted(totals),
    }


def _stages(call: dict[str, Any]) -> dict[str, float]:
    """A call's seconds by stage; they add up to the whole.

    The gateway's own stages are in the receipt. What the paid request took beyond them is
    settling on chain, waiting for a worker and HTTP; what no request took is the buyer's own
    work: signing and verifying.
    """
    told: dict[str, float] = call["stages"]
    own = {name: told.get(name, 0.0) for name in STAGES if name in told}
    requests = call["offer_s"] + call["paid_s"] + call["fetch_s"]
    return dict.fromkeys(STAGES, 0.0) | {
        **own,
        "offer": call["offer_s"],
        "settle and queue": call["paid_s"] - sum(own.values()),
        "fetch": call["fetch_s"],
        "buyer": call["total_s"] - requests,
    }


def without_proof(card: ModelCard, folder: Path) -> ModelCard:
    """A copy of a model's card that differs in its id and its proof system alone."""
    shutil.copytree(card.folder, folder)
    path = folder / "card.toml"
    text = path.read_text()
    changes = (
        (f'id = "{card.id}"', f'id = "{card.id}-unproven"'),
        (f'"{card.proof.system}"', '"toy"'),
    )
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{path} does not have {old} exactly once")
        text = text.replace(old, new)
    path.write_text(text)
    return load_card(folder)
