"""Signatures have one form; keys never show themselves."""

import copy
import pickle
import traceback

import pytest

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey, recover
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECRET = keccak256(b"a key of the tests")
KEY = SigningKey(SECRET)
MESSAGE = Digest(keccak256(b"message"))
SIGNATURE = KEY.sign(MESSAGE)
R, S, V = SIGNATURE[:32], SIGNATURE[32:64], SIGNATURE[64]


def test_the_signer_is_recovered() -> None:
    assert recover(MESSAGE, SIGNATURE) == KEY.address
    assert KEY.sign(MESSAGE) == SIGNATURE
    assert len(SIGNATURE) == 65


def test_another_message_gives_another_signer() -> None:
    assert recover(Digest(keccak256(b"other")), SIGNATURE) != KEY.address


def test_agrees_with_eth_account() -> None:
    from eth_account import Account

    account = Account.from_key(SECRET)
    assert account.address.lower() == KEY.address.hex
    signed = account.unsafe_sign_hash(MESSAGE.raw)
    assert bytes(signed.signature) == SIGNATURE


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:64],
        SIGNATURE + b"\0",
        R + S + bytes([V - 27]),
        R + S + bytes([V + 2]),
        R + S + bytes([V + 35]),
        R + S + b"\xff",
        R + _word(ORDER - int.from_bytes(S, "big")) + bytes([55 - V]),
        R + _word(ORDER - int.from_bytes(S, "big")) + bytes([V]),
        R + bytes(32) + bytes([V]),
        R + _word(ORDER) + bytes([V]),
        bytes(32) + S + bytes([V]),
        _word(ORDER) + S + bytes([V]),
        b"\xff" * 32 + S + bytes([V]),
        _word(5) + S + bytes([V]),
        bytes(65),
    ],
    ids=[
        "empty",
        "no v",
        "too long",
        "v of 0 or 1",
        "v of 29 or 30",
        "v with a chain id",
        "v of 255",
        "high s, v turned",
        "high s",
        "s of zero",
        "s of the order",
        "r of zero",
        "r of the order",
        "r beyond the order",
        "r of no point",
        "all zero",
    ],
)
def test_another_form_of_a_signature_is_refused(signature: bytes) -> None:
    with rejects(
        Reason.SIGNATURE_MALFORMED, "the signature is not 65 bytes of r, s and v with a low s"
    ):
        recover(MESSAGE, signature)


def test_the_other_v_is_another_signer() -> None:
    assert recover(MESSAGE, R + S + bytes([55 - V])) != KEY.address


def test_a_key_in_hex_with_and_without_its_prefix() -> None:
    assert SigningKey.from_hex(SECRET.hex()).address == KEY.address
    assert SigningKey.from_hex("0x" + SECRET.hex().upper()).address == KEY.address
    assert KEY.secret() == SECRET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        SECRET.hex()[:-2],
        SECRET.hex() + "00",
        " " + SECRET.hex(),
        SECRET.hex()[:-2] + "zz",
        " ".join([SECRET.hex()[:32], SECRET.hex()[32:]]),
        "0x0x" + SECRET.hex(),
        "00" * 32,
        _word(ORDER).hex(),
        "ff" * 32,
    ],
)
def test_a_text_that_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with rejects(
        Reason.KEY_MALFORMED, "the private key is not 64 hex digits of a valid secp256k1 key"
    ):
        SigningKey.from_hex(text)


def test_a_refused_key_is_not_in_the_traceback() -> None:
    almost = SECRET.hex()[:-1] + "g"
    with pytest.raises(RequestRejected) as caught:
        SigningKey.from_hex(almost)
    assert almost not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("length", [0, 1, 31, 33])
def test_secret_bytes_are_32(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey(b"\1" * length)


def test_a_key_prints_its_address_only() -> None:
    for text in (repr(KEY), str(KEY), f"{KEY}", repr([KEY])):
        assert KEY.address.hex in text
        assert SECRET.hex() not in text
        assert repr(SECRET) not in text


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_is_not_copied(copied: object) -> None:
    with pytest.raises(TypeError, match="not copied between processes"):
        copied(KEY)  # type: ignore[operator]


def test_a_key_has_no_open_attributes() -> None:
    with pytest.raises(TypeError):
        vars(KEY)
