"""Write the chosen routes out as a plan: instants, costs, and the reasons in words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from scheduler import reasons
from scheduler.cautions import cautions
from scheduler.cost import costs
from scheduler.drive import Timetable, drive, timetable
from scheduler.model import Day, Duty, Fact
from scheduler.pins import Frozen
from scheduler.plan import DayPlan, Route, Span, Stop, Unserved, VisitRequest


def day_plan(
    day: Day,
    frozen: Frozen,
    routes: Sequence[tuple[int, ...]],
    *,
    now: datetime,
    published: DayPlan | None,
) -> DayPlan:
    """Return ``routes``, one per duty, as a plan with its costs and reasons."""
    driven = [
        _route(day, duty, jobs)
        for duty, jobs in zip(day.duties, routes, strict=True)
        if jobs or duty.facts
    ]
    served = {stop.request for route in driven for stop in route.stops}
    unserved = [
        Unserved(request.id, reasons.unserved(day, frozen, routes, job))
        for job, request in enumerate(day.requests)
        if request.id not in served
    ]
    plan = DayPlan(now, tuple(driven), tuple(unserved))
    split = costs(plan, day.requests, published, day.weights)
    warnings = tuple(cautions(day, driven))
    return replace(plan, cost=sum(split.values()), costs=split, warnings=warnings)


def _route(day: Day, duty: Duty, jobs: Sequence[int]) -> Route:
    driven = drive(day, duty, jobs)
    if driven is None:
        raise AssertionError(f"route {jobs} of technician {duty.technician} is not possible")
    times = timetable(day, duty, jobs, driven.legs)
    stops = [_fact_stop(day, fact) for fact in duty.facts] + _stops(day, duty, times)
    last = day.place[jobs[-1]] if jobs else duty.here
    return Route(
        day.technicians[duty.technician].id,
        tuple(stops),
        travel_s=sum(stop.travel_s for stop in stops) + day.times[last][duty.home],
        home_at=day.at(times.home),
        breaks=tuple(Span(day.at(a), day.at(b)) for a, b in times.breaks),
    )


def _fact_stop(day: Day, fact: Fact) -> Stop:
    request = day.requests[fact.job]
    start_at = request.pinned_at or day.at(fact.start)
    return Stop(
        request.id,
        arrive_at=start_at,
        start_at=start_at,
        end_at=day.at(fact.end),
        travel_s=fact.travel_s,
        late_s=_late_s(request, start_at),
        why=reasons.STARTED,
    )


def _stops(day: Day, duty: Duty, times: Timetable) -> list[Stop]:
    """Return the stops; who is still at home leaves just in time for the first."""
    found = []
    for number, call in enumerate(times.calls):
        request, begin = day.requests[call.job], day.at(call.begin)
        in_time = number == 0 and not duty.facts
        stop = Stop(
            request.id,
            arrive_at=begin if in_time else day.at(call.arrive),
            start_at=begin,
            end_at=begin + timedelta(seconds=day.duration[call.job]),
            travel_s=call.travel,
            late_s=_late_s(request, begin),
        )
        here = duty.here if number == 0 else day.place[times.calls[number - 1].job]
        last = number + 1 == len(times.calls)
        there = duty.home if last else day.place[times.calls[number + 1].job]
        detour = day.detour_s(here, day.place[call.job], there)
        found.append(replace(stop, why=reasons.chosen(day, request, stop, detour)))
    return found


def _late_s(request: VisitRequest, start_at: datetime) -> int:
    """Return the seconds after the promise, begun ones counting whole."""
    if request.promised_by is None:
        return 0
    return max(0, -((request.promised_by - start_at) // timedelta(seconds=1)))
