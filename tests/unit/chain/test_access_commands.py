"""The commands about access on a chain, as the guide gives them."""

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
from access_samples import BLOCK_S, COST, Stall, open_stall
from typer.testing import CliRunner

from inferproof.chain.rpc import Rpc
from inferproof.cli.main import app
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import DevnetInfo
from inferproof.types.access import PlanKind

GUIDE = Path(__file__).resolve().parents[3] / "docs/guide/access.md"


@pytest.fixture
async def stall(registry_chain: DevnetInfo) -> AsyncIterator[Stall]:
    async with Rpc(registry_chain.rpc_url) as rpc:
        yield await open_stall(rpc, registry_chain)


@pytest.fixture
def environment(stall: Stall, tmp_path: Path) -> dict[str, str]:
    """What the guide's commands name, but for what they make."""

    def key(name: str, key: SigningKey) -> str:
        path = tmp_path / name
        path.write_text(key.secret().hex())
        path.chmod(0o600)
        return str(path)

    return {
        "RPC": stall.chain.rpc_url,
        "REGISTRY": stall.chain.model_registry.hex,
        "ACCESS": stall.access.address.hex,
        "MODEL": stall.model.hex,
        "TOKEN": stall.chain.token.address.hex,
        "GATEWAY": stall.chain.accounts.gateway.address.hex,
        "BUYER": stall.buyer.address.hex,
        "KEY": key("key", stall.provider),
        "BUYER_KEY": key("buyer", stall.buyer),
        "OWNER_KEY": key("owner", stall.chain.accounts.gateway),
    }


async def run(*words: str, as_json: bool = True) -> tuple[int, Any]:
    asked = ["access", *words, *(["--json"] if as_json else [])]
    result = await asyncio.to_thread(CliRunner().invoke, app, asked)
    return result.exit_code, json.loads(result.stdout) if as_json else result.stdout


async def test_the_guides_commands_do_what_it_says(
    stall: Stall, environment: dict[str, str]
) -> None:
    lines = re.findall(r"^\$ inferproof access (.*)$", GUIDE.read_text("utf-8"), re.MULTILINE)
    told: list[dict[str, Any]] = []
    for line in lines:
        words = shlex.split(Template(line).substitute(environment))
        code, answer = await run(*words)
        assert code == 0, (words, answer)
        told.append(answer)
        if words[0] == "plan":
            environment[answer["kind"].upper()] = answer["plan"]
        if words[0] == "buy" and "right" in answer:
            environment["RIGHT"] = answer["right"]
    assert [line.split()[0] for line in lines] == [
        "allow", "plan", "plan", "update", "buy", "show", "buy", "end", "refund",
        "withdraw",
    ]  # fmt: skip
    allowed, pack, subscription, updated, bought, shown, own, ended, refunded, taken = told
    assert allowed["allowed"] is True
    assert (pack["calls"], pack["transferable"], pack["price"]) == (100, True, "9000000")
    assert (subscription["kind"], subscription["calls"]) == ("subscription", 0)
    assert (updated["price"], updated["open"]) == ("8000000", True)
    assert (bought["calls_left"], bought["paid"], bought["until"]) == (100, "8000000", None)
    assert (shown["entitled"], shown["to_pay"], shown["sold"]) == (True, "0", 1)
    assert (own["renewals"], own["limit"]) == (11, "5000000")
    assert (ended["renewals"], ended["paid_until"]) == (0, own["paid_until"])
    assert refunded["withdrawn"] == "8000000"
    # The pack was given back; what a subscription costs is there at once.
    assert taken["withdrawn"] == "5000000"
    on_chain = ("--rpc", environment["RPC"], "--access", environment["ACCESS"])
    code, gone = await run("show", environment["RIGHT"], *on_chain, "--buyer", environment["BUYER"])
    assert (code, gone["reason"]) == (1, "PURCHASE_NOT_FOUND")


