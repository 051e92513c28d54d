"""A process of bench.orders: `inferproof serve` or `settle`, which can also leave orders unsettled.

python -m bench.orders_server [--no-settler] serve|settle [options of the command]
"""

import argparse
import asyncio
import os
import sys

from inferproof.cli.main import run
from inferproof.services.settlement.service import Settler

NICENESS = 5
"""Of what settles: where processors are short, what takes requests goes first."""


async def _rest(_: Settler) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-settler", action="store_true")
    parser.add_argument("command", choices=("serve", "settle"))
    given, more = parser.parse_known_args()
    if given.no_settler:
        Settler.run = _rest  # type: ignore[method-assign]
    if given.command == "settle":
        os.nice(NICENESS)
    sys.argv = ["inferproof", given.command, "--json", *more]
    run()
