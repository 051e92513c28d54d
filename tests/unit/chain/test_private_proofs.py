"""Deployed contracts against private proofs, and against everything near them."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from inferproof.chain.contracts import OPENINGS, PRIVATE_PROOFS, deploy, load_artifact
from inferproof.chain.private_proofs import (
    Contracts,
    PrivateCheck,
    check_contract,
    deploy_contracts,
    has_program,
    store_programs,
)
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.cli.main import app
from inferproof.errors import Misconfigured, NotFound, ProofRejected, Reason
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.verifier_bundle import encode_bundle
from inferproof.proving.sumcheck import contract
from inferproof.proving.sumcheck.contract import (
    contract_call,
    contract_gas,
    contract_programs,
)
from inferproof.proving.sumcheck.library import library
from inferproof.second_verifier.program.calls import Call, call_of, programs_of
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import sample_bundle, sample_receipt_file
from inferproof.types.digest import Address, Digest
from reference.vectors import PLACE, Vector, load

PROOFS = PLACE / "evm" / "proofs"
NOTHING = np.zeros(0, np.int32)


def vector(name: str) -> Vector:
    return load(PROOFS / f"{name}.json")


def call(name: str) -> Call:
    own = vector(name)
    return call_of(own.key, own.inputs, own.outputs, own.statement, own.proof)


@pytest.fixture
async def held(rpc: Rpc, devnet: DevnetInfo) -> Address:
    """The contract, which holds the programs of two keys."""
    for name in ("linear", "parameters"):
        programs = programs_of(vector(name).key).every
        await store_programs(rpc, devnet.private_proofs, programs, devnet.accounts.provider)
    return devnet.private_proofs


async def test_real_proofs_behind_one_link_and_two_are_accepted(rpc: Rpc, held: Address) -> None:
    for name, links in (("linear", 1), ("parameters", 2)):
        own = call(name)
        assert len(own.links) == links
        gas = await PrivateCheck(own).ask(rpc, held)
        told = contract_gas(vector(name).key, vector(name).proof)
        assert gas == pytest.approx(told.proof + told.links, rel=0.15)


async def test_links_that_are_kept_need_not_be_brought(rpc: Rpc, devnet: DevnetInfo) -> None:
    own, contract = vector("linear"), (await deploy_contracts(rpc, devnet.accounts.owner)).proofs
    buyer = devnet.accounts.buyer
    await store_programs(rpc, contract, programs_of(own.key).every, buyer)
    check = PrivateCheck(call("linear"))
    whole = await check.data(rpc, contract)
    await transact(rpc, buyer, to=contract, data=whole, what="a check")
    short = await check.data(rpc, contract)
    assert len(whole) - len(short) > len(check.call.links[0].opening)
    gas = await check.ask(rpc, contract)
    assert gas == pytest.approx(contract_gas(own.key, own.proof).proof, rel=0.15)
    lying = replace(check.call, proof=check.call.proof[:-1] + b"\x7e")
    with pytest.raises(ProofRejected) as caught:
        await PrivateCheck(lying).ask(rpc, contract)
    assert caught.value.reason is Reason.PROOF_REFUSED_ON_CHAIN


def test_a_proof_that_no_transaction_holds_is_none_for_a_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contract, "MOST_GAS", 3_000_000)
    own = vector("linear")
    with rejects(
        Reason.NO_PROGRAM,
        "no contract can check such proofs: one takes about 3,153,374 gas, and a transaction may "
        "take 3,000,000; leave the verifier contract away, or compile with --profile evm where "
        "that is what lacks",
        kind=NotFound,
    ):
        contract_gas(own.key, own.proof)


async def test_a_changed_proof_statement_output_or_link_is_rejected(
    rpc: Rpc, held: Address
) -> None:
    own, other = call("linear"), vector("linear")
    changed = replace(other, outputs=[[value + 1 for value in out] for out in other.outputs])
    first = own.links[0]
    for forged in (
        replace(own, proof=own.proof[:-1] + bytes([own.proof[-1] ^ 1])),
        replace(own, proof=own.proof[:-1]),
        call_of(other.key, other.inputs, other.outputs, bytes(32), other.proof),
        call_of(other.key, other.inputs, changed.outputs, other.statement, other.proof),
        replace(own, links=[replace(first, opening=first.opening[:-1] + b"\x7e")]),
        replace(own, links=[replace(first, commitment=bytes(32))]),
        replace(own, links=[]),
        replace(own, links=call("parameters").links),
    ):
        with rejects(
            Reason.PROOF_REFUSED_ON_CHAIN,
            f"the verifier contract at {held} rejects the proof",
            kind=ProofRejected,
        ):
            await PrivateCheck(forged).ask(rpc, held)


async def test_programs_are_stored_once(rpc: Rpc, devnet: DevnetInfo) -> None:
    made = await deploy_contracts(rpc, devnet.accounts.owner)
    assert isinstance(made, Contracts)
    programs = programs_of(vector("clamps").key).every[:2]
    digests = [Digest(keccak256(program)) for program in programs]
    assert not await has_program(rpc, made.proofs, digests[0])
    first = await store_programs(rpc, made.proofs, programs, devnet.accounts.provider)
    assert [each.digest for each in first] == digests
    assert [each.size for each in first] == [len(program) for program in programs]
    assert all(200 * each.size < each.gas < 300 * each.size + 100_000 for each in first)
    again = await store_programs(rpc, made.proofs, programs, devnet.accounts.provider)
    assert [each.gas for each in again] == [0, 0]
    assert await has_program(rpc, made.proofs, digests[1])


async def test_a_model_whose_program_is_not_there_is_told(rpc: Rpc, devnet: DevnetInfo) -> None:
    own = call("clamps")
    contract = (await deploy_contracts(rpc, devnet.accounts.owner)).proofs
    digest = Digest(own.program)
    with rejects(
        Reason.PROGRAM_NOT_STORED,
        f"the contract at {contract} does not hold the program {digest} of the model; store it "
        "with inferproof contract store",
        kind=NotFound,
    ):
        await PrivateCheck(own).ask(rpc, contract)


async def test_other_code_is_not_believed(rpc: Rpc, devnet: DevnetInfo) -> None:
    for address in (devnet.verifier, devnet.token.address):
        with rejects(
            Reason.VERIFIER_CODE_UNKNOWN,
            f"the code at {address} is not the {PRIVATE_PROOFS} that this version ships; its word "
            "is worth nothing",
            kind=Misconfigured,
        ):
            await PrivateCheck(call("linear")).ask(rpc, address)
    # Nor the contract itself, where it asks another one.
    owner = devnet.accounts.owner
    fooled = await deploy(rpc, load_artifact(PRIVATE_PROOFS), owner, devnet.verifier)
    with rejects(
        Reason.VERIFIER_CODE_UNKNOWN,
        f"the code at {devnet.verifier} is not the {OPENINGS} that this version ships; its word "
        "is worth nothing",
        kind=Misconfigured,
    ):
        await check_contract(rpc, fooled)
    nobody = Address(b"\x11" * 20)
    with pytest.raises(NotFound) as caught:
        await check_contract(rpc, nobody)
    assert caught.value.reason is Reason.CHAIN_NO_CONTRACT


def test_keys_that_have_no_program_say_why() -> None:
    other = load(PLACE / "private/linear-default.json").key
    with rejects(
        Reason.NO_PROGRAM,
        "no contract can check such proofs: its profile is another than evm; leave the verifier "
        "contract away, or compile with --profile evm where that is what lacks",
        kind=NotFound,
    ):
        contract_programs(other)
    bundle = sample_bundle(system="sumcheck", verifying_key=vector("linear").key)
    hidden = replace(decode_proof_file(sample_receipt_file().proof or b""), disclosed=None)
    with rejects(
        Reason.NO_PROGRAM,
        "no contract can check such proofs: its input is private; leave the verifier contract "
        "away, or compile with --profile evm where that is what lacks",
        kind=NotFound,
    ):
        contract_call(bundle, hidden)


@pytest.mark.native
async def test_a_proof_under_a_key_that_was_rotated_twice(rpc: Rpc, devnet: DevnetInfo) -> None:
    own, native = vector("linear"), library()
    graph = own.key[own.key.index(b"INFGRAPH") :]
    count, _, _ = native.graph_size(graph)
    weights = (np.arange(count) * 37 % 251 - 125).astype(np.int8)
    verifying, secret, key = native.commit_private(graph, weights, NOTHING, "evm")
    links = b""
    for _ in range(2):
        # The last opening is the one that is kept for it.
        more, secret = key.rotate(key.openings() - 1)
        links = more
        key = native.PrivateKey(verifying, weights, NOTHING, secret, links)
    epoch = key.begin(0).begin(0)
    inputs = [np.array(values, np.int32) for values in own.inputs]
    run = key.execute(inputs)
    outputs = [out.tolist() for out in run.outputs()]
    proof = epoch.prove(run, own.statement, 0)
    made = call_of(verifying, own.inputs, outputs, own.statement, proof)
    assert len(made.links) == 4
    await store_programs(
        rpc, devnet.private_proofs, programs_of(verifying).every, devnet.accounts.provider
    )
    await PrivateCheck(made).ask(rpc, devnet.private_proofs)
    middle = made.links[1]
    forged = [*made.links[:1], replace(middle, opening=middle.opening[::-1]), *made.links[2:]]
    with pytest.raises(ProofRejected) as caught:
        await PrivateCheck(replace(made, links=forged)).ask(rpc, devnet.private_proofs)
    assert caught.value.reason is Reason.PROOF_REFUSED_ON_CHAIN


async def test_the_command_stores_programs(rpc: Rpc, devnet: DevnetInfo, tmp_path: Path) -> None:
    paying = tmp_path / "key"
    paying.write_text(devnet.accounts.owner.secret().hex())
    paying.chmod(0o600)
    model = tmp_path / "verifier.json"
    model.write_bytes(encode_bundle(sample_bundle(verifying_key=vector("linear").key)))
    on_chain = ["--rpc", devnet.rpc_url, "--key-file", str(paying)]

    async def run(*words: str) -> tuple[int, dict[str, Any]]:
        result = await asyncio.to_thread(CliRunner().invoke, app, ["contract", *words, "--json"])
        return result.exit_code, json.loads(result.stdout)

    made = await deploy_contracts(rpc, devnet.accounts.owner)
    named = ["--contract", made.proofs.hex]
    code, stored = await run("store", str(model), *named, *on_chain)
    assert code == 0
    programs = programs_of(vector("linear").key).every
    digests = [Digest(keccak256(program)).hex for program in programs]
    assert [each["digest"] for each in stored["programs"]] == digests
    assert all(each["gas"] > 0 for each in stored["programs"])
    code, again = await run("store", str(model), *named, *on_chain)
    assert (code, {each["gas"] for each in again["programs"]}) == (0, {0})
    code, refused = await run(
        "store", str(model), "--contract", devnet.token.address.hex, *on_chain
    )
    assert (code, refused["reason"]) == (1, "VERIFIER_CODE_UNKNOWN")
    model.write_bytes(encode_bundle(sample_bundle()))
    code, refused = await run("store", str(model), *named, *on_chain)
    assert (code, refused["reason"]) == (1, "NO_PROGRAM")
