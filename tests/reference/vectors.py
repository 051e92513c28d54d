"""The vectors of vectors/private: key, public values and proof each."""

import json
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).resolve().parents[2] / "vectors"


@dataclass(frozen=True)
class Vector:
    name: str
    key: bytes
    statement: bytes
    inputs: list[list[int]]
    outputs: list[list[int]]
    proof: bytes
    input_root: bytes | None = None
    """The root of private inputs, in the place of inputs."""


def files(folder: str = "private") -> list[Path]:
    """The files of proofs in a folder; tables of security lie beside them."""
    found = PLACE.joinpath(folder).glob("*.json")
    return sorted(path for path in found if path.stem != "security")


def load(path: Path) -> Vector:
    text = json.loads(path.read_text())
    return Vector(
        path.stem,
        bytes.fromhex(text["key"]),
        bytes.fromhex(text["statement"]),
        text["inputs"],
        text["outputs"],
        bytes.fromhex(text["proof"]),
        bytes.fromhex(text["input_root"]) if "input_root" in text else None,
    )
