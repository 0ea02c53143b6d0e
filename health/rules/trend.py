"""Trend: a straight line through the last days meets a threshold soon, and how soon."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipment.catalog import Metric
from equipment.reading import Floats, Ints
from equipment.words import Words
from health.parameter import Parameter, duration, number, value
from health.rules.rule import Fed, Rule, Verdict
from health.saying import bound, decimals, quantity, span
from health.table import Flags, Picks

POINTS = 48  # a window is kept as so many means
FEWEST = 8  # points a line is drawn through
_PARTS = (1.0, 0.5, 0.25)  # parts of the window that are tried; the surest line wins
_DECILE = 1.2816  # 90 % quantile of the normal distribution


class Trend(Rule):
    """Time until ``reach`` is met, when the slope is ``certainty`` standard errors from none.

    Least squares over the whole window, its last half and last quarter; the standard error is
    widened for correlated residuals. Step guard: a single jump that explains the points better
    than the line is not wear. ``away_from`` says from which side the threshold is met: the value
    is on the healthy side of it.
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
        ("level", "f8"), ("slope", "f8"), ("error", "f8"), ("now_ms", "i8"), ("part", "f8"),
        ("at_ms", "i8", POINTS), ("value", "f4", POINTS),
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
        meets = [
            int(row["now_ms"] + ms[0]) if np.isfinite(ms[0]) else None
            for ms in (life.early, life.half, life.late)
        ]
        return {
            "level": float(row["level"]),
            "slope_per_day": float(row["slope"] * 86400e3),
            "slope_error_per_day": float(row["error"] * 86400e3)
            if np.isfinite(row["error"])
            else None,
            "window_ms": float(given["window"] * row["part"]),
            "crosses_low_ms": meets[0],
            "crosses_at_ms": meets[1],
            "crosses_high_ms": meets[2],
        }

    def says(self, seat: int, metric: Metric, value: float) -> Words:
        """Say where it stands and when it meets the threshold."""
        row, given, life = self._row(seat)
        places = decimals(
            metric.noise or abs(float(row["error"])) * float(given["window"]), row["level"]
        )
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
    """Remaining ms: passed by 10 %, 50 % and 90 % of the likely slopes; inf for never."""

    early: Floats
    half: Floats
    late: Floats


def _life(rows: Any, reach: Floats, healthy: Floats) -> _Life:
    sign = np.sign(reach - healthy)
    room = np.maximum((reach - rows["level"]) * sign, 0.0)
    speed, error = rows["slope"] * sign, rows["error"] * _DECILE
    return _Life(*(_over(room, s) for s in (speed + error, speed, speed - error)))


def _over(room: Floats, speed: Floats) -> Floats:
    """Return the time to cross ``room``: 0 for none left, inf when not moving towards it."""
    moving = speed > 0
    time = np.where(moving, room / np.where(moving, speed, 1.0), np.inf)
    left: Floats = np.where(room == 0, 0.0, time)
    return left


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
    """Write level, slope and error of the surest line into each row; part 0 for none."""
    place = (rows["pushed"][:, None] + np.arange(-POINTS, 0)) % POINTS
    each = np.arange(len(rows))[:, None]
    filled = np.arange(POINTS, 0, -1) <= rows["pushed"][:, None]
    age = np.where(filled, rows["at_ms"][each, place] - rows["now_ms"][:, None], 0).astype(
        np.float64
    )
    y = np.where(filled, rows["value"][each, place], 0.0).astype(np.float64)
    best = np.zeros(len(rows))
    rows["part"], rows["slope"], rows["error"] = 0.0, 0.0, np.inf
    for part in _PARTS:
        reach = (window_ms * part)[:, None]
        used = filled & (-age <= reach)
        line = _line(age, y, used)
        covers = line.covers >= 0.6 * reach[:, 0]
        sure = np.abs(line.slope) / line.error
        surer = covers & (sure > best) & line.straight
        if part == 1.0:
            rows["level"] = np.where(line.points > 0, line.level, rows["level"])
        for name, found in (("slope", line.slope), ("error", line.error), ("level", line.level)):
            rows[name] = np.where(surer, found, rows[name])
        rows["part"] = np.where(
            surer, part, np.where(covers & (rows["part"] == 0), part, rows["part"])
        )
        best = np.where(surer, sure, best)


class _Line(NamedTuple):
    points: Ints
    covers: Floats
    level: Floats
    slope: Floats
    error: Floats
    straight: Flags


def _line(x: Floats, y: Floats, used: Flags) -> _Line:
    """Least squares per row over the ``used`` points; level is the line's value at x = 0."""
    count = used.sum(axis=1)
    n = np.maximum(count, 1)
    x0 = np.where(used, x, 0.0).sum(axis=1) / n
    y0 = np.where(used, y, 0.0).sum(axis=1) / n
    dx, dy = np.where(used, x - x0[:, None], 0.0), np.where(used, y - y0[:, None], 0.0)
    sxx = np.maximum((dx * dx).sum(axis=1), 1e-9)
    slope = (dx * dy).sum(axis=1) / sxx
    rest = np.where(used, dy - slope[:, None] * dx, 0.0)
    square = (rest * rest).sum(axis=1)
    alike = (rest[:, 1:] * rest[:, :-1]).sum(axis=1) / np.maximum(square, 1e-30)
    alike = np.clip(alike + 4.0 / n, 0.0, 0.9)
    fair = np.maximum(count - 2, 1)
    error = np.sqrt(square / fair / sxx * (1 + alike) / (1 - alike))
    tiny = 1e-9 * (np.abs(y0) + 1e-3) / np.sqrt(sxx)
    return _Line(
        count,
        np.where(used, -x, 0.0).max(axis=1),
        y0 - slope * x0,
        slope,
        np.where(count >= FEWEST, np.maximum(error, tiny), np.inf),
        square <= _jump(dy, used),
    )


def _jump(dy: Floats, used: Flags) -> Floats:
    """Return the squares left by the best single jump between two levels, per row."""
    left_n, left = np.cumsum(used, axis=1), np.cumsum(dy, axis=1)
    right_n: Ints = left_n[:, -1:] - left_n
    gained = left**2 / np.maximum(left_n, 1) + left**2 / np.maximum(right_n, 1)
    split = (left_n >= 2) & (right_n >= 2)
    squares: Floats = (dy * dy).sum(axis=1) - np.where(split, gained, 0.0).max(axis=1)
    return squares
