from datetime import date, timedelta

import pytest

from aftersales import ticket as tickets
from aftersales import visit as visits
from aftersales.access import Role
from aftersales.customer import Organization
from aftersales.machine import NotPermitted, Refused
from aftersales.team import Certificate, Duty, Technician, certified, on_duty
from aftersales.ticket import happened, known_from, open_ticket
from aftersales.visit import plan_visit, stage
from equipment.device import BadRecord
from equipment.words import Words
from tests.aftersales.given_care import DAY, HOUR, NOW, by, ticket, told, types, visit

NAME = Words("工程师甲", "engineer A")


def test_opening_a_ticket_journals_the_report_at_the_instant_it_reached_us() -> None:
    call = ticket(reported_at=NOW - HOUR, opened_at=NOW)
    _, entries = open_ticket(call, by(Role.HA, NOW, command_id="c1"))
    assert types(entries) == ["ticket.opened", "ticket.reported"]
    assert [entry.at for entry in entries] == [NOW, NOW - HOUR]
    assert [entry.command_id for entry in entries] == ["c1", "c1.report"]
    assert {entry.recorded_at for entry in entries} == {NOW}


def test_a_devices_ticket_has_no_report() -> None:
    _, entries = open_ticket(ticket(kind="preventive", origin="device", reported_at=None), by("DV"))
    assert types(entries) == ["ticket.opened"]
    assert entries[0].data["kind"] == "preventive"


def test_a_step_gives_the_record_one_version_on_and_one_journal_entry() -> None:
    known = {"outcome": "repaired", "restored": True}
    resolved, entry = tickets.apply(ticket(), "resolve", known, by(Role.TE))
    assert (resolved.state, resolved.outcome, resolved.version) == ("resolved", "repaired", 2)
    assert (entry.type, entry.subject, entry.data) == (
        "ticket.resolved",
        "T-000001",
        {"outcome": "repaired"},
    )


def test_a_fault_is_not_resolved_before_the_device_is_restored() -> None:
    with pytest.raises(Refused, match="not restored yet"):
        tickets.apply(ticket(), "resolve", {"outcome": "repaired"}, by(Role.TE))
    restored = known_from(told(("device.restored", NOW)))
    again = known_from(told(("device.restored", NOW), ("ticket.reopened", NOW + HOUR)))
    assert (restored, again) == ({"restored": True}, {"restored": False})


@pytest.mark.parametrize(
    "fields", [{"kind": "inquiry"}, {"kind": "preventive", "reported_at": None}]
)
def test_what_was_never_down_needs_no_restoring(fields) -> None:
    done, _ = tickets.apply(ticket(**fields), "resolve", {"outcome": "answered"}, by(Role.TE))
    assert done.state == "resolved"


def test_a_reopened_ticket_needs_a_new_outcome() -> None:
    closed = ticket(state="closed", outcome="repaired")
    again, entry = tickets.apply(closed, "reopen", {"reason": "same_again"}, by(Role.CU))
    assert (again.state, again.outcome) == ("open", None)
    assert entry.data == {"reason": "same_again"}


WELL = {"well": True, "underway": False}


def test_a_preventive_ticket_is_withdrawn_when_the_device_is_well_and_nobody_left() -> None:
    signal = ticket(kind="preventive", origin="device", reported_at=None)
    gone, entry = tickets.apply(signal, "withdraw", WELL, by("DV"))
    assert (gone.state, entry.type) == ("cancelled", "ticket.withdrawn")


@pytest.mark.parametrize(
    ("fields", "facts", "why"),
    [
        ({"kind": "fault"}, WELL, "only a preventive ticket"),
        ({"kind": "preventive"}, WELL, "the customer reported it"),
        ({"kind": "preventive", "reported_at": None}, {"well": True}, "under way"),
        ({"kind": "preventive", "reported_at": None}, {"underway": False}, "not well yet"),
    ],
)
def test_nothing_else_is_withdrawn_by_itself(fields, facts, why) -> None:
    with pytest.raises(Refused, match=why):
        tickets.apply(ticket(**fields), "withdraw", facts, by("DV"))


def test_facts_cannot_pretend_another_kind_of_ticket() -> None:
    with pytest.raises(Refused, match="only a preventive ticket"):
        tickets.apply(ticket(kind="fault"), "withdraw", WELL | {"kind": "preventive"}, by("DV"))


def test_a_customers_report_on_a_signal_starts_to_count_and_the_earliest_wins() -> None:
    signal = ticket(kind="preventive", reported_at=None)
    called, entry = happened(signal, "ticket.reported", {}, by(Role.HA))
    assert (called.reported_at, called.version, entry.at) == (NOW, 2, NOW)
    earlier, _ = happened(called, "ticket.reported", {}, by(Role.HA, at=NOW - HOUR))
    later, _ = happened(earlier, "ticket.reported", {}, by(Role.HA, NOW + HOUR))
    assert later.reported_at == NOW - HOUR


@pytest.mark.parametrize(
    ("type", "data", "role", "why"),
    [
        ("promise.waived", {"promise": "C03", "channel": "call"}, "DI", "consent is missing"),
        ("promise.held", {"promise": "C04", "consent": "I-1"}, "DI", "reason is missing"),
        ("repair.started", {}, "TE", "visit is missing"),
        ("ticket.closed", {}, "AM", "not something that happens"),
    ],
)
def test_what_happens_must_be_complete(type, data, role, why) -> None:
    with pytest.raises(Refused, match=why):
        happened(ticket(), type, data, by(role))


