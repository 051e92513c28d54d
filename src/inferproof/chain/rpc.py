"""One EVM node over JSON-RPC: typed calls, each with a time limit, none tried twice.

A failure to reach the node is Unavailable; what the node says about a call or a transaction
is a typed rejection. Messages name the node by scheme and host only, since the rest of an
RPC address is often an access key.
"""

import asyncio
import json
from asyncio import timeout as time_limit
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientResponseError, ClientSession, ClientTimeout
from eth_typing import BlockNumber
from web3 import AsyncBaseProvider, AsyncWeb3
from web3.exceptions import BadResponseFormat, ContractLogicError, TransactionNotFound, Web3RPCError

from inferproof.chain.abi import revert_reason
from inferproof.chain.answers import (
    Block,
    ChainReceipt,
    PlacedLog,
    read_block,
    read_placed,
    read_plain_receipt,
    read_receipt,
)
from inferproof.errors import (
    Conflict,
    InferproofError,
    Misconfigured,
    Reason,
    Rejection,
    Unavailable,
)
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.json_text import read_json
from inferproof.types.digest import Address, Digest

T = TypeVar("T")


RpcCall = tuple[str, Sequence[object]]
"""A method and its parameters, in JSON's types."""


MAX_TOGETHER = 100
"""Calls in one request: what public nodes take."""


TIMEOUT_S = 10.0
"""A healthy node answers in milliseconds; ten seconds separates a slow one from a dead one."""


_EXECUTION_FAILED = ("out of gas", "evm error", "invalid opcode", "invalid jump", "stack limit")
"""How nodes word a call that ran and failed without reverting: it is the call's fault, and
asking again changes nothing."""


MAX_ANSWER_BYTES = 64 * 2**20
"""More than a full block's events take; a node that sends more is not read to its end."""


NOT_A_CHAIN = "the answer is not JSON-RPC of an EVM chain"


class CallReverted(Rejection):
    """A contract refused a call. `data` is what it reverted with."""

    def __init__(self, reason: Reason, *, data: bytes = b"", **facts: object) -> None:
        super().__init__(reason, **facts)
        self.data = data


class _Provider(AsyncBaseProvider):
    """Sends what web3 asks for with the connections of its owner, which closes them. web3's own
    sends it through a thread that nobody ends, and may try again: repeats would multiply the time
    limit and could send a transaction twice."""

    def __init__(self, post: Callable[[bytes], Awaitable[bytes]]) -> None:
        super().__init__()
        self._post = post

    async def make_request(self, method: str, params: Any) -> Any:
        call = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
        return read_json(await self._post(json.dumps(call, separators=(",", ":")).encode()))


