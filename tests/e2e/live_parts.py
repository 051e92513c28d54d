"""What the tests of a live gateway share: where its model lies, and its settings."""

from dataclasses import dataclass
from pathlib import Path

from inferproof.settings import Settings
from inferproof.testing.devnet import DevnetInfo
from inferproof.types.digest import Digest

ADMIN_TOKEN = "an admin token for tests"
MODEL = "tiny"


@dataclass(frozen=True)
class Installed:
    """A folder with a card and its compiled model."""

    card: Path
    compiled: Path
    commitment: Digest


def settings_for(devnet: DevnetInfo, data_dir: Path, **changes: object) -> Settings:
    """The settings of a gateway on the devnet."""
    given = devnet.settings(data_dir) | {"admin_token": ADMIN_TOKEN}
    return Settings.load(**(given | changes))
