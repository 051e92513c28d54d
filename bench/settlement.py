"""How many payments settle in a second, one by one and in batches, and the gas that each takes.

python bench/settlement.py [--items N] [--sizes 0 50 100] [--bad]

A local chain makes a block of 30 million gas each second. All transactions of a run are sent at
once; then the blocks are counted. Size 0 is a transaction for each payment, without the contract.
The payers of a batch are different; the payee is one, and holds some already.
`--bad` puts an authorization with another's signature into the middle of every batch. Every run
checks the payee's balance against what was counted.

Units: the rate is of settled payments in the blocks after the first, for each second that passed
between the first and the last of them; the last block, which is not full, is left out.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.measure import BenchFailed, say
from inferproof.chain.abi import calldata
from inferproof.chain.answers import ChainReceipt
from inferproof.chain.batch import batch_outcomes, build_batch_tx
from inferproof.chain.contracts import BATCH_SETTLER, deploy, load_artifact
from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.chain.transactions import (
    SignedTx,
    require_success,
    sign_tx,
    wait_receipt,
)
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.settlement import moves_funds
from inferproof.protocol.signature import SigningKey
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.types.chain import Fees, ItemState
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Authorization

BLOCK_GAS = 30_000_000
BLOCK_S = 1
PAYERS = 200
PRICE = 250_000
SINGLE = 0
SINGLE_GAS = 66_500
"""A settlement of its own takes 65,700: a tighter limit than a service dares, to its advantage."""
FEES = Fees(cap=10**11, tip=1)
"""Above what the base fee climbs to in a minute of full blocks."""
WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `by_block` is settled payments in each block; gas of an item is all that its
    transaction took, divided by its items."""

    size: int
    settled: int
    refused: int
    per_second: float
    gas_per_item: float
    by_block: list[int]
    seconds: float


class Shop:
    """Payers with money, a payee, a contract, and one sender on a chain."""

    def __init__(self, rpc: Rpc, info: DevnetInfo, contract: Address) -> None:
        self.rpc, self.info, self.contract = rpc, info, contract
        self.token = TokenChain(rpc, info.token)
        self.sender = info.accounts.gateway
        self.payers = [SigningKey((2**200 + i).to_bytes(32, "big")) for i in range(PAYERS)]

    async def fund(self) -> None:
        """Gives every payer money."""
        owner = self.info.accounts.owner
        nonce = await self.rpc.nonce(owner.address)
        for i, payer in enumerate(self.payers):
            data = calldata("mint(address,uint256)", payer.address, 10**12)
            signed = sign_tx(
                owner,
                chain_id=self.info.chain_id,
                nonce=nonce + i,
                fees=FEES,
                gas=100_000,
                to=self.info.token.address,
                data=data,
            )
            await self.rpc.send_raw(signed.raw)
        require_success(await wait_receipt(self.rpc, signed.tx))

    def authorizations(self, count: int) -> list[Authorization]:
        """Signed payments, the payers taking turns."""
        return [self._authorization(self.payers[i % PAYERS]) for i in range(count)]

    def spoilt(self, item: Authorization) -> Authorization:
        """The payment with the signature of somebody else."""
        return replace(item, signature=self.sender.sign(authorization_digest(item)))

    def _authorization(self, payer: SigningKey) -> Authorization:
        unsigned = Authorization(
            asset=self.info.token,
            payer=payer.address,
            payee=self.info.accounts.provider.address,
            amount=PRICE,
            valid_after=0,
            valid_before=2**32,
            nonce=Digest(secrets.token_bytes(32)),
            signature=b"",
        )
        return replace(unsigned, signature=payer.sign(authorization_digest(unsigned)))

    def sign(self, items: Sequence[Authorization], size: int, nonce: int) -> SignedTx:
        if size == SINGLE:
            (item,) = items
            return self.token.build_settlement_tx(
                item, self.sender, nonce=nonce, fees=FEES, gas=SINGLE_GAS
            )
        return build_batch_tx(items, self.sender, contract=self.contract, nonce=nonce, fees=FEES)

    def settled(self, receipt: ChainReceipt, items: Sequence[Authorization], size: int) -> int:
        if size == SINGLE:
            return int(moves_funds(receipt, items[0]))
        outcomes = batch_outcomes(receipt, self.contract, items)
        return sum(outcome.state is ItemState.SETTLED for outcome in outcomes)


