"""A world on a temporary folder, and services over it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from postgres_server import KINDS
from service_parts import Services, World, running


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database."""
    return url_of_kind(request.param)


@pytest.fixture
async def services(world: World, url: str) -> AsyncIterator[Services]:
    async with running(world, url=url) as services:
        yield services
