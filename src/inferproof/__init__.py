"""inferproof: machine-learning answers that prove themselves."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`__version__`, read from the installed package when it is asked for: it takes a tenth of a
    command's start."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("inferproof")
