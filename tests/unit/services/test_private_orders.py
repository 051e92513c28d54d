"""Orders with private inputs: who gets the opening, what the market holds of the input, and how
often it is opened."""

import base64
import hashlib
from dataclasses import replace

import pytest
from service_parts import (
    BODY,
    MODEL,
    PATH,
    BindingSystem,
    Services,
    World,
    build,
    nonce,
    pay,
    running,
)

from inferproof.errors import (
    ArtifactRejected,
    Conflict,
    InferproofError,
    InputRejected,
    MissingPart,
    NotFound,
    Reason,
    RequestRejected,
    Unavailable,
)
from inferproof.protocol.commitments import input_commitment, request_digest
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.input_opening import ATTEMPTS, attempts_name, decode_input_opening
from inferproof.protocol.opening_request import opening_request_digest
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.receipt import decode_receipt_file
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.services.models.catalog import Catalog
from inferproof.services.private_inputs import PrivateInputs
from inferproof.services.worker.service import WorkerSettings
from inferproof.storage.ports.models import ModelStatus
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.memory_store import open_stores
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import (
    PAYER,
    PAYMENTS,
    STRANGER,
    SampleChecker,
    sample_preprocess,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.proof import SecurityReport
from inferproof.types.receipt import Request
from inferproof.verify.proof import ProofChecker, check_own_input, verify_proof

SALT = bytes([9]) * 32
PRIVATE = Request("POST", PATH, BODY, SALT)


async def answered(services: Services, **changes: object) -> Digest:
    """The id of a job with a private input that is done."""
    job = await services.accept(request=PRIVATE, **changes)
    await services.settler.settle_once()
    await services.worker.work_once()
    assert (await services.gateway.job(job.id)).state is JobState.DONE
    return job.id


async def proof_of(services: Services, job: Digest) -> bytes:
    answer = (await services.gateway.job(job)).answer
    assert answer is not None
    return await services.gateway.proof(answer.proof_digest)


async def test_the_payer_opens_its_own_input_and_finds_the_proof_to_be_about_it(
    services: Services,
) -> None:
    job = await answered(services)
    opening = decode_input_opening(await services.open_input(job))
    bundle = services.world.system.bundle
    proved = verify_proof(await proof_of(services, job), bundle, SampleChecker())
    assert proved.statement.private_input
    own = sample_preprocess({}, BODY)
    check_own_input(proved, bundle, SampleChecker(), own, opening)
    with rejects(
        Reason.PROOF_OTHER_INPUT,
        "this input does not have the root that the statement names: the proof is about another "
        "input, or the opening holds another secret",
    ):
        other = sample_preprocess({}, b'{"input":[1.5,-2,0.5]}')
        check_own_input(proved, bundle, SampleChecker(), other, opening)
    view = await services.gateway.job(job)
    assert view.answer is not None
    assert view.answer.out_of_range is None
    # Its receipt verifies, with nothing of the request in it.
    data = await services.gateway.receipt(job, attach=True)
    assert decode_receipt_file(data, PAYMENTS).request is None
    record = await services.gateway.verify(data)
    assert record.verified, record.message
    assert record.steps[10].status == "not applicable"
    assert (await services.gateway.verify(await proof_of(services, job))).verified


async def test_nobody_else_is_given_the_opening(services: Services) -> None:
    job = await answered(services)
    with rejects(
        Reason.OPENING_REQUEST_SIGNATURE,
        f"the request for the input's opening is not signed by the job's payer {PAYER.address}",
        kind=RequestRejected,
    ):
        await services.open_input(job, STRANGER)
    # A signature for another job, brought again for this one.
    before = services.world.clock.now + 60
    for_other = PAYER.sign(opening_request_digest(nonce(1), before))
    with pytest.raises(RequestRejected) as caught:
        await services.gateway.input_opening(job, before, for_other)
    assert caught.value.reason is Reason.OPENING_REQUEST_SIGNATURE
    # One that was kept is worth nothing soon, and none holds for long.
    now = services.world.clock.now
    kept = PAYER.sign(opening_request_digest(job, now + 60))
    services.world.clock.now += 60
    late = (
        f"the request for the input's opening holds until {now + 60}, and it is {now + 60}; sign "
        "one that ends within 900 seconds from now"
    )
    with rejects(Reason.OPENING_REQUEST_TIME, late, kind=RequestRejected):
        await services.gateway.input_opening(job, now + 60, kept)
    with pytest.raises(RequestRejected) as caught:
        await services.open_input(job, ahead=901)
    assert caught.value.reason is Reason.OPENING_REQUEST_TIME
    assert await services.open_input(job, ahead=900)


async def test_there_is_an_opening_of_private_inputs_alone_and_of_what_is_done(
    services: Services,
) -> None:
    waiting = await services.accept(request=PRIVATE)
    with rejects(
        Reason.RECEIPT_NOT_READY,
        f"job {waiting.id} is reserved; only a job that is done has a receipt",
        kind=NotFound,
    ):
        await services.open_input(waiting.id)
    public = await services.accept(payment=pay(services.world, nonce=nonce(2)))
    with rejects(
        Reason.OPENING_NONE,
        f"the input of job {public.id} is not private, so there is no opening of it",
        kind=NotFound,
    ):
        await services.open_input(public.id)


async def test_what_the_market_tells_of_a_job_holds_nothing_of_its_input(
    services: Services,
) -> None:
    job = await answered(services)
    shown = [
        await services.gateway.receipt(job),
        await services.gateway.receipt(job, attach=True),
        await proof_of(services, job),
        repr(await services.gateway.job(job)).encode(),
        repr(await services.gateway.events(job)).encode(),
    ]
    values = sample_preprocess({}, BODY)["x"].tobytes()
    (secret,) = set(services.world.system.secrets)
    guesses = [
        *(BODY, values, SALT, secret),
        request_digest("POST", PATH, BODY).raw,
        input_commitment(secret, sample_preprocess({}, BODY)).raw,
        *(hashlib.sha256(each).digest() for each in (BODY, values)),
        *(keccak256(each) for each in (BODY, values)),
    ]
    for data in shown:
        for guess in guesses:
            for form in (guess, guess.hex().encode(), base64.b64encode(guess)):
                assert form not in data
    # The same search finds a public one.
    public = await services.accept(payment=pay(services.world, nonce=nonce(2)))
    await services.settler.settle_once()
    await services.worker.work_once()
    found = await services.gateway.receipt(public.id, attach=True)
    assert base64.b64encode(BODY) in found
    assert request_digest("POST", PATH, BODY).hex.encode() in found


async def test_the_payment_is_for_a_private_input_and_for_nothing_else(
    services: Services,
) -> None:
    payment = pay(services.world)
    job = await services.accept(request=PRIVATE, payment=payment)
    again = await services.accept(request=PRIVATE, payment=payment)
    assert again.id == job.id
    for other in (Request("POST", PATH, BODY), replace(PRIVATE, salt=bytes(32))):
        with rejects(
            Reason.PAYMENT_REPLAYED,
            "this authorization already pays for another request; sign one with a fresh nonce",
            kind=Conflict,
        ):
            await services.accept(request=other, payment=payment)


class Public(BindingSystem):
    """The sample system, whose model has no plan for private inputs."""

    def security(
        self, bundle: VerifierBundle, *, private_input: bool = False
    ) -> SecurityReport | None:
        if private_input:
            raise RequestRejected(Reason.PRIVATE_INPUT_UNSUPPORTED, why="it has no plan for them")
        return None


async def test_a_model_without_private_inputs_refuses_them_before_anything_is_paid(
    world: World,
) -> None:
    world.system = Public(world.system.bundle)
    async with running(world, url=MEMORY) as services:
        message = "the input cannot be private: it has no plan for them"
        with rejects(Reason.PRIVATE_INPUT_UNSUPPORTED, message, kind=RequestRejected):
            await services.gateway.check_input(MODEL, PRIVATE)
        with rejects(Reason.PRIVATE_INPUT_UNSUPPORTED, message, kind=RequestRejected):
            await services.accept(request=PRIVATE)
        await services.gateway.check_input(MODEL, Request("POST", PATH, BODY))
        assert world.ledger.included == {}


class Unable:
    """A proof system without private inputs."""

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        raise AssertionError("not asked")


async def test_a_system_without_private_inputs_takes_none(services: Services) -> None:
    model = await Catalog(services.stores.models).active(MODEL)
    orders = PrivateInputs(lambda _name: Unable(), services.stores.openings)
    with rejects(
        Reason.PRIVATE_INPUT_UNSUPPORTED,
        "the input cannot be private: proof system sample has none",
        kind=RequestRejected,
    ):
        await orders.check(model)


class Missing:
    """Proof systems that are not here."""

    def __init__(self, error: InferproofError) -> None:
        self.error = error

    def __call__(self, _name: str) -> ProofChecker:
        raise self.error


async def test_buyers_are_told_whether_inputs_can_be_private(services: Services) -> None:
    assert (await services.gateway.model(MODEL)).private_inputs is True
    model = await Catalog(services.stores.models).active(MODEL)
    budgets = services.stores.openings
    asked = PrivateInputs(lambda _name: Unable(), budgets)
    assert await asked.taken(model) is False
    # Of what nobody approved a key is not read, and where the system is missing none can be.
    waiting = replace(model, record=replace(model.record, status=ModelStatus.PENDING))
    assert await asked.taken(waiting) is None
    for error in (
        MissingPart(Reason.MISSING_NATIVE),
        NotFound(Reason.SYSTEM_UNKNOWN, name="sample", known="ezkl"),
        ArtifactRejected(Reason.KEY_RANGES, why="it has no proof of them"),
    ):
        assert await PrivateInputs(Missing(error), budgets).taken(model) is None


# -- attempts -----------------------------------------------------------------------------------


async def budget_of(services: Services, secret: bytes) -> int:
    """How many attempts are left; 0 where nothing counts them."""
    return (await services.stores.openings.budget(attempts_name(secret))).left


async def test_a_retry_opens_the_same_tree_by_another_number_and_the_end_forgets_it(
    services: Services,
) -> None:
    system = services.world.system
    job = await services.accept(request=PRIVATE)
    await services.settler.settle_once()
    system.faults = [Unavailable(Reason.PROVER_CRASHED, how="killed")]
    await services.worker.work_once()
    (secret,) = set(system.secrets)
    assert await budget_of(services, secret) == ATTEMPTS - 1
    await services.worker.work_once()
    assert (await services.gateway.job(job.id)).state is JobState.DONE
    assert system.attempts == [0, 1]
    assert set(system.secrets) == {secret}
    opening = decode_input_opening(await services.open_input(job.id))
    assert opening.secret == secret
    assert (await services.stores.openings.budget(attempts_name(secret))).ranges == ()


class Crash(BaseException):
    """The process ends here."""


async def test_a_gateway_that_dies_between_attempts_goes_on_with_the_count(world: World) -> None:
    async with running(world) as services:
        job = await services.accept(request=PRIVATE)
        await services.settler.settle_once()
        world.system.faults = [Crash()]
        with pytest.raises(Crash):
            await services.worker.work_once()
    world.clock.now += 100
    async with open_stores(world.url) as stores:
        services = build(world, stores)
        await services.worker.recover()
        await services.worker.work_once()
        assert (await services.gateway.job(job.id)).state is JobState.DONE
    assert world.system.attempts == [0, 1]
    assert len(set(world.system.secrets)) == 1


async def test_the_ninth_attempt_is_refused_and_the_money_goes_back(world: World) -> None:
    world.worker = WorkerSettings(retry_s=0, max_attempts=100)
    async with running(world, url=MEMORY) as services:
        job = await services.accept(request=PRIVATE)
        await services.settler.settle_once()
        world.system.faults = [
            Unavailable(Reason.PROVER_CRASHED, how="killed") for _ in range(ATTEMPTS)
        ]
        for _ in range(ATTEMPTS + 1):
            await services.worker.work_once()
        view = await services.gateway.job(job.id)
        assert view.state is JobState.FAILED
        assert view.failure is not None
        assert view.failure.code == "INPUT_ATTEMPTS_SPENT"
        assert world.system.attempts == list(range(ATTEMPTS))
        assert world.system.proofs == 0
        await services.settler.settle_once()
        await services.settler.settle_once()
        assert (await services.gateway.job(job.id)).state is JobState.REFUNDED


async def test_a_job_whose_count_was_lost_is_not_proven_but_refunded(services: Services) -> None:
    """As after a restore of the database: what is not known counts as spent."""
    accepted = await services.accept(request=PRIVATE)
    await services.settler.settle_once()
    secret = (await services.stores.orders.jobs.job(accepted.id)).order.salt
    await services.stores.openings.forget(attempts_name(secret))
    view = await services.worker.work_once()
    assert view is not None
    assert view.state is JobState.FAILED
    assert view.failure is not None
    assert view.failure.code == "INPUT_ATTEMPTS_UNKNOWN"
    assert services.world.system.attempts == []


async def test_where_no_order_is_made_nothing_is_counted(services: Services) -> None:
    payment = pay(services.world)
    await services.accept(request=PRIVATE, payment=payment)
    drawn = services.world.drawn
    with pytest.raises(Conflict):
        await services.accept(request=replace(PRIVATE, salt=bytes(32)), payment=payment)
    for number in range(drawn + 1, services.world.drawn + 1):
        secret = keccak256(b"entropy %d" % number)
        assert (await services.stores.openings.budget(attempts_name(secret))).ranges == ()


async def test_what_was_wrong_with_a_private_input_is_kept_nowhere(services: Services) -> None:
    job = await services.accept(request=PRIVATE)
    await services.settler.settle_once()
    services.world.system.faults = [InputRejected(Reason.INPUT_NAMES, expected="a secret word")]
    await services.worker.work_once()
    failure = (await services.gateway.job(job.id)).failure
    assert failure is not None
    assert failure.code == "INPUT_NAMES"
    assert failure.facts == {}
    assert failure.message == (
        "the input is refused; it is private, and what is wrong with it is kept nowhere"
    )


async def test_a_public_proof_for_a_private_order_is_refused(services: Services) -> None:
    services.world.system.change = lambda statement: replace(statement, version=1)
    job = await services.accept(request=PRIVATE)
    await services.settler.settle_once()
    await services.worker.work_once()
    failure = (await services.gateway.job(job.id)).failure
    assert failure is not None
    assert failure.code in ("JOB_STATEMENT", "FIELD_MALFORMED")
