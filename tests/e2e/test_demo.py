"""`inferproof demo`, as `make demo` runs it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inferproof.cli.main import app
from inferproof.proving.sumcheck.evidence import evidence_holds

pytestmark = [pytest.mark.slow, pytest.mark.native]


def test_the_demonstration_proves_pays_checks_and_refuses(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told.pop("seconds") > 0
    assert told == {
        "paid": 3,
        "settled": "0.75 devUSDC",
        "verified_offline": 3,
        "verified_on_chain": 3,
        "levels": ["zk-private" if evidence_holds() else "zk-integrity"] * 3,
        "tampered_rejected": "PROOF_INVALID",
        "replayed_rejected": "PAYMENT_REPLAYED",
        "orders_paid": 1,
        "orders_rescued": 1,
        "orders_refunded": 1,
        "delivery_rejected": "ORDER_REFUSED",
    }
    shown = result.stderr
    assert shown.count("profile evm") == 1  # of the receipt shown in full
    assert "ezkl" not in shown
    assert shown.count("PROOF_REFUSED_ON_CHAIN") == 1  # of the tampered proof
    assert shown.count("contract accepts the proof") == 3
    assert len(list((tmp_path / "compiled").iterdir())) == 3
