"""Metrics: what this process counted, in the words of Prometheus."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.context import Traffic

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Counted:
    """A collector of values that are known already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(
    traffic: Traffic, *, open_tickets: int, streams: int, unwell: Mapping[str, str]
) -> bytes:
    """Return the counts in Prometheus' text format."""
    messages = {
        "received": traffic.received,
        "stored": traffic.stored,
        "duplicate": traffic.duplicate,
    }
    registry = CollectorRegistry()
    registry.register(
        _Counted(
            [
                _counter("messages", "Messages of registered devices", "outcome", messages),
                _counter("quarantined", "Refused parts of messages", "reason", traffic.quarantined),
                _counter("rows", "Rows by how they came in time", "came", traffic.rows),
                GaugeMetricFamily(
                    "fieldcare_wrong_clocks", "Devices whose clock is wrong", traffic.wrong_clocks
                ),
                CounterMetricFamily(
                    "fieldcare_readings_not_judged",
                    "Readings that came after newer ones were judged",
                    traffic.not_judged,
                ),
                CounterMetricFamily(
                    "fieldcare_batches", "Batches committed since the start", traffic.batches
                ),
                CounterMetricFamily(
                    "fieldcare_commit_failures", "Commits the store refused", traffic.failures
                ),
                GaugeMetricFamily("fieldcare_open_tickets", "Tickets that are open", open_tickets),
                GaugeMetricFamily("fieldcare_event_streams", "Event streams now open", streams),
                GaugeMetricFamily(
                    "fieldcare_unwell_parts", "Parts of the process not well", len(unwell)
                ),
            ]
        )
    )
    return generate_latest(registry)


def _counter(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"fieldcare_{name}", text, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family
