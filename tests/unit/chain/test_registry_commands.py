"""The commands about models on a chain, as the guide gives them."""

import asyncio
import hashlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any

import pytest
from typer.testing import CliRunner

from inferproof.chain.model_registry import open_registry
from inferproof.chain.rpc import Rpc
from inferproof.chain.verifier_router import private_key_digest
from inferproof.cli.main import app
from inferproof.cli.onchain import contract_key, input_kinds
from inferproof.cli.registry import compare
from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.encoding import fixed_tensor_head, tagged_digest
from inferproof.protocol.registration import content_id_text, raw_content_id, verifier_selector
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import VerifierBundle, encode_bundle
from inferproof.proving.sumcheck.contract import contract_programs
from inferproof.proving.sumcheck.quantisation import QuantisedOutput, Settings
from inferproof.testing.devnet import DevnetInfo, dev_key
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import OUTPUTS, sample_bundle
from inferproof.types.digest import Digest
from inferproof.types.proof import Visibility
from inferproof.types.registry import CommitmentKind, ContractKey
from reference.vectors import PLACE, load

GUIDE = Path(__file__).resolve().parents[3] / "docs/guide/registry.md"
KEY = load(PLACE / "evm/proofs/linear.json").key
SCALE = 0.25
SETTINGS = Settings((), tuple(QuantisedOutput(s.name, s.shape, SCALE) for s in OUTPUTS)).encode()


def bundle(name: str) -> VerifierBundle:
    """A bundle that no other test has registered: the name is in the commitment to its weights."""
    made = sample_bundle(system="sumcheck", version="1", verifying_key=KEY, settings=SETTINGS)
    weights = tagged_digest("inferproof/sample/1", name.encode())
    return replace(made, parts=replace(made.parts, weights=weights))


def write_key(path: Path, key: SigningKey) -> Path:
    path.write_text(key.secret().hex())
    path.chmod(0o600)
    return path


def write_model(folder: Path, made: VerifierBundle) -> Path:
    folder.mkdir()
    (folder / "verifier.json").write_bytes(encode_bundle(made))
    return folder


async def run(*words: str, as_json: bool = True) -> tuple[int, Any]:
    asked = [*words, "--json"] if as_json else list(words)
    result = await asyncio.to_thread(CliRunner().invoke, app, asked)
    return result.exit_code, json.loads(result.stdout) if as_json else result.stdout


@pytest.fixture
def environment(registry_chain: DevnetInfo, tmp_path: Path) -> dict[str, str]:
    """What the guide's commands name."""
    made, other = bundle(str(tmp_path)), dev_key(7)
    (tmp_path / "card.toml").write_text('id = "linear"\n')
    paths = {
        "MODEL": write_model(tmp_path / "compiled", made),
        "NEXT": write_model(tmp_path / "next", bundle(f"{tmp_path}/next")),
        "CARD": tmp_path / "card.toml",
        "KEY": write_key(tmp_path / "key", registry_chain.accounts.provider),
        "OTHER_KEY": write_key(tmp_path / "other", other),
    }
    return {name: str(path) for name, path in paths.items()} | {
        "RPC": registry_chain.rpc_url,
        "REGISTRY": registry_chain.model_registry.hex,
        "TOKEN": registry_chain.token.address.hex,
        "COMMITMENT": made.commitment.hex,
        "OTHER": other.address.hex,
    }


