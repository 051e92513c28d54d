"""A whole gateway on the cash chain and a proof system that only binds, stepped by hand."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ready_database import ready_database

from inferproof.app.openings import shared_openings
from inferproof.errors import MissingPart, Reason
from inferproof.payments.method import PaymentMethod, PaymentMethods, Presented
from inferproof.payments.transfer import IncomingTransfer
from inferproof.payments.transfer import method as transfer
from inferproof.payments.transfer.method import TransferTerms
from inferproof.payments.x402 import IncomingPayment
from inferproof.payments.x402 import method as exact
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.cancellation import cancellation_digest
from inferproof.protocol.commitments import (
    bound_nonce,
    input_commitment,
    private_input_commitment,
    request_digest,
)
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.opening_request import opening_request_digest
from inferproof.protocol.proof_file import DisclosedInput, ProofFile, encode_proof_file
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.transfer import claim_digest
from inferproof.protocol.verifier_bundle import VerifierBundle, encode_bundle
from inferproof.proving.base import (
    PROVE_LIMIT_S,
    Cancelled,
    CompileReport,
    CompileRequest,
    Description,
    Estimate,
    Progress,
    Proof,
    Ran,
    never,
    no_progress,
)
from inferproof.proving.input_attempts import take_attempt
from inferproof.proving.openings import Openings, PassingOpenings
from inferproof.services.event_bus import EventBus
from inferproof.services.models.catalog import Catalog
from inferproof.services.models.followed_registry import (
    FollowedRegistry,
    FollowerSettings,
    Listings,
)
from inferproof.services.models.registry import Registry
from inferproof.services.models.submission import build_submission
from inferproof.services.orders.base import (
    CancelPolicy,
    ExposureTerms,
    GatewaySettings,
    JobView,
    PaidRequest,
)
from inferproof.services.orders.input_range import InputRange
from inferproof.services.orders.intake import Intake
from inferproof.services.orders.service import GatewayService
from inferproof.services.private_inputs import PrivateInputs
from inferproof.services.receipts.service import Receipts
from inferproof.services.settlement.service import Settler, SettlerSettings
from inferproof.services.worker.compute import CompiledModels, Compute
from inferproof.services.worker.service import Worker, WorkerSettings
from inferproof.services.worker.steps import Steps
from inferproof.storage.blobs.artifacts import LocalArtifacts
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.storage.sql.engine import sqlite_url
from inferproof.storage.sql.listings import SqlListings
from inferproof.testing.cash import CashChain, CashLedger
from inferproof.testing.cash_transfers import CashTransfers
from inferproof.testing.limits import Unlimited
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.metrics import MemoryMetrics
from inferproof.testing.samples import (
    ASSET,
    GATEWAY,
    ORDERED_AT,
    PAYER,
    SYSTEM,
    SampleChecker,
    sample_bundle,
    sample_preprocess,
    sample_proof,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Authorization, TransferClaim
from inferproof.types.proof import Assurance, Statement
from inferproof.types.receipt import Request
from inferproof.types.tensor import FixedTensor, Tensors
from inferproof.verify.receipt import Tools

PRICE = 250_000
PROVIDER_KEY = SigningKey(keccak256(b"inferproof test provider"))
TREASURY = GATEWAY.address
MODEL_REGISTRY = Address(b"\x52" * 20)
MODEL = "sample"
PATH = "/v1/models/sample/infer"
BODY = b'{"input":[1.5,-2,0.25]}'

WIDE = ExposureTerms(orders=10**6, amount=10**12)
"""For tests that are not about what a payer may have unsettled."""

CARD: dict[str, Any] = {
    "schema": "inferproof/model-card/1",
    "id": MODEL,
    "version": "1.0.0",
    "title": "Sample",
    "description": "Three numbers in, two out.",
    "category": "testing",
    "developer": "The inferproof authors",
    "license": "MIT",
    "files": {"model": "model.onnx"},
    "input": {
        "type": "vector",
        "max_bytes": 1000,
        "examples": [{"title": "one", "value": {"a": 1.5}, "label": "no"}],
    },
    "output": {"type": "classification", "labels": ["yes", "no"], "unit": "logit"},
    "price": {"amount": "0.25", "currency": "USDC"},
    "proof": {"system": SYSTEM, "input_visibility": "public"},
    "revenue": {"developer_bps": 7000, "platform_bps": 3000},
    "preprocessing": {"kind": "vector"},
}


named_bundle = partial(sample_bundle, labels=("yes", "no"))
"""The verifier bundle that fits the card."""


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = ORDERED_AT

    def __call__(self) -> int:
        return self.now


class BindingSystem(SampleChecker):
    """Answers with the first two inputs in halves; its proofs bind, and prove nothing.

    `faults` are raised by the next proofs, one each; `change` alters the statement.
    """

    name = SYSTEM
    version = "1.0.0"

    def __init__(self, bundle: VerifierBundle) -> None:
        self.bundle = bundle
        self.runs = self.proofs = self.checks = self.closed = 0
        self.beyond: int | None = None
        self.openings: Openings = PassingOpenings()
        self.secrets: list[bytes] = []
        self.attempts: list[int] = []
        self.faults: list[BaseException] = []
        self.given_up: Cancelled | None = None
        self.change: Callable[[Statement], Statement] = lambda statement: statement
        self.before: Callable[[], None] = lambda: None

    def supports(self, operator: str) -> bool:
        return True

    def describe(self) -> Description:
        return Description(SYSTEM, "1.0.0", Assurance.COMMITMENT, "nothing", "the execution")

    def compile(self, request: CompileRequest, progress: Progress = no_progress) -> CompileReport:
        raise NotImplementedError

    def execute(
        self,
        model: Path,
        inputs: Tensors,
        salt: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> "BindingExecution":
        self.given_up = cancelled
        self.before()
        if self.faults:
            raise self.faults.pop(0)
        commitment = input_commitment(salt, inputs)
        return BindingExecution(self, self._ran(inputs, commitment, DisclosedInput(salt, inputs)))

    def execute_private(
        self,
        model: Path,
        inputs: Tensors,
        secret: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> "BindingExecution":
        self.before()
        root = self.input_root(self.bundle, inputs, secret)
        ran = self._ran(inputs, private_input_commitment(SYSTEM, root), None)
        self.secrets.append(secret)
        return BindingExecution(self, replace(ran, input_root=root), secret)

    def _ran(self, inputs: Tensors, commitment: Digest, shown: DisclosedInput | None) -> Ran:
        outputs = (FixedTensor("y", (1, 2), tuple(int(v * 2) for v in inputs["x"][:2]), 0.5),)
        self.runs += 1
        return Ran(
            model_commitment=self.bundle.commitment,
            proof_system=SYSTEM,
            input_commitment=commitment,
            outputs=outputs,
            disclosed=shown,
            input_hashes=None,
            load_s=0.001,
            run_s=0.002,
        )

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        self.checks += 1
        super().check(bundle, file, statement)

    def out_of_range(self, bundle: VerifierBundle, inputs: Tensors) -> int | None:
        return self.beyond

    def verifier(self, artifact: Path) -> VerifierBundle:
        return self.bundle

    def estimate(self, artifact: Path) -> Estimate:
        return Estimate(0.9, 0.005, 120_000_000, 4_000_000, 3_100, 520_000)


class BindingExecution:
    def __init__(self, system: BindingSystem, ran: Ran, secret: bytes | None = None) -> None:
        self.system = system
        self.ran = ran
        self.secret = secret

    def prove(
        self,
        statement: Statement,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Proof:
        statement = self.system.change(statement)
        if self.secret is not None:
            self.system.attempts.append(take_attempt(self.system.openings, self.secret))
            if self.system.faults:
                raise self.system.faults.pop(0)
        self.system.proofs += 1
        file = self.ran.file(statement, sample_proof(self.system.bundle, statement))
        return Proof(encode_proof_file(file), 0.008, 1.0)

    def close(self) -> None:
        self.system.closed += 1


def systems_of(system: BindingSystem) -> Callable[[str], BindingSystem]:
    def find(name: str) -> BindingSystem:
        if name != SYSTEM:
            raise MissingPart(
                Reason.MISSING_LIBRARY, feature=name, package=name, command=f"pip install {name}"
            )
        return system

    return find


@dataclass
class World:
    """What is outside the services and survives them."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    system: BindingSystem = field(default_factory=lambda: BindingSystem(named_bundle()))
    settler: SettlerSettings = field(default_factory=SettlerSettings)
    worker: WorkerSettings = field(default_factory=lambda: WorkerSettings(retry_s=0))
    queue_limit: int = 1000
    batch_size: int = 50
    seen_by_settler: Callable[[Any], Any] = lambda chain: chain
    longest_payment_s: int = 2**41
    takes_transfers: bool = True
    cancel: CancelPolicy = CancelPolicy.WAITING
    more_methods: Sequence[PaymentMethod[Any]] = ()
    exposure: ExposureTerms = WIDE
    listings: Listings | None = None
    max_age_s: int = 600
    drawn: int = 0

    def __post_init__(self) -> None:
        self.ledger = CashLedger(ASSET, self.clock)
        self.transfers = CashTransfers(self.ledger)
        self.ledger.credit(PAYER.address, 100 * PRICE)

    def entropy(self, size: int) -> bytes:
        self.drawn += 1
        return keccak256(b"entropy %d" % self.drawn)[:size]

    @property
    def file(self) -> Path:
        return self.folder / "orders.db"

    @property
    def url(self) -> str:
        return sqlite_url(self.file)


