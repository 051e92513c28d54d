"""Where our contracts are: one JSON file of addresses for each network.

    {"format": "inferproof/deployment/1", "network": "eip155:31337",
     "contracts": {"Halo2VerifierReusable": "0x...", "token": "0x..."}}

A file is meant to be read and written by people too, so its JSON need not be canonical.
"""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from inferproof.errors import InferproofError, Misconfigured, NotFound, Reason
from inferproof.protocol.json_text import read_json
from inferproof.types.digest import Address
from inferproof.types.money import Network

FORMAT = "inferproof/deployment/1"
MAX_BYTES = 64 * 1024
"""Room for hundreds of contracts."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Names and addresses of the contracts on one network."""

    network: Network
    contracts: Mapping[str, Address] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.contracts:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} does not name a contract")
        object.__setattr__(self, "contracts", MappingProxyType(dict(self.contracts)))

    def address(self, name: str) -> Address:
        """The address of a contract. Raises: NotFound DEPLOYMENT_LACKS_CONTRACT."""
        try:
            return self.contracts[name]
        except KeyError:
            raise NotFound(
                Reason.DEPLOYMENT_LACKS_CONTRACT, network=self.network, name=name
            ) from None


def deployment_path(folder: Path, network: Network) -> Path:
    """The file of a network: eip155:31337 is in eip155-31337.json."""
    return folder / f"{network.caip2.replace(':', '-')}.json"


def load_deployment(folder: Path, network: Network) -> Deployment:
    """What is deployed on the network.

    Raises: NotFound DEPLOYMENT_NOT_FOUND; Misconfigured DEPLOYMENT_MALFORMED.
    """
    path = deployment_path(folder, network)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise NotFound(Reason.DEPLOYMENT_NOT_FOUND, path=path, network=network) from None
    except OSError as error:
        raise _malformed(path, error.strerror or "it cannot be read") from error
    if len(data) > MAX_BYTES:
        raise _malformed(path, f"it is larger than {MAX_BYTES} bytes")
    deployment = _parse(path, data)
    if deployment.network != network:
        raise _malformed(path, f"it is about {deployment.network}")
    return deployment


def save_deployment(folder: Path, deployment: Deployment) -> Path:
    """The file that now holds the deployment. A reader sees the old file or the new one whole."""
    path = deployment_path(folder, deployment.network)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {
            "format": FORMAT,
            "network": deployment.network.caip2,
            "contracts": {n: a.hex for n, a in sorted(deployment.contracts.items())},
        },
        indent=2,
    )
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:  # whatever it was, no half file stays
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    return path


def _parse(path: Path, data: bytes) -> Deployment:
    try:
        document = read_json(data)
    except ValueError:
        raise _malformed(path, "it is not JSON") from None
    if not isinstance(document, dict) or set(document) != {"format", "network", "contracts"}:
        raise _malformed(path, "its keys are not format, network and contracts")
    if document["format"] != FORMAT:
        raise _malformed(path, f"its format is not {FORMAT}")
    contracts = document["contracts"]
    if not isinstance(contracts, dict):
        raise _malformed(path, "contracts is not an object")
    try:
        return Deployment(
            Network(document["network"]),
            {name: Address.from_hex(text) for name, text in contracts.items()},
        )
    except InferproofError as error:
        raise _malformed(path, error.message) from error
    except ValueError as error:
        raise _malformed(path, str(error)) from error


def _malformed(path: Path, why: str) -> Misconfigured:
    return Misconfigured(Reason.DEPLOYMENT_MALFORMED, path=path, why=why)
