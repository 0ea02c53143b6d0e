"""Which open tickets ask for a visit, what is settled about it, and who can be sent."""

from datetime import date

import pytest

from aftersales import team
from aftersales.ticket import Ticket
from aftersales.visit import Visit
from equipment.device import Device, Site
from equipment.words import Words
from scheduler.demand import crew, visit_requests
from scheduler.plan import Break, ImpossibleProblem, Place, Shift
from tests.scheduler.given_day import NOW, at

SITES = {"H1": Site("H1", "C1", Words("一院", "First hospital"), 34.8, 113.7)}
DEVICES = {"D1": Device("D1", "H1", "CHEM", "SN1"), "D2": Device("D2", "H1", "XRAY", "SN2")}


def ticket(id: str = "T-000001", **other) -> Ticket:
    return Ticket(
        **{
            "id": id,
            "number": id,
            "kind": "preventive",
            "origin": "device",
            "site": "H1",
            "customer": "C1",
            "device": "D1",
            "component": "lamp",
            "fault": None,
            "title": Words("灯", "lamp"),
            "severity": 2,
            "state": "open",
            "opened_at": NOW,
            **other,
        }
    )


def visit(state: str = "planned", **other) -> Visit:
    window = {"window_from": at("09:00"), "window_to": at("10:30")}
    return Visit(
        "V-1",
        **{
            "ticket": "T-000001",
            "site": "H1",
            "technician": "A",
            "state": state,
            **window,
            **other,
        },
    )


def asked(one: Ticket, *visits: Visit, due=None, now=NOW):
    return visit_requests([one], visits, SITES, DEVICES, due or {}, now=now)


def test_an_open_ticket_becomes_a_request_with_all_that_is_known():
    due = {"T-000001": (at("10:00"), True)}
    (request,) = asked(ticket(severity=1), due=due)
    assert (request.id, request.label, request.place) == (
        "T-000001",
        "T-000001",
        Place(34.8, 113.7),
    )
    assert (request.family, request.priority, request.duration_s) == ("chemistry", 1, 5400)
    assert (request.earliest_at, request.promised_by, request.contractual) == (
        NOW,
        at("10:00"),
        True,
    )


@pytest.mark.parametrize("other", [{"state": "resolved"}, {"kind": "inquiry"}])
def test_what_needs_nobody_on_site_asks_for_no_visit(other):
    assert asked(ticket(**other)) == []


def test_a_ticket_without_a_device_needs_no_certificate():
    assert asked(ticket(kind="inspection", device=None))[0].family is None


@pytest.mark.parametrize(
    ("state", "other", "pin"),
    [
        ("planned", {}, (None, None, False)),
        ("planned", {"pinned": True}, ("A", at("09:00"), False)),
        ("offered", {}, (None, None, False)),
        ("accepted", {}, ("A", at("09:00"), False)),
        ("travelling", {}, ("A", at("09:00"), True)),
        ("travelling", {"window_from": at("08:00")}, ("A", at("08:30"), True)),
        ("travelling", {"window_from": None, "window_to": None}, ("A", None, True)),
        ("on_site", {}, ("A", at("08:30"), True)),
        ("cancelled", {}, (None, None, False)),
        ("aborted", {}, (None, None, False)),
        ("left", {"outcome": "parts_needed"}, (None, None, False)),
        ("filed", {"outcome": "not_solved", "pinned": True}, (None, None, False)),
    ],
)
def test_a_visit_settles_as_much_as_its_state_says(state, other, pin):
    (request,) = asked(ticket(), visit(state, **other), now=at("08:30"))
    assert (request.pinned_to, request.pinned_at, request.started) == pin


@pytest.mark.parametrize("state", ["left", "signed", "filed"])
def test_a_visit_that_did_its_work_asks_for_no_other(state):
    assert asked(ticket(), visit(state, outcome="done")) == []


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"site": "H9"}, "ticket T-000001: site 'H9' is not in the register"),
        ({"device": "D9"}, "ticket T-000001: device 'D9' is not in the register"),
        ({"device": "D2"}, "device D2: model 'XRAY' is not in the catalog"),
    ],
)
def test_a_ticket_of_nowhere_is_named(other, says):
    with pytest.raises(ImpossibleProblem, match=says):
        asked(ticket(**other))


def person(**other) -> team.Technician:
    return team.Technician("A", Words("甲", "Jia"), 34.7, 113.6, **other)


def test_the_team_brings_its_shifts_that_are_left_and_an_hour_of_lunch():
    gone = team.Duty(at("00:00"), at("07:00"))
    today = team.Duty(at("08:00"), at("17:30"), at("11:30"), at("13:30"))
    (one,) = crew([person(shifts=(today, gone))], NOW, "Asia/Shanghai")
    lunch = Break(at("11:30"), at("13:30"), 3600)
    assert one.shifts == (Shift(at("08:00"), at("17:30"), (lunch,)),)
    assert (one.home, one.name) == (Place(34.7, 113.6), ("甲", "Jia"))


def test_a_certificate_counts_from_its_first_day_and_until_the_last():
    held = (
        team.Certificate("chemistry", date(2026, 1, 1), date(2026, 6, 30)),
        team.Certificate("chemistry", date(2026, 7, 1), date(2027, 6, 30)),
        team.Certificate("haematology", date(2026, 11, 25), date(2027, 6, 30)),
    )
    (one,) = crew([person(certificates=held)], NOW, "Asia/Shanghai")
    assert one.certificates == {"chemistry": date(2027, 6, 30)}
