"""The five steps of a proof, each with what fails it."""

from dataclasses import replace

import numpy as np
import pytest

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.commitments import (
    hashed_input_commitment,
    input_commitment,
    output_commitment,
)
from inferproof.protocol.proof_file import (
    DisclosedInput,
    ProofFile,
    decode_proof_file,
    encode_proof_file,
)
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    ANSWER,
    PRIVATE_REQUEST,
    SALT,
    Sample,
    SampleChecker,
    sample_bundle,
    sample_proof,
    sample_root,
)
from inferproof.types.digest import Digest
from inferproof.types.proof import Visibility
from inferproof.types.tensor import FixedTensor
from inferproof.verify.proof import (
    ProofChecker,
    check_own_input,
    check_version,
    verify_proof,
)

BUNDLE = sample_bundle()
HIDDEN = sample_bundle(visibility=Visibility.HASHED)
FILE = decode_proof_file(Sample().proof())
PRIVATE = decode_proof_file(Sample(request=PRIVATE_REQUEST).proof())
OPENING = Sample(request=PRIVATE_REQUEST).opening()


class Unable:
    """The sample system, as one without private inputs."""

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        SampleChecker().check(bundle, file, statement)


def _proved(file: ProofFile, bundle: VerifierBundle = BUNDLE) -> bytes:
    """The file with a proof that holds for its statement: what a lying prover would make."""
    return encode_proof_file(replace(file, proof=sample_proof(bundle, file.statement)))


@pytest.mark.parametrize("bundle", [BUNDLE, HIDDEN])
def test_a_proof_that_holds(bundle: VerifierBundle) -> None:
    data = Sample(bundle=bundle).proof()
    proved = verify_proof(data, bundle, SampleChecker())
    assert proved.outputs == ANSWER
    assert proved.statement == decode_proof_file(data).statement


def test_1_the_file_decodes() -> None:
    with rejects(
        Reason.JSON_NOT_CANONICAL, "the document is not canonical JSON", kind=ProofRejected
    ):
        verify_proof(b"\0", BUNDLE, SampleChecker())


def test_2_the_model_is_the_bundles() -> None:
    got = decode_proof_file(Sample(bundle=HIDDEN).proof()).statement.model_commitment
    with rejects(
        Reason.PROOF_OTHER_MODEL,
        f"the proof is for model {got}, not for {BUNDLE.commitment}",
        kind=ProofRejected,
    ):
        verify_proof(Sample(bundle=HIDDEN).proof(), BUNDLE, SampleChecker())


def test_2_the_system_is_the_bundles() -> None:
    statement = replace(FILE.statement, proof_system="ezkl")
    with rejects(
        Reason.PROOF_OTHER_SYSTEM, "the proof is of system ezkl, the model was compiled for sample"
    ):
        verify_proof(_proved(replace(FILE, statement=statement)), BUNDLE, SampleChecker())


@pytest.mark.parametrize(
    "outputs",
    [
        (),
        (FixedTensor("z", (1, 2), (7, -3), 2.0**-7),),
        (FixedTensor("y", (2, 1), (7, -3), 2.0**-7),),
        (FixedTensor("y", (2,), (7, -3), 2.0**-7),),
        ANSWER * 2,
    ],
)
def test_3_the_outputs_are_those_of_the_model(outputs: tuple[FixedTensor, ...]) -> None:
    statement = replace(FILE.statement, output_commitment=output_commitment(outputs))
    file = replace(FILE, outputs=outputs, statement=statement)
    with rejects(
        Reason.PROOF_OUTPUTS_SHAPE, "the outputs in the proof are not those that the model declares"
    ):
        verify_proof(_proved(file), BUNDLE, SampleChecker())


