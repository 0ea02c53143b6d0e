"""Metrics: what this process counted, in the words of Prometheus."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from aftersales.ticket import Ticket
from api.context import Backstage, Timed, Traffic
from equipment.partition import PARTITIONS
from equipment.quarantine import Quarantined

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Counted:
    """A collector of values that are known already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def metrics(stage: Backstage, *, streams: int = 0) -> bytes:
    """Return the counts of the process in Prometheus' text format."""
    with stage.office.records.read() as work:
        gauges = {
            "open_tickets": ("Tickets that are open", work.shelf(Ticket).count(state="open")),
            "quarantine_messages": (
                "Messages that are in quarantine now", work.shelf(Quarantined).count()
            ),
            "event_streams": ("Event streams to pages now open", streams),
            "unwell_parts": ("Parts of the process that do not run", len(stage.parts())),
        }  # fmt: skip
    registry = CollectorRegistry()
    families = [GaugeMetricFamily(f"fieldcare_{n}", *told) for n, told in gauges.items()]
    traffic = stage.traffic()
    registry.register(_Counted([*families, _unready(stage), *_counts(traffic), *_waiting(traffic)]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _unready(stage: Backstage) -> Metric:
    family = GaugeMetricFamily(
        "fieldcare_unready", "1 for each reason why /readyz says 503", labels=["part"]
    )
    for part in sorted(stage.unready()):
        family.add_metric([part], 1)
    return family


def _counts(traffic: Traffic) -> Iterator[Metric]:
    messages = {
        "received": traffic.received,
        "stored": traffic.stored,
        "duplicate": traffic.duplicate,
    }
    yield _labelled("messages", "Messages of registered devices", "outcome", messages)
    yield _labelled("quarantined", "Messages refused", "reason", traffic.quarantined)
    yield _labelled("rows", "Rows by how they came in time", "came", traffic.rows)
    for name, text, count in (
        ("quarantine_evicted", "Messages that a full quarantine let go", traffic.evicted),
        ("readings_not_judged", "Readings after newer ones were judged", traffic.not_judged),
        ("batches", "Batches committed since the start", traffic.batches),
        ("committed_messages", "Messages committed since the start", traffic.committed),
        ("acknowledged_messages", "Messages acknowledged since the start", traffic.acknowledged),
        ("commit_failures", "Commits the store refused", traffic.failures),
        ("authentication_failures", "Clients that were refused", traffic.turned_away),
    ):
        yield CounterMetricFamily(f"fieldcare_{name}", text, count)
    yield _histogram("store_seconds", "From taking a batch to having it on disk", traffic.storing)
    yield _histogram("act_seconds", "Stepping the rules over a stored batch", traffic.acting)


def _waiting(traffic: Traffic) -> Iterator[Metric]:
    for name, text, value in (
        ("queue_messages", "Messages taken and not yet committed", traffic.waiting),
        ("queue_bytes", "Their bytes", traffic.waiting_bytes),
        ("spool_batches", "Batches on disk here that the server lacks", traffic.backlog.batches),
        ("spool_bytes", "Their bytes", traffic.backlog.bytes),
        ("spool_age_seconds", "Age of the oldest of them", traffic.backlog_age_s),
        ("wrong_clocks", "Devices whose clock is wrong", traffic.wrong_clocks),
        ("connections", "Clients connected; 1 for a broker that is", traffic.connections),
    ):
        yield GaugeMetricFamily(f"fieldcare_{name}", text, value)
    lag = GaugeMetricFamily(
        "fieldcare_partition_lag_seconds",
        f"Now less the newest event time stored of the devices of a partition (crc32 of the id, "
        f"modulo {PARTITIONS}); it includes the time between two readings",
        labels=["partition"],
    )
    for number, lag_s in sorted(traffic.lag_s.items()):
        lag.add_metric([str(number)], lag_s)
    yield lag


def _labelled(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"fieldcare_{name}", text, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, timed: Timed) -> Metric:
    return HistogramMetricFamily(f"fieldcare_{name}", text, timed.buckets, timed.total_s)
