"""`inferproof verify RECEIPT`: the numbered steps, offline; with a node, the chain's as well."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inferproof.cli.console import err, failures, out, plain, print_json
from inferproof.cli.files import read_file
from inferproof.cli.parts import need
from inferproof.cli.private_input import read_opening
from inferproof.cli.verify import print_security, security_json
from inferproof.client.tools import installed_tools
from inferproof.protocol.labels import label_of
from inferproof.protocol.receipt import MAX_BYTES
from inferproof.types.digest import Address
from inferproof.types.receipt import ClaimStatus
from inferproof.verify.policy import Policy
from inferproof.verify.proof import check_own_input
from inferproof.verify.receipt import (
    Step,
    StepStatus,
    Tools,
    VerifiedReceipt,
    verify_receipt,
)

_YOURS = "it has the root that the statement names"
_STATUS_COLOUR = {
    ClaimStatus.ASSERTED: "green",
    ClaimStatus.REFUTED: "red",
    ClaimStatus.UNKNOWN: "yellow",
}


def verify(
    path: Path,
    *,
    policy: Policy,
    as_json: bool,
    proof: Path | None = None,
    verifier: Path | None = None,
    on_chain: str | None = None,
    contract: Address | None = None,
    own: tuple[str, Path] | None = None,
) -> None:
    """Verifies a receipt file and prints each step as it ends.

    `on_chain` is the JSON-RPC address of a node; `contract` that of the verifier contract,
    whoever named it: it is recognised by its code. `own` are a private input, as it is called with,
    and the file of its opening: whether the receipt is about it is one step more.
    Raises: typer.Exit(1) with reason and message for the first step that fails.
    """
    with failures(as_json=as_json):
        show = _quiet if as_json else _show
        tools = installed_tools(isolated=True)
        verified = verify_receipt(
            read_file(path, MAX_BYTES),
            policy,
            tools,
            proof=read_file(proof, MAX_BYTES) if proof else None,
            verifier=read_file(verifier, MAX_BYTES) if verifier else None,
            on_step=show,
        )
        steps = [*verified.steps]
        if own is not None:
            _compare(verified, tools, *own)
            steps.append(Step(len(steps) + 1, "input is yours", StepStatus.PASSED, _YOURS))
            show(steps[-1])
        if on_chain is not None:
            steps += asyncio.run(_ask_chain(on_chain, contract, verified, len(steps), show))
        if as_json:
            print_json(_json(verified, steps))
        else:
            print_verified(verified)


def _compare(verified: VerifiedReceipt, tools: Tools, value: str, opening: Path) -> None:
    """Returns when the receipt is about this private input. Raises: as `check_own_input`."""
    from inferproof.cli.buyer import read_input
    from inferproof.client.client import body_of

    bundle = verified.bundle
    own = tools.preprocess(bundle.preprocessing, body_of(read_input(value)))
    checker = tools.checker(bundle.parts.proof_system)
    check_own_input(verified.proof, bundle, checker, own, read_opening(opening))


def _quiet(_step: Step) -> None:
    return


def _show(step: Step) -> None:
    mark = "[green]✓[/]" if step.status is StepStatus.PASSED else "[yellow]–[/]"
    err.print(f"{mark} {step.number:2}  {step.name}  [dim]{plain(step.detail)}[/]")


async def _ask_chain(
    url: str,
    contract: Address | None,
    verified: VerifiedReceipt,
    done: int,
    show: Callable[[Step], None],
) -> list[Step]:
    need("asking a chain", "inferproof.chain.receipts", extra="chain")
    from inferproof.chain.receipts import chain_steps
    from inferproof.cli.onchain import contract_check

    steps: list[Step] = []
    payments = installed_tools().payments
    async for name, detail in chain_steps(url, verified, contract, contract_check, payments):
        step = Step(done + len(steps) + 1, name, StepStatus.PASSED, detail)
        steps.append(step)
        show(step)
    return steps


def print_verified(verified: VerifiedReceipt) -> None:
    """Prints what a verified receipt says: the answer, the sentence, the claims."""
    receipt = verified.file.receipt
    label = label_of(verified.bundle.outputs, verified.proof.outputs)
    if label is not None:
        out.print(f"[bold]label[/] {plain(label)}")
    for tensor in verified.proof.outputs:
        values = ", ".join(f"{v:.4g}" for v in tensor.to_array().reshape(-1)[:8])
        more = ", …" if len(tensor.values) > 8 else ""
        out.print(f"[bold]{plain(tensor.name)}[/] {list(tensor.shape)}: {values}{more}")
    out.print(f"[bold]assurance[/] {receipt.assurance.value}: {plain(receipt.proven)}")
    print_security(verified.security)
    for claim in verified.claims:
        colour = _STATUS_COLOUR[claim.status]
        out.print(
            f"  [{colour}]{claim.status.value:8}[/] {plain(claim.name):18} "
            f"[dim]{claim.source.value}[/]: {plain(claim.reason)}"
        )
    out.print("[bold green]verified[/]")


def _json(verified: VerifiedReceipt, steps: list[Step]) -> dict[str, Any]:
    receipt = verified.file.receipt
    return {
        "verified": True,
        "receipt": verified.digest.hex,
        "job_id": receipt.statement.job_id.hex,
        "model_commitment": receipt.statement.model_commitment.hex,
        "assurance": receipt.assurance.value,
        "proven": receipt.proven,
        "security": security_json(verified.security),
        "out_of_range": verified.proof.out_of_range,
        "outputs": {t.name: t.to_array().tolist() for t in verified.proof.outputs},
        "label": label_of(verified.bundle.outputs, verified.proof.outputs),
        "claims": [asdict(claim) for claim in verified.claims],
        "steps": [asdict(step) for step in steps],
    }
