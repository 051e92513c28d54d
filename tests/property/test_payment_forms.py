"""What a form takes, the general way takes with the same values: payment, digests, signature."""

import base64
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from payment_edits import edits

from inferproof.errors import PaymentRejected
from inferproof.payments.x402 import IncomingPayment, parse_payment
from inferproof.payments.x402.challenge import Resource, challenge, read_challenge
from inferproof.payments.x402.forms import EACH, MOST, MOST_PATHS, CheckedPayment, Forms
from inferproof.payments.x402.payment import payment_payload
from inferproof.payments.x402.wire import MAX_HEADER_BYTES, encode_header
from inferproof.protocol.authorization import authorization_digest, check_signature
from inferproof.protocol.commitments import bound_nonce, request_digest
from inferproof.protocol.signature import SigningKey
from inferproof.proving.sumcheck.library import library
from inferproof.testing.samples import PAYER, Sample
from inferproof.types.digest import Digest
from inferproof.types.money import Network
from inferproof.types.payment import Authorization, Quote

pytestmark = pytest.mark.native

PATH, BODY = b"/v1/models/m/infer", b'{"input":[1]}'
REQUEST = request_digest("POST", PATH.decode(), BODY)
QUOTE = replace(Sample().quote(), request_digest=REQUEST)
ASSET = QUOTE.price.asset
SALT = b"\x0c" * 32
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def payload(
    quote: Quote = QUOTE,
    *,
    key: SigningKey = PAYER,
    salt: bytes = SALT,
    request: Digest = REQUEST,
    quote_signature: bytes = b"\x07" * 65,
    payment_id: str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """What our own client sends; `changes` are of what is signed."""
    asked = challenge(
        quote,
        quote_signature,
        Resource("http://gateway/v1/models/m/infer", 'A "model" – and more', tags=("a", "b")),
        request=request,
        max_timeout_s=300,
        transfer={"header": "Inferproof-Transfer", "version": 1},
    )
    unsigned = Authorization(
        asset=quote.price.asset,
        payer=key.address,
        payee=quote.payee,
        amount=quote.price.amount,
        valid_after=0,
        valid_before=1_767_225_900,
        nonce=bound_nonce(request, salt),
        signature=b"",
    )
    unsigned = replace(unsigned, **changes)
    signed = replace(unsigned, signature=key.sign(authorization_digest(unsigned)))
    return dict(payment_payload(read_challenge(encode_header(asked)), signed, salt, payment_id))


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def header_of(text: bytes) -> bytes:
    return base64.b64encode(text)


def general(header: bytes) -> IncomingPayment | None:
    try:
        return parse_payment(header.decode("latin-1"), [ASSET])
    except PaymentRejected:
        return None


def made(*texts: bytes) -> Forms:
    """Forms of payments with these texts."""
    forms = Forms([ASSET], library().PaymentForm)
    for text in texts:
        payment = general(header_of(text))
        assert payment is not None
        forms.learn(header_of(text), PATH, payment)
    return forms


GOOD = compact(payload())


@cache
def usual() -> Forms:
    """The form of what our own client sends."""
    return made(GOOD)


def agree(forms: Forms, header: bytes, body: bytes = BODY, path: bytes = PATH) -> bool:
    """Whether the form takes it; then the general way finds the same in it."""
    found = forms.read(header, path, body)
    if found is None:
        return False
    payment = found.payment
    assert payment == general(header)
    check_signature(payment.authorization)
    assert found.request == request_digest("POST", path.decode(), body)
    if payment.binding_salt is not None:
        assert any(payment.binding_salt)
        assert payment.authorization.nonce == bound_nonce(found.request, payment.binding_salt)
    return True


def test_what_our_client_sends_is_taken() -> None:
    assert usual().read(header_of(GOOD), PATH, BODY) == CheckedPayment(
        parse_payment(header_of(GOOD).decode(), [ASSET]), REQUEST
    )


SECONDS = st.integers(0, 10**19 - 1) | st.sampled_from([0, 1, 9, 10, 2**63, 2**64 - 1, 10**19 - 1])
WORD = st.binary(min_size=32, max_size=32)


@given(
    secret=st.integers(1, 2**255),
    salt=WORD.filter(any),
    body=st.binary(max_size=2000),
    after=SECONDS,
    before=SECONDS,
    quoted=WORD,
    issued=SECONDS,
    expires=SECONDS,
    quote_signature=st.binary(min_size=65, max_size=65),
)
def test_any_other_payment_of_the_form_is_taken(
    secret: int,
    salt: bytes,
    body: bytes,
    after: int,
    before: int,
    quoted: bytes,
    issued: int,
    expires: int,
    quote_signature: bytes,
) -> None:
    request = request_digest("POST", PATH.decode(), body)
    value = payload(
        replace(QUOTE, request_digest=Digest(quoted), issued_at=issued, expires_at=expires),
        key=SigningKey(secret.to_bytes(32, "big")),
        salt=salt,
        request=request,
        quote_signature=quote_signature,
        valid_after=after,
        valid_before=before,
    )
    # Numbers of twenty digits are left to the general way.
    is_taken = max(after, before, issued, expires) < 10**19
    assert agree(usual(), header_of(compact(value)), body) == is_taken


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in ((*at, k), *places(v, (*at, k)))]
    return []


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, 0, 1, -1, 2**64, 10**19, 1.0, 1e300, "", "0", "00", "1", "0x", "9" * 78),
        *([], {}, "\u202e", "\\", '"', '","a":"', "é", 10**400, str(2**256), "exact"),
        *("0x" + "0" * 64, "0x" + "A" * 40, "0x" + "a" * 40, "0x" + "0" * 130),
    ]
)
PLACES = st.sampled_from(places(payload()))


