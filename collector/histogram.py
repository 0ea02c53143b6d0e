"""Histogram: how long something took, counted in buckets that never grow in number."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """One thread observes; any thread may look."""

    def __init__(self, bounds_s: Sequence[float] = BOUNDS_S) -> None:
        self._bounds_s = tuple(bounds_s)
        self._counts = [0] * (len(bounds_s) + 1)
        self.total_s = 0.0

    def observe(self, took_s: float) -> None:
        """Count something that took ``took_s`` seconds."""
        self._counts[bisect_left(self._bounds_s, took_s)] += 1
        self.total_s += took_s

    def buckets(self) -> list[tuple[str, int]]:
        """Return (upper bound in s, how many took at most that), as Prometheus wants it."""
        names = (*(str(bound) for bound in self._bounds_s), "+Inf")
        return list(zip(names, accumulate(self._counts), strict=True))