async def test_the_guides_commands_do_what_it_says(
    registry_chain: DevnetInfo, environment: dict[str, str]
) -> None:
    lines = re.findall(r"^\$ inferproof (registry .*)$", GUIDE.read_text("utf-8"), re.MULTILINE)
    asked = [shlex.split(Template(line).substitute(environment)) for line in lines]
    told = []
    for words in asked:
        code, answer = await run(*words)
        assert code == 0, (words, answer)
        told.append(answer)
    made, shown, _, _, second, offered, accepted, deployed = told
    model, token = environment["COMMITMENT"], environment["TOKEN"]
    assert [words[1] for words in asked] == [
        "register", "show", "update", "update", "register", "transfer", "accept", "deploy"
    ]  # fmt: skip
    assert 0 < made["seal_gas"] < 55_000
    assert 0 < made["gas"] <= 220_000
    verifier_json = (Path(environment["MODEL"]) / "verifier.json").read_bytes()
    assert shown == {
        "registry": environment["REGISTRY"],
        "commitment": model,
        "model": model,
        "number": 1,
        "active": True,
        "verifier": "0x" + verifier_selector("sumcheck", "1").hex(),
        "verifying_key": contract_key(bundle("x")).digest.hex,
        "inputs": ["disclosed", "private"],
        "outputs": ["disclosed"],
        "metadata_sha256": hashlib.sha256(b'id = "linear"\n').hexdigest(),
        "metadata_uri": "https://models.example/card.toml",
        "content_id": content_id_text(raw_content_id(verifier_json)),
        "owner": registry_chain.accounts.provider.address.hex,
        "offered_to": None,
        "versions": 1,
        "prices": {token: "250000"},
    }
    assert (second["model"], second["number"], second["metadata_uri"]) == (model, 2, None)
    assert offered["offered_to"] == accepted["owner"] == environment["OTHER"]
    assert deployed["model_registry"] != environment["REGISTRY"]
    on_chain = ("--rpc", environment["RPC"], "--registry", environment["REGISTRY"])
    code, after = await run("registry", "show", model, *on_chain, "--token", token)
    assert code == 0
    assert (after["owner"], after["versions"]) == (environment["OTHER"], 2)
    assert (after["active"], after["prices"]) == (True, {token: "300000"})


async def test_texts_for_people(environment: dict[str, str]) -> None:
    on_chain = ["--rpc", environment["RPC"], "--registry", environment["REGISTRY"]]
    owned = [*on_chain, "--key-file", environment["KEY"]]
    model, token = environment["MODEL"], environment["TOKEN"]
    described = ["--metadata", environment["CARD"], "--metadata-uri", "https://x.example/[red]"]
    code, told = await run("registry", "register", model, *owned, *described, as_json=False)
    assert code == 0
    assert "of the seal" in told
    code, told = await run("registry", "register", model, *owned, *described, as_json=False)
    assert (code, "was registered" in told) == (0, True)
    commitment = environment["COMMITMENT"]
    code, told = await run(
        "registry", "transfer", commitment, *owned, "--to", environment["OTHER"], as_json=False
    )
    assert (code, "has to accept" in told) == (0, True)
    code, told = await run("registry", "show", model, *on_chain, "--token", token, as_json=False)
    assert code == 0
    for part in (commitment, "https://x.example/[red]", environment["OTHER"], "not taken"):
        assert part in told
    code, told = await run("registry", "transfer", commitment, *owned, as_json=False)
    assert (code, "offered to nobody" in told) == (0, True)
    code, told = await run("registry", "update", commitment, *owned, "--inactive", as_json=False)
    assert (code, "updated" in told) == (0, True)


