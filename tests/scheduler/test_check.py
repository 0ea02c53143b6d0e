"""The checker sees every kind of breach, each planted into a plan that had none."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from scheduler.check import violations
from scheduler.plan import DayPlan, Route, Span, Stop, Unserved
from scheduler.solve import plan_day
from scheduler.travel import crow_flies
from tests.scheduler.given_day import NOW, at, lunch, near, request, shift, technician

TRAVEL = crow_flies()
HOUR = timedelta(hours=1)
ASKED = [
    request("V1", place=near(10), earliest_at=at("08:00"), promised_by=at("10:00")),
    request("V2", place=near(20), pinned_to="A", pinned_at=at("15:00")),
]
CREW = [
    technician("A", shifts=(shift("08:00", "17:30", lunch()),)),
    technician("B", "haematology"),
]
PLAN = plan_day(ASKED, CREW, TRAVEL, now=NOW, limit_s=0.1)


def judged(plan: DayPlan = PLAN, requests=ASKED, technicians=CREW, now=NOW) -> str:
    return "\n".join(words.en for words in violations(plan, requests, technicians, TRAVEL, now))


def route(**other) -> DayPlan:
    """Return the plan with its one route changed."""
    return replace(PLAN, routes=(replace(PLAN.routes[0], **other),))


def stop(number: int, **other) -> DayPlan:
    """Return the plan with one stop changed."""
    stops = list(PLAN.routes[0].stops)
    stops[number] = replace(stops[number], **other)
    return route(stops=tuple(stops))


def moved(number: int, by: timedelta) -> DayPlan:
    one: Stop = PLAN.routes[0].stops[number]
    late = max(0, int((one.start_at + by - at("10:00")).total_seconds())) if number == 0 else 0
    return stop(
        number,
        arrive_at=one.arrive_at + by,
        start_at=one.start_at + by,
        end_at=one.end_at + by,
        late_s=late,
    )


FIRST = PLAN.routes[0].stops[0]


def test_a_sound_plan_has_no_breach():
    assert judged() == ""
    assert [s.request for s in PLAN.routes[0].stops] == ["V1", "V2"]


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (replace(PLAN, routes=()), "V1 is in the plan 0 times"),
        (replace(PLAN, routes=PLAN.routes * 2), "V1 is in the plan 2 times"),
        (replace(PLAN, routes=PLAN.routes * 2), "two routes of A overlap"),
        (replace(PLAN, unserved=(Unserved("V1", ("x", "x")),)), "V1 is in the plan 2 times"),
        (replace(PLAN, unserved=(Unserved("V9", ("x", "x")),)), "nobody asked for it"),
        (replace(PLAN, unserved=(Unserved("V9", ("", "x")),)), "V9 is unserved for no reason"),
        (route(technician="Z"), "Z has a route, but is not in the team"),
        (route(technician="B"), "B is not certified for chemistry"),
        (route(technician="B"), "V2 is pinned to A, not to B"),
        (route(home_at=at("17:31")), "after the shift"),
        (route(home_at=PLAN.routes[0].stops[1].end_at), "A cannot reach home"),
        (route(travel_s=1), "says 1 s of driving"),
        (route(breaks=()), "A has no break between"),
        (route(breaks=(Span(at("11:30"), at("12:29")),)), "A has no break between"),
        (route(breaks=(Span(at("12:31"), at("13:31")),)), "A has no break between"),
        (route(breaks=(*PLAN.routes[0].breaks, Span(at("15:10"), at("15:20")))), "overlaps V2"),
        (route(breaks=PLAN.routes[0].breaks * 2), "breaks of A overlap"),
        (moved(0, -timedelta(minutes=10)), "A cannot reach V1"),
        (moved(0, -HOUR), "V1 begins before its earliest start"),
        (moved(0, -HOUR), "lies in no shift"),
        (moved(0, 6 * HOUR), "A cannot reach V2"),
        (moved(1, timedelta(minutes=1)), "V2 is pinned at"),
        (moved(1, -timedelta(minutes=1)), "V2 is pinned at"),
        (stop(0, end_at=FIRST.end_at - timedelta(minutes=1)), "lasts less than the 3600 s"),
        (stop(0, arrive_at=FIRST.start_at + timedelta(minutes=1)), "lasts less than"),
        (stop(0, late_s=60), "V1 says 60 s late"),
        (stop(0, start_at=at("10:01"), arrive_at=at("10:01")), "V1 says 0 s late"),
    ],
)
def test_a_breach_is_seen_and_named(plan, says):
    assert says in judged(plan)


def test_a_certificate_that_ends_the_day_before_is_seen():
    expired = replace(CREW[0], certificates={"chemistry": date(2026, 11, 23)})
    assert "A is not certified for chemistry" in judged(technicians=[expired, CREW[1]])


def test_a_route_that_begins_before_now_is_seen():
    assert "A cannot reach V1" in judged(now=at("09:00"))


def test_a_technician_who_is_elsewhere_or_not_free_is_seen():
    for elsewhere in (replace(CREW[0], at=near(-90)), replace(CREW[0], free_at=at("09:00"))):
        assert "A cannot reach V1" in judged(technicians=[elsewhere, CREW[1]])


def test_a_started_visit_that_moves_or_waits_or_is_dropped_is_seen():
    started = replace(ASKED[0], started=True, pinned_to="A", pinned_at=FIRST.start_at)
    later = replace(started, pinned_at=FIRST.start_at - HOUR)
    waits = replace(ASKED[1], started=True)
    dropped = replace(PLAN, routes=(), unserved=(Unserved("V1", ("x", "x")),))
    assert "V1 has been going on since" in judged(requests=[later, ASKED[1]])
    assert "V2 is started, yet comes after" in judged(requests=[ASKED[0], waits])
    assert "V1 is started, yet unserved" in judged(dropped, requests=[started])


def test_a_late_pin_is_forgiven_only_when_nothing_was_put_before_it():
    frozen = request("V2", place=near(20), pinned_to="A", pinned_at=at("08:01"))
    crew = [technician("A")]
    plan = plan_day([frozen], crew, TRAVEL, now=NOW, limit_s=0.1)
    assert judged(plan, [frozen], crew) == ""
    only: Route = plan.routes[0]
    (one,) = only.stops
    dawdled = replace(
        one, arrive_at=one.arrive_at + HOUR, start_at=one.start_at + HOUR, end_at=one.end_at + HOUR
    )
    late = replace(plan, routes=(replace(only, stops=(dawdled,), home_at=only.home_at + HOUR),))
    assert "V2 is pinned at" in judged(late, [frozen], crew)
