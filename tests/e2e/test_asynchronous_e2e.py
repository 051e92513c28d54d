"""A paid call that is followed, told about and called off, over HTTP on a real chain."""

import asyncio
import json
from pathlib import Path

import httpx
from live_parts import Installed, settings_for
from test_gateway_e2e import BODY, INFER, JSON, payment_for
from typer.testing import CliRunner

from inferproof.app.publishing import install_model
from inferproof.cli.main import app
from inferproof.client import Client, verify_webhook
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

STEPS = ["reserve", "send_settlement", "settled", "claim", "finish"]


def test_a_job_is_followed_and_its_webhook_verifies(
    devnet: DevnetInfo, tiny: Installed, toy: dict[str, ToySystem], tmp_path: Path
) -> None:
    settings = settings_for(devnet, tmp_path, webhook_private=True)
    provider, buyer = devnet.accounts.provider, devnet.accounts.buyer
    asyncio.run(install_model(settings, tiny.card, tiny.compiled, key=provider, more_systems=toy))
    calls: list[tuple[dict[str, str], bytes]] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        calls.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    async def story(live: LiveGateway) -> Digest:
        server = await asyncio.start_server(receive, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            job = await asyncio.to_thread(order, live, f"http://127.0.0.1:{port}/hook")
            for _ in range(200):
                if calls:
                    break
                await asyncio.sleep(0.05)
        return job

    def order(live: LiveGateway, webhook: str) -> Digest:
        with httpx.Client(base_url=live.url, timeout=120) as http:
            sent = {
                **JSON,
                "PAYMENT-SIGNATURE": payment_for(http, buyer),
                "Prefer": "respond-async",
                "Inferproof-Webhook": webhook,
            }
            response = http.post(INFER, content=BODY, headers=sent)
            assert response.status_code == 202, response.text
            other = http.post(
                INFER, content=BODY, headers=sent | {"Inferproof-Webhook": "http://x/"}
            )
            assert other.json()["error"]["code"] == "WEBHOOK_OTHER"
        job = Digest.from_hex(response.json()["job_id"])
        with Client(live.url, key=buyer) as client:
            events = list(client.events(job))
        assert [event.transition for event in events] == STEPS
        return job

    with LiveGateway(settings, more_systems=toy) as live:
        job = asyncio.run(story(live))
        watched = CliRunner().invoke(app, ["job", "watch", live.url, job.hex, "--json"])
        assert watched.exit_code == 0, watched.output
        told = [json.loads(line) for line in watched.stdout.splitlines()]
        assert [event["transition"] for event in told] == STEPS
        shown = CliRunner().invoke(app, ["job", "status", live.url, job.hex])
        assert "done" in shown.stdout
        key = tmp_path / "buyer.key"
        key.touch(mode=0o600)
        key.write_text(buyer.secret().hex())
        refused = CliRunner().invoke(
            app, ["job", "cancel", live.url, job.hex, "--key-file", str(key), "--json"]
        )
        assert json.loads(refused.stdout)["reason"] == "JOB_TRANSITION_ILLEGAL"
    headers, body = calls[0]
    notice = verify_webhook(headers, body, gateway=devnet.accounts.gateway.address)
    assert (notice.job_id, notice.state) == (job, JobState.DONE)
