"""Proofs about private inputs, as whoever proves and whoever paid make and compare them."""

import asyncio
import json
import shutil
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from click.testing import Result
from private_keys import FakeKey
from typer.testing import CliRunner

from inferproof.app.openings import local_openings, local_system
from inferproof.cli import offline, verify
from inferproof.cli.compiled import read_bundle
from inferproof.cli.private_input import read_opening
from inferproof.errors import Conflict, InputRejected, ProofRejected, Reason, RequestRejected
from inferproof.protocol.commitments import private_input_commitment
from inferproof.protocol.input_opening import attempts_name, encode_input_opening
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import ProveRequest, private_executor, prove
from inferproof.proving.input_attempts import begin_attempts, forget_attempts, take_attempt
from inferproof.proving.isolated import IsolatedChecker, IsolatedCheckers
from inferproof.proving.openings import PassingOpenings
from inferproof.proving.sumcheck.check import CHECKER, input_root
from inferproof.proving.sumcheck.epochs import PrivateModel
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.notes import PRIVATE_NOTE, private_notes
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.rejections import rejects
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.digest import ZERO_ADDRESS, Digest
from inferproof.verify.proof import check_own_input, verify_proof

pytestmark = pytest.mark.native
RUNNER = CliRunner()
APP = typer.Typer(pretty_exceptions_enable=False)
for room in (offline, verify):
    room.register(APP)
INPUTS = {"x": np.linspace(-1, 1, 4, dtype=np.float32).reshape(1, 4)}
JOB = Digest(bytes([5]) * 32)
SECRET = bytes([7]) * 32
OTHER_INPUT = (
    "this input does not have the root that the statement names: the proof is about another "
    "input, or the opening holds another secret"
)


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalOpeningBudgets:
    """This user's records, and nobody else's."""
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    return LocalOpeningBudgets()


