"""Events read by a contract's ABI: the name, and each argument as JSON.

Whole numbers go as decimal text, since JSON's have 53 bits in most programs; bytes and addresses as
0x and hex; structures as objects. An indexed text, list or structure is on the chain only as its
hash, which is what stands for it. Source: Solidity's contract ABI specification, section Events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inferproof.chain.abi import decode_values, event_topic
from inferproof.protocol.encoding import Json
from inferproof.types.digest import Digest


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. `type` is written as in a signature: a structure as its parts in brackets,
    whose names are in `parts`."""

    name: str
    type: str
    indexed: bool
    parts: tuple["Argument", ...] = ()

    @property
    def is_hashed(self) -> bool:
        """Whether, indexed, its topic is a hash of it."""
        return self.type in ("string", "bytes") or self.type.endswith("]") or bool(self.parts)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an ABI."""

    name: str
    arguments: tuple[Argument, ...]

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(each.type for each in self.arguments)})"

    @property
    def topic(self) -> Digest:
        return event_topic(self.signature)

    def fields(self, topics: Sequence[Digest], data: bytes) -> dict[str, Json] | None:
        """The arguments by name; None where topics or data are not those of this event."""
        plain = [each.type for each in self.arguments if not each.indexed]
        values = decode_values(plain, data)
        if not topics or topics[0] != self.topic or values is None:
            return None
        if len(topics) - 1 + len(plain) != len(self.arguments):
            return None
        from_topics, from_data = iter(topics[1:]), iter(values)
        fields: dict[str, Json] = {}
        for each in self.arguments:
            if not each.indexed:
                fields[each.name] = _json(each, next(from_data))
                continue
            topic = next(from_topics)
            value = (topic.raw,) if each.is_hashed else decode_values([each.type], topic.raw)
            if value is None:
                return None
            fields[each.name] = topic.hex if each.is_hashed else _json(each, value[0])
        return fields


class EventAbi:
    """The events of one contract. Implements services.indexer.base.EventDecoder."""

    def __init__(self, abi: Iterable[Mapping[str, Any]]) -> None:
        events = [_event(entry) for entry in abi if entry["type"] == "event"]
        self._by_topic = {event.topic: event for event in events}

    @property
    def names(self) -> Sequence[str]:
        """The events' names, in order."""
        return sorted({event.name for event in self._by_topic.values()})

    def topics_of(self, name: str) -> Sequence[Digest]:
        """The first topics of the events with this name, of which there may be several."""
        return [topic for topic, event in self._by_topic.items() if event.name == name]

    def decode(
        self, topics: Sequence[Digest], data: bytes
    ) -> tuple[str | None, dict[str, Json] | None]:
        """The event's name and fields. None for a name that the ABI does not have, and for fields
        that are not what it says."""
        event = self._by_topic.get(topics[0]) if topics else None
        if event is None:
            return None, None
        return event.name, event.fields(topics, data)


def _event(entry: Mapping[str, Any]) -> Event:
    return Event(
        entry["name"],
        tuple(_argument(each, place) for place, each in enumerate(entry["inputs"])),
    )


def _argument(entry: Mapping[str, Any], place: int) -> Argument:
    parts = tuple(_argument(each, at) for at, each in enumerate(entry.get("components", ())))
    kind = str(entry["type"])
    if kind.startswith("tuple"):
        kind = f"({','.join(part.type for part in parts)}){kind.removeprefix('tuple')}"
    return Argument(entry["name"] or str(place), kind, bool(entry.get("indexed")), parts)


def _json(argument: Argument, value: Any) -> Json:
    if argument.type.endswith("]"):
        inner = argument.type[: argument.type.rindex("[")]
        each = Argument(argument.name, inner, False, argument.parts)
        return [_json(each, item) for item in value]
    if argument.parts:
        return {
            part.name: _json(part, item) for part, item in zip(argument.parts, value, strict=True)
        }
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, bool | str):
        return value
    return str(value)
