"""The door to the ezkl package: imported on use, and its panics turned into typed errors."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from inferproof.errors import Misconfigured, MissingPart, Reason
from inferproof.proving.ezkl.settings import VERSION


class EzklFailed(Exception):
    """ezkl refused or panicked; the text is its own first line."""


def library() -> ModuleType:
    """The ezkl package.

    Raises: MissingPart MISSING_LIBRARY; Misconfigured PROVER_VERSION for another version, whose
    keys and settings would not be compatible.
    """
    try:
        module = importlib.import_module("ezkl")
    except ImportError:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature="proof system ezkl",
            package="ezkl",
            command="pip install 'inferproof[ezkl]'",
        ) from None
    version = getattr(module, "__version__", "unknown")
    if version != VERSION:
        raise Misconfigured(Reason.PROVER_VERSION, package="ezkl", got=version, expected=VERSION)
    return module


@contextmanager
def ezkl_errors() -> Iterator[None]:
    """Turns ezkl's failures into EzklFailed: RuntimeError, and panics, which are BaseException."""
    try:
        yield
    except (RuntimeError, ValueError, OSError, OverflowError) as error:
        raise EzklFailed(_first_line(error)) from None
    except BaseException as error:  # a panic of Rust is one; all else goes on
        if type(error).__name__ != "PanicException":
            raise
        raise EzklFailed("it panicked: " + _first_line(error)) from None


def _first_line(error: BaseException) -> str:
    line = next((part.strip() for part in str(error).splitlines() if part.strip()), "no details")
    return "".join(char if char.isprintable() else "?" for char in line)[:300]
