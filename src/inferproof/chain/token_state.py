"""What payers hold, whether their nonces are used up, and whether their accounts have code, asked
for many at once.

The question is a contract that is never deployed (`contracts/src/TokenStateReader.sol`): its
creation code is the data of an `eth_call` that names no contract. A node takes several times as
long to answer two calls for each payer, and may answer them from different blocks.
"""

from collections.abc import Sequence
from typing import NamedTuple

from inferproof.chain.abi import words
from inferproof.chain.contracts import TOKEN_STATE_READER, load_artifact
from inferproof.chain.rpc import NOT_A_CHAIN, CallReverted, Rpc
from inferproof.errors import InferproofError, Misconfigured, Reason, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import Address, Digest

PayerKey = tuple[Address, Digest]
"""A payer and a nonce."""


class TokenState(NamedTuple):
    """What a token says of a payer and a nonce. Units: `balance` in atomic units. `has_code` is
    true for a contract wallet and for an account that an EIP-7702 delegation gave code."""

    balance: int
    used: bool
    has_code: bool


MOST = 256
"""Payers in one question, whose answer takes the place of a contract's code: 24,576 bytes at most
(EIP-170), 64 for each."""
QUESTION = "balanceOf or authorizationState"
_USED, _HAS_CODE = 1, 2
"""The flags of the answer, as TokenStateReader.sol sets them."""
_BAD_ANSWER = keccak256(b"BadAnswer(uint256)")[:4]


async def ask_payer_states(
    rpc: Rpc, token: Address, wanted: Sequence[PayerKey]
) -> tuple[list[TokenState], int]:
    """The state of each payer and nonce, and a block that was the newest one while this was asked.

    Raises: CallReverted CHAIN_CALL_REVERTED; Misconfigured CHAIN_BAD_ANSWER; Unavailable.
    """
    parts = [wanted[at : at + MOST] for at in range(0, len(wanted), MOST)]
    head, *answers = await rpc.batch(
        [
            ("eth_blockNumber", ()),
            *(("eth_call", ({"data": _question(token, part)}, "latest")) for part in parts),
        ]
    )
    if isinstance(head, InferproofError):
        raise head
    found = [
        state
        for part, answer in zip(parts, answers, strict=True)
        for state in _states(rpc, token, answer, len(part))
    ]
    return found, int(str(head), 16)


def _question(token: Address, wanted: Sequence[PayerKey]) -> str:
    """Creation code with its arguments, an address and an array, as hex."""
    keys = "".join([_word(payer) + nonce.raw.hex() for payer, nonce in wanted])
    code = load_artifact(TOKEN_STATE_READER).bytecode_hex
    return f"{code}{_word(token)}{64:064x}{len(wanted):064x}{keys}"


def _word(address: Address) -> str:
    return "0" * 24 + address.raw.hex()


def _states(rpc: Rpc, token: Address, answer: object, count: int) -> list[TokenState]:
    if isinstance(answer, CallReverted):
        raise _refusal(token, answer) from answer
    if isinstance(answer, InferproofError):
        raise answer
    try:
        found = [int.from_bytes(word, "big") for word in words(bytes.fromhex(str(answer)[2:]))]
    except ValueError:
        found = []
    if len(found) != 1 + 2 * count or found[0] != count:
        raise Unavailable(Reason.CHAIN_UNREACHABLE, url=rpc.shown_url, why=NOT_A_CHAIN)
    return [
        TokenState(balance, bool(flags & _USED), bool(flags & _HAS_CODE))
        for balance, flags in zip(found[1::2], found[2::2], strict=True)
    ]


def _refusal(token: Address, refused: CallReverted) -> InferproofError:
    if refused.data[:4] == _BAD_ANSWER:
        size = int.from_bytes(refused.data[4:36], "big")
        return Misconfigured(
            Reason.CHAIN_BAD_ANSWER, address=token, call=QUESTION, got=size, expected=32
        )
    why = refused.facts["why"]
    return CallReverted(
        Reason.CHAIN_CALL_REVERTED, data=refused.data, address=token, call=QUESTION, why=why
    )
