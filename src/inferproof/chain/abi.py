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
    "ReentrancyGuardReentrantCall()",
    "SafeERC20FailedOperation(address)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
    "ERC1155InvalidReceiver(address)",
    "ERC1155InsufficientBalance(address,uint256,uint256,uint256)",
    "ERC1155MissingApprovalForAll(address,address)",
    "EnforcedPause()",
    "AlreadyPaid(address,bytes32)",
    "AlreadyUsed(bytes32,uint256)",
    "AssuranceTooLow(uint8,uint8)",
    "BadAssurance(uint8)",
    "BadBondFactor(uint256,uint256)",
    "BadHead(uint256)",
    "BadKinds(uint256)",
    "BadPayoutItem(bytes32)",
    "BadPlan()",
    "BadRegistrationSignature(address)",
    "BadTimes()",
    "BalanceTooLow(address,address,uint256,uint256)",
    "CommitmentTaken(bytes32,bytes32)",
    "EpochLength(uint256,uint256)",
    "FeeTooHigh(uint256,uint256)",
    "InputNotDisclosed(bytes32)",
    "InputOutOfRange(uint256)",
    "LinksEndElsewhere(uint256)",
    "MetadataIncomplete()",
    "NoItems()",
    "NoSystem()",
    "NotAConsumer(address)",
    "NotARecorder(address)",
    "NotAServer(address)",
    "NotAStep(uint256,bytes32)",
    "NotAToken(address)",
    "NotAVerifier(address)",
    "NotAcceptor(address,address)",
    "NotBuyer(address,address)",
    "NotEntitled(address,bytes32,bytes32)",
    "NotFeeTaker(address)",
    "NotModelOwner(bytes32,address)",
    "NotOffered(bytes32,address)",
    "NotOnSale(address,bytes32,address)",
    "NotRenewable(bytes32,address)",
    "NotSealed(bytes32)",
    "NotThePurchaser(bytes32,address)",
    "NothingEarned(address,address)",
    "NothingToAuthorize()",
    "NothingToClaim(address,address)",
    "OrderExists(bytes32)",
    "OtherInput(bytes32,bytes32)",
    "OtherInputs(bytes32)",
    "OtherKey(bytes32)",
    "OtherOutput(uint256)",
    "OtherServerChosen(address,address)",
    "OutputCount(uint256,uint256)",
    "OutputOutOfRange(uint256)",
    "PayoutGasTooLow(bytes32,uint256)",
    "PlanClosed(bytes32)",
    "PlanExists(bytes32)",
    "PriceAbove(uint256,uint256)",
    "PriceTooLow(uint256,uint256)",
    "ProofDoesNotHold()",
    "ProofTooShort(uint256,uint256)",
    "PurchaseNotExact(address,uint256,uint256)",
    "RefundOver(bytes32,uint256)",
    "RegistrationExpired(uint256)",
    "ScoreTooHigh(uint256,uint256)",
    "SealTooYoung(uint256)",
    "SelectorTaken(bytes4)",
    "Soulbound(bytes32)",
    "StillPaid(bytes32,address,uint256)",
    "TokenNotExact(address)",
    "TokenNotListed(address)",
    "TooEarly(uint256)",
    "TooLate(uint256)",
    "TooLittleGas(bytes4,uint256,uint256)",
    "TooLittleGasToTell(uint256,uint256)",
    "TooLong(uint256,uint256)",
    "UnknownModel(bytes32)",
    "UnknownPlan(bytes32)",
    "UnknownPurchase(bytes32)",
    "UnknownVerifier(bytes4)",
    "UnknownVersion(bytes32)",
    "VerifierIsRetired(bytes4)",
    "VerifierReverted(bytes4,bytes)",
    "VersionInactive(bytes32)",
    "WrongAmountReceived(address,uint256,uint256)",
    "WrongAnswer(bytes4,uint256,bytes32)",
    "WrongPlanKind(bytes32)",
    "WrongStatus(bytes32,uint8)",
    "ZeroCommitment()",
    "ZeroGasCap()",
    "ZeroSelector()",
    "ZeroSpecification()",
    "ZeroVerifyingKey()",
)
"""Errors of OpenZeppelin contracts that our calls can meet, and all of contracts/src/Errors.sol;
others are shown as bytes."""

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
