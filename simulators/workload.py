"""How much a laboratory works: tests per hour over the day, the week and the year.

Source: EQUIPMENT section 1; figures there are estimates of a county-level hospital.
"""

from datetime import date, timedelta
from functools import lru_cache

import holidays
import numpy as np

from equipment.reading import Floats, Ints
from simulators import noise

DAY_MS = 86_400_000
ZONE_MS = 8 * 3_600_000  # China has one zone and no summer time
FIRST_DAY = date(2024, 1, 1)
LAST_DAY = date(2039, 12, 31)
_FIRST_DAY_NUMBER = (FIRST_DAY - date(1970, 1, 1)).days

TESTS_PER_DAY: dict[str, float] = {"CHEM": 4000, "IMMU": 700, "HEMA": 500, "POCT": 12}
_KNOTS_H = np.array([0.0, 6, 7, 11, 14, 17, 24])
_DONE = np.array([0.0, 0.02, 0.06, 0.62, 0.76, 0.93, 1.0])
_WEEKEND, _MONDAY = 0.4, 1.12
_DAILY_SCATTER = 0.06

_HOURS = np.arange(-0.5, 25.5)
_RATES = np.diff(np.interp(np.arange(25), _KNOTS_H, _DONE))
_BUSY = np.concatenate([_RATES[-1:], _RATES, _RATES[:1]]) / _RATES.max()
_BUSY_MEAN = float(_RATES.mean() / _RATES.max())
_WARM = np.cos((_HOURS - 15) / 24 * 2 * np.pi)


class OutsideCalendar(ValueError):
    """An instant for which no working days are known; the text names the day."""


@lru_cache(maxsize=1)
def _day_factors() -> Floats:
    """Return the factor of every day of the calendar: a holiday works like a weekend."""
    free = holidays.country_holidays("CN", years=range(FIRST_DAY.year, LAST_DAY.year + 1))
    count = (LAST_DAY - FIRST_DAY).days + 1
    days = [FIRST_DAY + timedelta(days=n) for n in range(count)]
    return np.array([_day_factor(day, free=day in free) for day in days])


def _day_factor(day: date, *, free: bool) -> float:
    if free or day.weekday() >= 5:
        return _WEEKEND
    return _MONDAY if day.weekday() == 0 else 1.0


def _hour_of_day(at_ms: Ints) -> Floats:
    hours: Floats = (at_ms + ZONE_MS) % DAY_MS / 3_600_000
    return hours


def day_number(at_ms: Ints) -> Ints:
    """Return the local day of every instant, counted from FIRST_DAY. Raises OutsideCalendar."""
    days: Ints = (at_ms + ZONE_MS) // DAY_MS - _FIRST_DAY_NUMBER
    if len(days) and (days.min() < 0 or days.max() >= len(_day_factors())):
        wrong = days.min() if days.min() < 0 else days.max()
        day = FIRST_DAY + timedelta(days=int(wrong))
        raise OutsideCalendar(f"{day} is outside {FIRST_DAY}..{LAST_DAY}")
    return days


def warmth(at_ms: Ints) -> Floats:
    """Return the swing of a room's temperature: -1 at three at night, 1 in the afternoon."""
    return np.interp(_hour_of_day(at_ms), _HOURS, _WARM)


class Workload:
    """The work of one device: ``per_day`` tests on a plain Tuesday, never twice the same."""

    def __init__(self, per_day: float, key: int) -> None:
        scatter = noise.gauss(np.array([key], dtype=np.uint64), np.arange(len(_day_factors())))
        self._factors = _day_factors() * (1 + _DAILY_SCATTER * scatter)
        self.totals = per_day * self._factors
        self._before = np.concatenate([[0.0], np.cumsum(self.totals)])

    def done(self, at_ms: Ints) -> Floats:
        """Return the tests done from FIRST_DAY until every instant."""
        day = day_number(at_ms)
        done: Floats = self._before[day] + self.totals[day] * np.interp(
            _hour_of_day(at_ms), _KNOTS_H, _DONE
        )
        return done

    def busyness(self, at_ms: Ints) -> Floats:
        """Return how busy the device is: 0 on an average weekday hour, 1 at its peak."""
        level = np.interp(_hour_of_day(at_ms), _HOURS, _BUSY) * self._factors[day_number(at_ms)]
        busy: Floats = (level - _BUSY_MEAN) / (1 - _BUSY_MEAN)
        return busy
