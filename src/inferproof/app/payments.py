"""The payment methods of a gateway."""

from collections.abc import Sequence
from typing import Any

from inferproof.app.providing import order_method
from inferproof.app.serving import Serving
from inferproof.chain.access import open_access
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.passes import PassQuestions
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transfers import TransactionReader
from inferproof.payments.method import PaymentMethod, PaymentMethods
from inferproof.payments.passes.method import PassMethod, PassTerms
from inferproof.payments.transfer.method import TransferMethod, TransferTerms
from inferproof.payments.x402.method import ExactMethod, ExactTerms
from inferproof.settings import Settings
from inferproof.storage.ports.ledger import Ledger
from inferproof.types.digest import Address


def open_methods(
    settings: Settings,
    token: TokenChain,
    account: SettlementAccount,
    serving: Serving | None,
    ledger: Ledger,
    passes: PassQuestions | None,
    more: Sequence[PaymentMethod[Any]],
) -> PaymentMethods:
    """The methods of this release as they are set, and `more`, by name."""
    known: list[PaymentMethod[Any]] = [
        ExactMethod(
            token.asset,
            account,
            ExactTerms(
                timeout_s=settings.payment_timeout_s,
                # Twice what is asked for: a buyer's clock may be ahead of ours.
                longest_s=2 * settings.payment_timeout_s,
                margin_s=settings.settle_margin_s,
            ),
        ),
        TransferMethod(token.asset, TransactionReader(token), _transfer_terms(settings)),
        order_method(settings, token.asset, serving, ledger),
        PassMethod(token.asset, passes, _pass_terms(settings, passes)),
        *more,
    ]
    return {method.method: method for method in known}


def _transfer_terms(settings: Settings) -> TransferTerms | None:
    if not settings.transfer_payments:
        return None
    return TransferTerms(settings.transfer_confirmations, settings.transfer_max_age_s)


async def open_passes(settings: Settings, rpc: Rpc) -> PassQuestions | None:
    """The contract of access of the settings, once it was found to be the one we ship; None where
    none is set.

    Raises: as `open_access`.
    """
    if settings.access_address is None:
        return None
    address = Address.from_hex(settings.access_address)
    await open_access(rpc, address)
    return PassQuestions(rpc, address)


def _pass_terms(settings: Settings, passes: PassQuestions | None) -> PassTerms | None:
    if passes is None:
        return None
    return PassTerms(
        access=passes.address,
        margin_s=settings.settle_margin_s,
        longest_s=2 * settings.payment_timeout_s,
    )
