"""What commands share: an option, and what they need that a light install leaves out."""

import importlib
from typing import Annotated

import typer

from inferproof.errors import MissingPart, Reason

MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port of its own /metrics, /ready and /health."),
]


def need(feature: str, *modules: str, extra: str) -> None:
    """Returns when the modules and all that they import are installed.

    Raises: MissingPart MISSING_LIBRARY, which names the extra that brings them.
    """
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as missing:
        if (missing.name or "").startswith("inferproof"):
            raise  # a fault of ours, not a package that lacks
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature=feature,
            package=missing.name or "unknown",
            command=f"pip install 'inferproof[{extra}]'",
        ) from None
