"""Seats: which seats of a rule sit on which series, both ways."""

import numpy as np

from health.profile import RuleRow
from health.table import Picks


class Seats:
    """Seat ``n`` is the rule row ``rows[n]`` on the series ``series[n]``."""

    def __init__(self) -> None:
        self.rows: list[RuleRow] = []
        self.series: list[int] = []
        self._table: Picks = np.zeros((0, 0), np.int64)
        self._known = (-1, -1)

    def add(self, row: RuleRow, series: int) -> None:
        """Note the next seat."""
        self.rows.append(row)
        self.series.append(series)

    def on(self, series: Picks, all_series: int) -> tuple[Picks, Picks]:
        """Return the seats on ``series``, and for each the place of its series in the argument."""
        if self._known != (len(self.series), all_series):
            self._index(all_series)
        table = self._table.take(series, axis=0)
        place, column = np.nonzero(table >= 0)
        return table[place, column], place

    def _index(self, all_series: int) -> None:
        """Build the (series, most seats on one) table of seat numbers, padded with -1."""
        series = np.array(self.series, np.int64)
        order = np.argsort(series, kind="stable")
        count = np.bincount(series, minlength=all_series)
        rank = np.arange(len(series)) - np.repeat(np.cumsum(count) - count, count)
        self._table = np.full((all_series, max(1, int(count.max(initial=0)))), -1)
        self._table[series[order], rank] = order
        self._known = (len(self.series), all_series)