async def test_a_subscription_is_renewed_and_shown(
    stall: Stall, environment: dict[str, str]
) -> None:
    on_chain = ("--rpc", environment["RPC"], "--access", environment["ACCESS"])
    span = 20 * BLOCK_S
    name = (await stall.plan(PlanKind.SUBSCRIPTION, span=span, calls=5)).hex
    buying = ("buy", name, *on_chain, "--key-file", environment["BUYER_KEY"])
    code, own = await run(*buying, "--renewals", "1", "--renew-by", "4000000000")
    assert (code, own["renew_by"]) == (0, 4_000_000_000)
    await stall.pass_time(span)
    renewing = ("renew", name, environment["BUYER"], *on_chain, "--key-file", environment["KEY"])
    code, renewed = await run(*renewing)
    assert (code, renewed["renewals"]) == (0, 0)
    asking = ("show", name, *on_chain, "--buyer", environment["BUYER"])
    code, shown = await run(*asking, "--commitment", stall.model.hex)
    assert (code, shown["entitled"], shown["paid_until"]) == (0, True, renewed["paid_until"])


async def test_texts_for_people(stall: Stall, environment: dict[str, str]) -> None:
    on_chain = ["--rpc", environment["RPC"], "--access", environment["ACCESS"]]
    sold = [*on_chain, "--key-file", environment["KEY"]]
    code, told = await run(
        "plan", stall.model.hex, "--kind", "free", "--span", "60", "--calls", "1", *sold,
        as_json=False,
    )  # fmt: skip
    assert code == 0
    lines = [line.split() for line in told.splitlines()]
    assert ["kind", "free"] in lines
    assert ["open", "yes"] in lines
    assert ["token", "none"] in lines
    assert ["calls", "1"] in lines
    assert ["price", "0"] in lines


async def test_refusals_are_told_by_their_reasons(
    stall: Stall, environment: dict[str, str]
) -> None:
    on_chain = ["--rpc", environment["RPC"], "--access", environment["ACCESS"]]
    sold = [*on_chain, "--key-file", environment["KEY"]]
    bought = [*on_chain, "--key-file", environment["BUYER_KEY"]]
    name = (await stall.plan(PlanKind.PACK, calls=1)).hex
    nothing, model = "0x" + "99" * 24 + "00" * 8, environment["MODEL"]
    for words, reason in (
        (["show", nothing, *on_chain], "PLAN_NOT_FOUND"),
        (["show", "0x12", *on_chain], "DIGEST_MALFORMED"),
        (["plan", model, "--kind", "pass", *sold], "PLAN_TERMS"),
        (["plan", model, "--kind", "free", "--span", "1", "--calls", "1", *bought],
         "MODEL_OWNER_OTHER"),
        (["update", name, "--closed", *bought], "MODEL_OWNER_OTHER"),
        (["buy", name, "--limit", str(COST - 1), *bought], "PLAN_PRICE_ABOVE"),
        (["renew", name, environment["BUYER"], *bought], "PLAN_KIND"),
        (["end", nothing, *bought], "PLAN_NOT_FOUND"),
        (["refund", name, *bought], "PURCHASE_NOT_FOUND"),
        (["withdraw", "--token", environment["TOKEN"], *bought], "NOTHING_EARNED"),
        (["allow", environment["GATEWAY"], *sold], "ACCESS_OWNER_OTHER"),
        (["end", name, *bought[:3], environment["TOKEN"], *bought[4:]], "ACCESS_CODE_UNKNOWN"),
    ):  # fmt: skip
        code, told = await run(*words)
        assert (code, told["reason"]) == (1, reason), words
    result = await asyncio.to_thread(CliRunner().invoke, app, ["access", "update", name, *sold])
    assert result.exit_code == 2
    allowing = ["allow", environment["GATEWAY"], "--forbid", *on_chain]
    code, told = await run(*allowing, "--key-file", environment["OWNER_KEY"])
    assert (code, told["allowed"]) == (0, False)