@dataclass
class Services:
    """One running of the services over a world. Drop it and make another to crash."""

    world: World
    stores: Stores
    gateway: GatewayService
    settler: Settler
    worker: Worker
    metrics: MemoryMetrics
    event_bus: EventBus
    followed: FollowedRegistry | None

    async def accept(self, **changes: Any) -> JobView:
        payment = changes.pop("payment", None) or pay(self.world)
        salt = changes.pop("binding_salt", None)
        return await self._accept(exact.present(IncomingPayment(payment, salt)), **changes)

    async def redeem(self, claim: TransferClaim, **changes: Any) -> JobView:
        return await self._accept(transfer.present(IncomingTransfer(claim)), **changes)

    async def _accept(self, presented: Presented[Any], **changes: Any) -> JobView:
        request = changes.pop("request", Request("POST", PATH, BODY))
        model = changes.pop("model", MODEL)
        return await self.gateway.accept(PaidRequest(model, request, presented, **changes))

    async def cancel(self, job_id: Digest, key: SigningKey = PAYER) -> JobView:
        before = self.world.clock.now + 60
        signature = key.sign(cancellation_digest(job_id, before))
        return await self.gateway.cancel(job_id, before, signature)

    async def open_input(self, job_id: Digest, key: SigningKey = PAYER, ahead: int = 60) -> bytes:
        before = self.world.clock.now + ahead
        signature = key.sign(opening_request_digest(job_id, before))
        return await self.gateway.input_opening(job_id, before, signature)

    async def register(self) -> None:
        document, signature = build_submission(
            CARD, encode_bundle(self.world.system.bundle), 1234, PROVIDER_KEY
        )
        view = await self.gateway.submit_model(document, signature)
        (self.world.folder / "artifacts" / view.commitment.raw.hex()).mkdir(
            parents=True, exist_ok=True
        )
        await self.gateway.approve(view.name)


