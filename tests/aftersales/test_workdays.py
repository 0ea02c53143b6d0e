from datetime import date, timedelta

import chinese_calendar
import pytest

from aftersales.workdays import Override, china, packaged_horizon

DAY = timedelta(days=1)
# The oracle lacks the make-up day of the announcement for 2006 (Office of the State Council,
# telegram 2005 no. 35): "Saturday 31 December is worked".
ORACLE_ERRS = [date(2005, 12, 31)]


def days(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def test_every_announced_day_is_what_a_second_source_says() -> None:
    works = china().works
    covered = days(date(2004, 1, 1), date(2026, 12, 31))
    differ = [day for day in covered if works(day) != chinese_calendar.is_workday(day)]
    assert differ == ORACLE_ERRS


def test_the_horizon_lies_in_the_last_year_the_second_source_knows() -> None:
    assert packaged_horizon() == date(2026, 12, 28)


def test_no_announcement_changed_a_day_up_to_28_december_of_the_year_before() -> None:
    moved = [d for d in china().makeup if d.month == 12 and d.day > 15]
    assert min((d.month, d.day) for d in moved) == (12, 29)


@pytest.mark.parametrize(
    ("day", "n", "last"),
    [
        ("2024-09-30", 5, "2024-10-12"),
        ("2026-02-12", 1, "2026-02-13"),
        ("2026-02-13", 1, "2026-02-14"),
        ("2026-02-14", 1, "2026-02-24"),
        ("2026-02-14", 0, "2026-02-14"),
    ],
)
def test_working_days_skip_rest_days_and_count_make_up_days(day: str, n: int, last: str) -> None:
    assert china().after(date.fromisoformat(day), n) == date.fromisoformat(last)


def test_a_rest_day_rolls_to_the_next_or_the_last_working_day() -> None:
    workdays = china()
    rest = date(2026, 2, 17)
    assert workdays.rolled(rest) == date(2026, 2, 24)
    assert workdays.rolled_back(rest) == date(2026, 2, 14)
    assert workdays.rolled(date(2026, 2, 14)) == date(2026, 2, 14)


def test_a_row_corrects_the_package_both_ways() -> None:
    newly = [
        Override(date(2027, 2, 5), False, "announcement for 2027"),
        Override(date(2027, 1, 30), True, "announcement for 2027"),
    ]
    workdays = china(newly, horizon=date(2027, 12, 28))
    assert not workdays.works(date(2027, 2, 5))
    assert workdays.works(date(2027, 1, 30))
    assert workdays.horizon == date(2027, 12, 28)
