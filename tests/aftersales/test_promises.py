from dataclasses import replace
from datetime import timedelta

import pytest

from aftersales.promises import (
    PROMISES,
    BadPromise,
    ClockState,
    Origin,
    clocks,
    load,
    next_change,
    promises_for,
    read,
    warnings,
)
from tests.aftersales.given_care import (
    DAY,
    HOUR,
    NOW,
    SHANGHAI,
    WORKDAYS,
    draft,
    end_of,
    journal,
    local,
    ticket,
    told,
)

C03, C04, C05, C07, C25 = (PROMISES[code] for code in ("C03", "C04", "C05", "C07", "C25"))


def clock(promise, events, now):
    return read(promise, events, WORKDAYS, now, SHANGHAI)


def test_the_two_hours_are_met_missed_or_overdue() -> None:
    report = ("ticket.reported", NOW)
    assert clock(C03, told(report), NOW + HOUR).state is ClockState.RUNNING
    assert clock(C03, told(report), NOW + 2 * HOUR).state is ClockState.OVERDUE
    in_time = told(report, ("visit.arrived", NOW + 2 * HOUR))
    assert clock(C03, in_time, NOW + 3 * HOUR).state is ClockState.MET
    late = told(report, ("visit.arrived", NOW + 2 * HOUR + timedelta(seconds=1)))
    assert clock(C03, late, NOW + 3 * HOUR).state is ClockState.MISSED


def test_the_two_hours_count_from_the_report_not_from_its_entry() -> None:
    entered_late = journal(draft("ticket.reported", NOW, late=timedelta(minutes=40)))
    assert clock(C03, entered_late, NOW + HOUR).due == NOW + 2 * HOUR


def test_an_arrival_before_the_report_proves_nothing() -> None:
    events = told(("visit.arrived", NOW - HOUR), ("ticket.reported", NOW))
    assert clock(C03, events, NOW).state is ClockState.RUNNING


def test_an_arrival_uploaded_late_corrects_the_verdict() -> None:
    before = [draft("ticket.reported", NOW)]
    assert clock(C03, journal(*before), NOW + 3 * HOUR).state is ClockState.OVERDUE
    uploaded = draft("visit.arrived", NOW + HOUR, late=3 * HOUR)
    corrected = clock(C03, journal(*before, uploaded), NOW + 4 * HOUR)
    assert (corrected.state, corrected.stop) == (ClockState.MET, NOW + HOUR)


def test_a_waiver_needs_the_customers_consent_and_a_waivable_promise() -> None:
    def waived(promise, start, **data):
        events = journal(
            draft(start, NOW), draft("promise.waived", NOW + HOUR, promise=promise.code, **data)
        )
        return clock(promise, events, NOW + HOUR).state

    assert waived(C03, "ticket.reported", consent="I-000007") is ClockState.WAIVED
    assert waived(C03, "ticket.reported", reason="remote_fix") is ClockState.RUNNING
    assert waived(C04, "repair.started", consent="I-000007") is ClockState.RUNNING


def test_consent_or_cancelling_after_the_deadline_does_not_mend_a_broken_promise() -> None:
    late = NOW + 3 * HOUR
    waiver = draft("promise.waived", late, promise="C03", consent="I-000007")
    waived = journal(draft("ticket.reported", NOW), waiver)
    cancelled = told(("ticket.reported", NOW), ("ticket.cancelled", late))
    assert clock(C03, waived, late).state is ClockState.MISSED
    assert clock(C03, cancelled, late).state is ClockState.MISSED
    in_time = told(("ticket.reported", NOW), ("ticket.cancelled", NOW + HOUR))
    assert clock(C03, in_time, late).state is ClockState.VOID


def test_twelve_hours_of_repair_stop_only_without_access_and_with_consent() -> None:
    def due(**data):
        held = draft("promise.held", NOW + HOUR, promise="C04", **data)
        back = draft("promise.resumed", NOW + 4 * HOUR, promise="C04")
        events = journal(draft("repair.started", NOW), held, back)
        return clock(C04, events, NOW + 5 * HOUR)

    held = due(reason="no_access", consent="I-000007")
    assert (held.due, held.held_s) == (NOW + 15 * HOUR, 3 * 3600)
    assert due(reason="no_access").due == NOW + 12 * HOUR
    assert due(reason="waiting_for_parts", consent="I-000007").due == NOW + 12 * HOUR


