"""Joins orders in an escrow and proof systems: what an order commits to, and what delivers it."""

import asyncio
from collections.abc import Sequence

from inferproof.app.router_proofs import contract_key, router_proof
from inferproof.chain.abi import calldata, words
from inferproof.chain.model_registry import ModelRegistry
from inferproof.chain.private_proofs import LINKED
from inferproof.chain.rpc import Rpc
from inferproof.chain.verifier_router import VerifierRouter
from inferproof.errors import NotFound, PaymentRejected, Reason
from inferproof.protocol.proof_file import ProofFile, decode_proof_file
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.evm import evm_numbers
from inferproof.proving.sumcheck.contract import contract_call, contract_numbers
from inferproof.second_verifier.program.calls import next_chain
from inferproof.services.models.catalog import Catalog
from inferproof.services.settlement.orders import Deliverable
from inferproof.storage.ports.blobs import BlobStore
from inferproof.storage.ports.jobs import Job
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Visibility
from inferproof.types.registry import ContractKey
from inferproof.types.tensor import Tensors

PROOFS = "PROOFS()"


def order_numbers(bundle: VerifierBundle, tensors: Tensors) -> bytes:
    """What an order's `inputs` are the keccak256 of: the numbers that the model's input is
    quantised to, as the contract that verifies its proofs takes them. Buyers and servers make it
    alike.

    Raises: NotFound NO_CONTRACT_FOR_SYSTEM; InputRejected and ProofRejected as the system says.
    """
    parts = bundle.parts
    if parts.proof_system == "sumcheck":
        return contract_numbers(bundle, tensors)
    if parts.proof_system == "ezkl" and parts.visibility is Visibility.PUBLIC:
        numbers = evm_numbers(bundle, tensors)
        return b"".join(number.to_bytes(32, "big") for number in numbers)
    raise NotFound(Reason.NO_CONTRACT_FOR_SYSTEM, system=parts.proof_system)


class OrderKeys:
    """Whether contracts know models by the keys of their bundles. A registered version never
    changes, so what was found is kept."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._own: dict[Digest, ContractKey] = {}
        self._held: set[Digest] = set()

    async def check(self, bundle: VerifierBundle) -> None:
        """Returns when the registry knows the model by this bundle's key, and a contract verifies
        under it. Raises: PaymentRejected ORDER_KEY; as `contract_key`; Unavailable."""
        commitment = bundle.commitment
        if commitment in self._held:
            return
        if commitment not in self._own:
            self._own[commitment] = await asyncio.to_thread(contract_key, bundle)
        key = self._own[commitment]
        try:
            registered = (await self._registry.version(commitment)).terms.key
        except NotFound:
            raise PaymentRejected(Reason.ORDER_KEY, model=commitment) from None
        if registered != key or not any(key.verifier):
            raise PaymentRejected(Reason.ORDER_KEY, model=commitment)
        self._held.add(commitment)


class OrderProofs:
    """Makes what is delivered of answers: services.settlement.orders.Deliverables.

    A link of a private proof that its contract keeps is told without its bytes.
    """

    def __init__(
        self, rpc: Rpc, router: VerifierRouter, catalog: Catalog, blobs: BlobStore
    ) -> None:
        self._rpc = rpc
        self._router = router
        self._catalog = catalog
        self._blobs = blobs

    async def __call__(self, job: Job) -> Deliverable:
        """See Deliverables. Raises: also as `router_proof`."""
        order, answer = job.order, job.answer
        assert answer is not None  # noqa: S101 - the job is DONE
        model = await self._catalog.described(order.model_id, order.model_version)
        bundle = model.submission.bundle
        data = await asyncio.to_thread(self._blobs.get, answer.proof_blob)
        file = await asyncio.to_thread(decode_proof_file, data)
        kept = await self._kept(bundle, file)
        _, proof = await asyncio.to_thread(router_proof, bundle, file, kept=kept)
        return Deliverable(file.outputs, proof)

    async def _kept(self, bundle: VerifierBundle, file: ProofFile) -> Sequence[bytes]:
        """The commitments that the contract keeps already, of those that links lead to."""
        if bundle.parts.proof_system != "sumcheck":
            return ()
        call = await asyncio.to_thread(contract_call, bundle, file)
        proofs = await self._proofs(bundle)
        kept, chain = list[bytes](), b""
        for link in call.links:
            chain = next_chain(chain, link.program)
            asked = calldata(LINKED, Digest(chain), Digest(link.commitment))
            if any(await self._rpc.call(proofs, asked, what=LINKED)):
                kept.append(link.commitment)
        return kept

    async def _proofs(self, bundle: VerifierBundle) -> Address:
        """The contract that keeps links, behind the adapter of the model's selector."""
        key = await asyncio.to_thread(contract_key, bundle)
        adapter = (await self._router.verifier(key.verifier)).adapter
        (found,) = words(await self._rpc.call(adapter, calldata(PROOFS), what=PROOFS))
        return Address(found[12:])
