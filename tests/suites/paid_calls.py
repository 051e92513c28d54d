"""The real API over the stepped services: a whole paid call without a server or a chain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
from service_parts import BODY, PATH, Services

from inferproof.api.context import ApiSettings
from inferproof.api.context import Services as Served
from inferproof.api.create import create_app
from inferproof.api.metrics import Metrics
from inferproof.payments.header import encode_header
from inferproof.payments.x402 import Challenge, payment_payload, read_challenge
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.commitments import bound_nonce
from inferproof.telemetry.base import Tracer
from inferproof.testing.samples import PAYER
from inferproof.types.payment import Authorization

ADMIN_TOKEN = "correct horse battery staple"
JSON = {"content-type": "application/json"}


@dataclass
class Caller:
    """A buyer at the API of the services."""

    http: httpx.AsyncClient
    services: Services
    metrics: Metrics
    body: bytes = BODY
    headers: dict[str, str] = field(default_factory=dict)

    async def challenge(self) -> Challenge:
        response = await self.http.post(PATH, content=self.body, headers=JSON)
        assert response.status_code == 402, response.text
        return read_challenge(response.headers["PAYMENT-REQUIRED"])

    def authorize(self, challenge: Challenge, salt: bytes) -> Authorization:
        quote, now = challenge.quote, self.services.world.clock.now
        unsigned = Authorization(
            asset=quote.price.asset,
            payer=PAYER.address,
            payee=quote.payee,
            amount=quote.price.amount,
            valid_after=0,
            valid_before=now + 600,
            nonce=bound_nonce(challenge.request, salt),
            signature=b"",
        )
        return replace(unsigned, signature=PAYER.sign(authorization_digest(unsigned)))

    async def header(self, number: int = 1) -> str:
        """A payment for the body; other numbers are other payments."""
        challenge, salt = await self.challenge(), bytes([number]) * 32
        return encode_header(payment_payload(challenge, self.authorize(challenge, salt), salt))

    async def send(self, header: str) -> httpx.Response:
        """The paid call, answered at once."""
        headers = {**JSON, "PAYMENT-SIGNATURE": header, "Prefer": "respond-async", **self.headers}
        return await self.http.post(PATH, content=self.body, headers=headers)

    async def finish(self) -> None:
        """Settles and computes all that waits."""
        await self.services.settler.settle_once()
        while await self.services.worker.work_once() is not None:
            pass


@asynccontextmanager
async def caller(services: Services, *, tracer: Tracer | None = None) -> AsyncIterator[Caller]:
    metrics = Metrics()
    served = Served(
        gateway=services.gateway,
        metrics=metrics,
        settings=ApiSettings(version="0.1.0", admin_token=ADMIN_TOKEN, sync_wait_s=0),
        tracer=tracer,
    )
    transport = httpx.ASGITransport(create_app(served))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
        yield Caller(http, services, metrics)