def test_while_held_the_deadline_moves_on_and_nothing_changes_by_itself() -> None:
    hold = draft("promise.held", NOW + HOUR, promise="C04", reason="no_access", consent="I-1")
    events = journal(draft("repair.started", NOW), hold)
    seen = clock(C04, events, NOW + 30 * HOUR)
    assert (seen.state, seen.held_since) == (ClockState.HELD, NOW + HOUR)
    assert seen.due == NOW + 41 * HOUR
    assert next_change(seen, C04, NOW + 30 * HOUR) is None


def held(promise, start, *instants, reason="no_access"):
    """Return a start and, alternating, holds and resumptions of ``promise``."""
    types = ["promise.held", "promise.resumed"] * len(instants)
    data = {"promise": promise.code, "reason": reason, "consent": "I-000007"}
    holds = (draft(type, at, **data) for type, at in zip(types, instants, strict=False))
    return [draft(promise.starts[0], start), *holds]


def test_a_hold_that_comes_with_the_deadline_comes_too_late() -> None:
    events = journal(*held(C04, NOW, NOW + 12 * HOUR))
    seen = clock(C04, events, NOW + 20 * HOUR)
    assert (seen.state, seen.due, seen.held_s) == (ClockState.OVERDUE, NOW + 12 * HOUR, 0)


def test_a_second_hold_while_held_changes_nothing() -> None:
    first, again, back = (NOW + n * HOUR for n in (1, 2, 4))
    twice = held(C04, NOW, first, back)
    twice.insert(2, replace(twice[1], at=again))
    assert clock(C04, journal(*twice), NOW + 5 * HOUR).held_s == 3 * 3600


def test_a_clock_that_ended_while_held_is_not_held_any_more() -> None:
    restored = draft("device.restored", NOW + 3 * HOUR)
    events = journal(*held(C04, NOW, NOW + HOUR), restored)
    seen = clock(C04, events, NOW + 30 * HOUR)
    assert (seen.state, seen.due) == (ClockState.MET, NOW + 14 * HOUR)
    assert (seen.held_since, seen.held_s) == (None, 2 * 3600)


def test_a_contract_held_by_the_buyer_ends_on_a_working_day_again() -> None:
    start, closed, ready = (local(f"2024-08-{day} 10:00") for day in ("14", "20", "22"))
    events = journal(*held(PROMISES["C24"], start, closed, ready, reason="site_not_ready"))
    assert clock(PROMISES["C24"], events, ready).due == end_of("2024-09-18")


def test_a_hold_over_a_rest_day_gives_no_working_day_away() -> None:
    promise = replace(C05, holds=frozenset({"no_access"}))
    friday, sunday, monday = (local(f"2026-03-{day} 10:00") for day in ("13", "15", "16"))
    start = draft("repair.overran", local("2026-03-06 10:00"))
    hold = draft("promise.held", friday, promise="C05", reason="no_access", consent="I-1")
    assert clock(promise, journal(start), friday).due == end_of("2026-03-13")
    held = journal(start, hold, draft("promise.resumed", sunday, promise="C05"))
    assert clock(promise, held, sunday).due == end_of("2026-03-16")
    longer = journal(start, hold, draft("promise.resumed", monday, promise="C05"))
    assert clock(promise, longer, monday).due == end_of("2026-03-16")


def test_a_record_filed_on_day_5_at_23_59_is_in_time_on_day_6_not() -> None:
    returned = ("technician.returned", local("2024-09-28 18:00"))
    now = local("2024-10-20 00:00")
    day_5 = told(returned, ("visit.filed", local("2024-10-03 23:59")))
    day_6 = told(returned, ("visit.filed", local("2024-10-04 00:01")))
    assert clock(C07, day_5, now).state is ClockState.MET
    assert clock(C07, day_6, now).state is ClockState.MISSED


def test_a_loaner_that_is_not_needed_any_more_is_no_broken_promise() -> None:
    events = told(("repair.overran", NOW), ("device.restored", NOW + DAY))
    assert clock(C05, events, NOW + 30 * DAY).state is ClockState.VOID


def test_a_warranty_is_kept_by_running_out() -> None:
    events = told(("device.accepted", local("2024-09-10 10:00")))
    end = end_of("2026-09-10")
    assert clock(C25, events, end - HOUR).state is ClockState.RUNNING
    assert clock(C25, events, end + HOUR).state is ClockState.MET
    assert clock(C25, events, end + HOUR).stop == end


