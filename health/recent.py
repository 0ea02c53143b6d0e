"""Recent: the last bucket means of every series, for baselines and as evidence."""

import numpy as np
from numpy.typing import NDArray

from equipment.reading import Floats, Ints
from health.table import Picks, Table

KEPT = 128


class Recent:
    """A ring of the last ``KEPT`` bucket means per series (float32; instants in ms)."""

    def __init__(self) -> None:
        self.state = Table([("pushed", "i8"), ("at_ms", "i8", KEPT), ("value", "f4", KEPT)])

    def push(self, series: Picks, at_ms: Ints, value: Floats) -> None:
        """Remember one mean of each of ``series``; no series twice."""
        rows = self.state.rows
        place = rows["pushed"][series] % KEPT
        rows["at_ms"][series, place] = at_ms
        rows["value"][series, place] = value
        rows["pushed"][series] += 1

    def last(self, series: Picks, count: int) -> Floats:
        """Return the last ``count`` means of each of ``series``, oldest first."""
        rows = self.state.rows
        place = (rows["pushed"][series][:, None] + np.arange(-count, 0)) % KEPT
        return rows["value"][series[:, None], place].astype(np.float64)

    def points(self, series: int) -> tuple[Ints, NDArray[np.float32]]:
        """Return instants and means of one series, oldest first."""
        row = self.state.rows[series]
        count = min(int(row["pushed"]), KEPT)
        place = np.arange(row["pushed"] - count, row["pushed"]) % KEPT
        return row["at_ms"][place], row["value"][place]
