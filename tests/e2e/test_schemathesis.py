"""Requests made from the OpenAPI description find no 500 and nothing that it does not describe."""

import contextlib

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from inferproof.testing.live import LiveGateway

CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def operations(gateway: LiveGateway) -> list[schemathesis.APIOperation]:
    # By hand: the pytest plugin of schemathesis 4.32 reads a private field that pytest 9.2 lost.
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    return [found.ok() for found in schema.get_all_operations()]


def check(operation: schemathesis.APIOperation, mode: GenerationMode, how: settings) -> int:
    """How many requests were made; 0 where an operation without parameters has no wrong ones."""
    made = 0

    @how
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case) -> None:
        nonlocal made
        made += 1
        response = case.call(timeout=60)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            body = response.json()
            assert set(body) == {"error"}
            assert {"code", "message"} <= set(body["error"])

    with contextlib.suppress(Unsatisfiable):
        run()
    return made


def test_requests_find_no_server_error(operations: list[schemathesis.APIOperation]) -> None:
    assert len(operations) == 29
    few = settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    made = sum(check(operation, mode, few) for operation in operations for mode in GenerationMode)
    assert made > 200


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_requests_find_no_server_error(operations: list[schemathesis.APIOperation]) -> None:
    many = settings(
        max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    made = sum(check(operation, mode, many) for operation in operations for mode in GenerationMode)
    assert made > 4000
