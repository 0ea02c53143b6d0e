from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from simulators.instants import ms_of
from simulators.workload import FIRST_DAY, OutsideCalendar, Workload

CHINA = timezone(timedelta(hours=8))


def midnight(*day: int) -> int:
    return ms_of(datetime(*day, tzinfo=CHINA))


def total(load: Workload, *day: int) -> float:
    start = midnight(*day)
    before, after = load.done(np.array([start, start + 86_400_000]))
    return after - before


@pytest.mark.parametrize(
    ("hour_from", "hour_to", "share"),
    [(0, 6, 0.02), (6, 7, 0.04), (7, 11, 0.56), (11, 14, 0.14), (14, 17, 0.17), (17, 24, 0.07)],
)
def test_each_part_of_the_day_has_its_share_of_the_tests(hour_from, hour_to, share):
    load = Workload(4000, key=1)
    start = midnight(2026, 3, 3)
    hours = np.array([start + hour * 3_600_000 for hour in (hour_from, hour_to)])
    before, after = load.done(hours)
    assert (after - before) / total(load, 2026, 3, 3) == pytest.approx(share)


def test_a_year_of_days_sums_to_the_daily_totals():
    load = Workload(700, key=1)
    first = (datetime(2026, 1, 1).date() - FIRST_DAY).days  # noqa: DTZ001
    before, after = load.done(np.array([midnight(2026, 1, 1), midnight(2027, 1, 1)]))
    assert after - before == pytest.approx(load.totals[first : first + 365].sum())


@pytest.mark.parametrize(
    ("day", "factor"),
    [
        ((2026, 3, 3), 1.0),
        ((2026, 3, 2), 1.12),
        ((2026, 3, 7), 0.4),
        ((2026, 3, 8), 0.4),
        ((2026, 10, 1), 0.4),
    ],
    ids=["Tuesday", "Monday", "Saturday", "Sunday", "National Day, a Thursday"],
)
def test_weekends_and_holidays_are_quiet_and_mondays_busy(day, factor):
    mean = np.mean([total(Workload(1000, key), *day) for key in range(200)])
    assert mean == pytest.approx(1000 * factor, rel=0.02)


def test_an_instant_outside_the_calendar_is_refused():
    with pytest.raises(OutsideCalendar, match="2023-12-31 is outside 2024-01-01"):
        Workload(10, key=1).done(np.array([ms_of(datetime(2023, 12, 31, tzinfo=UTC))]))