@given(st.lists(st.tuples(PLACES, ODD | st.just("absent")), min_size=1, max_size=3))
def test_a_changed_member(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    value = payload()
    for place, odd in changes:
        at: Any = value
        for step in place[:-1]:
            at = at.get(step) if isinstance(at, dict) else None
        if isinstance(at, dict) and odd == "absent":
            at.pop(place[-1], None)
        elif isinstance(at, dict):
            at[place[-1]] = odd
    agree(usual(), header_of(compact(value)))


MEMBER = b'"salt":"0x' + SALT.hex().encode() + b'"'
PAYER_TEXT = PAYER.address.raw.hex().encode()


@given(edits(GOOD))
@example(GOOD.replace(MEMBER, MEMBER + b"," + MEMBER))
@example(GOOD.replace(b"," + MEMBER, b""))
@example(GOOD.replace(b'"amount":"', b'"amount":"1","amount":"', 1))
@example(GOOD.replace(b'"x402Version":2', b'"x402Version":2.0'))
@example(GOOD.replace(b'"issuedAt":', b'"issuedAt":0'))
@example(GOOD.replace(b'"issuedAt":', b'"issuedAt":1,"issuedAt":'))
@example(GOOD.replace(b'"validAfter":"0"', b'"validAfter":"00"'))
@example(GOOD.replace(b'"validAfter":"0"', b'"validAfter":""'))
@example(GOOD.replace(b'"validAfter":"0"', b'"validAfter":"' + b"9" * 78 + b'"'))
@example(GOOD + b" ")
@example(GOOD + GOOD)
def test_an_edited_text(text: bytes) -> None:
    assert not agree(usual(), header_of(text)) or text.lower() == GOOD.lower()


@st.composite
def spelled(draw: st.DrawFn) -> bytes:
    """A payment as another client may write it."""
    value = payload(quote_signature=draw(st.binary(min_size=65, max_size=65)))
    info = value["extensions"]["inferproof"]["info"]
    info = {name: info[name] for name in draw(st.permutations(list(info)))}
    quote = info["quote"]
    info["quote"] = {name: quote[name] for name in draw(st.permutations(list(quote)))}
    value["extensions"]["inferproof"]["info"] = info
    if draw(st.booleans()):
        place = draw(st.sampled_from([value, value["payload"], value["extensions"]]))
        name = draw(st.sampled_from(["x", "salt", "from", "info", "issuedAt", "requestDigest"]))
        place[name] = draw(st.sampled_from([1, "0x" + "22" * 32, "0x" + "22" * 20, {"salt": 1}]))
    text = json.dumps(
        {name: value[name] for name in draw(st.permutations(list(value)))},
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", "\t:\n")])),
        ensure_ascii=draw(st.booleans()),
    )
    return text.encode()


@settings(max_examples=50)
@given(spelled(), st.data())
def test_a_form_of_any_spelling(first: bytes, data: st.DataObject) -> None:
    payment = general(header_of(first))
    assert payment is not None
    forms = Forms([ASSET], library().PaymentForm)
    forms.learn(header_of(first), PATH, payment)
    assert agree(forms, header_of(first)) == (forms._of[PATH].forms != [])
    agree(forms, header_of(data.draw(edits(first))))
    assert not agree(forms, header_of(GOOD)) or first.lower() == GOOD.lower()


@given(st.text(max_size=200).map(lambda text: text.encode("utf-8")) | st.binary(max_size=200))
@example(header_of(GOOD) + b"\n")
@example(header_of(GOOD)[:-1])
@example(header_of(GOOD) + b"====")
@example(b"=" + header_of(GOOD))
@example(header_of(GOOD)[:40] + b"=" + header_of(GOOD)[40:])
@example(header_of(GOOD).replace(b"e", "é".encode("latin-1"), 1))
def test_any_header(header: bytes) -> None:
    assert not agree(usual(), header)


def test_a_header_in_another_spelling_of_base64_is_left() -> None:
    text = GOOD + b" " * ((1 - len(GOOD)) % 3 or 3)  # so that four bits of a sign are free
    header, forms = header_of(text), made(text)
    assert forms.read(header, PATH, BODY) is not None
    assert header.endswith(b"IA==")
    loose = header.replace(b"IA==", b"IB==")
    assert general(loose) == general(header)
    assert forms.read(loose, PATH, BODY) is None


def test_a_payer_may_be_written_in_any_case() -> None:
    text = GOOD.replace(PAYER_TEXT, PAYER_TEXT.upper(), 1)
    assert text != GOOD
    assert agree(usual(), header_of(text))
    assert agree(made(text), header_of(GOOD))


def changed_signature(change: Any) -> bytes:
    value = payload()
    signature = bytes.fromhex(value["payload"]["signature"][2:])
    value["payload"]["signature"] = "0x" + change(signature).hex()
    return header_of(compact(value))


def other_form(signature: bytes) -> bytes:
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


CHANGES = {
    "malleable": other_form,
    "another v": lambda signature: signature[:64] + bytes([55 - signature[64]]),
    "v from 0": lambda signature: signature[:64] + bytes([signature[64] - 27]),
    "no s": lambda signature: signature[:32] + bytes(32) + signature[64:],
    "no r": lambda signature: bytes(32) + signature[32:],
    "r beyond the order": lambda signature: b"\xff" * 32 + signature[32:],
    "another s": lambda signature: signature[:63] + bytes([signature[63] ^ 1]) + signature[64:],
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_signature_is_left(name: str) -> None:
    header = changed_signature(CHANGES[name])
    assert general(header) is not None
    assert usual().read(header, PATH, BODY) is None


def test_what_another_signed_is_left() -> None:
    value = payload(key=SigningKey(b"\x31" * 32))
    value["payload"]["authorization"]["from"] = PAYER.address.hex
    assert usual().read(header_of(compact(value)), PATH, BODY) is None


@pytest.mark.parametrize("what", ["network", "domain_version", "domain_name"])
def test_what_was_signed_for_another_token_is_left(what: str) -> None:
    other = Network.evm(1) if what == "network" else "9"
    asset = replace(ASSET, **{what: other})
    theirs = payload(replace(QUOTE, price=replace(QUOTE.price, asset=asset)))
    value = payload()
    value["payload"] = theirs["payload"]
    assert usual().read(header_of(compact(value)), PATH, BODY) is None


@pytest.mark.parametrize(("path", "body"), [(b"/v1/models/n/infer", BODY), (PATH, BODY + b" ")])
def test_another_request_is_left(path: bytes, body: bytes) -> None:
    forms = made(GOOD)
    forms._of[path] = forms._of[PATH]
    assert forms.read(header_of(GOOD), path, body) is None
    assert forms.read(header_of(GOOD), PATH, BODY) is not None


def test_a_salt_of_zeros_is_left() -> None:
    assert usual().read(header_of(compact(payload(salt=bytes(32)))), PATH, BODY) is None


def test_without_a_salt_the_payment_is_for_any_request() -> None:
    value = payload()
    del value["extensions"]["inferproof"]["info"]["salt"]
    forms = made(compact(value))
    assert agree(forms, header_of(compact(value)))
    assert agree(forms, header_of(compact(value)), b"another")
    assert not agree(forms, header_of(GOOD))


def unlike(number: int) -> bytes:
    value = payload()
    value["resource"]["description"] = f"number {number}"
    return compact(value)


def learnt(forms: Forms, text: bytes) -> None:
    payment = general(header_of(text))
    assert payment is not None
    forms.learn(header_of(text), PATH, payment)


def test_one_in_many_becomes_a_form_and_few_are_kept() -> None:
    forms = made(GOOD)
    for number in range(1, EACH):
        learnt(forms, unlike(number))
        assert forms.read(header_of(unlike(number)), PATH, BODY) is None
    for number in range(MOST):
        assert forms.read(header_of(GOOD), PATH, BODY) is not None
        learnt(forms, unlike(EACH + number))
        forms._of[PATH].missed = EACH
        assert forms.read(header_of(unlike(EACH + number)), PATH, BODY) is not None
    assert forms.read(header_of(GOOD), PATH, BODY) is None


def test_few_paths_are_kept() -> None:
    forms, payment = made(), general(header_of(GOOD))
    assert payment is not None
    for number in range(MOST_PATHS + 5):
        forms.learn(header_of(GOOD), b"/%d" % number, payment)
    assert len(forms._of) == MOST_PATHS
    assert b"/4" not in forms._of
    assert b"/5" in forms._of


def test_a_long_header_is_left() -> None:
    value = payload()
    value["resource"]["description"] = "x" * (MAX_HEADER_BYTES * 3 // 4 - len(GOOD))
    forms = made(compact(value))
    assert agree(forms, header_of(compact(value)))
    quote = replace(QUOTE, issued_at=10**18, expires_at=10**18)
    longest = payload(quote, valid_before=10**18, valid_after=10**18)
    longest["resource"] = value["resource"]
    assert len(header_of(compact(longest))) > MAX_HEADER_BYTES
    assert forms.read(header_of(compact(longest)), PATH, BODY) is None


@pytest.mark.parametrize(
    "more",
    [
        {"bazaar": {"info": {"salt": "0x" + "11" * 32}}},
        {"bazaar": {"info": {"nonce": "0x" + "11" * 32}}},
        {"bazaar": {"info": {"from": "0x" + "11" * 20}}},
        {"bazaar": {"info": {"requestDigest": "0x" + "11" * 32}}},
    ],
)
def test_no_form_is_made_where_a_name_stands_elsewhere_too(more: dict[str, Any]) -> None:
    value = payload()
    value["extensions"] |= more
    assert general(header_of(compact(value))) is not None
    assert made(compact(value))._of[PATH].forms == []


def test_no_form_is_made_of_a_payment_with_an_id_or_without_a_quote() -> None:
    assert made(compact(payload(payment_id="pay_0123456789abcdef")))._of[PATH].forms == []
    value = payload()
    for name in ("quote", "quoteSignature"):
        del value["extensions"]["inferproof"]["info"][name]
    assert made(compact(value))._of[PATH].forms == []


def test_a_digest_beside_the_quote_may_stand_before_it() -> None:
    value = payload()
    info = value["extensions"]["inferproof"]["info"]
    value["extensions"]["inferproof"]["info"] = dict(sorted(info.items(), reverse=True))
    forms = made(compact(value))
    assert agree(forms, header_of(compact(value)))
    text = compact(value)
    at = text.index(b'"requestDigest":"0x') + len(b'"requestDigest":"0x')
    assert agree(forms, header_of(text[:at] + b"ab" * 32 + text[at + 64 :]))


def test_pieces_and_blanks_that_are_no_form_are_refused() -> None:
    native = library()
    with pytest.raises(native.NativeError) as caught:
        native.PaymentForm([b"a", b"b"], ["payer"], bytes(32), bytes(20), bytes(32))
    assert caught.value.args == ("FORM", "these pieces and blanks are no form")
