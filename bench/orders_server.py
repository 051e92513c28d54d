"""The gateway of bench.orders: settings from the environment, and a proof system that waits.

It is `inferproof serve` but for that proof system: the worker takes one job, and holds it until
the process ends, so that no job is proven while orders are measured.
"""

import argparse
import asyncio
import json
import logging
import signal
import threading

import uvloop

from inferproof.app import build
from inferproof.proving.base import Progress, Proved, ProveRequest, no_progress
from inferproof.server import Server, listen, url_of
from inferproof.services.settler.service import Settler
from inferproof.settings import Settings
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem


class Waiting(ToySystem):
    """Takes a job and gives no answer until it is told to end."""

    def __init__(self) -> None:
        super().__init__(ACKNOWLEDGEMENT)
        self.ended = threading.Event()

    def prove(self, request: ProveRequest, progress: Progress = no_progress, *_: object) -> Proved:
        self.ended.wait()
        return super().prove(request, progress)


async def _rest(_: Settler) -> None:
    await asyncio.Event().wait()


async def serve() -> None:
    settings, system = Settings.load(), Waiting()
    logging.basicConfig(level=settings.log_level.upper())
    with listen(settings.host, settings.port) as listener:
        async with build(settings, more_systems={system.name: system}) as app:
            server = Server(app.asgi, shutdown_s=settings.shutdown_s)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, server.handle_exit, number, None)
            print(json.dumps({"url": url_of(listener)}), flush=True)
            await server.serve(sockets=[listener])
            system.ended.set()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--no-settler", action="store_true")
    if parser.parse_args().no_settler:
        Settler.run = _rest  # type: ignore[method-assign]
    uvloop.run(serve())
