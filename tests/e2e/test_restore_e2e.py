"""What a restored gateway refunds: what nobody refunded since, and nothing else."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from live_parts import Installed, settings_for
from test_gateway_e2e import INFER, JSON, payment_for

from inferproof.app.backup import backup, restore
from inferproof.app.publishing import install_model
from inferproof.app.reconciliation import open_books
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.settings import Settings
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.kill_server import REFUSED, MoodySystem
from inferproof.testing.live import LiveGateway

BODY = b'{"input": [[%f, 2.0, 3.0]]}' % REFUSED
PRICE = 250_000
WAIT_S = 120.0


@pytest.mark.parametrize("refunded_since", [True, False])
def test_a_restored_gateway_refunds_once(
    devnet: DevnetInfo, tiny: Installed, tmp_path: Path, refunded_since: bool
) -> None:
    """The job fails. Its refund is made after the backup, or only by the restored gateway; another
    of the same buyer and amount, which the backup does not know, is no refund of this one."""
    old, new = tmp_path / "old", tmp_path / "new"
    systems = {"toy": MoodySystem(tmp_path)}
    taking = settings_for(devnet, old, workers=0)
    asyncio.run(install_model(taking, tiny.card, tiny.compiled, more_systems=systems))
    with LiveGateway(taking, more_systems=systems) as live:
        job = _buy(live, devnet)
        _wait(live, job, "queued")
        asyncio.run(backup(taking, tmp_path / "b.tar"))
    since, lost = None, 0
    if refunded_since:
        working = settings_for(devnet, old)
        with LiveGateway(working, more_systems=systems) as live:
            lost = len([_wait(live, _buy(live, devnet), "refunded")])
            since = _wait(live, job, "refunded")
    held = _balance(devnet)
    restored = settings_for(devnet, new)
    summary = asyncio.run(restore(restored, tmp_path / "b.tar"))
    asyncio.run(install_model(restored, tiny.card, tiny.compiled, more_systems=systems))
    assert summary.rows["jobs"] == 1
    with LiveGateway(restored, more_systems=systems) as live:
        refund = _wait(live, job, "refunded")
        time.sleep(1.5)  # another would be sent by now
        events = httpx.get(f"{live.url}/v1/jobs/{job}").json()
    assert events["state"] == "refunded"
    assert _balance(devnet) == held - (0 if refunded_since else PRICE)
    assert refund == since or not refunded_since
    report = asyncio.run(_books(restored))
    assert (report.refunded.count, report.other_outgo.count) == (1, lost)
    assert report.balanced, report.discrepancies


def _buy(live: LiveGateway, devnet: DevnetInfo) -> str:
    with httpx.Client(base_url=live.url, timeout=120) as http:
        paid = payment_for(http, devnet.accounts.buyer, BODY)
        headers = {**JSON, "PAYMENT-SIGNATURE": paid, "Prefer": "respond-async"}
        response = http.post(INFER, content=BODY, headers=headers)
    assert response.status_code == 202, response.text
    return str(response.json()["job_id"])


def _wait(live: LiveGateway, job: str, state: str) -> str | None:
    """The transaction of its refund, once it is in the state."""
    end = time.monotonic() + WAIT_S
    while True:
        told = httpx.get(f"{live.url}/v1/jobs/{job}").json()
        if told["state"] == state:
            return (told.get("refund") or {}).get("transaction")
        assert time.monotonic() < end, told
        time.sleep(0.05)


def _balance(devnet: DevnetInfo) -> int:
    async def ask() -> int:
        async with Rpc(devnet.rpc_url) as rpc:
            return await TokenChain(rpc, devnet.token).balance(devnet.accounts.gateway.address)

    return asyncio.run(ask())


async def _books(settings: Settings):  # type: ignore[no-untyped-def]
    async with open_books(settings) as keeper:
        return await keeper.check()
