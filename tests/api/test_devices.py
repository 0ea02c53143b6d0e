"""Devices in any order, a page at a time, and everything about one of them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from aftersales.access import Role
from equipment.sequence import Tally
from equipment.words import Words
from health.clocks import Heard, skewed
from health.fault import merge
from health.state import STATES
from tests import given
from tests.api import given_api
from tests.api.given_api import NOW, World

DEVICES = "/api/v1/devices"
HOSPITALS = ("Chengxi", "Yunling", "Donghu")


def pages(client: TestClient, **query: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of every page, as a reader who scrolls to the end."""
    while True:
        page = client.get(DEVICES, params=query).json()
        assert len(page["items"]) <= query.get("limit", 200)
        yield from page["items"]
        if page["next"] is None:
            return
        assert page["items"]
        query["after"] = page["next"]


@st.composite
def fleets(draw: st.DrawFn) -> list[tuple[str, int, bool]]:
    """A state, a hospital and whether it is silent, of each device."""
    one = st.tuples(st.sampled_from(list(STATES)), st.integers(0, 2), st.booleans())
    return draw(st.lists(one, max_size=12))


def world_of(fleet: list[tuple[str, int, bool]]) -> World:
    sites = [given.site(f"S{n}", title=Words(f"医院{n}", name)) for n, name in enumerate(HOSPITALS)]
    world = World(*sites)
    for n, (state, site, silent) in enumerate(fleet):
        id = f"D-{n:02d}"
        world.put(given.device(id, site=f"S{site}", serial=f"N{n:04d}"))
        if state != "NORMAL":
            world.put(given_api.fault(id, state=state))
        if not silent:
            world.hear(id)
    return world


QUERIES = st.fixed_dictionaries(
    {"sort": st.sampled_from(["id", "worst"]), "limit": st.integers(1, 5)},
    optional={
        "state": st.sampled_from(list(STATES)),
        "silent": st.booleans(),
        "q": st.sampled_from(["", "yun", "医院1", "d-0", "n0003", "nowhere"]),
    },
)


@settings(max_examples=60, deadline=None)
@drawn(fleets(), QUERIES)
def test_pages_together_are_exactly_the_devices_asked_for_in_order(
    fleet: list[tuple[str, int, bool]], query: dict[str, Any]
) -> None:
    found = list(pages(world_of(fleet).browser(Role.DI), **query))
    ranks, worst_first = list(STATES), query["sort"] == "worst"
    expected = [
        (-ranks.index(state) if worst_first else 0, f"D-{n:02d}")
        for n, (state, site, silent) in enumerate(fleet)
        if query.get("state", state) == state
        and query.get("silent", silent) == silent
        and query.get("q", "") in f"d-{n:02d} n{n:04d} 医院{site} {HOSPITALS[site].lower()}"
    ]
    assert [row["id"] for row in found] == [id for _, id in sorted(expected)]
    for row in found:
        state, _, silent = fleet[int(row["id"][2:])]
        assert (row["state"], row["silent"]) == (state, silent)


def test_no_devices_are_an_empty_page() -> None:
    client = World().browser(Role.DI)
    assert client.get(DEVICES).json() == {"items": [], "next": None}
    overview = client.get("/api/v1/overview").json()
    assert overview["devices"] == overview["silent"] == overview["open_tickets"] == 0
    assert set(overview["states"]) == set(STATES)


def test_the_overview_counts_what_the_lists_show() -> None:
    client = given_api.busy().browser(Role.DI)
    overview = client.get("/api/v1/overview").json()
    assert (overview["devices"], overview["silent"]) == (3, 2)
    assert overview["states"]["MAINTENANCE_REQUIRED"] == 2
    assert overview["states"]["NORMAL"] == 1
    assert overview["state_titles"]["FAILURE"] == {"zh": "故障", "en": "failure"}


def test_a_ticket_over_its_time_counts_as_overdue() -> None:
    world = given_api.busy()
    client = world.browser(Role.DI)
    assert client.get("/api/v1/overview").json()["overdue"] == 0
    world.now += timedelta(hours=5)
    assert client.get("/api/v1/overview").json()["overdue"] == 3


def test_a_device_tells_its_components_metrics_faults_and_ticket() -> None:
    page = given_api.busy().browser(Role.DI).get(f"{DEVICES}/CHEM-001").json()
    assert (page["state"], page["ticket"]) == ("MAINTENANCE_REQUIRED", "T-000001")
    states = {one["code"]: one["state"] for one in page["components"]}
    assert states["wash_station"] == "MAINTENANCE_REQUIRED"
    assert "NORMAL" in states.values()
    assert {one["value"] for one in page["metrics"]} == {1.0}
    assert [one["ticket"] for one in page["faults"]] == ["T-000001"]