async def measure(shop: Shop, size: int, items: int, *, bad: bool) -> Result:
    """One run. Raises: BenchFailed when the books do not agree."""
    payee = shop.info.accounts.provider.address
    step = max(1, size)
    made = shop.authorizations(items // step * step)
    groups = [made[at : at + step] for at in range(0, len(made), step)]
    if bad:
        groups = [[*g[: step // 2], shop.spoilt(g[step // 2]), *g[step // 2 + 1 :]] for g in groups]
    nonce = await shop.rpc.nonce(shop.sender.address)
    signed = [shop.sign(group, size, nonce + i) for i, group in enumerate(groups)]
    before = await shop.token.balance(payee)
    await shop.rpc.request("evm_setAutomine", False)
    for tx in signed:
        await shop.rpc.send_raw(tx.raw)
    seen = await _blocks(shop, signed[-1].tx)
    receipts = [await wait_receipt(shop.rpc, tx.tx) for tx in signed]
    counted = [shop.settled(r, g, size) for r, g in zip(receipts, groups, strict=True)]
    moved = await shop.token.balance(payee) - before
    if moved != PRICE * sum(counted):
        raise BenchFailed(f"{sum(counted)} payments were counted, {moved} units arrived")
    by_block = dict.fromkeys(sorted({receipt.block for receipt in receipts}), 0)
    for receipt, count in zip(receipts, counted, strict=True):
        by_block[receipt.block] += count
    first, *full = list(by_block)[:-1] or list(by_block)
    seconds = seen[full[-1]] - seen[first] if full else 0.0
    rate = sum(by_block[block] for block in full) / seconds if full else 0.0
    gas = sum(receipt.gas_used for receipt in receipts) / len(made)
    return Result(
        size, sum(counted), len(made) - sum(counted), rate, gas, list(by_block.values()), seconds
    )


async def _blocks(shop: Shop, last: Digest) -> dict[int, float]:
    """When each block was first seen, made at their pace until the last transaction is in one."""
    await shop.rpc.request("evm_setIntervalMining", BLOCK_S)
    seen: dict[int, float] = {}
    end = time.monotonic() + WAIT_S
    try:
        while await shop.rpc.receipt(last) is None:
            number = (await shop.rpc.head()).number
            seen.setdefault(number, time.monotonic())
            if time.monotonic() > end:
                raise BenchFailed(f"the last transaction is in no block after {WAIT_S:g} seconds")
            await asyncio.sleep(0.01)
    finally:
        await shop.rpc.request("evm_setIntervalMining", 0)
        await shop.rpc.request("evm_setAutomine", True)
    seen.setdefault((await shop.rpc.head()).number, time.monotonic())
    return seen


async def run(sizes: Sequence[int], items: int, *, bad: bool = False) -> list[Result]:
    """A run for each size on one chain. Raises: BenchFailed; InferproofError."""
    with Devnet() as devnet:
        info = devnet.info
        async with Rpc(info.rpc_url) as rpc:
            await rpc.request("evm_setBlockGasLimit", hex(BLOCK_GAS))
            contract = await deploy(rpc, load_artifact(BATCH_SETTLER), info.accounts.owner)
            shop = Shop(rpc, info, contract)
            await shop.fund()
            results = []
            for size in sizes:
                # One payment in a batch is too few to fill blocks: only its gas is of interest.
                count = items if size != 1 else 20
                result = await measure(shop, size, count, bad=bad and size != SINGLE)
                limit = int(
                    (await rpc.request("eth_getBlockByNumber", "latest", False))["gasLimit"], 16
                )
                if limit != BLOCK_GAS:
                    raise BenchFailed(f"a block holds {limit} gas, not {BLOCK_GAS}")
                results.append(result)
                say(f"size {size}: {result.per_second:.0f} a second, by block {result.by_block}")
            return results


def table(results: Sequence[Result]) -> str:
    """The results in Markdown."""
    lines = [
        "| items in a transaction | gas an item | settled a second | items by block |",
        "|---|---|---|---|",
    ]
    for result in results:
        name = "1, without the contract" if result.size == SINGLE else str(result.size)
        rate = f"{result.per_second:,.0f}" if result.per_second else "not measured"
        blocks = ", ".join(map(str, result.by_block))
        lines.append(f"| {name} | {result.gas_per_item:,.0f} | {rate} | {blocks} |")
    return "\n".join(lines)


def main() -> int:
    """The exit status: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(description="Measure settling on a local chain.")
    parser.add_argument("--items", type=int, default=4_000, help="payments in each run")
    parser.add_argument("--sizes", type=int, nargs="+", default=[SINGLE, 10, 50, 80, 100])
    parser.add_argument("--bad", action="store_true", help="one bad item in every batch")
    parser.add_argument("--json", action="store_true", help="print figures, not a table")
    given = parser.parse_args()
    try:
        results = asyncio.run(run(given.sizes, given.items, bad=given.bad))
    except BenchFailed as error:
        say(f"failed: {error}")
        return 1
    print(json.dumps([asdict(r) for r in results]) if given.json else table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
