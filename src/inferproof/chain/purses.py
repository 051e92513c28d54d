"""What payers hold, and whether their nonces are used up, asked for many at once.

The question is a contract that is never deployed (`contracts/src/Purses.sol`): its creation code is
the data of an `eth_call` that names no contract. A node takes several times as long to answer two
calls for each payer, and may answer them from different blocks.
"""

from collections.abc import Sequence

from inferproof.chain.abi import words
from inferproof.chain.contracts import PURSES, load_artifact
from inferproof.chain.rpc import NOT_A_CHAIN, CallReverted, Rpc
from inferproof.errors import InferproofError, Misconfigured, Reason, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import Address, Digest

PurseKey = tuple[Address, Digest]
"""A payer and a nonce."""

MOST = 256
"""Payers in one question, whose answer takes the place of a contract's code: 24,576 bytes at most
(EIP-170), 64 for each."""
QUESTION = "balanceOf or authorizationState"
_BAD_ANSWER = keccak256(b"BadAnswer(uint256)")[:4]


async def ask_purses(
    rpc: Rpc, token: Address, wanted: Sequence[PurseKey]
) -> tuple[list[tuple[int, bool]], int]:
    """For each payer and nonce the balance, and whether the nonce is used up; and a block that was
    the newest one while this was asked.

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
        purse
        for part, answer in zip(parts, answers, strict=True)
        for purse in _purses(rpc, token, answer, len(part))
    ]
    return found, int(str(head), 16)


def _question(token: Address, wanted: Sequence[PurseKey]) -> str:
    """Creation code with its arguments, an address and an array, as hex."""
    keys = "".join([_word(payer) + nonce.raw.hex() for payer, nonce in wanted])
    code = load_artifact(PURSES).bytecode_hex
    return f"{code}{_word(token)}{64:064x}{len(wanted):064x}{keys}"


def _word(address: Address) -> str:
    return "0" * 24 + address.raw.hex()


def _purses(rpc: Rpc, token: Address, answer: object, count: int) -> list[tuple[int, bool]]:
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
    return [(balance, used != 0) for balance, used in zip(found[1::2], found[2::2], strict=True)]


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
