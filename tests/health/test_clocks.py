"""Whether the clock of a device is right, seen from when its rows come in."""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipment.lateness import tolerance
from health.alarm import Alarm
from health.clocks import Clocks

NOW_MS = 1_790_000_000_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
Times = Iterable[tuple[int, int]]  # when it came in, and the instant it names


def clocks(speed: float = 1.0) -> Clocks:
    """One device that measures every 10 s."""
    made = Clocks(speed)
    made.add("D", tolerance(10.0, speed))
    return made


def hear(watch: Clocks, times: Times, *, marked: bool = False) -> list[Alarm]:
    """Let D say what ``times`` tells, a batch each."""
    said: list[Alarm] = []
    for received_ms, at_ms in times:
        rows = np.zeros(1, np.int64), np.array([at_ms], np.int64)
        codes = watch.judge(*rows, np.array([marked]), received_ms)
        said += watch.hear(*rows, codes, received_ms)
    return said


def steady(minutes: float, skew_ms: int, start_ms: int = NOW_MS) -> list[tuple[int, int]]:
    """A reading every 10 s, by a clock that is fast by ``skew_ms``."""
    times = range(start_ms, start_ms + round(minutes * MINUTE_MS), 10_000)
    return [(now_ms, now_ms + skew_ms) for now_ms in times]


def test_a_clock_that_is_right_is_not_spoken_of() -> None:
    watch = clocks()
    assert hear(watch, steady(60, -200)) == []
    assert watch.active() == []


def test_a_fast_clock_is_found_at_its_third_message_and_right_again_at_the_third() -> None:
    watch = clocks()
    assert hear(watch, steady(0.3, 8 * HOUR_MS)) == []
    (alarm,) = hear(watch, steady(0.2, 8 * HOUR_MS, NOW_MS + 20_000))
    assert alarm.says.en.startswith("the clock is 8 hours fast")
    assert (alarm.state, alarm.component) == ("CHECK_FUNCTION", "clock")
    assert watch.active() == [alarm]
    assert watch.heard("D").skew_s == 8 * 3600
    (over,) = hear(watch, steady(5, 0, NOW_MS + HOUR_MS))
    assert (over.id, watch.active()) == (alarm.id, [])
    assert over.cleared_at.timestamp() * 1000 == NOW_MS + HOUR_MS + 20_000


def test_a_single_instant_of_the_future_is_no_fast_clock() -> None:
    watch = clocks()
    strange = [(NOW_MS + 5_000, NOW_MS + HOUR_MS)]
    assert hear(watch, [*steady(1, 0), *strange, *steady(1, 0, NOW_MS + MINUTE_MS)]) == []


def test_a_clock_that_stays_behind_for_ten_minutes_is_slow() -> None:
    watch = clocks()
    assert hear(watch, steady(10, -8 * HOUR_MS)) == []
    (alarm,) = hear(watch, steady(1, -8 * HOUR_MS, NOW_MS + 10 * MINUTE_MS))
    assert alarm.says.en.startswith("the clock is 8 hours slow")
    ((came,),) = [watch.judge(*_row(NOW_MS + 12 * MINUTE_MS - 8 * HOUR_MS), NOW_MS + 720_000)]
    assert came == 0


def _row(at_ms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(1, np.int64), np.array([at_ms]), np.zeros(1, np.bool_)


def test_a_clock_that_lost_its_battery_is_slow_by_decades() -> None:
    (alarm,) = hear(clocks(), steady(11, -NOW_MS))
    assert "slow" in alarm.says.en


def test_a_slow_clock_that_is_put_right_is_right() -> None:
    watch = clocks()
    hear(watch, steady(11, -8 * HOUR_MS))
    (over,) = hear(watch, steady(1, 0, NOW_MS + HOUR_MS))
    assert over.cleared_at is not None


def test_summer_time_makes_it_another_alarm() -> None:
    watch = clocks()
    (first,) = hear(watch, steady(11, -8 * HOUR_MS))
    over, second = hear(watch, steady(11, -7 * HOUR_MS, NOW_MS + HOUR_MS))
    assert (over.id, over.cleared_at is None) == (first.id, False)
    assert watch.active() == [second]


def test_a_clock_that_gains_all_the_time_is_not_spoken_of_all_the_time() -> None:
    watch = clocks()
    gains = [(now_ms, now_ms + (now_ms - NOW_MS) // 6) for now_ms, _ in steady(120, 0)]
    said = hear(watch, gains)
    assert 1 < len([alarm for alarm in said if alarm.cleared_at is None]) < 30
    assert watch.heard("D").skew_s == pytest.approx(20 * 60, rel=0.15)


@pytest.mark.parametrize("pace", [1.1, 2, 10, 200])
def test_a_backlog_that_is_drained_is_no_slow_clock(pace: float) -> None:
    start_ms = NOW_MS - 8 * HOUR_MS
    minutes = min(8 * 60 / (pace - 1), 24 * 60)
    times = [
        (NOW_MS + step * 10_000, start_ms + round(step * 10_000 * pace))
        for step in range(int(minutes * 6))
    ]
    assert hear(clocks(), times) == []


def test_history_says_nothing_of_the_clock() -> None:
    watch = clocks()
    assert hear(watch, steady(30, -8 * HOUR_MS), marked=True) == []
    assert watch.heard("D").historical == 180


@given(st.lists(st.integers(0, 2000), min_size=50, max_size=300), st.sampled_from([1, 30, 120]))
def test_jitter_on_a_fast_clock_of_ours_is_no_skew(jitter: Sequence[int], speed: int) -> None:
    times = [
        (NOW_MS + place * 10_000 + late_ms * speed, NOW_MS + place * 10_000)
        for place, late_ms in enumerate(jitter)
    ]
    assert hear(clocks(speed), times) == []


def test_a_restart_goes_on_as_if_there_had_been_none() -> None:
    times = [*steady(7, -HOUR_MS), *steady(7, -HOUR_MS, NOW_MS + 7 * MINUTE_MS)]
    through, before, after = clocks(), clocks(), clocks()
    said = hear(through, times)
    hear(before, times[:42])
    after.add("other", tolerance(10.0))
    after.restore(before.state())
    assert hear(after, times[42:]) == said
    assert after.active() == through.active()


def test_a_device_that_is_unknown_was_not_heard() -> None:
    assert clocks().heard("X") is None
