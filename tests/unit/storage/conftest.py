"""Stores in memory, in a file and on PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opening_budget_suite import Again, sql_budgets
from postgres_server import KINDS, Databases

from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.sql.engine import MEMORY, sqlite_url
from inferproof.testing.memory_store import Stores, open_stores


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database."""
    return url_of_kind(request.param)


@pytest.fixture(params=KINDS[1:])
def shared_url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database that several processes may open."""
    return url_of_kind(request.param)


@pytest.fixture(params=KINDS[2:])
def server_url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database that several gateways may serve with at a time."""
    return url_of_kind(request.param)


@pytest.fixture(params=KINDS[1:])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without a table."""
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("postgres")
        return databases.empty()
    return sqlite_url(tmp_path / "orders.db")


@pytest.fixture
async def stores(url: str) -> AsyncIterator[Stores]:
    async with open_stores(url) as stores:
        yield stores


@pytest.fixture(params=["records", *KINDS])
async def opening_store(
    request: pytest.FixtureRequest, tmp_path: Path, url_of_kind: Callable[[str], str]
) -> AsyncIterator[tuple[OpeningBudgets, Again]]:
    """A store that counts openings, and what opens it anew."""

    @asynccontextmanager
    async def records() -> AsyncIterator[OpeningBudgets]:
        yield LocalOpeningBudgets(tmp_path / "openings")

    if request.param == "records":
        async with records() as budgets:
            yield budgets, records
        return
    url = url_of_kind(request.param)
    async with sql_budgets(url) as sql:

        @asynccontextmanager
        async def the_same() -> AsyncIterator[OpeningBudgets]:
            yield sql  # in memory there is no second way in

        yield sql, the_same if url == MEMORY else lambda: sql_budgets(url)


@pytest.fixture
def budgets(opening_store: tuple[OpeningBudgets, Again]) -> OpeningBudgets:
    return opening_store[0]


@pytest.fixture
def again(opening_store: tuple[OpeningBudgets, Again]) -> Again:
    return opening_store[1]


@pytest.fixture
def elsewhere(tmp_path: Path) -> OpeningBudgets:
    return LocalOpeningBudgets(tmp_path / "elsewhere")


@pytest.fixture
def records(tmp_path: Path) -> LocalOpeningBudgets:
    return LocalOpeningBudgets(tmp_path / "openings")
