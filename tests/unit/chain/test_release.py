"""Deploying a release: same addresses, taken up where it stopped, checked against the code."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inferproof.chain import create2
from inferproof.chain.contracts import BATCH_SETTLER, ESCROW, MODEL_REGISTRY, PRIVATE_PROOFS
from inferproof.chain.create2 import DEPLOYER, DEPLOYER_CODE, address_of, deploy_planned
from inferproof.chain.deployments import Deployed, Deployment, load_deployment, save_deployment
from inferproof.chain.release import (
    addresses,
    check_release,
    deploy_release,
    estimate_release,
    recorded,
    release,
)
from inferproof.chain.rpc import Rpc
from inferproof.chain.wiring import VERIFIERS
from inferproof.cli.main import app
from inferproof.errors import Misconfigured, NotFound, Reason, Rejection
from inferproof.protocol.encoding import keccak256
from inferproof.testing.devnet import Devnet, DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest

ROOT = Path(__file__).resolve().parents[3]
OTHER = Address(b"\xab" * 20)
OWNER = dev_key(0).address


def quiet(_stage: str, _share: float) -> None:
    pass


@pytest.fixture(scope="module")
def devnet() -> Iterator[DevnetInfo]:
    """A chain of its own: tests take contracts away from it."""
    with Devnet() as running:
        yield running.info


@pytest.fixture
def new(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contract has another address than in any other test, and none is there."""
    salt = request.node.name.encode()[-32:].rjust(32)
    monkeypatch.setattr(create2, "SALT", salt)


@pytest.mark.parametrize(
    ("deployer", "salt", "creation", "address"),
    [
        ("00" * 20, "00" * 32, "00", "4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38"),
        ("deadbeef" + "00" * 16, "00" * 32, "00", "b928f69bb1d91cd65274e3c79d8986362984fda3"),
        ("00" * 20, "00" * 32, "deadbeef", "70f2b2914a2a4b783faefb75f459a580616fcb5e"),
        ("00" * 20, "00" * 32, "", "e33c0c7f7df4809055c3eba6c09cfe4baf1bd9e0"),
    ],
)
def test_addresses_are_those_of_the_eip(
    deployer: str, salt: str, creation: str, address: str
) -> None:
    found = address_of(
        Address(bytes.fromhex(deployer)), bytes.fromhex(salt), bytes.fromhex(creation)
    )
    assert found.raw.hex() == address


def test_every_argument_changes_the_address() -> None:
    with_openings = {each.name: each for each in release(OWNER)}[PRIVATE_PROOFS]
    other = create2.planned(with_openings.artifact, OTHER)
    assert other.address != with_openings.address


@pytest.mark.usefixtures("new")
async def test_a_release_is_deployed_once(rpc: Rpc, devnet: DevnetInfo) -> None:
    contracts, key = release(OWNER), devnet.accounts.owner
    estimated = await estimate_release(rpc, contracts, key.address)
    assert [await rpc.code(each.address) for each in contracts] == [b""] * len(contracts)
    done = await deploy_release(rpc, contracts, key, quiet)
    assert [each.contract for each in done] == list(contracts)
    for would, did in zip(estimated, done, strict=True):
        assert 50_000 < did.gas <= would.gas
    again = await deploy_release(rpc, contracts, dev_key(5), quiet)
    assert [each.gas for each in again] == [0] * len(contracts)
    assert [each.gas for each in await estimate_release(rpc, contracts, OTHER)] == [0] * len(
        contracts
    )
    found = await recorded(rpc, contracts)
    assert {name: each.address for name, each in found.contracts.items()} == addresses(contracts)
    assert await check_release(rpc, contracts, found) == found


@pytest.mark.usefixtures("new")
async def test_what_was_stopped_is_taken_up(rpc: Rpc, devnet: DevnetInfo) -> None:
    contracts, key = release(OWNER), devnet.accounts.owner

    def stop(_stage: str, share: float) -> None:
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await deploy_release(rpc, contracts, key, stop)
    there = [bool(await rpc.code(each.address)) for each in contracts]
    assert any(there)
    assert not all(there)
    rest = await deploy_release(rpc, contracts, key, quiet)
    assert [each.gas == 0 for each in rest] == there
    await recorded(rpc, contracts)