def test_warnings_come_at_their_fractions_and_the_next_change_is_known() -> None:
    events = told(("ticket.reported", NOW))
    seen = []
    at = NOW
    while at is not None and len(seen) < 9:
        reading = clock(C03, events, at)
        seen.append((at - NOW, reading.state.value, warnings(reading, C03, at)))
        at = next_change(reading, C03, at)
    assert seen == [
        (0 * HOUR, "running", ()),
        (1 * HOUR, "running", (0.5,)),
        (1.5 * HOUR, "running", (0.5, 0.75)),
        (2 * HOUR, "overdue", (0.5, 0.75)),
    ]


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({"kind": "fault"}, ["C02", "C03", "C04", "C05", "C07"]),
        ({"kind": "preventive", "reported_at": None}, ["onsite_internal", "C07"]),
        ({"kind": "preventive"}, ["C02", "C03", "onsite_internal", "C04", "C05", "C07"]),
        ({"kind": "inquiry"}, ["C02", "C07"]),
        ({"kind": "inspection", "reported_at": None}, ["C07"]),
    ],
)
def test_what_is_owed_depends_on_the_ticket(given, codes) -> None:
    assert [promise.code for promise in promises_for(ticket(**given))] == codes


def test_a_devices_signal_never_starts_a_contractual_clock() -> None:
    signal = ticket(kind="preventive", origin="device", reported_at=None)
    owed = [p for p in promises_for(signal) if "ticket.opened" in p.starts]
    assert [p.origin for p in owed] == [Origin.INTERNAL]


def test_a_reopened_ticket_runs_its_clocks_anew() -> None:
    events = told(
        ("ticket.reported", NOW),
        ("visit.arrived", NOW + HOUR),
        ("ticket.resolved", NOW + 2 * HOUR),
        ("ticket.reopened", NOW + 5 * HOUR),
    )
    seen = {c.promise: c for c in clocks(ticket(), events, WORKDAYS, NOW + 6 * HOUR, SHANGHAI)}
    assert seen["C03"].state is ClockState.RUNNING
    assert seen["C03"].due == NOW + 7 * HOUR
    assert seen["C04"].state is ClockState.IDLE


def test_every_visit_has_a_filing_clock_of_its_own() -> None:
    events = journal(
        draft("technician.returned", NOW, visit="V-1"),
        draft("visit.filed", NOW + HOUR, visit="V-1"),
        draft("ticket.reopened", NOW + DAY),
        draft("technician.returned", NOW + 2 * DAY, visit="V-2"),
    )
    filing = [
        (c.about, c.state.value)
        for c in clocks(ticket(), events, WORKDAYS, NOW + 2 * DAY, SHANGHAI)
        if c.promise == "C07"
    ]
    assert filing == [("V-1", "met"), ("V-2", "running")]


def test_every_shipped_promise_says_where_it_comes_from() -> None:
    for promise in PROMISES.values():
        assert promise.origin in Origin
        assert all(promise.clause)
        assert all(promise.title)


ROW = """
version: 3
promises:
  - code: X
    title: [承诺, promise]
    origin: internal
    clause: [条款, clause]
    starts: [a.began]
    limit: [2, h]
"""


def test_a_row_carries_the_version_of_its_set() -> None:
    assert load(ROW, "mine.yaml")["X"].version == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "    origin: internal\n",
            "",
            "mine.yaml: promise X: Object missing required field `origin`",
        ),
        ("internal", "whim", "promise X: Invalid enum value 'whim' - at `$.origin`"),
        ("[条款, clause]", "['', '']", "promise X: title and clause need both languages"),
        ("[2, h]", "[2, weeks]", "promise X: Invalid enum value 'weeks' - at `$.limit[1]`"),
        ("[2, h]", "[0, h]", "promise X: limit of 0 is not above 0"),
        ("starts", "begins", "promise X: unknown field 'begins'"),
        ("[a.began]", "[]", "promise X: starts is empty"),
        ("limit: [2, h]", "limit: [2, h]\n    holds: [tired]", "holds ['tired'] has an unknown"),
        ("limit: [2, h]", "limit: [2, h]\n    warn_at: [1.5]", "warn_at (1.5,) is outside 0..1"),
        ("version: 3", "", "mine.yaml: 'version'"),
        ("- code: X", "- {", "mine.yaml"),
    ],
)
def test_a_bad_promise_names_the_file_the_row_and_the_field(old, new, says) -> None:
    with pytest.raises(BadPromise) as caught:
        load(ROW.replace(old, new), "mine.yaml")
    assert says in str(caught.value)
