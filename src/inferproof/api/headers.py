"""Headers that stand on every answer, and the request id."""

import re

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-store",
}
"""Everything is data for programs and is open to any origin; nothing may run or frame it."""

OPEN_TO_ALL = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "PAYMENT-REQUIRED, PAYMENT-RESPONSE, Location, Retry-After, "
    "RateLimit, RateLimit-Policy, X-Request-Id",
}
"""Any page may call: there are no cookies, and who pays signs."""
PREFLIGHT = {
    **OPEN_TO_ALL,
    "Access-Control-Allow-Methods": "GET, POST",
    # Public x402 clients send the first of these, which is a response header by its meaning.
    "Access-Control-Allow-Headers": "Access-Control-Expose-Headers, Authorization, Content-Type, "
    "Inferproof-Pass, Inferproof-Private-Input, Inferproof-Signature, Inferproof-Transfer, "
    "PAYMENT-SIGNATURE, "
    "Idempotency-Key, Inferproof-Webhook, Last-Event-ID, Prefer, X-API-Key, X-Request-Id",
    "Access-Control-Max-Age": "86400",
}

DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data: "
    "https://fastapi.tiangolo.com; connect-src 'self'; frame-ancestors 'none'"
)
"""The one page for people is FastAPI's /docs, which loads its scripts from that network."""

ON_ALL = [
    (name.lower().encode(), value.encode())
    for name, value in (SECURITY_HEADERS | OPEN_TO_ALL).items()
]

GIVEN_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
"""The request id that a caller may choose."""

MAX_HEAD_BYTES = 64 * 1024
"""Of a request: its path, its query and all of its fields. A payment may take 16 KiB of it."""
MAX_FIELDS = 128
