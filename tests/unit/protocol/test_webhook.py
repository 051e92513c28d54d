"""Webhooks: what is signed, what a receiver refuses, and where they may go."""

from dataclasses import replace

import pytest
from eth_account import Account

from inferproof.client.webhook import verify_webhook
from inferproof.errors import InferproofError, Reason, RequestRejected
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN_NAME, INFERPROOF_DOMAIN_VERSION
from inferproof.protocol.webhook import WEBHOOK, Notice, encode_notice, webhook_digest
from inferproof.protocol.webhook_address import is_public, read_webhook_url
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import GATEWAY, STRANGER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

NOTICE = Notice(Digest(b"\x01" * 32), 5, JobState.DONE, 1000)
BODY = encode_notice(NOTICE)
AT = 2000
SIGNATURE = GATEWAY.sign(webhook_digest(NOTICE.delivery, AT, BODY))
HEADERS = {
    "Inferproof-Delivery": NOTICE.delivery.hex,
    "inferproof-timestamp": str(AT),
    "INFERPROOF-SIGNATURE": "0x" + SIGNATURE.hex(),
}


def verify(headers: dict[str, str] = HEADERS, body: bytes = BODY, now: int = AT) -> Notice:
    return verify_webhook(headers, body, gateway=GATEWAY.address, now=now)


def test_a_true_one() -> None:
    assert verify() == NOTICE
    assert verify(now=AT + 300) == verify(now=AT - 300) == NOTICE
    with pytest.raises(RequestRejected):  # with the clock of this machine it is long over
        verify_webhook(HEADERS, BODY, gateway=GATEWAY.address)


def test_any_ethereum_library_recovers_the_signer() -> None:
    domain = {"name": INFERPROOF_DOMAIN_NAME, "version": INFERPROOF_DOMAIN_VERSION}
    value = {"delivery": NOTICE.delivery.raw, "sentAt": AT, "body": BODY}
    signed = Account.sign_typed_data(GATEWAY.secret(), domain, WEBHOOK.types(), value)
    assert bytes(signed.signature) == SIGNATURE


@pytest.mark.parametrize("now", [AT + 301, AT - 301])
def test_an_old_copy(now: int) -> None:
    with rejects(
        Reason.WEBHOOK_STALE,
        f"the webhook was signed at 2000, it is {now}; at most 300 seconds may lie between",
    ):
        verify(now=now)


def test_another_signer_time_or_body() -> None:
    message = f"the webhook is not signed by gateway {GATEWAY.address}"
    forged = STRANGER.sign(webhook_digest(NOTICE.delivery, AT, BODY))
    for headers in (
        {**HEADERS, "INFERPROOF-SIGNATURE": "0x" + forged.hex()},
        {**HEADERS, "INFERPROOF-SIGNATURE": "0x"},
        {**HEADERS, "inferproof-timestamp": str(AT + 1)},
    ):
        with rejects(Reason.WEBHOOK_SIGNATURE, message):
            verify(headers)
    other = replace(NOTICE, state=JobState.FAILED)
    with rejects(Reason.WEBHOOK_SIGNATURE, message):
        verify(body=encode_notice(other))


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        ({**HEADERS, "inferproof-timestamp": "-5"}, BODY),
        ({**HEADERS, "INFERPROOF-SIGNATURE": "zz"}, BODY),
        ({**HEADERS, "Inferproof-Delivery": "0x00"}, BODY),
        (HEADERS, b""),
        (HEADERS, b"[" * 5000),
        (HEADERS, BODY + b" "),
        (HEADERS, BODY.replace(b"webhook/1", b"webhook/2")),
        (HEADERS, BODY.replace(b'"seq":5', b'"seq":6')),
    ],
)
def test_what_is_no_webhook(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(RequestRejected) as caught:
        verify(headers, body)
    assert caught.value.reason is Reason.WEBHOOK_MALFORMED


def test_the_words_of_a_malformed_one() -> None:
    with rejects(
        Reason.WEBHOOK_MALFORMED,
        "the webhook cannot be read: the header Inferproof-Timestamp is missing or is not what it "
        "should be",
    ):
        verify({})


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://buyer.example", "buyer.example", 443, "/"),
        ("https://buyer.example/a?b=c", "buyer.example", 443, "/a?b=c"),
        ("https://buyer.example:8443?b", "buyer.example", 8443, "/?b"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/"),
        ("https://[2606:4700::1]/", "2606:4700::1", 443, "/"),
    ],
)
def test_addresses_that_may_be_called(url: str, host: str, port: int, path: str) -> None:
    target = read_webhook_url(url, private=False)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    "url",
    [
        "http://buyer.example/",
        "ftp://buyer.example/",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "//buyer.example",
        "https://user:word@buyer.example/",
        "https://buyer.example\\@127.0.0.1/",
        "https://buyer.example#@127.0.0.1/",
        "https://buyer.example/ HTTP/1.1",
        "https://buyer.example/\r\nHost: x",
        "https://buyer.example/#fragment",
        "https://búyer.example/",
        "https://buyer.example:0/",
        "https://buyer.example:70000/",
        "https://buyer.example:22/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://192.0.0.192/opc/v2/instance/",
        "https://[::ffff:168.63.129.16]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fe80::1]/",
        "https://buyer.example/" + "a" * 2048,
    ],
)
def test_addresses_that_may_not(url: str) -> None:
    with pytest.raises(InferproofError) as caught:
        read_webhook_url(url, private=False)
    assert caught.value.reason is Reason.WEBHOOK_URL


def test_an_operator_who_allows_it_calls_this_machine() -> None:
    target = read_webhook_url("http://127.0.0.1:8080/hook", private=True)
    assert (target.scheme, target.authority) == ("http", "127.0.0.1:8080")
    with rejects(
        Reason.WEBHOOK_URL, "the webhook's address cannot be used: it must begin with https://"
    ):
        read_webhook_url("http://127.0.0.1:8080/hook", private=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "192.0.0.192",
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:a00::1",
        "fec0::1",
        "2001:db8::1",
        "localhost",
        "",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("192.0.0.192", "Oracle Cloud"),
        ("168.63.129.16", "Azure"),
        ("100.100.100.200", "Alibaba Cloud"),
        ("169.254.169.254", "AWS, Azure, Google Cloud and others"),
        ("[fd00:ec2::254]", "AWS"),
        ("[fd20:ce::254]", "Google Cloud"),
        ("[::ffff:c000:c0]", "Oracle Cloud"),
    ],
)
def test_metadata_addresses_are_refused_by_name(host: str, provider: str) -> None:
    message = (
        f"the webhook's address cannot be used: {host.strip('[]')} is a metadata address of "
        f"{provider}"
    )
    with rejects(Reason.WEBHOOK_URL, message):
        read_webhook_url(f"https://{host}/", private=False)
