"""Parsers of the chain room never fail in another way than by their own rejection."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferproof.chain.abi import calldata, decode_string, revert_reason, words
from inferproof.chain.contracts import parse_artifact
from inferproof.chain.deployments import (
    Deployed,
    Deployment,
    load_deployment,
    load_deployments,
    save_deployment,
)
from inferproof.chain.verifier import VerifyingKeyArtifact
from inferproof.errors import ArtifactRejected, Misconfigured
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network

addresses = st.binary(min_size=20, max_size=20).map(Address)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,63}", fullmatch=True)
digests = st.binary(min_size=32, max_size=32).map(Digest)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=300))
def test_every_revert_has_words(data: bytes) -> None:
    assert 0 < len(revert_reason(data)) <= 500


@given(st.text(max_size=120))
def test_revert_messages_are_shown_as_they_are(text: str) -> None:
    body = text.encode("utf-8", "ignore").decode()
    assert revert_reason(calldata("Error(string)", body)) == body


@given(st.binary(max_size=200))
def test_strings_decode_or_are_none(data: bytes) -> None:
    assert decode_string(data) is None or isinstance(decode_string(data), str)


@given(st.integers(0, 2**256 - 1), addresses, st.binary(max_size=100))
def test_call_data_is_whole_words_behind_a_selector(n: int, a: Address, data: bytes) -> None:
    encoded = calldata("f(uint256,address,bytes)", n, a, data)
    parts = words(encoded[4:])
    assert len(encoded) == 4 + 32 * len(parts)
    assert int.from_bytes(parts[0], "big") == n
    assert parts[1][12:] == a.raw
    assert int.from_bytes(parts[3], "big") == len(data)


@given(st.binary(max_size=1500))
def test_key_artifacts_parse_or_are_rejected(data: bytes) -> None:
    for parse in (VerifyingKeyArtifact.from_bytes, VerifyingKeyArtifact.from_ezkl_file):
        try:
            vka = parse(data)
            assert vka.proof_bytes >= 128
        except ArtifactRejected:
            continue


@given(json_values)
def test_contract_artifacts_parse_or_are_rejected(value: object) -> None:
    with pytest.raises(Misconfigured):
        parse_artifact("DevnetUSD", json.dumps(value))


deployed = st.builds(Deployed, addresses, digests, st.binary(max_size=80))


@given(st.dictionaries(names, deployed, max_size=5), st.integers(1, 10**18))
def test_deployments_round_trip(
    tmp_path_factory: pytest.TempPathFactory, contracts: dict[str, Deployed], chain_id: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{chain_id}.toml"
    deployment = Deployment(Network.evm(chain_id), contracts)
    save_deployment(path, deployment)
    assert load_deployment(path, deployment.network) == deployment


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_deployment_files_parse_or_are_rejected(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with pytest.raises(Misconfigured):
        load_deployments(path)
