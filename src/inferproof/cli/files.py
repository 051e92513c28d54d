"""Reading and writing the files that a user names."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from inferproof.errors import Misconfigured, Reason, RequestRejected
from inferproof.protocol.signature import SigningKey

MAX_KEY_BYTES = 256
DATA_DIR = Path("inferproof-data")
DataDir = Annotated[
    Path,
    typer.Option(
        envvar="INFERPROOF_DATA_DIR",
        help="The gateway's data folder, where measured costs are kept.",
    ),
]


def read_file(path: Path, max_bytes: int) -> bytes:
    """The content of a file.

    Raises: RequestRejected FILE_UNREADABLE, FILE_TOO_LARGE.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise RequestRejected(Reason.FILE_UNREADABLE, path=path, why=_why(error)) from None
    if len(data) > max_bytes:
        raise RequestRejected(Reason.FILE_TOO_LARGE, path=path, limit=max_bytes)
    return data


def write_file(path: Path, data: bytes, *, owner_only: bool = False) -> None:
    """Writes a file whole: after a failure it is what it was before. With `owner_only` nobody else
    may read it, whatever was there before.

    Devices and pipes are written to, not replaced. Raises: RequestRejected FILE_NOT_WRITTEN.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path.resolve(), data, owner_only)
    except OSError as error:
        raise RequestRejected(Reason.FILE_NOT_WRITTEN, path=path, why=_why(error)) from None


def check_writable(path: Path) -> None:
    """Returns when `write_file` would be let in: asked before work or money goes into the data.

    Raises: RequestRejected FILE_NOT_WRITTEN.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("ab"):
                return
        descriptor, probe = tempfile.mkstemp(prefix=".inferproof-", dir=path.resolve().parent)
        os.close(descriptor)
        Path(probe).unlink()
    except OSError as error:
        raise RequestRejected(Reason.FILE_NOT_WRITTEN, path=path, why=_why(error)) from None


def read_key(path: Path) -> SigningKey:
    """The private key in a file that only its owner may read.

    Raises: RequestRejected FILE_UNREADABLE, FILE_TOO_LARGE, KEY_MALFORMED; Misconfigured
    KEY_FILE_OPEN.
    """
    data = read_file(path, MAX_KEY_BYTES)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise Misconfigured(Reason.KEY_FILE_OPEN, path=path)
    return SigningKey.from_hex(data.decode("ascii", "replace").strip())


def _replace(path: Path, data: bytes, owner_only: bool) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".inferproof-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if not owner_only:  # as it was made
            temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:  # also at an interrupt, no half file stays
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _umask() -> int:
    # It can only be read by setting it; the command line has no other thread that makes files.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
