"""`inferproof request`: calls whose money waits in an escrow, and what becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferproof.cli.buyer import (
    DEFAULT_STATE,
    Input,
    KeyFile,
    Model,
    State,
    Url,
    keep_answer,
    opening_file,
    read_input,
    show_answer,
)
from inferproof.cli.console import JsonFlag, failures, out, plain, print_json, progress
from inferproof.cli.contract import Rpc
from inferproof.cli.files import check_writable, read_file, read_key
from inferproof.cli.parts import need
from inferproof.client import Answer, Client, Limits
from inferproof.errors import RequestRejected
from inferproof.protocol.signature import SigningKey
from inferproof.types.digest import Address, Digest
from inferproof.types.money import format_units
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy

if TYPE_CHECKING:
    from inferproof.chain.answers import ChainReceipt
    from inferproof.chain.escrow import Escrow
    from inferproof.payments.escrow.wire import SignedOrder

MAX_RECEIPT = 512 * 2**20

OrderName = Annotated[
    str,
    typer.Argument(
        metavar="ORDER", help="The order's id, as the state folder has it, or a receipt's file."
    ),
]
ReceiptFile = Annotated[Path, typer.Option("--receipt", help="Where the receipt is written.")]
RECEIPT = Path("receipt.json")

request = typer.Typer(
    name="request",
    help="Ask for proved answers whose money waits in an escrow.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(request)


@request.command("new")
def new(
    url: Url,
    model: Model,
    value: Input,
    max_price: Annotated[str, typer.Option(help="The most to lock, such as 0.25.")],
    rpc: Rpc,
    escrow: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The escrow that you trust with the money, as `inferproof chain verify` finds it.",
        ),
    ],
    key_file: KeyFile,
    receipt: ReceiptFile = RECEIPT,
    accept_within: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="For the server to accept.")
    ] = 120,
    deliver_within: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="For that server to deliver, after that.")
    ] = 600,
    rescue_within: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="For any server to deliver, after that.")
    ] = 600,
    bond_bps: Annotated[
        int,
        typer.Option(
            min=0, max=100_000, help="What the server stakes, in basis points of the price."
        ),
    ] = 2_000,
    any_server: Annotated[
        bool, typer.Option("--any-server", help="Let others than the gateway's server accept.")
    ] = False,
    gas_key_file: Annotated[
        Path | None,
        typer.Option(help="File with a key that pays the gas, where it is not the buyer's."),
    ] = None,
    minimum_assurance: Annotated[
        Assurance, typer.Option(help="The least assurance to accept.")
    ] = Assurance.ZK_INTEGRITY,
    budget: Annotated[
        str | None, typer.Option(help="The most to spend in total with this state folder.")
    ] = None,
    state: State = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """Lock the price in the escrow, have the input proved, verify the proof, keep the receipt.

    The contract pays once it has verified the proof; the money comes back where none comes in time.
    The order is written into the state folder before its money is locked: run `request resume`
    after a failure.
    """
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.app.ordering", extra="chain")
        from inferproof.app.ordering import BuyerChain
        from inferproof.client.orders import OrderTerms

        check_writable(receipt)
        key = read_key(key_file)
        chain = BuyerChain(rpc, key if gas_key_file is None else read_key(gas_key_file))
        terms = OrderTerms(
            accept_s=accept_within,
            deliver_s=deliver_within,
            rescue_s=rescue_within,
            bond_bps=bond_bps,
            any_server=any_server,
        )
        with (
            Client(
                url,
                key=key,
                limits=Limits(budget=budget),
                policy=Policy(minimum_assurance=minimum_assurance),
                state=state,
            ) as client,
            progress("asking") as report,
        ):
            report("locking, proving, verifying", 0.5)
            answer = client.request(
                model,
                read_input(value),
                max_price=max_price,
                escrow=Address.from_hex(escrow),
                chain=chain,
                terms=terms,
            )
        _keep(answer, receipt, url, as_json=as_json)


@request.command("resume")
def resume(
    url: Url,
    job: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    rpc: Rpc,
    key_file: KeyFile,
    receipt: ReceiptFile = RECEIPT,
    state: State = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """Ask again for the answer to an order; locks its money only where that was not done."""
    with failures(as_json=as_json):
        need("asking a chain", "inferproof.app.ordering", extra="chain")
        from inferproof.app.ordering import BuyerChain

        check_writable(receipt)
        key = read_key(key_file)
        with Client(url, key=key, state=state) as client, progress("asking") as report:
            report("asking again", 0.5)
            answer = client.resume_request(Digest.from_hex(job), BuyerChain(rpc, key))
        _keep(answer, receipt, url, as_json=as_json)


@request.command("rescue")
def rescue(
    url: Url,
    job: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    key_file: KeyFile,
    receipt: ReceiptFile = RECEIPT,
    state: State = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """Give an order that its server is late with to another gateway, with the input."""
    with failures(as_json=as_json):
        check_writable(receipt)
        with (
            Client(url, key=read_key(key_file), state=state) as client,
            progress("asking") as report,
        ):
            report("giving it to another server", 0.5)
            answer = client.rescue(Digest.from_hex(job))
        _keep(answer, receipt, url, as_json=as_json)


def _keep(answer: Answer, receipt: Path, url: str, *, as_json: bool) -> None:
    opening = opening_file(receipt, None)  # there is none: escrows take disclosed inputs alone
    keep_answer(answer, receipt, opening, url)
    show_answer(answer, receipt, opening, as_json=as_json)


@request.command("show")
def show(
    order: OrderName, rpc: Rpc, state: State = DEFAULT_STATE, as_json: JsonFlag = False
) -> None:
    """Show an order, and what the escrow says of it."""
    with failures(as_json=as_json):
        told = _ask(rpc, order, state, _facts)
        if as_json:
            print_json(told)
            return
        for name, value in told.items():
            out.print(f"[bold]{name:16}[/] {plain(value)}")


async def _facts(escrow: "Escrow", signed: "SignedOrder") -> dict[str, Any]:
    from inferproof.chain.escrow import refund_after
    from inferproof.protocol.escrow import order_json
    from inferproof.types.escrow import OrderStatus

    slot = await escrow.slot(signed.id)
    open_still = slot.status in (OrderStatus.OPEN, OrderStatus.ACCEPTED)
    accepted = slot.status is not OrderStatus.OPEN and any(slot.server.raw)
    asset = signed.asset
    return {
        "order": signed.id.hex,
        "escrow": escrow.address.hex,
        "status": slot.status.name.lower(),
        "served_by": slot.server.hex if accepted else None,
        "refund_after": refund_after(signed.order, slot) if open_still else None,
        "locked": f"{format_units(signed.order.price, asset.decimals)} {asset.symbol}",
        "balance": str(await escrow.balance(signed.order.buyer, signed.order.token)),
        "terms": order_json(signed.order),
    }


@request.command("cancel")
def cancel(
    order: OrderName,
    rpc: Rpc,
    key_file: KeyFile,
    state: State = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """Take an order back that nobody has accepted. Its money is in the escrow's balance then."""
    _change(rpc, order, state, lambda e, s: e.cancel(s.order, read_key(key_file)), as_json=as_json)


