"""The gateway of bench.orders: `inferproof serve` that can also leave orders unsettled."""

import argparse
import asyncio
import sys

from inferproof.cli.main import run
from inferproof.services.settler.service import Settler


async def _rest(_: Settler) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-settler", action="store_true")
    given, more = parser.parse_known_args()
    if given.no_settler:
        Settler.run = _rest  # type: ignore[method-assign]
    sys.argv = ["inferproof", "serve", "--json", *more]
    run()
