"""The cash chain and a real one keep to the same rules."""

import secrets
import time
from collections.abc import AsyncIterator

import pytest
from service_parts import TREASURY, Clock
from settlement_chain_suite import (
    Till,
    test_a_batch_settles_each_on_its_own,
    test_a_filler_takes_its_number_and_nothing_else,
    test_a_number_is_spent_by_whatever_comes_first,
    test_a_refund_is_found_by_its_mark,
    test_blocks_have_digests,
    test_funds_move_once,
    test_numbers_are_taken_in_order,
    test_one_alone_says_what_it_did,
    test_refund,
    test_same_bytes_again_do_nothing,
    test_the_same_again_with_other_fees_is_another_transaction,
    test_time_goes_on_with_blocks_and_decides_what_is_over,
    test_what_the_token_refuses_moves_nothing,
)

from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.batch import BatchTerms
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.testing.cash import CashChain, CashLedger
from inferproof.testing.samples import ASSET, PAYER

__all__ = [
    "test_a_batch_settles_each_on_its_own",
    "test_a_filler_takes_its_number_and_nothing_else",
    "test_a_number_is_spent_by_whatever_comes_first",
    "test_a_refund_is_found_by_its_mark",
    "test_blocks_have_digests",
    "test_funds_move_once",
    "test_numbers_are_taken_in_order",
    "test_one_alone_says_what_it_did",
    "test_refund",
    "test_same_bytes_again_do_nothing",
    "test_the_same_again_with_other_fees_is_another_transaction",
    "test_time_goes_on_with_blocks_and_decides_what_is_over",
    "test_what_the_token_refuses_moves_nothing",
]


@pytest.fixture(params=["cash", "anvil"])
async def till(request: pytest.FixtureRequest) -> AsyncIterator[Till]:
    salt = secrets.token_bytes(32)
    if request.param == "cash":
        clock = Clock()
        ledger = CashLedger(ASSET, clock)
        ledger.credit(PAYER.address, 1_000_000)
        ledger.credit(TREASURY, 1_000_000)
        yield Till(CashChain(ledger, TREASURY, batch_size=50), PAYER, clock, salt)
        return
    devnet = request.getfixturevalue("devnet")
    async with Rpc(devnet.rpc_url) as rpc:
        token = TokenChain(rpc, devnet.token)
        terms = BatchTerms(devnet.batch_settler, 50)
        account = SettlementAccount(token, devnet.accounts.gateway, batch=terms)
        yield Till(account, devnet.accounts.buyer, lambda: int(time.time()), salt)
