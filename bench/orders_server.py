"""The gateway of bench.orders: `inferproof serve` that can also leave orders unsettled."""

import argparse
import asyncio
import sys

from inferproof import fleet
from inferproof.cli.main import run
from inferproof.services.settler.service import Settler
from inferproof.settings import Settings


async def _rest(_: Settler) -> None:
    await asyncio.Event().wait()


async def resting(settings: Settings, seat: fleet.Seat, tell: fleet.Tell) -> None:
    """The process behind, without its settler."""
    Settler.run = _rest  # type: ignore[method-assign]
    await fleet.behind(settings, seat, tell)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-settler", action="store_true")
    given, more = parser.parse_known_args()
    if given.no_settler:
        Settler.run = _rest  # type: ignore[method-assign]
        fleet.run_fleet.__kwdefaults__["behind"] = resting  # type: ignore[index]
    sys.argv = ["inferproof", "serve", "--json", *more]
    run()
