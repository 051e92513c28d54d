"""The file of addresses, a table for each network."""

import os
from pathlib import Path

import pytest

from inferproof.chain.deployments import (
    FORMAT,
    MAX_BYTES,
    Deployed,
    Deployment,
    load_deployment,
    load_deployments,
    save_deployment,
)
from inferproof.errors import Misconfigured, NotFound, Reason
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network

NETWORK = Network("eip155:31337")
ADDRESS = Address(b"\xab" * 20)
TOKEN = Deployed(ADDRESS, Digest(b"\xcd" * 32), b"\x01\x02")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "deployments.toml"


def test_what_is_saved_is_loaded(path: Path) -> None:
    verifier = Deployed(Address(bytes(20)), Digest(bytes(32)))
    deployment = Deployment(NETWORK, {"token": TOKEN, "Halo2VerifierReusable": verifier})
    save_deployment(path, deployment)
    assert load_deployment(path, NETWORK) == deployment
    assert deployment.address("token") == ADDRESS


def test_the_file_is_one_that_people_read(path: Path) -> None:
    save_deployment(path, Deployment(NETWORK, {"token": TOKEN}))
    assert path.read_text() == (
        'format = "inferproof/deployments/2"\n'
        "\n"
        '[networks."eip155:31337"]\n'
        "\n"
        '[networks."eip155:31337".contracts.token]\n'
        f'address = "0x{"ab" * 20}"\n'
        f'code = "0x{"cd" * 32}"\n'
        'arguments = "0x0102"\n'
    )


def test_saving_replaces_a_network_and_leaves_the_others(path: Path) -> None:
    base = Deployment(Network("eip155:8453"), {"token": TOKEN})
    save_deployment(path, base)
    save_deployment(path, Deployment(NETWORK, {"token": TOKEN}))
    save_deployment(path, Deployment(NETWORK, {}))
    assert load_deployments(path) == {
        NETWORK: Deployment(NETWORK),
        base.network: base,
    }
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_save_that_fails_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_deployment(path, Deployment(NETWORK, {"token": TOKEN}))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_deployment(path, Deployment(NETWORK, {}))
    assert load_deployment(path, NETWORK).contracts == {"token": TOKEN}
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_another_file_is_not_written_over(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("[tool]\nname = 'something else'\n")
    with pytest.raises(Misconfigured):
        save_deployment(path, Deployment(NETWORK))
    assert "something else" in path.read_text()


def test_a_network_that_is_not_in_the_file_is_told(path: Path) -> None:
    assert load_deployments(path) == {}
    save_deployment(path, Deployment(NETWORK, {"token": TOKEN}))
    with rejects(
        Reason.DEPLOYMENT_NOT_FOUND,
        f"the file {path} names no deployment on eip155:8453; run inferproof chain deploy first",
        kind=NotFound,
    ):
        load_deployment(path, Network("eip155:8453"))


def test_an_unnamed_contract_is_told() -> None:
    with rejects(
        Reason.DEPLOYMENT_LACKS_CONTRACT,
        "the deployment on eip155:31337 names no contract token",
        kind=NotFound,
    ):
        Deployment(NETWORK).address("token")


def contract(
    name: str = "token", address: str = ADDRESS.hex, code: str = TOKEN.code.hex, more: str = ""
) -> str:
    return (
        f'format = "{FORMAT}"\n[networks."{NETWORK}".contracts.{name}]\n'
        f'address = "{address}"\ncode = "{code}"\n{more}'
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", f"its format is not {FORMAT}"),
        ("{", "it is not TOML"),
        (b"\xff", "it is not TOML"),
        ("a = " + "[" * 60_000, "it is not TOML"),
        ('format = "other"', f"its format is not {FORMAT}"),
        (f'format = "{FORMAT}"\nextra = 1', "the file has an unknown key, 'extra'"),
        (f'format = "{FORMAT}"\nnetworks = 1', "networks is no table"),
        (f'format = "{FORMAT}"\n[networks.solana]', "'solana' is not an EVM network in CAIP-2 "
         "form, such as eip155:8453"),
        (f'format = "{FORMAT}"\n[networks]\n"eip155:1" = 2', "eip155:1 is no table"),
        (f'format = "{FORMAT}"\n[networks."eip155:1"]\ncontract = 2', "eip155:1 has an unknown "
         "key, 'contract'"),
        (f'format = "{FORMAT}"\n[networks."eip155:1"]\ncontracts = 2', "eip155:1 is no table"),
        (contract(address="0x12", more='arguments = "0x"'), "'0x12' is not an address; an address "
         "is 0x and 40 hex digits"),
        (contract(code="0x12", more='arguments = "0x"'), "'0x12' is not a digest; a digest is 0x "
         "and 64 lower-case hex digits"),
        (contract(), "contract token has no arguments"),
        (contract(more="arguments = 7"), "contract token has no arguments"),
        (contract(more='arguments = "0x1"'), "the arguments of contract token are not 0x and "
         "lower-case hex digits"),
        (contract(more='arguments = "0x"\nsalt = 1'), "contract token has an unknown key, 'salt'"),
        (contract('"../up"', more='arguments = "0x"'), "'../up' does not name a contract"),
        (" " * (MAX_BYTES + 1), f"it is larger than {MAX_BYTES} bytes"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    path = tmp_path / "deployments.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with rejects(
        Reason.DEPLOYMENT_MALFORMED,
        f"the deployment file {path} is malformed: {why}",
        kind=Misconfigured,
    ):
        load_deployment(path, NETWORK)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_deployment(tmp_path, NETWORK)
    assert caught.value.reason is Reason.DEPLOYMENT_MALFORMED
