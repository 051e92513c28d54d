"""A deployed router and its adapters against private proofs, and against everything near them."""

from dataclasses import replace

import pytest

from inferproof.chain.contracts import VERIFIER_ROUTER
from inferproof.chain.private_proofs import store_programs
from inferproof.chain.rpc import CallReverted, Rpc
from inferproof.chain.transactions import transact
from inferproof.chain.verifier_router import (
    VerifierRouter,
    check_router,
    deploy_private_adapter,
    deploy_router,
    open_router,
    private_key_digest,
    private_proof,
    verify_data,
    without_kept_links,
)
from inferproof.errors import Conflict, Misconfigured, NotFound, ProofRejected, Reason, Rejection
from inferproof.protocol.encoding import encode_fixed_tensor, fixed_tensor_head, keccak256
from inferproof.protocol.registration import verifier_selector
from inferproof.second_verifier.program.calls import Call, call_of, programs_of
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.verifier import Claim, ContractAssurance, Verifier
from reference.claims import FOLDER, NAMES, outputs_of, rendered
from reference.vectors import PLACE, Vector, load

SELECTOR = verifier_selector("sumcheck", "1")
SHOWN = "0x" + SELECTOR.hex()
CAP = 16_000_000


def vector(name: str) -> Vector:
    return load(PLACE / "evm" / "proofs" / f"{name}.json")


def call(name: str) -> Call:
    own = vector(name)
    return call_of(own.key, own.inputs, own.outputs, own.statement, own.proof)


def heads(name: str) -> list[bytes]:
    return [fixed_tensor_head(o.name, o.shape, o.scale) for o in outputs_of(name)]


def claim(name: str) -> Claim:
    own = vector(name)
    return Claim(
        Digest(own.statement),
        private_key_digest(programs_of(own.key).digests, heads(name)),
        Digest(keccak256(call(name).numbers)),
        tuple(encode_fixed_tensor(output) for output in outputs_of(name)),
    )


def proof(name: str, told: Call | None = None) -> bytes:
    return private_proof(programs_of(vector(name).key).digests, heads(name), told or call(name))


def verifier_at(adapter: Address, **fields: object) -> Verifier:
    made = Verifier(
        SELECTOR,
        adapter,
        CAP,
        Digest(keccak256(b"specification")),
        ContractAssurance.ZK_PRIVATE,
        "sumcheck",
    )
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.fixture
async def router(rpc: Rpc, devnet: DevnetInfo) -> VerifierRouter:
    """A router with the adapter of private proofs, whose contract holds programs of two keys."""
    owner = devnet.accounts.owner
    made = await open_router(rpc, await deploy_router(rpc, owner, owner.address))
    adapter = await deploy_private_adapter(rpc, owner, devnet.private_proofs)
    await made.add(verifier_at(adapter), owner)
    for name in ("linear", "parameters"):
        await store_programs(rpc, devnet.private_proofs, programs_of(vector(name).key).every, owner)
    return made


# -- proofs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_claims_are_those_that_the_contracts_tests_make(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == rendered(name)


async def test_real_proofs_pass_and_take_as_much_gas_as_the_cap_asks_for(
    router: VerifierRouter,
) -> None:
    for name in ("linear", "parameters"):
        gas = await router.verify(SELECTOR, claim(name), proof(name))
        # A transaction carries the whole cap, of which the check uses a part.
        assert CAP < gas < CAP * 1.1 + 2_000_000


async def test_links_that_are_kept_need_not_be_brought(
    rpc: Rpc, devnet: DevnetInfo, router: VerifierRouter
) -> None:
    own, told = claim("linear"), call("linear")
    done = await transact(
        rpc,
        devnet.accounts.buyer,
        to=router.address,
        data=verify_data(SELECTOR, own, proof("linear")),
        what="a check",
    )
    assert done.gas_used < 6_000_000
    short = without_kept_links(told, [link.commitment for link in told.links])
    assert len(proof("linear")) - len(proof("linear", short)) > len(told.links[0].opening)
    assert await router.verify(SELECTOR, own, proof("linear", short)) > CAP
    assert without_kept_links(told, []) == told


