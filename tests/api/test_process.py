"""The process tells whether it is well and what it counted."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from aftersales.access import Role
from api.context import Traffic
from collector.committer import Committer
from fieldcare.planner import Planner
from fieldcare.reporting import traffic, unwell
from scheduler.travel import crow_flies
from tests.api import given_api
from tests.api.given_api import World


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


def test_a_thread_that_ended_is_not_well() -> None:
    planner = Planner(World().office, crow_flies(), 1.0)
    committer = Committer(Refusing())
    assert set(unwell(committer, planner)) == {"collector", "planner"}
    assert unwell(None, None) == {}


def test_a_store_that_refuses_is_not_well_until_it_takes_again() -> None:
    committer = Committer(Refusing())
    committer.start()
    try:
        assert unwell(committer, None) == {}
        committer.failing = True
        assert set(unwell(committer, None)) == {"collector"}
    finally:
        committer.stop()


@pytest.fixture
def samples() -> dict[tuple[str, str], float]:
    told = Traffic(9, 6, 2, {"malformed": 1, "oversize": 3}, batches=4, failures=1)
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


def test_the_collector_counts_over_all_devices() -> None:
    region = given_api.collector("CHEM-001", "CHEM-002")
    told = traffic(region, Committer(region))
    assert (told.received, told.stored, told.duplicate) == (3, 2, 0)
    assert told.quarantined == {"malformed": 1}
