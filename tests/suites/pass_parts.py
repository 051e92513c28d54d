"""A gateway that takes calls which were bought before, and a buyer who has some."""

from dataclasses import replace
from typing import Any

from service_parts import BODY, MODEL, PATH, TREASURY, Services, World

from inferproof.payments.passes import IncomingPass
from inferproof.payments.passes.method import PassMethod, PassTerms, present
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.passes import pass_claim_digest
from inferproof.protocol.signature import SigningKey
from inferproof.services.orders.base import JobView, PaidRequest
from inferproof.testing.cash_access import ACCESS, CashAccess, CashRight
from inferproof.testing.samples import ASSET, ORDERED_AT, PAYER
from inferproof.types.access import PassClaim, PlanKind
from inferproof.types.digest import Digest
from inferproof.types.receipt import Request

PLAN = Digest(b"\x33" * 24 + bytes(8))
RIGHT = Digest(PLAN.raw[:-1] + b"\x01")
REQUEST = request_digest("POST", PATH, BODY)


def pass_claim(
    model: Digest, key: SigningKey = PAYER, signer: Any = None, **changes: Any
) -> PassClaim:
    """A claim to a call of the right, for the body's request; any field can be another."""
    unsigned = PassClaim(
        asset=ASSET,
        access=ACCESS,
        buyer=key.address,
        gateway=TREASURY,
        model=model,
        right=RIGHT,
        request=REQUEST,
        salt=Digest(b"\x5a" * 32),
        valid_before=ORDERED_AT + 600,
        signature=b"",
    )
    unsigned = replace(unsigned, **changes)
    return replace(unsigned, signature=(signer or key).sign(pass_claim_digest(unsigned)))


class Counter:
    """A contract of access, with a world of which a gateway takes calls of it."""

    def __init__(self, world: World) -> None:
        self.world, self.access = world, CashAccess(world.ledger)
        self.model = world.system.bundle.commitment
        world.ledger.consumers.add(TREASURY)
        world.more_methods = (PassMethod(ASSET, self.access, PassTerms(ACCESS)),)

    def sell(self, *, right: Digest = RIGHT, **terms: Any) -> Digest:
        """A right that the payer has from now on."""
        kind = terms.pop("kind", PlanKind.PACK)
        return self.access.give(right, CashRight(PAYER.address, self.model, kind, **terms))

    def used(self, right: Digest = RIGHT) -> int:
        return self.world.ledger.rights[right].used

    async def call(self, services: Services, salt: int = 1, **changes: Any) -> JobView:
        """A call that is paid by the right."""
        ends = self.world.clock.now + 600
        claim = pass_claim(
            self.model, **{"salt": Digest(bytes([salt]) * 32), "valid_before": ends, **changes}
        )
        presented = present(IncomingPass(claim))
        paid = PaidRequest(MODEL, Request("POST", PATH, BODY), presented)
        return await services.gateway.accept(paid)
