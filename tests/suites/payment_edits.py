"""Edits of a payment's text, for properties of its reader."""

from hypothesis import strategies as st

TOKENS = (
    *(b'"', b"\\", b'\\"', b",", b":", b"{}", b"[]", b" ", b"\n", b"\x00", b"\xff", b"\xc3\xa9"),
    *(b"1", b"-0", b"1e999", b"NaN", b"null", b'"salt":"",', b'"quote":{},', b'"schema":1,'),
    *(b'"a":1,', b'"x402Version":2,', b'"resource":{},', b'"requestDigest":"0x', b"\\u0022"),
    *(b"\xef\xbb\xbf", b"9" * 5000, b"[" * 20 + b"]" * 20, b'"requestDigest":"",'),
    *(b"0", b"a", b"A", b"F" * 40),
)
"""What is put in."""


@st.composite
def edits(draw: st.DrawFn, good: bytes) -> bytes:
    """The good text with bytes put in, taken out, replaced or repeated at a few places."""
    text = good
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.sampled_from([0, 0, 0, 1, 1, 2, 10, 66])))
        put = draw(st.sampled_from([b"", *TOKENS]) | st.just(text[at:end] * 2))
        text = text[:at] + put + text[end:]
    return text
