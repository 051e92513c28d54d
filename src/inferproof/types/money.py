"""Money as whole atomic units of one asset on one network. No float ever holds money."""

import re
from dataclasses import dataclass

from inferproof.errors import Reason, RequestRejected
from inferproof.types.digest import Address

_NETWORK = re.compile(r"eip155:[1-9][0-9]{0,18}")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,38})(?:\.([0-9]{1,36}))?")
MAX_AMOUNT = 2**256 - 1


@dataclass(frozen=True, slots=True, order=True)
class Network:
    """A CAIP-2 network of the eip155 namespace, for example eip155:31337."""

    caip2: str

    def __post_init__(self) -> None:
        if not isinstance(self.caip2, str) or _NETWORK.fullmatch(self.caip2) is None:
            raise RequestRejected(Reason.NETWORK_MALFORMED, got=repr(self.caip2)[:80])

    @classmethod
    def evm(cls, chain_id: int) -> "Network":
        return cls(f"eip155:{chain_id}")

    @property
    def chain_id(self) -> int:
        return int(self.caip2.partition(":")[2])

    def __str__(self) -> str:
        return self.caip2


@dataclass(frozen=True, slots=True)
class Asset:
    """An ERC-20 token with EIP-3009, and the EIP-712 domain its authorizations are signed in."""

    network: Network
    address: Address
    symbol: str
    decimals: int
    domain_name: str
    domain_version: str


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one asset. Units: atomic (for USDC, one millionth of a dollar)."""

    amount: int
    asset: Asset

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not 0 <= self.amount <= MAX_AMOUNT:
            raise RequestRejected(Reason.AMOUNT_OUT_OF_RANGE, got=repr(self.amount)[:80])

    def __str__(self) -> str:
        return f"{format_units(self.amount, self.asset.decimals)} {self.asset.symbol}"


def parse_units(text: str, decimals: int) -> int:
    """The atomic units of a decimal string: parse_units("0.25", 6) is 250000.

    Raises: RequestRejected AMOUNT_MALFORMED for signs, exponents, blanks or more digits
    than the asset has.
    """
    match = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None or len(match[2] or "") > decimals:
        raise RequestRejected(Reason.AMOUNT_MALFORMED, got=repr(text)[:80], decimals=decimals)
    fraction = (match[2] or "").ljust(decimals, "0") or "0"
    return int(match[1] + fraction) if decimals else int(match[1])


def format_units(amount: int, decimals: int) -> str:
    """The decimal string of atomic units, without trailing zeros: 250000 at 6 is "0.25"."""
    whole, rest = divmod(amount, 10**decimals)
    fraction = str(rest).rjust(decimals, "0").rstrip("0") if decimals else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
