"""Passes: the readings of a batch, ordered so that each pass has one reading per series."""

from collections.abc import Iterator, Sequence
from itertools import repeat

import numpy as np

from equipment.catalog import DeviceModel
from equipment.reading import Block, Ints
from health.series import Readings
from health.table import Picks


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

    def of(self, block: Block) -> Picks:
        """Return (rows, metrics) series numbers, -1 where there is none."""
        table = self._tables.get(block.metrics)
        if table is None or len(table) != len(self.models) + 1:
            table = self._tables[block.metrics] = self._table(block.metrics)
        last = len(self.models)
        rows = np.fromiter(map(self.number.get, block.devices, repeat(last)), np.int64, len(block))
        return table.take(rows, axis=0)

    def _table(self, metrics: tuple[str, ...]) -> Picks:
        """One row per device, and a last one of -1 for all others."""
        table = np.full((len(self.models) + 1, len(metrics)), -1)
        offsets: dict[str, Picks] = {}
        for number, model in enumerate(self.models):
            if model.code not in offsets:
                place = {metric.name: at for at, metric in enumerate(model.metrics)}
                offsets[model.code] = np.array([place.get(name, -1) for name in metrics], np.int64)
            known = offsets[model.code]
            table[number] = np.where(known >= 0, known + self.first[number], -1)
        return table


def flat(blocks: Sequence[Block], places: Places) -> list[Readings]:
    """Return the known readings of each block, row by row."""
    flats = []
    for block in blocks:
        if not len(block):
            continue
        series = places.of(block).ravel()
        wide = len(block.metrics)
        readings = Readings(
            series,
            np.repeat(block.at_ms, wide),
            block.values.ravel(),
            np.zeros(len(series), np.int64),
            np.repeat(block.historical, wide),
        )
        known = series >= 0
        flats.append(readings if known.all() else readings.only(known))
    return flats


def passes(flats: Sequence[Readings], scratch: Ints) -> Iterator[Readings]:
    """Yield readings so that no pass holds a series twice, each series' in order of time.

    ``scratch`` has a place per series; its content does not matter and is overwritten.
    """
    parts = [part for part in flats if len(part.series)]
    if sum(len(part.series) for part in parts) == _distinct(parts, scratch):
        yield from parts
        return
    everything = Readings(
        np.concatenate([part.series for part in parts]),
        np.concatenate([part.at_ms for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.gap_ms for part in parts]),
        np.concatenate([part.historical for part in parts]),
    )
    order = np.lexsort((everything.at_ms, everything.series))
    ordered = everything.series[order]
    new = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.arange(len(ordered)) - np.repeat(new, np.diff(np.r_[new, len(ordered)]))
    by_rank = np.argsort(rank, kind="stable")
    for picks in np.split(order[by_rank], np.cumsum(np.bincount(rank))[:-1]):
        yield everything.only(picks)


def _distinct(parts: Sequence[Readings], scratch: Ints) -> int:
    """Return how many different series the parts hold, counting at most once per place."""
    start, count = 0, 0
    for part in parts:
        scratch.put(part.series, np.arange(start, start + len(part.series)))
        start += len(part.series)
    start = 0
    for part in parts:
        mine = np.arange(start, start + len(part.series))
        count += int((scratch.take(part.series) == mine).sum())
        start += len(part.series)
    return count


def before(readings: Readings, series: range, until_ms: int) -> tuple[Readings, Readings]:
    """Split readings into those of ``series`` up to an instant, and all the others."""
    mine = (readings.series >= series.start) & (readings.series < series.stop)
    early = np.flatnonzero(mine & (readings.at_ms <= until_ms))
    rest = np.ones(len(mine), np.bool_)
    rest[early] = False
    return readings.only(early), readings.only(rest)
