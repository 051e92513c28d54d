"""Where our contracts are: one TOML file, in which each network has a table.

    format = "inferproof/deployments/2"

    [networks."eip155:31337".contracts.ModelRegistry]
    address = "0x..."
    code = "0x..."
    arguments = "0x"

The file is meant to be read by people, to be kept with a project, and to be published.
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from inferproof.errors import InferproofError, Misconfigured, NotFound, Reason
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network

FORMAT = "inferproof/deployments/2"
MAX_BYTES = 256 * 1024
"""Room for a thousand contracts."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract on a chain. `code` is keccak256 of its code there, `arguments` what its
    constructor was given, in ABI form."""

    address: Address
    code: Digest
    arguments: bytes = b""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts on one network, by name."""

    network: Network
    contracts: Mapping[str, Deployed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.contracts:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} does not name a contract")
        object.__setattr__(self, "contracts", MappingProxyType(dict(self.contracts)))

    def address(self, name: str) -> Address:
        """The address of a contract. Raises: NotFound DEPLOYMENT_LACKS_CONTRACT."""
        try:
            return self.contracts[name].address
        except KeyError:
            raise NotFound(
                Reason.DEPLOYMENT_LACKS_CONTRACT, network=self.network, name=name
            ) from None


def load_deployment(path: Path, network: Network) -> Deployment:
    """What the file says of a network.

    Raises: NotFound DEPLOYMENT_NOT_FOUND; Misconfigured DEPLOYMENT_MALFORMED.
    """
    found = load_deployments(path).get(network)
    if found is None:
        raise NotFound(Reason.DEPLOYMENT_NOT_FOUND, path=path, network=network)
    return found


def load_deployments(path: Path) -> dict[Network, Deployment]:
    """What the file says, by network; nothing where there is no file.

    Raises: Misconfigured DEPLOYMENT_MALFORMED.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _malformed(path, error.strerror or "it cannot be read") from error
    if len(data) > MAX_BYTES:
        raise _malformed(path, f"it is larger than {MAX_BYTES} bytes")
    try:
        return _parse(tomllib.loads(data.decode()))
    except InferproofError as error:
        raise _malformed(path, error.message) from error
    except (tomllib.TOMLDecodeError, RecursionError, UnicodeDecodeError):
        raise _malformed(path, "it is not TOML") from None
    except ValueError as error:
        raise _malformed(path, str(error)) from error


def save_deployment(path: Path, deployment: Deployment) -> None:
    """Writes a network's table; those of others stay. A reader sees the old file or the new one
    whole. Raises: Misconfigured DEPLOYMENT_MALFORMED where there is another file; OSError."""
    every = load_deployments(path) | {deployment.network: deployment}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_written(every))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:  # whatever it was, no half file stays
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def _written(every: Mapping[Network, Deployment]) -> str:
    lines = [f'format = "{FORMAT}"']
    for network in sorted(every, key=lambda network: network.chain_id):
        lines += ["", f'[networks."{network}"]']
        for name, found in sorted(every[network].contracts.items()):
            lines += [
                "",
                f'[networks."{network}".contracts.{name}]',
                f'address = "{found.address.hex}"',
                f'code = "{found.code.hex}"',
                f'arguments = "0x{found.arguments.hex()}"',
            ]
    return "\n".join(lines) + "\n"


def _parse(document: Mapping[str, object]) -> dict[Network, Deployment]:
    if document.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    every = _table(document, {"format", "networks"}, "the file").get("networks", {})
    found = [
        Deployment(
            Network(name),
            {
                contract: _contract(_inner(table, f"contract {contract}"), contract)
                for contract, table in _inner(
                    _table(_inner(rest, name), {"contracts"}, name).get("contracts", {}), name
                ).items()
            },
        )
        for name, rest in _inner(every, "networks").items()
    ]
    return {deployment.network: deployment for deployment in found}


def _contract(table: Mapping[str, object], name: str) -> Deployed:
    _table(table, {"address", "code", "arguments"}, f"contract {name}")
    arguments = _text(table, "arguments", name)
    if _HEX.fullmatch(arguments) is None:
        raise ValueError(f"the arguments of contract {name} are not 0x and lower-case hex digits")
    return Deployed(
        Address.from_hex(_text(table, "address", name)),
        Digest.from_hex(_text(table, "code", name)),
        bytes.fromhex(arguments[2:]),
    )


def _text(table: Mapping[str, object], key: str, name: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise ValueError(f"contract {name} has no {key}")
    return value


def _inner(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no table")
    return value


def _table(table: Mapping[str, object], known: set[str], what: str) -> Mapping[str, object]:
    more = sorted(set(table) - known)
    if more:
        raise ValueError(f"{what} has an unknown key, {more[0][:40]!r}")
    return table


def _malformed(path: Path, why: str) -> Misconfigured:
    return Misconfigured(Reason.DEPLOYMENT_MALFORMED, path=path, why=why)
