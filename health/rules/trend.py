"""Trend: the way of the last days leads to a threshold soon, and how soon."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipment.catalog import Metric
from equipment.reading import Floats, Ints
from equipment.words import Words
from health.fit import FEWEST, crossing, fit, without_day
from health.parameter import Parameter, duration, number, value
from health.rules.rule import Fed, Rule, Verdict
from health.saying import bound, decimals, quantity, span
from health.table import Picks

POINTS = 56  # a window is kept as so many means
_PARTS = (1.0, 0.5, 0.25)  # parts of the window that are tried; the surest fit wins
_DAY_MS = 86_400_000
_DAILY_MS = 3 * _DAY_MS  # windows from here on have the daily swing taken out,
_DAILY_POINTS = 24  # once they hold so many points
_DECILE = 1.2816  # 90 % quantile of the normal distribution


class Trend(Rule):
    """Time until ``reach`` is met, when the slope is ``certainty`` standard errors from none.

    Fitted over the whole window, its last half and last quarter, the surest fit wins. Wear that
    speeds up is followed: the slope may grow. Step guard: points that a single jump between two
    levels explains better are not wear. ``healthy`` says from which side ``reach`` is met.
    """

    kind = "trend"
    parameters = (
        Parameter("reach", value),
        Parameter("healthy", value),
        Parameter("window", duration),
        Parameter("horizon", duration),
        Parameter("certainty", number, 5.0),
    )
    memory = (
        ("pushed", "i8"), ("end_ms", "i8"), ("count", "i8"), ("total", "f8"), ("total_ms", "f8"),
        ("level", "f8"), ("slope", "f8"), ("error", "f8"), ("growth", "f8"), ("now_ms", "i8"),
        ("part", "f8"), ("lever", "f8"), ("at_ms", "i8", POINTS), ("value", "f4", POINTS),
    )  # fmt: skip

    @classmethod
    def objection(cls, parameters: Mapping[str, float], step_ms: float) -> str | None:
        """The threshold must have a healthy side; the window must hold enough buckets."""
        if parameters["reach"] == parameters["healthy"]:
            return "healthy equals reach: no side of the threshold is the healthy one"
        if parameters["window"] < FEWEST * step_ms:
            return f"window holds fewer than {FEWEST} buckets of {step_ms / 1000:g} s"
        return None

    def judge(self, seats: Picks, fed: Fed) -> Verdict:
        """Gather buckets into points; judge again whenever a point is complete."""
        given, rows = self.given.rows.take(seats), self.state.rows.take(seats)
        full = np.flatnonzero((fed.at_ms >= rows["end_ms"]) & (rows["count"] > 0))
        if len(full):
            part = rows[full]
            _push(part, fed.at_ms[full])
            _fit(part, given["window"][full])
            rows[full] = part
        start = rows["count"] == 0
        stride = np.maximum(given["window"] / POINTS, fed.step_ms).astype(np.int64)
        rows["end_ms"] = np.where(start, (fed.at_ms // stride + 1) * stride, rows["end_ms"])
        rows["count"] += 1
        rows["total"] += fed.value
        rows["total_ms"] += fed.at_ms
        self.state.rows.put(seats, rows)
        return self._verdict(given, rows, full)

    def _verdict(self, given: Any, rows: Any, full: Picks) -> Verdict:
        up, down = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
        judged, asked = rows[full], given[full]
        life = _life(judged, asked["reach"], asked["healthy"])
        sure = judged["error"] * asked["certainty"] <= np.abs(judged["slope"])
        unsure = judged["error"] * asked["certainty"] > 2 * np.abs(judged["slope"])
        fitted = judged["part"] > 0
        up[full] = fitted & ((life.half == 0) | (sure & (life.half <= asked["horizon"])))
        down[full] = fitted & (life.half > 0) & (unsure | (life.half > 1.5 * asked["horizon"]))
        return Verdict(up, down)

    def _row(self, seat: int) -> tuple[Any, Any, "_Life"]:
        row, given = self.state.rows[seat : seat + 1], self.given.rows[seat : seat + 1]
        return row[0], given[0], _life(row, given["reach"], given["healthy"])

    def statistics(self, seat: int) -> dict[str, Any]:
        """Return level, slope with its error, and when the threshold is met: 10, 50, 90 %."""
        row, given, life = self._row(seat)
        error = float(row["error"])
        meets = [
            int(row["now_ms"] + ms[0]) if np.isfinite(ms[0]) else None
            for ms in (life.early, life.half, life.late)
        ]
        return {
            "level": float(row["level"]),
            "slope_per_day": float(row["slope"] * 86400e3),
            "slope_error_per_day": error * 86400e3 if np.isfinite(error) else None,
            "growth_per_day": float(row["growth"] * 86400e3),
            "window_ms": float(given["window"] * row["part"]),
            "crosses_low_ms": meets[0],
            "crosses_at_ms": meets[1],
            "crosses_high_ms": meets[2],
        }

    def says(self, seat: int, metric: Metric, value: float) -> Words:
        """Say where it stands and when it meets the threshold."""
        row, given, life = self._row(seat)
        rough = metric.noise or abs(float(given["reach"] - given["healthy"])) / 50
        places = decimals(rough, float(row["level"]))
        now = quantity(row["level"], metric.unit, places)
        reach = bound(given["reach"], metric.unit, places)
        if life.half[0] == 0:
            return Words(
                f"{metric.title.zh} {now}，按趋势已达到 {reach}",
                f"{metric.title.en} {now}, on trend has reached {reach}",
            )
        left = span(life.half[0])
        return Words(
            f"{metric.title.zh} {now}，按趋势约 {left.zh}后达到 {reach}",
            f"{metric.title.en} {now}, on trend reaches {reach} in about {left.en}",
        )

    def window(self, seat: int) -> tuple[Ints, NDArray[Any]]:
        """Return the points the line was drawn through."""
        row = self.state.rows[seat]
        count = min(int(row["pushed"]), POINTS)
        place = np.arange(row["pushed"] - count, row["pushed"]) % POINTS
        return row["at_ms"][place], row["value"][place]


class _Life(NamedTuple):
    """Remaining ms, inf for never: likely (10 %) the earliest, the middle, likely the latest.

    The latest does not count on wear that speeds up.
    """

    early: Floats
    half: Floats
    late: Floats


def _life(rows: Any, reach: Floats, healthy: Floats) -> _Life:
    sign = np.sign(reach - healthy)
    room = np.maximum((reach - rows["level"]) * sign, 0.0)
    speed, growth = rows["slope"] * sign, rows["growth"]
    error = np.where(np.isfinite(rows["error"]), rows["error"] * _DECILE, 0.0)
    way = error * rows["lever"]
    return _Life(
        crossing(np.maximum(room - way, 0.0), speed + error, growth),
        crossing(room, speed, growth),
        crossing(np.where(room > 0, room + way, 0.0), speed - error, np.zeros(len(rows))),
    )


def _push(rows: Any, now_ms: Ints) -> None:
    """Turn what was gathered into a point, and gather anew."""
    each, place = np.arange(len(rows)), rows["pushed"] % POINTS
    rows["at_ms"][each, place] = (rows["total_ms"] / rows["count"]).astype(np.int64)
    rows["value"][each, place] = rows["total"] / rows["count"]
    rows["pushed"] += 1
    rows["now_ms"] = now_ms
    for name in ("count", "total", "total_ms"):
        rows[name] = 0


def _fit(rows: Any, window_ms: Floats) -> None:
    """Write the surest fit into each row; part 0 for none."""
    place = (rows["pushed"][:, None] + np.arange(-POINTS, 0)) % POINTS
    each = np.arange(len(rows))[:, None]
    filled = np.arange(POINTS, 0, -1) <= rows["pushed"][:, None]
    past = rows["at_ms"][each, place] - rows["now_ms"][:, None]
    x = np.where(filled, past, 0).astype(np.float64)
    y = np.where(filled, rows["value"][each, place], 0.0).astype(np.float64)
    long = (window_ms >= _DAILY_MS) & (rows["pushed"] >= _DAILY_POINTS)
    if long.any():
        phase = (rows["at_ms"][each, place] % _DAY_MS) * (2 * np.pi / _DAY_MS)
        y[long] = without_day(x[long], y[long], filled[long], phase[long])
    best = np.full(len(rows), -1.0)
    rows["part"] = 0.0
    for part in _PARTS:
        reach = (window_ms * part)[:, None]
        found = fit(x, y, filled & (-x <= reach))
        sure = np.where(found.steady, np.abs(found.slope) / found.error, 0.0)
        surer = (found.covers >= 0.8 * reach[:, 0]) & (sure > best)
        for name in ("level", "slope", "error", "growth"):
            rows[name] = np.where(surer, getattr(found, name), rows[name])
        rows["error"] = np.where(surer & ~found.steady, np.inf, rows["error"])
        rows["lever"] = np.where(surer, found.covers / 2, rows["lever"])
        rows["part"] = np.where(surer, part, rows["part"])
        best = np.where(surer, sure, best)
