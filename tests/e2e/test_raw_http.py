"""Bytes on the wire that no client library would send."""

import json
import re
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from inferproof.testing.live import LiveGateway

OK = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
TAIL = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def send(gateway: LiveGateway, data: bytes) -> tuple[int, bytes]:
    """Status and body of the answer; status 0 where the connection was just closed."""
    address = urlsplit(gateway.url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=60) as connection:
        # Apart, because the server may answer and close before it has read everything.
        sender = threading.Thread(target=_push, args=(connection, data))
        sender.start()
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        sender.join()
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), body


def _push(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return


@pytest.mark.parametrize(
    ("data", "statuses", "code"),
    [
        (b"GET /%zz" + TAIL, {404}, "ROUTE_UNKNOWN"),
        (b"GET /%" + TAIL, {404}, "ROUTE_UNKNOWN"),
        (b"GET /%ff%00" + TAIL, {404}, "ROUTE_UNKNOWN"),
        (b"GET /v1/models/%00" + TAIL, {422}, "REQUEST_INVALID"),
        (b"GET /v1/models/%ED%A0%80" + TAIL, {422}, "REQUEST_INVALID"),
        (b"GET /v1/models?category=%00%ff" + TAIL, {200}, None),
        (b"GET /v1/models?category=%ED%A0%80" + TAIL, {200}, None),
        (b"GET /v1/models?category=" + b"a" * 60_000 + TAIL, {422, 400, 0}, None),
        (b"GET /" + b"a" * 200_000 + TAIL, {431, 400, 0}, None),
        (b"GET http://other.test/v1/models/%zz" + TAIL, {404, 422}, None),
        (b"GET /v1/models/\xff\xfe" + TAIL, {400, 422}, None),
        (b"GET /v1/\x00" + TAIL, {400}, None),
        (b"GET // HTTP/9.9\r\n\r\n", {400, 404, 0}, None),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, {400}, None),
        (b"\r\n" * 100 + OK, {200, 400}, None),
        (b"OPTIONS *" + TAIL, {404, 400}, None),
        (
            b"POST /v1/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n",
            {413},
            "BODY_TOO_LARGE",
        ),
        (
            b"POST /v1/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            {400},
            None,
        ),
        (
            b"POST /v1/models/tiny/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 200,
            {413, 0},
            None,
        ),
        (
            b"POST /v1/models/tiny/infer HTTP/1.1\r\nHost: \xff\r\nContent-Type: \xff\r\n"
            b"PAYMENT-SIGNATURE: \xff\xfe\r\nPrefer: \xff\r\nX-Request-Id: \xff\r\n"
            b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
            {415},
            "CONTENT_TYPE",
        ),
        (
            b"POST /v1/models/tiny/infer HTTP/1.1\r\nHost: \xff\xfe\r\n"
            b"Content-Type: application/json\r\nPAYMENT-SIGNATURE: \xff\xfe\r\n"
            b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
            {402},
            "PAYMENT_HEADER_MALFORMED",
        ),
        (
            b"POST /v1/models/tiny/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: 23\r\n\r\n"
            b'{"input": [[1, 1, 1]] }',
            {402},
            "PAYMENT_REQUIRED",
        ),
        (
            b"POST /v1/models/tiny@1.0.0/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Authorization: Bearer \xff\r\nContent-Type: application/json\r\n"
            b'Content-Length: 25\r\n\r\n{"input": "\xed\xa0\x80\\ud800    "}',
            {422},
            None,
        ),
        (
            b"POST /v1/models/tiny@1.0.0/approve HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Authorization: Bearer \xff\xfe\r\nContent-Length: 0\r\n\r\n",
            {401},
            "ADMIN_ONLY",
        ),
    ],
)
def test_strange_bytes_get_an_answer_and_no_server_error(
    gateway: LiveGateway, data: bytes, statuses: set[int], code: str | None
) -> None:
    status, body = send(gateway, data)
    assert status in statuses, body[:500]
    if code is not None:
        assert json.loads(body)["error"]["code"] == code
    assert send(gateway, OK)[0] == 200


POST = b"POST /v1/models/tiny/infer HTTP/1.1\r\nContent-Type: application/json\r\n"
INPUT = b'{"input": [[1, 1, 1]]}'
SIZED = b"Content-Length: %d\r\n\r\n" % len(INPUT)


def statuses(answers: bytes) -> list[int]:
    """The statuses of all answers that came over one connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def exchange(gateway: LiveGateway, *parts: bytes) -> bytes:
    """All that comes back until the server ends the connection, or says no more for a while."""
    address = urlsplit(gateway.url)
    answer = b""
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.1)  # read apart
        with suppress(TimeoutError, ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
                connection.settimeout(0.7)
    return answer


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket", b"anything"])
@pytest.mark.parametrize("apart", [False, True])
def test_an_upgrade_with_a_body_makes_one_answer(
    gateway: LiveGateway, upgrade: bytes, apart: bool
) -> None:
    """The body of a request that asks for an upgrade is its body, and no second request."""
    smuggled = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    head = POST + b"Host: x\r\nConnection: upgrade\r\nUpgrade: " + upgrade + b"\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(smuggled)
    parts = (head, smuggled) if apart else (head + smuggled,)
    assert statuses(exchange(gateway, *parts)) == [422]  # the body is no input


def test_trailers_never_become_headers(gateway: LiveGateway) -> None:
    """A payment in a trailer is none, and neither is a request id."""
    chunked = b"%x\r\n%b\r\n0\r\n" % (len(INPUT), INPUT)
    trailers = b"PAYMENT-SIGNATURE: e30=\r\nX-Request-Id: trailing-1234\r\n\r\n"
    head = POST + b"Host: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = exchange(gateway, head + chunked + trailers)
    assert statuses(answer) == [402]
    assert b'"code":"PAYMENT_REQUIRED"' in answer
    assert b"trailing-1234" not in answer
    # The same as headers: what is told of a payment that is none.
    answer = exchange(gateway, head[:-2] + trailers + chunked + b"\r\n")
    assert b'"code":"PAYMENT_HEADER_MALFORMED"' in answer
    assert b"trailing-1234" in answer


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (b"", 400),
        (b"Host: a\r\nHost: b\r\n", 400),
        (b"Host: a\r\nHost: a\r\n", 400),
        (b"Host: a\r\n", 402),
    ],
    ids=["none", "two", "the same twice", "one"],
)
def test_a_request_names_one_host(gateway: LiveGateway, hosts: bytes, status: int) -> None:
    answer = exchange(gateway, POST + hosts + b"Connection: close\r\n" + SIZED + INPUT)
    assert statuses(answer) == [status]


def test_old_requests_need_no_host(gateway: LiveGateway) -> None:
    assert statuses(exchange(gateway, b"GET /health HTTP/1.0\r\n\r\n")) == [200]
