"""Access on a chain: plans, what is bought of them, and the one question who may call for how much.

Every act is looked at before it is sent, so that a refusal costs nothing and has a reason; the
contract decides (specs/access.md, docs/adr/0054-access-is-one-question.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.chain.abi import calldata, encode_arguments, event_topic
from inferproof.chain.access_questions import (
    IS_CONSUMER,
    OWNER,
    TERMS,
    AccessQuestions,
    encoded_terms,
    selector_of,
)
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.contracts import ACCESS, deploy, load_artifact
from inferproof.chain.model_registry import ModelRegistry, check_registry
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.errors import Misconfigured, NotFound, PolicyRejected, Reason, Rejection
from inferproof.protocol.access import check_plan, is_purchase, plan_of
from inferproof.protocol.signature import SigningKey
from inferproof.types.access import (
    Plan,
    PlanKind,
    PlanTerms,
    Purchase,
    Subscription,
)
from inferproof.types.digest import Address, Digest

MAKE_PLAN = f"makePlan(bytes32,{TERMS},uint96)"
UPDATE_PLAN = "updatePlan(bytes32,uint96,bool)"
BUY = "buy(bytes32,uint256)"
REFUND = "refund(bytes32)"
MATURE = "mature(bytes32,address)"
SUBSCRIBE = "subscribe(bytes32,uint96,uint32,uint40)"
RENEW = "renew(bytes32,address)"
END = "endSubscription(bytes32)"
WITHDRAW = "withdraw(address)"
SET_CONSUMER = "setConsumer(address,bool)"
CONSUME = "consume(address,bytes32,address,bytes32)"
_BOUGHT = event_topic("Bought(bytes32,bytes32,address,address,uint256,uint256)")

NO_END = 2**40 - 1
"""The latest time that a subscription can name."""


@dataclass(frozen=True, slots=True)
class Made:
    """A plan that is there. Units: gas that was taken now, 0 where it was there before."""

    plan: Plan
    gas: int


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase. Units: gas, of an approval too where one was sent."""

    purchase: Purchase
    gas: int


async def deploy_access(rpc: Rpc, registry: Address, owner: Address, key: SigningKey) -> Address:
    """A newly deployed contract of access, by a registry. `owner` names who may consume.

    Raises: as `check_registry`, and `deploy`.
    """
    await check_registry(rpc, registry)
    return await deploy(rpc, load_artifact(ACCESS), key, registry, owner)


async def open_access(rpc: Rpc, address: Address) -> "Access":
    """The contract of access at an address, whose code is the one that this package ships.

    Raises: NotFound CHAIN_NO_CONTRACT; Misconfigured ACCESS_CODE_UNKNOWN, REGISTRY_CODE_UNKNOWN;
    Unavailable.
    """
    code = await rpc.code(address)
    if not code:
        raise NotFound(Reason.CHAIN_NO_CONTRACT, address=address, chain_id=await rpc.chain_id())
    if not load_artifact(ACCESS).is_code(code):
        raise Misconfigured(Reason.ACCESS_CODE_UNKNOWN, address=address, contract=ACCESS)
    access = Access(rpc, address)
    await check_registry(rpc, await access.registry())
    return access