def methods_of(world: World, chain: CashChain) -> PaymentMethods:
    """The payment methods of a gateway in this world."""
    terms = TransferTerms() if world.takes_transfers else None
    known: list[PaymentMethod[Any]] = [
        exact.ExactMethod(ASSET, chain, exact.ExactTerms(longest_s=world.longest_payment_s)),
        transfer.TransferMethod(ASSET, world.transfers, terms),
        *world.more_methods,
    ]
    return {method.method: method for method in known}


def follow(world: World, stores: Stores, catalog: Catalog) -> FollowedRegistry | None:
    """The registry that a gateway in this world follows; None where there is none."""
    if world.listings is None:
        return None
    return FollowedRegistry(
        registry=MODEL_REGISTRY,
        asset=ASSET,
        listings=world.listings,
        store=SqlListings(stores.database),
        settings=FollowerSettings(poll_s=0.01, max_age_s=world.max_age_s),
        clock=world.clock,
        changed=catalog.changed,
    )


def build(world: World, stores: Stores) -> Services:
    event_bus, metrics, catalog = EventBus(), MemoryMetrics(), Catalog(stores.models)
    settings = GatewaySettings(
        ASSET,
        TREASURY,
        queue_limit=world.queue_limit,
        cancel=world.cancel,
        exposure=world.exposure,
    )
    systems = systems_of(world.system)
    loop = asyncio.get_running_loop()
    world.system.openings = shared_openings(stores.openings, loop)(world.folder)
    private_inputs = PrivateInputs(systems, stores.openings)
    followed = follow(world, stores, catalog)
    blobs = LocalBlobs(world.folder / "blobs")
    artifacts = LocalArtifacts(world.folder / "artifacts")
    chain = CashChain(world.ledger, TREASURY, batch_size=world.batch_size)
    registry = Registry(
        models=stores.models,
        catalog=catalog,
        blobs=blobs,
        artifacts=artifacts,
        systems=systems,
        private_inputs=private_inputs,
        settings=settings,
        clock=world.clock,
        followed=followed,
    )
    methods = methods_of(world, chain)
    intake = Intake(
        jobs=stores.orders.jobs,
        ledger=stores.orders.ledger,
        catalog=catalog,
        methods=methods,
        check=sample_preprocess,
        check_range=InputRange(systems, sample_preprocess),
        key=GATEWAY,
        settings=settings,
        clock=world.clock,
        entropy=world.entropy,
        metrics=metrics,
        event_bus=event_bus,
        limits=Unlimited(),
        private_inputs=private_inputs,
        followed=followed,
    )
    gateway = GatewayService(
        registry=registry,
        intake=intake,
        jobs=stores.orders.jobs,
        catalog=catalog,
        receipts=Receipts(
            jobs=stores.orders.jobs,
            verifications=stores.verifications,
            blobs=blobs,
            tools=Tools(systems, sample_preprocess, methods),
            clock=world.clock,
        ),
        methods=methods,
        key=GATEWAY,
        settings=settings,
        clock=world.clock,
        event_bus=event_bus,
    )
    settler = Settler(
        jobs=stores.orders.jobs,
        settlements=stores.orders.settlements,
        outbox=stores.orders.outbox,
        chain=world.seen_by_settler(chain),
        methods=methods,
        settings=world.settler,
        clock=world.clock,
        metrics=metrics,
        event_bus=event_bus,
        leader=stores.database.leader_lock("settler"),
    )
    compute = Compute(
        runner=CompiledModels(systems, artifacts),
        checker=systems,
        blobs=blobs,
        preprocess=sample_preprocess,
        payments=methods,
        key=GATEWAY,
        clock=world.clock,
        time_limit_s=60,
    )
    worker = Worker(
        jobs=stores.orders.jobs,
        queue=stores.orders.queue,
        steps=Steps(stores.orders.queue, catalog, compute, world.clock),
        settings=world.worker,
        clock=world.clock,
        metrics=metrics,
        event_bus=event_bus,
        private_inputs=private_inputs,
    )
    return Services(world, stores, gateway, settler, worker, metrics, event_bus, followed)


