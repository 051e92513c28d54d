"""The commands on a real market: chain, gateway and proofs are what a user would have."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import alive
from typer.testing import CliRunner

from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.cli.devnet import write_key
from inferproof.cli.main import app
from inferproof.testing.market import Market, find_zoo

pytestmark = pytest.mark.slow

RUNNER = CliRunner()
COMMAND = [sys.executable, "-c", "from inferproof.cli.main import run; run()"]
MODEL = "token-risk"
CARD = find_zoo() / "token_risk"


def run(*words: object) -> tuple[int, dict[str, Any]]:
    """Exit code and the one object on standard output."""
    result = RUNNER.invoke(app, [*map(str, words), "--json"])
    lines = result.stdout.splitlines()
    assert len(lines) == 1, result.output
    return result.exit_code, json.loads(lines[0])


def refused(reason: str, *words: object) -> str:
    """The message of a command that must end with this reason."""
    code, told = run(*words)
    assert (code, told.get("reason")) == (1, reason), told
    assert set(told) == {"reason", "message"}
    return str(told["message"])


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with Market(tmp_path_factory.mktemp("market"), zoo=("token_risk",), system="ezkl") as running:
        yield running


@pytest.fixture(scope="module")
def card(market: Market) -> Path:
    """The folder of the model's card, which names ezkl."""
    return market.models[0].card.folder


