"""Buying: look at what a gateway sells, ask for a price, pay for one call, ask again."""

import json
import math
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from inferproof.cli.console import (
    JsonFlag,
    err,
    failures,
    out,
    plain,
    print_json,
    print_table,
    progress,
)
from inferproof.cli.files import check_writable, read_file, read_key, write_file
from inferproof.cli.gateway import ask, checked_url
from inferproof.client import Answer, Client, Limits, MadeTransfer, Offer
from inferproof.errors import InputRejected, Reason, RequestRejected, Unavailable
from inferproof.protocol.encoding import is_json_shallow, keccak256
from inferproof.protocol.input_opening import encode_input_opening
from inferproof.protocol.receipt import encode_receipt_file
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.money import format_units
from inferproof.types.proof import AskedVisibility, Assurance
from inferproof.verify.policy import Policy

MAX_INPUT_BYTES = 64 * 2**20
LIST_TIMEOUT_S = 15.0
QUOTE_ATTEMPTS = 2
"""Nothing is at stake yet: who types an address that nobody answers at is told soon."""

Url = Annotated[
    str, typer.Argument(metavar="URL", help="The gateway's address.", callback=checked_url)
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model's id, or id@version.")]
Input = Annotated[
    str,
    typer.Option(
        "--input",
        help="Text, JSON, or @FILE with either; as the model takes it. What is JSON is sent as "
        "JSON: a text that looks like a number needs quotes of its own, '\"2024\"'.",
    ),
]
KeyFile = Annotated[
    Path,
    typer.Option(
        envvar="INFERPROOF_BUYER_KEY_FILE",
        help="File with the paying key, 64 hex digits, readable by its owner only.",
    ),
]
VisibilityOption = Annotated[
    AskedVisibility,
    typer.Option(
        help="Of the input: public, or private (models of sumcheck): then "
        "neither proof nor receipt shows it, and only you can open what they hold of it."
    ),
]
OpeningOption = Annotated[
    Path | None,
    typer.Option(
        help="Where the secret opening of a private input is written; the receipt's name with "
        ".opening behind it without this."
    ),
]
State = Annotated[
    Path,
    typer.Option(
        envvar="INFERPROOF_BUYER_STATE",
        help="Folder that keeps what was spent and calls without an answer yet.",
    ),
]
DEFAULT_STATE = Path("inferproof-buyer")


def register(app: typer.Typer) -> None:
    """Adds the commands of this room."""
    app.command("models")(models)
    app.command("quote")(quote)
    app.command("call")(call)
    app.command("resume")(resume)


def models(
    url: Url,
    category: Annotated[str | None, typer.Option(help="Only this category.")] = None,
    max_price: Annotated[str | None, typer.Option(help="Only up to this price.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List what a gateway sells."""
    asked = {"category": category, "max_price": max_price}
    with failures(as_json=as_json):
        query = {k: v for k, v in asked.items() if v is not None}
        answer = ask("GET", url, "/v1/models", query=query, timeout_s=LIST_TIMEOUT_S)
        if as_json:
            print_json(answer)
        else:
            print_table(_listed(answer))


def quote(
    url: Url,
    model: Model,
    value: Input,
    visibility: VisibilityOption = AskedVisibility.PUBLIC,
    as_json: JsonFlag = False,
) -> None:
    """Ask what a call would cost. Nothing is paid and nothing is signed."""
    nobody = SigningKey(keccak256(b"inferproof/no-payer"))  # an offer needs no payer
    with failures(as_json=as_json):
        with Client(url, key=nobody, attempts=QUOTE_ATTEMPTS) as client:
            private = visibility is AskedVisibility.PRIVATE
            offer = client.offer(model, read_input(value), private_input=private)
        if as_json:
            print_json(offer_json(offer))
            return
        for name, text in offer_json(offer).items():
            out.print(f"[bold]{name:18}[/] {plain(text)}")


def call(
    url: Url,
    model: Model,
    value: Input,
    key_file: KeyFile,
    max_price: Annotated[
        str, typer.Option(help="The most to pay, such as 0.25. With --pass nothing is paid.")
    ] = "0",
    receipt: Annotated[Path, typer.Option(help="Where the receipt is written.")] = Path(
        "receipt.json"
    ),
    state: State = DEFAULT_STATE,
    budget: Annotated[
        str | None, typer.Option(help="The most to spend in total with this state folder.")
    ] = None,
    payee: Annotated[
        list[str] | None, typer.Option(help="Pay only to this address; may be repeated.")
    ] = None,
    minimum_assurance: Annotated[
        Assurance, typer.Option(help="The least assurance to accept.")
    ] = Assurance.ZK_INTEGRITY,
    transfer: Annotated[
        str | None,
        typer.Option(
            metavar="TX",
            help="Pay with a transfer of the key's own that was made before: the hash of its "
            "transaction. The whole amount is given for this call.",
        ),
    ] = None,
    transfer_log: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Which log of that transaction it is, from 0; else the first that fits and is "
            "unused.",
        ),
    ] = None,
    right: Annotated[
        str | None,
        typer.Option(
            "--pass",
            metavar="RIGHT",
            help="Pay with a call of a pass, a pack or a subscription that the key has bought on "
            "the chain before: its right, as inferproof access buy prints it.",
        ),
    ] = None,
    visibility: VisibilityOption = AskedVisibility.PUBLIC,
    opening: OpeningOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go as far as the limits and pay nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Pay for one call, verify the proof, and keep the receipt."""
    private = visibility is AskedVisibility.PRIVATE
    if opening is not None and not private:
        raise typer.BadParameter("--opening goes with --visibility private")
    with failures(as_json=as_json):
        check_writable(receipt)
        if private:
            check_writable(opening_file(receipt, opening))
        made = _made(transfer, transfer_log)
        bought = None if right is None else Digest.from_hex(right)
        limits = Limits(
            budget=budget,
            payees=frozenset(map(Address.from_hex, payee)) if payee else None,
        )
        with (
            Client(
                url,
                key=read_key(key_file),
                limits=limits,
                policy=Policy(minimum_assurance=minimum_assurance),
                state=state,
                dry_run=dry_run,
            ) as client,
            progress("calling") as report,
        ):
            report("paying, proving, verifying", 0.5)
            answer = client.infer(
                model,
                read_input(value),
                max_price=max_price,
                transfer=made,
                right=bought,
                private_input=private,
            )
        keep_answer(answer, receipt, opening_file(receipt, opening), url)
        show_answer(answer, receipt, opening_file(receipt, opening), as_json=as_json)


def resume(
    url: Url,
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job id that was paid for.")],
    key_file: KeyFile,
    receipt: Annotated[Path, typer.Option(help="Where the receipt is written.")] = Path(
        "receipt.json"
    ),
    opening: OpeningOption = None,
    state: State = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """Ask again for a call that was paid for and has no answer yet. Never pays twice."""
    with failures(as_json=as_json):
        check_writable(receipt)
        with (
            Client(url, key=read_key(key_file), state=state) as client,
            progress("calling") as report,
        ):
            report("asking again", 0.5)
            answer = client.resume(Digest.from_hex(job))
        keep_answer(answer, receipt, opening_file(receipt, opening), url)
        show_answer(answer, receipt, opening_file(receipt, opening), as_json=as_json)


def _made(transfer: str | None, log: int | None) -> MadeTransfer | None:
    if transfer is None:
        if log is not None:
            raise typer.BadParameter("--transfer-log needs --transfer")
        return None
    return MadeTransfer(Digest.from_hex(transfer), log)


def read_input(text: str) -> Any:
    """The raw input that `--input` names: JSON where it is JSON, else text; `@FILE` is read.

    Raises: RequestRejected FILE_UNREADABLE, FILE_TOO_LARGE; InputRejected INPUT_NOT_TEXT,
    INPUT_NOT_FINITE.
    """
    name = text[1:] if text.startswith("@") else "--input"
    try:
        if text.startswith("@"):
            text = read_file(Path(name), MAX_INPUT_BYTES).decode("utf-8-sig")
        value = _json_or_text(text)
        # What is not UTF-8 on the command line, or an escape in JSON, may be half a character.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeError:
        raise InputRejected(Reason.INPUT_NOT_TEXT, path=name) from None
    except ValueError:
        raise InputRejected(Reason.INPUT_NOT_FINITE, name=name) from None
    return value


def _json_or_text(text: str) -> Any:
    as_text = text.rstrip("\r\n")
    if not is_json_shallow(text.encode("utf-8")):
        return as_text
    try:
        value = json.loads(text)
    except ValueError:
        return as_text
    # NaN and Infinity alone are words, not numbers of JSON.
    return as_text if isinstance(value, float) and not math.isfinite(value) else value


def offer_json(offer: Offer) -> dict[str, Any]:
    """What an offer says, for people and programs. Units stand in the names. Assurance and whether
    inputs can be private are told and not signed; a receipt shows them."""
    price = offer.quote.price
    return {
        "model": offer.quote.model_id,
        "model_commitment": offer.quote.model_commitment.hex,
        "price": format_units(price.amount, price.asset.decimals),
        "symbol": price.asset.symbol,
        "network": price.asset.network.caip2,
        "payee": offer.quote.payee.hex,
        "proof_system": offer.quote.proof_system,
        "assurance": None if offer.proof.assurance is None else offer.proof.assurance.value,
        "private_inputs": offer.proof.private_inputs,
        "prove_ms": offer.quote.prove_ms,
        "peak_bytes": offer.quote.peak_bytes,
        "proof_bytes": offer.quote.proof_bytes,
        "verify_gas": offer.quote.verify_gas,
        "expires_at": offer.quote.expires_at,
        "request_digest": offer.request.hex,
        "gateway": offer.gateway.hex,
    }


_YES_NO = {True: "yes", False: "no"}


def _listed(answer: dict[str, Any]) -> Table:
    columns = ("model", "title", "takes", "answers", "price", "proof", "level", "private inputs")
    table = Table(*columns, box=None)
    try:
        for item in answer["models"]:
            cells = (
                f"{item['id']}@{item['version']}",
                item["title"],
                item["input"]["type"],
                item["output"]["type"],
                item["price"]["text"],
                item["proof"]["system"],
                item["proof"]["assurance"],
                _YES_NO.get(item["proof"].get("private_inputs"), ""),
            )
            table.add_row(*map(plain, cells))
    except (KeyError, TypeError):
        raise Unavailable(
            Reason.GATEWAY_ANSWER, method="GET", path="/v1/models", problem="it lists no models"
        ) from None
    return table


def opening_file(receipt: Path, opening: Path | None) -> Path:
    """Where an opening is written: beside the receipt, unless it is named."""
    return opening or receipt.with_name(receipt.name + ".opening")


def keep_answer(answer: Answer, receipt: Path, opening: Path, url: str) -> None:
    """Writes the receipt, and the opening of a private input. Raises: RequestRejected
    FILE_NOT_WRITTEN."""
    try:
        if answer.opening is not None:
            write_file(opening, encode_input_opening(answer.opening), owner_only=True)
        write_file(receipt, encode_receipt_file(answer.receipt_file))
    except RequestRejected as error:
        where = f"{url.rstrip('/')}/v1/receipts/{answer.job_id}"
        why = f"{error.facts['why']}; the call is paid, and its receipt stays at {where}"
        raise RequestRejected(Reason.FILE_NOT_WRITTEN, path=receipt, why=why) from None


def show_answer(answer: Answer, receipt: Path, opening: Path, *, as_json: bool) -> None:
    """Prints an answer whose receipt was written."""
    body = answer.receipt_file.receipt
    if as_json:
        print_json(
            {
                "job_id": answer.job_id.hex,
                "label": answer.label,
                "outputs": {t.name: t.to_array().tolist() for t in answer.outputs},
                "verified": answer.verified,
                "assurance": body.assurance.value,
                "proven": body.proven,
                "paid": format_units(body.payment.amount, body.payment.asset.decimals),
                "symbol": body.payment.asset.symbol,
                "transaction": (
                    body.settlement.transaction.hex if body.settlement.transaction else None
                ),
                "receipt": str(receipt),
                "opening": str(opening) if answer.opening is not None else None,
                "timings": answer.timings,
            }
        )
        return
    for step in answer.steps:
        err.print(f"[green]✓[/] {step.number:2}  {step.name}  [dim]{plain(step.detail)}[/]")
    if answer.label is not None:
        out.print(f"[bold]{plain(answer.label)}[/]")
    for tensor in answer.outputs:
        values = ", ".join(f"{v:.4g}" for v in tensor.to_array().reshape(-1)[:8])
        more = ", …" if len(tensor.values) > 8 else ""
        out.print(f"{plain(tensor.name)}: {values}{more}")
    out.print(f"paid {plain(body.payment.money)}, job {answer.job_id}")
    out.print(plain(body.proven))
    if answer.opening is not None:
        out.print(
            "the input is private, and the proof is about it; its opening is in "
            + plain(shlex.quote(str(opening)))
        )
    shown = plain(shlex.quote(str(receipt)))
    out.print(f"receipt written to {shown}; check it with: inferproof verify {shown}")
