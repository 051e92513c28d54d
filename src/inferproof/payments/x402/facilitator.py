"""A self-hosted facilitator: what `POST /facilitator/verify` and `/settle` answer.

For other people's x402 servers. The gateway's own jobs are settled by its settler, from its
outbox; nothing here touches a job.

    server ──verify──▶ 1  request, payment and terms agree     no chain
                       2  the payer's signature                no chain
                       3  the time span                        no chain
                       4  balance and nonce                    chain, read only
    server ──settle──▶ 1 to 4 again, then the chain

Codes of failures are those of x402 where it has one, so that its SDKs know them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from inferproof.errors import (
    InferproofError,
    PaymentRejected,
    Reason,
    RequestRejected,
)
from inferproof.payments.header import read, uint256, wallet_address
from inferproof.payments.x402.payment import IncomingPayment, read_payload
from inferproof.payments.x402.wire import EXACT, IDENTIFIER, VERSION, RequiredTerms
from inferproof.protocol.authorization import check_signature, check_time
from inferproof.protocol.encoding import Json
from inferproof.types.digest import Address
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, Settlement, SettlementState

X402_CODES: dict[Reason, str] = {
    Reason.PAYMENT_VERSION: "invalid_x402_version",
    Reason.PAYMENT_SCHEME: "unsupported_scheme",
    Reason.PAYMENT_NETWORK: "invalid_network",
    Reason.PAYMENT_SIGNATURE: "invalid_exact_evm_payload_signature",
    Reason.SIGNATURE_MALFORMED: "invalid_exact_evm_payload_signature",
    Reason.PAYMENT_PAYEE: "invalid_exact_evm_payload_recipient_mismatch",
    Reason.PAYMENT_AMOUNT: "invalid_exact_evm_payload_authorization_value_mismatch",
    Reason.PAYMENT_EXPIRED: "invalid_exact_evm_payload_authorization_valid_before",
    Reason.PAYMENT_NOT_YET_VALID: "invalid_exact_evm_payload_authorization_valid_after",
    Reason.PAYMENT_NONCE_USED: "invalid_exact_evm_nonce_already_used",
    Reason.PAYMENT_BALANCE: "invalid_exact_evm_insufficient_balance",
}
"""Source: the error codes of the x402 SDK 2.25.0 for EVM; other failures keep our own code."""

PENDING = "settlement_pending"


class Chain(Protocol):
    """What the facilitator asks of the chain."""

    async def precheck(self, authorization: Authorization) -> None:
        """Returns when the payer has the money and the nonce is unused.

        Raises: PaymentRejected PAYMENT_BALANCE, PAYMENT_NONCE_USED; Unavailable.
        """
        ...

    async def settle(self, authorization: Authorization) -> Settlement:
        """The settlement, as far as it is known when this returns; safe to call again.

        Raises: PaymentRejected where the chain refuses for good; Unavailable where nothing
        was sent.
        """
        ...


@dataclass(frozen=True)
class Facilitator:
    """Verifies and settles authorizations in its assets.

    `payees` are those whose settlements this facilitator pays the gas for; None means
    everybody's, which anyone can use to spend its gas. `clock` gives Unix seconds.
    `margin_s` is how long an authorization must still hold.
    """

    assets: Sequence[Asset]
    payees: frozenset[Address] | None
    signer: Address
    chain: Chain
    clock: Callable[[], int]
    margin_s: int = field(default=6)

    def supported(self) -> dict[str, Json]:
        """The SupportedResponse object."""
        kinds: list[Json] = [
            {
                "x402Version": VERSION,
                "scheme": EXACT,
                "network": network,
            }
            for network in sorted({asset.network.caip2 for asset in self.assets})
        ]
        return {
            "kinds": kinds,
            "extensions": [IDENTIFIER],
            "signers": {"eip155:*": [self.signer.hex]},
        }

    async def verify(self, body: object) -> dict[str, Json]:
        """The VerifyResponse object for a decoded VerifyRequest.

        Raises: RequestRejected FACILITATOR_REQUEST where it is none; Unavailable.
        """
        payer: Address | None = None
        try:
            payment, requirements = self._read(body)
            payer = payment.authorization.payer
            await self._check(payment.authorization, requirements)
        except PaymentRejected as error:
            return {
                "isValid": False,
                "invalidReason": X402_CODES.get(error.reason, error.code),
                "invalidMessage": error.message,
                **({"payer": payer.hex} if payer is not None else {}),
            }
        return {"isValid": True, "payer": payer.hex}

    async def settle(self, body: object) -> dict[str, Json]:
        """The SettleResponse object for a decoded SettleRequest.

        The same request again reports on the same authorization and never pays twice: the
        token takes a nonce once. Raises: RequestRejected FACILITATOR_REQUEST; Unavailable.
        """
        authorization: Authorization | None = None
        try:
            payment, requirements = self._read(body)
            authorization = payment.authorization
            self._check_terms(authorization, requirements)
            settlement = await self.chain.settle(authorization)
        except PaymentRejected as error:
            return _failure(X402_CODES.get(error.reason, error.code), error.message, authorization)
        if settlement.state is not SettlementState.SETTLED:
            pending = settlement.state is not SettlementState.FAILED
            code = PENDING if pending else "transaction_failed"
            return _failure(code, f"the settlement is {settlement.state.value}", authorization)
        assert settlement.transaction is not None  # noqa: S101 - what SETTLED means
        return {
            "success": True,
            "payer": authorization.payer.hex,
            "transaction": settlement.transaction.hex,
            "network": authorization.asset.network.caip2,
            "amount": str(authorization.amount),
        }

    def _read(self, body: object) -> tuple[IncomingPayment, dict[str, Json]]:
        if not isinstance(body, dict):
            raise RequestRejected(Reason.FACILITATOR_REQUEST, problem="it is not a JSON object")
        for name in ("paymentPayload", "paymentRequirements"):
            if not isinstance(body.get(name), dict):
                raise RequestRejected(
                    Reason.FACILITATOR_REQUEST, problem=f"{name} is not a JSON object"
                )
        payment = read_payload(body["paymentPayload"], self.assets)
        return payment, body["paymentRequirements"]

    async def _check(self, authorization: Authorization, requirements: dict[str, Json]) -> None:
        self._check_terms(authorization, requirements)
        await self.chain.precheck(authorization)

    def _check_terms(self, authorization: Authorization, requirements: dict[str, Json]) -> None:
        asset, document = authorization.asset, "paymentRequirements"
        try:
            wanted = read(RequiredTerms, requirements, document)
            network = wanted.network
            token = wallet_address(wanted.asset, "asset", document)
            payee = wallet_address(wanted.payTo, "payTo", document)
            amount = uint256(wanted.amount, "amount", document)
        except InferproofError as error:
            raise RequestRejected(Reason.FACILITATOR_REQUEST, problem=error.message) from None
        if (network, token) != (asset.network.caip2, asset.address):
            raise PaymentRejected(
                Reason.PAYMENT_ASSET,
                got=f"{asset.network} {asset.address}",
                expected=f"{network} {token}",
            )
        if payee != authorization.payee:
            raise PaymentRejected(Reason.PAYMENT_PAYEE, got=authorization.payee, expected=payee)
        if self.payees is not None and payee not in self.payees:
            served = " or ".join(str(address) for address in sorted(self.payees))
            raise PaymentRejected(Reason.PAYMENT_PAYEE, got=payee, expected=served)
        if amount != authorization.amount:
            raise PaymentRejected(
                Reason.PAYMENT_AMOUNT,
                got=str(authorization.amount),
                expected=str(amount),
                symbol=f"units of {asset.symbol}",
            )
        check_signature(authorization)
        check_time(authorization, self.clock(), self.margin_s)


def _failure(code: str, message: str, authorization: Authorization | None) -> dict[str, Json]:
    value: dict[str, Json] = {
        "success": False,
        "errorReason": code,
        "errorMessage": message,
        "transaction": "",
        "network": "" if authorization is None else authorization.asset.network.caip2,
    }
    if authorization is not None:
        value["payer"] = authorization.payer.hex
    return value
