"""Clocks: the one on the wall, and one that runs fast."""

from datetime import timedelta

import pytest

from fieldcare.clock import SimulatedClock, wall_clock
from tests.given import NOW


class Ticks:
    """A monotonic clock that is moved by hand."""

    s = 100.0

    def __call__(self) -> float:
        return self.s


def test_the_wall_clock_is_aware_and_utc() -> None:
    assert wall_clock().utcoffset() == timedelta(0)


def test_simulated_time_runs_as_fast_as_it_is_told() -> None:
    ticks = Ticks()
    clock = SimulatedClock(NOW, 120.0, ticks)
    assert clock() == NOW
    ticks.s += 30
    assert clock() == NOW + timedelta(hours=1)


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_time_does_not_stand_or_go_back(speed: float) -> None:
    with pytest.raises(ValueError, match="is not above 0"):
        SimulatedClock(NOW, speed)
