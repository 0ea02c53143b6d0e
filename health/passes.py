"""Passes: the readings of a batch, ordered so that each pass has one reading per series.

A device's rows are put in order of time; a pass has the k-th row of every device, so a row is
sorted once for all its metrics.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from equipment.catalog import DeviceModel
from equipment.reading import AHEAD, Block, Codes, Floats, Ints
from health.series import Readings
from health.table import Flags, Picks


class Places:
    """Which series a device's metric is. One dictionary look-up per row, the rest are arrays."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.models: list[DeviceModel] = []
        self.first: list[int] = []
        self._tables: dict[tuple[str, ...], Picks] = {}

    def add(self, device: str, model: DeviceModel, first: int) -> None:
        """Note that the metrics of ``device`` are the series from ``first`` on."""
        self.number[device] = len(self.models)
        self.models.append(model)
        self.first.append(first)

    def series(self, device: str) -> range:
        """Return the series of one device."""
        number = self.number[device]
        return range(self.first[number], self.first[number] + len(self.models[number].metrics))

    def devices(self, block: Block) -> Picks:
        """Return the number of the device of each row, -1 where there is none."""
        return np.fromiter(map(self.number.get, block.devices, repeat(-1)), np.int64, len(block))

    def table(self, metrics: tuple[str, ...]) -> Picks:
        """Return (devices, metrics) series numbers, -1 where there is none."""
        table = self._tables.get(metrics)
        if table is None or len(table) != len(self.models):
            table = self._tables[metrics] = self._table(metrics)
        return table

    def _table(self, metrics: tuple[str, ...]) -> Picks:
        table = np.full((len(self.models), len(metrics)), -1)
        offsets: dict[str, Picks] = {}
        for number, model in enumerate(self.models):
            if model.code not in offsets:
                place = {metric.name: at for at, metric in enumerate(model.metrics)}
                offsets[model.code] = np.array([place.get(name, -1) for name in metrics], np.int64)
            known = offsets[model.code]
            table[number] = np.where(known >= 0, known + self.first[number], -1)
        return table


class Rows(NamedTuple):
    """Rows of one block of known devices. ``table`` gives the series of a device's metrics."""

    device: Picks
    at_ms: Ints
    values: Floats
    lateness: Codes
    table: Picks

    def only(self, picks: Picks | Flags) -> "Rows":
        """Return some of the rows."""
        return Rows(
            self.device[picks], self.at_ms[picks], self.values[picks], self.lateness[picks],
            self.table,
        )  # fmt: skip

    def readings(self) -> Readings:
        """Return the values that have a series, row by row."""
        series, wide = self.table.take(self.device, axis=0).ravel(), self.table.shape[1]
        readings = Readings(
            series,
            np.repeat(self.at_ms, wide),
            self.values.ravel(),
            np.zeros(len(series), np.int64),
            np.repeat(self.lateness, wide),
        )
        known = series >= 0
        return readings if known.all() else readings.only(known)


def rows_of(blocks: Sequence[Block], places: Places) -> list[Rows]:
    """Return the rows of known devices, block by block, without those ahead of our clock."""
    found = []
    for block in blocks:
        device, table = places.devices(block), places.table(block.metrics)
        rows = Rows(device, block.at_ms, block.values, block.lateness, table)
        known = (device >= 0) & (block.lateness != AHEAD)
        found.append(rows if known.all() else rows.only(known))
    return found


def passes(parts: Sequence[Rows]) -> Iterator[Readings]:
    """Yield readings so that no pass holds a series twice, each series' in order of time."""
    parts = [part for part in parts if len(part.device)]
    if not parts:
        return
    device = np.concatenate([part.device for part in parts])
    order = np.lexsort((np.concatenate([part.at_ms for part in parts]), device))
    sorted_ = device[order]
    new = np.flatnonzero(np.r_[True, sorted_[1:] != sorted_[:-1]])
    rank = np.arange(len(order)) - np.repeat(new, np.diff(np.r_[new, len(order)]))
    by_rank = order[np.argsort(rank, kind="stable")]
    ends = np.cumsum([len(part.device) for part in parts])
    for picks in np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]):
        yield _together([rows.readings() for rows in _picked(parts, ends, picks)])


def _picked(parts: Sequence[Rows], ends: Picks, picks: Picks) -> Iterator[Rows]:
    """Yield the picked rows of each part; rows are counted through all parts."""
    if len(parts) == 1:
        yield parts[0].only(picks)
        return
    owner = np.searchsorted(ends, picks, side="right")
    for number, (part, end) in enumerate(zip(parts, ends, strict=True)):
        mine = picks[owner == number]
        if len(mine):
            yield part.only(mine - (end - len(part.device)))


def _together(several: Sequence[Readings]) -> Readings:
    if len(several) == 1:
        return several[0]
    columns = zip(*several, strict=True)
    return Readings(*(np.concatenate(column) for column in columns))


def before(rows: Rows, device: int, until_ms: int) -> tuple[Rows, Rows]:
    """Split rows into those of ``device`` up to an instant, and all the others."""
    early = (rows.device == device) & (rows.at_ms <= until_ms)
    return rows.only(early), rows.only(~early)
