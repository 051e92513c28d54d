"""The ports of orders over one database."""

from inferproof.storage.ports.orders import Orders
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.jobs import SqlJobs
from inferproof.storage.sql.ledger import SqlLedger
from inferproof.storage.sql.order_deliveries import SqlOrderDeliveries
from inferproof.storage.sql.outbox import SqlOutbox
from inferproof.storage.sql.queue import SqlQueue
from inferproof.storage.sql.settlements import SqlSettlements


def sql_orders(database: Database) -> Orders:
    """The ports of orders. One value for each open database: it counts what waits."""
    return Orders(
        jobs=SqlJobs(database),
        settlements=SqlSettlements(database),
        outbox=SqlOutbox(database),
        queue=SqlQueue(database),
        ledger=SqlLedger(database),
        deliveries=SqlOrderDeliveries(database),
    )
