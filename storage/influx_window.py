"""Buckets of a long range from InfluxDB: from roll-ups where they are, from readings elsewhere.

Long buckets are whole tens of minutes, so a minute lies within one; an hour that lies across the
border of two counts to the first. Roll-ups are used only where a bucket has ten of them; the mean
is then that of their means.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from equipment.reading import Ints
from storage.buckets import Buckets, buckets, windowed
from storage.dirty import HOUR_MS
from storage.influx_link import Link, Unavailable, quoted
from storage.influx_query import one_of, series_of, within
from storage.interface import Series, Window
from storage.register import Register
from storage.rollups import HOURS, MINUTE_MS, MINUTES

_ROLLUPS_A_BUCKET: Final = 10
Windows = dict[str, Window]


class _Range(NamedTuple):
    """The ``buckets`` of start <= t < end."""

    device: str
    metrics: Sequence[str]
    start: int
    end: int
    buckets: Buckets

    def border(self, at_ms: int) -> int:
        """Return the last border of buckets before or at ``at_ms``, within the range."""
        first, width = self.buckets
        inside = min(max(at_ms, self.start), self.end)
        return max(self.start, first + (inside - first) // width * width)

    def border_after(self, at_ms: int) -> int:
        """Return the first border of buckets after or at ``at_ms``."""
        first, width = self.buckets
        return first - (first - at_ms) // width * width


class WindowQueries:
    """Questions for buckets to the bucket of readings and the one of roll-ups."""

    def __init__(self, readings: Link, rollups: Link, register: Register) -> None:
        self._readings, self._rollups, self._register = readings, rollups, register

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Windows:
        """Return at most ``points`` equal buckets per metric; peaks survive as low and high."""
        wanted = buckets(start_ms, end_ms, points)
        asked = _Range(device, metrics, start_ms, end_ms, wanted)
        if not metrics or end_ms <= start_ms:
            return {}
        model = self._register(device).model
        suffix, first, past = self._rolled_part(model, asked)
        ranges = (
            (self._readings, "", asked._replace(end=first)),
            (self._rollups, suffix, asked._replace(start=first, end=past)),
            (self._readings, "", asked._replace(start=past)),
        )
        return joined([_ask(link, model, kind, one) for link, kind, one in ranges])

    def _rolled_part(self, model: str, asked: _Range) -> tuple[str, int, int]:
        """Return which roll-ups serve ``asked``, and the borders between which they do.

        The newest hour may not be complete yet. A server without roll-ups has none.
        """
        if asked.buckets.width_ms < _ROLLUPS_A_BUCKET * MINUTE_MS:
            return "", asked.start, asked.start
        suffix = HOURS if asked.buckets.width_ms >= _ROLLUPS_A_BUCKET * HOUR_MS else MINUTES
        try:
            rolled = self._rolled_between(model, asked)
        except Unavailable:
            rolled = None
        if rolled is None:
            return "", asked.start, asked.start
        oldest, newest = rolled
        first = asked.border_after(oldest) if oldest > asked.start else asked.start
        return suffix, first, max(first, asked.border(newest))

    def _rolled_between(self, model: str, asked: _Range) -> tuple[int, int] | None:
        """Return the oldest and the newest hour within ``asked`` that is rolled up."""
        counts = ", ".join(quoted(f"{metric}_count") for metric in asked.metrics)
        hours = (
            f"SELECT {counts} FROM {quoted(model + HOURS)} WHERE {one_of([asked.device])}"
            f" AND {within(asked.start, asked.end)} ORDER BY time"
        )
        answers = self._rollups.ask(f"{hours} ASC LIMIT 1; {hours} DESC LIMIT 1")
        found = [int(answer.values[0][0] or 0) for answer in answers]
        return (min(found), max(found)) if found else None


def _ask(link: Link, model: str, suffix: str, asked: _Range) -> Windows:
    """Return buckets of readings, or of the roll-ups that ``suffix`` names."""
    if asked.start >= asked.end:
        return {}
    first, width = asked.buckets
    low, high, mean = ("_min", "_max", "_mean") if suffix else ("", "", "")
    columns = ", ".join(
        f'min({quoted(m + low)}) AS "{n}l", max({quoted(m + high)}) AS "{n}h",'
        f' mean({quoted(m + mean)}) AS "{n}m"'
        for n, m in enumerate(asked.metrics)
    )
    answers = link.ask(
        f"SELECT {columns} FROM {quoted(model + suffix)} WHERE {one_of([asked.device])}"
        f" AND {within(asked.start, asked.end)}"
        f" GROUP BY time({width}ms, {first % width}ms) fill(none)"
    )
    found = dict(pair for answer in answers for pair in series_of(answer))
    return {
        metric: _window(found[f"{n}l"], found[f"{n}h"], found[f"{n}m"])
        for n, metric in enumerate(asked.metrics)
        if f"{n}l" in found
    }


def _window(low: Series, high: Series, mean: Series) -> Window:
    middle = np.clip(mean.values, low.values, high.values)
    return Window(low.at_ms, low.values, high.values, middle)


def joined(parts: Sequence[Mapping[str, Window]]) -> Windows:
    """Return the buckets of the parts, which lie one behind the other."""
    found: Windows = {}
    for metric in dict.fromkeys(metric for part in parts for metric in part):
        pieces = [part[metric] for part in parts if metric in part]
        if any(len(piece.at_ms) for piece in pieces):
            found[metric] = Window(
                np.concatenate([piece.at_ms for piece in pieces]),
                np.concatenate([piece.low for piece in pieces]),
                np.concatenate([piece.high for piece in pieces]),
                np.concatenate([piece.mean for piece in pieces]),
            )
    return found


def overlaid(
    server: Mapping[str, Window],
    recent: Sequence[Mapping[str, Series]],
    read: Callable[[int, int], Mapping[str, Series]],
    *,
    span: tuple[int, int],
    points: int,
) -> Windows:
    """Return the server's buckets, those anew from ``read`` that ``recent`` readings lie in."""
    start_ms, end_ms = span
    first_ms, width = buckets(start_ms, end_ms, points)
    instants = [one.at_ms for part in recent for one in part.values()]
    at_ms = np.concatenate(instants) if instants else np.empty(0, np.int64)
    touched = np.unique((at_ms[(at_ms >= start_ms) & (at_ms < end_ms)] - first_ms) // width)
    found = dict(server)
    for first, past in _runs(touched):
        begin, end = first_ms + first * width, min(first_ms + past * width, end_ms)
        anew = windowed(read(max(begin, start_ms), end), start_ms, end_ms, points)
        found = joined([_between(found, first_ms, begin), anew, _between(found, end, end_ms)])
    return found


def _runs(numbers: Ints) -> list[tuple[int, int]]:
    """Return the runs of consecutive numbers: first, one past the last."""
    if not len(numbers):
        return []
    ends = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.append(0, ends + 1)], numbers[np.append(ends, len(numbers) - 1)]
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))


def _between(windows: Mapping[str, Window], start_ms: int, end_ms: int) -> Windows:
    """Return the buckets that begin within start <= t < end."""
    kept: Windows = {}
    for metric, window in windows.items():
        cut = slice(*np.searchsorted(window.at_ms, (start_ms, end_ms)).tolist())
        at_ms, low, high, mean = window
        kept[metric] = Window(at_ms[cut], low[cut], high[cut], mean[cut])
    return kept
