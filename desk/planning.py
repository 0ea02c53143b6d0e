"""Tickets become a checked day plan, and the plan becomes visits.

A plan is published only when nothing it was made from changed meanwhile and the checker, which
shares no code with the solver, has nothing against it. Otherwise the last good plan stays, with
the reason why there is no new one.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aftersales import team
from aftersales.access import Role
from aftersales.machine import By
from aftersales.promises import PROMISES, Origin, clocks
from aftersales.ticket import Ticket
from aftersales.visit import ENDED, Visit, apply, plan_visit
from desk.office import Office
from equipment.device import BadRecord, Device, Site
from equipment.words import Words
from scheduler.check import violations
from scheduler.demand import OVER, Due, crew, visit_requests
from scheduler.plan import (
    DayPlan,
    ImpossibleProblem,
    Place,
    Stop,
    Technician,
    Unserved,
    VisitRequest,
)
from scheduler.published import Published
from scheduler.travel import Travel
from storage.interface import Work

log = logging.getLogger(__name__)
_MANY = 10_000
LOOK_AHEAD = timedelta(days=3)
MOVES = ("ticket.", "visit.", "device.restored", "technician.")

Solve = Callable[[Sequence[VisitRequest], Sequence[Technician], datetime, DayPlan | None], DayPlan]


class Overtaken(RuntimeError):
    """Tickets or visits changed while the plan was made; it would be outdated. Plan again."""


class NoPlan(RuntimeError):
    """The solver gave no plan: it crashed, ran out of time, or was stopped; the text says which."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a plan is made from, and the journal id up to which that is true."""

    head: int
    requests: Sequence[VisitRequest]
    technicians: Sequence[Technician]
    impossible: Sequence[Unserved]
    idle: Sequence[Words]
    published: Published | None


def plan_visits(office: Office, solve: Solve, travel: Travel) -> int:
    """Make, check and keep a plan of the open tickets.

    Returns the journal id up to which everything is in the plan, or known to be the reason why
    there is none. Raises Overtaken.
    """
    now = office.now()
    try:
        snapshot = _snapshot(office, now)
    except BadRecord as error:
        why = Words(f"记录有误：{error}", f"a record is wrong: {error}")
        return _failed(office, _head(office), now, why)
    last = snapshot.published.plan if snapshot.published else None
    try:
        plan = solve(snapshot.requests, snapshot.technicians, now, last)
    except ImpossibleProblem as error:
        why = Words(f"无法排程：{error}", f"cannot plan: {error}")
        return _failed(office, snapshot.head, now, why)
    except NoPlan as error:
        why = Words(f"求解未完成：{error}", f"no new plan: {error}")
        return _failed(office, snapshot.head, now, why)
    wrong = violations(plan, snapshot.requests, snapshot.technicians, travel, now)
    if wrong:
        log.error("plan refused by the checker", extra={"first": wrong[0].en, "count": len(wrong)})
        return _failed(office, snapshot.head, now, _unchecked(wrong[0]))
    plan = replace(
        plan,
        unserved=(*plan.unserved, *snapshot.impossible),
        warnings=(*plan.warnings, *snapshot.idle),
    )
    return _publish(office, snapshot, plan, now)


def _snapshot(office: Office, now: datetime) -> Snapshot:
    with office.records.read() as work:
        tickets = work.shelf(Ticket).find(state="open", limit=_MANY)
        visits = [
            visit
            for visit in work.shelf(Visit).find(ticket=[t.id for t in tickets], limit=_MANY)
            if visit.state not in ENDED
        ]
        sites = {site.id: site for site in work.shelf(Site).find(limit=_MANY)}
        devices = {d.id: d for d in work.shelf(Device).find(limit=10 * _MANY)}
        staff = work.shelf(team.Technician).find(limit=_MANY)
        plans = work.shelf(Published).find(limit=1, newest_first=True)
        due = {t.id: _due(office, work, t, now) for t in tickets}
        head = work.journal.head()
    requests, impossible = _requests(tickets, visits, sites, devices, due, now=now)
    technicians, idle = _team(staff, _whereabouts(visits, sites), now, office.zone)
    return Snapshot(head, requests, technicians, impossible, idle, plans[0] if plans else None)


def _head(office: Office) -> int:
    with office.records.read() as work:
        return work.journal.head()


def _requests(
    tickets: Sequence[Ticket],
    visits: Sequence[Visit],
    sites: Mapping[str, Site],
    devices: Mapping[str, Device],
    due: Mapping[str, Due],
    *,
    now: datetime,
) -> tuple[list[VisitRequest], list[Unserved]]:
    """Return what can be planned, and the tickets whose records are wrong."""
    requests, impossible = [], []
    for ticket in tickets:
        own = [visit for visit in visits if visit.ticket == ticket.id]
        try:
            requests += visit_requests([ticket], own, sites, devices, due, now=now)
        except ImpossibleProblem as error:
            why = Words(f"记录有误：{error}", f"its record is wrong: {error}")
            impossible.append(Unserved(ticket.id, why))
    return requests, impossible


def _team(
    staff: Sequence[team.Technician], places: Mapping[str, Place], now: datetime, zone: str
) -> tuple[list[Technician], list[Words]]:
    """Return who can be planned, and why somebody cannot whose record is wrong."""
    found, idle = [], []
    for one in staff:
        try:
            (known,) = crew([replace(one, shifts=_soon(one.shifts, now))], now, zone)
        except ImpossibleProblem as error:
            idle.append(Words(f"未参与排程：{error}", f"left out of the plan: {error}"))
        else:
            found.append(replace(known, at=places.get(one.id)))
    return found, idle