@request.command("refund")
def refund(
    order: OrderName,
    rpc: Rpc,
    key_file: KeyFile,
    state: State = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """End an order whose time is over; anyone may. Its buyer has the money in the escrow then."""
    _change(rpc, order, state, lambda e, s: e.refund(s.order, read_key(key_file)), as_json=as_json)


@request.command("withdraw")
def withdraw(
    order: OrderName,
    rpc: Rpc,
    key_file: KeyFile,
    state: State = DEFAULT_STATE,
    as_json: JsonFlag = False,
) -> None:
    """Take all that the key's account has in the order's escrow and token, to that account."""

    async def work(escrow: "Escrow", signed: "SignedOrder") -> "ChainReceipt | None":
        key: SigningKey = read_key(key_file)
        token = signed.order.token
        amount = await escrow.balance(key.address, token)
        return await escrow.withdraw(token, key.address, amount, key) if amount else None

    _change(rpc, order, state, work, as_json=as_json)


def _change(
    url: str,
    order: str,
    state: Path,
    work: "Callable[[Escrow, SignedOrder], Awaitable[ChainReceipt | None]]",
    *,
    as_json: bool,
) -> None:
    async def done(escrow: "Escrow", signed: "SignedOrder") -> dict[str, Any]:
        receipt = await work(escrow, signed)
        if receipt is None:
            return {"transaction": None, "gas": 0}
        return {"transaction": receipt.tx.hex, "gas": receipt.gas_used}

    with failures(as_json=as_json):
        told = _ask(url, order, state, done)
        if as_json:
            print_json(told)
        elif told["transaction"] is None:
            out.print("there is nothing to take")
        else:
            out.print(f"done in {told['transaction']}")


def _ask(
    url: str,
    order: str,
    state: Path,
    work: "Callable[[Escrow, SignedOrder], Awaitable[dict[str, Any]]]",
) -> dict[str, Any]:
    need("asking a chain", "inferproof.chain.escrow", extra="chain")
    signed = _find(order, state)

    async def asked() -> dict[str, Any]:
        from inferproof.chain.escrow import open_escrow
        from inferproof.chain.rpc import Rpc

        async with Rpc(url) as rpc:
            await rpc.require_chain(signed.asset.network.chain_id)
            return await work(await open_escrow(rpc, signed.escrow), signed)

    return asyncio.run(asked())


def _find(order: str, state: Path) -> "SignedOrder":
    """The order of a call in the state folder, or of a receipt.

    Raises: NotFound CALL_UNKNOWN; RequestRejected CALL_WITHOUT_ORDER, DIGEST_MALFORMED.
    """
    from inferproof.client.ledger import Ledger
    from inferproof.client.orders import order_in
    from inferproof.errors import Reason
    from inferproof.payments.escrow.receipt import ESCROW_METHOD, order_of_payment
    from inferproof.payments.parts import payment_parts
    from inferproof.protocol.receipt import decode_receipt_file

    path = Path(order)
    if path.is_file():
        receipt = decode_receipt_file(read_file(path, MAX_RECEIPT), payment_parts()).receipt
        if receipt.payment.method != ESCROW_METHOD:
            raise RequestRejected(Reason.CALL_WITHOUT_ORDER, job=receipt.statement.job_id)
        return order_of_payment(receipt.payment)
    return order_in(Ledger(state).call(Digest.from_hex(order)))
