"""An auditor compiles a model again and makes the commitment in its key again: what
agrees, and every way in which it does not."""

import asyncio
import json
import logging
import shutil
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import typer
from onnx import numpy_helper
from typer.testing import CliRunner

from inferproof.app import key_budgets
from inferproof.app.openings import local_openings
from inferproof.cli import model, provider
from inferproof.cli.audit import opened_key
from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.opening import KeyOpening, ModelOpening, decode_opening, encode_opening
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.audit import audit
from inferproof.proving.base import Compared, CompileRequest, ProofSystem
from inferproof.proving.opening import read_opening
from inferproof.proving.openings import PassingOpenings
from inferproof.proving.sumcheck.audit import COMMITMENT, GRAPH, TERMS, compare_key, terms_of
from inferproof.proving.sumcheck.private_key import PRIVATE_KEY, read_key
from inferproof.proving.sumcheck.rotation import open_key
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.rejections import rejects
from inferproof.testing.tiny import compile_tiny
from inferproof.types.digest import Digest

pytestmark = pytest.mark.native
RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (model, provider):
    room.register(APP)
ALL = (
    *("graph", "weights", "pre-processing", "quantisation", GRAPH, TERMS, COMMITMENT),
    *("SRS", "set-up"),
)


@pytest.fixture(scope="module")
def system() -> Iterator[SumcheckSystem]:
    """The auditor's: what it compiles is counted in memory."""
    passing = PassingOpenings()
    with closing(SumcheckSystem(openings=lambda _folder: passing)) as made:
        yield made


@pytest.fixture(scope="module")
def request_(mlp_request: CompileRequest) -> CompileRequest:
    """What the auditor holds: file and samples, and nothing of how they were compiled."""
    return replace(mlp_request, salts=None)


