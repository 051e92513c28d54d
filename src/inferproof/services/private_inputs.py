"""Private inputs of orders: which models take them, and how often each is opened.

An order's secret is drawn once, as its input's salt, and kept with it. Its attempts are counted in
the order book before there is an order, so that none is ever without a count; where the order comes
to nothing, or is over, the count is let go, which spends what is left of it.
"""

import asyncio
import logging
from collections.abc import Callable

from inferproof.errors import InferproofError, Reason, RequestRejected
from inferproof.observability.faults import loggable
from inferproof.protocol.input_opening import ATTEMPTS, attempts_name
from inferproof.services.models.catalog import RegisteredModel
from inferproof.storage.ports.jobs import ValidatedOrder
from inferproof.storage.ports.models import ModelStatus
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.types.digest import Digest
from inferproof.verify.proof import InputCommitter, ProofChecker, security_of

log = logging.getLogger("inferproof.orders")


class PrivateInputs:
    """What orders with private inputs are checked and counted by."""

    def __init__(self, checker: Callable[[str], ProofChecker], budgets: OpeningBudgets) -> None:
        self._checker = checker
        self._budgets = budgets
        self._refusals: dict[Digest, str | None] = {}
        """Why models take none, None for those that do, by their commitments."""

    async def check(self, model: RegisteredModel) -> None:
        """Returns when the model's proofs can be about a private input.

        Raises: RequestRejected PRIVATE_INPUT_UNSUPPORTED; MissingPart where the proof system is not
        installed here.
        """
        why = await self._refusal(model)
        if why is not None:
            raise RequestRejected(Reason.PRIVATE_INPUT_UNSUPPORTED, why=why)

    async def taken(self, model: RegisteredModel) -> bool | None:
        """Whether the model's proofs can be about a private input; None where that cannot be told
        here, or costs more than the key of a model that nobody approved is given."""
        if model.record.status is ModelStatus.PENDING:
            return None
        try:
            return await self._refusal(model) is None
        except InferproofError:  # no such system here, or a key that it refuses: an order is told
            return None

    async def _refusal(self, model: RegisteredModel) -> str | None:
        commitment = model.record.commitment
        if commitment not in self._refusals:
            self._refusals[commitment] = await asyncio.to_thread(self._why_not, model)
        return self._refusals[commitment]

    def _why_not(self, model: RegisteredModel) -> str | None:
        bundle = model.submission.bundle
        system = bundle.parts.proof_system
        checker = self._checker(system)
        if not isinstance(checker, InputCommitter):
            return f"proof system {system} has none"
        try:
            security_of(checker, bundle, private_input=True)  # which a model without them has not
        except RequestRejected as error:
            if error.reason is not Reason.PRIVATE_INPUT_UNSUPPORTED:
                raise
            return str(error.facts["why"])
        return None

    async def begin(self, order: ValidatedOrder) -> None:
        """Begins to count the attempts at an order whose secret was drawn just now, durably.

        Raises: Unavailable.
        """
        if order.private_input:
            await self._budgets.register(attempts_name(order.salt), ATTEMPTS, reserved=0)

    async def end(self, order: ValidatedOrder) -> None:
        """Lets go of the count of an order that is over, or never was. Where that fails it stays,
        and nobody proves by it."""
        if not order.private_input:
            return
        try:
            await self._budgets.forget(attempts_name(order.salt))
        except InferproofError as error:
            log.warning("the count of an input that is over is not forgotten: %s", loggable(error))
