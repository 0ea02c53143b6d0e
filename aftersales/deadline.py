"""When a period ends: hours elapse, days end at 24:00, working days skip rest days.

Source: Civil Code arts. 201-203. The start day does not count; months and years end on the
corresponding day, or the month's last; a rest day as last day rolls on where the period says so.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from aftersales.workdays import Workdays

_DAY = timedelta(days=1)


class Unit(StrEnum):
    """What a period is counted in."""

    MINUTES = "min"
    HOURS = "h"
    DAYS = "d"
    WORKDAYS = "wd"
    MONTHS = "m"
    YEARS = "y"


_ELAPSED = {Unit.MINUTES: timedelta(minutes=1), Unit.HOURS: timedelta(hours=1)}


class Limit(NamedTuple):
    """``n`` units; with ``roll``, a rest day as last day moves to the next working day."""

    n: int
    unit: Unit
    roll: bool = False

    @property
    def elapses(self) -> bool:
        """Return whether the period runs by the clock, day and night, not by whole days."""
        return self.unit in _ELAPSED

    @property
    def asks_calendar(self) -> bool:
        """Return whether the working days decide where the period ends."""
        return self.roll or self.unit is Unit.WORKDAYS


def due_at(limit: Limit, start: datetime, workdays: Workdays, zone: tzinfo) -> datetime:
    """Return the instant (UTC) at which the period that began at ``start`` is over."""
    if limit.elapses:
        return start + limit.n * _ELAPSED[limit.unit]
    return end_of(_last_day(limit, start.astimezone(zone).date(), workdays), zone)


def extended(
    limit: Limit,
    due: datetime,
    workdays: Workdays,
    zone: tzinfo,
    *,
    since: datetime,
    until: datetime,
) -> datetime:
    """Return ``due`` after the clock stood still from ``since`` (before ``due``) to ``until``.

    Periods in days gain one day for every midnight of the hold; those in working days only for
    the end of a working day.
    """
    if limit.elapses:
        return due + (until - since)
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    day = last_day_of(due, zone)
    if limit.unit is Unit.WORKDAYS:
        return end_of(workdays.after(day, workdays.count(first, last)), zone)
    day += last - first
    return end_of(workdays.rolled(day) if limit.roll else day, zone)


def end_of(day: date, zone: tzinfo) -> datetime:
    """Return 24:00 of ``day`` in ``zone``, as UTC."""
    midnight = datetime.combine(day + _DAY, time(), tzinfo=zone)
    return midnight.astimezone(UTC)


def last_day_of(due: datetime, zone: tzinfo) -> date:
    """Return the day in ``zone`` whose 24:00 is ``due``."""
    return (due.astimezone(zone) - timedelta(microseconds=1)).date()


def _last_day(limit: Limit, day: date, workdays: Workdays) -> date:
    if limit.unit is Unit.WORKDAYS:
        return workdays.after(day, limit.n)
    if limit.unit is Unit.DAYS:
        last = day + limit.n * _DAY
    else:
        last = _months_later(day, limit.n * (12 if limit.unit is Unit.YEARS else 1))
    return workdays.rolled(last) if limit.roll else last


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
