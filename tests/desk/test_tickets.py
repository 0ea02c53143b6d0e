"""An alarm opens a ticket, once; what is over is withdrawn; what people do is checked."""

from datetime import timedelta
from typing import Any

import pytest

from aftersales.access import Role
from aftersales.machine import NotPermitted, Refused
from aftersales.ticket import Ticket
from aftersales.visit import Visit
from desk.office import Office
from desk.planning import plan_visits
from desk.tickets import (
    ChangedMeanwhile,
    UnknownRecord,
    act_on,
    move_ticket,
    note_on_ticket,
    report_fault,
)
from equipment.device import BadRecord
from equipment.words import Words
from health.alarm import Alarm, Severity
from health.fault import Fault
from tests import given
from tests.desk import given_desk
from tests.desk.given_desk import TRAVEL, alarm, by, cleared, events, everything, solve
from tests.given import NOW


def planned(*alarms: Alarm) -> Office:
    """Return a desk whose one technician was offered the visit to what ``alarms`` opened."""
    office = given_desk.office(given_desk.technician())
    act_on(office, alarms)
    plan_visits(office, solve, TRAVEL)
    return office


def test_an_alarm_becomes_a_fault_and_a_preventive_ticket() -> None:
    office = given_desk.office()
    (ticket,) = act_on(office, [alarm()])
    assert (ticket.id, ticket.kind, ticket.origin) == ("T-000001", "preventive", "device")
    assert (ticket.device, ticket.site, ticket.customer) == ("CHEM-001", "S001", "C001")
    assert ticket.title.en == "wash station: wash vacuum is weak"
    (fault,) = everything(office, Fault)
    assert (fault.ticket, ticket.fault) == (ticket.id, fault.id)
    assert events(office, "T-000001") == ["ticket.opened"]
    assert events(office, "CHEM-001") == ["alarm.raised"]


def test_the_same_alarm_again_changes_nothing() -> None:
    office = given_desk.office()
    act_on(office, [alarm(), alarm()])
    assert act_on(office, [alarm()]) == []
    assert len(everything(office, Ticket)) == len(everything(office, Fault)) == 1
    assert events(office, "CHEM-001") == ["alarm.raised"]


def test_two_alarms_of_one_component_are_one_fault_and_one_ticket() -> None:
    office = given_desk.office()
    worse = alarm("wash_vacuum.fail", severity=Severity.critical, state="FAILURE")
    act_on(office, [alarm(), worse])
    (fault,) = everything(office, Fault)
    assert set(fault.alarms) == {alarm().id, worse.id}
    assert fault.state == "FAILURE"
    assert len(everything(office, Ticket)) == 1


def test_two_components_are_two_tickets() -> None:
    office = given_desk.office()
    act_on(office, [alarm(), alarm("lamp_intensity.warn", component="lamp")])
    assert [t.component for t in everything(office, Ticket)] == ["wash_station", "lamp"]


def test_information_opens_no_ticket_until_it_gets_worse() -> None:
    office = given_desk.office()
    assert act_on(office, [alarm("wash_vacuum.ewma", severity=Severity.info)]) == []
    assert len(act_on(office, [alarm()])) == 1


def test_an_alarm_of_the_past_opens_no_ticket() -> None:
    office = given_desk.office()
    assert act_on(office, [alarm(evidence={"historical": True})]) == []
    assert len(everything(office, Fault)) == len(everything(office, Alarm)) == 1


def test_a_customer_report_covers_the_component_it_names_no_other() -> None:
    office = given_desk.office(given.ticket("T-9", kind="fault", origin="call", reported_at=NOW))
    assert act_on(office, [alarm()]) == []
    assert len(act_on(office, [alarm("lamp_intensity.warn", component="lamp")])) == 1


def test_well_again_with_nobody_on_the_way_withdraws_ticket_and_visit() -> None:
    office = planned(alarm())
    act_on(office, [cleared(alarm())])
    (ticket,), (visit,), (fault,) = (everything(office, k) for k in (Ticket, Visit, Fault))
    assert (ticket.state, visit.state, fault.closed_at) == ("cancelled", "cancelled", NOW)
    assert events(office, ticket.id)[-2:] == ["ticket.withdrawn", "visit.cancelled"]


def test_one_of_two_alarms_over_withdraws_nothing() -> None:
    office = planned(alarm(), alarm("wash_vacuum.trend"))
    act_on(office, [cleared(alarm())])
    assert [t.state for t in everything(office, Ticket)] == ["open"]


def test_a_technician_who_has_left_goes_on_although_the_device_is_well_again() -> None:
    office = planned(alarm())
    given_desk.send(office, "V-000001", "accept", "travel")
    act_on(office, [cleared(alarm())])
    assert [t.state for t in everything(office, Ticket)] == ["open"]
    assert [v.state for v in everything(office, Visit)] == ["travelling"]


def test_what_the_customer_reported_is_not_withdrawn() -> None:
    office = planned(alarm())
    note_on_ticket(office, "T-000001", "ticket.reported", {}, by(office, "desk", Role.HA))
    act_on(office, [cleared(alarm())])
    assert [t.state for t in everything(office, Ticket)] == ["open"]


def test_an_alarm_after_a_fault_that_is_over_is_a_new_fault_and_a_new_ticket() -> None:
    office = given_desk.office()
    act_on(office, [alarm(), cleared(alarm()), alarm(raised_at=NOW)])
    assert [t.state for t in everything(office, Ticket)] == ["cancelled", "open"]


