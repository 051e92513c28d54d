"""How finely a model is quantised: what may be asked for, and what is said about the result."""

from inferproof.errors import ModelRejected, Reason
from inferproof.proving.base import CompileRequest

LEAST_BITS, MOST_BITS = 8, 16
"""Of the values that a layer or a table takes."""
MARGIN = 2.0
"""How many times as far as on the calibration data a value may go before it is cut."""
MOST_MARGIN = 1024


def check_precision(request: CompileRequest) -> None:
    """Returns when the model can be quantised as the request asks.

    Raises: ModelRejected OPTION_OUT_OF_RANGE.
    """
    _check("bits", request.bits, LEAST_BITS, MOST_BITS)
    _check("margin", request.margin, 1, MOST_MARGIN)


def _check(option: str, got: float | None, least: int, most: int) -> None:
    if got is not None and not least <= got <= most:
        raise ModelRejected(
            Reason.OPTION_OUT_OF_RANGE, option=option, got=got, least=least, most=most
        )
