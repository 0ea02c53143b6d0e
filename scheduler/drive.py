"""Drive one route: is it possible, what does it cost, when does each visit begin.

A break is taken on one leg of the route: before leaving, on the road, or after arriving. Which
leg is best is not known before the end, so the choices are carried along as labels and the ones
that are both later and dearer dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scheduler.model import Day, Duty, Rest

Label = tuple[int, int, tuple[int, ...]]  # time, cost so far, the leg of each break taken


class Driven(NamedTuple):
    """What a route costs, and on which leg each break is taken."""

    cost: int
    legs: tuple[int, ...]


def drive(day: Day, duty: Duty, jobs: Sequence[int]) -> Driven | None:
    """Return the cheapest way to drive ``jobs`` in this order, None where there is none.

    The cost counts travel, lateness and changes of ``jobs`` and the drive home; facts do not count.
    """
    if not jobs:
        return Driven(day.times[duty.here][duty.home] if duty.facts else 0, ())
    labels: list[Label] = [(duty.start, 0, ())]
    here = duty.here
    for leg, job in enumerate(jobs):
        travel = day.times[here][day.place[job]]
        labels = _arrivals(duty.rests, labels, travel, leg)
        labels = _served(day, duty, labels, job, travel)
        if not labels:
            return None
        if len(labels) > 1:
            labels = _undominated(labels)
        here = day.place[job]
    return _home(duty, labels, day.times[here][duty.home], len(jobs), day.weights.travel)


def _arrivals(rests: Sequence[Rest], labels: list[Label], travel: int, leg: int) -> list[Label]:
    """Return ``labels`` after a leg, with no, one or more of the next breaks taken on it."""
    found: list[Label] = []
    for at, cost, taken in labels:
        arrive, free, legs = at + travel, at, taken
        found.append((arrive, cost, legs))
        for rest_from, rest_to, duration in rests[len(taken) :]:
            free = max(free, rest_from) + duration
            if free > rest_to:
                break
            arrive = max(arrive, rest_from) + duration
            legs = (*legs, leg)
            found.append((arrive, cost, legs))
    return found


def _served(day: Day, duty: Duty, labels: list[Label], job: int, travel: int) -> list[Label]:
    """Return ``labels`` after serving ``job``, without those that come too late."""
    opens, closes, due = day.opens[job], day.closes[job], day.due[job]
    duration, rate, fee = day.duration[job], day.rate[job], travel * day.weights.travel
    latest = min(closes, duty.end - duration)
    changed = day.was_with[job] != -1
    found: list[Label] = []
    for at, cost_before, legs in labels:
        begin = at if at > opens else opens
        if begin > latest:
            continue
        cost = cost_before + fee
        if begin > due:
            cost += (begin - due) * rate
        if changed:
            cost += day.change(job, duty.technician, begin)
        found.append((begin + duration, cost, legs))
    return found


def _undominated(labels: list[Label]) -> list[Label]:
    """Return the labels that no other beats in time and cost with at least its breaks taken."""
    labels.sort(key=lambda label: (label[0], label[1], -len(label[2])))
    kept: list[Label] = []
    for label in labels:
        if not any(k[1] <= label[1] and len(k[2]) >= len(label[2]) for k in kept):
            kept.append(label)
    return kept


def _home(duty: Duty, labels: list[Label], travel: int, leg: int, weight: int) -> Driven | None:
    best: Driven | None = None
    for label in labels:
        legs = _last_leg(duty, label, travel, leg)
        cost = label[1] + travel * weight
        if legs is not None and (best is None or cost < best.cost):
            best = Driven(cost, legs)
    return best


def _last_leg(duty: Duty, label: Label, travel: int, leg: int) -> tuple[int, ...] | None:
    """Return where the breaks are if the technician can be home in time, None if not.

    A break may also be taken at home, between the arrival and the end of the shift; it has the
    number of the leg after the last one.
    """
    at, _, legs = label
    if at + travel > duty.end:
        return None
    left = duty.rests[len(legs) :]
    for on_road in range(len(left) + 1):
        home_at, free = at + travel, at
        for rest_from, rest_to, duration in left[:on_road]:
            free = max(free, rest_from) + duration
            home_at = max(home_at, rest_from) + duration
            if free > rest_to or home_at > duty.end:
                return None
        if _rests_at_home(left[on_road:], home_at):
            return legs + (leg,) * on_road + (leg + 1,) * (len(left) - on_road)
    return None


def _rests_at_home(rests: Sequence[Rest], free: int) -> bool:
    for rest_from, rest_to, duration in rests:
        free = max(free, rest_from) + duration
        if free > rest_to:
            return False
    return True


class Call(NamedTuple):
    """One visit in time: arrival and begin in seconds, the drive to it."""

    job: int
    travel: int
    arrive: int
    begin: int


@dataclass(frozen=True, slots=True)
class Timetable:
    """A driven route: its visits, its breaks as (from, to), and when the technician is home."""

    calls: tuple[Call, ...]
    breaks: tuple[tuple[int, int], ...]
    home: int


def timetable(day: Day, duty: Duty, jobs: Sequence[int], legs: Sequence[int]) -> Timetable:
    """Return the times of ``jobs`` with each break on the leg that ``drive`` chose."""
    calls: list[Call] = []
    breaks: list[tuple[int, int]] = []
    here, at = duty.here, duty.start
    for leg in range(len(jobs) + 1):
        there = day.place[jobs[leg]] if leg < len(jobs) else duty.home
        travel = day.times[here][there]
        arrive, free = at + travel, at
        for (rest_from, _, duration), taken in zip(duty.rests, legs, strict=False):
            if taken == leg:
                free = max(free, rest_from) + duration
                arrive = max(arrive, rest_from) + duration
                breaks.append((free - duration, free))
        if leg < len(jobs):
            begin = max(arrive, day.opens[jobs[leg]])
            calls.append(Call(jobs[leg], travel, arrive, begin))
            at, here = begin + day.duration[jobs[leg]], there
        else:
            at = arrive
    return Timetable(tuple(calls), tuple(breaks) + _at_home(duty, legs, len(jobs) + 1, at), at)


def _at_home(duty: Duty, legs: Sequence[int], leg: int, free: int) -> tuple[tuple[int, int], ...]:
    found = []
    for (rest_from, _, duration), taken in zip(duty.rests, legs, strict=False):
        if taken == leg:
            free = max(free, rest_from) + duration
            found.append((free - duration, free))
    return tuple(found)
