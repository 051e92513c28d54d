"""A world on a temporary folder, and services over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from service_parts import Services, World, running

from inferproof.storage.db.engine import MEMORY


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
async def services(world: World) -> AsyncIterator[Services]:
    async with running(world, url=MEMORY) as services:
        yield services
