"""The metrics of several processes as one text.

| kind | is |
|---|---|
| counter, histogram | the sum over all processes |
| gauge | what the process behind says, which reads order book, account and books |
| inferproof_ready | what /ready found last, whichever process was asked |
"""

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from inferproof.api.metrics import Metrics

READY = "inferproof_ready"

Snapshot = dict[str, Any]
"""The metrics of one process, as JSON carries them between processes."""


def snapshot(metrics: Metrics) -> Snapshot:
    """All values of this process, as they are now."""
    families = [
        {
            "name": family.name,
            "help": family.documentation,
            "kind": family.type,
            "samples": [[s.name, s.labels, s.value] for s in family.samples],
        }
        for family in metrics.registry.collect()
    ]
    return {"ready_at": metrics.ready_at, "families": families}


def merged(behind: Snapshot, others: Sequence[Snapshot]) -> bytes:
    """The text that Prometheus scrapes, of the process behind and of those that take requests."""
    registry = CollectorRegistry()
    registry.register(_Merged(behind, others))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, behind: Snapshot, others: Sequence[Snapshot]) -> None:
        self._behind = behind
        self._others = others

    def collect(self) -> Iterable[Metric]:
        newest = max([self._behind, *self._others], key=lambda each: each["ready_at"])
        for place, family in enumerate(self._behind["families"]):
            # Every process has the same metrics, in one order.
            same = [family, *(other["families"][place] for other in self._others)]
            metric = Metric(family["name"], family["help"], family["kind"])
            if family["name"] == READY:
                chosen = [newest["families"][place]]
            else:
                chosen = [family] if family["kind"] == "gauge" else same
            for (name, labels), value in _added(chosen).items():
                metric.add_sample(name, dict(labels), value)
            yield metric


_Key = tuple[str, tuple[tuple[str, str], ...]]


def _added(families: Iterable[Snapshot]) -> dict[_Key, float]:
    total: dict[_Key, float] = {}
    for family in families:
        for name, labels, value in family["samples"]:
            key = (name, tuple(labels.items()))
            if key not in total:
                total[key] = value
            elif name.endswith("_created"):  # since when it is counted, and not a count
                total[key] = min(total[key], value)
            else:
                total[key] += value
    return total
