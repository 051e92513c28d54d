"""What a client remembers of its payments."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from gateway_double import BODY, GatewayDouble, buyer, drive

from inferproof.client import MadeTransfer
from inferproof.client.flow import infer_flow
from inferproof.client.ledger import Ledger, PaidCall
from inferproof.client.orders import order_in
from inferproof.client.steps import Lost
from inferproof.errors import (
    InferproofError,
    Misconfigured,
    Reason,
    RequestRejected,
    Unavailable,
)
from inferproof.payments.header import decode_header, encode_header
from inferproof.payments.x402.wire import EXTENSION
from inferproof.protocol.encoding import canonical_json
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET
from inferproof.types.digest import Address, Digest


def signed_call() -> PaidCall:
    """A call that was signed and never answered."""
    who = buyer(attempts=1)
    with pytest.raises(Unavailable):
        drive(infer_flow(who, "sample", BODY, "0.25"), GatewayDouble(faults=[Lost("gone")]))
    (job,) = who.ledger.open_jobs()
    return who.ledger.call(job)


def test_a_call_is_written_and_read_back() -> None:
    call = signed_call()
    read = PaidCall.from_bytes(call.to_bytes())
    assert read == call
    assert read.payment.salt == Digest(b"\x5a" * 32)
    assert read.job_id == call.job_id


def test_a_call_that_no_order_pays_for_has_none() -> None:
    call = signed_call()
    with rejects(
        Reason.CALL_WITHOUT_ORDER,
        f"the call of job {call.job_id} was not paid for by an order in an escrow",
        kind=RequestRejected,
    ):
        order_in(call)


def test_the_salt_of_a_private_input_is_part_of_the_call() -> None:
    call = replace(signed_call(), request_salt=b"\x77" * 32)
    read = PaidCall.from_bytes(call.to_bytes())
    assert read == call
    assert read.headers["inferproof-private-input"] == "0x" + "77" * 32
    assert read.request != signed_call().request
    assert "7777" not in repr(read)
    assert "inferproof-private-input" not in signed_call().headers


def test_the_job_of_a_call_is_made_of_its_request_and_its_salt() -> None:
    call = signed_call()
    unsalted = replace(call, payment=replace(call.payment, salt=None))  # type: ignore[type-var]
    others = [unsalted, replace(call, body=BODY + b" "), replace(call, path="/x")]
    assert len({call.job_id, *(other.job_id for other in others)}) == 4


def test_the_salt_neither_prints_nor_is_needed() -> None:
    call = signed_call()
    assert "5a5a" not in repr(call)
    payload = decode_header(call.payment.header)
    del payload["extensions"][EXTENSION]["info"]["salt"]
    signed = replace(call.payment, header=encode_header(payload), salt=None)  # type: ignore[type-var]
    bare = replace(call, payment=signed)
    assert PaidCall.from_bytes(bare.to_bytes()) == bare


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"path":1}'])
def test_what_is_no_call(data: bytes) -> None:
    with pytest.raises(InferproofError):
        PaidCall.from_bytes(data)


@pytest.mark.parametrize("shared", [False, True])
def test_spending_adds_up_per_asset(tmp_path: Path, shared: bool) -> None:
    ledger = Ledger(tmp_path if shared else None)
    call = signed_call()
    seen: list[int] = []
    ledger.record(call, seen.append)
    ledger.record(call, seen.append)
    assert seen == [0, 250_000]
    assert ledger.spent(ASSET) == 500_000
    assert ledger.spent(replace(ASSET, address=Address(b"\x01" * 20))) == 0
    ledger.finish(call.job_id)
    ledger.finish(call.job_id)
    assert ledger.open_jobs() == ()
    assert ledger.spent(ASSET) == 500_000


def test_what_the_check_forbids_is_not_recorded(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)

    def forbid(spent: int) -> None:
        raise Unavailable(Reason.GATEWAY_LOST, why=str(spent))

    with pytest.raises(Unavailable):
        ledger.record(signed_call(), forbid)
    assert (ledger.spent(ASSET), ledger.open_jobs()) == (0, ())


def test_two_ledgers_share_a_directory(tmp_path: Path) -> None:
    call = signed_call()

    def spend() -> None:
        for _ in range(5):
            Ledger(tmp_path).record(call, lambda _: None)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Ledger(tmp_path).spent(ASSET) == 20 * 250_000


def test_its_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(signed_call(), lambda _: None)
    files = [*tmp_path.glob("*.json"), *(tmp_path / "calls").iterdir()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize("text", ["", "[]", '{"a":1}', '{"a":"-1"}', '{"a":"x"}'])
def test_a_damaged_spending_file_stops_the_client(tmp_path: Path, text: str) -> None:
    (tmp_path / "spent.json").write_text(text)
    path = tmp_path / "spent.json"
    with rejects(
        Reason.CLIENT_STATE_DAMAGED,
        f"the client's file {path} is damaged: it is not a table of amounts",
        kind=Misconfigured,
    ):
        Ledger(tmp_path).spent(ASSET)


def test_a_damaged_call_is_named(tmp_path: Path) -> None:
    call = signed_call()
    ledger = Ledger(tmp_path)
    ledger.record(call, lambda _: None)
    path = tmp_path / "calls" / f"{call.job_id.hex}.json"
    path.write_text(json.dumps({"path": 1}))
    with pytest.raises(Misconfigured) as caught:
        Ledger(tmp_path).call(call.job_id)
    assert caught.value.facts["path"] == path


@pytest.mark.parametrize("by_transfer", [False, True])
def test_a_call_that_the_first_release_kept_is_read(by_transfer: bool) -> None:
    """It named no method, and marked those that were paid by a transfer."""
    way = MadeTransfer(Digest(b"\x0e" * 32)) if by_transfer else None
    who = buyer(attempts=1)
    flow = infer_flow(who, "sample", BODY, "0.25", None, way)
    with pytest.raises(Unavailable):
        drive(flow, GatewayDouble(faults=[Lost("gone")]))
    (job,) = who.ledger.open_jobs()
    kept = json.loads(who.ledger.call(job).to_bytes())
    assert kept.pop("method") == ("transfer" if by_transfer else "exact")
    old = canonical_json(kept | ({"transfer": True} if by_transfer else {}))
    assert PaidCall.from_bytes(old) == who.ledger.call(job)


def test_a_call_of_a_method_that_is_not_known() -> None:
    kept = json.loads(signed_call().to_bytes()) | {"method": "gold"}
    with pytest.raises(InferproofError):
        PaidCall.from_bytes(canonical_json(kept))
