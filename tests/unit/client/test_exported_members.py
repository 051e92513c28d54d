"""The public surface of the client, on purpose small: widening it is a decision."""

import inspect

import inferproof.client as client


def test_exported_names() -> None:
    assert client.__all__ == [
        "DEVNET",
        "USDC",
        "Answer",
        "AsyncClient",
        "Client",
        "Limits",
        "MadeTransfer",
        "Offer",
        "PaidCall",
        "Signer",
        "verify_webhook",
    ]
    assert all(hasattr(client, name) for name in client.__all__)


def public(cls: type) -> list[str]:
    return sorted(name for name, _ in inspect.getmembers(cls) if not name.startswith("_"))


def test_members_of_the_clients() -> None:
    assert public(client.Client) == [
        "close",
        "events",
        "infer",
        "offer",
        "open_call",
        "open_jobs",
        "request",
        "rescue",
        "resume",
        "resume_request",
        "wait",
    ]
    assert public(client.AsyncClient) == [
        "aclose",
        "events",
        "infer",
        "offer",
        "open_call",
        "open_jobs",
        "request",
        "rescue",
        "resume",
        "resume_request",
        "wait",
    ]


def test_both_clients_take_the_same_arguments() -> None:
    for name in ("events", "infer", "offer", "resume", "wait"):
        sync, awaited = getattr(client.Client, name), getattr(client.AsyncClient, name)
        assert inspect.signature(sync).parameters == inspect.signature(awaited).parameters


def test_a_price_limit_must_be_given() -> None:
    parameter = inspect.signature(client.Client.infer).parameters["max_price"]
    assert parameter.default is inspect.Parameter.empty
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
