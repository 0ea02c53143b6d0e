"""A drifting analyser gets a technician, and only one."""

from datetime import datetime, timedelta
from typing import Any

from aftersales.team import certified
from aftersales.ticket import Ticket
from health.alarm import Alarm
from health.fault import Fault
from tests.story.given_world import MORNING, STEP, Region

HOUR = timedelta(hours=1)


def drifting() -> Region:
    """Return a region where the vacuum pump of one analyser is wearing out since yesterday."""
    region = Region()
    region.script.inject("CHEM-001", "C3", MORNING - 24 * HOUR, lead=30 * HOUR)
    region.remember()
    return region


def until_ticket(region: Region) -> Ticket:
    while region.now < MORNING + 6 * HOUR:
        region.live(STEP)
        with region.office.records.read() as work:
            found = work.shelf(Ticket).find()
        if found:
            (ticket,) = found
            return ticket
    raise AssertionError("nobody noticed")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_drifting_analyser_gets_a_technician_and_only_one() -> None:
    region = drifting()

    # Its vacuum leaves the band, and stays out of it: an alarm, a fault, a ticket.
    ticket = until_ticket(region)
    with region.office.records.read() as work:
        alarms = work.shelf(Alarm).find()
        (fault,) = work.shelf(Fault).find()
    assert {a.device for a in alarms} == {"CHEM-001"}
    assert alarms[0].rule.startswith("wash_vacuum.")
    assert (ticket.fault, ticket.component, fault.ticket) == (fault.id, "wash_station", ticket.id)

    # The plan sends somebody who may work on it, within the two hours that its clock gives.
    region.plan()
    with region.page() as page:
        row = page.get(f"/api/v1/tickets/{ticket.id}").json()
        plan = page.get("/api/v1/plan").json()
        device = page.get("/api/v1/devices/CHEM-001").json()
    (clock,) = row["promises"]
    assert clock["code"] == "onsite_internal"
    assert clock["state"] == "running"
    assert at(clock["due"]) == ticket.opened_at + 2 * HOUR
    assert only_stop(plan)["ticket"] == ticket.id
    assert at(only_stop(plan)["arrive_at"]) <= at(clock["due"])
    assert row["visit"]["technician"] == plan["routes"][0]["technician"]
    assert row["visit"]["state"] == "offered"
    assert device["state"] == fault.state
    assert is_certified(region, row["visit"]["technician"])

    # Meanwhile it gets worse. More alarms are no second ticket, planning again no second visit.
    region.live(timedelta(minutes=10))
    region.plan()
    region.live(timedelta(minutes=10))
    region.plan()
    assert_only_one(region)

    # The technician comes in time and repairs it; the ticket is resolved, the clock is met.
    region.live(4 * HOUR)
    with region.page() as page:
        row = page.get(f"/api/v1/tickets/{ticket.id}").json()
    assert (row["state"], row["outcome"]) == ("resolved", "repaired")
    assert row["visit"]["state"] == "filed"
    assert [clock["state"] for clock in row["promises"]] == ["met"]
    said = [event["type"] for event in row["timeline"]]
    assert [word for word in said if word in STEPS] == STEPS

    # The analyser is well again, and nobody is sent there any more.
    region.plan()
    region.live(4 * HOUR)
    assert_only_one(region)
    with region.page() as page:
        assert page.get("/api/v1/devices/CHEM-001").json()["state"] == "NORMAL"
        assert page.get("/api/v1/plan").json()["routes"] == []
        assert page.get("/api/v1/overview").json()["open_tickets"] == 0


STEPS = [
    "ticket.opened",
    "visit.planned",
    "visit.offered",
    "visit.accepted",
    "visit.travelling",
    "visit.arrived",
    "repair.started",
    "device.restored",
    "visit.left",
    "visit.signed",
    "ticket.resolved",
    "visit.filed",
]


def only_stop(plan: dict[str, Any]) -> dict[str, Any]:
    ((stop,),) = [route["stops"] for route in plan["routes"]]
    return dict(stop)


def is_certified(region: Region, technician: str) -> bool:
    (who,) = (t for t in region.invented.technicians if t.id == technician)
    return certified(who, "chemistry", region.now.date())


def assert_only_one(region: Region) -> None:
    with region.page() as page:
        tickets = page.get("/api/v1/tickets").json()["items"]
        assert [t["device"] for t in tickets] == ["CHEM-001"]
        page_of = page.get(f"/api/v1/tickets/{tickets[0]['id']}").json()
    planned = [event for event in page_of["timeline"] if event["type"] == "visit.planned"]
    assert len(planned) == 1