class Access(AccessQuestions):
    """One contract of access through one node. Its code is looked at by `open_access`."""

    # -- what a model's owner does

    async def make_plan(self, model: Digest, terms: PlanTerms, price: int, key: SigningKey) -> Made:
        """The plan, once it is there; nothing is sent for one of these terms that was there.

        Raises: RequestRejected PLAN_TERMS; NotFound MODEL_NOT_REGISTERED, CHAIN_NO_CONTRACT;
        Rejection MODEL_OWNER_OTHER; as `transact`.
        """
        check_plan(terms, price)
        await self._check_model_owner(model, key.address)
        name = await self.plan_name(model, terms)
        try:
            return Made(await self.plan(name), 0)
        except NotFound:
            pass
        if terms.kind is not PlanKind.FREE and not await self._rpc.code(terms.token):
            chain_id = await self._rpc.chain_id()
            raise NotFound(Reason.CHAIN_NO_CONTRACT, address=terms.token, chain_id=chain_id)
        data = selector_of(MAKE_PLAN) + encode_arguments(
            ["bytes32", TERMS, "uint96"], [model, encoded_terms(terms), price]
        )
        gas = (await self._send(key, data, "makePlan")).gas_used
        return Made(await self.plan(name), gas)

    async def update_plan(
        self,
        name: Digest,
        key: SigningKey,
        *,
        price: int | None = None,
        is_open: bool | None = None,
    ) -> ChainReceipt:
        """Sets what a plan costs from now on, and whether it is offered; None leaves it.

        Raises: NotFound PLAN_NOT_FOUND; Rejection MODEL_OWNER_OTHER; RequestRejected PLAN_TERMS;
        as `transact`.
        """
        plan = await self.plan(name)
        await self._check_model_owner(plan.model, key.address)
        price = plan.price if price is None else price
        check_plan(plan.terms, price)
        offered = plan.is_open if is_open is None else is_open
        return await self._send(key, calldata(UPDATE_PLAN, name, price, offered), UPDATE_PLAN)

    async def withdraw(
        self, token: Address, key: SigningKey, plans: Sequence[Digest] = ()
    ) -> tuple[int, int]:
        """What was sent to the key's address, and the gas. Money of the plans that cannot be given
        back any more is counted first. Units: atomic.

        Raises: NotFound PLAN_NOT_FOUND; Rejection NOTHING_EARNED; as `transact`.
        """
        gas = 0
        for name in plans:
            await self.plan(name)
            gas += (await self._send(key, calldata(MATURE, name, key.address), MATURE)).gas_used
        amount = await self.earned(key.address, token)
        if amount == 0:
            raise Rejection(
                Reason.NOTHING_EARNED, access=self.address, account=key.address, token=token
            )
        done = await self._send(key, calldata(WITHDRAW, token), WITHDRAW)
        return amount, gas + done.gas_used

    # -- what a buyer does

    async def buy(self, name: Digest, key: SigningKey, *, limit: int | None = None) -> Bought:
        """A pass or a pack, for the plan's price: `limit` at most, where one is given.

        Raises: NotFound PLAN_NOT_FOUND; Rejection PLAN_KIND, PLAN_CLOSED, PURCHASE_FUNDS;
        PolicyRejected PLAN_PRICE_ABOVE; as `transact`.
        """
        plan = await self._offered(name, (PlanKind.PASS, PlanKind.PACK), limit)
        gas = await self._approve(plan, plan.price, plan.price, key)
        data = calldata(BUY, name, plan.price if limit is None else limit)
        done = await self._send(key, data, BUY)
        for log in done.logs:
            if log.address == self.address and log.topics[:2] == (_BOUGHT, name):
                return Bought(await self.purchase(log.topics[2]), gas + done.gas_used)
        raise Misconfigured(
            Reason.CHAIN_BAD_ANSWER,
            address=self.address,
            call=BUY,
            got=len(done.logs),
            expected="an event of the purchase",
        )

    async def refund(self, right: Digest, key: SigningKey) -> ChainReceipt:
        """Gives back an unused pass or pack; its price is then the key's to withdraw.

        Raises: NotFound PURCHASE_NOT_FOUND; Rejection REFUND_OVER, REFUND_USED, REFUND_NOT_HELD; as
        `transact`.
        """
        purchase = await self.purchase(right)
        if (await self._rpc.head()).timestamp >= purchase.refund_until:
            raise Rejection(Reason.REFUND_OVER, right=right, end=purchase.refund_until)
        if not await self.holds(key.address, right):
            raise Rejection(Reason.REFUND_NOT_HELD, right=right, sender=key.address)
        if purchase.used:
            raise Rejection(Reason.REFUND_USED, right=right, used=purchase.used)
        return await self._send(key, calldata(REFUND, right), REFUND)

    async def subscribe(
        self,
        name: Digest,
        key: SigningKey,
        *,
        renewals: int,
        limit: int | None = None,
        renew_by: int = NO_END,
    ) -> tuple[Subscription, int]:
        """The subscription whose first period is paid, and the gas. The token is approved for
        it and its renewals, at the limit each; without one, at today's price.

        Raises: NotFound PLAN_NOT_FOUND; Rejection PLAN_KIND, PLAN_CLOSED, SUBSCRIPTION_PAID,
        PURCHASE_FUNDS; PolicyRejected PLAN_PRICE_ABOVE; as `transact`.
        """
        plan = await self._offered(name, (PlanKind.SUBSCRIPTION,), limit)
        most = plan.price if limit is None else limit
        await self._check_due(name, key.address)
        gas = await self._approve(plan, plan.price, most * (1 + renewals), key)
        data = calldata(SUBSCRIBE, name, most, renewals, renew_by)
        gas += (await self._send(key, data, SUBSCRIBE)).gas_used
        return await self.subscription(name, key.address), gas

    async def renew(self, name: Digest, subscriber: Address, key: SigningKey) -> ChainReceipt:
        """Pays a subscriber's next period out of what the subscriber approved; anyone may.

        Raises: NotFound PLAN_NOT_FOUND; Rejection PLAN_KIND, PLAN_CLOSED, SUBSCRIPTION_PAID,
        SUBSCRIPTION_OVER; PolicyRejected PLAN_PRICE_ABOVE; as `transact`.
        """
        own = await self.subscription(name, subscriber)
        plan = await self._offered(name, (PlanKind.SUBSCRIPTION,), None)
        now = await self._check_due(name, subscriber)
        if not own.renewals or now > own.renew_by or now >= own.paid_until + plan.terms.span:
            raise Rejection(Reason.SUBSCRIPTION_OVER, plan=name, subscriber=subscriber)
        _check_limit(plan, own.limit)
        return await self._send(key, calldata(RENEW, name, subscriber), RENEW)

    async def end(self, name: Digest, key: SigningKey) -> ChainReceipt:
        """Allows no renewal any more; the period that is paid stays.

        Raises: NotFound PLAN_NOT_FOUND; as `transact`.
        """
        await self.plan(name)
        return await self._send(key, calldata(END, name), END)

    # -- who serves

    async def set_consumer(self, who: Address, allowed: bool, key: SigningKey) -> ChainReceipt:
        """Lets somebody consume, or ends that.

        Raises: Rejection ACCESS_OWNER_OTHER; as `transact`.
        """
        (owner,) = await self._ask(OWNER, ["address"], "an owner")
        if Address.from_hex(owner) != key.address:
            raise Rejection(Reason.ACCESS_OWNER_OTHER, access=self.address, owner=owner)
        return await self._send(key, calldata(SET_CONSUMER, who, allowed), SET_CONSUMER)

    async def consume(
        self, buyer: Address, commitment: Digest, token: Address, right: Digest, key: SigningKey
    ) -> ChainReceipt:
        """Takes a call of a buyer's, as one who may.

        Raises: Rejection NOT_A_CONSUMER, NOT_ENTITLED; as `transact`.
        """
        (allowed,) = await self._ask(IS_CONSUMER, ["bool"], "a flag", key.address)
        if not allowed:
            raise Rejection(Reason.NOT_A_CONSUMER, access=self.address, who=key.address)
        if not (await self.entitlement(buyer, commitment, token, right)).entitled:
            raise Rejection(Reason.NOT_ENTITLED, buyer=buyer, commitment=commitment, right=right)
        data = calldata(CONSUME, buyer, commitment, token, right)
        return await self._send(key, data, CONSUME)

    # -- inside

    async def _offered(self, name: Digest, kinds: Sequence[PlanKind], limit: int | None) -> Plan:
        plan = await self.plan(plan_of(name) if is_purchase(name) else name)
        if plan.terms.kind not in kinds or is_purchase(name):
            kind = plan.terms.kind.name.lower()
            wanted = " or ".join(each.name.lower() for each in kinds)
            raise Rejection(Reason.PLAN_KIND, plan=name, kind=kind, wanted=wanted)
        if not plan.is_open:
            raise Rejection(Reason.PLAN_CLOSED, plan=name)
        if limit is not None:
            _check_limit(plan, limit)
        return plan

    async def _check_due(self, name: Digest, subscriber: Address) -> int:
        """The chain's time, at which no period is paid."""
        own, now = await self.subscription(name, subscriber), (await self._rpc.head()).timestamp
        if now < own.paid_until:
            raise Rejection(
                Reason.SUBSCRIPTION_PAID, plan=name, subscriber=subscriber, end=own.paid_until
            )
        return now

    async def _approve(self, plan: Plan, price: int, amount: int, key: SigningKey) -> int:
        """The gas of letting the contract take the amount; 0 where it may already."""
        token = plan.terms.token
        balance = await self._of_token(token, "balanceOf(address)", key.address)
        if balance < price:
            raise Rejection(
                Reason.PURCHASE_FUNDS, payer=key.address, got=balance, token=token, price=price
            )
        allowance = "allowance(address,address)"
        if await self._of_token(token, allowance, key.address, self.address) >= amount:
            return 0
        approve = "approve(address,uint256)"
        data = calldata(approve, self.address, amount)
        return (await transact(self._rpc, key, to=token, data=data, what=approve)).gas_used

    async def _of_token(self, token: Address, signature: str, *arguments: object) -> int:
        answer = await self._rpc.call(token, calldata(signature, *arguments), what=signature)
        (value,) = self._read(signature, ["uint256"], answer, "an amount")
        return int(value)

    async def _check_model_owner(self, model: Digest, sender: Address) -> None:
        registry = ModelRegistry(self._rpc, await self.registry())
        owner = (await registry.ownership(model)).owner
        if owner != sender:
            raise Rejection(Reason.MODEL_OWNER_OTHER, model=model, owner=owner, sender=sender)

    async def _send(self, key: SigningKey, data: bytes, what: str) -> ChainReceipt:
        return await transact(self._rpc, key, to=self.address, data=data, what=what, pending=True)


def _check_limit(plan: Plan, limit: int) -> None:
    if plan.price > limit:
        raise PolicyRejected(Reason.PLAN_PRICE_ABOVE, plan=plan.name, price=plan.price, limit=limit)
