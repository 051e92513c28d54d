"""Events as JSON, by the ABI of their contract."""

from typing import Any

from eth_abi.abi import encode

from inferproof.chain.abi import event_topic
from inferproof.chain.contracts import MODEL_REGISTRY, load_artifact
from inferproof.chain.event_abi import EventAbi
from inferproof.types.digest import Digest


def event(name: str, *inputs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "event", "name": name, "inputs": list(inputs)}


def one(name: str, kind: str, *, indexed: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "indexed": indexed, **more}


PAIR = [one("left", "uint256"), one("right", "bytes4")]
ABI = [
    event(
        "Much",
        one("who", "address", indexed=True),
        one("text", "string"),
        one("number", "uint256", indexed=True),
        one("signed", "int64"),
        one("yes", "bool"),
        one("hashed", "string", indexed=True),
        one("pairs", "tuple[]", components=PAIR),
        one("fixed", "uint8[2]"),
    ),
    event("Named", one("", "uint256")),
    event("Named", one("", "bool")),
    {"type": "function", "name": "Much", "inputs": []},
]
MUCH = event_topic("Much(address,string,uint256,int64,bool,string,(uint256,bytes4)[],uint8[2])")
WHO = Digest(bytes(12) + b"\xab" * 20)
TOPICS = (MUCH, WHO, Digest((2**256 - 1).to_bytes(32, "big")), Digest(b"\x05" * 32))
TYPES = ["string", "int64", "bool", "(uint256,bytes4)[]", "uint8[2]"]
DATA = encode(TYPES, ["ümlaut", -3, True, [(5, b"abcd")], [1, 2]])


def test_every_kind_of_argument() -> None:
    assert EventAbi(ABI).decode(TOPICS, DATA) == (
        "Much",
        {
            "who": "0x" + "ab" * 20,
            "text": "ümlaut",
            "number": str(2**256 - 1),
            "signed": "-3",
            "yes": True,
            "hashed": "0x" + "05" * 32,
            "pairs": [{"left": "5", "right": "0x61626364"}],
            "fixed": ["1", "2"],
        },
    )


def test_what_is_not_of_the_abi_is_not_guessed_at() -> None:
    abi = EventAbi(ABI)
    assert abi.decode((), b"") == (None, None)
    assert abi.decode((WHO,), b"") == (None, None)
    assert abi.decode(TOPICS[:3], DATA) == ("Much", None)
    assert abi.decode((*TOPICS, WHO), DATA) == ("Much", None)
    assert abi.decode(TOPICS, DATA[:-40]) == ("Much", None)
    not_an_address = Digest(b"\xff" * 32)
    assert abi.decode((MUCH, not_an_address, *TOPICS[2:]), DATA) == ("Much", None)


def test_events_with_one_name() -> None:
    abi = EventAbi(ABI)
    assert abi.names == ["Much", "Named"]
    first, second = abi.topics_of("Named")
    assert abi.decode((first,), (7).to_bytes(32, "big")) == ("Named", {"0": "7"})
    assert abi.decode((second,), (1).to_bytes(32, "big")) == ("Named", {"0": True})
    assert abi.topics_of("Paid") == []


def test_the_registrys_events() -> None:
    abi = EventAbi(load_artifact(MODEL_REGISTRY).abi)
    assert {"Sealed", "VersionRegistered", "PriceSet", "ModelTransferred"} <= set(abi.names)
    (topic,) = abi.topics_of("ActiveSet")
    assert topic == event_topic("ActiveSet(bytes32,bool)")
