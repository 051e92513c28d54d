"""Checking in a process of its own: the same verdicts, and hostile keys cost only that process."""

from dataclasses import replace

import pytest

from inferproof.errors import ArtifactRejected, ProofRejected, Reason, Unavailable
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import srs_digest, verifying_key_digest
from inferproof.proving.isolated import MEMORY_BYTES, IsolatedChecker
from inferproof.proving.pool import WorkerPool
from inferproof.types.digest import Digest


@pytest.fixture(scope="module")
def checker():
    pool = WorkerPool(1, memory_bytes=MEMORY_BYTES)
    yield IsolatedChecker("ezkl", pool)
    pool.close()


def test_it_says_what_the_system_says(checker, ezkl_system, ezkl_compiled, ezkl_proved):
    bundle = ezkl_system.verifier(ezkl_compiled)
    file = decode_proof_file(ezkl_proved.file)
    statement = statement_digest(file.statement)
    checker.check(bundle, file, statement)
    with pytest.raises(ProofRejected) as caught:
        checker.check(bundle, file, Digest(bytes(32)))
    assert caught.value.reason is Reason.PROOF_INVALID


@pytest.mark.parametrize("part", ["verifying_key", "srs"])
@pytest.mark.parametrize("damage", ["empty", "noise", "half", "huge count"])
def test_hostile_keys_are_refused_and_harm_nobody(
    checker, ezkl_system, ezkl_compiled, ezkl_proved, part, damage
):
    bundle = ezkl_system.verifier(ezkl_compiled)
    original = getattr(bundle, part)
    data = {
        "empty": b"",
        "noise": bytes(range(256)) * 8,
        "half": original[: len(original) // 2],
        "huge count": b"\xff" * 8 + original[8:],
    }[damage]
    digests = {"verifying_key": verifying_key_digest, "srs": srs_digest}
    hostile = replace(
        bundle, parts=replace(bundle.parts, **{part: digests[part](data)}), **{part: data}
    )
    file = decode_proof_file(ezkl_proved.file)
    statement = statement_digest(file.statement)
    with pytest.raises((ProofRejected, ArtifactRejected, Unavailable)):
        checker.check(hostile, file, statement)
    checker.check(bundle, file, statement)