@asynccontextmanager
async def running(world: World, *, url: str | None = None) -> AsyncIterator[Services]:
    """Services over the world's database, with the sample model registered."""
    if url is None and not world.file.exists():
        shutil.copyfile(ready_database(), world.file)
    async with open_stores(url or world.url) as stores:
        services = build(world, stores)
        await services.register()
        yield services


def pay(
    world: World,
    *,
    body: bytes = BODY,
    salt: bytes = bytes(32),
    nonce: Digest | None = None,
    key: SigningKey = PAYER,
    **changes: Any,
) -> Authorization:
    """A signed authorization whose nonce is bound to the request."""
    unsigned = Authorization(
        asset=ASSET,
        payer=key.address,
        payee=TREASURY,
        amount=PRICE,
        valid_after=world.clock.now - 600,
        valid_before=world.clock.now + 120,
        nonce=nonce or bound_nonce(request_digest("POST", PATH, body), salt),
        signature=b"",
    )
    changed = replace(unsigned, **changes)
    return replace(changed, signature=key.sign(authorization_digest(changed)))


def claim_to(
    transaction: Digest,
    *,
    body: bytes = BODY,
    salt: bytes = b"\x5a" * 32,
    log_index: int | None = None,
    key: SigningKey = PAYER,
    **changes: Any,
) -> TransferClaim:
    """A signed claim to a transfer of this transaction, for the request."""
    unsigned = TransferClaim(
        asset=ASSET,
        payer=key.address,
        payee=TREASURY,
        transaction=transaction,
        log_index=log_index,
        request=request_digest("POST", PATH, body),
        salt=Digest(salt),
        signature=b"",
    )
    changed = replace(unsigned, **changes)
    return replace(changed, signature=key.sign(claim_digest(changed)))


def nonce(number: int) -> Digest:
    return Digest(keccak256(b"nonce %d" % number))


STRANGER_ADDRESS = Address(b"\x09" * 20)
