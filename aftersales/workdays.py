"""Working days of mainland China: holidays, make-up days, and how far they are announced.

The State Council announces the days of a year late in the year before. Beyond the last announced
year the ``holidays`` package still names the statutory days but knows no make-up days and does
not say so; ``horizon`` does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import count

from holidays.countries.china import China

FIRST_YEAR = 2001
GUESSED_YEARS = 15
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Override:
    """A row that corrects the package: whether ``day`` is worked; ``why`` names the notice."""

    day: date
    works: bool
    why: str


@dataclass(frozen=True, slots=True)
class Workdays:
    """Monday to Friday without ``rest``, plus the weekend days of ``makeup``.

    Days after ``horizon`` are a guess: a deadline that falls there is provisional.
    """

    rest: frozenset[date]
    makeup: frozenset[date]
    horizon: date

    def works(self, day: date) -> bool:
        """Return whether ``day`` is a working day."""
        return day in self.makeup or (day.weekday() < 5 and day not in self.rest)

    def after(self, day: date, n: int) -> date:
        """Return the ``n``-th working day after ``day``; ``day`` itself for 0."""
        while n > 0:
            day += _DAY
            n -= self.works(day)
        return day

    def rolled(self, day: date) -> date:
        """Return ``day``, or the next working day if it is a rest day (Civil Code art. 203)."""
        return day if self.works(day) else self.after(day, 1)

    def rolled_back(self, day: date) -> date:
        """Return ``day``, or the last working day before it: for inspections, never later."""
        while not self.works(day):
            day -= _DAY
        return day

    def count(self, start: date, end: date) -> int:
        """Return how many working days d have start <= d < end."""
        return sum(self.works(start + i * _DAY) for i in range((end - start).days))


def china(overrides: Iterable[Override] = (), horizon: date | None = None) -> Workdays:
    """Return the working days the package knows, corrected by ``overrides``.

    Whoever enters the rows of a newly announced year also gives its last day as ``horizon``.
    """
    rest, makeup = _packaged()
    rows = list(overrides)
    works, rests = {r.day for r in rows if r.works}, {r.day for r in rows if not r.works}
    return Workdays((rest - works) | rests, (makeup - rests) | works, horizon or packaged_horizon())


@cache
def packaged_horizon() -> date:
    """Return the last day that no announcement still to come can change, as past ones did not.

    The announcements for 2002, 2008 and 2019 moved days from 29 December before the year on.
    """
    return date(_last_announced(), 12, 28)


def _last_announced() -> int:
    """Return the last year with make-up days of its own: every announced year since 2001 has."""
    return next(year for year in count(FIRST_YEAR) if not _makeup(year + 1))


def _makeup(year: int) -> frozenset[date]:
    return frozenset(d for d in _known([year]).weekend_workdays if d.year == year)


@cache
def _packaged() -> tuple[frozenset[date], frozenset[date]]:
    years = range(FIRST_YEAR, _last_announced() + GUESSED_YEARS)
    known = _known(years)
    return frozenset(known), frozenset(known.weekend_workdays)


def _known(years: Iterable[int]) -> China:
    return China(years=years)  # type: ignore[no-untyped-call]
