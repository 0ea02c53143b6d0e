"""How a row came in time."""

import numpy as np
import pytest

from equipment.lateness import DAY_MS, Known, lateness, tolerance
from equipment.reading import AHEAD, HISTORICAL, LATE, LIVE, OLD

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


def one(ago_ms: int, *, marked: bool = False, behind_ms: int = 0, watermark_ms: int = 0) -> int:
    """Return the code of a row of a device that measures every 10 s."""
    window_ms = tolerance(10.0).window_ms
    known = Known(*(np.array([n], np.int64) for n in (window_ms, watermark_ms, behind_ms)))
    at_ms = np.array([NOW_MS - ago_ms], np.int64)
    return int(lateness(at_ms, np.array([marked]), NOW_MS, known)[0])


@pytest.mark.parametrize(
    ("ago_ms", "code"),
    [
        (0, LIVE),
        (80_000, LIVE),
        (80_001, LATE),
        (DAY_MS, LATE),
        (DAY_MS + 1, OLD),
        (-80_000, LIVE),
        (-80_001, AHEAD),
    ],
)
def test_live_is_within_two_periods_and_a_minute_and_late_within_a_day(
    ago_ms: int, code: int
) -> None:
    assert one(ago_ms) == code


@pytest.mark.parametrize(("ago_ms", "code"), [(0, HISTORICAL), (-HOUR_MS, AHEAD)])
def test_what_a_device_calls_history_is(ago_ms: int, code: int) -> None:
    assert one(ago_ms, marked=True) == code


def test_a_row_far_behind_what_its_device_has_said_is_late() -> None:
    assert one(50_000, watermark_ms=NOW_MS + 40_000) == LATE


@pytest.mark.parametrize(
    ("ago_ms", "code"), [(8 * HOUR_MS, LIVE), (0, LIVE), (9 * HOUR_MS, LATE), (-HOUR_MS, AHEAD)]
)
def test_a_clock_known_to_be_slow_excuses_what_it_explains(ago_ms: int, code: int) -> None:
    assert one(ago_ms, behind_ms=8 * HOUR_MS) == code


def test_a_fast_clock_of_ours_stretches_every_delay() -> None:
    assert tolerance(60.0) == (180_000, 75_000)
    assert tolerance(60.0, speed=120.0).window_ms == 120_000 + 120 * 60_000


def test_no_declared_period_makes_a_row_of_yesterday_live() -> None:
    assert tolerance(1e300).window_ms == DAY_MS
