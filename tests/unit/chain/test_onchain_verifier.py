"""The deployed ezkl verifier against real proofs, and against everything near them."""

import random
from dataclasses import replace

import pytest
from chain_samples import EzklSample

from inferproof.chain.abi import calldata
from inferproof.chain.rpc import Rpc
from inferproof.chain.verifier import (
    FIELD_ORDER,
    VERIFY,
    VerifyingKeyArtifact,
    check_verifier,
    is_registered,
    register_vka,
    verify_on_chain,
)
from inferproof.errors import (
    ArtifactRejected,
    Misconfigured,
    NotFound,
    ProofRejected,
    Reason,
    Unavailable,
)
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest


@pytest.fixture
async def sample(rpc: Rpc, devnet: DevnetInfo, ezkl_samples: list[EzklSample]) -> EzklSample:
    """A proof whose circuit is registered, as is another circuit."""
    for each in ezkl_samples:
        await register_vka(rpc, devnet.verifier, each.vka, devnet.accounts.provider)
    return ezkl_samples[0]


async def check(rpc: Rpc, devnet: DevnetInfo, sample: EzklSample) -> None:
    verified = await verify_on_chain(
        rpc, devnet.verifier, proof=sample.proof, instances=sample.instances, vka=sample.vka
    )
    assert verified.vka == sample.vka.digest


async def test_real_proofs_of_two_circuits_are_accepted(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample, ezkl_samples: list[EzklSample]
) -> None:
    for each in ezkl_samples:
        verified = await verify_on_chain(
            rpc, devnet.verifier, proof=each.proof, instances=each.instances, vka=each.vka
        )
        assert verified.verifier == devnet.verifier
        assert verified.vka == each.vka.digest
        assert 500_000 < verified.gas < 1_500_000


def test_our_call_is_the_one_that_ezkl_would_make(ezkl_samples: list[EzklSample]) -> None:
    for each in ezkl_samples:
        ours = calldata(VERIFY, each.proof, each.instances, list(each.vka.words))
        assert ours == each.calldata


async def test_an_unregistered_key_is_told(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample
) -> None:
    words = sample.vka.words
    unknown = VerifyingKeyArtifact((*words[:-1], b"\7" * 32))
    assert await is_registered(rpc, devnet.verifier, sample.vka.digest)
    assert not await is_registered(rpc, devnet.verifier, unknown.digest)
    with rejects(
        Reason.VKA_NOT_REGISTERED,
        f"the verifier at {devnet.verifier} does not know the verifying key {unknown.digest}; "
        "register it first",
        kind=NotFound,
    ):
        await verify_on_chain(
            rpc,
            devnet.verifier,
            proof=sample.proof,
            instances=sample.instances,
            vka=unknown,
        )


async def test_registering_again_sends_nothing(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample
) -> None:
    provider = devnet.accounts.provider
    before = await rpc.nonce(provider.address)
    assert await register_vka(rpc, devnet.verifier, sample.vka, provider) == sample.vka.digest
    assert await rpc.nonce(provider.address) == before


@pytest.mark.parametrize("seed", range(6))
async def test_a_flipped_bit_in_the_proof_is_rejected(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample, seed: int
) -> None:
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice of bits
    for _ in range(5):
        proof = bytearray(sample.proof)
        proof[rng.randrange(len(proof))] ^= 1 << rng.randrange(8)
        with rejects(
            Reason.PROOF_REFUSED_ON_CHAIN,
            f"the verifier contract at {devnet.verifier} rejects the proof",
            kind=ProofRejected,
        ):
            await check(rpc, devnet, replace(sample, proof=bytes(proof)))


async def test_a_changed_public_value_is_rejected(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample
) -> None:
    for index in range(len(sample.instances)):
        instances = list(sample.instances)
        instances[index] = (instances[index] + 1) % FIELD_ORDER
        with pytest.raises(ProofRejected) as caught:
            await check(rpc, devnet, replace(sample, instances=instances))
        assert caught.value.reason is Reason.PROOF_REFUSED_ON_CHAIN


async def test_fewer_and_more_public_values_are_rejected(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample
) -> None:
    for instances in ([], sample.instances[:-1], [*sample.instances, 0]):
        with pytest.raises(ProofRejected) as caught:
            await check(rpc, devnet, replace(sample, instances=instances))
        assert caught.value.reason is Reason.PROOF_REFUSED_ON_CHAIN


@pytest.mark.parametrize("value", [-1, FIELD_ORDER, 2**256])
async def test_a_public_value_outside_the_field_is_rejected(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample, value: int
) -> None:
    with rejects(
        Reason.PROOF_PUBLIC_VALUE_RANGE,
        "public value 0 of the proof is not a field element",
        kind=ProofRejected,
    ):
        await check(rpc, devnet, replace(sample, instances=[value, *sample.instances[1:]]))


async def test_a_proof_of_another_circuit_is_rejected(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample, ezkl_samples: list[EzklSample]
) -> None:
    other = ezkl_samples[1]
    with pytest.raises(ProofRejected) as caught:
        await verify_on_chain(
            rpc, devnet.verifier, proof=other.proof, instances=other.instances, vka=sample.vka
        )
    assert caught.value.reason is Reason.PROOF_REFUSED_ON_CHAIN


