"""A paid call to a model of the committed mode: receipt, statement and claims as with any other."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from live_parts import settings_for

from inferproof.app.publishing import install_model
from inferproof.client import Client
from inferproof.client.tools import installed_tools
from inferproof.errors import InferproofError, Reason
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.receipt import encode_receipt_file
from inferproof.proving.sumcheck.modes import COMMITTED, mode_of
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.tiny import compile_tiny
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import verify_receipt

pytestmark = pytest.mark.native
NAME = "tiny-committed"


def test_a_call_in_the_committed_mode_is_paid_and_verified(
    devnet: DevnetInfo, tmp_path: Path
) -> None:
    system = SumcheckSystem()
    report = compile_tiny(tmp_path / NAME, NAME, system, mode=COMMITTED)
    system.close()
    provider = devnet.accounts.provider
    settings = settings_for(devnet, tmp_path / "data", facilitator_key=provider.secret().hex())
    card, compiled = tmp_path / NAME / "card.toml", tmp_path / NAME / "compiled"
    asyncio.run(install_model(settings, card, compiled, key=provider))
    with (
        LiveGateway(settings) as gateway,
        Client(gateway.url, key=devnet.accounts.buyer) as client,
    ):
        answer = client.infer(NAME, [[1.0, 2.0, 3.0]], max_price="0.25")
    assert answer.verified
    assert answer.label == "yes"
    verified = verify_receipt(encode_receipt_file(answer.receipt_file), Policy(), installed_tools())
    assert len(verified.steps) == 12
    assert verified.bundle.commitment == report.commitment
    assert mode_of(verified.bundle.verifying_key) == COMMITTED
    # One bit of the proof in the receipt's file: no step takes its place.
    data = answer.receipt_file.proof
    assert data is not None
    file = decode_proof_file(data)
    changed = replace(file, proof=file.proof[:-1] + bytes([file.proof[-1] ^ 1]))
    forged = replace(answer.receipt_file, proof=encode_proof_file(changed))
    with pytest.raises(InferproofError) as caught:
        verify_receipt(encode_receipt_file(forged), Policy(), installed_tools())
    assert caught.value.reason in (Reason.PROOF_INVALID, Reason.RECEIPT_PROOF_DIGEST)
