"""The clock port: the only place that reads time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def wall_clock() -> datetime:
    """Return the time it is."""
    return datetime.fromtimestamp(time.time(), UTC)


class SimulatedClock:
    """Runs from ``start`` at ``speed`` simulated seconds a second; never backwards."""

    def __init__(
        self, start: datetime, speed: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed {speed} is not above 0")
        self.speed = speed
        self._start, self._monotonic = start, monotonic
        self._began = monotonic()

    def __call__(self) -> datetime:
        """Return the simulated time it is."""
        return self._start + timedelta(seconds=(self._monotonic() - self._began) * self.speed)
