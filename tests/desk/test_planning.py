"""Tickets become a checked plan and the plan visits; without a new one the last good one stays."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from aftersales.team import Duty
from aftersales.visit import Visit
from desk.office import Office
from desk.planning import NoPlan, Overtaken, moved_since, plan_visits
from desk.tickets import act_on, report_fault
from equipment.device import BadRecord
from equipment.words import Words
from scheduler.plan import DayPlan, ImpossibleProblem
from scheduler.published import Published
from tests import given
from tests.desk import given_desk
from tests.desk.given_desk import (
    TRAVEL,
    Clock,
    alarm,
    by,
    events,
    everything,
    published,
    send,
    solve,
    technician,
)
from tests.given import NOW

HOUR = timedelta(hours=1)


def desk(*records: Any, **options: Any) -> Office:
    """Return a desk with one ticket that an alarm opened."""
    office = given_desk.office(*records, **options)
    act_on(office, [alarm()])
    return office


def plan(office: Office, ask: Any = solve) -> int:
    return plan_visits(office, ask, TRAVEL)


def no_answer(*_: Any) -> DayPlan:
    raise NoPlan("the solver process ended")


def no_sense(*_: Any) -> DayPlan:
    raise ImpossibleProblem("travel: road_factor 0 is not above 0")


def forgetful(_requests: Any, _technicians: Any, now: datetime, _last: Any) -> DayPlan:
    """Return a plan that forgets everybody."""
    return DayPlan(now)


def reckless(requests: Sequence[Any], technicians: Sequence[Any], now: datetime, _: Any) -> DayPlan:
    """Return a plan that sends people who hold no certificate."""
    able = [
        replace(one, certificates={"chemistry": now.date() + timedelta(days=9)})
        for one in technicians
    ]
    return solve(requests, able, now, None)


def test_a_ticket_gets_a_certified_technician_within_two_hours() -> None:
    office = desk(technician("E1", "haematology"), technician("E2", "chemistry"))
    assert plan(office) == published(office).head
    who, stop = published(office).plan.stop("T-000001") or ("", None)
    assert who == "E2"
    assert stop is not None
    assert stop.start_at <= NOW + 2 * HOUR
    (visit,) = everything(office, Visit)
    assert (visit.id, visit.technician, visit.state) == ("V-000001", "E2", "offered")
    assert (visit.window_from, visit.window_to) == (stop.arrive_at, stop.end_at)
    assert events(office, "T-000001") == ["ticket.opened", "visit.planned", "visit.offered"]


def test_planning_again_with_nothing_new_moves_nobody() -> None:
    clock = Clock()
    office = desk(technician(), technician("E2"), now=clock)
    plan(office)
    before = everything(office, Visit)
    clock.at += timedelta(minutes=1)
    head = plan(office)
    assert everything(office, Visit) == before
    with office.records.read() as work:
        assert not moved_since(work, head)


def test_a_publication_is_no_reason_to_plan_again_but_a_ticket_is() -> None:
    office = desk(technician())
    head = plan(office)
    with office.records.read() as work:
        assert not moved_since(work, head)
    act_on(office, [alarm("lamp_intensity.warn", component="lamp")])
    with office.records.read() as work:
        assert moved_since(work, head)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (no_answer, "no new plan: the solver process ended"),
        (no_sense, "cannot plan: travel: road_factor 0 is not above 0"),
        (forgetful, "the plan failed its check: T-000001 is in the plan 0 times, not once"),
    ],
)
def test_without_a_new_plan_the_last_good_one_stays_and_says_why(ask: Any, says: str) -> None:
    clock = Clock()
    office = desk(technician(), now=clock)
    plan(office)
    good = published(office)
    act_on(office, [alarm("lamp_intensity.warn", component="lamp")])
    clock.at += timedelta(minutes=1)
    head = plan(office, ask)
    kept = published(office)
    assert kept.why is not None
    assert (kept.why.en, kept.failed_at) == (says, clock.at)
    assert kept == replace(good, failed_at=kept.failed_at, why=kept.why)
    assert [v.ticket for v in everything(office, Visit)] == ["T-000001"]
    with office.records.read() as work:
        assert not moved_since(work, head)
    plan(office)
    assert (published(office).why, len(everything(office, Visit))) == (None, 2)


def test_the_checker_stops_a_plan_that_sends_somebody_without_a_certificate() -> None:
    office = desk(technician("E1", "haematology"))
    plan(office, reckless)
    kept = published(office)
    assert kept.plan.routes == ()
    assert kept.why is not None
    assert "E1 is not certified for chemistry" in kept.why.en
    assert everything(office, Visit) == []


def test_a_ticket_that_comes_while_the_plan_is_made_overtakes_it() -> None:
    office = desk(technician())

    def slowly(*asked: Any) -> DayPlan:
        report_fault(office, "CHEM-001", Words("不能开机", "does not start"), by(office))
        return solve(*asked)

    with pytest.raises(Overtaken):
        plan(office, slowly)
    assert everything(office, Published) == everything(office, Visit) == []
    plan(office)
    assert {v.ticket for v in everything(office, Visit)} == {"T-000001", "T-000002"}


def test_without_technicians_the_reason_names_them() -> None:
    office = desk()
    plan(office)
    why = published(office).why
    assert why is not None
    assert why.en == "cannot plan: technicians: none, for 1 visit requests"
    assert why.zh.startswith("无法排程")


def test_nobody_certified_leaves_the_ticket_unserved_and_says_so() -> None:
    office = desk(technician("E1", "haematology"))
    plan(office)
    (unserved,) = published(office).plan.unserved
    assert unserved.request == "T-000001"
    assert "certified" in unserved.why.en
    assert everything(office, Visit) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"site": "S999"}, "its record is wrong: ticket T-000000: site 'S999' is not in the"),
        ({"device": "X"}, "its record is wrong: ticket T-000000: device 'X' is not in the"),
    ],
)
def test_a_ticket_with_a_wrong_record_is_unserved_and_stops_nobody_else(
    wrong: dict[str, Any], says: str
) -> None:
    office = desk(technician(), given.ticket("T-000000", component="lamp", **wrong))
    plan(office)
    (unserved,) = published(office).plan.unserved
    assert unserved.request == "T-000000"
    assert unserved.why.en.startswith(says)
    assert [v.ticket for v in everything(office, Visit)] == ["T-000001"]


def test_a_technician_with_a_wrong_roster_is_left_out_with_a_warning() -> None:
    twice = (Duty(NOW, NOW + 4 * HOUR), Duty(NOW + HOUR, NOW + 5 * HOUR))
    office = desk(technician("E1", shifts=twice), technician("E2"))
    plan(office)
    kept = published(office).plan
    assert [route.technician for route in kept.routes] == ["E2"]
    assert any("technician E1: shifts: start_at" in warning.en for warning in kept.warnings)


def test_a_shift_that_ends_before_it_starts_is_no_shift() -> None:
    with pytest.raises(BadRecord, match=r"shift: end .* is not after start"):
        Duty(NOW, NOW - HOUR)


def test_a_visit_that_is_accepted_stays_with_its_technician() -> None:
    clock = Clock()
    office = desk(technician(), now=clock)
    plan(office)
    (before,) = everything(office, Visit)
    send(office, before.id, "accept")
    with office.records.begin() as work:
        work.shelf(type(technician())).put(technician("E0", home_latitude=30.66))
    clock.at += timedelta(minutes=1)
    plan(office)
    (after,) = everything(office, Visit)
    assert (after.technician, after.window_from) == (before.technician, before.window_from)
    assert after.state == "accepted"


def test_the_newest_plan_holds_although_the_clock_was_put_back() -> None:
    clock = Clock()
    office = desk(technician(), now=clock)
    plan(office)
    clock.at -= timedelta(minutes=5)
    act_on(office, [alarm("lamp_intensity.warn", component="lamp")])
    plan(office)
    assert published(office).plan.made_at == clock.at
    assert published(office).plan.stop("T-000002") is not None


def test_an_offered_visit_is_called_back_when_nobody_is_left_for_it() -> None:
    clock = Clock()
    office = desk(technician(), now=clock)
    plan(office)
    with office.records.begin() as work:
        work.shelf(type(technician())).put(technician("E1", "haematology"))
    clock.at += timedelta(minutes=1)
    plan(office)
    (visit,) = everything(office, Visit)
    assert (visit.state, visit.technician) == ("planned", None)
    assert [one.request for one in published(office).plan.unserved] == ["T-000001"]


def test_a_visit_that_solved_nothing_is_followed_by_another() -> None:
    clock = Clock()
    office = desk(technician(), now=clock)
    plan(office)
    send(office, "V-000001", "accept", "travel", "arrive")
    clock.at += HOUR
    send(office, "V-000001", "leave", outcome="parts_needed")
    plan(office)
    first, second = everything(office, Visit)
    assert (first.state, second.state, second.ticket) == ("left", "offered", "T-000001")


def test_what_needs_nobody_on_site_is_in_no_plan() -> None:
    office = given_desk.office(
        technician(), given.ticket(kind="inquiry"), given.ticket("T-000002", state="resolved")
    )
    plan(office)
    assert (published(office).plan.routes, published(office).plan.unserved) == ((), ())


def test_old_plans_are_forgotten_in_the_end() -> None:
    clock = Clock()
    office = given_desk.office(now=clock)
    for _ in range(60):
        clock.at += timedelta(minutes=1)
        plan(office)
    assert len(everything(office, Published)) == 50
    assert published(office).made_at == clock.at
