"""Checking in a process of its own: the same verdicts, and hostile keys cost only that process."""

from dataclasses import replace

import hostile_keys as hostile
import pytest
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import ArtifactRejected, InferproofError, ProofRejected, Reason, Unavailable
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import srs_digest, verifying_key_digest
from inferproof.proving.bounds import Limits
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.isolated import LIMITS, IsolatedChecker, IsolatedWorker
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

TASKS = "inferproof.testing.worker_tasks"
MEMORY = 2**29
"""A quarter of what gateways give: a worker that does nothing maps 152 MB of it."""


@pytest.fixture(scope="module")
def checker():
    worker = IsolatedWorker(LIMITS["ezkl"])
    yield IsolatedChecker("ezkl", worker)
    worker.close()


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


# -- keys of sumcheck -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def tight():
    """A checker of sumcheck that has little memory."""
    worker = IsolatedWorker(Limits(LIMITS["sumcheck"].cpu_s, MEMORY))
    yield IsolatedChecker("sumcheck", worker)
    worker.close()


@pytest.fixture(scope="module")
def proved(sumcheck_system, sumcheck_compiled, mlp_request):
    """Bundle, proof file and statement of an honest proof, in each mode."""
    inputs = {"x": mlp_request.calibration["x"][0]}
    made = prove(sumcheck_system, ProveRequest(sumcheck_compiled, inputs, JOB, PROVIDER, SALT))
    file = decode_proof_file(made.file)
    return sumcheck_system.verifier(sumcheck_compiled), file, statement_digest(file.statement)


@pytest.mark.native
def test_an_honest_proof_is_checked_with_little_memory(tight, proved):
    bundle, file, statement = proved
    tight.check(bundle, file, statement)
    with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
        tight.check(bundle, file, Digest(bytes(32)))


NOT_SOUND = "the circuit's settings are not those of a sound circuit: "
NOT_WELL_FORMED = NOT_SOUND + "the graph of the verifying key is not well formed: the integer graph"
TOO_MUCH = NOT_SOUND + "the graph takes its verifier too much where its results are hidden"
NO_PIN = NOT_SOUND + "the verifying key is malformed"
TOO_LARGE = NOT_SOUND + "vector 1 is too large; at most 2^28 elements can be committed to"
COSTLY = ": checking a proof under it would take too much memory or time"
VALUES = f"the verifying key makes its checker keep 83886082 values, the limit is 67108864{COSTLY}"
LOOKUPS = NOT_SOUND + "{} lookups in {} tables; 1 to 65536 in 1 to 1024 are possible"
ELEMENTS = NOT_WELL_FORMED + " has {} elements; 0 to 134217728 are allowed"
HOSTILE = [
    (hostile.view_chains, NO_PIN, TOO_MUCH),
    (hostile.consumers, NO_PIN, LOOKUPS.format(65538, 1)),
    (hostile.one_operand, NO_PIN, TOO_MUCH),
    (hostile.tables, NO_PIN, TOO_MUCH),
    (hostile.maps, ELEMENTS.format(4_000 * 2**16 + 2), ELEMENTS.format(4_000 * 2**16 + 2)),
    (hostile.shapes, ELEMENTS.format(40 * 2**22 + 2), ELEMENTS.format(40 * 2**22 + 2)),
    (hostile.values, VALUES, VALUES),
    (hostile.many_nodes, NO_PIN, NO_PIN),
    (hostile.weights, NO_PIN, TOO_LARGE),
    (hostile.long_constant, *2 * [ELEMENTS.format(100 * 3_500_000 + 2)]),
]
"""What a stranger's key makes of a graph, and how it is refused in mode clear and private."""


@pytest.mark.native
@pytest.mark.parametrize("sumcheck_mode", ["clear"], indirect=True)
@pytest.mark.parametrize(
    ("make", "clear", "private"), HOSTILE, ids=[make.__name__ for make, *_ in HOSTILE]
)
def test_hostile_keys_are_refused_by_what_is_counted_and_not_by_the_limits(
    tight, proved, make, clear, private
):
    bundle, file, statement = proved
    graph = make()
    for mode, message in (("clear", clear), ("private", private)):
        key = hostile.key_of(graph, mode)
        with pytest.raises(ArtifactRejected) as caught:
            tight.check(hostile.resealed(bundle, key), file, statement)
        assert caught.value.message == message
    tight.check(bundle, file, statement)


# -- the limits themselves ------------------------------------------------------------------


@pytest.fixture
def bounded():
    worker = IsolatedWorker(Limits(1, MEMORY))
    yield worker
    worker.close()


def goes_on(worker):
    """Whether the next task is done, in a process with what it needs."""
    return worker.run(f"{TASKS}:echo", {"word": "on"})["word"] == "on"


def test_a_check_that_takes_too_long_is_a_rejection(bounded):
    message = (
        "checking under this verifier bundle took more than 1 seconds of processor time and was "
        "stopped"
    )
    with rejects(Reason.CHECK_TIME_LIMIT, message, kind=ArtifactRejected):
        bounded.run(f"{TASKS}:spin", {})
    assert goes_on(bounded)


@pytest.mark.parametrize(
    ("task", "args"),
    # Python raises, native code aborts, and the system kills.
    [("hold", {"bytes": 2 * MEMORY}), ("die", {"signal": 6}), ("die", {"signal": 9})],
    ids=["raises", "aborts", "killed"],
)
def test_a_check_that_takes_too_much_memory_is_a_rejection(bounded, task, args):
    message = (
        f"checking under this verifier bundle took more than {MEMORY} bytes of memory and was "
        "stopped"
    )
    with rejects(Reason.CHECK_MEMORY_LIMIT, message, kind=ArtifactRejected):
        bounded.run(f"{TASKS}:{task}", args)
    assert goes_on(bounded)


def test_what_one_check_took_does_not_count_against_the_next(bounded):
    for _ in range(2):  # together more than the limit
        assert bounded.run(f"{TASKS}:spin", {"seconds": 0.6}) is not None


def test_other_failures_stay_what_they_are(bounded):
    with rejects(Reason.PROVER_FAILED, "the prover failed: Panic: assertion failed"):
        bounded.run(f"{TASKS}:panic", {})
    with pytest.raises(InferproofError) as caught:
        bounded.run(f"{TASKS}:refuse", {"name": "x"})
    assert caught.value.reason is Reason.INPUT_NOT_FINITE


def test_limits_are_told_for_every_system_of_this_release():
    from inferproof.proving.registry import known_systems

    assert sorted(LIMITS) == list(known_systems())