def test_a_device_whose_site_is_missing_is_named_and_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = given_desk.office(given.device("CHEM-002", site="S999"))
    act_on(office, [alarm(device="CHEM-002"), alarm()])
    assert [t.device for t in everything(office, Ticket)] == ["CHEM-001"]
    assert {f.device for f in everything(office, Fault)} == {"CHEM-001", "CHEM-002"}
    (said,) = (vars(record)["why"] for record in caplog.records if record.levelname == "ERROR")
    assert said == "device CHEM-002: site 'S999' does not exist"


def test_a_corrected_register_gets_the_ticket_with_the_next_alarm() -> None:
    office = given_desk.office(given.device("CHEM-002", site="S999"))
    act_on(office, [alarm(device="CHEM-002")])
    with office.records.begin() as work:
        work.shelf(type(given.site())).put(given.site("S999"))
    (ticket,) = act_on(office, [alarm("wash_vacuum.fail", device="CHEM-002")])
    assert (ticket.site, ticket.device) == ("S999", "CHEM-002")


def test_a_ticket_without_a_site_is_no_ticket() -> None:
    with pytest.raises(BadRecord, match="ticket T-000001: site is missing"):
        given.ticket(site="")


def test_a_device_that_is_not_registered_gets_no_ticket() -> None:
    assert act_on(given_desk.office(), [alarm(device="CHEM-404")]) == []


def test_a_report_counts_from_when_it_reached_us() -> None:
    office = given_desk.office()
    called_at = NOW - timedelta(minutes=20)
    who = by(office, "desk", Role.HA)._replace(at=called_at)
    ticket = report_fault(office, "CHEM-001", Words("不能开机", "does not start"), who)
    assert (ticket.kind, ticket.reported_at) == ("fault", called_at)
    with office.records.read() as work:
        kept = {event.type: event for event in work.journal.of(ticket.id)}
    assert kept["ticket.reported"].at == called_at
    assert kept["ticket.opened"].at == NOW


@pytest.mark.parametrize(
    ("device", "site", "error", "says"),
    [
        ("CHEM-404", "S001", UnknownRecord, "device 'CHEM-404' is not registered"),
        ("CHEM-002", "S999", BadRecord, "device CHEM-002: site 'S999' does not exist"),
    ],
)
def test_a_report_about_a_device_of_nowhere_says_so(
    device: str, site: str, error: type[Exception], says: str
) -> None:
    office = given_desk.office(given.device("CHEM-002", site=site))
    with pytest.raises(error, match=says):
        report_fault(office, device, Words("坏", "broken"), by(office, "desk", Role.HA))


def move(office: Office, event: str, version: int | None = None, **facts: Any) -> Ticket:
    dispatcher = by(office, "dispatcher", Role.DI)
    return move_ticket(office, "T-000001", event, facts, dispatcher, version=version)


def test_a_ticket_moves_only_from_the_version_that_was_seen() -> None:
    office = given_desk.office(given.ticket())
    with pytest.raises(ChangedMeanwhile, match="T-000001 is at version 1, not 7"):
        move(office, "resolve", version=7, outcome="adjusted")
    ticket = move(office, "resolve", version=1, outcome="adjusted")
    assert (ticket.state, ticket.outcome, ticket.version) == ("resolved", "adjusted", 2)


def test_a_step_that_misses_something_is_refused_and_leaves_no_trace() -> None:
    office = given_desk.office(given.ticket())
    with pytest.raises(Refused, match="say the outcome first"):
        move(office, "resolve")
    with pytest.raises(NotPermitted):
        move_ticket(office, "T-000001", "resolve", {}, by(office, "customer", Role.CU))
    with pytest.raises(UnknownRecord, match="'T-404' does not exist"):
        move_ticket(office, "T-404", "resolve", {}, by(office))
    assert events(office, "T-000001") == []
    assert everything(office, Ticket) == [given.ticket()]


def test_a_fault_the_customer_noticed_is_resolved_only_with_the_device_restored() -> None:
    office = given_desk.office(given.ticket(kind="fault", origin="call", reported_at=NOW))
    with pytest.raises(Refused, match="not restored yet"):
        move(office, "resolve", outcome="repaired")
    note_on_ticket(office, "T-000001", "device.restored", {}, by(office))
    assert move(office, "resolve", outcome="repaired").state == "resolved"


def test_a_cancelled_ticket_takes_its_visit_with_it() -> None:
    office = planned(alarm())
    move(office, "cancel", reason="duplicate")
    assert [v.state for v in everything(office, Visit)] == ["cancelled"]


def test_what_happened_on_a_ticket_that_is_not_there_is_not_noted() -> None:
    office = given_desk.office()
    with pytest.raises(UnknownRecord, match="'T-404' does not exist"):
        note_on_ticket(office, "T-404", "device.restored", {}, by(office))


def test_an_alarm_without_sense_holds_up_no_other() -> None:
    office = given_desk.office()
    never = {"statistics": {"crosses_low_ms": 10**20}}
    (ticket,) = act_on(office, [alarm("lamp_intensity.trend", evidence=never), alarm()])
    assert ticket.component == "wash_station"
    assert [one.rule for one in everything(office, Alarm)] == ["wash_vacuum.warn"]


def test_two_faults_that_began_at_one_instant_are_two() -> None:
    office = given_desk.office()
    first, late = alarm(), alarm("wash_vacuum.trend")
    act_on(office, [first, cleared(first), late])
    assert [fault.closed_at for fault in everything(office, Fault)] == [NOW, None]
    for ticket in everything(office, Ticket):
        assert events(office, ticket.id)[0] == "ticket.opened"
