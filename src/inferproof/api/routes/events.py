"""The history of a job, as it is made."""

from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from inferproof.api.context import Served
from inferproof.api.routes.describe import errors
from inferproof.api.routes.parameters import JobParameter
from inferproof.api.streams import EVENT_STREAM, EventStream
from inferproof.protocol.lifecycle import FINAL

router = APIRouter(prefix="/v1", tags=["results"])

_EXAMPLE = (
    "id: 3\nevent: settled\n"
    'data: {"seq":3,"transition":"settled","state":"queued","at":1767225600}\n\n'
)


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events; the stream ends after a final state.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        204: {"description": "The job is over, and the caller has seen its last event."},
        **errors(404),
    },
    operation_id="jobEvents",
    summary="Follow a job",
)
async def job_events(
    served: Served,
    job_id: JobParameter,
    last_event_id: Annotated[
        str | None,
        Header(
            description="The number of the last event that the caller has; the stream begins "
            "after it. Browsers send it by themselves.",
            pattern="^[0-9]{1,9}$",
            examples=["3"],
        ),
    ] = None,
) -> Response:
    """Every step of the job from its reservation on, each once, as server-sent events.

    A stream that ends without a final state is taken up again with `Last-Event-ID`. The number
    of open streams is bounded; beyond it the answer is 503, and the job can be polled.
    """
    seen = int(last_event_id or 0)
    events = await served.gateway.events(job_id)
    if events and events[-1].state in FINAL and events[-1].seq <= seen:
        return Response(status_code=204)  # an EventSource comes back after any other end
    return EventStream(served.streams, served.gateway, job_id, seen)
