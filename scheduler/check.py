"""What is wrong with a plan, judged from the problem alone: nothing here is shared with the solver.

Each rule is a function from one route, or the whole plan, to the breaches it sees; RULES lists
them. A started visit is a fact and never a breach.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from equipment.words import Words
from scheduler.plan import (
    Break,
    DayPlan,
    Place,
    Route,
    Shift,
    Span,
    Stop,
    Technician,
    VisitRequest,
)
from scheduler.travel import Travel

SECOND = timedelta(seconds=1)


def _down(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _up(at: datetime) -> datetime:
    return _down(at + SECOND - timedelta(microseconds=1))


@dataclass(frozen=True, slots=True)
class Case:
    """A plan and the problem it answers."""

    plan: DayPlan
    requests: Mapping[str, VisitRequest]
    technicians: Mapping[str, Technician]
    places: Mapping[Place, int]
    driving_s: NDArray[np.int64]
    now: datetime
    zone: ZoneInfo

    def drive(self, here: Place, there: Place) -> timedelta:
        """Return the driving time between two places."""
        return timedelta(seconds=int(self.driving_s[self.places[here], self.places[there]]))

    def free(self, technician: Technician) -> datetime:
        """Return from when the technician can be sent on."""
        return _up(max(self.now, technician.free_at or self.now))

    def back(self, route: Route) -> datetime:
        """Return from when the technician of ``route`` is free, earlier routes driven."""
        begin = min((stop.start_at for stop in route.stops), default=route.home_at)
        free = self.free(self.technicians[route.technician])
        mine = (other for other in self.plan.routes if other.technician == route.technician)
        return max([free, *(r.home_at for r in mine if r.stops and r.stops[0].start_at < begin)])


def violations(
    plan: DayPlan,
    requests: Sequence[VisitRequest],
    technicians: Sequence[Technician],
    travel: Travel,
    now: datetime,
    *,
    zone: str = "Asia/Shanghai",
) -> list[Words]:
    """Return every breach of a rule by ``plan``, in words; an empty list for a sound plan."""
    places = [r.place for r in requests]
    for technician in technicians:
        places += [technician.home, technician.at or technician.home]
    numbered = {place: number for number, place in enumerate(dict.fromkeys(places))}
    case = Case(
        plan,
        {r.id: r for r in requests},
        {t.id: t for t in technicians},
        numbered,
        travel.seconds(list(numbered)),
        now,
        ZoneInfo(zone),
    )
    breaches = [*_served_once(case), *_one_place_at_a_time(case)]
    for route in plan.routes:
        if _readable(case, route):
            breaches += [breach for rule in RULES for breach in rule(case, route)]
    return breaches


def _readable(case: Case, route: Route) -> bool:
    """Return whether the other rules can be asked; ``_served_once`` reports what is not."""
    known = all(stop.request in case.requests for stop in route.stops)
    return known and route.technician in case.technicians


def _served_once(case: Case) -> Iterator[Words]:
    """Every request is in exactly one route or unserved, and nothing else is."""
    stops = [stop.request for route in case.plan.routes for stop in route.stops]
    seen = Counter(stops + [one.request for one in case.plan.unserved])
    for id in case.requests:
        if seen[id] != 1:
            yield Words(
                f"{id} 在计划中出现 {seen[id]} 次，应为 1 次",
                f"{id} is in the plan {seen[id]} times, not once",
            )
    for id in seen.keys() - case.requests.keys():
        yield Words(f"计划中的 {id} 没有对应需求", f"{id} is in the plan, but nobody asked for it")
    for route in case.plan.routes:
        if route.technician not in case.technicians:
            yield Words(
                f"计划中的工程师 {route.technician} 不在名单中",
                f"{route.technician} has a route, but is not in the team",
            )
    for one in case.plan.unserved:
        if not all(one.why):
            yield Words(
                f"{one.request} 未派工，缺少原因", f"{one.request} is unserved for no reason"
            )
        request = case.requests.get(one.request)
        if request and request.started and request.pinned_to in case.technicians:
            yield Words(f"{request.id} 已开始，不能取消", f"{request.id} is started, yet unserved")


def _one_place_at_a_time(case: Case) -> Iterator[Words]:
    """The routes of one technician do not overlap."""
    routes = [r for r in case.plan.routes if r.stops]
    routes.sort(key=lambda r: (r.technician, r.stops[0].start_at))
    for first, second in pairwise(routes):
        leaves = second.stops[0].start_at - timedelta(seconds=second.stops[0].travel_s)
        if first.technician == second.technician and leaves < first.home_at:
            yield Words(
                f"{first.technician} 的两条路线时间重叠",
                f"two routes of {first.technician} overlap",
            )


def _planned(case: Case, route: Route) -> list[Stop]:
    """Return the stops that are not facts."""
    return [stop for stop in route.stops if not case.requests[stop.request].started]


def _shift(case: Case, route: Route) -> Shift | None:
    """Return the shift the planned stops of a route lie in."""
    technician = case.technicians[route.technician]
    begin = min((s.start_at for s in _planned(case, route)), default=case.free(technician))
    shifts = technician.shifts
    return next((s for s in shifts if s.start_at <= begin < s.end_at), None)


def _certificates(case: Case, route: Route) -> Iterator[Words]:
    """The technician is certified for the family on the day of the visit."""
    held = case.technicians[route.technician].certificates
    for stop in _planned(case, route):
        family = case.requests[stop.request].family
        day = stop.end_at.astimezone(case.zone).date()
        if family is not None and (family not in held or held[family] < day):
            yield Words(
                f"{route.technician} 在 {day} 没有 {family} 资质，不能去 {stop.request}",
                f"{route.technician} is not certified for {family} of {stop.request} on {day}",
            )


def _shifts(case: Case, route: Route) -> Iterator[Words]:
    """Planned stops and the drive home lie inside one shift, and not before now."""
    planned = _planned(case, route)
    if not planned:
        return
    shift = _shift(case, route)
    if shift is None:
        yield Words(
            f"{route.technician} 的路线不在任何班次内",
            f"the route of {route.technician} lies in no shift",
        )
        return
    if route.home_at > shift.end_at:
        yield Words(
            f"{route.technician} 于 {route.home_at} 返回，晚于班次结束 {shift.end_at}",
            f"{route.technician} is home at {route.home_at}, after the shift, {shift.end_at}",
        )
    for stop in planned:
        if stop.end_at > shift.end_at:
            yield Words(
                f"{stop.request} 的结束时间晚于班次结束",
                f"{stop.request} ends after the shift of {route.technician}",
            )


def _sense(case: Case, route: Route) -> Iterator[Words]:
    """Every stop takes its time, in order, not before its earliest start, late as it says."""
    for stop in route.stops:
        request = case.requests[stop.request]
        asked = timedelta(seconds=request.duration_s)
        if not stop.arrive_at <= stop.start_at or stop.end_at - stop.start_at < asked:
            yield Words(
                f"{stop.request} 的停留短于所需 {request.duration_s} 秒",
                f"{stop.request} lasts less than the {request.duration_s} s it needs",
            )
        settled = request.started or request.pinned_at is not None
        if not settled and request.earliest_at and stop.start_at < request.earliest_at:
            yield Words(
                f"{stop.request} 早于最早开始时间 {request.earliest_at}",
                f"{stop.request} begins before its earliest start {request.earliest_at}",
            )
        late = stop.start_at - (request.promised_by or stop.start_at)
        if abs(max(late, timedelta()) - timedelta(seconds=stop.late_s)) >= SECOND:
            yield Words(
                f"{stop.request} 的迟到时间应为 {late}",
                f"{stop.request} says {stop.late_s} s late, it is {late}",
            )


class Leg(NamedTuple):
    """The drive to a stop, or home: when it may begin, when it must be over."""

    left: datetime
    reached: datetime
    drive: timedelta
    where: str


def _legs(case: Case, route: Route) -> Iterator[Leg]:
    """Yield the drive to every stop, and home; nobody drives to where the visit is going on."""
    technician = case.technicians[route.technician]
    shift, free = _shift(case, route), case.back(route)
    started = any(case.requests[stop.request].started for stop in route.stops)
    under_way = started or shift is None or shift.start_at <= case.free(technician)
    here = technician.at if technician.at is not None and under_way else technician.home
    left = free if under_way or shift is None else max(free, _up(shift.start_at))
    for stop in route.stops:
        request = case.requests[stop.request]
        there = request.started and request.pinned_at is not None
        drive = timedelta() if there else case.drive(here, request.place)
        yield Leg(min(left, stop.start_at) if there else left, stop.start_at, drive, stop.request)
        here, left = request.place, max(left, stop.end_at)
    yield Leg(left, route.home_at, case.drive(here, technician.home), "home")


def _travel(case: Case, route: Route) -> Iterator[Words]:
    """Between two stops there is time for the drive and the breaks taken there."""
    driven = timedelta()
    for left, reached, drive, where in _legs(case, route):
        driven += drive
        resting = sum((_common(one, left, reached) for one in route.breaks), timedelta())
        if reached - left < drive + resting:
            yield Words(
                f"{route.technician} 来不及到 {where}：需 {drive + resting}，只有 {reached - left}",
                f"{route.technician} cannot reach {where}: needs {drive + resting}, "
                f"has {reached - left}",
            )
    if driven != timedelta(seconds=route.travel_s):
        yield Words(
            f"{route.technician} 的行驶时间应为 {driven}",
            f"the route of {route.technician} says {route.travel_s} s of driving, it is {driven}",
        )


def _common(span: Span, start: datetime, end: datetime) -> timedelta:
    """Return how much of ``span`` lies between two instants."""
    return max(timedelta(), min(span.end_at, end) - max(span.start_at, start))


def _breaks(case: Case, route: Route) -> Iterator[Words]:
    """Every break still due is taken whole, in its span, and not during a visit."""
    shift = _shift(case, route)
    if not _planned(case, route) or shift is None:
        return
    started = [s.end_at for s in route.stops if case.requests[s.request].started]
    free = max([case.back(route), shift.start_at, *started])
    for due in shift.breaks:
        rest = timedelta(seconds=due.duration_s)
        if _up(max(free, due.from_at)) + rest > _down(due.to_at):
            continue
        if not any(_is_break(due, span) for span in route.breaks):
            yield Words(
                f"{route.technician} 缺少 {due.from_at} 至 {due.to_at} 之间的休息",
                f"{route.technician} has no break between {due.from_at} and {due.to_at}",
            )
    for stop in route.stops:
        if any(_common(span, stop.start_at, stop.end_at) for span in route.breaks):
            yield Words(
                f"{route.technician} 的休息与 {stop.request} 重叠",
                f"a break of {route.technician} overlaps {stop.request}",
            )
    for first, second in pairwise(route.breaks):
        if second.start_at < first.end_at:
            yield Words(f"{route.technician} 的休息重叠", f"breaks of {route.technician} overlap")


def _is_break(due: Break, span: Span) -> bool:
    inside = due.from_at <= span.start_at and span.end_at <= due.to_at
    return inside and span.end_at - span.start_at >= timedelta(seconds=due.duration_s)


def _pins(case: Case, route: Route) -> Iterator[Words]:
    """A pinned visit is with its technician, at its time; later only if he comes straight to it."""
    straight = True
    for leg, stop in zip(_legs(case, route), route.stops, strict=False):
        request = case.requests[stop.request]
        if request.pinned_to not in (None, route.technician):
            yield Words(
                f"{request.id} 固定给 {request.pinned_to}，却派给 {route.technician}",
                f"{request.id} is pinned to {request.pinned_to}, not to {route.technician}",
            )
        straight = straight and (request.started or request.pinned_at is not None)
        moved = stop.start_at - (request.pinned_at or stop.start_at)
        if moved <= -SECOND or (moved >= SECOND and not (straight and _at_once(route, leg))):
            yield Words(
                f"{request.id} 固定在 {request.pinned_at}，却安排在 {stop.start_at}",
                f"{request.id} is pinned at {request.pinned_at}, not at {stop.start_at}",
            )


def _at_once(route: Route, leg: Leg) -> bool:
    """Return whether the visit begins as soon as the drive and the breaks before it are over."""
    before = [b for b in route.breaks if leg.left <= b.start_at and b.end_at <= leg.reached]
    resting = sum((b.end_at - b.start_at for b in before), timedelta())
    ready = [leg.left + leg.drive + resting, *(b.end_at for b in before)]
    return leg.reached - max(ready) < SECOND


def _started(case: Case, route: Route) -> Iterator[Words]:
    """Started visits come first, and those on site stay at their time."""
    planned_before = False
    for stop in route.stops:
        request = case.requests[stop.request]
        if request.started and planned_before:
            yield Words(
                f"{request.id} 已开始，却排在其他任务之后",
                f"{request.id} is started, yet comes after other visits",
            )
        if request.started and request.pinned_at not in (None, stop.start_at):
            yield Words(
                f"{request.id} 已于 {request.pinned_at} 开始，却被移动",
                f"{request.id} has been going on since {request.pinned_at}, yet is moved",
            )
        planned_before = planned_before or not request.started


RULES: tuple[Callable[[Case, Route], Iterator[Words]], ...] = (
    _certificates,
    _shifts,
    _sense,
    _travel,
    _breaks,
    _pins,
    _started,
)
