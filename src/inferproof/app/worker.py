"""A worker: what proves, in a gateway or beside it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from inferproof.app.checks import model_checks, storage_checks, task_checks
from inferproof.app.provers import open_systems
from inferproof.app.reporting import open_reports, open_tracer
from inferproof.app.running import clock, started
from inferproof.app.stores import Stores, Watch, open_stores, unwatched
from inferproof.inference.request import request_tensors
from inferproof.observability.logs import report_loop_faults
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness
from inferproof.payments.parts import payment_parts
from inferproof.protocol.payment_part import PaymentParts
from inferproof.protocol.signature import SigningKey
from inferproof.proving.base import ProofSystem
from inferproof.services.base import Systems
from inferproof.services.event_bus import EventBus
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.private_inputs import PrivateInputs
from inferproof.services.traced import traced
from inferproof.services.worker.compute import CompiledModels, Compute
from inferproof.services.worker.service import Worker, WorkerSettings
from inferproof.services.worker.steps import Steps
from inferproof.settings import Settings
from inferproof.types.digest import Address


@dataclass(frozen=True, slots=True)
class WorkerApp:
    """A running worker. `signer` is the address that signs its receipts: the gateway's."""

    settings: Settings
    signer: Address
    worker: Worker
    task: asyncio.Task[None]
    metrics: Metrics
    readiness: Readiness


@asynccontextmanager
async def build_worker(
    settings: Settings,
    *,
    more_systems: Mapping[str, ProofSystem] | None = None,
    watch: Watch = unwatched,
) -> AsyncIterator[WorkerApp]:
    """A running worker on the database and the data folder of a gateway, and nothing else.

    It asks no chain. When the block ends, what it computes is given back for others to take.
    Raises: Misconfigured; Unavailable when the database does not answer; MissingPart.
    """
    async with AsyncExitStack() as stack:
        if settings.workers == 0:  # what a gateway is told that leaves the work to this one
            settings = settings.model_copy(update={"workers": 1})
        key = settings.signing_key()
        stores = await stack.enter_async_context(open_stores(settings, watch, serving=True))
        systems = open_systems(settings, stores, stack, more_systems or {}, watch)
        stack.callback(report_loop_faults(asyncio.get_running_loop()))
        open_reports(settings, stack)
        tracer = open_tracer(settings, stack)
        if tracer is not None:
            stores = replace(stores, orders=traced(stores.orders, tracer))
        metrics, heartbeat = Metrics(), Heartbeat()
        worker, task = start_worker(
            settings, stores, systems, payment_parts(), key, metrics, EventBus(), heartbeat, stack
        )
        checks = {
            **storage_checks(stores.database, settings.data_dir, settings.disk_reserve_bytes),
            **model_checks(stores.models, stores.artifacts, systems),
            **task_checks({"worker": task}, {"worker": heartbeat}, settings.stall_s),
        }
        yield WorkerApp(settings, key.address, worker, task, metrics, Readiness(checks))


def start_worker(
    settings: Settings,
    stores: Stores,
    systems: Systems,
    payments: PaymentParts,
    key: SigningKey,
    metrics: Metrics,
    event_bus: EventBus,
    heartbeat: Heartbeat,
    stack: AsyncExitStack,
) -> tuple[Worker, asyncio.Task[None]]:
    """A worker over these stores, and the task that it runs as until the stack closes."""
    compute = Compute(
        runner=CompiledModels(systems, stores.artifacts),
        checker=systems,
        blobs=stores.blobs,
        preprocess=request_tensors,
        payments=payments,
        key=key,
        clock=clock,
        time_limit_s=settings.prove_limit_s,
    )
    worker = Worker(
        jobs=stores.orders.jobs,
        queue=stores.orders.queue,
        steps=Steps(stores.orders.queue, stores.catalog, compute, clock),
        settings=WorkerSettings(
            concurrency=settings.workers,
            lease_s=settings.lease_s,
            # Proving and its verification are ended by their own limit; this is for the rest.
            longest_s=2 * settings.prove_limit_s + 300,
            early_start=settings.early_start,
        ),
        clock=clock,
        metrics=metrics,
        event_bus=event_bus,
        private_inputs=PrivateInputs(systems, stores.openings),
        heartbeat=heartbeat,
    )
    return worker, started(worker.run(), "worker", stack)