class Rpc:
    """One node. Close it, or use it as an asynchronous context manager."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        parts = urlsplit(url)
        self.shown_url = f"{parts.scheme}://{parts.hostname or ''}"
        if parts.port is not None:
            self.shown_url += f":{parts.port}"
        self._url = url
        self._session: ClientSession | None = None
        self._provider = _Provider(self._post)
        self._web3: Any = AsyncWeb3(self._provider, middleware=[])

    def __repr__(self) -> str:
        return f"Rpc({self.shown_url})"

    async def __aenter__(self) -> "Rpc":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connections; the object can be used again and opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def chain_id(self) -> int:
        """The id that the node gives to its chain."""
        return await self._ask("eth_chainId", self._web3.eth.chain_id, int)

    async def require_chain(self, expected: int) -> None:
        """Returns when the node serves this chain.

        Raises: Misconfigured CHAIN_ID_MISMATCH; Unavailable CHAIN_UNREACHABLE.
        """
        got = await self.chain_id()
        if got != expected:
            raise Misconfigured(
                Reason.CHAIN_ID_MISMATCH, url=self.shown_url, got=got, expected=expected
            )

    async def head(self) -> Block:
        """The newest block."""
        return await self._ask(
            "eth_getBlockByNumber", self._web3.eth.get_block("latest"), read_block
        )

    async def block(self, number: int) -> Block:
        """The block with this number.

        Raises: Unavailable CHAIN_RPC_ERROR for one that the node does not have.
        """
        return await self._ask(
            "eth_getBlockByNumber", self._web3.eth.get_block(BlockNumber(number)), read_block
        )

    async def priority_fee(self) -> int:
        """The tip that the node suggests, in wei for each gas."""
        return await self._ask("eth_maxPriorityFeePerGas", self._web3.eth.max_priority_fee, int)

    async def nonce(self, address: Address) -> int:
        """The number of the next transaction of the account, unmined ones counted."""
        return await self._ask(
            "eth_getTransactionCount",
            self._web3.eth.get_transaction_count(_checksum(address), "pending"),
            int,
        )

    async def native_balance(self, address: Address) -> int:
        """The balance in the chain's own coin, in wei."""
        return await self._ask(
            "eth_getBalance", self._web3.eth.get_balance(_checksum(address)), int
        )

    async def code(self, address: Address) -> bytes:
        """The code at the address; empty when there is none."""
        return await self._ask("eth_getCode", self._web3.eth.get_code(_checksum(address)), bytes)

    async def storage(self, address: Address, slot: Digest) -> bytes:
        """The 32 bytes in a storage slot of the contract."""
        word = await self._ask(
            "eth_getStorageAt",
            self._web3.eth.get_storage_at(_checksum(address), int.from_bytes(slot.raw, "big")),
            bytes,
        )
        return word.rjust(32, b"\0")

    async def call(
        self,
        to: Address,
        data: bytes,
        *,
        what: str,
        sender: Address | None = None,
        gas: int = 0,
        block: int | None = None,
    ) -> bytes:
        """What the contract returns, without a transaction. `what` names the call in messages;
        `block` is the one after which it is asked, by default the newest.

        Raises: CallReverted CHAIN_CALL_REVERTED; Unavailable CHAIN_UNREACHABLE,
        CHAIN_RPC_ERROR.
        Soundness: an address without code returns no bytes and does not revert.
        """
        request = _request(to, data, sender, gas)
        at = "latest" if block is None else block
        return await self._ask(
            "eth_call", self._web3.eth.call(request, at), bytes, to=to, what=what
        )

    async def estimate_gas(
        self,
        to: Address,
        data: bytes,
        *,
        what: str,
        sender: Address | None = None,
        pending: bool = False,
    ) -> int:
        """The gas that a transaction with this data would take now; with `pending` in the block
        that is made next, whose time is later.

        Raises: as `call`.
        """
        request = _request(to, data, sender, 0)
        asked = (request, "pending") if pending else (request,)
        return await self._ask(
            "eth_estimateGas", self._web3.eth.estimate_gas(*asked), int, to=to, what=what
        )

    async def send_raw(self, raw: bytes) -> Digest:
        """The hash of a signed transaction that the node has taken (or had taken before).

        Raises: Conflict TX_NONCE_USED when the sender's number is spent: this transaction or
        another one with its number is in a block, and the receipt tells which. Unavailable
        TX_REFUSED, CHAIN_UNREACHABLE: it may or may not have been taken; the same bytes can
        be sent again.
        """
        tx = Digest(keccak256(raw))
        try:
            sent = await self._bounded(self._web3.eth.send_raw_transaction(raw), bytes)
        except Web3RPCError as error:
            why = _rpc_message(error)
            lower = why.lower()
            if "already known" in lower or "already imported" in lower:
                return tx
            if "nonce too low" in lower:
                raise Conflict(Reason.TX_NONCE_USED, tx=tx) from error
            raise Unavailable(Reason.TX_REFUSED, why=why) from error
        if sent != tx.raw:
            raise self._unreachable(f"it answers with another hash than {tx}")
        return tx

    async def receipt(self, tx: Digest) -> ChainReceipt | None:
        """The receipt of a transaction, or None while it is in no block the node knows."""
        try:
            return await self._ask(
                "eth_getTransactionReceipt",
                self._web3.eth.get_transaction_receipt(tx.hex),
                read_receipt,
            )
        except TransactionNotFound:
            return None

    async def find_logs(
        self, address: Address, topics: tuple[Digest, ...], *, first_block: int
    ) -> tuple[Digest, ...]:
        """The hashes of transactions since a block in which the contract emitted such an event.

        `topics` are the leading topics that must be equal.
        """
        return await self._ask(
            "eth_getLogs",
            self._web3.eth.get_logs(
                {
                    "address": _checksum(address),
                    "topics": [topic.hex for topic in topics],
                    "fromBlock": first_block,
                    "toBlock": "latest",
                }
            ),
            lambda logs: tuple(Digest(bytes(log["transactionHash"])) for log in logs),
        )

    async def logs(
        self,
        address: Address,
        topics: Sequence[Digest | Sequence[Digest] | None],
        *,
        first_block: int,
        last_block: int,
    ) -> tuple[PlacedLog, ...]:
        """The contract's events in these blocks, both ends included, in their order.

        Each of the leading `topics` must be equal, be one of several, or is None for any.
        Raises: Unavailable CHAIN_RPC_ERROR, also for more blocks or events than the node gives.
        """
        return await self._ask(
            "eth_getLogs",
            self._web3.eth.get_logs(
                {
                    "address": _checksum(address),
                    "topics": [_topic_filter(topic) for topic in topics],
                    "fromBlock": first_block,
                    "toBlock": last_block,
                }
            ),
            lambda logs: tuple(
                sorted(map(read_placed, logs), key=lambda log: (log.block, log.index))
            ),
        )

    async def request(self, method: str, *params: object) -> Any:
        """The result of any other method, as the node gives it: `evm_mine` of a devnet, say.

        Raises: Unavailable CHAIN_RPC_ERROR, CHAIN_UNREACHABLE.
        """
        answer = await self._bounded(self._provider.make_request(method, list(params)), dict)
        if "error" in answer:
            detail = answer["error"]
            why = detail.get("message") if isinstance(detail, dict) else detail
            raise Unavailable(
                Reason.CHAIN_RPC_ERROR, url=self.shown_url, method=method, why=str(why)[:200]
            )
        return answer.get("result")

    async def batch(self, calls: Sequence[RpcCall]) -> list[Any]:
        """The results of several calls, as the node gives them, in the order of the calls.

        They go in one request, or in several at once, each of at most MAX_TOGETHER. In place of
        the result of a call that the node refuses stands the failure, for the caller to raise:
        CallReverted CHAIN_CALL_REVERTED of an eth_call, else Unavailable CHAIN_RPC_ERROR.
        Raises: Unavailable CHAIN_UNREACHABLE; CHAIN_RPC_ERROR where the node refuses all as one.
        Soundness: a node may answer calls of one batch from different blocks.
        """
        parts = [calls[at : at + MAX_TOGETHER] for at in range(0, len(calls), MAX_TOGETHER)]
        if len(parts) == 1:
            return await self._batch(parts[0])
        answered = await asyncio.gather(*(self._batch(part) for part in parts))
        return [result for part in answered for result in part]

    async def _batch(self, calls: Sequence[RpcCall]) -> list[Any]:
        items = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        body = json.dumps(items, separators=(",", ":")).encode()
        return await self._bounded(
            self._post(body), lambda answer: self._results(read_json(answer), calls)
        )

    async def _post(self, body: bytes) -> bytes:
        if self._session is None:
            self._session = ClientSession(
                timeout=ClientTimeout(total=self._timeout_s),
                headers={"Content-Type": "application/json"},
                raise_for_status=True,
            )
        async with self._session.post(self._url, data=body) as response:
            read = bytearray()
            async for part in response.content.iter_any():
                read += part
                if len(read) > MAX_ANSWER_BYTES:
                    raise Unavailable(
                        Reason.CHAIN_RPC_ERROR,
                        url=self.shown_url,
                        method="the request",
                        why=f"its answer is larger than {MAX_ANSWER_BYTES} bytes",
                    )
            return bytes(read)

    def _results(self, answer: Any, calls: Sequence[RpcCall]) -> list[Any]:
        if isinstance(answer, dict):  # all of it was refused
            raise self._refused(answer["error"], "a batch of calls", {})
        by_number = {item["id"]: item for item in answer}
        found = [(by_number[number], call) for number, call in enumerate(calls)]
        return [
            item["result"]
            if "error" not in item
            else self._refused(item["error"], method, params[0] if params else None)
            for item, (method, params) in found
        ]

    def _refused(self, detail: Any, method: str, request: object) -> InferproofError:
        told = detail if isinstance(detail, dict) else {"message": detail}
        why, data = str(told.get("message"))[:200], _hex_bytes(told.get("data"))
        marks = ("revert", *_EXECUTION_FAILED)
        if method == "eth_call" and (data or any(mark in why.lower() for mark in marks)):
            return CallReverted(
                Reason.CHAIN_CALL_REVERTED,
                data=data,
                address=request.get("to") if isinstance(request, dict) else None,
                call=method,
                why=revert_reason(data) if data else why,
            )
        return Unavailable(Reason.CHAIN_RPC_ERROR, url=self.shown_url, method=method, why=why)

    async def ask_all(self, calls: Sequence[RpcCall]) -> list[Any]:
        """As `batch`, where each must succeed. Raises: the first failure too."""
        found = await self.batch(calls) if calls else []
        for result in found:
            if isinstance(result, InferproofError):
                raise result
        return found

    async def receipts(self, txs: Sequence[Digest]) -> dict[Digest, ChainReceipt]:
        """The receipts of those of the transactions that are in a block the node knows.

        Raises: as `ask_all`.
        """
        found = await self.ask_all([("eth_getTransactionReceipt", [tx.hex]) for tx in txs])
        try:
            receipts = [read_plain_receipt(answer) for answer in found if answer is not None]
        except (ValueError, TypeError, LookupError, InferproofError) as error:
            raise self._unreachable(NOT_A_CHAIN) from error
        return {receipt.tx: receipt for receipt in receipts}

    async def _bounded(self, request: Awaitable[Any], read: Callable[[Any], T]) -> T:
        """What `read` makes of the answer. Raises: Unavailable CHAIN_UNREACHABLE."""
        try:
            async with time_limit(self._timeout_s):
                return read(await request)
        except TimeoutError as error:
            raise self._unreachable(f"no answer in {self._timeout_s:g} seconds") from error
        except (ClientError, OSError) as error:
            raise self._unreachable(_connection_message(error)) from error
        except (BadResponseFormat, ValueError, TypeError, LookupError, AttributeError) as error:
            # web3 turns answers into values unchecked: a wrong shape shows up as any of these.
            raise self._unreachable(NOT_A_CHAIN) from error

    async def _ask(
        self,
        method: str,
        request: Awaitable[Any],
        read: Callable[[Any], T],
        *,
        to: Address | None = None,
        what: str = "",
    ) -> T:
        try:
            return await self._bounded(request, read)
        except ContractLogicError as error:
            data = _revert_data(error)
            why = revert_reason(data)
            raise CallReverted(
                Reason.CHAIN_CALL_REVERTED, data=data, address=to, call=what, why=why
            ) from error
        except TransactionNotFound:
            raise
        except Web3RPCError as error:
            why = _rpc_message(error)
            if to is not None and any(mark in why.lower() for mark in _EXECUTION_FAILED):
                raise CallReverted(
                    Reason.CHAIN_CALL_REVERTED, address=to, call=what, why=why
                ) from error
            raise Unavailable(
                Reason.CHAIN_RPC_ERROR, url=self.shown_url, method=method, why=why
            ) from error

    def _unreachable(self, why: str) -> InferproofError:
        return Unavailable(Reason.CHAIN_UNREACHABLE, url=self.shown_url, why=why)


