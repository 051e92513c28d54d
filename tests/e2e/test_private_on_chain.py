"""A receipt of a private proof, which a contract checks as it stands: no proof is made anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inferproof.cli.main import app
from inferproof.client import Client
from inferproof.testing.market import Market

pytestmark = [pytest.mark.slow, pytest.mark.native]


def run(*words: object) -> tuple[int, dict[str, Any]]:
    """Exit code and the one object on standard output."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("market")
    with Market(folder, zoo=("fraud",), for_contracts=True) as running:
        yield running


def test_a_contract_checks_the_proof_of_the_receipt(market: Market, tmp_path: Path) -> None:
    info, (listing,) = market.devnet, market.models
    with Client(market.url, key=info.accounts.buyer) as client:
        answer = client.infer(
            listing.card.id, listing.card.input.examples[0].value, max_price="0.25"
        )
    receipt = tmp_path / "receipt.json"
    answer.save_receipt(receipt)
    asked = ("verify", receipt, "--on-chain", info.rpc_url, "--verifier-contract")
    code, told = run(*asked, info.private_proofs)
    assert code == 0, told
    assert told["security"]["profile"] == "evm"
    assert [step["name"] for step in told["steps"]][-3:] == [
        "chain and token",
        "payment is settled",
        "contract accepts the proof",
    ]
    # What compiling said of it: a proof, and links that are not kept yet.
    code, shown = run("inspect", listing.compiled)
    assert code == 0
    gas = int(told["steps"][-1]["detail"].split(", ", 1)[1].removesuffix(" gas").replace(",", ""))
    assert gas == pytest.approx(shown["verify_gas"] + shown["links_gas"], rel=0.15)
    assert answer.receipt_file.receipt.statement.model_commitment.hex == shown["model_commitment"]
    # The other contract of the chain takes proofs by ezkl alone.
    code, refused = run(*asked, info.verifier)
    assert (code, refused["reason"]) == (1, "VERIFIER_CODE_UNKNOWN")