@pytest.fixture(scope="module")
def made(mlp_request: CompileRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled model, to be copied."""
    out, passing = tmp_path_factory.mktemp("private") / "compiled", PassingOpenings()
    with closing(SumcheckSystem(openings=lambda _folder: passing)) as system:
        report = system.compile(replace(mlp_request, out=out))
    assert not any("private:" in note for note in report.notes)
    return out


@pytest.fixture
def compiled(made: Path, records: LocalOpeningBudgets, tmp_path: Path) -> Path:
    """The model, as if it were compiled here."""
    kept = read_key(made)
    asyncio.run(records.register(kept.name, kept.openings))
    asyncio.run(records.take(kept.name))
    return shutil.copytree(made, tmp_path / "compiled")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The payer's input in a file."""
    path = tmp_path / "input.npz"
    np.savez(path, **INPUTS)  # type: ignore[arg-type]
    return path


def run(*arguments: Any) -> Result:
    return RUNNER.invoke(APP, [str(each) for each in arguments])


def proven(compiled: Path, own: Path, proof: Path, *more: Any) -> Any:
    """What `prove` tells of a proof about a private input."""
    done = run(
        *("prove", compiled, "--input", own, "--out", proof, "--visibility", "private"),
        *(*more, "--json"),
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


# -- prove and verify ---------------------------------------------------------------------------


def test_the_payer_finds_its_own_input_and_nobody_else_finds_any(
    compiled: Path, own: Path, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    told = proven(compiled, own, proof)
    kept = Path(told["opening"])
    assert kept == tmp_path / "proof.opening"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    opening, file = read_opening(kept), decode_proof_file(proof.read_bytes())
    assert file.statement.private_input
    assert (told["salt"], told["out_of_range"]) == (None, None)
    # The file holds no input, no secret, and no integers of the input.
    assert (file.disclosed, file.input_hashes) == (None, None)
    assert opening.secret.hex() not in json.dumps(told) + proof.read_text()

    hidden = json.loads(run("verify", compiled, proof, "--json").stdout)
    assert hidden["verified"]
    assert (hidden["private_input"], hidden["input_compared"]) == (True, False)
    shown = run("verify", compiled, proof)
    assert "not applicable: it is private and not in the proof" in " ".join(shown.stdout.split())

    compare = ("verify", compiled, proof, "--input", own, "--opening", kept)
    assert json.loads(run(*compare, "--json").stdout)["input_compared"]
    found = " ".join(run(*compare).stdout.split())
    assert "private, and yours: it has the root that the statement names" in found

    other = tmp_path / "other.npz"
    np.savez(other, x=INPUTS["x"] + np.float32(0.5))
    refused = run("verify", compiled, proof, "--input", other, "--opening", kept)
    assert refused.exit_code == 1
    assert "PROOF_OTHER_INPUT" in refused.stderr
    kept.write_bytes(encode_input_opening(replace(opening, secret=SECRET)))
    refused = run(*compare)
    assert refused.exit_code == 1
    assert "PROOF_OTHER_INPUT" in refused.stderr


def test_a_retry_opens_the_same_tree_and_the_ninth_is_refused(
    compiled: Path, own: Path, tmp_path: Path
) -> None:
    kept, ninth_file = tmp_path / "job.opening", tmp_path / "ninth"
    proven(compiled, own, tmp_path / "first", "--opening", kept)
    opening = read_opening(kept)
    again = ProveRequest(
        compiled, INPUTS, opening.job_id, ZERO_ADDRESS, opening.secret, private_input=True
    )
    with local_system("sumcheck") as system:
        files = [prove(system, again).file for _ in range(7)]
    proofs = [decode_proof_file(data) for data in ((tmp_path / "first").read_bytes(), *files)]
    assert len({proof.statement for proof in proofs}) == 1
    assert len({proof.input_root for proof in proofs}) == 1
    assert len({proof.proof for proof in proofs}) == 8
    budget = local_openings(compiled).budget(read_key(compiled).name)
    ninth = run(
        *("prove", compiled, "--input", own, "--out", ninth_file),
        *("--visibility", "private", "--opening", kept),
    )
    assert ninth.exit_code == 1
    assert "INPUT_ATTEMPTS_SPENT" in ninth.stderr
    assert not ninth_file.exists()
    # It took nothing of the key either.
    assert local_openings(compiled).budget(read_key(compiled).name) == budget


def test_an_opening_is_taken_up_for_its_own_job_model_and_input_alone(
    compiled: Path, own: Path, tmp_path: Path
) -> None:
    kept, proof = tmp_path / "job.opening", tmp_path / "proof"
    proven(compiled, own, proof, "--opening", kept, "--job-id", JOB.hex)
    opening = read_opening(kept)
    prove_again = (
        *("prove", compiled, "--out", proof, "--visibility", "private", "--opening", kept),
    )
    other = tmp_path / "other.npz"
    np.savez(other, x=INPUTS["x"] + np.float32(0.5))
    for arguments, code in (
        (("--input", other), "PROOF_OTHER_INPUT"),
        (("--input", own, "--job-id", Digest(bytes(32)).hex), "PROOF_OTHER_OPENING"),
    ):
        refused = run(*prove_again, *arguments)
        assert refused.exit_code == 1
        assert code in refused.stderr
    kept.write_bytes(encode_input_opening(replace(opening, model_commitment=Digest(bytes(32)))))
    refused = run(*prove_again, "--input", own)
    assert "OPENING_OTHER_MODEL" in refused.stderr
    # None of these was an attempt.
    name = attempts_name(opening.secret)
    assert local_openings(compiled).budget(name).taken == 1


def test_a_count_that_is_not_here_counts_as_spent(
    compiled: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, proof = tmp_path / "job.opening", tmp_path / "proof"
    proven(compiled, own, proof, "--opening", kept)
    forget_attempts(local_openings(compiled), read_opening(kept).secret)
    refused = run(
        *("prove", compiled, "--input", own, "--out", tmp_path / "again"),
        *("--visibility", "private", "--opening", kept),
    )
    assert refused.exit_code == 1
    assert "INPUT_ATTEMPTS_UNKNOWN" in refused.stderr


def test_what_goes_with_a_private_input_alone(compiled: Path, own: Path, tmp_path: Path) -> None:
    common = ("prove", compiled, "--input", own, "--out", tmp_path / "proof")
    for arguments in (
        ("--opening", tmp_path / "opening"),
        ("--visibility", "private", "--repeat", 1),
        ("--visibility", "private", "--salt", JOB.hex),
    ):
        assert run(*common, *arguments).exit_code == 2
    assert run("verify", compiled, own, "--input", own).exit_code == 2
    assert not (tmp_path / "opening").exists()


class Unplanned:
    """A key whose graph has no plan for private inputs, or that fails otherwise."""

    def __init__(self, code: str) -> None:
        self.code = code

    def security(self, private_inputs: bool = False) -> str:
        assert private_inputs
        raise library().NativeError(self.code, "operation 3: too many keys")


def test_compiling_says_where_no_input_can_be_private() -> None:
    told = private_notes(Unplanned("KEY_UNSUPPORTED"))  # type: ignore[arg-type]
    assert told == [
        PRIVATE_NOTE,
        "the input cannot be private: the model has no plan for it: operation 3: too many keys",
    ]
    with pytest.raises(library().NativeError):
        private_notes(Unplanned("PANIC"))  # type: ignore[arg-type]


def test_a_system_without_private_inputs_proves_none() -> None:
    with rejects(
        Reason.PRIVATE_INPUT_UNSUPPORTED,
        "the input cannot be private: proof system toy has none",
        kind=RequestRejected,
    ):
        private_executor(ToySystem(ACKNOWLEDGEMENT))


# -- what a verifier is given -------------------------------------------------------------------


def test_a_proof_holds_for_its_own_root_and_statement_alone(compiled: Path) -> None:
    openings = local_openings(compiled)
    begin_attempts(openings, SECRET)
    with local_system("sumcheck") as system:
        request = ProveRequest(compiled, INPUTS, JOB, ZERO_ADDRESS, SECRET, private_input=True)
        private = prove(system, request)
        public = prove(system, replace(request, private_input=False))
    bundle = read_bundle(compiled)
    file = decode_proof_file(private.file)
    assert file.input_root == input_root(bundle, INPUTS, SECRET)
    shown = decode_proof_file(public.file)
    # A proof about a private input does not pass for one about a public one, nor back.
    as_public = replace(shown, proof=file.proof)
    as_private = replace(file, proof=shown.proof)
    root = Digest(bytes(32))
    commitment = private_input_commitment("sumcheck", root)
    statement = replace(file.statement, input_commitment=commitment)
    other_root = replace(file, input_root=root, statement=statement)
    for changed in (as_public, as_private, other_root):
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            verify_proof(encode_proof_file(changed), bundle, CHECKER)
    with rejects(Reason.PROOF_OTHER_INPUT, OTHER_INPUT, kind=ProofRejected):
        opening = replace(_opening(file), secret=bytes(32))
        check_own_input(private.verified, bundle, CHECKER, INPUTS, opening)
    with rejects(
        Reason.INPUT_SHAPE_MISMATCH,
        "input x has shape [4]; this model takes [1, 4]",
        kind=InputRejected,
    ):
        check_own_input(
            private.verified,
            bundle,
            SumcheckSystem(),
            {"x": INPUTS["x"].reshape(4)},
            _opening(file),
        )


def test_the_isolated_checker_knows_private_inputs_and_their_soundness(compiled: Path) -> None:
    bundle = read_bundle(compiled)
    with closing(IsolatedCheckers()) as checkers, closing(SumcheckSystem()) as system:
        isolated: IsolatedChecker = checkers.find("sumcheck")
        root = input_root(bundle, INPUTS, SECRET)
        assert isolated.input_root(bundle, INPUTS, SECRET) == root
        private = isolated.security(bundle, private_input=True)
        assert private == system.security(bundle, private_input=True)
        public = system.security(bundle)
        assert private is not None
        assert private.terms != public.terms
        assert private.provable_bits >= 100
        with rejects(
            Reason.PRIVATE_INPUT_UNSUPPORTED,
            "the input cannot be private: proof system ezkl has none",
            kind=RequestRejected,
        ):
            checkers.find("ezkl").input_root(bundle, INPUTS, SECRET)


def _opening(file: Any) -> Any:
    from inferproof.protocol.input_opening import InputOpening

    stated = file.statement
    return InputOpening(stated.job_id, stated.model_commitment, stated.input_commitment, SECRET)


# -- attempts -----------------------------------------------------------------------------------


def test_attempts_are_numbers_that_nobody_has_twice(tmp_path: Path) -> None:
    openings = local_openings(tmp_path)
    unknown = (
        "nothing here counted how often the private input of this job was opened, and what is not "
        "known counts as spent (OPENINGS_UNKNOWN); it is proven again as another job alone"
    )
    with rejects(Reason.INPUT_ATTEMPTS_UNKNOWN, unknown, kind=Conflict):
        take_attempt(openings, SECRET)
    begin_attempts(openings, SECRET)
    # Also a program that starts later, in another folder, goes on with the count.
    taken = [take_attempt(local_openings(tmp_path / str(each)), SECRET) for each in range(8)]
    assert taken == list(range(8))
    spent = (
        "the private input of this job was opened 8 times, as often as its secret hides it; it is "
        "proven again as another job alone"
    )
    for _ in range(2):
        with rejects(Reason.INPUT_ATTEMPTS_SPENT, spent, kind=Conflict):
            take_attempt(openings, SECRET)
    with pytest.raises(Conflict) as again:
        begin_attempts(openings, SECRET)
    assert again.value.reason is Reason.OPENINGS_COUNTED
    forget_attempts(openings, SECRET)
    with rejects(Reason.INPUT_ATTEMPTS_UNKNOWN, unknown, kind=Conflict):
        take_attempt(openings, SECRET)


def test_a_count_that_was_brought_back_is_spent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    openings = local_openings(tmp_path)
    begin_attempts(openings, SECRET)
    take_attempt(openings, SECRET)
    shutil.copytree(home, tmp_path / "backup")
    take_attempt(openings, SECRET)
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    with pytest.raises(Conflict) as caught:
        take_attempt(openings, SECRET)
    assert caught.value.reason is Reason.INPUT_ATTEMPTS_UNKNOWN
    assert "OPENINGS_COPIED" in caught.value.message


class _Execution:
    """A run of private inputs, for a key that proves nothing."""

    def input_root(self) -> bytes:
        return bytes(32)


def test_an_attempt_that_dies_is_lost_and_the_next_has_another_number() -> None:
    openings, key = PassingOpenings(), FakeKey()
    key.registered(openings)
    key.execute = lambda _inputs, _secret: _Execution()  # type: ignore[attr-defined]
    begin_attempts(openings, SECRET)
    model = PrivateModel(key, openings)  # type: ignore[arg-type]
    key.fails = True
    with pytest.raises(RuntimeError):
        model.execute([], SECRET).prove(b"")
    key.fails = False
    model.execute([], SECRET).prove(b"")
    (epoch,) = (each for each in key.epochs if each.for_proofs)
    assert epoch.of_private
    assert epoch.attempts == [0, 1]
    # The first attempt at a job that nobody counts takes nothing of the key.
    slots = list(epoch.slots)
    with pytest.raises(Conflict):
        model.execute([], bytes(32)).prove(b"")
    assert epoch.slots == slots
