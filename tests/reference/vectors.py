"""The vectors of vectors/sumcheck and vectors/private: key, public values and proof each."""

import json
from dataclasses import dataclass
from pathlib import Path

from reference.schedule import FILE

MODES = {"private": 3}


@dataclass(frozen=True)
class Vector:
    name: str
    key: bytes
    statement: bytes
    inputs: list[list[int]]
    outputs: list[list[int]]
    proof: bytes
    mode: int | None = None
    """The mode whose verifier takes it; without one, that of the key."""
    input_root: bytes | None = None
    """The root of private inputs, in the place of inputs."""


def files(mode: str = "sumcheck") -> list[Path]:
    """The files of proofs in a folder; tables of schedules and of security lie beside them."""
    found = FILE.parents[1].joinpath(mode).glob("*.json")
    return sorted(path for path in found if not path.stem.endswith(("schedule", "security")))


def load(path: Path) -> Vector:
    text = json.loads(path.read_text())
    return Vector(
        path.stem,
        bytes.fromhex(text["key"]),
        bytes.fromhex(text["statement"]),
        text["inputs"],
        text["outputs"],
        bytes.fromhex(text["proof"]),
        next((MODES[name] for name in reversed(path.parts) if name in MODES), None),
        bytes.fromhex(text["input_root"]) if "input_root" in text else None,
    )
