"""The same proof bytes hold off chain and on chain."""

from dataclasses import replace

import pytest

from inferproof.chain.rpc import Rpc
from inferproof.chain.verifier import VerifyingKeyArtifact, register_vka, verify_on_chain
from inferproof.chain.verifier_router import ezkl_key_digest
from inferproof.cli.onchain import contract_key
from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.registration import verifier_selector
from inferproof.proving.ezkl.evm import evm_heads, evm_proof, evm_vka
from inferproof.proving.pool import WorkerPool
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.registry import ContractKey


@pytest.fixture(scope="module")
def pool():
    workers = WorkerPool(size=1, threads=1)
    yield workers
    workers.close()


@pytest.fixture(scope="module")
def vka(ezkl_system, ezkl_compiled, pool):
    return VerifyingKeyArtifact.from_ezkl_file(evm_vka(ezkl_system.verifier(ezkl_compiled), pool))


def test_the_artifact_follows_from_the_bundle(ezkl_system, ezkl_compiled, pool):
    bundle = ezkl_system.verifier(ezkl_compiled)
    assert evm_vka(bundle, pool) == evm_vka(bundle, pool)


def test_a_registry_names_the_key_by_artifact_inputs_and_outputs(ezkl_system, ezkl_compiled, vka):
    bundle = ezkl_system.verifier(ezkl_compiled)
    selector = verifier_selector("ezkl", bundle.parts.proof_system_version)
    assert contract_key(bundle) == ContractKey(
        selector, ezkl_key_digest(vka.digest, 4, evm_heads(bundle))
    )


async def test_a_proof_holds_on_chain(
    devnet: DevnetInfo, ezkl_system, ezkl_compiled, ezkl_proved, vka
):
    file = decode_proof_file(ezkl_proved.file)
    proof, instances = evm_proof(ezkl_system.verifier(ezkl_compiled), file)
    assert proof == file.proof
    assert len(instances) == 4 + 16 + 3
    async with Rpc(devnet.rpc_url) as rpc:
        await register_vka(rpc, devnet.verifier, vka, devnet.accounts.owner)
        done = await verify_on_chain(
            rpc, devnet.verifier, proof=proof, instances=instances, vka=vka
        )
        estimate = ezkl_system.estimate(ezkl_compiled).verify_gas
        assert done.gas == pytest.approx(estimate, rel=0.1)
        other = replace(file, statement=replace(file.statement, job_id=Digest(bytes(32))))
        _, forged = evm_proof(ezkl_system.verifier(ezkl_compiled), other)
        message = f"the verifier contract at {devnet.verifier} rejects the proof"
        with rejects(Reason.PROOF_REFUSED_ON_CHAIN, message, kind=ProofRejected):
            await verify_on_chain(rpc, devnet.verifier, proof=proof, instances=forged, vka=vka)