@pytest.mark.parametrize(
    "output",
    [
        FixedTensor("y", (1, 2), (8, -3), 2.0**-7),
        FixedTensor("y", (1, 2), (-3, 7), 2.0**-7),
        FixedTensor("y", (1, 2), (7, -3), 2.0**-8),
    ],
)
def test_3_the_outputs_have_the_stated_commitment(output: FixedTensor) -> None:
    with rejects(
        Reason.PROOF_OUTPUT_COMMITMENT,
        "the outputs do not have the output commitment of the statement",
    ):
        verify_proof(_proved(replace(FILE, outputs=(output,))), BUNDLE, SampleChecker())


def test_4_the_input_is_disclosed_where_the_model_says_so() -> None:
    hashes = (bytes(32),)
    statement = replace(FILE.statement, input_commitment=hashed_input_commitment("sample", hashes))
    file = replace(FILE, disclosed=None, input_hashes=hashes, statement=statement)
    with rejects(
        Reason.PROOF_INPUT_VISIBILITY,
        "the model was compiled for public input, the proof shows another",
    ):
        verify_proof(_proved(file), BUNDLE, SampleChecker())


def test_4_the_input_is_hashed_where_the_model_says_so() -> None:
    statement = replace(FILE.statement, model_commitment=HIDDEN.commitment)
    file = replace(FILE, statement=statement)
    with rejects(
        Reason.PROOF_INPUT_VISIBILITY,
        "the model was compiled for hashed input, the proof shows another",
    ):
        verify_proof(_proved(file, HIDDEN), HIDDEN, SampleChecker())


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"z": np.zeros(3, np.float32)},
        {"x": np.zeros((1, 3), np.float32)},
        {"x": np.zeros(3, np.float32), "z": np.zeros(1, np.float32)},
    ],
)
def test_4_the_inputs_are_those_of_the_model(tensors: dict[str, np.ndarray]) -> None:
    statement = replace(FILE.statement, input_commitment=input_commitment(SALT, tensors))
    file = replace(FILE, disclosed=DisclosedInput(SALT, tensors), statement=statement)
    with rejects(
        Reason.PROOF_INPUTS_SHAPE, "the inputs in the proof are not those that the model declares"
    ):
        verify_proof(_proved(file), BUNDLE, SampleChecker())


@pytest.mark.parametrize(
    "disclosed",
    [
        DisclosedInput(SALT, {"x": np.array([1.5, -2, 0.5], np.float32)}),
        DisclosedInput(bytes(32), {"x": np.array([1.5, -2, 0.25], np.float32)}),
    ],
    ids=["another value", "another salt"],
)
def test_4_the_input_has_the_stated_commitment(disclosed: DisclosedInput) -> None:
    with rejects(
        Reason.PROOF_INPUT_COMMITMENT,
        "the input does not have the input commitment of the statement",
    ):
        verify_proof(_proved(replace(FILE, disclosed=disclosed)), BUNDLE, SampleChecker())


def test_4_the_hashes_have_the_stated_commitment() -> None:
    file = decode_proof_file(Sample(bundle=HIDDEN).proof())
    with rejects(
        Reason.PROOF_INPUT_COMMITMENT,
        "the input does not have the input commitment of the statement",
    ):
        verify_proof(
            _proved(replace(file, input_hashes=(b"\1" * 32,)), HIDDEN), HIDDEN, SampleChecker()
        )


def test_4_a_private_input_has_a_root_and_nothing_else() -> None:
    assert (PRIVATE.disclosed, PRIVATE.input_hashes) == (None, None)
    proved = verify_proof(_proved(PRIVATE), BUNDLE, SampleChecker())
    assert proved.statement.private_input
    assert proved.out_of_range is None
    other = replace(PRIVATE, input_root=sample_root(SALT, {"x": np.zeros(3, np.float32)}))
    with rejects(
        Reason.PROOF_INPUT_COMMITMENT,
        "the input does not have the input commitment of the statement",
    ):
        verify_proof(_proved(other), BUNDLE, SampleChecker())