def _soon(duties: Sequence[team.Duty], now: datetime) -> tuple[team.Duty, ...]:
    return tuple(duty for duty in duties if duty.start < now + LOOK_AHEAD)


def _due(office: Office, work: Work, ticket: Ticket, now: datetime) -> Due:
    """Return by when somebody must be there, and whether a contract says so."""
    events = work.journal.of(ticket.id)
    running = [
        (clock.due, PROMISES[clock.promise].origin is not Origin.INTERNAL)
        for clock in clocks(ticket, events, office.workdays, now, ZoneInfo(office.zone))
        if clock.due is not None
        and clock.stop is None
        and "visit.arrived" in PROMISES[clock.promise].stops
    ]
    return min(running, default=(None, False), key=lambda pair: pair[0])


def _whereabouts(visits: Sequence[Visit], sites: Mapping[str, Site]) -> dict[str, Place]:
    """Return where technicians are who have done their work at a site and not left for another."""
    return {
        visit.technician: Place(sites[visit.site].latitude, sites[visit.site].longitude)
        for visit in visits
        if visit.technician and visit.site in sites and visit.state in ("left", "signed")
    }


def _unchecked(why: Words) -> Words:
    return Words(f"计划未通过检查：{why.zh}", f"the plan failed its check: {why.en}")


def _failed(office: Office, head: int, now: datetime, why: Words) -> int:
    log.warning("no new plan", extra={"why": why.en})
    with office.records.begin() as work:
        plans = work.shelf(Published).find(limit=1, newest_first=True)
        kept = plans[0] if plans else Published(_next_id(work, now), now, 0, DayPlan(now))
        work.shelf(Published).put(replace(kept, failed_at=now, why=why))
    return head


def _publish(office: Office, snapshot: Snapshot, plan: DayPlan, now: datetime) -> int:
    with office.records.begin() as work:
        if moved_since(work, snapshot.head):
            raise Overtaken(f"journal moved on from {snapshot.head}")
        stops = [(route.technician, stop) for route in plan.routes for stop in route.stops]
        for technician, stop in stops:
            _send(work, technician, stop, now)
        for unserved in plan.unserved:
            _call_off(work, unserved.request, now)
        kept = Published(_next_id(work, now), plan.made_at, work.journal.head(), plan)
        work.shelf(Published).put(kept)
        _forget_old_plans(work)
    log.info(
        "plan published",
        extra={"visits": len(stops), "unserved": len(plan.unserved), "cost": plan.cost},
    )
    return kept.head


def _next_id(work: Work, now: datetime) -> str:
    """Return an id above that of every plan so far, also when the clock was put back."""
    plans = work.shelf(Published).find(limit=1, newest_first=True)
    return f"{max(int(now.timestamp() * 1000), int(plans[0].id) + 1 if plans else 0):014d}"


def moved_since(work: Work, head: int) -> bool:
    """Return whether tickets or visits changed after journal id ``head``."""
    while news := work.journal.after(head):
        if any(event.type.startswith(MOVES) for event in news):
            return True
        head = news[-1].id
    return False


def _going(work: Work, ticket: str) -> Visit | None:
    """Return the visit that is still to come or going on, not one that only has to be filed."""
    found = work.shelf(Visit).find(ticket=ticket, limit=_MANY)
    visits = [visit for visit in found if visit.state not in ENDED | OVER]
    return visits[-1] if visits else None


def _send(work: Work, technician: str, stop: Stop, now: datetime) -> None:
    """Make the visit what the stop says; one that is accepted or under way stays as it is."""
    visit = _going(work, stop.request)
    window = {"window_from": stop.arrive_at, "window_to": stop.end_at}
    if visit is None:
        ticket = work.shelf(Ticket).get(stop.request)
        assert ticket is not None
        number = f"V-{work.next_number('visit'):06d}"
        visit = Visit(
            number, ticket.id, ticket.site, technician, window_from=stop.arrive_at,
            window_to=stop.end_at,
        )  # fmt: skip
        visit, entries = plan_visit(visit, _planner(now))
        for entry in entries:
            work.journal.append(entry)
    elif visit.state == "offered":
        if visit.technician == technician and not _moved(visit, stop):
            return
        visit = _step(work, visit, "recall", {"reason": "replanned"}, now)
    if visit.state == "planned":
        fit = {"certified": True, "on_duty": True}  # the checker has just judged both
        facts = {**fit, **window, "technician": technician, "pinned": visit.pinned}
        _step(work, visit, "offer", facts, now)


def _moved(visit: Visit, stop: Stop) -> bool:
    """Return whether the stop is more than five minutes from the visit's window."""
    assert visit.window_from is not None
    return abs(stop.arrive_at - visit.window_from) > timedelta(minutes=5)


def _call_off(work: Work, ticket: str, now: datetime) -> None:
    """Take an offered visit back when the plan has nobody for it any more."""
    visit = _going(work, ticket)
    if visit is not None and visit.state == "offered":
        _step(work, visit, "recall", {"reason": "replanned"}, now)


def _step(work: Work, visit: Visit, event: str, facts: dict[str, object], now: datetime) -> Visit:
    visit, entry = apply(visit, event, facts, _planner(now))
    work.shelf(Visit).put(visit)
    work.journal.append(entry)
    return visit


def _planner(now: datetime) -> By:
    return By("planner", Role.DV, now, source="planner")


def _forget_old_plans(work: Work, keep: int = 50) -> None:
    shelf = work.shelf(Published)
    for old in shelf.find(limit=max(0, shelf.count() - keep)):
        shelf.remove(old.id)
