"""A page of another origin pays with the public client, in a real browser."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from browser import report_of
from live_parts import MODEL

from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.live import LiveGateway

JS = Path(__file__).parent / "js"
PAGE = """<!doctype html><meta charset="utf-8"><title>pays</title>
<script>globalThis.call = {call};</script><script type="module" src="/pay.js"></script>"""
PRICE = 250_000
BODY = '{"input": [[1.0, 2.0, 3.0]]}'

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The client and its libraries as one file, as a web page would ship them."""
    bundler = JS / "node_modules/.bin/esbuild"
    if not bundler.is_file():
        pytest.fail("the public clients are not installed; run: scripts/bootstrap.sh js")
    target = tmp_path_factory.mktemp("page") / "pay.js"
    source = str(JS / "pay_in_browser.mjs")
    options = ("--bundle", "--format=esm", "--platform=browser", "--log-level=warning")
    subprocess.run([str(bundler), source, *options, f"--outfile={target}"], check=True, timeout=120)
    return target.read_bytes()


def pay(gateway: LiveGateway, devnet: DevnetInfo, script: bytes, **changes: str) -> Any:
    call = {
        "url": f"{gateway.url}/v1/models/{MODEL}/infer",
        "body": BODY,
        "key": "0x" + devnet.accounts.buyer.secret().hex(),
        "network": devnet.network.caip2,
        "asset": devnet.token.address.hex,
        "cap": str(PRICE),
    }
    return report_of(PAGE.format(call=json.dumps(call | changes)), {"/pay.js": script})


def test_a_page_pays_and_sees_its_answer(
    gateway: LiveGateway, devnet: DevnetInfo, script: bytes
) -> None:
    told = pay(gateway, devnet, script)
    assert told["status"] == 200, told
    assert told["origin"] != gateway.url
    assert told["body"]["state"] == "done"
    assert told["body"]["receipt"]
    assert told["settlement"]["success"] is True


def test_a_page_that_may_not_spend_so_much_pays_nothing(
    gateway: LiveGateway, devnet: DevnetInfo, script: bytes
) -> None:
    told = pay(gateway, devnet, script, cap=str(PRICE - 1))
    assert told["status"] in (0, 402), told
