"""Buckets: equal stretches of time, and what the readings in each come to: low, high, mean.

Buckets are whole cells of ten minutes, and begin where one does, or are shorter. So a long window
can be put together from what is known of whole cells.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from equipment.reading import Floats, Ints
from storage.interface import Series, Window

CELL_MS: Final = 600_000


class Buckets(NamedTuple):
    """Bucket i is ``first_ms + i * width_ms`` <= t < ``first_ms + (i + 1) * width_ms``."""

    first_ms: int
    width_ms: int


class Gist(NamedTuple):
    """What readings of one metric come to: ``counts`` of them, from ``at_ms`` on."""

    at_ms: Ints
    counts: Ints
    low: Floats
    high: Floats
    mean: Floats


def buckets(start_ms: int, end_ms: int, points: int) -> Buckets:
    """Return at most ``points`` buckets that cover start <= t < end.

    Shorter than a cell they begin at ``start_ms`` and are at least 1 ms wide; else they are whole
    cells, so the first one may begin before. Raises ValueError when there are no points.
    """
    if points < 1:
        raise ValueError(f"points is {points}: a window has at least one bucket")
    width_ms = max(1, -((start_ms - end_ms) // points))
    if width_ms < CELL_MS:
        return Buckets(start_ms, width_ms)
    first_ms = start_ms // CELL_MS * CELL_MS
    return Buckets(first_ms, -((first_ms - end_ms) // (points * CELL_MS)) * CELL_MS)


def windowed(
    series: Mapping[str, Series], start_ms: int, end_ms: int, points: int
) -> dict[str, Window]:
    """Return low, high and mean of each bucket that holds a reading, per metric."""
    wanted = buckets(start_ms, end_ms, points)
    return {metric: bucketed([gist(one)], wanted) for metric, one in series.items()}


def gist(series: Series) -> Gist:
    """Return every reading by itself."""
    at_ms, values = series
    return Gist(at_ms, np.ones(len(at_ms), np.int64), values, values, values)


def bucketed(gists: Sequence[Gist], wanted: Buckets) -> Window:
    """Return low, high and mean of each bucket that holds some of ``gists``: at least one does."""
    return counted(gists, wanted)[0]


def counted(gists: Sequence[Gist], wanted: Buckets) -> tuple[Window, Ints]:
    """Return the same, and how many readings are in each bucket."""
    at_ms, counts, low, high, mean = _together(gists)
    numbers = (at_ms - wanted.first_ms) // wanted.width_ms
    firsts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    low, high = np.minimum.reduceat(low, firsts), np.maximum.reduceat(high, firsts)
    totals = np.add.reduceat(counts, firsts)
    shares = counts / np.repeat(totals, np.diff(np.append(firsts, len(numbers))))
    mean = np.add.reduceat(mean * shares, firsts)  # a sum of large values could overflow
    starts = wanted.first_ms + numbers[firsts] * wanted.width_ms
    return Window(starts, low, high, np.clip(mean, low, high)), totals


def _together(gists: Sequence[Gist]) -> Gist:
    """Return all of ``gists`` in time order."""
    found = Gist(*map(np.concatenate, zip(*gists, strict=True)))
    if bool((found.at_ms[1:] >= found.at_ms[:-1]).all()):
        return found
    order = np.argsort(found.at_ms, kind="stable")
    at_ms, counts, low, high, mean = found
    return Gist(at_ms[order], counts[order], low[order], high[order], mean[order])