@pytest.mark.usefixtures("new")
async def test_who_is_slower_finds_the_contract_there(
    rpc: Rpc, devnet: DevnetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract, look, looks = release(OWNER)[0], create2.is_there, []
    await deploy_planned(rpc, contract, devnet.accounts.owner)

    async def late(asked: Rpc, what: create2.Planned) -> Digest | None:
        looks.append(what)
        return None if len(looks) == 1 else await look(asked, what)

    monkeypatch.setattr(create2, "is_there", late)
    assert await deploy_planned(rpc, contract, dev_key(5)) == 0
    assert len(looks) == 3


async def test_a_chain_without_the_deployer_is_refused(rpc: Rpc, devnet: DevnetInfo) -> None:
    await rpc.request("anvil_setCode", DEPLOYER.hex, "0x")
    try:
        for work in (
            estimate_release(rpc, release(OWNER), OTHER),
            deploy_release(rpc, release(OWNER), devnet.accounts.owner, quiet),
        ):
            with rejects(
                Reason.DEPLOYER_MISSING,
                f"chain 31337 has no CREATE2 deployer at {DEPLOYER}; deploy it as "
                "github.com/Arachnid/deterministic-deployment-proxy says, and try again",
                kind=NotFound,
            ):
                await work
    finally:
        await rpc.request("anvil_setCode", DEPLOYER.hex, "0x" + DEPLOYER_CODE.hex())


async def test_a_missing_contract_is_told(rpc: Rpc) -> None:
    contracts = release(OWNER)
    missing = replace(contracts[0], address=OTHER)
    with rejects(
        Reason.CHAIN_NO_CONTRACT, f"there is no contract at {OTHER} on chain 31337", kind=NotFound
    ):
        await recorded(rpc, [*contracts, missing])


async def test_other_code_is_told(rpc: Rpc) -> None:
    registry = {each.name: each for each in release(OWNER)}[MODEL_REGISTRY]
    code = await rpc.code(registry.address)
    await rpc.request("anvil_setCode", registry.address.hex, "0x" + code.hex() + "00")
    try:
        with rejects(
            Reason.DEPLOYMENT_DIFFERS,
            f"on eip155:31337, ModelRegistry is not what this release contains: the code at "
            f"{registry.address} is another one",
            kind=Rejection,
        ):
            await recorded(rpc, release(OWNER))
    finally:
        await rpc.request("anvil_setCode", registry.address.hex, "0x" + code.hex())


async def test_what_is_written_down_otherwise_is_told(rpc: Rpc) -> None:
    found = await recorded(rpc, release(OWNER))
    settler = found.contracts[BATCH_SETTLER]

    async def told(changed: Deployed, why: str) -> None:
        other = Deployment(found.network, {**found.contracts, BATCH_SETTLER: changed})
        with rejects(
            Reason.DEPLOYMENT_DIFFERS,
            f"on eip155:31337, BatchSettler is not what this release contains: {why}",
            kind=Rejection,
        ):
            await check_release(rpc, release(OWNER), other)

    await told(
        replace(settler, address=OTHER),
        f"it would be at {settler.address}, and {OTHER} is written down",
    )
    otherwise = "its code or arguments were written down otherwise"
    await told(replace(settler, code=Digest(bytes(32))), otherwise)
    await told(replace(settler, arguments=b"\x01"), otherwise)


# -- commands


def run(*words: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, ["chain", *words, "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def key_file(tmp_path: Path, devnet: DevnetInfo) -> Path:
    path = tmp_path / "key"
    path.write_text(devnet.accounts.owner.secret().hex())
    path.chmod(0o600)
    return path


@pytest.mark.usefixtures("new")
def test_the_commands_deploy_and_verify(devnet: DevnetInfo, tmp_path: Path, key_file: Path) -> None:
    file = tmp_path / "deployments.toml"
    asked = ("--rpc", devnet.rpc_url, "--network", "devnet", "--file", str(file))
    code, dry = run("deploy", *asked, "--dry-run", "--owner", OWNER.hex)
    assert (code, dry["dry_run"], file.exists()) == (0, True, False)
    code, first = run("deploy", *asked, "--key-file", str(key_file))
    assert code == 0
    assert first["network"] == "eip155:31337"
    assert 0 < int(str(first["gas"])) <= int(str(dry["gas"]))
    assert int(str(first["cost_cap_wei"])) == int(str(first["gas"])) * int(
        str(first["gas_price_cap_wei"])
    )
    code, again = run("deploy", *asked, "--key-file", str(key_file))
    assert (code, again["gas"], again["told"]) == (0, 0, [])
    code, verified = run("verify", *asked)
    contracts = load_deployment(file, devnet.network).contracts
    assert code == 0
    assert verified["verified"] == {name: each.address.hex for name, each in contracts.items()}
    assert set(contracts) == {each.name for each in release(OWNER)}


@pytest.mark.usefixtures("new")
def test_contracts_are_told_of_each_other_by_their_owner(
    devnet: DevnetInfo, tmp_path: Path, key_file: Path
) -> None:
    other = tmp_path / "other"
    other.write_text(dev_key(5).secret().hex())
    other.chmod(0o600)
    file, token = str(tmp_path / "deployments.toml"), devnet.token.address.hex
    asked = ("--rpc", devnet.rpc_url, "--file", file, "--token", token, "--server", OTHER.hex)
    code, early = run("deploy", *asked, "--key-file", str(other), "--owner", OWNER.hex)
    assert (code, early["told"]) == (0, [])
    code, told = run("deploy", *asked, "--key-file", str(key_file))
    assert (code, told["gas"]) == (0, 0)
    assert told["told"] == early["left_to_the_owner"]
    escrow = addresses(release(OWNER))[ESCROW]
    assert told["told"] == [
        *(f"role {role} of {OWNER}" for role in ("parameters", "pauser", "admission", "fees")),
        f"role recorder of {escrow}",
        "access asked by the escrow",
        "verifier of sumcheck",
        "verifier of ezkl",
        f"token {token}",
        f"server {OTHER}",
    ]
    code, again = run("deploy", *asked, "--key-file", str(key_file))
    assert (code, again["told"], again["left_to_the_owner"]) == (0, [], [])


def test_the_verifiers_are_of_the_specifications_in_this_clone() -> None:
    texts = {"sumcheck": "programs.md", "ezkl": "registry.md"}
    for verifier in VERIFIERS:
        text = (ROOT / "specs" / texts[verifier.system]).read_bytes()
        assert verifier.specification == Digest(keccak256(text)), verifier.system


def test_a_dry_run_is_shown_to_people(devnet: DevnetInfo) -> None:
    asked = ["chain", "deploy", "--rpc", devnet.rpc_url, "--dry-run", "--owner", OWNER.hex]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0
    assert "there already" in result.stdout
    assert "deploying to eip155:31337 would take 0 gas, at most 0 coin" in result.stdout


def test_another_chain_than_was_named_is_refused(devnet: DevnetInfo) -> None:
    code, told = run("verify", "--rpc", devnet.rpc_url, "--network", "base")
    assert code == 1
    assert told["reason"] == Reason.CHAIN_ID_MISMATCH.name


def test_a_key_is_asked_for(devnet: DevnetInfo) -> None:
    result = CliRunner().invoke(app, ["chain", "deploy", "--rpc", devnet.rpc_url])
    assert result.exit_code == 2
    assert "deploying needs a key" in result.output
    result = CliRunner().invoke(app, ["chain", "deploy", "--rpc", devnet.rpc_url, "--dry-run"])
    assert result.exit_code == 2
    assert "a dry run needs a key or an owner" in result.output


def test_a_file_of_something_else_is_told_before_anything_is_sent(
    devnet: DevnetInfo, tmp_path: Path, key_file: Path
) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("[project]\n")
    code, told = run(
        "deploy", "--rpc", devnet.rpc_url, "--key-file", str(key_file), "--file", str(file)
    )
    assert (code, told["reason"]) == (1, Reason.DEPLOYMENT_MALFORMED.name)
    with pytest.raises(Misconfigured):
        save_deployment(file, Deployment(devnet.network))