def test_a_technician_does_not_hold_the_clock() -> None:
    data = {"promise": "C04", "reason": "no_access", "consent": "I-1"}
    with pytest.raises(NotPermitted):
        happened(ticket(), "promise.held", data, by(Role.TE))
    held, entry = happened(ticket(), "promise.held", data, by(Role.DI))
    assert (held, entry.data) == (ticket(), data)


def test_nothing_has_happened_in_the_future() -> None:
    with pytest.raises(Refused, match="later than now"):
        happened(ticket(), "device.restored", {}, by(Role.TE, at=NOW + timedelta(seconds=1)))


LIFE = [
    ("plan", "DI", {"window_from": NOW + HOUR, "window_to": NOW + 2 * HOUR}, "planned"),
    ("offer", "DI", {"technician": "E1", "certified": True, "on_duty": True}, "offered"),
    ("accept", "TE", {"certified": True, "on_duty": True}, "accepted"),
    ("travel", "TE", {}, "travelling"),
    ("arrive", "TE", {"scanned": True}, "on_site"),
    ("leave", "TE", {"outcome": "done"}, "left"),
    ("sign", "TE", {"checklist": True, "tests": True, "opinion": "satisfied"}, "signed"),
    ("file", "AM", {"record": "sha256"}, "filed"),
]


def test_a_visit_goes_from_plan_to_filed_record() -> None:
    going, entries = plan_visit(visit(), by())
    for event, role, facts, state in LIFE:
        going, entry = visits.apply(going, event, facts, by(role))
        entries.append(entry)
        assert going.state == state
    assert (going.technician, going.outcome, going.version) == ("E1", "done", 9)
    assert types(entries)[-3:] == ["visit.left", "visit.signed", "visit.filed"]
    assert {entry.subject for entry in entries} == {"T-000001"}
    assert {entry.data["visit"] for entry in entries} == {"V-000001"}
    assert entries[1].data["window_from"] == (NOW + HOUR).isoformat()


def test_a_refused_visit_is_planned_again_without_a_technician() -> None:
    offered = visit(state="offered", technician="E1")
    again, entry = visits.apply(offered, "refuse", {"reason": "ill"}, by(Role.TE))
    assert (again.state, again.technician) == ("planned", None)
    assert entry.data == {"visit": "V-000001", "technician": "E1", "reason": "ill"}


def test_the_stage_of_a_ticket_is_its_furthest_visit_still_going_on() -> None:
    assert stage([]) == "unassigned"
    assert stage([visit(state="aborted"), visit(state="offered"), visit()]) == "offered"
    assert stage([visit(state="filed")]) == "unassigned"


def technician(**fields) -> Technician:
    return Technician(
        **{"id": "E1", "title": NAME, "home_latitude": 30, "home_longitude": 120} | fields
    )


def test_a_certificate_counts_from_its_first_to_its_last_day() -> None:
    engineer = technician(
        certificates=(Certificate("chemistry", date(2026, 1, 1), date(2026, 3, 1)),)
    )
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 1), date(2026, 3, 2)]
    assert [certified(engineer, "chemistry", day) for day in days] == [False, True, True, False]
    assert not certified(engineer, "immunoassay", days[1])
    assert certified(engineer, None, days[0])


def test_duty_must_cover_the_whole_job() -> None:
    engineer = technician(shifts=(Duty(NOW, NOW + 8 * HOUR), Duty(NOW + DAY, NOW + DAY + HOUR)))
    assert on_duty(engineer, NOW, NOW + 8 * HOUR)
    assert not on_duty(engineer, NOW + 7 * HOUR, NOW + 9 * HOUR)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Duty(NOW, NOW), "shift: end .* is not after start"),
        (lambda: Duty(NOW, NOW - HOUR), "shift: end .* is not after start"),
        (lambda: Duty(NOW.replace(tzinfo=None), NOW), "shift: start .* need a time zone"),
        (lambda: Duty(NOW, NOW + DAY, NOW + HOUR), "break_from and break_to go together"),
        (lambda: Duty(NOW, NOW + DAY, NOW + HOUR, NOW), "break_to .* is not after break_from"),
        (lambda: Duty(NOW, NOW + DAY, NOW - HOUR, NOW), "break_from .* is outside the shift"),
        (lambda: Certificate("x", date(2026, 2, 1), date(2026, 1, 1)), "certificate x: valid_to"),
        (lambda: technician(home_latitude=91), "technician E1: home_latitude 91"),
        (lambda: technician(home_longitude=181), "technician E1: home_longitude 181"),
        (lambda: ticket(site=""), "ticket T-000001: site is missing"),
        (lambda: ticket(kind="wish"), "ticket T-000001: kind 'wish'"),
        (lambda: ticket(origin="rumour"), "ticket T-000001: origin 'rumour'"),
        (lambda: ticket(severity=4), "ticket T-000001: severity 4"),
        (lambda: ticket(state="lost"), "ticket T-000001: state 'lost'"),
        (lambda: ticket(outcome="magic"), "ticket T-000001: outcome 'magic'"),
        (lambda: visit(state="lost"), "visit V-000001: state 'lost'"),
        (lambda: visit(outcome="magic"), "visit V-000001: outcome 'magic'"),
        (lambda: visit(window_from=NOW, window_to=NOW - HOUR), "visit V-000001: window_to"),
        (lambda: Organization("C1", NAME, kind="club"), "organization C1: kind 'club'"),
        (lambda: Organization("C1", NAME, tier="gold"), "organization C1: tier 'gold'"),
    ],
)
def test_a_record_that_cannot_be_right_names_the_field(make, says) -> None:
    with pytest.raises(BadRecord, match=says):
        make()
