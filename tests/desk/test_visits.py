"""A visit goes on step by step; whether the technician fits is found out, never believed."""

from datetime import date, timedelta
from typing import Any

import pytest

from aftersales.access import Role
from aftersales.machine import NotPermitted, Refused
from aftersales.team import Certificate, Duty
from aftersales.visit import Visit
from desk.office import Office
from desk.tickets import ChangedMeanwhile, UnknownRecord
from desk.visits import move_visit
from tests import given
from tests.desk import given_desk
from tests.desk.given_desk import by, events, everything, send, technician
from tests.given import NOW

WINDOW = {"window_from": NOW + timedelta(hours=1), "window_to": NOW + timedelta(hours=2)}


def offered(*people: Any, **fields: Any) -> Office:
    visit = Visit(
        "V-1", "T-000001", "S001", **{"technician": "E1", "state": "offered", **WINDOW, **fields}
    )
    return given_desk.office(given.ticket(), visit, *(people or (technician(),)))


def test_a_visit_goes_from_offer_to_filed_record() -> None:
    office = offered()
    send(office, "V-1", "accept", "travel", "arrive", "leave", outcome="done")
    visit = send(office, "V-1", "sign", "file", checklist=True, tests=True, opinion="satisfied")
    assert (visit.state, visit.outcome, visit.version) == ("filed", "done", 7)
    said = ["accepted", "travelling", "arrived", "left", "signed", "filed"]
    assert events(office, "T-000001") == [f"visit.{word}" for word in said]


@pytest.mark.parametrize(
    ("who", "says"),
    [
        (technician(certificates=()), "no valid certificate"),
        (technician("E1", "immunoassay"), "no valid certificate"),
        (
            technician(
                certificates=(Certificate("chemistry", date(2025, 1, 1), date(2026, 11, 23)),)
            ),
            "no valid certificate",
        ),
        (technician(shifts=()), "not on duty"),
        (technician(shifts=(Duty(NOW, NOW + timedelta(minutes=90)),)), "not on duty"),
        (technician("E2"), "no valid certificate"),
    ],
)
def test_a_technician_who_does_not_fit_cannot_accept(who: Any, says: str) -> None:
    office = offered(who)
    claimed = {"certified": True, "on_duty": True}
    with pytest.raises(Refused, match=says):
        move_visit(office, "V-1", "accept", claimed, by(office))
    assert [v.state for v in everything(office, Visit)] == ["offered"]
    assert events(office, "T-000001") == []


def test_a_certificate_counts_on_the_day_it_is_where_the_visit_is() -> None:
    early = NOW.replace(hour=23)  # 7:00 in Shanghai, the next day
    window = {"window_from": early, "window_to": early + timedelta(hours=1)}
    duty = (Duty(early, early + timedelta(hours=9)),)
    until = Certificate("chemistry", date(2025, 1, 1), NOW.date())
    since = Certificate("chemistry", NOW.date() + timedelta(days=1), date(2030, 1, 1))
    office = offered(technician(certificates=(until,), shifts=duty), **window)
    with pytest.raises(Refused, match="no valid certificate"):
        send(office, "V-1", "accept")
    office = offered(technician(certificates=(since,), shifts=duty), **window)
    assert send(office, "V-1", "accept").state == "accepted"


def test_a_ticket_without_a_device_asks_for_no_certificate() -> None:
    office = offered(given.ticket(device=None), technician(certificates=()))
    assert send(office, "V-1", "accept").state == "accepted"


def test_a_visit_moves_only_from_the_version_that_was_seen() -> None:
    office = offered()
    with pytest.raises(ChangedMeanwhile, match="V-1 is at version 1, not 2"):
        move_visit(office, "V-1", "accept", {}, by(office), version=2)
    assert move_visit(office, "V-1", "accept", {}, by(office), version=1).version == 2


def test_a_step_out_of_turn_a_foreign_role_and_an_unknown_visit_are_refused() -> None:
    office = offered()
    with pytest.raises(Refused, match="not possible while the state is 'offered'"):
        send(office, "V-1", "arrive")
    with pytest.raises(NotPermitted):
        move_visit(office, "V-1", "accept", {}, by(office, "customer", Role.CU))
    with pytest.raises(UnknownRecord, match="'V-404' does not exist"):
        send(office, "V-404", "accept")


def test_arriving_needs_the_code_of_the_device_or_a_reason() -> None:
    office = offered(state="travelling")
    with pytest.raises(Refused, match="scan the device's code"):
        send(office, "V-1", "arrive", scanned=False)
    assert send(office, "V-1", "arrive", scanned=False, reason="label torn").state == "on_site"


def test_who_refuses_gives_the_visit_back_with_a_reason() -> None:
    office = offered()
    with pytest.raises(Refused, match="give a reason"):
        send(office, "V-1", "refuse")
    visit = send(office, "V-1", "refuse", reason="vehicle")
    assert (visit.state, visit.technician) == ("planned", None)
