"""A slice of a key's openings as a file, on its way from one store to another.

It is not signed: whoever counts a key's openings already decides how often it is opened, and would
deceive himself alone. The checksum finds damage.
"""

from inferproof.errors import RequestRejected
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.opening_budget import MAX_SLOTS, Slice

FORMAT = "inferproof/opening-slice/1"
MAX_BYTES = 1024


def encode_slice(slots: Slice) -> bytes:
    """The bytes of the file."""
    body: dict[str, Json] = {
        "key": slots.key.hex,
        "taker": slots.taker.hex,
        "first": slots.first,
        "size": slots.size,
        "reserved": slots.reserved,
    }
    return encode_document(FORMAT, body)


def decode_slice(data: bytes) -> Slice:
    """The slice in a file. Raises: RequestRejected with a decoding reason."""
    return decode_document(data, FORMAT, _slice, max_bytes=MAX_BYTES, kind=RequestRejected)


def _slice(fields: Fields) -> Slice:
    first = fields.integer("first", most=MAX_SLOTS - 1)
    size = fields.integer("size", least=1, most=MAX_SLOTS - first)
    slots = Slice(
        key=fields.digest("key"),
        taker=fields.digest("taker"),
        first=first,
        size=size,
        reserved=fields.integer("reserved", most=size),
    )
    fields.end()
    return slots
