"""`inferproof demo`: pay for three proved predictions, check everything, and try to cheat."""

import asyncio
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from inferproof.chain.receipts import ContractCheck, chain_steps
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.cli.console import err, out, plain, print_json, print_table, progress
from inferproof.cli.demo_escrow import run_escrow
from inferproof.cli.described import shown_by_proofs
from inferproof.cli.onchain import contract_check
from inferproof.client import Answer, Client
from inferproof.client.tools import installed_tools
from inferproof.errors import InferproofError, ProofRejected, Reason, Unavailable
from inferproof.protocol.commitments import output_commitment
from inferproof.protocol.proof_file import ProofFile, decode_proof_file, encode_proof_file
from inferproof.protocol.receipt import encode_receipt_file
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle
from inferproof.testing.devnet import FUNDS, DevnetInfo
from inferproof.testing.market import EZKL, Listing, Market
from inferproof.types.digest import Address
from inferproof.types.money import Money
from inferproof.verify.policy import Policy
from inferproof.verify.proof import verify_proof
from inferproof.verify.receipt import VerifiedReceipt, verify_receipt

MAX_PRICE = "0.25"
HEADER = "PAYMENT-SIGNATURE"
SHOWN_CHARACTERS = 70


@dataclass(frozen=True, slots=True)
class Bought:
    """One call of the demonstration: what was answered, and what each stage took."""

    title: str
    answer: Answer
    header: str
    path: str
    call_s: float
    verify_s: float
    system: str
    shows: str
    """What a proof of the model shows of a run."""
    gas: int


