"""The metrics of several processes as one text, and how they are asked for."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse

from inferproof.api.metrics import Metrics
from inferproof.errors import Reason, Unavailable
from inferproof.exposition import merged, snapshot
from inferproof.siblings import BEHIND, Siblings
from inferproof.testing.rejections import rejects
from inferproof.types.job import JobState


def _values(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, ",".join(v for _, v in sorted(sample.labels.items()))): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


def test_counts_are_added_and_gauges_are_the_process_behinds() -> None:
    behind, one, two = Metrics(), Metrics(), Metrics()
    for metrics, count in ((behind, 1), (one, 2), (two, 3)):
        for _ in range(count):
            metrics.payment("reserved")
            metrics.http("POST", "/v1", 202, 0.003)
    two.payment("PAYMENT_BALANCE")
    behind.queue({JobState.QUEUED: 7})
    one.queue({JobState.QUEUED: 5})
    one.ready({"chain": True})
    two.ready({"chain": False})
    found = _values(merged(snapshot(behind), [snapshot(one), snapshot(two)]))
    assert found["inferproof_payments_total", "reserved"] == 6
    assert found["inferproof_payments_total", "PAYMENT_BALANCE"] == 1
    assert found["inferproof_http_seconds_count", "POST,/v1,202"] == 6
    assert found["inferproof_http_seconds_bucket", "0.005,POST,/v1,202"] == 6
    assert found["inferproof_http_seconds_bucket", "0.0025,POST,/v1,202"] == 0
    assert found["inferproof_queue_depth", ""] == 7
    assert found["inferproof_ready", "chain"] == 0  # what was found last
    alone = _values(merged(snapshot(behind), []))
    assert alone.keys() == _values(behind.render()).keys()


async def test_processes_ask_each_other(tmp_path: Path) -> None:
    names = ["front 1", "front 2"]
    behind, one, two = (Siblings(tmp_path, name, names) for name in (BEHIND, *names))
    metrics = {name: Metrics() for name in (BEHIND, *names)}
    refreshed = []

    async def runs() -> str:
        return "runs"

    async def stalled() -> str:
        raise Unavailable(Reason.SERVICE_STALLED, service="worker (lease)", seconds=31)

    async def refresh() -> None:
        refreshed.append(True)

    async with (
        behind.answering(metrics[BEHIND], {"settler": runs, "worker": stalled}, refresh),
        one.answering(metrics["front 1"], {}),
    ):
        assert await one.check("settler") == "runs"
        with rejects(
            Reason.SERVICE_STALLED,
            "the worker (lease) has made no step for 31 seconds; see the log and start the gateway "
            "again",
            kind=Unavailable,
        ):
            await one.check("worker")
        with rejects(
            Reason.SERVICE_ENDED,
            "the process front 2 has ended; see the log and start the gateway again",
            kind=Unavailable,
        ):
            await one.exposition(metrics["front 1"])
        async with two.answering(metrics["front 2"], {}):
            for each in metrics.values():
                each.payment("reserved")
            found = _values(await one.exposition(metrics["front 1"]))
        assert found["inferproof_payments_total", "reserved"] == 3
        assert len(refreshed) == 2
    with rejects(
        Reason.SERVICE_ENDED,
        "the process behind has ended; see the log and start the gateway again",
        kind=Unavailable,
    ):
        await one.check("settler")
