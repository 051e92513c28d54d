"""The SQL order book is an order book, in memory and in a file."""

import pytest
from order_book_suite import (
    TestBatches,
    TestCancelling,
    TestCheckpoints,
    TestEarlyStart,
    TestHistory,
    TestLifeCycle,
    TestOutbox,
    TestRedeeming,
    TestRefunds,
    TestReserving,
    TestRoom,
    TestTakenBack,
    TestTurns,
    TestWebhooks,
    TestWork,
)

from inferproof.testing.memory_store import Stores

__all__ = [
    "TestBatches",
    "TestCancelling",
    "TestCheckpoints",
    "TestEarlyStart",
    "TestHistory",
    "TestLifeCycle",
    "TestOutbox",
    "TestRedeeming",
    "TestRefunds",
    "TestReserving",
    "TestRoom",
    "TestTakenBack",
    "TestTurns",
    "TestWebhooks",
    "TestWork",
]


@pytest.fixture
def orders(stores: Stores) -> object:
    return stores.orders
