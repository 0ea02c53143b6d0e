"""Series: the newest instant and the open bucket of every metric of every device.

A pass takes one reading per series. It is the hot path: one gather and one scatter of whole
records, everything between them on arrays.
"""

from typing import NamedTuple

import numpy as np

from equipment.reading import Codes, Floats, Ints
from health.table import Flags, Picks, Table


class Readings(NamedTuple):
    """One reading per series: aligned arrays. ``gap_ms`` is the time since the one before."""

    series: Picks
    at_ms: Ints
    value: Floats
    gap_ms: Ints
    lateness: Codes

    def only(self, picks: Picks | Flags) -> "Readings":
        """Return some of the readings."""
        return Readings(
            self.series[picks], self.at_ms[picks], self.value[picks], self.gap_ms[picks],
            self.lateness[picks],
        )  # fmt: skip


class Buckets(NamedTuple):
    """Closed buckets: the middle of each, its mean, and which reading closed it."""

    at_ms: Ints
    mean: Floats
    by: Picks


class Series:
    """``bucket_ms`` 0 means that a reading is a bucket of its own, if it is not too soon."""

    def __init__(self) -> None:
        self.state = Table(
            [
                ("newest_ms", "i8"), ("mute_until_ms", "i8"), ("quiet_low", "f8"),
                ("quiet_high", "f8"), ("bucket_end_ms", "i8"), ("count", "f8"), ("total", "f8"),
                ("low", "f8"), ("high", "f8"),
            ]
        )  # fmt: skip
        self.shape = Table(
            [
                ("bucket_ms", "i8"), ("step_ms", "f8"), ("longest_gap_ms", "f8"),
                ("quiet_low", "f8"), ("quiet_high", "f8"),
            ]
        )  # fmt: skip
        self.not_newer = 0

    def step(self, readings: Readings) -> tuple[Readings, Buckets, Picks]:
        """Take in one reading per series.

        Returns the readings rules may see (newer than their series, not muted), the buckets they
        closed, and the places among them of values outside their series' quiet band.
        """
        rows = self.state.rows.take(readings.series)
        readings = readings._replace(gap_ms=readings.at_ms - rows["newest_ms"])
        fresh = readings.gap_ms > 0
        if not fresh.all():
            self.not_newer += int(len(fresh) - fresh.sum())
            readings, rows = readings.only(fresh), rows[fresh]
        rows["newest_ms"] = readings.at_ms
        muted = readings.at_ms < rows["mute_until_ms"]
        if muted.any():
            self.state.rows.put(readings.series, rows)
            readings, rows = readings.only(~muted), rows[~muted]
        closed = self._close(readings, rows)
        value = readings.value
        rows["count"] += 1.0
        rows["total"] += value
        np.minimum(rows["low"], value, out=rows["low"])
        np.maximum(rows["high"], value, out=rows["high"])
        loud = (value < rows["quiet_low"]) | (value > rows["quiet_high"])
        self.state.rows.put(readings.series, rows)
        return readings, closed, np.flatnonzero(loud)

    def add(self, step_ms: int, every_ms: int, gap_ms: int) -> int:
        """Add a series that nothing is asked of yet and return its number."""
        self.shape.add()
        number = self.state.add()
        bucket_ms = step_ms if step_ms >= 2 * every_ms else 0
        longest_gap_ms = max(3 * every_ms, gap_ms)
        self.shape.rows[number] = (bucket_ms, step_ms, longest_gap_ms, -np.inf, np.inf)
        self.watch(np.array([number]), np.zeros(1, np.bool_))
        return number

    def narrow(self, number: int, low: float, high: float) -> None:
        """Report values of a series up to ``low`` and from ``high`` on, and those of before."""
        shape = self.shape.rows[number : number + 1]
        shape["quiet_low"] = np.maximum(shape["quiet_low"], np.nextafter(low, np.inf))
        shape["quiet_high"] = np.minimum(shape["quiet_high"], np.nextafter(high, -np.inf))
        self.watch(np.array([number]), np.zeros(1, np.bool_))

    def watch(self, series: Picks, busy: Flags) -> None:
        """Report every value of the busy ones of ``series``, of the others the loud values."""
        shape, rows = self.shape.rows, self.state.rows
        rows["quiet_low"][series] = np.where(busy, np.inf, shape["quiet_low"][series])
        rows["quiet_high"][series] = np.where(busy, -np.inf, shape["quiet_high"][series])

    def mute(self, series: Picks, until_ms: int) -> None:
        """Show the rules nothing of ``series`` before ``until_ms``."""
        muted = self.state.rows["mute_until_ms"]
        muted[series] = np.maximum(muted[series], until_ms)

    def forget(self, series: Picks) -> None:
        """Drop the open buckets of ``series``."""
        self.state.rows["count"][series] = 0.0
        self.state.rows["bucket_end_ms"][series] = 0

    def covered_ms(self, series: Picks, gap_ms: Ints) -> Floats:
        """Return how much of each gap counts as covered: all of a usual one, none of a long one."""
        longest = self.shape.rows["longest_gap_ms"][series]
        covered: Floats = np.where(gap_ms <= longest, gap_ms, 0).astype(np.float64)
        return covered

    def _close(self, readings: Readings, rows: np.ndarray) -> Buckets:
        over = np.flatnonzero(readings.at_ms >= rows["bucket_end_ms"])
        if not len(over):
            return _NONE
        old, shape = rows[over], self.shape.rows.take(readings.series[over])
        at_ms, value, alone = readings.at_ms[over], readings.value[over], shape["bucket_ms"] == 0
        full = alone | (old["count"] > 0)
        middle = np.where(alone, at_ms, old["bucket_end_ms"] - shape["bucket_ms"] // 2)
        mean = np.where(alone, value, _trimmed_mean(old))
        size = np.maximum(shape["bucket_ms"], 1)
        rows["bucket_end_ms"][over] = np.where(
            alone, at_ms + shape["step_ms"].astype(np.int64) // 2, (at_ms // size + 1) * size
        )
        for name, start in (("count", 0.0), ("total", 0.0), ("low", _HUGE), ("high", -_HUGE)):
            rows[name][over] = start
        return Buckets(middle[full], mean[full], over[full])


_HUGE = 1e300  # not infinite: a difference of two of them must stay a number
_NONE = Buckets(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))


def _trimmed_mean(rows: np.ndarray) -> Floats:
    """Return the mean without the lowest and the highest reading, where there are five or more.

    One wild reading in a bucket then moves nothing.
    """
    trim = rows["count"] >= 5
    total = np.where(trim, rows["total"] - rows["low"] - rows["high"], rows["total"])
    mean: Floats = total / np.maximum(np.where(trim, rows["count"] - 2, rows["count"]), 1.0)
    return mean
