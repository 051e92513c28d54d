"""Everything that is kept of orders, by subject."""

from dataclasses import dataclass

from inferproof.storage.ports.jobs import Jobs
from inferproof.storage.ports.ledger import Ledger
from inferproof.storage.ports.order_deliveries import OrderDeliveries
from inferproof.storage.ports.outbox import Outbox
from inferproof.storage.ports.queue import Queue
from inferproof.storage.ports.settlements import Settlements


@dataclass(frozen=True, slots=True)
class Orders:
    """The ports of one database. Whoever builds services hands each of them those that it needs."""

    jobs: Jobs
    settlements: Settlements
    outbox: Outbox
    queue: Queue
    ledger: Ledger
    deliveries: OrderDeliveries
