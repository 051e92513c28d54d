"""Stores in memory and in a file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inferproof.storage.db.engine import MEMORY, sqlite_url
from inferproof.testing.memory_store import Stores, open_stores


@pytest.fixture(params=["memory", "file"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    url = MEMORY if request.param == "memory" else sqlite_url(tmp_path / "orders.db")
    async with open_stores(url) as stores:
        yield stores
