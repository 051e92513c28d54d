"""Requests of orders in an escrow: what their buyers committed to, before anything is accepted.

1  the input is not asked to be private: the escrow takes statements about disclosed inputs alone
2  the body, pre-processed, gives the committed input under the buyer's salt
3  what that is quantised to has the order's digest, of which the contract makes its claim
4  contracts know the model by the key of its bundle: another's proofs would not be paid
"""

import asyncio
from collections.abc import Awaitable, Callable

from inferproof.errors import InputRejected, Reason
from inferproof.protocol.commitments import input_commitment
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.services.models.catalog import RegisteredModel
from inferproof.types.digest import Digest
from inferproof.types.escrow import OrderedInput
from inferproof.types.receipt import Request
from inferproof.types.tensor import Tensors
from inferproof.verify.receipt import Preprocess

ContractNumbers = Callable[[VerifierBundle, Tensors], bytes]
"""What a model's input is quantised to, as the contract that verifies its proofs takes it.

Raises: InputRejected; NotFound NO_CONTRACT_FOR_SYSTEM.
"""

CheckKey = Callable[[VerifierBundle], Awaitable[None]]
"""Returns when contracts know the model by the key of this bundle.

Raises: PaymentRejected ORDER_KEY; Unavailable.
"""


class OrderedInputs:
    """Holds requests to what their orders say of the input."""

    def __init__(
        self, preprocess: Preprocess, numbers: ContractNumbers, check_key: CheckKey
    ) -> None:
        self._preprocess = preprocess
        self._numbers = numbers
        self._check_key = check_key

    async def __call__(
        self, model: RegisteredModel, request: Request, order: Digest, ordered: OrderedInput
    ) -> None:
        """Returns when a proof about this request would be what the order is paid for.

        Raises: InputRejected ORDER_INPUT, and as `preprocess`; as `ContractNumbers` and `CheckKey`.
        """
        # 1
        if request.salt is not None:
            raise _other(order, "it asks for a private input")
        # 2, 3
        await asyncio.to_thread(self._compare, model, request, order, ordered)
        # 4
        await self._check_key(model.submission.bundle)

    def _compare(
        self, model: RegisteredModel, request: Request, order: Digest, ordered: OrderedInput
    ) -> None:
        bundle = model.submission.bundle
        tensors = self._preprocess(bundle.preprocessing, request.body)
        got = input_commitment(ordered.salt.raw, tensors)
        if got != ordered.commitment:
            raise _other(
                order, f"its input is committed to as {got}, and not as {ordered.commitment}"
            )
        numbers = Digest(keccak256(self._numbers(bundle, tensors)))
        if numbers != ordered.numbers:
            raise _other(order, f"its numbers have the digest {numbers}, and not {ordered.numbers}")


def _other(order: Digest, why: str) -> InputRejected:
    return InputRejected(Reason.ORDER_INPUT, order=order, why=why)
