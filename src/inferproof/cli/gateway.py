"""Asking a gateway for what takes no payment."""

from typing import Any

import typer

from inferproof.cli.console import MAX_PORT
from inferproof.client.steps import Call, Reply, json_body, refusal, unreadable
from inferproof.errors import Reason, Unavailable


def checked_url(url: str | None) -> str | None:
    """The URL, if it is one that HTTP goes to. Raises: typer.BadParameter."""
    if url is None:
        return None
    import httpx

    try:
        parsed = httpx.URL(url)
        whole = parsed.scheme in ("http", "https") and bool(parsed.host)
        whole = whole and (parsed.port is None or 0 < parsed.port <= MAX_PORT)
    except (httpx.InvalidURL, ValueError):
        whole = False
    if not whole:
        raise typer.BadParameter("an address looks like http://127.0.0.1:9100")
    return url


def ask(
    method: str,
    url: str,
    path: str,
    *,
    timeout_s: float,
    query: dict[str, str] | None = None,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The JSON object that the gateway at `url` answers.

    Raises: Unavailable GATEWAY_LOST, GATEWAY_ANSWER; what the gateway refuses it with.
    """
    import httpx

    call = Call(method, path, body, headers or {})
    try:
        answer = httpx.request(
            method,
            url.rstrip("/") + path,
            params=query,
            content=body,
            headers=headers,
            timeout=timeout_s,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(Reason.GATEWAY_LOST, why=f"{type(error).__name__}: {error}") from None
    reply = Reply(answer.status_code, dict(answer.headers), answer.content)
    if answer.is_success:
        return json_body(reply, call)
    if answer.is_error:
        raise refusal(reply, call).error()
    raise unreadable(call, f"status {answer.status_code}")
