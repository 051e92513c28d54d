"""Opens what tells others of the gateway's state: traces and error reports, where they are set."""

import importlib.util
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from inferproof import __version__
from inferproof.errors import MissingPart, Reason
from inferproof.observability.logs import OURS
from inferproof.settings import Settings, variable

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from inferproof.observability.base import Tracer


def open_tracer(settings: Settings, stack: "AsyncExitStack | ExitStack") -> "Tracer | None":
    """The tracer of the settings, closed with the stack; None where nothing is to be traced.

    Raises: MissingPart MISSING_LIBRARY.
    """
    if settings.otel_endpoint is None:
        return None
    _need("traces", "opentelemetry.exporter.otlp.proto.http", "otel", "opentelemetry-sdk")
    from inferproof.observability.otel import OtelTracer

    tracer = OtelTracer.to(
        str(settings.otel_endpoint), ratio=settings.otel_ratio, version=__version__
    )
    stack.callback(tracer.close)
    return tracer


def open_reports(settings: Settings, stack: "AsyncExitStack | ExitStack") -> None:
    """Faults of ours are reported until the stack closes, where an address is set for them.

    Raises: MissingPart MISSING_LIBRARY; Misconfigured SETTING_WRONG.
    """
    if settings.sentry_dsn is None:
        return
    _need("error reports", "sentry_sdk", "sentry", "sentry-sdk")
    from inferproof.observability.sentry import SentryReports

    reports = SentryReports(
        settings.sentry_dsn.get_secret_value(),
        name=variable("sentry_dsn"),
        release=__version__,
        environment=settings.sentry_environment,
    )
    logger = logging.getLogger(OURS)
    logger.addHandler(reports)
    stack.callback(reports.close)
    stack.callback(logger.removeHandler, reports)


def _need(feature: str, module: str, extra: str, package: str) -> None:
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # a package above it is not there
        found = None
    if found is None:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature=feature,
            package=package,
            command=f"pip install 'inferproof[{extra}]'",
        )
