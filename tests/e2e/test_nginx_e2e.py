"""A gateway behind the nginx of deploy/nginx: what the proxy refuses, and what it lets through."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from live_parts import MODEL
from nginx_server import NginxServer

from inferproof.client import Client
from inferproof.client.tools import installed_tools
from inferproof.payments.parts import payment_parts
from inferproof.payments.x402 import PAYMENT_REQUIRED
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools

pytestmark = [pytest.mark.slow, pytest.mark.nginx]

PATH = f"/v1/models/{MODEL}/infer"
INPUT = b'{"input": [[1, 1, 1]]}'
JSON = {"content-type": "application/json"}
CONNECTIONS = 4
"""Of one address, instead of the 256 that are shipped; and seconds instead of tens."""


@pytest.fixture(scope="module")
def nginx(gateway: LiveGateway) -> Iterator[NginxServer]:
    address = urlsplit(gateway.url)
    with NginxServer(
        f"{address.hostname}:{address.port}",
        limit_conn=f"inferproof_connections 256 -> inferproof_connections {CONNECTIONS}",
        client_header_timeout="10s -> 1s",
        client_body_timeout="20s -> 1s",
        send_timeout="20s -> 1s",
    ) as nginx:
        yield nginx


def connect(nginx: NginxServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", nginx.port), timeout=10)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection ends."""
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except ConnectionResetError:
        pass
    return answer


def test_the_402_and_its_header_pass(nginx: NginxServer) -> None:
    """By default nginx answers 502 where the head of an answer is larger than 4 KiB."""
    answer = httpx.post(nginx.url + PATH, content=INPUT, headers=JSON)
    assert answer.status_code == 402
    assert answer.headers[PAYMENT_REQUIRED]


def test_a_paid_call_passes(
    nginx: NginxServer, devnet: DevnetInfo, toy: dict[str, ToySystem]
) -> None:
    with Client(
        nginx.url,
        key=devnet.accounts.buyer,
        policy=Policy(minimum_assurance=Assurance.COMMITMENT),
        tools=Tools(lambda name: toy[name], installed_tools().preprocess, payment_parts()),
    ) as client:
        assert client.infer(MODEL, [[1.0, 2.0, 3.0]], max_price="0.25").verified


def test_a_slow_head_is_cut_off(nginx: NginxServer) -> None:
    with connect(nginx) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        assert rest(connection)[:13] in (b"", b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 8


def test_a_head_that_trickles_is_cut_off(nginx: NginxServer) -> None:
    """Each line comes in time, and the whole does not."""
    with connect(nginx) as connection:
        connection.settimeout(0.2)
        began, ended = time.monotonic(), False
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        while not ended and time.monotonic() - began < 8:
            try:
                connection.sendall(b"X-Slow: 1\r\n")
                ended = connection.recv(1) == b""
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                ended = True
        assert ended


@pytest.mark.parametrize("size", [33_000, 200_000])
def test_a_large_head_is_refused(nginx: NginxServer, size: int) -> None:
    with connect(nginx) as connection:
        head = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Large: " + b"a" * size
        try:
            connection.sendall(head + b"\r\nConnection: close\r\n\r\n")
        except OSError:
            return  # refused before it was all sent
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


def test_a_payment_of_sixteen_kib_passes(nginx: NginxServer) -> None:
    headers = {**JSON, "PAYMENT-SIGNATURE": "e" * 16_384}
    answer = httpx.post(nginx.url + PATH, content=INPUT, headers=headers)
    assert answer.json()["error"]["code"] == "PAYMENT_HEADER_MALFORMED"


def test_too_many_connections_of_one_address_are_refused(nginx: NginxServer) -> None:
    """Those count that have a request under way, such as one whose body is still coming."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(connect(nginx)).sendall(head)
        time.sleep(0.2)
        assert httpx.get(f"{nginx.url}/health").status_code == 503
    end = time.monotonic() + 10
    while httpx.get(f"{nginx.url}/health").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_slow_body_is_cut_off(nginx: NginxServer) -> None:
    with connect(nginx) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".encode())
        began = time.monotonic()
        rest(connection)
        assert time.monotonic() - began < 8


def test_a_slow_reader_is_cut_off(nginx: NginxServer) -> None:
    """Answers pile up unread until nginx ends the connection, and nothing is kept for it."""
    count = 400
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", nginx.port))
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.setblocking(False)
        sent = 0
        while sent < count:
            try:
                connection.sendall(asked)
            except BlockingIOError:
                break
            sent += 1
        time.sleep(4)
        connection.settimeout(10)
        assert rest(connection).count(b"HTTP/1.1 200 OK") < sent


def test_what_is_the_operators_is_not_shown_to_others(nginx: NginxServer) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as other:
        for path in ("/metrics", "/ready"):
            assert httpx.get(nginx.url + path).status_code == 200
            assert other.get(nginx.url + path).status_code == 403
        assert other.get(f"{nginx.url}/health").status_code == 200
