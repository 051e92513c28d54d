"""Proofs of compiled models through a router on chain, and everything near them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from eth_abi.abi import decode, encode
from small_models import JOB, PROVIDER, SALT

from inferproof.app.router_proofs import contract_key, router_proof
from inferproof.chain.private_proofs import LINK_TYPES, deploy_contracts, store_programs
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.chain.verifier import register_vka
from inferproof.chain.verifier_router import (
    VerifierRouter,
    deploy_ezkl_adapter,
    deploy_private_adapter,
    deploy_router,
    ezkl_key_digest,
    open_router,
    private_key_digest,
    verify_data,
)
from inferproof.cli.onchain import verifying_key_artifact
from inferproof.errors import ArtifactRejected, NotFound, ProofRejected, Reason
from inferproof.protocol.encoding import encode_fixed_tensor, fixed_tensor_head, keccak256
from inferproof.protocol.proof_file import ProofFile, decode_proof_file
from inferproof.protocol.registration import NO_VERIFIER, verifier_selector
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.ezkl.evm import evm_heads, evm_proof
from inferproof.proving.sumcheck.contract import contract_call, contract_heads, contract_programs
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import sample_bundle, sample_receipt_file
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Visibility
from inferproof.types.registry import ContractKey
from inferproof.types.verifier import Claim, ContractAssurance, Verifier

PRIVATE = ("bytes32[8]", "bytes[]", "bytes", "bytes", LINK_TYPES, "bytes")
EZKL = ("bytes32[]", "bytes[]", "uint256[]", "bytes")
CAPS = {"sumcheck": 16_000_000, "ezkl": 3_000_000}
WRONG = Digest(b"\x01" * 32)


@dataclass(frozen=True)
class Case:
    """A router, the selector and the bundle of a model, and a proof of it."""

    router: VerifierRouter
    selector: bytes
    bundle: VerifierBundle
    file: ProofFile

    async def accepted(self, claim: Claim, proof: bytes) -> int:
        return await self.router.verify(self.selector, claim, proof)

    async def refused(self, claim: Claim, proof: bytes, why: str = "") -> None:
        with pytest.raises(ProofRejected) as caught:
            await self.accepted(claim, proof)
        assert caught.value.reason is Reason.PROOF_REFUSED_BY_ROUTER
        assert why in str(caught.value)


async def case(
    rpc: Rpc, info: DevnetInfo, adapter: Address, bundle: VerifierBundle, file: ProofFile
) -> Case:
    owner, system = info.accounts.owner, bundle.parts.proof_system
    router = await open_router(rpc, await deploy_router(rpc, owner, owner.address))
    selector = verifier_selector(system, bundle.parts.proof_system_version)
    specification = Digest(keccak256(b"specification"))
    level = ContractAssurance.ZK_PRIVATE
    await router.add(Verifier(selector, adapter, CAPS[system], specification, level, system), owner)
    return Case(router, selector, bundle, file)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def changed_output(claim: Claim, place: int) -> Claim:
    return replace(claim, outputs=(flipped(claim.outputs[0], place), *claim.outputs[1:]))


@pytest.fixture
async def rpc(devnet: DevnetInfo) -> AsyncIterator[Rpc]:
    async with Rpc(devnet.rpc_url) as connection:
        yield connection


# -- sumcheck ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proven(sumcheck_system, mlp_request, tmp_path_factory) -> tuple[VerifierBundle, ProofFile]:
    """The perceptron compiled for contracts, and a proof of the first sample."""
    out: Path = tmp_path_factory.mktemp("mlp-evm") / "compiled"
    sumcheck_system.compile(replace(mlp_request, out=out, profile="evm"))
    inputs = {"x": mlp_request.calibration["x"][0]}
    made = prove(sumcheck_system, ProveRequest(out, inputs, JOB, PROVIDER, SALT))
    return sumcheck_system.verifier(out), decode_proof_file(made.file)


@pytest.fixture
async def private(rpc: Rpc, devnet: DevnetInfo, proven) -> Case:
    """Over a contract of its own, which keeps no links yet."""
    owner = devnet.accounts.owner
    proofs = (await deploy_contracts(rpc, owner)).proofs
    await store_programs(rpc, proofs, contract_programs(proven[0].verifying_key).every, owner)
    adapter = await deploy_private_adapter(rpc, owner, proofs)
    return await case(rpc, devnet, adapter, *proven)


@pytest.mark.native
async def test_a_private_proof_passes_and_its_links_are_kept(
    rpc: Rpc, devnet: DevnetInfo, private: Case
) -> None:
    claim, proof = router_proof(private.bundle, private.file)
    assert claim == Claim(
        statement_digest(private.file.statement),
        contract_key(private.bundle).digest,
        Digest(keccak256(contract_call(private.bundle, private.file).numbers)),
        tuple(encode_fixed_tensor(output) for output in private.file.outputs),
    )
    first = await private.accepted(claim, proof)
    data = verify_data(private.selector, claim, proof)
    await transact(
        rpc, devnet.accounts.buyer, to=private.router.address, data=data, what="a delivery"
    )
    call = contract_call(private.bundle, private.file)
    kept = [link.commitment for link in call.links]
    again, short = router_proof(private.bundle, private.file, kept=kept)
    assert again == claim
    assert len(short) < len(proof)
    assert await private.accepted(claim, short) < first


@pytest.mark.native
async def test_everything_near_a_private_proof_is_refused(private: Case) -> None:
    claim, proof = router_proof(private.bundle, private.file)
    programs, heads, epoch, numbers, links, rest = decode(PRIVATE, proof)
    head = len(heads[0])
    own = claim.verifying_key

    def brought(**parts: object) -> bytes:
        told = {
            "programs": programs,
            "heads": heads,
            "epoch": epoch,
            "numbers": numbers,
            "links": links,
            "proof": rest,
        } | parts
        return encode(PRIVATE, list(told.values()))

    assert brought() == proof
    await private.accepted(claim, proof)
    # The claim: outputs by value, range and scale, numbers, statement, key.
    await private.refused(changed_output(claim, head), proof)
    await private.refused(changed_output(claim, head + 4), proof, "OutputOutOfRange(0)")
    for place in range(head):
        if place in (4, head - 2, head - 1):  # of the name, and of the scale
            await private.refused(changed_output(claim, place), proof, "OtherOutput(0)")
    await private.refused(replace(claim, inputs=WRONG), proof, f"OtherInputs({claim.inputs})")
    await private.refused(replace(claim, statement=WRONG), proof)
    await private.refused(replace(claim, verifying_key=WRONG), proof, f"OtherKey({own})")
    # What is brought: a head that makes a lie of the scale fit, programs, numbers, epoch, links.
    lie = flipped(heads[0], head - 1)
    lying = changed_output(claim, head - 1)
    await private.refused(lying, brought(heads=[lie, *heads[1:]]), "OtherKey(")
    for place in range(7):
        swapped = list(programs)
        swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
        await private.refused(claim, brought(programs=swapped), "OtherKey(")
    other = flipped(numbers, 0)
    await private.refused(claim, brought(numbers=other), "OtherInputs(")
    await private.refused(replace(claim, inputs=Digest(keccak256(other))), brought(numbers=other))
    await private.refused(claim, brought(epoch=flipped(epoch, 40)))
    await private.refused(claim, brought(epoch=epoch + bytes(4)), "EpochLength(120, 116)")
    first, last = links
    for wrong, why in (
        ([], "LinksEndElsewhere(0)"),
        ([first], "LinksEndElsewhere(1)"),
        ([last], "NotAStep(0"),
        ([last, first], "NotAStep(0"),
        ([first, last, last], "NotAStep(2"),
        ([first, (last[0], WRONG.raw, *last[2:])], ""),
        ([first, (*last[:3], flipped(last[3], len(last[3]) // 2))], ""),
    ):
        await private.refused(claim, brought(links=wrong), why)
    for place in (0, len(rest) // 2, len(rest) - 1):
        await private.refused(claim, brought(proof=flipped(rest, place)))


@pytest.mark.native
async def test_a_proof_for_another_provider_earns_nothing(private: Case) -> None:
    claim, proof = router_proof(private.bundle, private.file)
    thief = replace(private.file.statement, provider=Address(b"\x77" * 20))
    await private.refused(replace(claim, statement=statement_digest(thief)), proof)


@pytest.mark.native
def test_a_key_is_named_with_its_outputs(proven: Sequence[VerifierBundle]) -> None:
    bundle = proven[0]
    heads = contract_heads(bundle)
    digests = contract_programs(bundle.verifying_key).digests
    assert contract_key(bundle) == ContractKey(
        verifier_selector("sumcheck", "1"), private_key_digest(digests, heads)
    )
    assert len(digests) == 8
    other = [flipped(heads[0], len(heads[0]) - 1), *heads[1:]]
    assert private_key_digest(digests, other) != private_key_digest(digests, heads)
    renamed = replace(bundle, outputs=(replace(bundle.outputs[0], name="other"),))
    with pytest.raises(ArtifactRejected) as caught:
        contract_key(renamed)
    assert caught.value.reason is Reason.ARTIFACT_SETTINGS


# -- ezkl --------------------------------------------------------------------------------------


@pytest.fixture
async def halo2(rpc: Rpc, devnet: DevnetInfo, ezkl_system, ezkl_compiled, ezkl_proved) -> Case:
    bundle, owner = ezkl_system.verifier(ezkl_compiled), devnet.accounts.owner
    await register_vka(rpc, devnet.verifier, verifying_key_artifact(bundle), owner)
    adapter = await deploy_ezkl_adapter(rpc, owner, devnet.verifier)
    return await case(rpc, devnet, adapter, bundle, decode_proof_file(ezkl_proved.file))


async def test_a_proof_by_ezkl_passes_and_everything_near_it_is_refused(halo2: Case) -> None:
    claim, proof = router_proof(halo2.bundle, halo2.file)
    vka, heads, numbers, rest = decode(EZKL, proof)
    _, instances = evm_proof(halo2.bundle, halo2.file)
    words = b"".join(number.to_bytes(32, "big") for number in numbers)
    assert (list(numbers), rest) == (instances[:4], halo2.file.proof)
    assert claim.inputs == Digest(keccak256(words))
    assert claim.verifying_key == contract_key(halo2.bundle).digest
    assert claim.verifying_key == ezkl_key_digest(
        verifying_key_artifact(halo2.bundle).digest, 4, evm_heads(halo2.bundle)
    )
    await halo2.accepted(claim, proof)
    head, none = len(heads[0]), "ProofDoesNotHold()"
    await halo2.refused(changed_output(claim, head), proof, none)
    await halo2.refused(changed_output(claim, head + 7), proof, none)
    await halo2.refused(changed_output(claim, head - 2), proof, "OtherOutput(0)")
    await halo2.refused(replace(claim, statement=WRONG), proof, none)
    await halo2.refused(replace(claim, inputs=WRONG), proof, "OtherInputs(")
    await halo2.refused(replace(claim, verifying_key=WRONG), proof, "OtherKey(")
    lie = [flipped(heads[0], head - 2)]
    await halo2.refused(changed_output(claim, head - 2), encode(EZKL, [vka, lie, numbers, rest]),
                        "OtherKey(")  # fmt: skip
    other = [flipped(vka[0], 31), *vka[1:]]
    await halo2.refused(claim, encode(EZKL, [other, heads, numbers, rest]), "OtherKey(")
    # Fewer numbers, and an output for the one that lacks: the key says how many there are.
    fewer = numbers[:-1]
    moved = Digest(keccak256(b"".join(number.to_bytes(32, "big") for number in fewer)))
    await halo2.refused(
        replace(claim, inputs=moved), encode(EZKL, [vka, heads, fewer, rest]), "OtherKey("
    )
    for place in (0, len(rest) // 2, len(rest) - 1):
        await halo2.refused(claim, encode(EZKL, [vka, heads, numbers, flipped(rest, place)]), none)


def test_hashed_inputs_have_no_verifier_that_a_router_asks(ezkl_system, ezkl_compiled) -> None:
    bundle = ezkl_system.verifier(ezkl_compiled)
    hashed = replace(bundle, parts=replace(bundle.parts, visibility=Visibility.HASHED))
    assert contract_key(hashed) == ContractKey(NO_VERIFIER, hashed.parts.verifying_key)
    file = decode_proof_file(sample_receipt_file().proof or b"")
    for unchecked in (hashed, sample_bundle()):
        with rejects(
            Reason.NO_CONTRACT_FOR_SYSTEM,
            Reason.NO_CONTRACT_FOR_SYSTEM.value.format(system=unchecked.parts.proof_system),
            kind=NotFound,
        ):
            router_proof(unchecked, file)


def test_heads_are_what_stands_before_values(ezkl_system, ezkl_compiled, ezkl_proved) -> None:
    file = decode_proof_file(ezkl_proved.file)
    for head, output in zip(
        evm_heads(ezkl_system.verifier(ezkl_compiled)), file.outputs, strict=True
    ):
        assert head == fixed_tensor_head(output.name, output.shape, output.scale)
        assert encode_fixed_tensor(output)[: len(head)] == head