def test_a_device_that_never_spoke_and_has_an_unknown_model_is_shown_all_the_same() -> None:
    world = World(given.device("X-1", model="NEW", site="S404"))
    page = world.browser(Role.DI).get(f"{DEVICES}/X-1").json()
    assert (page["silent"], page["last_seen_at"], page["metrics"]) == (True, None, [])
    assert page["site_title"] == {"zh": "S404", "en": "S404"}


@pytest.mark.parametrize("path", ["", "/series", "/ledger"])
def test_a_device_that_is_not_registered_is_not_found(path: str) -> None:
    answer = given_api.busy().browser(Role.DI).get(f"{DEVICES}/CHEM-404{path}")
    assert answer.status_code == 404
    assert "CHEM-404" in given_api.problem_of(answer)["detail"]


def test_a_series_has_buckets_with_the_lowest_the_highest_and_the_mean() -> None:
    world = given_api.busy()
    for minute in range(60):
        world.hear("CHEM-001", NOW - timedelta(minutes=minute), float(minute))
    query = {"metrics": "wash_vacuum,unknown", "points": 10}
    (series,) = (
        world.browser(Role.DI).get(f"{DEVICES}/CHEM-001/series", params=query).json()["series"]
    )
    assert series["name"] == "wash_vacuum"
    assert (min(series["low"]), max(series["high"])) == (0.0, 59.0)
    assert len(series["at"]) <= 10
    assert series["at"] == sorted(series["at"])


def test_a_span_without_readings_and_unknown_metrics_are_empty() -> None:
    client = given_api.busy().browser(Role.DI)
    for query in ({"to": "2001-01-01T00:00:00"}, {"metrics": "nothing"}):
        answer = client.get(f"{DEVICES}/CHEM-001/series", params=query)
        assert answer.json() == {"series": []}


def test_the_ledger_adds_up_and_lists_gaps() -> None:
    tally = Tally(received=5, stored=3, duplicate=1, quarantined=1)
    tally.is_new("b1", 0)
    tally.is_new("b1", 4)
    heard = Heard(late=3, historical=2, ahead=1)
    world = given_api.busy(tally={"CHEM-001": tally}.get, heard={"CHEM-001": heard}.get)
    client = world.browser(Role.DI)
    ledger = client.get(f"{DEVICES}/CHEM-001/ledger").json()
    assert ledger["received"] == ledger["stored"] + ledger["duplicate"] + ledger["quarantined"]
    assert ledger["gaps"] == [["b1", 1, 3]]
    assert [ledger[fact] for fact in ("late", "historical", "ahead", "reboots")] == [3, 2, 1, 0]
    assert client.get(f"{DEVICES}/CHEM-002/ledger").status_code == 404


def test_a_device_page_says_that_the_clock_is_wrong() -> None:
    world = given_api.busy()
    client = world.browser(Role.DI)
    assert client.get(f"{DEVICES}/CHEM-001").json()["clock"] is None
    alarm = skewed("CHEM-001", 8 * 3_600_000, int(NOW.timestamp() * 1000))
    world.put(alarm, merge(alarm, None))
    page = client.get(f"{DEVICES}/CHEM-001").json()
    assert page["clock"]["skew_s"] == 8 * 3600
    assert page["clock"]["says"]["en"].startswith("the clock is 8 hours fast")


def test_alarms_page_by_id_and_cleared_ones_only_on_request() -> None:
    world = given_api.busy()
    world.put(given_api.alarm("CHEM-001", id="a-cleared", cleared_at=NOW))
    client = world.browser(Role.DI)
    first = client.get("/api/v1/alarms", params={"limit": 1}).json()
    rest = client.get("/api/v1/alarms", params={"limit": 1, "after": first["next"]}).json()
    assert [one["device"] for one in first["items"] + rest["items"]] == ["CHEM-001", "CHEM-002"]
    assert rest["next"] is None
    both = client.get("/api/v1/alarms", params={"active": False, "device": "CHEM-001"}).json()
    assert len(both["items"]) == 2
    assert World().browser(Role.DI).get("/api/v1/alarms").json() == {"items": [], "next": None}


def test_quarantine_shows_bytes_that_are_no_text_and_counts_reasons() -> None:
    world = given_api.busy()
    world.put(given_api.refused("oversize", "0002"), given_api.refused("oversize", "0003"))
    client = world.browser(Role.DI)
    page = client.get("/api/v1/quarantine", params={"limit": 2}).json()
    assert [one["id"] for one in page["items"]] == ["0003", "0002"]
    assert page["counts"] == {"malformed": 1, "oversize": 2}
    rest = client.get("/api/v1/quarantine", params={"after": page["next"]}).json()
    assert rest["items"][0]["payload"] == "{\0\\xff"
    assert rest["items"][0]["reason_title"] == {"zh": "格式错误", "en": "malformed"}
    only = client.get("/api/v1/quarantine", params={"reason": "malformed"}).json()
    assert [one["id"] for one in only["items"]] == ["0001"]
    assert World().browser(Role.DI).get("/api/v1/quarantine").json()["items"] == []