async def test_refusals_are_told_by_their_reasons(
    registry_chain: DevnetInfo, environment: dict[str, str]
) -> None:
    on_chain = ["--rpc", environment["RPC"], "--registry", environment["REGISTRY"]]
    owned = [*on_chain, "--key-file", environment["KEY"]]
    model, commitment = environment["MODEL"], environment["COMMITMENT"]
    nowhere = ["--rpc", "http://127.0.0.1:9", *owned[2:]]
    for words, reason in (
        (["show", commitment, *on_chain], "VERSION_NOT_REGISTERED"),
        (["show", "0x12", *on_chain], "DIGEST_MALFORMED"),
        (["show", "nothing", *on_chain], "ARTIFACT_NOT_FOUND"),
        (["accept", commitment, *owned], "MODEL_NOT_REGISTERED"),
        (["register", model, *owned, "--price", "USDC=1"], "TOKEN_PRICE_MALFORMED"),
        (["register", model, *owned, "--content-id", "Qm"], "CONTENT_ID_MALFORMED"),
        (["register", model, *owned, "--metadata-uri", "x"], "REGISTRATION_METADATA"),
        (["register", model, *owned, "--metadata", model + "/verifier.json"],
         "REGISTRATION_METADATA"),
        (["register", model, *owned, *["--price", f"{environment['TOKEN']}=1"] * 9],
         "REGISTRATION_TOO_LONG"),
        (["register", model, *owned[:3], environment["TOKEN"], *owned[4:]],
         "REGISTRY_CODE_UNKNOWN"),
        (["register", model, *nowhere], "CHAIN_UNREACHABLE"),
        (["deploy", "--rpc", "http://127.0.0.1:9", *owned[-2:]], "CHAIN_UNREACHABLE"),
    ):  # fmt: skip
        code, told = await run("registry", *words)
        assert (code, told["reason"]) == (1, reason), words
    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["registry", "update", commitment, *owned]
    )
    assert result.exit_code == 2


async def test_a_registry_that_names_another_key_is_not_believed(
    registry_chain: DevnetInfo, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_chain = ["--rpc", environment["RPC"], "--registry", environment["REGISTRY"]]
    lie = ContractKey(b"\x01\x02\x03\x04", Digest(b"\x66" * 32))
    with monkeypatch.context() as lying:
        lying.setattr("inferproof.cli.onchain.contract_key", lambda _: lie)
        code, _ = await run(
            "registry", "register", environment["MODEL"], *on_chain, "--key-file",
            environment["KEY"],
        )  # fmt: skip
        assert code == 0
    code, told = await run("registry", "show", environment["MODEL"], *on_chain)
    assert (code, told["reason"]) == (1, "REGISTRY_OTHER_KEY")
    honest = contract_key(bundle("x")).digest
    with rejects(
        Reason.REGISTRY_OTHER_KEY,
        f"the registry names the verifying key {lie.digest} for {environment['COMMITMENT']}, that "
        f"of the bundle is {honest}; do not buy by what the registry says",
        kind=ArtifactRejected,
    ):
        async with Rpc(registry_chain.rpc_url) as rpc:
            opened = await open_registry(rpc, registry_chain.model_registry)
            compare(await opened.version(Digest.from_hex(environment["COMMITMENT"])), bundle("x"))
    assert str(honest) in told["message"]
    # With the commitment alone it is the owner's word.
    code, told = await run("registry", "show", environment["COMMITMENT"], *on_chain)
    assert (code, told["verifying_key"]) == (0, lie.digest.hex)


def test_keys_are_named_as_their_contracts_know_them() -> None:
    made = bundle("x")
    heads = [fixed_tensor_head(spec.name, spec.shape, SCALE) for spec in OUTPUTS]
    assert contract_key(made) == ContractKey(
        verifier_selector("sumcheck", "1"),
        private_key_digest(contract_programs(KEY).digests, heads),
    )
    # A model of another profile, and one of another system, are checked by no contract.
    plain = load(PLACE / "private/linear-default.json").key
    for unchecked in (
        sample_bundle(system="sumcheck", version="1", verifying_key=plain),
        sample_bundle(),
    ):
        assert contract_key(unchecked) == ContractKey(bytes(4), unchecked.parts.verifying_key)


def test_kinds_of_inputs_are_those_of_the_model() -> None:
    assert input_kinds(bundle("x")) == CommitmentKind.DISCLOSED | CommitmentKind.PRIVATE
    assert input_kinds(sample_bundle()) is CommitmentKind.DISCLOSED
    assert input_kinds(sample_bundle(visibility=Visibility.HASHED)) is CommitmentKind.HASHED
