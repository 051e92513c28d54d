"""The paid call's short way: what a usual order is spared, without losing a check.

    the connection has the whole request ─► take: admission, payment, steps 1 to 8 of the intake
                                             │ (a payment of a known form: digests and signature in
                                             │ one native call, where the native module is here)
                                             │ something is unusual, or does not hold
                                             ├───────────► the general way, from where it stands
    a task ─► run: chain and reservation     │
                                             ├───────────► the same, with the job or the refusal
    the answer 202, written in one piece  ◄──┘

Nothing is refused here, and nothing is counted twice: the Errand in the scope tells the general way
(api.edge, api.routes.infer) what was done. Tests hold both ways to one answer.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec.json import encode
from starlette.types import Scope

from inferproof.api import views
from inferproof.api.context import Services
from inferproof.api.errand import ERRAND, Errand, PaidRoute
from inferproof.api.gate import standing_headers
from inferproof.api.headers import ON_ALL
from inferproof.api.routes.parameters import MODEL_NAME
from inferproof.api.wire import JSON
from inferproof.payments.x402 import IncomingPayment
from inferproof.payments.x402.forms import Forms
from inferproof.payments.x402.short import ShortReader
from inferproof.services.gateway.base import Finish, JobView, SignedQuote
from inferproof.telemetry.base import answered, asked
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.receipt import Request

LONGEST = 4096
"""Bytes of a body; longer ones are not checked at once."""

PATH = re.compile(f"/v1/models/({MODEL_NAME.strip('^$')})/infer".encode())
_USUAL = frozenset(
    name.encode()
    for name in (
        *("host", "user-agent", "accept", "accept-encoding", "accept-language", "connection"),
        *("content-type", "content-length", "payment-signature", "prefer", "x-request-id"),
        *("traceparent", "tracestate", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"),
        *("origin", "referer", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "cookie"),
    )
)
"""Headers that decide nothing here, or are read here."""
_JSON = JSON.encode()
_AT_ONCE = b"respond-async"
_ON_ALL = b"".join(b"%b: %b\r\n" % pair for pair in ON_ALL)


@lru_cache(256)
def _model(path: bytes) -> str | None:
    found = PATH.fullmatch(path)
    return None if found is None else found[1].decode()


class Express:
    """Takes usual orders. Made for services that have a short intake.

    Without `forms` every payment is read and checked in Python.
    """

    path = PATH

    def __init__(self, services: Services, forms: Forms | None = None) -> None:
        assert services.short is not None  # noqa: S101 - what it is made for
        self._services = services
        self._short = services.short
        self._longest = min(LONGEST, services.settings.body_limit)
        self._reader = ShortReader([services.gateway.settings.asset])
        self._forms = forms

    def take(self, scope: Scope, path: bytes, body: bytes) -> Finish | None:
        """What is to be run for a request whose path PATH knows; None leaves the request, and
        what was done of it, to the general way."""
        pairs: Sequence[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(pairs)
        payment = headers.get(b"payment-signature")
        if (
            payment is None
            or len(headers) != len(pairs)
            or not _USUAL.issuperset(headers)
            or headers.get(b"content-type", _JSON) != _JSON
            or len(body) > self._longest
        ):
            return None
        errand, gate = Errand.of(headers), self._services.gate
        if gate is not None:
            errand.is_admitted, errand.standing = gate.admit_now(scope)
            if not errand.is_admitted:
                return None
        errand.at_once = headers.get(b"prefer") == _AT_ONCE
        scope[ERRAND] = errand
        return self._begin(path, payment, body)

    def _begin(self, path: bytes, payment: bytes, body: bytes) -> Finish | None:
        forms, model = self._forms, _model(path)
        if model is None:
            return None
        checked = None if forms is None else forms.read(payment, path, body)
        if checked is not None:
            return self._offer(model, path, body, checked.payment, checked.request)
        incoming = self._reader.read(payment.decode("latin-1"))
        if incoming is None or incoming.payment_id is not None:
            return None
        begun = self._offer(model, path, body, incoming, None)
        if begun is not None and forms is not None:
            forms.learn(payment, path, incoming)
        return begun

    def _offer(
        self, model: str, path: bytes, body: bytes, payment: IncomingPayment, paid: Digest | None
    ) -> Finish | None:
        return self._short.begin(
            model,
            Request("POST", path.decode(), body),
            payment.authorization,
            binding_salt=payment.binding_salt,
            quote=None if payment.quote is None else SignedQuote(*payment.quote),
            signed_for=paid,
        )

    async def run(self, scope: Scope, finish: Finish) -> bytes | None:
        """The answer 202 from its first header on; None where the general way has to answer, and
        finds in the scope what the order came to."""
        errand: Errand = scope[ERRAND]
        token = asked(errand.about)
        try:
            job = errand.outcome = await finish()
        except Exception as error:  # noqa: BLE001 - the edge tells it, or logs it
            errand.outcome = error
            return None
        finally:
            answered(token)
        if not errand.at_once or job.state is not JobState.RESERVED:
            return None
        answer = self._accepted(errand, job)
        services = self._services
        if services.gate is not None:
            services.gate.leave()
        errand.report(services.metrics.http, services.tracer, "POST", PaidRoute.path, 202)
        return answer

    def _accepted(self, errand: Errand, job: JobView) -> bytes:
        body = encode(views.job_info(job, self._services.gateway.address))
        lines = [
            b"location: /v1/jobs/%b\r\nretry-after: 1\r\n" % job.id.hex.encode(),
            b"content-length: %d\r\ncontent-type: application/json\r\n" % len(body),
            _ON_ALL,
            b"x-request-id: %b\r\n" % errand.request_id.encode(),
        ]
        if errand.standing is not None:
            lines += [b"%b: %b\r\n" % pair for pair in standing_headers(errand.standing)]
        return b"".join((*lines, b"\r\n", body))
