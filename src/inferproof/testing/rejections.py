"""`rejects`: asserts both the reason and the exact message of a failure."""

from collections.abc import Iterator
from contextlib import contextmanager

from inferproof.errors import InferproofError, Reason


@contextmanager
def rejects(
    reason: Reason, message: str, *, kind: type[InferproofError] = InferproofError
) -> Iterator[None]:
    """Passes when the block raises `kind` with exactly this reason and message.

    Raises: AssertionError when nothing is raised or when reason, message or kind differ.
    """
    try:
        yield
    except InferproofError as error:
        if error.reason is not reason:
            raise AssertionError(
                f"expected {reason.code}, got {error.code}: {error.message}"
            ) from error
        if error.message != message:
            raise AssertionError(
                f"{reason.code} says\n  {error.message}\nexpected\n  {message}"
            ) from error
        if not isinstance(error, kind):
            raise AssertionError(f"expected {kind.__name__}, got {type(error).__name__}") from error
        return
    raise AssertionError(f"nothing was raised; expected {reason.code}")
