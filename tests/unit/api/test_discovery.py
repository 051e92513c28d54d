"""Discovery, the facilitator's door, health, readiness, metrics, OpenAPI."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from api_fakes import GATEWAY, USDC, FakeGateway, error_of
from x402.schemas import PaymentRequirements

from inferproof.api.context import ApiSettings, Services
from inferproof.api.create import create_api, create_app
from inferproof.errors import NotFound, Reason, Unavailable
from inferproof.observability import readiness
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness
from inferproof.payments.x402.facilitator import Facilitator
from inferproof.services.metrics import Metrics as MetricsProtocol
from inferproof.testing.rejections import rejects
from inferproof.types.job import JobState
from inferproof.types.payment import Authorization, Settlement


def client_of(services: Services) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(services))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.test")


async def test_the_service_describes_itself(http: httpx.AsyncClient) -> None:
    service = (await http.get("/.well-known/ai-service.json")).json()
    assert service["url"] == "http://gateway.test"
    assert service["gateway"] == GATEWAY.address.hex
    assert service["payment"] == {
        "protocol": "x402",
        "x402Version": 2,
        "schemes": ["exact"],
        "network": "eip155:31337",
        "asset": USDC.address.hex,
        "payTo": GATEWAY.address.hex,
        "transfer": {
            "header": "Inferproof-Transfer",
            "version": 1,
            "confirmations": 3,
            "maxAgeSeconds": 86_400,
        },
    }
    (model,) = service["models"]
    assert model["name"] == "toy-sentiment@1.0.0"
    assert model["price"] == {"amount": "250000", "text": "0.25 USDC"}
    assert (await http.get(service["endpoints"]["openapi"])).status_code == 200


async def test_the_public_address_is_the_one_that_is_set(services: Services) -> None:
    settings = replace(services.settings, public_url="https://ai.example/")
    async with client_of(replace(services, settings=settings)) as http:
        listed = (await http.get("/.well-known/x402")).json()
    assert listed == {
        "version": 1,
        "x402Version": 2,
        "resources": ["https://ai.example/v1/models/toy-sentiment@1.0.0/infer"],
    }


async def test_resources_have_the_bazaars_form(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/discovery/resources")).json()
    (item,) = listed["items"]
    assert listed["x402Version"] == item["x402Version"] == 2
    assert listed["pagination"] == {"limit": 20, "offset": 0, "total": 1}
    assert item["resource"] == "http://gateway.test/v1/models/toy-sentiment@1.0.0/infer"
    assert item["type"] == "http"
    assert item["serviceName"] == "inferproof"
    assert item["lastUpdated"] == "2026-01-01T00:00:00+00:00"
    assert PaymentRequirements.model_validate(item["accepts"][0]).amount == "250000"
    bazaar = item["extensions"]["bazaar"]
    assert bazaar["info"]["input"]["body"] == {"input": "Ether rallies"}
    assert bazaar["schema"]["properties"]["input"]["properties"]["body"]["properties"] == {
        "input": {"type": "string"}
    }


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"type": "http", "scheme": "exact", "network": "eip155:31337"}, 1),
        ({"payTo": GATEWAY.address.hex.upper().replace("0X", "0x")}, 1),
        ({"extensions": "bazaar"}, 1),
        ({"unknown": "filter"}, 1),
        ({"type": "mcp"}, 0),
        ({"scheme": "upto"}, 0),
        ({"network": "eip155:1"}, 0),
        ({"payTo": "0x" + "00" * 20}, 0),
        ({"extensions": "other"}, 0),
    ],
)
async def test_the_bazaars_filters(
    http: httpx.AsyncClient, query: dict[str, str], total: int
) -> None:
    listed = (await http.get("/discovery/resources", params=query)).json()
    assert listed["pagination"]["total"] == len(listed["items"]) == total


class OpenChain:
    """A chain that takes everything."""

    async def precheck(self, authorization: Authorization) -> None:
        return

    async def settle(self, authorization: Authorization) -> Settlement:
        raise AssertionError("nothing settles here")


async def test_the_facilitator_is_open_only_where_it_is_set(
    http: httpx.AsyncClient, services: Services
) -> None:
    closed = await http.get("/facilitator/supported")
    assert error_of(closed)["code"] == "FACILITATOR_CLOSED"
    facilitator = Facilitator(
        assets=[USDC],
        payees=None,
        signer=GATEWAY.address,
        chain=OpenChain(),
        clock=lambda: 0,
    )
    async with client_of(replace(services, facilitator=facilitator)) as opened:
        supported = (await opened.get("/facilitator/supported")).json()
        assert supported["kinds"][0] == {
            "x402Version": 2,
            "scheme": "exact",
            "network": "eip155:31337",
        }
        for door in ("verify", "settle"):
            response = await opened.post(f"/facilitator/{door}", content=b"[]")
            assert error_of(response)["code"] == "FACILITATOR_REQUEST"
            response = await opened.post(f"/facilitator/{door}", content=b"[" * 60_000)
            assert error_of(response)["code"] == "BODY_NOT_JSON"
            response = await opened.post(f"/facilitator/{door}", content=b"[" * 70_000)
            assert response.status_code == 413


async def test_health_says_only_that_it_is_alive(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.raises = RuntimeError("everything is broken")
    assert (await http.get("/health")).json() == {"status": "ok", "version": "0.1.0"}


async def test_ready_tells_the_truth(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def good() -> str:
        return "answers"

    async def bad() -> str:
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="the disk is gone")

    async def slow() -> str:
        await asyncio.sleep(5)
        return "late"

    monkeypatch.setattr(readiness, "CHECK_LIMIT_S", 0.05)
    checks = {"chain": good, "database": bad, "prover": slow}
    async with client_of(replace(services, readiness=Readiness(checks))) as http:
        response = await http.get("/ready")
        assert response.status_code == 503
        assert response.json() == {
            "ready": False,
            "checks": {
                "chain": {"ok": True, "detail": "answers"},
                "database": {
                    "ok": False,
                    "detail": "STORAGE_UNAVAILABLE: the storage does not answer: the disk is gone",
                },
                "prover": {"ok": False, "detail": "no answer within 0.05 seconds"},
            },
        }
        metrics = (await http.get("/metrics")).text
        assert 'inferproof_ready{check="chain"} 1.0' in metrics
        assert 'inferproof_ready{check="database"} 0.0' in metrics
    mended = replace(services, readiness=Readiness({"chain": good}))
    async with client_of(mended) as http:
        assert (await http.get("/ready")).status_code == 200


async def test_metrics_have_few_labels(http: httpx.AsyncClient) -> None:
    for path in ("/v1/models/a", "/v1/models/b", "/nothing/1", "/nothing/2"):
        await http.get(path)
    await http.request("BREW", "/v1/models")
    text = (await http.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("inferproof_http_seconds_count")]
    assert sorted(line.partition("{")[2] for line in lines) == [
        'method="(other)",route="/v1/models",status="405"} 1.0',
        'method="GET",route="(none)",status="404"} 2.0',
        'method="GET",route="/v1/models/{model}",status="404"} 2.0',
    ]


def test_metrics_are_what_the_services_count() -> None:
    metrics = Metrics()
    counted: MetricsProtocol = metrics
    counted.proof("ezkl", "fraud")
    counted.stage("prove", 0.5)
    counted.payment("settled")
    counted.refund("due")
    counted.failure("JOB_DEADLINE")
    counted.queue({JobState.QUEUED: 3, JobState.DONE: 9})
    text = metrics.render().decode()
    for line in (
        'inferproof_proofs_total{model="fraud",system="ezkl"} 1.0',
        'inferproof_stage_seconds_bucket{le="0.5",stage="prove"} 1.0',
        'inferproof_payments_total{outcome="settled"} 1.0',
        'inferproof_refunds_total{outcome="due"} 1.0',
        'inferproof_failures_total{code="JOB_DEADLINE"} 1.0',
        "inferproof_queue_depth 3.0",
        'inferproof_jobs{state="done"} 9.0',
        'inferproof_jobs{state="running"} 0.0',
    ):
        assert line in text


def test_the_description_is_complete(services: Services) -> None:
    schema = create_api(services).openapi()
    operations_seen = set()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            operations_seen.add(operation["operationId"])
            assert operation["summary"], (method, path)
            assert operation["tags"], (method, path)
            for status in ("422", "500", "503"):
                if path not in ("/health", "/ready"):
                    assert status in operation["responses"], (method, path, status)
    assert len(operations_seen) == sum(len(methods) for methods in schema["paths"].values())
    paid = schema["paths"]["/v1/models/{model}/infer"]["post"]
    assert {"200", "202", "402", "404", "409", "413", "415", "422"} <= set(paid["responses"])
    assert paid["x-payment-info"]["protocols"] == ["x402"]
    approve = schema["paths"]["/v1/models/{model}/approve"]["post"]
    assert approve["security"] == [{"admin": []}]
    assert schema["components"]["securitySchemes"]["admin"]["scheme"] == "bearer"


def test_settings_do_not_show_the_token() -> None:
    assert "sesame" not in repr(ApiSettings(version="1", admin_token="open sesame"))


async def test_the_docs_page_may_load_its_scripts(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    assert page.status_code == 200
    assert "script-src" in page.headers["content-security-policy"]


async def test_several_processes_tell_of_themselves_elsewhere(services: Services) -> None:
    """Whoever scraped the port that they share would meet any of them."""
    settings = replace(services.settings, several_processes=True)
    async with client_of(replace(services, settings=settings)) as http:
        answer = await http.get("/metrics")
        assert answer.status_code == 404
        with rejects(
            Reason.METRICS_ELSEWHERE,
            "this gateway runs in several processes, each of which serves its metrics at a port of "
            "its own; see the setting INFERPROOF_METRICS_PORT",
            kind=NotFound,
        ):
            raise NotFound(Reason[error_of(answer)["code"]])
        assert (await http.get("/health")).status_code == 200