@pytest.mark.parametrize(
    ("bundle", "checker"),
    [(HIDDEN, SampleChecker()), (BUNDLE, Unable())],
    ids=["a model of hashed inputs", "a system without private inputs"],
)
def test_4_a_private_input_is_one_that_the_system_has(
    bundle: VerifierBundle, checker: ProofChecker
) -> None:
    """Without this nothing would look at the root."""
    statement = replace(PRIVATE.statement, model_commitment=bundle.commitment)
    file = replace(PRIVATE, statement=statement)
    visibility = bundle.parts.visibility
    with rejects(
        Reason.PROOF_INPUT_VISIBILITY,
        f"the model was compiled for {visibility} input, the proof shows another",
    ):
        verify_proof(_proved(file, bundle), bundle, checker)


def test_whether_an_input_is_private_is_in_the_statement() -> None:
    public = replace(PRIVATE.statement, version=1)
    assert statement_digest(public) != statement_digest(PRIVATE.statement)
    # A proof file of either form takes statements of its own version alone.
    for file, version in ((FILE, 2), (PRIVATE, 1)):
        other = replace(file, statement=replace(file.statement, version=version))
        with rejects(
            Reason.FIELD_MALFORMED,
            f"field version of the inferproof/proof/{3 - version}.statement is malformed",
            kind=ProofRejected,
        ):
            decode_proof_file(encode_proof_file(other))


OWN = {"x": np.array([1.5, -2, 0.25], np.float32)}


def test_a_payer_compares_its_own_input() -> None:
    proved = verify_proof(_proved(PRIVATE), BUNDLE, SampleChecker())
    check_own_input(proved, BUNDLE, SampleChecker(), OWN, OPENING)
    message = (
        "this input does not have the root that the statement names: the proof is about another "
        "input, or the opening holds another secret"
    )
    other = {"x": OWN["x"] + np.float32(0.25)}
    with rejects(Reason.PROOF_OTHER_INPUT, message, kind=ProofRejected):
        check_own_input(proved, BUNDLE, SampleChecker(), other, OPENING)
    with rejects(Reason.PROOF_OTHER_INPUT, message, kind=ProofRejected):
        wrong = replace(OPENING, secret=bytes(32))
        check_own_input(proved, BUNDLE, SampleChecker(), OWN, wrong)


@pytest.mark.parametrize("field", ["job_id", "model_commitment", "input_commitment"])
def test_an_opening_is_for_one_statement(field: str) -> None:
    proved = verify_proof(_proved(PRIVATE), BUNDLE, SampleChecker())
    other = replace(OPENING, **{field: Digest(bytes(32))})
    with rejects(
        Reason.PROOF_OTHER_OPENING,
        f"the opening is for the input of job {other.job_id}, and does not belong to this proof "
        f"of job {PRIVATE.statement.job_id}",
        kind=ProofRejected,
    ):
        check_own_input(proved, BUNDLE, SampleChecker(), OWN, other)


def test_an_input_that_is_shown_has_no_opening() -> None:
    proved = verify_proof(_proved(FILE), BUNDLE, SampleChecker())
    with rejects(
        Reason.PROOF_INPUT_SHOWN,
        "the proof is not about a private input: what it shows of the input, it shows to "
        "everyone, and there is no opening of it",
        kind=ProofRejected,
    ):
        check_own_input(proved, BUNDLE, SampleChecker(), OWN, OPENING)


@pytest.mark.parametrize("field", ["job_id", "provider"])
def test_5_the_proof_is_of_this_statement(field: str) -> None:
    changed = {
        "job_id": replace(FILE.statement, job_id=FILE.statement.model_commitment),
        "provider": replace(FILE.statement, provider=type(FILE.statement.provider)(bytes(20))),
    }
    with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
        verify_proof(
            encode_proof_file(replace(FILE, statement=changed[field])), BUNDLE, SampleChecker()
        )


def test_a_bundle_is_of_the_version_of_what_checks_it() -> None:
    check_version(BUNDLE, "1.0.0")
    with rejects(
        Reason.PROOF_OTHER_VERSION,
        "the model was compiled for sample 1.0.0, what checks its proofs here is 1.0.1",
        kind=ProofRejected,
    ):
        check_version(BUNDLE, "1.0.1")