@pytest.mark.parametrize("extra", [-32, -1, 1, 32])
async def test_a_proof_of_another_length_is_rejected(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample, extra: int
) -> None:
    """The contract alone accepts whole words behind a proof."""
    length = len(sample.proof)
    assert sample.vka.proof_bytes == length
    proof = (sample.proof + bytes(32))[: length + extra]
    with rejects(
        Reason.PROOF_LENGTH_ON_CHAIN,
        f"the proof is {length + extra} bytes, this verifying key takes {length}",
        kind=ProofRejected,
    ):
        await check(rpc, devnet, replace(sample, proof=proof))


# -- the contract itself -----------------------------------------------------------------------


async def test_the_word_of_another_contract_is_not_taken(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample
) -> None:
    says_yes = Address(b"\x66" * 20)
    code = "600160005260206000f3"  # returns the word 1, whatever it is asked
    await rpc.request("anvil_setCode", says_yes.hex, "0x" + code)
    for impostor in (says_yes, devnet.token.address):
        with rejects(
            Reason.VERIFIER_CODE_UNKNOWN,
            f"the code at {impostor} is not the Halo2VerifierReusable that this version ships; "
            "its word is worth nothing",
            kind=Misconfigured,
        ):
            await verify_on_chain(
                rpc, impostor, proof=sample.proof, instances=sample.instances, vka=sample.vka
            )
    await check_verifier(rpc, devnet.verifier)


async def test_an_empty_address_is_not_a_verifier(
    rpc: Rpc, devnet: DevnetInfo, sample: EzklSample
) -> None:
    nowhere = Address(b"\x11" * 20)
    with rejects(
        Reason.CHAIN_NO_CONTRACT,
        f"there is no contract at {nowhere} on chain 31337",
        kind=NotFound,
    ):
        await register_vka(rpc, nowhere, sample.vka, devnet.accounts.provider)


async def test_the_answer_must_name_the_key(devnet: DevnetInfo, sample: EzklSample) -> None:
    class Lying(Rpc):
        async def call(self, *_: object, **__: object) -> bytes:
            return (1).to_bytes(32, "big") + b"\5" * 32

    async with Lying(devnet.rpc_url) as lying:
        with rejects(
            Reason.VKA_DIGEST_MISMATCH,
            f"the verifier used the verifying key 0x{'05' * 32}, not {sample.vka.digest}",
            kind=ProofRejected,
        ):
            await check(lying, devnet, sample)


@pytest.mark.parametrize("answer", [b"", bytes(64), (2).to_bytes(32, "big") + bytes(32), b"\1"])
async def test_only_the_word_one_is_acceptance(
    devnet: DevnetInfo, sample: EzklSample, answer: bytes
) -> None:
    class Lying(Rpc):
        async def call(self, *_: object, **__: object) -> bytes:
            return answer

    async with Lying(devnet.rpc_url) as lying:
        with pytest.raises(ProofRejected) as caught:
            await check(lying, devnet, sample)
        assert caught.value.reason is Reason.PROOF_REFUSED_ON_CHAIN


async def test_a_dead_node_verifies_nothing(sample: EzklSample, devnet: DevnetInfo) -> None:
    async with Rpc("http://127.0.0.1:9") as dead:
        with pytest.raises(Unavailable):
            await check(dead, devnet, sample)


# -- the artifact's form -----------------------------------------------------------------------


def test_the_artifact_round_trips(ezkl_samples: list[EzklSample]) -> None:
    vka = ezkl_samples[0].vka
    assert VerifyingKeyArtifact.from_bytes(vka.to_bytes()) == vka
    assert vka.digest == VerifyingKeyArtifact.from_bytes(vka.to_bytes()).digest
    assert vka.digest != ezkl_samples[1].vka.digest
    assert isinstance(vka.digest, Digest)


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33)])
def test_bytes_that_are_no_words_are_refused(data: bytes) -> None:
    with rejects(
        Reason.VKA_MALFORMED,
        "the verifying-key artifact is not a list of 32-byte words",
        kind=ArtifactRejected,
    ):
        VerifyingKeyArtifact.from_bytes(data)


@pytest.mark.parametrize("change", [b"", b"\0" * 32, None])
def test_a_damaged_ezkl_file_is_refused(
    ezkl_samples: list[EzklSample], change: bytes | None
) -> None:
    file = ezkl_samples[0].vka_file
    damaged = b"" if change == b"" else file[:-1] if change is None else file + change
    with pytest.raises(ArtifactRejected) as caught:
        VerifyingKeyArtifact.from_ezkl_file(damaged)
    assert caught.value.reason is Reason.VKA_MALFORMED


@pytest.mark.parametrize("count", [1, 34, 40])
def test_an_artifact_that_ends_early_has_no_proof_length(count: int) -> None:
    with pytest.raises(ArtifactRejected):
        _ = VerifyingKeyArtifact((b"\xff" * 32,) * count).proof_bytes
