"""The local chain: it starts, it stops, and it never outlives its parent."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from processes import LINUX, alive, is_gone
from waiting import until

from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.verifier import check_verifier
from inferproof.errors import MissingPart, Reason, Unavailable
from inferproof.testing import devnet as devnet_module
from inferproof.testing.devnet import FUNDS, Devnet, DevnetInfo, find_anvil
from inferproof.testing.rejections import rejects


async def test_everything_is_there(rpc: Rpc, devnet: DevnetInfo) -> None:
    token = TokenChain(rpc, devnet.token)
    await token.check()
    await check_verifier(rpc, devnet.verifier)
    wallets = devnet.accounts
    addresses = {key.address for key in (wallets.owner, wallets.provider, wallets.buyer)}
    assert len(addresses) == 3
    assert str(devnet.network) == "eip155:31337"
    assert devnet.rpc_url.startswith("http://127.0.0.1:")
    for wallet in (wallets.provider, wallets.buyer, wallets.gateway):
        assert await rpc.native_balance(wallet.address) > 10**18


def test_a_fresh_chain_has_the_same_addresses_and_funds(devnet: DevnetInfo) -> None:
    with Devnet() as running:
        assert running.info.rpc_url != devnet.rpc_url
        assert running.info.token == devnet.token
        assert running.info.verifier == devnet.verifier

        async def balances() -> list[int]:
            async with Rpc(running.info.rpc_url) as rpc:
                token = TokenChain(rpc, running.info.token)
                wallets = running.info.accounts
                keys = (wallets.provider, wallets.buyer, wallets.gateway, wallets.owner)
                return [await token.balance(key.address) for key in keys]

        assert asyncio.run(balances()) == [FUNDS, FUNDS, FUNDS, 0]


def test_stop_ends_the_process_and_can_be_called_again() -> None:
    running = Devnet()
    info = running.start()
    assert running.start() is info
    pid = running.pid
    assert pid is not None
    running.stop()
    running.stop()
    assert is_gone(pid)
    assert running.pid is None
    with rejects(
        Reason.DEVNET_NOT_STARTED,
        "anvil did not start: start() was not called",
        kind=Unavailable,
    ):
        _ = running.info


async def test_it_starts_inside_a_running_event_loop() -> None:
    with Devnet() as running:
        async with Rpc(running.info.rpc_url) as rpc:
            assert await rpc.chain_id() == 31337


async def test_blocks_come_at_the_asked_pace() -> None:
    with Devnet(block_time_s=1) as running:
        async with Rpc(running.info.rpc_url) as rpc:
            first = (await rpc.head()).number

            async def more() -> bool:
                return (await rpc.head()).number > first

            await until(more, "a block that nobody asked for")


def test_it_outlives_the_thread_that_started_it() -> None:
    running = Devnet()
    starter = threading.Thread(target=running.start)
    starter.start()
    starter.join()
    try:
        time.sleep(0.1)
        assert running.pid is not None
    finally:
        running.stop()


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="only Linux kills a child with its parent")
def test_it_dies_with_a_killed_parent() -> None:
    program = (
        "import time\n"
        "from inferproof.testing.devnet import Devnet\n"
        "running = Devnet(); running.start(); print(running.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
    assert is_gone(pid)


# -- finding the program -----------------------------------------------------------------------


def test_the_environment_names_the_program_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "my-anvil"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("INFERPROOF_ANVIL", str(program))
    assert find_anvil() == program


def test_a_wrong_name_in_the_environment_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INFERPROOF_ANVIL", str(tmp_path))
    with rejects(
        Reason.MISSING_TOOL,
        f"the devnet needs the program anvil; INFERPROOF_ANVIL names {tmp_path}, "
        "which is not a program",
        kind=MissingPart,
    ):
        find_anvil()


def test_the_path_is_searched_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("INFERPROOF_ANVIL", raising=False)
    monkeypatch.setattr(devnet_module, "_npm_anvil", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with rejects(
        Reason.MISSING_TOOL,
        'the devnet needs the program anvil; run "make -C contracts tools" in a clone (needs '
        "Node 20 and npm), or install Foundry, or set INFERPROOF_ANVIL to the program",
        kind=MissingPart,
    ):
        Devnet().start()
    (tmp_path / "anvil").write_text("#!/bin/sh\n")
    (tmp_path / "anvil").chmod(0o755)
    assert find_anvil() == tmp_path / "anvil"


# -- a start that fails ------------------------------------------------------------------------


def script(tmp_path: Path, text: str) -> Path:
    program = tmp_path / "anvil"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


def test_a_program_that_ends_at_once_is_told(tmp_path: Path) -> None:
    program = script(tmp_path, "echo 'Error: the port is taken' >&2; exit 1")
    with rejects(
        Reason.DEVNET_NOT_STARTED,
        "anvil did not start: Error: the port is taken",
        kind=Unavailable,
    ):
        Devnet(anvil=program).start()


def test_a_program_that_says_nothing_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devnet_module, "START_S", 0.3)
    running = Devnet(anvil=script(tmp_path, "exec sleep 60"))
    with rejects(
        Reason.DEVNET_NOT_STARTED,
        "anvil did not start: it said nothing in 0.3 seconds",
        kind=Unavailable,
    ):
        running.start()
    assert running.pid is None


def test_a_program_that_serves_nothing_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devnet_module, "START_S", 0.3)
    running = Devnet(anvil=script(tmp_path, "echo Listening on 127.0.0.1:9; exec sleep 60"))
    with pytest.raises(Unavailable) as caught:
        running.start()
    assert caught.value.reason is Reason.CHAIN_UNREACHABLE
    assert running.pid is None


def test_a_taken_port_is_told(devnet: DevnetInfo) -> None:
    port = int(devnet.rpc_url.rpartition(":")[2])
    with pytest.raises(Unavailable) as caught:
        Devnet(port=port).start()
    assert caught.value.reason is Reason.DEVNET_NOT_STARTED


async def test_a_chain_whose_clock_was_late_is_on_time_again() -> None:
    with Devnet(behind_s=120) as chain:
        async with Rpc(chain.info.rpc_url) as rpc:
            assert time.time() - (await rpc.head()).timestamp > 100
            await asyncio.to_thread(chain.pass_time, 20)
            await asyncio.to_thread(chain.catch_up)
            assert -2 < time.time() - (await rpc.head()).timestamp < 30
            await asyncio.to_thread(chain.catch_up)
            assert -2 < time.time() - (await rpc.head()).timestamp < 30
