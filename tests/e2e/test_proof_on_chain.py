"""A proof made by our own prover, taken to the deployed verifier by whoever holds the bundle."""

import secrets
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inferproof.chain.rpc import Rpc
from inferproof.chain.verifier import VerifyingKeyArtifact, register_vka, verify_on_chain
from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.proof_file import ProofFile, decode_proof_file
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.ezkl.evm import evm_proof, evm_vka
from inferproof.proving.ezkl.system import EzklSystem
from inferproof.proving.pool import WorkerPool
from inferproof.testing.devnet import DevnetInfo
from inferproof.types.digest import Digest
from inferproof.types.proof import Visibility

Made = tuple[VerifierBundle, ProofFile, VerifyingKeyArtifact]


@pytest.fixture(
    scope="module",
    params=[Visibility.PUBLIC, pytest.param(Visibility.HASHED, marks=pytest.mark.slow)],
    ids=str,
)
def made(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    devnet: DevnetInfo,
) -> Made:
    """A compiled two-layer model, a proof of it, and the artifact that its bundle gives."""
    folder = tmp_path_factory.mktemp("on-chain")
    rng = np.random.default_rng(7)
    weights = {
        "w": rng.normal(size=(4, 5)).astype(np.float32),
        "v": rng.normal(size=(5, 2)).astype(np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("MatMul", ["b", "v"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    samples = rng.uniform(-1, 1, size=(16, 1, 4)).astype(np.float32)
    pool = WorkerPool()
    try:
        system = EzklSystem(pool)
        system.compile(
            CompileRequest(
                folder / "model.onnx", {"x": samples}, folder / "out", visibility=request.param
            )
        )
        proved = prove(
            system,
            ProveRequest(
                folder / "out",
                {"x": samples[0]},
                Digest(secrets.token_bytes(32)),
                devnet.accounts.provider.address,
                secrets.token_bytes(32),
            ),
        )
        bundle = system.verifier(folder / "out")
        vka = VerifyingKeyArtifact.from_ezkl_file(evm_vka(bundle, pool))
    finally:
        pool.close()
    return bundle, decode_proof_file(proved.file), vka


async def test_the_chain_accepts_what_we_proved(made: Made, devnet: DevnetInfo) -> None:
    bundle, file, vka = made
    proof, instances = evm_proof(bundle, file)
    async with Rpc(devnet.rpc_url) as rpc:
        await register_vka(rpc, devnet.verifier, vka, devnet.accounts.provider)
        verified = await verify_on_chain(
            rpc, devnet.verifier, proof=proof, instances=instances, vka=vka
        )
    assert verified.vka == vka.digest
    assert verified.gas < 1_200_000


async def test_the_chain_rejects_the_proof_under_another_job_or_output(
    made: Made, devnet: DevnetInfo
) -> None:
    bundle, file, vka = made
    first = file.outputs[0]
    others = (
        replace(file, statement=replace(file.statement, job_id=Digest(b"\1" * 32))),
        replace(
            file,
            outputs=(
                replace(first, values=(first.values[0] + 1, *first.values[1:])),
                *file.outputs[1:],
            ),
        ),
    )
    async with Rpc(devnet.rpc_url) as rpc:
        await register_vka(rpc, devnet.verifier, vka, devnet.accounts.provider)
        for other in others:
            proof, instances = evm_proof(bundle, other)
            with pytest.raises(ProofRejected) as caught:
                await verify_on_chain(
                    rpc, devnet.verifier, proof=proof, instances=instances, vka=vka
                )
            assert caught.value.reason is Reason.PROOF_REFUSED_ON_CHAIN
