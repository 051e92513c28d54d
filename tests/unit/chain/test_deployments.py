"""The file of addresses of one network."""

import json
import os
from pathlib import Path

import pytest

from inferproof.chain.deployments import (
    MAX_BYTES,
    Deployment,
    deployment_path,
    load_deployment,
    save_deployment,
)
from inferproof.errors import Misconfigured, NotFound, Reason
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.money import Network

NETWORK = Network("eip155:31337")
ADDRESS = Address(b"\xab" * 20)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    deployment = Deployment(NETWORK, {"token": ADDRESS, "Halo2VerifierReusable": ADDRESS})
    path = save_deployment(tmp_path / "new", deployment)
    assert path == tmp_path / "new" / "eip155-31337.json"
    assert load_deployment(tmp_path / "new", NETWORK) == deployment
    assert deployment.address("token") == ADDRESS


def test_saving_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    save_deployment(tmp_path, Deployment(NETWORK, {"token": ADDRESS}))
    save_deployment(tmp_path, Deployment(NETWORK, {}))
    assert load_deployment(tmp_path, NETWORK).contracts == {}
    assert [path.name for path in tmp_path.iterdir()] == ["eip155-31337.json"]


def test_a_save_that_fails_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_deployment(tmp_path, Deployment(NETWORK, {"token": ADDRESS}))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_deployment(tmp_path, Deployment(NETWORK, {}))
    assert load_deployment(tmp_path, NETWORK).contracts == {"token": ADDRESS}
    assert [path.name for path in tmp_path.iterdir()] == ["eip155-31337.json"]


def test_networks_have_files_of_their_own(tmp_path: Path) -> None:
    save_deployment(tmp_path, Deployment(NETWORK, {"token": ADDRESS}))
    other = Network("eip155:8453")
    with rejects(
        Reason.DEPLOYMENT_NOT_FOUND,
        f"there is no deployment file {tmp_path / 'eip155-8453.json'}; deploy to eip155:8453 first",
        kind=NotFound,
    ):
        load_deployment(tmp_path, other)


def test_an_unnamed_contract_is_told() -> None:
    with rejects(
        Reason.DEPLOYMENT_LACKS_CONTRACT,
        "the deployment on eip155:31337 names no contract token",
        kind=NotFound,
    ):
        Deployment(NETWORK).address("token")


def document(**change: object) -> bytes:
    whole: dict[str, object] = {
        "format": "inferproof/deployment/1",
        "network": NETWORK.caip2,
        "contracts": {"token": ADDRESS.hex},
    }
    return json.dumps(whole | change).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 60_000, "it is not JSON"),
        (b"[]", "its keys are not format, network and contracts"),
        (b"{}", "its keys are not format, network and contracts"),
        (document(extra=1), "its keys are not format, network and contracts"),
        (document(format="other"), "its format is not inferproof/deployment/1"),
        (document(contracts=[]), "contracts is not an object"),
        (document(contracts={"token": "0x12"}), "'0x12' is not an address; an address is 0x and "
         "40 hex digits"),
        (document(contracts={"token": None}), "None is not an address; an address is 0x and "
         "40 hex digits"),
        (document(contracts={"../up": ADDRESS.hex}), "'../up' does not name a contract"),
        (document(network="solana"), "'solana' is not an EVM network in CAIP-2 form, such as "
         "eip155:8453"),
        (document(network=7), "7 is not an EVM network in CAIP-2 form, such as eip155:8453"),
        (document(network="eip155:1"), "it is about eip155:1"),
        (b" " * (MAX_BYTES + 1), f"it is larger than {MAX_BYTES} bytes"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = deployment_path(tmp_path, NETWORK)
    path.write_bytes(data)
    with rejects(
        Reason.DEPLOYMENT_MALFORMED,
        f"the deployment file {path} is malformed: {why}",
        kind=Misconfigured,
    ):
        load_deployment(tmp_path, NETWORK)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    deployment_path(tmp_path, NETWORK).mkdir()
    with pytest.raises(Misconfigured) as caught:
        load_deployment(tmp_path, NETWORK)
    assert caught.value.reason is Reason.DEPLOYMENT_MALFORMED
