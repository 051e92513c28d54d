"""A walk over a protobuf file's bytes that refuses it before the parser builds anything.

The parser turns two bytes into a hundred, and follows nesting wherever it leads. This walk
reads only tags and lengths, needs no memory of its own, and counts what the parser would
build. It follows the message descriptors of the onnx package, so it knows every field that
the parser knows.
"""

from collections import Counter

from onnx import ModelProto

from inferproof.errors import ModelRejected, Reason
from inferproof.models.limits import Limits

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TYPE_STRING, _TYPE_MESSAGE = 9, 11
_NODE, _TENSOR = "onnx.NodeProto", "onnx.TensorProto"
# These describe a model to people, are dropped, and may be long.
_FREE_TEXT = frozenset({"doc_string", "value", "producer_name", "producer_version"})

_Field = tuple[str, int, bool]  # message type or "", protobuf type, free text


def _schema() -> dict[str, dict[int, _Field]]:
    table: dict[str, dict[int, _Field]] = {}
    waiting = [ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if message.full_name in table:
            continue
        table[message.full_name] = {
            field.number: (
                field.message_type.full_name if field.message_type else "",
                field.type,
                field.name in _FREE_TEXT,
            )
            for field in message.fields
        }
        waiting += [field.message_type for field in message.fields if field.message_type]
    return table


_SCHEMA = _schema()


def prescan(data: bytes, limits: Limits) -> None:
    """Returns when the parser may safely read the bytes as a ModelProto.

    Raises: ModelRejected with MODEL_MALFORMED (cut short, a length beyond its message, a
    group, a bad tag, text that is not UTF-8), MODEL_NESTED_TOO_DEEP, MODEL_NAME_TOO_LONG or
    MODEL_TOO_MANY.
    """
    built: Counter[str] = Counter()
    fields = 0
    # One entry for each message that is still open: where it ends, and its fields.
    open_ends = [len(data)]
    open_types = [_SCHEMA["onnx.ModelProto"]]
    position = 0
    while open_ends:
        end = open_ends[-1]
        if position == end:
            open_ends.pop()
            open_types.pop()
            continue
        fields += 1
        if fields > limits.fields:
            raise ModelRejected(Reason.MODEL_TOO_MANY, what="fields", limit=limits.fields)
        tag, position = _varint(data, position, end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0 or tag >= 2**32:
            raise _malformed("a field has no valid number")
        if wire_type == _VARINT:
            _, position = _varint(data, position, end)
            continue
        if wire_type == _BYTES:
            length, position = _varint(data, position, end)
        elif wire_type in (_FIXED64, _FIXED32):
            length = 8 if wire_type == _FIXED64 else 4
        else:
            raise _malformed("a field has an encoding that ONNX does not use")
        if length > end - position:
            raise _malformed("it is cut short, or a length points beyond its end")
        message, kind, free_text = open_types[-1].get(number, ("", 0, True))
        if wire_type == _BYTES and kind == _TYPE_MESSAGE:
            _count(built, message, limits)
            if len(open_ends) >= limits.message_depth:
                raise ModelRejected(Reason.MODEL_NESTED_TOO_DEEP, limit=limits.message_depth)
            open_ends.append(position + length)
            open_types.append(_SCHEMA[message])
            continue
        if wire_type == _BYTES and kind == _TYPE_STRING:
            _check_text(data, position, length, limits, free_text)
        position += length


def _count(built: Counter[str], message: str, limits: Limits) -> None:
    built[message] += 1
    if built[_NODE] > limits.nodes:
        raise ModelRejected(Reason.MODEL_TOO_MANY, what="nodes", limit=limits.nodes)
    if built[_TENSOR] > limits.tensors:
        raise ModelRejected(Reason.MODEL_TOO_MANY, what="tensors", limit=limits.tensors)


def _check_text(data: bytes, start: int, length: int, limits: Limits, free_text: bool) -> None:
    if length > limits.name_bytes and not free_text:
        raise ModelRejected(Reason.MODEL_NAME_TOO_LONG, size=length, limit=limits.name_bytes)
    try:
        data[start : start + length].decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a string is not UTF-8 text") from None


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise _malformed("it is cut short, or a length points beyond its end")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), position
    raise _malformed("a number is longer than ten bytes")


def _malformed(why: str) -> ModelRejected:
    return ModelRejected(Reason.MODEL_MALFORMED, why=why)
