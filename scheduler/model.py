"""The day in whole numbers: seconds after the start of planning, places and jobs by number.

The search steps through these lists many thousand times; nothing here decides anything but what
is already settled: which visits are started, which are frozen, who may go where at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.cost import Weights, late_rate, moved_cost, published_starts, unserved_cost
from scheduler.plan import (
    Break,
    DayPlan,
    ImpossibleProblem,
    Place,
    Shift,
    Technician,
    VisitRequest,
)
from scheduler.travel import Travel, travel_matrix

NEVER = 1 << 40
Rest = tuple[int, int, int]  # from, to, duration


@dataclass(frozen=True, slots=True)
class Fact:
    """A started visit: when it was reached, when it will be done."""

    job: int
    travel_s: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Duty:
    """One technician in one shift: from ``start`` at place ``here`` until home by ``end``.

    ``facts`` come first and are settled. ``rests`` are the breaks that are still due.
    """

    technician: int
    shift: Shift | None
    here: int
    home: int
    start: int
    end: int
    rests: tuple[Rest, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(slots=True)
class Day:
    """One planning problem in numbers; job i is ``requests[i]``."""

    origin: datetime
    now: int
    requests: Sequence[VisitRequest]
    technicians: Sequence[Technician]
    times: list[list[int]]
    weights: Weights
    zone: ZoneInfo
    duties: list[Duty] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    opens: list[int] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    rate: list[int] = field(default_factory=list)
    unserved: list[int] = field(default_factory=list)
    allowed: list[tuple[int, ...]] = field(default_factory=list)
    was_with: list[int] = field(default_factory=list)
    was_at: list[int] = field(default_factory=list)

    def after(self, at: datetime) -> int:
        """Return the first whole second not before ``at``."""
        return -((self.origin - at) // timedelta(seconds=1))

    def before(self, at: datetime) -> int:
        """Return the last whole second not after ``at``."""
        return (at - self.origin) // timedelta(seconds=1)

    def at(self, second: int) -> datetime:
        """Return the instant of ``second``."""
        return self.origin + timedelta(seconds=second)

    def detour_s(self, here: int, via: int, there: int) -> int:
        """Return how much longer the drive from ``here`` to ``there`` is by ``via``."""
        return self.times[here][via] + self.times[via][there] - self.times[here][there]

    def change(self, job: int, technician: int, begin: int) -> int:
        """Return what it costs that a published ``job`` begins then, with that technician."""
        hands = 0 if self.was_with[job] == technician else self.weights.other_technician
        return hands + moved_cost(begin - self.was_at[job], self.weights)


def day(
    requests: Sequence[VisitRequest],
    technicians: Sequence[Technician],
    travel: Travel,
    *,
    now: datetime,
    published: DayPlan | None,
    weights: Weights,
    zone: str,
) -> Day:
    """Return the problem in numbers. Raises ImpossibleProblem."""
    _check(requests, technicians, now)
    places = _places(requests, technicians)
    times = travel_matrix(travel, list(places)).tolist()
    origin = now.astimezone(UTC).replace(microsecond=0)
    made = Day(origin, 0, requests, technicians, times, weights, ZoneInfo(zone))
    made.now = made.after(now)
    _add_jobs(made, places, published)
    for number in range(len(technicians)):
        made.duties += _duties(made, number, places)
    made.allowed = [_allowed(made, request) for request in requests]
    return made


def _check(
    requests: Sequence[VisitRequest], technicians: Sequence[Technician], now: datetime
) -> None:
    if now.tzinfo is None:
        raise ImpossibleProblem(f"now {now} has no time zone")
    if requests and not technicians:
        raise ImpossibleProblem(f"technicians: none, for {len(requests)} visit requests")
    for what, things in (("visit request", requests), ("technician", technicians)):
        seen: set[str] = set()
        for thing in things:
            if thing.id in seen:
                raise ImpossibleProblem(f"{what}: id {thing.id} is there twice")
            seen.add(thing.id)


def _places(
    requests: Sequence[VisitRequest], technicians: Sequence[Technician]
) -> dict[Place, int]:
    found = [request.place for request in requests]
    for technician in technicians:
        found += [technician.home, technician.at or technician.home]
    return {place: number for number, place in enumerate(dict.fromkeys(found))}


def _add_jobs(made: Day, places: Mapping[Place, int], published: DayPlan | None) -> None:
    before = published_starts(published)
    number = {technician.id: i for i, technician in enumerate(made.technicians)}
    for request in made.requests:
        made.place.append(places[request.place])
        made.duration.append(request.duration_s)
        opens = request.pinned_at or request.earliest_at
        made.opens.append(made.now if opens is None else max(made.now, made.after(opens)))
        made.closes.append(NEVER)
        made.due.append(NEVER if request.promised_by is None else made.before(request.promised_by))
        made.rate.append(late_rate(request, made.weights))
        made.unserved.append(unserved_cost(request, made.weights))
        whose, when = before.get(request.id, (None, None))
        made.was_with.append(-1 if whose is None else number.get(whose, -2))
        made.was_at.append(-1 if when is None else made.after(when))


def _duties(made: Day, number: int, places: Mapping[Place, int]) -> list[Duty]:
    """Return what is left of a technician's shifts, started visits in the one under way.

    Who has started visits outside a shift has a duty of just these, without a shift.
    """
    technician = made.technicians[number]
    here, home = places[technician.at or technician.home], places[technician.home]
    free = made.now if technician.free_at is None else max(made.now, made.after(technician.free_at))
    left = [s for s in technician.shifts if made.before(s.end_at) > free]
    on_call = Duty(number, None, here, home, start=free, end=free)
    on_call = _with_facts(made, on_call, _started(made, technician.id))
    duties = [] if not on_call.facts or _reaches(made, on_call, left) else [on_call]
    for shift in sorted(left, key=lambda s: s.start_at):
        duty = Duty(
            number, shift, home, home, made.after(shift.start_at), made.before(shift.end_at)
        )
        if not duties and on_call.facts:
            duty = replace(on_call, shift=shift, end=duty.end)
        elif not duties and duty.start <= free:
            duty = replace(duty, here=here, start=free)
        elif duties:
            duty = replace(duty, start=max(duty.start, _home_from_facts(made, duties[-1])))
        duties.append(_with_rests(made, duty))
    return duties


def _reaches(made: Day, on_call: Duty, left: Sequence[Shift]) -> bool:
    """Return whether the started visits last into a shift."""
    return any(made.after(shift.start_at) <= on_call.start for shift in left)


def _home_from_facts(made: Day, duty: Duty) -> int:
    return duty.start + made.times[duty.here][duty.home] if duty.facts else 0


def _started(made: Day, technician: str) -> list[int]:
    """Return the jobs the technician has started: in the order begun, the one under way last."""
    jobs = [i for i, r in enumerate(made.requests) if r.started and r.pinned_to == technician]
    return sorted(jobs, key=lambda i: (_begun(made, i) is None, _begun(made, i) or 0))


def _begun(made: Day, job: int) -> int | None:
    at = made.requests[job].pinned_at
    return None if at is None else made.before(at)


def _with_facts(made: Day, duty: Duty, started: Sequence[int]) -> Duty:
    facts: list[Fact] = []
    here, free = duty.here, duty.start
    for job in started:
        begun = _begun(made, job)
        travel = 0 if begun is not None else made.times[here][made.place[job]]
        start = begun if begun is not None else free + travel
        end = max(start + made.duration[job], made.now)
        facts.append(Fact(job, travel, start, end))
        here, free = made.place[job], max(free, end)
    return Duty(
        duty.technician,
        duty.shift,
        here,
        duty.home,
        start=free,
        end=duty.end,
        facts=tuple(facts),
    )


def _with_rests(made: Day, duty: Duty) -> Duty:
    """Return ``duty`` with the breaks that can still be taken; the others count as taken."""
    breaks = duty.shift.breaks if duty.shift else ()
    spans = [_rest(made, one) for one in breaks]
    due = tuple(rest for rest in spans if max(duty.start, rest[0]) + rest[2] <= rest[1])
    return replace(duty, rests=due)


def _rest(made: Day, one: Break) -> Rest:
    return made.after(one.from_at), made.before(one.to_at), one.duration_s


def certified(made: Day, technician: Technician, family: str | None, at: datetime) -> bool:
    """Return whether the technician may work on ``family`` on the day of ``at``."""
    if family is None:
        return True
    until = technician.certificates.get(family)
    return until is not None and at.astimezone(made.zone).date() <= until


def _allowed(made: Day, request: VisitRequest) -> tuple[int, ...]:
    """Return the duties that may serve ``request``: certified, its technician, its time."""
    if request.started:
        return ()
    opens = request.pinned_at or request.earliest_at
    return tuple(
        number
        for number, duty in enumerate(made.duties)
        if duty.shift is not None
        and request.pinned_to in (None, made.technicians[duty.technician].id)
        and (opens is None or made.after(opens) < duty.end)
        and certified(made, made.technicians[duty.technician], request.family, duty.shift.end_at)
    )
