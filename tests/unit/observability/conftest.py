"""A world on a temporary folder."""

from pathlib import Path

import pytest
from service_parts import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