async def test_another_claim_and_another_proof_are_refused_by_their_reasons(
    router: VerifierRouter,
) -> None:
    own, told = claim("linear"), call("linear")
    output, head = own.outputs[0], heads("linear")[0]
    wrong = Digest(b"\x01" * 32)
    digests = programs_of(vector("linear").key).digests
    other_scale = [head[:-1] + b"\x3e"]
    for asked, brought, why in (
        (replace(own, verifying_key=wrong), None, f"OtherKey({own.verifying_key})"),
        (replace(own, inputs=wrong), None, f"OtherInputs({own.inputs})"),
        (replace(own, outputs=(output[:-1],)), None, "OtherOutput(0)"),
        (replace(own, outputs=(head[:-1] + b"\x3e" + output[len(head) :],)), None,
         "OtherOutput(0)"),
        (replace(own, outputs=(output[:-1] + b"\x01",)), None, "OutputOutOfRange(0)"),
        (replace(own, outputs=()), None, "OutputCount(0, 1)"),
        (own, private_proof(digests[::-1], [head], told), None),
        (own, private_proof(digests, other_scale, told), None),
        (own, private_proof(digests, [head], replace(told, links=[])), "LinksEndElsewhere(0)"),
        (own, private_proof(digests, [head], replace(told, links=call("parameters").links)),
         f"NotAStep(0, 0x{call('parameters').links[0].program.hex()})"),
        (own, b"", "ProofTooShort(0, 416)"),
        (replace(own, statement=wrong), None, None),
        (own, private_proof(digests, [head], replace(told, proof=told.proof[:-1])), None),
    ):  # fmt: skip
        with pytest.raises(ProofRejected) as caught:
            await router.verify(SELECTOR, asked, proof("linear") if brought is None else brought)
        assert caught.value.reason is Reason.PROOF_REFUSED_BY_ROUTER
        if why is not None:
            expected = f"the router {router.address} does not let the proof pass: the verifier says"
            assert str(caught.value) == f"{expected} {why}"


async def test_a_refusal_is_told_in_the_verifiers_words(router: VerifierRouter) -> None:
    with rejects(
        Reason.PROOF_REFUSED_BY_ROUTER,
        f"the router {router.address} does not let the proof pass: the verifier says "
        "ProofTooShort(0, 416)",
        kind=ProofRejected,
    ):
        await router.verify(SELECTOR, claim("linear"), b"")


# -- what stands behind selectors --------------------------------------------------------------


async def test_a_verifier_is_added_once_and_retired_for_ever(
    rpc: Rpc, devnet: DevnetInfo, router: VerifierRouter
) -> None:
    owner, stranger = devnet.accounts.owner, devnet.accounts.buyer
    found = await router.verifier(SELECTOR)
    assert found == verifier_at(found.adapter)
    assert await router.owner() == owner.address
    assert await router.add(found, owner) is None
    other = replace(found, gas_cap=CAP + 1)
    with rejects(
        Reason.VERIFIER_TAKEN,
        f"the selector {SHOWN} of the router {router.address} names the verifier {found.adapter} "
        "for ever; add another one under a selector of its own",
        kind=Conflict,
    ):
        await router.add(other, owner)
    for refused in (
        router.add(replace(other, selector=b"\1\2\3\4"), stranger),
        router.retire(SELECTOR, stranger),
    ):
        with rejects(
            Reason.ROUTER_OWNER_OTHER,
            f"the router {router.address} belongs to {owner.address}: {stranger.address} can "
            "neither add nor retire verifiers",
            kind=Rejection,
        ):
            await refused
    with pytest.raises(CallReverted, match=r"ZeroGasCap\(\)"):
        await router.add(replace(found, selector=b"\1\2\3\4", gas_cap=0), owner)
    assert (await router.retire(SELECTOR, owner)).succeeded
    assert (await router.verifier(SELECTOR)).retired
    for ended in (
        router.retire(SELECTOR, owner),
        router.verify(SELECTOR, claim("linear"), proof("linear")),
    ):
        with rejects(
            Reason.VERIFIER_RETIRED,
            f"the verifier behind the selector {SHOWN} of the router {router.address} has ended: "
            "it takes no proofs any more",
            kind=NotFound,
        ):
            await ended
    with pytest.raises(Conflict):
        await router.add(found, owner)


async def test_a_selector_behind_which_nothing_stands_is_told(router: VerifierRouter) -> None:
    for asked in (
        router.verifier(b"\1\2\3\4"),
        router.verify(b"\1\2\3\4", claim("linear"), proof("linear")),
    ):
        with rejects(
            Reason.VERIFIER_UNKNOWN,
            f"nothing ever stood behind the selector 0x01020304 of the router {router.address}",
            kind=NotFound,
        ):
            await asked


async def test_other_code_is_no_router(rpc: Rpc, devnet: DevnetInfo) -> None:
    with rejects(
        Reason.ROUTER_CODE_UNKNOWN,
        f"the code at {devnet.verifier} is not the {VERIFIER_ROUTER} that this version ships; name "
        "the router of this chain",
        kind=Misconfigured,
    ):
        await open_router(rpc, devnet.verifier)
    with pytest.raises(NotFound) as caught:
        await check_router(rpc, Address(b"\x11" * 20))
    assert caught.value.reason is Reason.CHAIN_NO_CONTRACT
    with pytest.raises(Misconfigured) as strange:
        await VerifierRouter(rpc, Address(b"\x11" * 20)).owner()
    assert strange.value.reason is Reason.CHAIN_BAD_ANSWER