@pytest.fixture(scope="module")
def published(
    system: SumcheckSystem, mlp_request: CompileRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The provider's folder, of a model with salts of its own."""
    out = tmp_path_factory.mktemp("published") / "compiled"
    system.compile(replace(mlp_request, salts=None, out=out))
    return out


@pytest.fixture(scope="module")
def again(
    system: SumcheckSystem, mlp_request: CompileRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same file compiled once more, by whoever audits."""
    out = tmp_path_factory.mktemp("again") / "compiled"
    system.compile(replace(mlp_request, salts=None, out=out))
    return out


@pytest.fixture(scope="module")
def bundle(system: SumcheckSystem, published: Path) -> VerifierBundle:
    return system.verifier(published)


@pytest.fixture(scope="module")
def opening(published: Path, bundle: VerifierBundle) -> ModelOpening:
    """As the auditor gets it: through bytes."""
    whole = replace(read_opening(published, bundle), key=open_key(published))
    return decode_opening(encode_opening(whole))


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalOpeningBudgets:
    """This user's records."""
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    return LocalOpeningBudgets()


@pytest.fixture
def owned(published: Path, records: LocalOpeningBudgets, tmp_path: Path) -> Path:
    """The provider's folder, whose key is counted here."""
    kept = read_key(published)
    asyncio.run(records.register(kept.name, kept.openings))
    return shutil.copytree(published, tmp_path / "compiled")


def changed(request: CompileRequest, path: Path, change: Callable[[Any], None]) -> CompileRequest:
    """The request with another file."""
    file = onnx.load(request.model)
    change(file)
    onnx.save(file, path)
    return replace(request, model=path)


def flip(name: str, bit: int) -> Callable[[Any], None]:
    """Changes one number of a tensor of weights."""

    def change(file: Any) -> None:
        tensor = next(each for each in file.graph.initializer if each.name == name)
        values = numpy_helper.to_array(tensor).copy()
        values.reshape(-1).view(np.uint32)[1] ^= np.uint32(1 << bit)
        tensor.CopyFrom(numpy_helper.from_array(values, name))

    return change


def softplus(file: Any) -> None:
    next(node for node in file.graph.node if node.op_type == "Relu").op_type = "Softplus"


def parts_of(compared: tuple[Compared, ...] | None) -> dict[str, Compared]:
    assert compared is not None
    return {each.part: each for each in compared}


# -- what agrees --------------------------------------------------------------------------------


def test_the_same_file_agrees_in_every_part(
    request_: CompileRequest,
    bundle: VerifierBundle,
    opening: ModelOpening,
    system: SumcheckSystem,
    owned: Path,
    records: LocalOpeningBudgets,
) -> None:
    key = read_key(owned).name
    before = asyncio.run(records.budget(key))
    found = audit(request_, bundle, opening, system)
    assert [(each.part, each.agrees, each.why) for each in found.parts] == [
        (part, True, "") for part in ALL
    ]
    found.check()
    assert asyncio.run(records.budget(key)) == before


@pytest.mark.slow
def test_the_audit_follows_rotations_from_the_first_key_to_the_one_that_is_opened(
    owned: Path,
    records: LocalOpeningBudgets,
    bundle: VerifierBundle,
    again: Path,
    system: SumcheckSystem,
) -> None:
    first = open_key(owned)
    for _ in range(2):
        asyncio.run(key_budgets.rotate(records, owned))
    now, name = open_key(owned), read_key(owned).name
    assert now.secret != first.secret
    assert parts_of(compare_key(bundle, again, now))[COMMITMENT] == Compared(
        COMMITMENT, True, f"by its rotations, up to key {name}"
    )
    # An opening of before opens the key of before, which has the identity.
    assert parts_of(compare_key(bundle, again, first))[COMMITMENT] == Compared(COMMITMENT, True)
    for wrong in (replace(now, secret=first.secret), replace(first, secret=now.secret)):
        assert parts_of(compare_key(bundle, again, wrong))[COMMITMENT].agrees is False
    cut = replace(now, links=now.links[: len(now.links) // 2])
    assert parts_of(compare_key(bundle, again, cut))[COMMITMENT].agrees is False
    # The links of another key of the same weights.
    other = parts_of(compare_key(system.verifier(again), again, now))[COMMITMENT]
    message = (
        "the links in the opening do not lead from the verifying key to its present commitment"
    )
    assert other.why.startswith(message)


# -- what does not ------------------------------------------------------------------------------


def test_one_number_of_the_weights_is_told(
    request_: CompileRequest,
    bundle: VerifierBundle,
    opening: ModelOpening,
    system: SumcheckSystem,
    tmp_path: Path,
) -> None:
    other = changed(request_, tmp_path / "m.onnx", flip("w0", 22))
    parts = parts_of(audit(other, bundle, opening, system).parts)
    assert parts["graph"].agrees is True
    message = "the weights of the file are not those that the bundle's commitment opens to"
    with rejects(Reason.AUDIT_WEIGHTS, message, kind=ArtifactRejected):
        parts["weights"].check()
    message = (
        "the weights of the file and the secret in the opening do not make the commitment under "
        "the verifying key"
    )
    with rejects(Reason.AUDIT_KEY_COMMITMENT, message, kind=ArtifactRejected):
        parts[COMMITMENT].check()


@pytest.mark.slow
def test_a_number_that_quantising_rounds_away_is_told_of_the_file_alone(
    request_: CompileRequest,
    bundle: VerifierBundle,
    opening: ModelOpening,
    system: SumcheckSystem,
    tmp_path: Path,
) -> None:
    other = changed(request_, tmp_path / "m.onnx", flip("w0", 0))
    found = audit(other, bundle, opening, system)
    assert found.differs == ("weights",)
    message = "compiled again, the model is not the published one: weights differ"
    with rejects(Reason.AUDIT_DIFFERS, message, kind=ArtifactRejected):
        found.check()


@pytest.mark.slow
def test_another_graph_is_told_with_what_of_the_key_is_other(
    request_: CompileRequest,
    bundle: VerifierBundle,
    opening: ModelOpening,
    system: SumcheckSystem,
    tmp_path: Path,
) -> None:
    other = changed(request_, tmp_path / "m.onnx", softplus)
    parts = parts_of(audit(other, bundle, opening, system).parts)
    assert parts["weights"].agrees is True
    message = "the graph of the file is not the one that the bundle's commitment opens to"
    with rejects(Reason.AUDIT_GRAPH, message, kind=ArtifactRejected):
        parts["graph"].check()
    assert parts[GRAPH].why.startswith(
        "the verifying key shows another integer graph than the file compiles to; it has other "
        "topology"
    )
    assert "functions" in parts[GRAPH].why


@pytest.mark.slow
def test_other_samples_are_told_of_the_graph_and_not_of_the_weights(
    request_: CompileRequest, bundle: VerifierBundle, opening: ModelOpening, system: SumcheckSystem
) -> None:
    other = replace(request_, calibration={"x": request_.calibration["x"] * 2.5})
    parts = parts_of(audit(other, bundle, opening, system).parts)
    assert {name for name in ("graph", "weights") if parts[name].agrees} == {"graph", "weights"}
    assert parts[GRAPH].failure is not None
    kinds = parts[GRAPH].failure.facts["differs"]
    assert {"ranges", "multipliers"} <= set(str(kinds).split(", "))
    message = (
        "the verifying key shows another integer graph than the file compiles to; it has other "
        f"{kinds}"
    )
    with rejects(Reason.AUDIT_KEY_GRAPH, message, kind=ArtifactRejected):
        parts[GRAPH].check()


@pytest.mark.slow
def test_a_key_of_another_profile_or_mode_is_told(
    request_: CompileRequest,
    bundle: VerifierBundle,
    opening: ModelOpening,
    system: SumcheckSystem,
    tmp_path: Path,
) -> None:
    out = tmp_path / "conservative"
    system.compile(replace(request_, profile="conservative", out=out))
    parts = parts_of(compare_key(bundle, out, None))
    assert parts[GRAPH].agrees is True
    counts = struct.unpack_from("<III", bundle.verifying_key, 46)
    assert terms_of(bundle) == f"profile default and openings {' '.join(map(str, counts))}"
    message = (
        f"the verifying key is not one as the file compiles to: it has {terms_of(bundle)} and not "
        f"{terms_of(system.verifier(out))}"
    )
    with rejects(Reason.AUDIT_KEY_TERMS, message, kind=ArtifactRejected):
        parts[TERMS].check()
    assert compare_key(system.verifier(out), out, None) is not None


def test_a_wrong_secret_makes_another_commitment(
    bundle: VerifierBundle, opening: ModelOpening, again: Path
) -> None:
    assert opening.key is not None
    for at in (0, 31):
        secret = bytearray(opening.key.secret)
        secret[at] ^= 1
        parts = parts_of(compare_key(bundle, again, KeyOpening(bytes(secret))))
        assert {name for name, part in parts.items() if not part.agrees} == {COMMITMENT}
        with pytest.raises(ArtifactRejected) as raised:
            parts[COMMITMENT].check()
        assert raised.value.reason is Reason.AUDIT_KEY_COMMITMENT


def test_links_that_lead_nowhere_are_told(
    bundle: VerifierBundle, opening: ModelOpening, again: Path
) -> None:
    assert opening.key is not None
    parts = parts_of(compare_key(bundle, again, replace(opening.key, links=b"no link")))
    message = (
        "the links in the opening do not lead from the verifying key to its present commitment: "
        "a link leads to a commitment of kind 110, which its parent does not lead to"
    )
    with rejects(Reason.AUDIT_KEY_LINKS, message, kind=ArtifactRejected):
        parts[COMMITMENT].check()


def test_a_key_that_stays_hidden_is_compared_as_far_as_it_shows(
    bundle: VerifierBundle, again: Path
) -> None:
    parts = parts_of(compare_key(bundle, again, None))
    assert (parts[GRAPH].agrees, parts[TERMS].agrees) == (True, True)
    assert parts[COMMITMENT] == Compared(COMMITMENT, None, "the opening keeps it hidden")


def test_the_commitment_of_another_model_does_not_agree(
    again: Path, opening: ModelOpening, system: SumcheckSystem
) -> None:
    """The auditor's own key has another secret than the provider's, for the same weights."""
    own = system.verifier(again)
    assert parts_of(compare_key(own, again, opening.key))[COMMITMENT].agrees is False
    assert parts_of(compare_key(own, again, open_key(again)))[COMMITMENT].agrees is True


# -- the commands -------------------------------------------------------------------------------


@pytest.fixture
def told() -> Callable[..., tuple[int, dict[str, Any]]]:
    """Exit code and answer of a command."""

    def run(*arguments: object) -> tuple[int, dict[str, Any]]:
        done = RUNNER.invoke(APP, [*map(str, arguments), "--json"])
        return done.exit_code, dict(json.loads(done.stdout))

    return run


def test_what_opens_the_key_is_for_its_owner_and_told_nowhere(
    owned: Path, tmp_path: Path, told: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    target, secret = tmp_path / "opening.json", read_key(owned).secret
    target.write_text("")
    target.chmod(0o644)
    done = RUNNER.invoke(APP, ["model", "open", str(owned), "--out", str(target)])
    assert done.exit_code == 0, done.output
    assert "opens graph and weights and key of model" in " ".join(done.stdout.split())
    assert "whoever has it and enough proofs can work out the weights" in " ".join(
        done.stderr.split()
    )
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    opened = decode_opening(target.read_bytes())
    assert opened.key == KeyOpening(secret)
    said = done.output + caplog.text + repr(opened) + repr(opened.key)
    assert secret.hex() not in said
    assert repr(secret) not in said
    # What is not asked for is not written; the folder's own file never has it.
    code, answer = told("model", "open", owned, "--out", target, "--part", "graph")
    assert (code, answer["opens"], answer["note"]) == (0, ["graph"], None)
    for data in (target.read_bytes(), (owned / "opening.json").read_bytes()):
        assert decode_opening(data).key is None
        assert secret.hex().encode() not in data
    code, answer = told("model", "open", owned, "--out", target, "--part", "key")
    assert (code, answer["opens"]) == (0, ["key"])
    assert decode_opening(target.read_bytes()).graph is None


def test_an_opening_that_would_open_nothing_is_not_written(
    owned: Path, tmp_path: Path, told: Callable[..., Any]
) -> None:
    target = tmp_path / "opening.json"
    kept = (owned / PRIVATE_KEY).read_bytes()
    (owned / PRIVATE_KEY).unlink()
    code, answer = told("model", "open", owned, "--out", target)
    assert (code, answer["reason"]) == (1, "PRIVATE_KEY_MISSING")
    secret = json.loads(kept)["body"]["secret"].encode()
    (owned / PRIVATE_KEY).write_bytes(kept.replace(secret, Digest(bytes(32)).hex.encode()))
    code, answer = told("model", "open", owned, "--out", target)
    assert (code, answer["reason"]) == (1, "DOCUMENT_CHECKSUM")
    assert not target.exists()
    result = RUNNER.invoke(
        APP,
        ["model", "open", str(owned), "--out", str(target), "--part", "graph", "--gateway"],
    )
    assert result.exit_code == 2
    assert "--gateway goes with the key" in result.stderr


def test_keys_of_other_systems_have_no_secret_to_open(
    ezkl_system: ProofSystem, ezkl_compiled: Path, tmp_path: Path, told: Callable[..., Any]
) -> None:
    out, target = ezkl_compiled, tmp_path / "opening.json"
    code, answer = told("model", "open", out, "--out", target, "--part", "key")
    assert (code, answer["reason"]) == (1, "OPENING_NO_KEY")
    assert not target.exists()
    message = (
        f"the verifying key of the compiled model in {out} has no secret that could be opened; "
        "keys of proof system sumcheck alone have one"
    )
    with rejects(Reason.OPENING_NO_KEY, message, kind=ArtifactRejected):
        opened_key(out, ezkl_system.verifier(out), gateway=False, data_dir=None)
    code, answer = told("model", "open", out, "--out", target)
    assert (code, answer["opens"], answer["note"]) == (0, ["graph", "weights"], None)


@pytest.mark.slow
def test_the_auditors_command_says_what_was_compared(
    owned: Path,
    request_: CompileRequest,
    tmp_path: Path,
    told: Callable[..., Any],
    records: LocalOpeningBudgets,
) -> None:
    target, samples = tmp_path / "opening.json", tmp_path / "X.npz"
    np.savez(samples, **request_.calibration)
    told("model", "open", owned, "--out", target)
    before = asyncio.run(records.budget(read_key(owned).name))
    arguments = (
        *("model", "audit", request_.model, owned / "verifier.json"),
        *("--opening", target, "--calibration", samples),
    )
    result = RUNNER.invoke(APP, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        f"{part} agrees" for part in ALL
    ]
    other = changed(request_, tmp_path / "m.onnx", flip("b1", 22)).model
    code, answer = told("model", "audit", other, *arguments[3:])
    assert (code, answer["reason"]) == (1, "AUDIT_DIFFERS")
    reasons = {each["part"]: each["reason"] for each in answer["parts"] if not each["agrees"]}
    assert reasons["weights"] == "AUDIT_WEIGHTS"
    assert reasons[COMMITMENT] == "AUDIT_KEY_COMMITMENT"
    assert asyncio.run(records.budget(read_key(owned).name)) == before
    damaged = bytearray(target.read_bytes())
    at = damaged.index(b'"secret":"0x') + 14
    damaged[at] = ord("1") if damaged[at] != ord("1") else ord("2")
    target.write_bytes(bytes(damaged))
    code, answer = told(*arguments)
    assert (code, answer["reason"]) == (1, "DOCUMENT_CHECKSUM")


@pytest.mark.slow
def test_the_key_that_a_gateway_serves_with_is_opened_there(
    tmp_path: Path, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    (tmp_path / "key").write_text("0x" + "11" * 32)
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("INFERPROOF_GATEWAY_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("INFERPROOF_TOKEN_ADDRESS", "0x" + "22" * 20)
    card, data = tmp_path / "tiny", tmp_path / "data"
    with closing(SumcheckSystem(openings=local_openings)) as system:
        compile_tiny(card, "tiny", system)
        bundle = system.verifier(card / "compiled")
    folder, target = card / "compiled", tmp_path / "opening.json"
    there = ("--gateway", "--data-dir", data)
    assert told("provider", "publish", card, folder, "--data-dir", data)[0] == 0
    assert told("provider", "rotate", folder, *there)[0] == 0
    (served,) = (path.parent for path in (data / "models").glob(f"*/{PRIVATE_KEY}"))
    assert told("model", "open", folder, "--out", target, *there)[0] == 0
    opened = decode_opening(target.read_bytes()).key
    assert opened == KeyOpening(read_key(served).secret, read_key(served).links)
    assert parts_of(compare_key(bundle, folder, opened))[COMMITMENT].agrees is True
    # The folder's own is the key of before the rotation.
    assert told("model", "open", folder, "--out", target)[0] == 0
    first = decode_opening(target.read_bytes()).key
    assert first == KeyOpening(read_key(folder).secret)
    assert parts_of(compare_key(bundle, folder, first))[COMMITMENT].agrees is True