def _checksum(address: Address) -> str:
    return str(AsyncWeb3.to_checksum_address(address.hex))


def _request(to: Address, data: bytes, sender: Address | None, gas: int) -> dict[str, Any]:
    request: dict[str, Any] = {"to": _checksum(to), "data": "0x" + data.hex()}
    if sender is not None:
        request["from"] = _checksum(sender)
    if gas:
        request["gas"] = gas
    return request


def _topic_filter(topic: Digest | Sequence[Digest] | None) -> str | list[str] | None:
    if topic is None or isinstance(topic, Digest):
        return None if topic is None else topic.hex
    return [one.hex for one in topic]


def _revert_data(error: ContractLogicError) -> bytes:
    return _hex_bytes(error.data)


def _hex_bytes(data: object) -> bytes:
    if not isinstance(data, str) or not data.startswith("0x"):
        return b""
    try:
        return bytes.fromhex(data[2:])
    except ValueError:
        return b""


def _rpc_message(error: Web3RPCError) -> str:
    response = error.rpc_response or {}
    detail = response.get("error")
    text = detail.get("message") if isinstance(detail, dict) else None
    return str(text or error)[:200]


def _connection_message(error: Exception) -> str:
    # Never the error's own text, which repeats the whole address, access key included.
    if not isinstance(error, ClientResponseError):
        return "the connection failed"
    return f"HTTP status {error.status}" if error.status >= 400 else NOT_A_CHAIN
