"""Call data, return words and the reasons of reverts, in the Ethereum contract ABI."""

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from inferproof.protocol.encoding import keccak256
from inferproof.types.digest import Address, Digest

_ERROR_STRING = keccak256(b"Error(string)")[:4]
_PANIC = keccak256(b"Panic(uint256)")[:4]

_CUSTOM_ERRORS = (
    "ERC3009InvalidSignature()",
    "ERC3009InvalidAuthorizationTime(uint256,uint256)",
    "ERC3009UsedAuthorization(address,bytes32)",
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "ERC20InvalidReceiver(address)",
    "ERC20InvalidSender(address)",
    "OwnableUnauthorizedAccount(address)",
    "PayeeIsBatchSettler()",
    "ECDSAInvalidSignature()",
    "ECDSAInvalidSignatureLength(uint256)",
    "ECDSAInvalidSignatureS(bytes32)",
    "AlreadyPaid(address,bytes32)",
    "BadKinds(uint256)",
    "BadPayoutItem(bytes32)",
    "BadRegistrationSignature(address)",
    "CommitmentTaken(bytes32,bytes32)",
    "MetadataIncomplete()",
    "NoItems()",
    "NotAToken(address)",
    "NothingToClaim(address,address)",
    "NotModelOwner(bytes32,address)",
    "NotOffered(bytes32,address)",
    "NotSealed(bytes32)",
    "PayoutGasTooLow(bytes32,uint256)",
    "RegistrationExpired(uint256)",
    "SealTooYoung(uint256)",
    "TokenNotExact(address)",
    "TooLong(uint256,uint256)",
    "UnknownModel(bytes32)",
    "UnknownVersion(bytes32)",
    "ZeroCommitment()",
    "ZeroVerifyingKey()",
    "BadAssurance(uint8)",
    "BadHead(uint256)",
    "EpochLength(uint256,uint256)",
    "InputOutOfRange(uint256)",
    "LinksEndElsewhere(uint256)",
    "NoSystem()",
    "NotAStep(uint256,bytes32)",
    "NotAVerifier(address)",
    "OtherInputs(bytes32)",
    "OtherKey(bytes32)",
    "OtherOutput(uint256)",
    "OutputCount(uint256,uint256)",
    "OutputOutOfRange(uint256)",
    "ProofDoesNotHold()",
    "ProofTooShort(uint256,uint256)",
    "SelectorTaken(bytes4)",
    "TooLittleGas(bytes4,uint256,uint256)",
    "UnknownVerifier(bytes4)",
    "VerifierIsRetired(bytes4)",
    "WrongAnswer(bytes4,uint256,bytes32)",
    "ZeroGasCap()",
    "ZeroSelector()",
    "ZeroSpecification()",
)
"""Errors of OpenZeppelin contracts and ours that our calls can meet; others are shown as bytes."""

_SELECTORS = {keccak256(text.encode())[:4]: text for text in _CUSTOM_ERRORS}


def _types(signature: str) -> list[str]:
    inner = signature[signature.index("(") + 1 : -1]
    return inner.split(",") if inner else []


def _plain(value: object) -> object:
    if isinstance(value, Address):
        return value.hex
    return value.raw if isinstance(value, Digest) else value


def event_topic(signature: str) -> Digest:
    """The first topic of an event, such as "Transfer(address,address,uint256)"."""
    return Digest(keccak256(signature.encode()))


def calldata(signature: str, *arguments: object) -> bytes:
    """The data of a call to a function, such as "balanceOf(address)".

    Addresses and digests are given as our own types. Tuple parameters are not supported.
    """
    selector = keccak256(signature.encode())[:4]
    return selector + encode_arguments(_types(signature), arguments)


def encode_arguments(types: Sequence[str], arguments: Sequence[object]) -> bytes:
    """The arguments in ABI form, without a selector: what follows the bytecode of a contract."""
    return encode(list(types), [_plain(value) for value in arguments])


def decode_values(types: Sequence[str], data: bytes) -> tuple[Any, ...] | None:
    """The values that a call returned, or None when the data is not of these types."""
    try:
        return decode(list(types), data)
    except (DecodingError, OverflowError, UnicodeDecodeError):
        return None


def words(data: bytes) -> tuple[bytes, ...]:
    """The 32-byte words of the data; a shorter rest is left out."""
    return tuple(data[i : i + 32] for i in range(0, len(data) - 31, 32))


def decode_string(data: bytes) -> str | None:
    """The one string that a call returned, or None when the data is not one."""
    try:
        # Not strictly: Circle's token leaves other bytes than zeros after some of its messages.
        (text,) = decode(["string"], data, strict=False)
    except (DecodingError, OverflowError, UnicodeDecodeError):
        return None
    return str(text)


def revert_reason(data: bytes) -> str:
    """A revert in words: its message, its known custom error with arguments, or its bytes."""
    selector, body = data[:4], data[4:]
    if not data:
        return "reverted without a reason"
    if selector == _ERROR_STRING:
        text = decode_string(body)
        if text is not None:
            return text[:200]
    if selector == _PANIC and len(body) == 32:
        return f"panic 0x{int.from_bytes(body, 'big'):02x}"
    signature = _SELECTORS.get(selector)
    if signature is not None:
        try:
            values = decode(_types(signature), body)
        except (DecodingError, OverflowError):
            return f"error 0x{data.hex()[:200]}"
        shown = ", ".join(f"0x{v.hex()}" if isinstance(v, bytes) else str(v) for v in values)
        return f"{signature[: signature.index('(')]}({shown})"
    return f"error 0x{data.hex()[:200]}"
