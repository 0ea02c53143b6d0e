"""Frozen visits: those with a pinned time are put in place before the search begins.

A frozen visit begins at its pinned time. Where that has passed, or the technician cannot be there
any more, it begins as soon as the technician comes straight to it, and nothing is put before it.
"""

from dataclasses import dataclass

from scheduler.drive import drive, timetable
from scheduler.model import NEVER, Day


@dataclass(frozen=True, slots=True)
class Frozen:
    """Per duty the frozen jobs in order, and how many of them nothing may be put before.

    ``refused`` jobs break a rule of the shift whenever they begin.
    """

    routes: tuple[tuple[int, ...], ...]
    locked: tuple[int, ...]
    refused: tuple[int, ...]


def freeze(day: Day) -> Frozen:
    """Put the frozen visits in place: sets their time window in ``day``."""
    routes: list[tuple[int, ...]] = [() for _ in day.duties]
    locked = [0] * len(day.duties)
    refused: list[int] = []
    jobs = [i for i, r in enumerate(day.requests) if r.pinned_at is not None and not r.started]
    for job in sorted(jobs, key=lambda i: (day.opens[i], i)):
        duty = next(iter(day.allowed[job]), None)
        if duty is None or not _freeze(day, duty, (*routes[duty], job), locked):
            refused.append(job)
            day.allowed[job] = ()
            continue
        routes[duty] = (*routes[duty], job)
        day.allowed[job] = (duty,)
    return Frozen(tuple(routes), tuple(locked), tuple(refused))


def _freeze(day: Day, duty: int, route: tuple[int, ...], locked: list[int]) -> bool:
    job = route[-1]
    pinned_at = day.requests[job].pinned_at
    if pinned_at is not None and day.after(pinned_at) == day.opens[job]:
        day.closes[job] = day.opens[job]
        if drive(day, day.duties[duty], route) is not None:
            return True
    day.closes[job] = NEVER
    driven = drive(day, day.duties[duty], route)
    if driven is None:
        return False
    begin = timetable(day, day.duties[duty], route, driven.legs).calls[-1].begin
    day.opens[job] = day.closes[job] = begin
    locked[duty] = len(route)
    return True