@pytest.fixture(scope="module")
def key(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_key(tmp_path_factory.mktemp("key"), "buyer", market.devnet.accounts.buyer.secret())


@pytest.fixture(scope="module")
def given() -> str:
    """An input that the model takes."""
    from inferproof.models.card import load_card

    return json.dumps(load_card(CARD).input.examples[0].value)


def balance(market: Market) -> int:
    async def ask() -> int:
        async with Rpc(market.devnet.rpc_url) as rpc:
            chain = TokenChain(rpc, market.devnet.token)
            return await chain.balance(market.devnet.accounts.buyer.address)

    return asyncio.run(ask())


def call_words(market: Market, key: Path, given: str, folder: Path, **changes: Any) -> list[Any]:
    options = {
        "--input": given,
        "--max-price": "0.25",
        "--key-file": key,
        "--state": folder / "state",
        "--receipt": folder / "receipt.json",
        **changes,
    }
    words = [str(word) for pair in options.items() for word in pair]
    return ["call", market.url, MODEL, *words]


@pytest.fixture(scope="module")
def bought(
    market: Market, key: Path, given: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The receipt of one call, and what the command said of it."""
    folder = tmp_path_factory.mktemp("bought")
    before = balance(market)
    payee = market.devnet.accounts.gateway.address
    code, told = run(
        *call_words(market, key, given, folder, **{"--payee": payee, "--budget": "0.25"})
    )
    assert code == 0, told
    assert before - balance(market) == 250_000
    return folder / "receipt.json", told


def test_models_and_quote(market: Market, given: str) -> None:
    code, listed = run("models", market.url)
    assert code == 0
    assert [m["id"] for m in listed["models"]] == [MODEL]
    shown = RUNNER.invoke(app, ["models", market.url])
    assert shown.exit_code == 0
    assert MODEL in shown.stdout
    code, offer = run("quote", market.url, MODEL, "--input", given)
    assert code == 0
    assert offer["price"] == "0.25"
    assert offer["gateway"] == market.devnet.accounts.gateway.address.hex
    assert "0.25" in RUNNER.invoke(app, ["quote", market.url, MODEL, "--input", given]).stdout
    refused("MODEL_UNKNOWN", "quote", market.url, "no-such-model", "--input", given)
    refused("INPUT_TYPE_MISMATCH", "quote", market.url, MODEL, "--input", "words")


def test_a_call_reports(bought: tuple[Path, dict[str, Any]], market: Market) -> None:
    receipt, told = bought
    assert set(told) == {
        *("job_id", "label", "outputs", "verified", "assurance", "proven", "paid", "symbol"),
        *("transaction", "receipt", "timings", "opening"),
    }
    assert told["opening"] is None  # of a private input, which this one was not
    assert (told["verified"], told["assurance"]) == (True, "zk-integrity")
    assert (told["paid"], told["symbol"]) == ("0.25", "devUSDC")
    assert told["receipt"] == str(receipt)


def test_limits_hold_and_no_money_moves(
    market: Market, key: Path, given: str, tmp_path: Path
) -> None:
    before = balance(market)

    def words(**changes: Any) -> list[Any]:
        return call_words(market, key, given, tmp_path, **changes)

    assert refused("PRICE_ABOVE_MAX", *words(**{"--max-price": "0.249999"})) == (
        "the call costs 0.25 devUSDC, its limit is 0.249999 devUSDC"
    )
    refused("BUDGET_EXCEEDED", *words(**{"--budget": "0.2"}))
    refused("PAYEE_NOT_ALLOWED", *words(**{"--payee": "0x" + "11" * 20}))
    refused("DRY_RUN", *words(), "--dry-run")
    for price in ("0,25", "-1", "1e3", ".25"):
        refused("AMOUNT_MALFORMED", *words(**{"--max-price": price}))
    refused("FILE_NOT_WRITTEN", *words(**{"--receipt": tmp_path / "no" / "r.json"}))
    key_copy = tmp_path / "open.key"
    key_copy.write_bytes(key.read_bytes())
    key_copy.chmod(0o644)
    refused("KEY_FILE_OPEN", *words(**{"--key-file": key_copy}))
    refused("SYSTEM_REFUSED", *words(**{"--state": key / "state"}))
    assert balance(market) == before
    assert not (tmp_path / "receipt.json").exists()


def test_resume(
    market: Market, key: Path, bought: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, told = bought
    where = ("--key-file", key, "--state", tmp_path / "state")
    refused("CALL_UNKNOWN", "resume", market.url, told["job_id"], *where)
    refused("DIGEST_MALFORMED", "resume", market.url, "0x12", *where)


def test_a_receipt_verifies_offline_and_for_people(
    bought: tuple[Path, dict[str, Any]], market: Market
) -> None:
    receipt, told = bought
    code, found = run("verify", receipt)
    assert code == 0
    assert set(found) == {
        *("verified", "receipt", "job_id", "model_commitment", "assurance", "proven"),
        *("security", "out_of_range", "outputs", "label", "claims", "steps"),
    }
    assert found["outputs"] == told["outputs"]
    assert found["job_id"] == told["job_id"]
    assert [step["number"] for step in found["steps"]] == list(range(1, len(found["steps"]) + 1))
    shown = RUNNER.invoke(app, ["verify", str(receipt)], env={"COLUMNS": "40"})
    assert shown.exit_code == 0
    assert shown.stdout.endswith("verified\n")
    assert "\nsecurity  " in shown.stdout
    assert f"job {told['job_id']}\n" in shown.stderr  # whole, though the terminal is narrow


def test_a_receipt_and_a_policy(bought: tuple[Path, dict[str, Any]], market: Market) -> None:
    receipt, _ = bought
    info, stranger = market.devnet, "0x" + "11" * 20
    good = ("--token", info.token.address, "--gateway", info.accounts.gateway.address)
    assert run("verify", receipt, *good)[0] == 0
    assert refused("POLICY_TOKEN", "verify", receipt, "--token", stranger) == (
        f"token {info.token.address} is not among the accepted ones"
    )
    refused("POLICY_GATEWAY", "verify", receipt, "--gateway", stranger)
    refused("POLICY_MODEL", "verify", receipt, "--model", "0x" + "11" * 32)
    refused("POLICY_SETUP", "verify", receipt, "--require-ceremony")


def test_a_receipt_on_chain(bought: tuple[Path, dict[str, Any]], market: Market) -> None:
    receipt, _ = bought
    info = market.devnet
    node = ("--on-chain", info.rpc_url)
    code, found = run("verify", receipt, *node, "--verifier-contract", info.verifier)
    assert code == 0
    assert [step["name"] for step in found["steps"]][-3:] == [
        "chain and token",
        "payment is settled",
        "contract accepts the proof",
    ]
    assert len(run("verify", receipt, *node)[1]["steps"]) == len(found["steps"]) - 1
    words = ("verify", receipt, *node, "--verifier-contract")
    refused("VERIFIER_CODE_UNKNOWN", *words, info.token.address)
    refused("CHAIN_UNREACHABLE", "verify", receipt, "--on-chain", "http://127.0.0.1:1")
    refused("CHAIN_UNREACHABLE", "verify", receipt, "--on-chain", market.url)


def test_a_receipt_with_its_proof_apart(
    bought: tuple[Path, dict[str, Any]], market: Market, tmp_path: Path
) -> None:
    from dataclasses import replace

    from inferproof.payments.parts import payment_parts
    from inferproof.protocol.receipt import decode_receipt_file, encode_receipt_file

    whole = decode_receipt_file(bought[0].read_bytes(), payment_parts())
    assert whole.proof is not None
    assert whole.verifier is not None
    bare, proof, bundle = (tmp_path / name for name in ("bare.json", "proof", "verifier.json"))
    bare.write_bytes(encode_receipt_file(replace(whole, proof=None, verifier=None)))
    proof.write_bytes(whole.proof)
    bundle.write_bytes(whole.verifier)
    assert run("verify", bare, "--proof", proof, "--verifier", bundle)[0] == 0
    refused("RECEIPT_PROOF_MISSING", "verify", bare, "--verifier", bundle)
    refused("RECEIPT_VERIFIER_MISSING", "verify", bare, "--proof", proof)
    refused("RECEIPT_PROOF_DIGEST", "verify", bare, "--proof", bundle, "--verifier", bundle)
    assert run("verify", bundle, proof)[0] == 0
    compiled = market.models[0].compiled
    assert run("verify", compiled, proof)[0] == 0
    refused("POLICY_MODEL", "verify", compiled, proof, "--model", "0x" + "11" * 32)
    refused("POLICY_SETUP", "verify", compiled, proof, "--require-ceremony")
    for wrong in (("verify", bundle, bought[0]), ("verify", bought[0], proof), ("verify", proof)):
        code, told = run(*wrong)
        assert (code, set(told)) == (1, {"reason", "message"})


def test_a_tampered_receipt(bought: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    data = bought[0].read_bytes()
    path = tmp_path / "tampered.json"
    for place in range(7, len(data), len(data) // 40):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        code, told = run("verify", path)
        assert (code, set(told)) == (1, {"reason", "message"}), place
    path.write_bytes(data[:-1])
    assert run("verify", path)[0] == 1
    path.write_bytes(data + b"\n")
    assert run("verify", path)[0] == 1


def test_a_provider_compiles_publishes_and_submits(
    market: Market, card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = tmp_path / "compiled"
    code, report = run("provider", "compile", card, "--out", compiled)
    assert code == 0
    assert report["setup"] == "development"
    info, secret = market.devnet, write_key
    gateway = secret(tmp_path, "gateway", info.accounts.gateway.secret())
    provider = secret(tmp_path, "provider", info.accounts.provider.secret())
    settings = {
        "RPC_URL": info.rpc_url,
        "CHAIN_ID": info.chain_id,
        "TOKEN_ADDRESS": info.token.address,
        "TOKEN_SYMBOL": info.token.symbol,
        "TOKEN_NAME": info.token.domain_name,
        "TOKEN_VERSION": info.token.domain_version,
        "GATEWAY_KEY_FILE": gateway,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"INFERPROOF_{name}", str(value))
    data = tmp_path / "data"
    code, published = run("provider", "publish", card, compiled, "--data-dir", data)
    assert code == 0, published
    assert published["status"] == "active"
    assert published["model_commitment"] == report["model_commitment"]
    refused("FILE_UNREADABLE", "provider", "publish", card, tmp_path, "--data-dir", data)
    where = ("--url", market.url, "--key-file", provider)
    changed = tmp_path / "changed"
    shutil.copytree(card, changed)
    text = (changed / "card.toml").read_text()
    (changed / "card.toml").write_text(text.replace(f'id = "{MODEL}"', 'id = "other-risk"'))
    code, told = run("provider", "submit", changed, compiled, *where)
    assert (code, told["id"], told["status"]) == (0, "other-risk", "pending"), told
    (changed / "card.toml").write_text(text.replace('title = "', 'title = "Another '))
    refused("MODEL_VERSION_TAKEN", "provider", "submit", changed, compiled, *where)
    stranger = write_key(tmp_path, "stranger", bytes([7]) * 32)
    where = ("--url", market.url, "--key-file", stranger)
    refused("MODEL_OWNED", "provider", "submit", changed, compiled, *where)


# -- local chains as programs ------------------------------------------------------------------


def start(*words: object) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """The program, and the one object that it prints once it is up."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, words), "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, told = process.communicate(timeout=120)
        pytest.fail(told)
    return process, json.loads(line)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    below = [int(line) for line in found.stdout.split()]
    return [*below, *(child for each in below for child in children(each))]


def is_free(url: str) -> bool:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_local_market_ends_with_a_signal_and_leaves_nothing(
    command: str, number: signal.Signals, folder: Path
) -> None:
    process, facts = start("devnet", command, "--port", 0, "--folder", folder)
    with process:
        assert len(facts["models"]) == 3
        below = children(process.pid)
        assert below
        assert Path(facts["buyer_key_file"]).stat().st_mode & 0o077 == 0
        addresses = [facts[name] for name in ("url", "rpc_url") if name in facts]
        assert not any(map(is_free, addresses))
        second = RUNNER.invoke(app, ["devnet", "up", "--port", "0", "--folder", str(folder)])
        assert second.exit_code == 1
        assert "DEVNET_FOLDER_BUSY" in second.stderr
        process.send_signal(number)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert all(map(is_free, addresses))
    assert not [pid for pid in below if alive(pid)]


def test_a_local_market_ends_when_its_chain_does(folder: Path) -> None:
    process, _ = start("devnet", "up", "--port", 0, "--folder", folder)
    with process:
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
        stdout, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert json.loads(stdout)["reason"] == "SERVICE_ENDED", told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market's folder; the first test that uses it compiles the three models."""
    return tmp_path_factory.mktemp("local")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_compilation_leaves_nothing(
    number: signal.Signals, card: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "provider", "compile", str(card), "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "decomposition" in line:
                break
        below = children(process.pid)
        assert below
        process.send_signal(number)
        told = process.stderr.read()
        process.wait(120)
    assert process.returncode == 128 + number
    assert "Traceback" not in told
    end = time.monotonic() + 10
    while any(map(alive, below)) and time.monotonic() < end:
        threading.Event().wait(0.1)
    assert not [pid for pid in below if alive(pid)]
    assert not list(tmp_path.iterdir())
