"""What a node answers of blocks, receipts and events, as values of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inferproof.types.digest import Address, Digest
from inferproof.types.event import Log


@dataclass(frozen=True, slots=True)
class PlacedLog:
    """An event with its place on the chain. `index` counts the events of its block."""

    log: Log
    tx: Digest
    block: int
    index: int


@dataclass(frozen=True, slots=True)
class ChainReceipt:
    """What a chain says of a transaction that is in a block.

    Units: `gas_price` in wei for each gas. `succeeded` is false for a revert.
    """

    tx: Digest
    succeeded: bool
    block: int
    block_hash: Digest
    gas_used: int
    gas_price: int
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One block. Units: `timestamp` in Unix seconds, `base_fee` in wei for each gas."""

    number: int
    timestamp: int
    base_fee: int
    hash: Digest


def read_block(found: Mapping[str, Any]) -> Block:
    """The block in web3's words."""
    return Block(
        int(found["number"]),
        int(found["timestamp"]),
        int(found.get("baseFeePerGas") or 0),
        Digest(bytes(found["hash"])),
    )


def read_receipt(found: Mapping[str, Any]) -> ChainReceipt:
    """The receipt in web3's words."""
    return ChainReceipt(
        tx=Digest(bytes(found["transactionHash"])),
        succeeded=int(found["status"]) == 1,
        block=int(found["blockNumber"]),
        block_hash=Digest(bytes(found["blockHash"])),
        gas_used=int(found["gasUsed"]),
        gas_price=int(found["effectiveGasPrice"]),
        logs=tuple(_log(log) for log in found["logs"]),
    )


def read_plain_receipt(found: Mapping[str, Any]) -> ChainReceipt:
    """The receipt in the node's own JSON. A batch has hundreds of events, which are read here in
    a tenth of the time that web3 takes for them."""
    digest = _Digests()
    return ChainReceipt(
        tx=_digest(found["transactionHash"]),
        succeeded=int(found["status"], 16) == 1,
        block=int(found["blockNumber"], 16),
        block_hash=_digest(found["blockHash"]),
        gas_used=int(found["gasUsed"], 16),
        gas_price=int(found["effectiveGasPrice"], 16),
        logs=tuple(
            Log(
                Address(bytes.fromhex(log["address"][2:])),
                tuple(map(digest.__getitem__, log["topics"])),
                bytes.fromhex(log["data"][2:]),
            )
            for log in found["logs"]
        ),
    )


class _Digests(dict[str, Digest]):
    """Digests by their text: a nonce is in three events of a batch, a payee in each."""

    def __missing__(self, text: str) -> Digest:
        made = self[text] = _digest(text)
        return made


def _digest(text: str) -> Digest:
    return Digest(bytes.fromhex(text[2:]))


def _log(found: Mapping[str, Any]) -> Log:
    return Log(
        Address.from_hex(found["address"]),
        tuple(Digest(bytes(topic)) for topic in found["topics"]),
        bytes(found["data"]),
    )


def read_placed(found: Mapping[str, Any]) -> PlacedLog:
    """The event in web3's words."""
    return PlacedLog(
        _log(found),
        Digest(bytes(found["transactionHash"])),
        int(found["blockNumber"]),
        int(found["logIndex"]),
    )
