"""The shared suite over all payment methods: those of the release that need no order on a chain,
and one that is in no release and in one file."""

import ast
from pathlib import Path
from typing import Any

import pytest
from payment_method_suite import PaymentMethodSuite
from service_parts import PRICE, TREASURY, World

import inferproof
from inferproof.payments.buyer import BuyerMethod
from inferproof.payments.method import PaymentMethod
from inferproof.payments.passes.buyer import BoughtRight
from inferproof.payments.passes.method import PassMethod, PassTerms
from inferproof.payments.transfer.buyer import MadeTransfer
from inferproof.payments.x402.buyer import ExactBuyer
from inferproof.testing.cash_access import ACCESS, CashAccess, CashRight
from inferproof.testing.samples import ASSET, PAYER, STRANGER
from inferproof.testing.voucher import PayByVoucher, Voucher, VoucherMethod, issue
from inferproof.types.digest import Digest

ISSUER = STRANGER
RIGHT = Digest(b"\x33" * 24 + bytes(7) + b"\x01")


def transferred(world: World) -> Digest:
    tx = world.transfers.transfer(PAYER.address, TREASURY, PRICE)
    world.transfers.confirm()
    return tx


class TestExact(PaymentMethodSuite):
    def way(self, world: World) -> BuyerMethod:
        return ExactBuyer()


class TestTransfer(PaymentMethodSuite):
    stated = frozenset({"amount", "logIndex"})

    def way(self, world: World) -> BuyerMethod:
        return MadeTransfer(transferred(world))


class TestNamedTransfer(PaymentMethodSuite):
    stated = frozenset({"amount"})

    def way(self, world: World) -> BuyerMethod:
        return MadeTransfer(transferred(world), 0)


class TestPass(PaymentMethodSuite):
    paid = 0

    def more(self) -> tuple[PaymentMethod[Any], ...]:
        self.access = CashAccess()
        return (PassMethod(ASSET, self.access, PassTerms(ACCESS)),)

    def way(self, world: World) -> BuyerMethod:
        self.access.ledger = world.ledger
        world.ledger.consumers.add(TREASURY)
        pack = CashRight(PAYER.address, world.system.bundle.commitment, calls=9)
        return BoughtRight(self.access.give(RIGHT, pack))


class TestVoucher(PaymentMethodSuite):
    def more(self) -> tuple[PaymentMethod[Any], ...]:
        return (VoucherMethod(ISSUER.address, ASSET),)

    def way(self, world: World) -> BuyerMethod:
        tx = transferred(world)
        block = world.transfers.made[tx].block
        voucher = Voucher(7, ASSET, PAYER.address, TREASURY, PRICE, tx, block)
        return PayByVoucher(issue(voucher, ISSUER))


# -- nothing else knows the methods' own types ---------------------------------------------------

SOURCE = Path(inferproof.__file__).parent
OWN = ("payments", "testing")
"""Rooms that may tell payment types apart: the methods, and what tests of them are made with."""
ASKING = ("isinstance", "issubclass")
TYPES = {"Authorization", "TransferClaim", "TransferPayment", "PassClaim"}


def told_apart(tree: ast.AST) -> set[str]:
    """The methods' types that code looks at a value's type for."""
    found: set[str] = set()
    for node in ast.walk(tree):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "isinstance",
            "issubclass",
        ):
            asked = list(node.args[1:])
        elif isinstance(node, ast.MatchClass):
            asked = [node.cls]
        elif isinstance(node, ast.Compare) and any(
            isinstance(side, ast.Call) and getattr(side.func, "id", "") == "type"
            for side in (node.left, *node.comparators)
        ):
            asked = [node.left, *node.comparators]
        for part in asked:
            found |= {n.id for n in ast.walk(part) if isinstance(n, ast.Name)} & TYPES
            found |= {n.attr for n in ast.walk(part) if isinstance(n, ast.Attribute)} & TYPES
    return found


def test_nobody_tells_payment_types_apart() -> None:
    modules = [p for p in SOURCE.rglob("*.py") if p.relative_to(SOURCE).parts[0] not in OWN]
    assert len(modules) > 200
    found = {str(p): told_apart(ast.parse(p.read_text("utf-8"))) for p in modules}
    assert {path: types for path, types in found.items() if types} == {}


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(payment, Authorization)",
        "isinstance(x, (int, types.TransferPayment))",
        "isinstance(x, Authorization | TransferClaim)",
        "type(payment) is TransferPayment",
        "match x:\n case TransferClaim(): pass",
    ],
)
def test_telling_them_apart_would_be_found(code: str) -> None:
    assert told_apart(ast.parse(code))


METHODS = ("EXACT_METHOD", "TRANSFER_METHOD", "ESCROW_METHOD", "PASS_METHOD")


def test_a_method_is_named_nowhere_but_in_its_folder() -> None:
    """A third one would be forgotten where the two are named."""
    told = [
        path
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] in ("services", "storage", "api", "verify", "chain")
        and "migrations" not in path.parts
        and any(name in path.read_text("utf-8") for name in METHODS)
    ]
    assert told == []
