"""A model as a paid resource: in challenges, in the Bazaar, in discovery documents."""

import json
from typing import Any

from inferproof.payments.x402 import Discovery, Resource
from inferproof.protocol.encoding import Json
from inferproof.services.orders.base import Example, ModelView

SERVICE_NAME = "inferproof"
MAX_EXAMPLE_BYTES = 16 * 1024
"""Every 402 and every listing carries an example."""

_SCHEMAS: dict[str, dict[str, Json]] = {
    "text": {"type": "string"},
    "vector": {"type": "object"},
    "image": {"type": "array"},
    "tensor": {},
}


def model_resource(view: ModelView, url: str) -> Resource:
    """The model as what is paid for at `url`."""
    return Resource(
        url=url,
        description=f"{view.title}: {view.output_type} from {view.input_type}, with a "
        f"{view.proof_system} proof",
        service_name=SERVICE_NAME,
        tags=(view.category[:32], "zkml", "inference"),
        discovery=_discovery(view),
    )


def body_of(value: Any) -> Any:
    """The request body that carries an input."""
    return {"input": value}


def _discovery(view: ModelView) -> Discovery | None:
    example = next((e for e in view.examples if _small(e)), None)
    if example is None:
        return None
    return Discovery(
        input_example=body_of(example.value),
        input_schema={
            "type": "object",
            "properties": {"input": _SCHEMAS[view.input_type]},
            "required": ["input"],
        },
        output_example=None
        if example.label is None
        else {"output": {"label": example.label, "unit": view.unit}},
    )


def _small(example: Example) -> bool:
    return len(json.dumps(example.value)) <= MAX_EXAMPLE_BYTES
