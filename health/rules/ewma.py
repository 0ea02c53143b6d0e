"""EWMA: the smoothed value has left the baseline that was learnt from this device itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from equipment.catalog import Metric
from equipment.reading import Floats
from equipment.words import Words
from health.parameter import Parameter, duration, number, side, spread
from health.recent import KEPT
from health.rules.rule import Fed, Rule, Verdict
from health.saying import decimals, quantity, span
from health.table import Picks

FEWEST = 6  # bucket means a baseline is learnt from
_MAD = 1.4826  # median absolute deviation to sigma, of a normal distribution


class Ewma(Rule):
    """Exponentially weighted mean of bucket means against a robust level and scale.

    Learnt once per segment: the median of ``baseline`` covered time of bucket means, and the
    larger of ``least``, the spread (MAD) of the smoothed values in it, and what white noise of
    the bucket means would leave after smoothing. ``least`` carries what a short baseline cannot
    show: slow noise, the day, the weekend. From then on the level follows by winsorised steps
    over ``adapt``, and stands still while the value is out.
    """

    kind = "ewma"
    parameters = (
        Parameter("span", duration),
        Parameter("baseline", duration),
        Parameter("least", spread),
        Parameter("sigmas", number, 6.0),
        Parameter("side", side, 0.0),
        Parameter("adapt", duration, 60 * 86400e3),
    )
    memory = (
        ("seen", "i8"), ("mean", "f8"), ("level", "f8"), ("scale", "f8"), ("learnt", "?"),
    )  # fmt: skip

    @classmethod
    def objection(cls, parameters: Mapping[str, float], step_ms: float) -> str | None:
        """A baseline must fit the memory, and be more than a handful of buckets."""
        count = parameters["baseline"] / step_ms
        if not FEWEST <= count <= KEPT:
            return f"baseline is {count:.0f} buckets, possible are {FEWEST} to {KEPT}"
        if parameters["least"] <= 0:
            return "least must be above 0: it is the smallest scale that is believed"
        return None

    def judge(self, seats: Picks, fed: Fed) -> Verdict:
        """Smooth, learn once, then compare."""
        given, rows = self.given.rows.take(seats), self.state.rows.take(seats)
        keep = np.exp(-fed.step_ms / given["span"])
        value = self._winsorised(given, rows, fed.value)
        rows["mean"] = np.where(rows["seen"] > 0, keep * rows["mean"] + (1 - keep) * value, value)
        rows["seen"] += 1
        needed = np.round(given["baseline"] / fed.step_ms).astype(np.int64)
        due = np.flatnonzero(~rows["learnt"] & (rows["seen"] >= needed))
        if len(due):
            self._learn(given, rows, due, needed, fed)
        away = _away(given, rows)
        calm = rows["learnt"] & (away < given["sigmas"] / 2) & ~self.hold.busy(seats)
        step = np.clip(rows["mean"] - rows["level"], -rows["scale"], rows["scale"])
        rows["level"] += np.where(calm, step * fed.step_ms / given["adapt"], 0.0)
        self.state.rows.put(seats, rows)
        return Verdict(
            rows["learnt"] & (away >= given["sigmas"]),
            rows["learnt"] & (away <= given["sigmas"] / 2),
        )

    @staticmethod
    def _winsorised(given: Any, rows: Any, value: Floats) -> Floats:
        """One bucket may pull the mean by a bounded amount only."""
        reach = np.where(rows["learnt"], 4 * given["sigmas"] * rows["scale"], np.inf)
        return np.clip(value, rows["mean"] - reach, rows["mean"] + reach)

    @staticmethod
    def _learn(given: Any, rows: Any, due: Picks, needed: Picks, fed: Fed) -> None:
        """Set level and scale of the rows whose baseline is complete."""
        for count in np.unique(needed[due]):
            these = due[needed[due] == count]
            means = fed.recent.last(fed.series[these], int(count))
            level = np.median(means, axis=1)
            weight = np.exp(-fed.step_ms[these] / given["span"][these])
            smooth = _smoothed(means - level[:, None], weight)
            white = _sigma(means) * np.sqrt((1 - weight) / (1 + weight))
            rows["level"][these] = level
            rows["scale"][these] = np.maximum.reduce([given["least"][these], _sigma(smooth), white])
            rows["learnt"][these] = True

    def statistics(self, seat: int) -> dict[str, Any]:
        """Return baseline, its scale, the smoothed value and how many scales it is off."""
        row = self.state.rows[seat]
        return {
            "baseline": float(row["level"]),
            "sigma": float(row["scale"]),
            "mean": float(row["mean"]),
            "sigmas": float((row["mean"] - row["level"]) / row["scale"]),
            "buckets": int(row["seen"]),
        }

    def says(self, seat: int, metric: Metric, value: float) -> Words:
        """Say the smoothed value, the baseline, and the distance in sigmas."""
        row, over = self.state.rows[seat], span(self.given.rows[seat]["span"])
        places = decimals(metric.noise or float(row["scale"]), float(row["level"]))
        mean, level = (quantity(row[name], metric.unit, places) for name in ("mean", "level"))
        off = abs(row["mean"] - row["level"]) / row["scale"]
        zh, en = ("高出", "above") if row["mean"] > row["level"] else ("低于", "below")
        return Words(
            f"{metric.title.zh} {over.zh}平滑值 {mean}，{zh}自身基线 {level} 达 {off:.1f} σ",
            f"{metric.title.en} smoothed over {over.en} is {mean}, "
            f"{off:.1f} σ {en} its own baseline {level}",
        )


def _away(given: Any, rows: Any) -> Floats:
    """Return the distance from the level in scales, on the side that matters."""
    off = (rows["mean"] - rows["level"]) / np.where(rows["learnt"], rows["scale"], 1.0)
    away: Floats = np.where(given["side"] == 0, np.abs(off), off * given["side"])
    return away


def _sigma(values: Floats) -> Floats:
    """Return the robust standard deviation of each row."""
    middle = np.median(values, axis=1, keepdims=True)
    sigma: Floats = _MAD * np.median(np.abs(values - middle), axis=1)
    return sigma


def _smoothed(values: Floats, keep: Floats) -> Floats:
    """Return each row smoothed as the rule does, starting from 0."""
    out, mean = np.empty_like(values), np.zeros(len(values))
    for column in range(values.shape[1]):
        mean = keep * mean + (1 - keep) * values[:, column]
        out[:, column] = mean
    return out
