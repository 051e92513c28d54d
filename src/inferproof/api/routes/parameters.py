"""Path and header parameters, read strictly."""

import re
from typing import Annotated, TypeVar

from fastapi import Depends, Path
from pydantic import BaseModel, ValidationError

from inferproof.api.wire import parse_json
from inferproof.errors import Reason, RequestRejected
from inferproof.types.digest import Digest

Body = TypeVar("Body", bound=BaseModel)
MODEL_NAME = r"^[a-z0-9-]{1,71}(@[0-9A-Za-z.-]{1,64})?$"
_DIGEST = "^0x[0-9a-f]{64}$"

ModelName = Annotated[
    str,
    Path(
        description="`id` or `id@version`.",
        pattern=MODEL_NAME,
        examples=["crypto-news-sentiment"],
    ),
]


def check_model_name(name: str) -> None:
    """Returns for what FastAPI takes as a `ModelName`, where it is not asked.

    Raises: RequestRejected REQUEST_INVALID.
    """
    if not re.fullmatch(MODEL_NAME, name):
        problem = f"String should match pattern '{MODEL_NAME}'"
        raise RequestRejected(Reason.REQUEST_INVALID, where="path.model", problem=problem)


async def _digest(
    digest: Annotated[str, Path(pattern=_DIGEST, description="0x and 64 lower-case hex digits.")],
) -> Digest:
    return Digest.from_hex(digest)


async def _job(
    job_id: Annotated[str, Path(pattern=_DIGEST, description="The job's id.")],
) -> Digest:
    return Digest.from_hex(job_id)


DigestParameter = Annotated[Digest, Depends(_digest)]
JobParameter = Annotated[Digest, Depends(_job)]


def read_body(kind: type[Body], body: bytes) -> Body:
    """The body as a `kind`. FastAPI would call json.loads, which deep nesting can crash.

    Raises: RequestRejected BODY_NOT_JSON, REQUEST_INVALID.
    """
    value = parse_json(body)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("body", *first["loc"]))[:200]
        raise RequestRejected(
            Reason.REQUEST_INVALID, where=where, problem=first["msg"][:500]
        ) from None


def hex_bytes(text: str, where: str) -> bytes:
    """The bytes written as 0x and hex digits. Raises: RequestRejected REQUEST_INVALID."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise RequestRejected(
            Reason.REQUEST_INVALID, where=where, problem="it is not 0x and hex digits"
        ) from None
