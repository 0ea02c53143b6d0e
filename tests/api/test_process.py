"""The process tells whether it is well and what it counted."""

from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from aftersales.access import Role
from api.context import Timed, Traffic
from collector.committer import Committer, Parcel
from desk.arrival import Arrival
from equipment.words import Words
from fieldcare.planner import Planner
from fieldcare.reporting import Watch
from scheduler.travel import crow_flies
from storage.interface import Backlog
from tests.api import given_api
from tests.api.given_api import World
from tests.fieldcare.given_process import until


class Refusing:
    """A store that takes nothing."""

    def keep(self, arrivals: Any) -> Any:
        raise OSError("disk full")

    def act(self, kept: Any) -> None:
        raise AssertionError("nothing was kept")


def test_a_process_that_is_well_says_so_to_anybody() -> None:
    answer = World().browser(None).get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "parts": []})


def test_a_process_that_is_not_well_names_the_parts_and_no_more() -> None:
    world = World(parts=lambda: {"planner": "a secret reason", "collector": "another"})
    answer = world.browser(None).get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"ok": False, "parts": ["collector", "planner"]}


def test_a_process_that_cannot_work_says_why_in_both_languages() -> None:
    world = World(unready=lambda: {"store": Words("拒绝写入", "it refuses")})
    answer = world.browser(None).get("/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (503, False)
    assert answer.json()["reasons"] == {"store": {"zh": "拒绝写入", "en": "it refuses"}}
    assert World().browser(None).get("/readyz").json() == {"ok": True, "reasons": {}}


def test_a_thread_that_ended_is_not_well() -> None:
    planner = Planner(World().office, crow_flies(), 1.0)
    watch = Watch(World().office, committer=Committer(Refusing()), planner=planner)
    assert set(watch.dead()) == {"collector", "planner"}
    assert set(watch.unready()) == {"collector", "planner", "listener"}
    assert Watch(World().office).unready() == {}


def test_a_store_that_refuses_is_not_ready_until_it_takes_again() -> None:
    committer = Committer(Refusing())
    committer.start()
    watch = Watch(World().office, committer=committer)
    try:
        assert "store" not in watch.unready()
        committer.put(Parcel(Nobody(), [Arrival(None, "x", b"")], 1))
        until(lambda: "store" in watch.unready())
        assert watch.dead() == {}
    finally:
        committer.stop(timeout_s=0.1)


class Nobody:
    """Who is not interested in acknowledgements."""

    def kept(self, receipts: Sequence[Any]) -> None:
        return


@pytest.fixture
def samples() -> dict[tuple[str, str], float]:
    told = Traffic(
        9, 6, 2, {"malformed": 1, "oversize": 3}, batches=4, failures=1,
        storing=Timed([("0.1", 3), ("+Inf", 4)], 1.5), lag_s={7: 12.5},
        backlog=Backlog(2, 300), backlog_age_s=61.0, connections=5,
    )  # fmt: skip
    world = given_api.busy(traffic=lambda: told)
    answer = world.browser(Role.AD).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in parsed(answer.text)
        for sample in family.samples
    }


def test_prometheus_reads_the_counts(samples: dict[tuple[str, str], float]) -> None:
    assert samples["fieldcare_messages_total", "received"] == 9
    assert samples["fieldcare_messages_total", "stored"] == 6
    assert samples["fieldcare_messages_total", "duplicate"] == 2
    assert samples["fieldcare_quarantined_total", "oversize"] == 3
    assert samples["fieldcare_batches_total", ""] == 4
    assert samples["fieldcare_open_tickets", ""] == 3
    assert samples["fieldcare_event_streams", ""] == 0
    assert samples["fieldcare_quarantine_messages", ""] == 1
    assert samples["fieldcare_store_seconds_bucket", "0.1"] == 3
    assert samples["fieldcare_store_seconds_count", ""] == 4
    assert samples["fieldcare_store_seconds_sum", ""] == 1.5
    assert samples["fieldcare_partition_lag_seconds", "7"] == 12.5
    assert samples["fieldcare_spool_bytes", ""] == 300
    assert samples["fieldcare_spool_age_seconds", ""] == 61
    assert samples["fieldcare_connections", ""] == 5
    assert samples["process_resident_memory_bytes", ""] > 1e6


def test_the_collector_counts_over_all_devices() -> None:
    region = given_api.collector("CHEM-001", "CHEM-002")
    told = Watch(World().office, ingest=region, committer=Committer(region)).traffic()
    assert (told.received, told.stored, told.duplicate) == (3, 2, 0)
    assert told.quarantined == {"malformed": 1}