class Recorder(httpx.BaseTransport):
    """Passes requests on and remembers the last payment header, as a thief on the wire would."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.header = ""
        self.path = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if HEADER in request.headers:
            self.header, self.path = request.headers[HEADER], request.url.path
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def run_demo(folder: Path, *, as_json: bool) -> None:
    """Pays, verifies, cheats, and prints the totals; fails loudly where anything differs.

    Raises: Unavailable DEMO_BROKEN, and whatever a part of the market raises.
    """
    began = time.perf_counter()
    with ExitStack() as stack:
        with progress("preparing") as report:
            market = stack.enter_context(
                Market(folder, for_contracts=True, escrow=True, report=report)
            )
        bought = _buy_all(market, folder)
        _balances(market.devnet, len(bought))
        tampered = _tamper(market.devnet, bought[0])
        replayed = _replay(market, bought[0], bought[1])
        orders = run_escrow(market, folder)
    took = time.perf_counter() - began
    _table(bought)
    levels = [item.answer.receipt_file.receipt.assurance.value for item in bought]
    totals = {
        "paid": len(bought),
        "settled": str(_sum(bought)),
        "verified_offline": len(bought),
        "verified_on_chain": len(bought),
        "levels": levels,
        "tampered_rejected": tampered,
        "replayed_rejected": replayed,
        "orders_paid": orders.paid,
        "orders_rescued": orders.rescued,
        "orders_refunded": orders.refunded,
        "delivery_rejected": orders.refused,
        "seconds": round(took, 1),
    }
    if as_json:
        print_json(totals)
        return
    out.print(
        f"demo: {totals['paid']} predictions paid ({totals['settled']}), "
        f"{totals['verified_offline']} proofs verified offline, "
        f"{totals['verified_on_chain']} on chain, 1 tampered proof rejected ({tampered}), "
        f"1 replayed payment rejected ({replayed}); in escrow {orders.paid} order paid by its "
        f"contract, {orders.rescued} rescued, {orders.refunded} refunded, 1 copied proof rejected "
        f"({orders.refused}), {took:.1f} s"
    )
    for said, titles in _shown(bought).items():
        out.print(f"{plain(', '.join(titles))}: {plain(said)}")


def _shown(bought: list[Bought]) -> dict[str, list[str]]:
    """What each proof showed, by its receipt and what its proof system shows of a run, and the
    calls of which that is so."""
    shown: dict[str, list[str]] = {}
    for item in bought:
        receipt = item.answer.receipt_file.receipt
        said = f"{receipt.assurance.value}. {receipt.proven} It shows {item.shows}."
        shown.setdefault(said, []).append(item.title)
    return shown


def _buy_all(market: Market, folder: Path) -> list[Bought]:
    err.print(
        f"[bold]market[/] {market.url}, chain {market.devnet.network}, "
        f"buyer {market.devnet.accounts.buyer.address}"
    )
    for note in market.notes:
        err.print(f"[yellow]note[/] {plain(note)}")
    bought: list[Bought] = []
    recorder = Recorder()
    with Client(market.url, key=market.devnet.accounts.buyer, transport=recorder) as client:
        for listing in market.models:
            bought.append(_buy(market, client, recorder, listing, folder, in_full=not bought))
    return bought


def _buy(
    market: Market,
    client: Client,
    recorder: Recorder,
    listing: Listing,
    folder: Path,
    *,
    in_full: bool,
) -> Bought:
    """One paid call, verified offline and on chain; `in_full` shows each step of it."""
    example = listing.card.input.examples[0]
    err.rule(f"{plain(listing.card.title)}: {plain(example.title)}")
    err.print(f"  asked    [dim]{plain(_short(example.value))}[/]")
    began = time.perf_counter()
    answer = client.infer(listing.card.id, example.value, max_price=MAX_PRICE)
    call_s = time.perf_counter() - began
    receipt = folder / "receipts" / f"{listing.card.id}.json"
    receipt.parent.mkdir(parents=True, exist_ok=True)
    answer.save_receipt(receipt)
    paid = answer.receipt_file.receipt.payment.money
    err.print(
        f"  answered [bold green]{plain(answer.label)}[/] (expected {plain(example.label)}) for "
        f"{plain(paid)}; receipt in {plain(receipt)}"
    )
    began = time.perf_counter()
    verified = verify_receipt(encode_receipt_file(answer.receipt_file), Policy(), installed_tools())
    verify_s = time.perf_counter() - began
    if in_full:
        for step in verified.steps:
            _step(step.number, step.name, step.detail)
    else:
        err.print(f"  [green]✓[/] the same {len(verified.steps)} steps hold offline")
    gas = asyncio.run(_on_chain(market.devnet, verified))
    return Bought(
        title=listing.card.title,
        answer=answer,
        header=recorder.header,
        path=recorder.path,
        call_s=call_s,
        verify_s=verify_s,
        system=verified.bundle.parts.proof_system,
        shows=shown_by_proofs(verified.bundle),
        gas=gas,
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1e3:.1f} ms"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


async def _on_chain(info: DevnetInfo, verified: VerifiedReceipt) -> int:
    """The gas with which a contract accepted the very proof that the buyer has."""
    number, gas = len(verified.steps), 0
    payments = installed_tools().payments
    async for name, detail in chain_steps(info.rpc_url, verified, None, contract_check, payments):
        number += 1
        _step(number, name, detail)
    async with Rpc(info.rpc_url) as rpc:
        contract, check = _check(info, verified.bundle, verified.proof.file)
        gas = await check.ask(rpc, contract)
    _step(number + 1, "contract accepts the proof", f"{contract}, {gas:,} gas")
    return gas


def _check(
    info: DevnetInfo, bundle: VerifierBundle, file: ProofFile
) -> tuple[Address, ContractCheck]:
    """The contract for proofs of the model's system, and how it is asked about this one."""
    system = bundle.parts.proof_system
    check = contract_check(bundle, file)
    if check is None:
        raise Unavailable(Reason.DEMO_BROKEN, what=f"no contract verifies {system}")
    return (info.verifier if system == EZKL else info.private_proofs), check


def _step(number: int, name: str, detail: str) -> None:
    err.print(f"  [green]✓[/] {number:2} {name}  [dim]{plain(detail)}[/]")


def _sum(bought: list[Bought]) -> Money:
    paid = [b.answer.receipt_file.receipt.payment.money for b in bought]
    return Money(sum(m.amount for m in paid), paid[0].asset)


