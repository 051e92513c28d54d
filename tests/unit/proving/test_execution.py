"""What runs a model need not have compiled it: the protocol knows no folder."""

from contextlib import closing

import numpy as np
import pytest
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.commitments import input_commitment
from inferproof.protocol.proof_file import DisclosedInput, encode_proof_file
from inferproof.proving.base import Execution, Executor, Proof, Ran, never, no_progress
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.tensor import FixedTensor

MODEL = Digest(b"\x05" * 32)


class Spoken:
    """One answer of a language model, attested by a signature instead of a proof."""

    def __init__(self, ran):
        self.ran = ran

    def prove(self, statement, *, time_limit_s=1.0, progress=no_progress, cancelled=never):
        self.ran.require(statement)
        return Proof(encode_proof_file(self.ran.file(statement, b"signed")), 0.0, 0.0)

    def close(self):
        pass


class Upstream:
    """Tokens in, tokens out; a model is a name."""

    def execute(
        self, model, inputs, salt, *, time_limit_s=1.0, progress=no_progress, cancelled=never
    ):
        tokens = tuple(int(token) + len(model) for token in inputs["tokens"])
        return Spoken(
            Ran(
                model_commitment=MODEL,
                proof_system="signed",
                input_commitment=input_commitment(salt, inputs),
                outputs=(FixedTensor("tokens", (len(tokens),), tokens, 1.0),),
                disclosed=DisclosedInput(salt, inputs),
                input_hashes=None,
                load_s=0.0,
                run_s=0.0,
            )
        )


def test_an_upstream_that_is_no_compiled_artifact_fits():
    upstream: Executor[str] = Upstream()
    execution: Execution = upstream.execute("four", {"tokens": np.ones(2, np.float32)}, SALT)
    with closing(execution):
        assert execution.ran.outputs[0].values == (5, 5)
        statement = execution.ran.statement(JOB, PROVIDER)
        assert statement.model_commitment == MODEL
        assert execution.prove(statement).file


@pytest.mark.parametrize("other", ["five!", "four"])
def test_a_statement_is_about_its_own_run(other):
    upstream = Upstream()
    inputs = {"tokens": np.ones(2, np.float32)}
    ran = upstream.execute("four", inputs, SALT).ran
    salt = SALT if other != "four" else bytes(32)
    statement = upstream.execute(other, inputs, salt).ran.statement(JOB, PROVIDER)
    message = "the statement is about another run than the one to be proven"
    with rejects(Reason.STATEMENT_OTHER_RUN, message, kind=ProofRejected):
        ran.require(statement)
