"""What a client signed: how much, and each call that has no answer yet.

A call is recorded before its payment leaves the machine. In memory, or in a directory that
several processes may share:

    DIR/spent.json        {"eip155:8453 0x8335…": "250000"}: atomic units signed for
    DIR/calls/JOB.json    a paid call without an answer yet; resume(JOB) sends it again
"""

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inferproof.errors import InferproofError, Misconfigured, NotFound, Reason
from inferproof.payments.buyer import SignedPayment
from inferproof.payments.parts import read_signed
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.encoding import Json, canonical_json, parse_canonical_json
from inferproof.protocol.fields import Fields
from inferproof.protocol.json_text import read_json
from inferproof.protocol.quote import quote_json, read_quote
from inferproof.types.digest import Digest
from inferproof.types.money import Asset, Money
from inferproof.types.payment import Quote

MAX_CALL_BYTES = 128 * 2**20
WEBHOOK = "Inferproof-Webhook"
IDEMPOTENCY_KEY = "Idempotency-Key"
PRIVATE_INPUT = "Inferproof-Private-Input"


@dataclass(frozen=True, slots=True)
class PaidCall:
    """A request, and the signed payment that goes with it: sent again, it is the same job.
    Whoever holds it can have the request answered, but nothing more.

    `request_salt` is that of a private input, and part of the request. `webhook` is told when the
    job is over. With `idempotency_key` an earlier payment may have
    bought the answer; `earlier` is its job then, and never kept.
    """

    path: str
    body: bytes = field(repr=False)
    payment: SignedPayment
    quote: Quote
    quote_signature: bytes = field(repr=False)
    webhook: str | None = field(default=None, repr=False)
    idempotency_key: str | None = None
    request_salt: bytes | None = field(default=None, repr=False)
    earlier: Digest | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What is sent beside the request, each time it is sent; names in lower case."""
        sent = {
            self.payment.header_name: self.payment.header,
            WEBHOOK: self.webhook,
            IDEMPOTENCY_KEY: self.idempotency_key,
            PRIVATE_INPUT: None if self.request_salt is None else "0x" + self.request_salt.hex(),
        }
        return {name.lower(): value for name, value in sent.items() if value is not None}

    @property
    def answering_job(self) -> Digest:
        """The job whose answer this call gets."""
        return self.earlier or self.job_id

    @property
    def job_id(self) -> Digest:
        return self.payment.job_id(self.request)

    @property
    def request(self) -> Digest:
        return request_digest("POST", self.path, self.body, self.request_salt)

    def to_bytes(self) -> bytes:
        """The call as canonical JSON."""
        value: dict[str, Json] = {
            "path": self.path,
            "body": base64.b64encode(self.body).decode(),
            "header": self.payment.header,
            "method": self.payment.method,
            "quote": quote_json(self.quote),
            "quoteSignature": "0x" + self.quote_signature.hex(),
        }
        if self.webhook is not None:
            value["webhook"] = self.webhook
        if self.idempotency_key is not None:
            value["idempotencyKey"] = self.idempotency_key
        if self.request_salt is not None:
            value["requestSalt"] = "0x" + self.request_salt.hex()
        return canonical_json(value)

    @classmethod
    def from_bytes(cls, data: bytes) -> "PaidCall":
        """The call that `to_bytes` wrote. Raises: InferproofError for anything else."""
        fields = Fields(parse_canonical_json(data, max_bytes=MAX_CALL_BYTES), "paid call")
        quote = fields.nested("quote", read_quote)
        header = fields.text("header", most=64 * 1024)
        payment = read_signed(_read_method(fields), header, quote.price.asset)
        call = cls(
            path=fields.text("path", most=4096),
            body=fields.base64("body", most=MAX_CALL_BYTES),
            payment=payment,
            quote=quote,
            quote_signature=fields.hex_bytes("quoteSignature", length=65),
            webhook=fields.text("webhook", most=2048) if fields.has("webhook") else None,
            idempotency_key=(
                fields.text("idempotencyKey", most=128) if fields.has("idempotencyKey") else None
            ),
            request_salt=(
                fields.hex_bytes("requestSalt", length=32) if fields.has("requestSalt") else None
            ),
        )
        fields.end()
        return call


def _read_method(fields: Fields) -> str:
    if fields.has("method"):
        return fields.text("method", most=64)
    # The first release named no method, and marked one of the two that it had.
    return "transfer" if fields.has("transfer") and fields.take("transfer", bool) else "exact"


class Ledger:
    """Spending and open calls, kept in `directory` or, without one, in memory."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._threads = threading.Lock()
        self._spent: dict[str, int] = {}
        self._calls: dict[Digest, PaidCall] = {}
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            (directory / "calls").mkdir(exist_ok=True, mode=0o700)

    def spent(self, asset: Asset) -> int:
        """Atomic units of the asset that were signed for, answered or not.

        Raises: Misconfigured CLIENT_STATE_DAMAGED.
        """
        return self._read_spent().get(_key(asset), 0)

    def record(self, call: PaidCall, check: Callable[[int], None]) -> None:
        """Counts the call's price and keeps the call, durably, before it is sent.

        `check` is given what was spent so far and raises to prevent it; between it and the
        record no other process can spend. Raises: Misconfigured CLIENT_STATE_DAMAGED.
        """
        price: Money = call.payment.costs(call.quote)
        with self._locked():
            spent = self._read_spent()
            before = spent.get(_key(price.asset), 0)
            check(before)
            spent[_key(price.asset)] = before + price.amount
            if self._directory is not None:
                # In this order a crash in between counts too much, never too little.
                text = {key: str(amount) for key, amount in sorted(spent.items())}
                _write(self._directory / "spent.json", json.dumps(text, indent=1).encode())
                _write(self._call_file(call.job_id), call.to_bytes())
            self._spent = spent
            self._calls[call.job_id] = call

    def finish(self, job: Digest) -> None:
        """Forgets a call that was answered, or that will never be."""
        self._calls.pop(job, None)
        if self._directory is not None:
            self._call_file(job).unlink(missing_ok=True)

    def open_jobs(self) -> tuple[Digest, ...]:
        """The jobs of all calls that were signed and have no answer yet."""
        found = set(self._calls)
        if self._directory is not None:
            found |= {
                Digest.from_hex(path.stem) for path in (self._directory / "calls").glob("0x*.json")
            }
        return tuple(sorted(found))

    def call(self, job: Digest) -> PaidCall:
        """The open call of a job.

        Raises: NotFound CALL_UNKNOWN; Misconfigured CLIENT_STATE_DAMAGED.
        """
        known = self._calls.get(job)
        if known is not None:
            return known
        if self._directory is None or not self._call_file(job).is_file():
            raise NotFound(Reason.CALL_UNKNOWN, job=job)
        path = self._call_file(job)
        try:
            return PaidCall.from_bytes(path.read_bytes())
        except InferproofError as error:
            raise _damaged(path, error.message) from None

    def _call_file(self, job: Digest) -> Path:
        assert self._directory is not None  # noqa: S101 - callers look first
        return self._directory / "calls" / f"{job.hex}.json"

    def _read_spent(self) -> dict[str, int]:
        if self._directory is None:
            return dict(self._spent)
        path = self._directory / "spent.json"
        if not path.exists():
            return {}
        try:
            value = read_json(path.read_bytes())
            return {str(key): _whole(amount) for key, amount in value.items()}
        except (ValueError, AttributeError):
            raise _damaged(path, "it is not a table of amounts") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._threads:
            if self._directory is None:
                yield
                return
            import fcntl  # not on Windows, where only the directory is missing

            with (self._directory / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield


def _key(asset: Asset) -> str:
    return f"{asset.network} {asset.address}"


def _whole(amount: object) -> int:
    if not isinstance(amount, str) or not amount.isascii() or not amount.isdigit():
        raise ValueError
    return int(amount)


def _write(path: Path, data: bytes) -> None:
    """Replaces the file whole, and durably: after a crash it is the old one or the new one."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _damaged(path: Path, why: str) -> Misconfigured:
    return Misconfigured(Reason.CLIENT_STATE_DAMAGED, path=path, why=why)
