"""Our EIP-712 digests are those of eth-account, for any value of each of our structs."""

from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from inferproof.payments.x402.receipt import ExactPart
from inferproof.protocol.authorization import TRANSFER_WITH_AUTHORIZATION
from inferproof.protocol.eip712 import (
    INFERPROOF_DOMAIN,
    Struct,
    digest,
    domain_separator,
    hash_struct,
)
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.quote import QUOTE
from inferproof.protocol.receipt import receipt_struct
from inferproof.protocol.statement import STATEMENT
from inferproof.types.digest import Address, Digest

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)


def _values(kind: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, tuple):
        return st.lists(_values(kind[0]), max_size=3)
    if isinstance(kind, Struct):
        return st.fixed_dictionaries({n: _values(k) for n, k in kind.fields.items()})
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind[4:]) - 1)
    table = {"bytes32": DIGESTS, "address": ADDRESSES, "string": TEXT, "bytes": st.binary()}
    return table[kind]


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {k: _plain(v) for k, v in value.items()}
        case list():
            return [_plain(v) for v in value]
        case Digest():
            return value.raw
        case Address():
            return value.hex
    return value


def _by_eth_account(domain: dict[str, Any], struct: Struct, value: Any) -> bytes:
    signable = encode_typed_data(
        domain_data=domain, message_types=struct.types(), message_data=_plain(value)
    )
    return keccak256(b"\x19\x01" + signable.header + signable.body)


@pytest.mark.parametrize(
    "struct", [STATEMENT, QUOTE, receipt_struct(ExactPart().form)], ids=lambda s: s.name
)
@given(data=st.data())
@settings(max_examples=30)
def test_our_structs(struct: Struct, data: st.DataObject) -> None:
    value = data.draw(_values(struct))
    ours = digest(INFERPROOF_DOMAIN, hash_struct(struct, value))
    domain = {"name": "inferproof", "version": "1"}
    assert ours.raw == _by_eth_account(domain, struct, value)


@given(TEXT, TEXT, st.integers(0, 2**64), ADDRESSES, _values(TRANSFER_WITH_AUTHORIZATION))
@settings(max_examples=50)
def test_authorizations_in_any_domain(
    name: str, version: str, chain_id: int, contract: Address, value: Any
) -> None:
    domain = {
        "name": name,
        "version": version,
        "chainId": chain_id,
        "verifyingContract": contract.hex,
    }
    ours = digest(
        domain_separator(name, version, chain_id, contract),
        hash_struct(TRANSFER_WITH_AUTHORIZATION, value),
    )
    assert ours.raw == _by_eth_account(domain, TRANSFER_WITH_AUTHORIZATION, value)


@given(_values(STATEMENT), _values(STATEMENT))
def test_another_statement_is_another_digest(one: Any, other: Any) -> None:
    assert (hash_struct(STATEMENT, one) == hash_struct(STATEMENT, other)) is (one == other)


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2**16},
        {"version": -1},
        {"version": True},
        {"version": "1"},
        {"jobId": bytes(32)},
        {"jobId": "0x" + "00" * 32},
        {"provider": Digest(bytes(32))},
        {"proofSystem": b"x"},
        {"extra": 1},
    ],
)
def test_a_value_that_does_not_fit_its_type(changed: dict[str, object]) -> None:
    value = {
        **{k: Digest(bytes(32)) for k in ("jobId", "modelCommitment", "inputCommitment")},
        "outputCommitment": Digest(bytes(32)),
        "proofSystem": "x",
        "provider": Address(bytes(20)),
        "version": 1,
    }
    hash_struct(STATEMENT, value)
    with pytest.raises(ValueError, match=r"fit|match|is not"):
        hash_struct(STATEMENT, value | changed)