def _balances(info: DevnetInfo, calls: int) -> None:
    async def look() -> int:
        async with Rpc(info.rpc_url) as rpc:
            return await TokenChain(rpc, info.token).balance(info.accounts.buyer.address)

    left = Money(asyncio.run(look()), info.token)
    expected = FUNDS - calls * 250_000
    if left.amount != expected:
        raise Unavailable(Reason.DEMO_BROKEN, what=f"the buyer has {left}")
    err.rule("books")
    had = Money(FUNDS, info.token)
    err.print(f"  the buyer had {had} and has {left}: {calls} calls, each paid once")


def _tamper(info: DevnetInfo, bought: Bought) -> str:
    """The reason for which a proof is refused whose answer was changed, commitments and all; the
    contract refuses it too."""
    err.rule("a provider changes the answer and every digest with it")
    attached = bought.answer.receipt_file
    if attached.proof is None or attached.verifier is None:
        raise Unavailable(Reason.DEMO_BROKEN, what="the receipt carries no proof")
    file = decode_proof_file(attached.proof)
    first = file.outputs[0]
    changed = (replace(first, values=first.values[::-1]), *file.outputs[1:])
    statement = replace(file.statement, output_commitment=output_commitment(changed))
    forged = replace(file, outputs=changed, statement=statement)
    bundle = decode_bundle(attached.verifier)
    asyncio.run(_refused_on_chain(info, bundle, forged))
    try:
        verify_proof(
            encode_proof_file(forged), bundle, installed_tools().checker(bundle.parts.proof_system)
        )
    except InferproofError as error:
        err.print(f"  [bold red]rejected[/] {error.code}: {plain(error.message)}")
        return error.code
    raise Unavailable(Reason.DEMO_BROKEN, what="a forged answer was accepted")


async def _refused_on_chain(info: DevnetInfo, bundle: VerifierBundle, forged: ProofFile) -> None:
    """Returns when the contract rejects a proof. Raises: Unavailable DEMO_BROKEN."""
    contract, check = _check(info, bundle, forged)
    async with Rpc(info.rpc_url) as rpc:
        try:
            await check.ask(rpc, contract)
        except ProofRejected as error:
            err.print(f"  [bold red]rejected[/] {error.code}: {plain(error.message)}")
            return
    raise Unavailable(Reason.DEMO_BROKEN, what="the contract accepted a forged answer")


def _replay(market: Market, first: Bought, other: Bought) -> str:
    """The code with which the gateway refuses a payment that was used for another request."""
    err.rule("a thief sends the same payment with another request")
    request = other.answer.receipt_file.request
    if request is None:
        raise Unavailable(Reason.DEMO_BROKEN, what="the receipt carries no request")
    reply = httpx.post(
        market.url + request.path,
        content=request.body,
        headers={HEADER: first.header, "Content-Type": "application/json"},
        timeout=30,
    )
    error = reply.json().get("error", {})
    if reply.status_code != httpx.codes.CONFLICT:
        raise Unavailable(Reason.DEMO_BROKEN, what=f"a replay was answered {reply.status_code}")
    said = plain(f"{error['code']}: {error['message']}")
    err.print(f"  [bold red]rejected[/] {reply.status_code} {said}")
    return str(error["code"])


def _table(bought: list[Bought]) -> None:
    err.rule("what it took")
    table = Table("model", "answer", "proof system", "level", box=None)
    for name in ("paid", "call", "prove", "verify", "proof", "gas"):
        table.add_column(name, justify="right", no_wrap=True)
    for item in bought:
        proof = item.answer.receipt_file.proof or b""
        table.add_row(
            plain(item.title),
            plain(item.answer.label),
            plain(item.system),
            item.answer.receipt_file.receipt.assurance.value,
            plain(item.answer.receipt_file.receipt.payment.money),
            f"{item.call_s:.2f} s",
            _duration(item.answer.timings.get("prove", 0.0)),
            f"{item.verify_s * 1e3:.0f} ms",
            f"{len(proof) / 1e3:.1f} kB",
            f"{item.gas:,}",
        )
    print_table(table, err)
    err.print("  [dim]a gateway's first proof of a private model also makes what it opens[/]")
