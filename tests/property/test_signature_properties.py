"""Any 65 bytes are refused or recover to the address that made them, and to no other message's."""

from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from inferproof.errors import RequestRejected
from inferproof.protocol.signature import SigningKey, recover
from inferproof.types.digest import Digest

DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)
SECRETS = st.integers(1, 2**255).map(lambda n: n.to_bytes(32, "big"))


@given(SECRETS, DIGESTS)
@settings(max_examples=50)
def test_a_signature_recovers_to_its_signer(secret: bytes, digest: Digest) -> None:
    key = SigningKey(secret)
    assert recover(digest, key.sign(digest)) == key.address
    assert Account.from_key(secret).address.lower() == key.address.hex


@given(DIGESTS, st.binary(min_size=64, max_size=64), st.integers(0, 255))
@settings(max_examples=200)
def test_any_bytes_are_refused_or_recover_as_elsewhere(
    digest: Digest, words: bytes, v: int
) -> None:
    signature = words + bytes([v])
    try:
        signer = recover(digest, signature)
    except RequestRejected:
        return
    other = Account._recover_hash(digest.raw, signature=signature)
    assert other.lower() == signer.hex


@given(SECRETS, DIGESTS, st.integers(0, 519))
@settings(max_examples=100)
def test_a_flipped_bit_is_refused_or_another_signer(
    secret: bytes, digest: Digest, bit: int
) -> None:
    key = SigningKey(secret)
    broken = bytearray(key.sign(digest))
    broken[bit // 8] ^= 1 << bit % 8
    try:
        assert recover(digest, bytes(broken)) != key.address
    except RequestRejected:
        return
