"""The artifacts that ship, and deploying them."""

import hashlib
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from inferproof.chain.abi import (
    calldata,
    decode_string,
    encode_arguments,
    event_topic,
    revert_reason,
)
from inferproof.chain.contracts import (
    DEVNET_TOKEN,
    EZKL_VERIFIER,
    OURS,
    contract_address,
    deploy,
    load_artifact,
    parse_artifact,
)
from inferproof.chain.rpc import Rpc
from inferproof.errors import Misconfigured, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.testing.devnet import DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address

SHIPPED = files("inferproof.chain") / "artifacts"
CLONE = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", [*OURS, EZKL_VERIFIER])
def test_an_artifact_names_where_it_comes_from(name: str) -> None:
    artifact = load_artifact(name)
    assert artifact.provenance["compiler"].startswith("solc 0.8.37+")
    assert artifact.provenance["settings"]["evmVersion"] == "cancun"
    assert all(len(digest) == 64 for digest in artifact.provenance["sources_sha256"].values())
    assert 0 < len(artifact.deployed) <= 24_576  # EIP-170


@pytest.mark.parametrize("name", OURS)
def test_our_artifacts_are_of_the_sources_in_this_clone(name: str) -> None:
    digests = load_artifact(name).provenance["sources_sha256"]
    assert f"src/{OURS[name]}{name}.sol" in digests
    for path, digest in digests.items():
        if path.startswith("src/"):
            source = (CLONE / "contracts" / path).read_bytes()
            assert digest == hashlib.sha256(source).hexdigest(), path


@pytest.mark.slow
def test_a_fresh_build_gives_the_shipped_artifacts(tmp_path: Path) -> None:
    script = CLONE / "contracts" / "build_artifacts.py"
    subprocess.run(
        [sys.executable, str(script), "--out", str(tmp_path)], check=True, capture_output=True
    )
    built = {path.name: path.read_text() for path in tmp_path.iterdir()}
    names = (*OURS, EZKL_VERIFIER)
    assert set(built) == {f"{name}.json" for name in names}
    for name, text in built.items():
        assert (SHIPPED / name).read_text() == text


def test_an_unknown_artifact_is_missing() -> None:
    with rejects(
        Reason.CONTRACT_ARTIFACT_MALFORMED,
        "the contract artifact Nothing of this package is damaged: the file is missing",
        kind=Misconfigured,
    ):
        load_artifact("Nothing")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"bytecode": "0x00"}, "its bytecode has another digest"),
        ({"deployed": "0x00"}, "its bytecode has another digest"),
        ({"bytecode": "0xzz"}, "it is not whole"),
        ({"bytecode": 5}, "it is not whole"),
        ({"abi": None}, "it is not whole"),
        ({"name": "Other"}, "it is another kind of file"),
        ({"format": "inferproof/contract/2"}, "it is another kind of file"),
    ],
)
def test_a_damaged_artifact_is_refused(change: dict[str, object], why: str) -> None:
    document = json.loads((SHIPPED / f"{DEVNET_TOKEN}.json").read_text()) | change
    with rejects(
        Reason.CONTRACT_ARTIFACT_MALFORMED,
        f"the contract artifact DevnetUSD of this package is damaged: {why}",
        kind=Misconfigured,
    ):
        parse_artifact(DEVNET_TOKEN, json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "{}"])
def test_what_is_no_artifact_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_artifact(DEVNET_TOKEN, text)
    assert caught.value.reason is Reason.CONTRACT_ARTIFACT_MALFORMED


async def test_a_deployed_contract_is_where_it_was_predicted(rpc: Rpc, devnet: DevnetInfo) -> None:
    deployer = dev_key(9)
    nonce = await rpc.nonce(deployer.address)
    address = await deploy(rpc, load_artifact(DEVNET_TOKEN), deployer, deployer.address)
    assert address == contract_address(deployer.address, nonce)
    owner = await rpc.call(address, calldata("owner()"), what="owner()")
    assert owner[12:] == deployer.address.raw


@pytest.mark.parametrize(
    ("nonce", "expected"),
    [  # EIP-161 accounts start at 1; the first address is the well-known one of account 0
        (0, "0x5fbdb2315678afecb367f032d93f642f64180aa3"),
        (1, "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512"),
    ],
)
def test_contract_addresses_of_the_first_development_account(nonce: int, expected: str) -> None:
    assert contract_address(dev_key(0).address, nonce).hex == expected


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32])
def test_contract_addresses_agree_with_another_implementation(nonce: int) -> None:
    from eth_utils import keccak
    from rlp import encode

    sender = Address(b"\x0f" * 20)
    assert contract_address(sender, nonce).raw == keccak(encode([sender.raw, nonce]))[-20:]


# -- the ABI helpers ---------------------------------------------------------------------------


def test_known_selectors_and_topics() -> None:
    assert calldata("transfer(address,uint256)", Address(bytes(20)), 0)[:4].hex() == "a9059cbb"
    assert calldata("decimals()").hex() == "313ce567"
    topic = event_topic("Transfer(address,address,uint256)").hex
    assert topic == "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "reverted without a reason"),
        (calldata("Error(string)", "no"), "no"),
        (calldata("Panic(uint256)", 0x11), "panic 0x11"),
        (calldata("ERC20InvalidReceiver(address)", Address(bytes(20))), "ERC20InvalidReceiver"),
        (bytes.fromhex("deadbeef"), "error 0xdeadbeef"),
        (calldata("ERC20InvalidReceiver(address)", Address(bytes(20)))[:9], "error 0xec442f05"),
        (calldata("Error(string)", "no")[:20], "error 0x08c379a0"),
        (calldata("Error(string)", "x" * 5000), "x" * 200),
    ],
)
def test_reverts_in_words(data: bytes, text: str) -> None:
    shown = revert_reason(data)
    assert shown.startswith(text)
    assert len(shown) <= 220


def test_what_is_no_string_is_none() -> None:
    assert decode_string(b"") is None
    assert decode_string(b"\xff" * 64) is None
    assert decode_string(calldata("f(string)", "x")[4:]) == "x"


def test_every_error_of_our_contracts_has_words() -> None:
    text = (CLONE / "contracts" / "src" / "Errors.sol").read_text()
    found = re.findall(r"error (\w+)\(([^)]*)\);", text)
    assert len(found) > 80
    for name, arguments in found:
        types = [part.split()[0] for part in arguments.split(",") if part.strip()]
        selector = keccak256(f"{name}({','.join(types)})".encode())[:4]
        values = [b"" if kind == "bytes" else _zero(kind) for kind in types]
        assert revert_reason(selector + encode_arguments(types, values)).startswith(f"{name}(")


def _zero(kind: str) -> object:
    if kind == "address":
        return "0x" + "00" * 20
    return bytes(int(kind[5:])) if kind.startswith("bytes") else 0
