"""Recent: readings that are committed but not in their final place yet, kept at hand to be read."""

from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipment.reading import Batch, Floats, Ints
from storage.interface import Series
from storage.merge import Part

Codes = NDArray[np.int32]
_SMALLEST = 64


class Numbers:
    """Gives names small numbers, in the order of their first appearance."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def find(self, name: str) -> int | None:
        """Return the number of ``name``, or None when it has none."""
        return self._of.get(name)

    def of(self, names: Sequence[str]) -> Codes:
        """Return the number of each name; a new name gets the next one."""
        try:
            return np.array([self._of[name] for name in names], np.int32)
        except KeyError:
            self._add(names)
            return self.of(names)

    def _add(self, names: Iterable[str]) -> None:
        for name in dict.fromkeys(names):
            if name not in self._of:
                self.names.append(name)
                self._of[name] = len(self.names) - 1


class Rows(NamedTuple):
    """Rows of one set of metrics, of all devices, in the order of writing.

    ``nth`` is the place of each row among those of all sets. When the rows are ``sorted``, it
    holds the row numbers by device and where each device starts.
    """

    metrics: tuple[str, ...]
    codes: Codes
    nth: Codes
    at_ms: Ints
    values: Floats
    sorted: tuple[Ints, Ints] | None = None

    def of(self, code: int) -> Ints:
        """Return the numbers of the rows of one device."""
        if self.sorted is None:
            return np.flatnonzero(self.codes == code)
        order, starts = self.sorted
        return order[starts[code] : starts[code + 1]] if code + 1 < len(starts) else order[:0]

    def by_device(self) -> "Rows":
        """Return the same rows, sorted."""
        codes: NDArray[Any] = self.codes
        if len(codes) and codes.max() < 2**16:
            codes = codes.astype(np.uint16)  # sorted by radix, which is many times faster
        order = np.argsort(codes, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(codes))))
        return self._replace(sorted=(order, starts))


class _Pool:
    """Rows of one set of metrics, in pages that double: adding never copies what is there.

    A row that was added never changes, so a view stays true.
    """

    def __init__(self, metrics: tuple[str, ...]) -> None:
        self.metrics = metrics
        self._full: list[Rows] = []
        self._n, self._page = 0, self._blank(_SMALLEST)

    def _blank(self, size: int) -> Rows:
        return Rows(
            self.metrics,
            np.empty(size, np.int32),
            np.empty(size, np.int32),
            np.empty(size, np.int64),
            np.empty((size, len(self.metrics))),
        )

    def add(self, rows: Rows) -> None:
        start, past = self._n, self._n + len(rows.codes)
        if past > len(self._page.codes):
            self._full = self.views()
            self._page = self._blank(max(len(rows.codes), 2 * len(self._page.codes)))
            start, past = 0, len(rows.codes)
        self._page.codes[start:past] = rows.codes
        self._page.nth[start:past] = rows.nth
        self._page.at_ms[start:past] = rows.at_ms
        self._page.values[start:past] = rows.values
        self._n = past

    def views(self) -> list[Rows]:
        _, codes, nth, at_ms, values, _ = self._page
        n = self._n
        return [*self._full, Rows(self.metrics, codes[:n], nth[:n], at_ms[:n], values[:n])]


class Recent:
    """The readings of consecutive batches, up to batch ``upto``.

    One thread adds; any thread may take ``views`` under the owner's lock and read them without it.
    """

    def __init__(self, devices: Numbers) -> None:
        self.upto = 0
        self.rows = 0
        self.bytes = 0
        self._devices = devices
        self._seen = np.zeros(_SMALLEST, np.bool_)
        self._pools: dict[tuple[str, ...], _Pool] = {}
        self._views: list[Rows] | None = None

    def add(self, batch: Batch, codes: Sequence[Codes]) -> None:
        """Add the readings of ``batch``; ``codes`` are the device numbers of each block."""
        if len(self._seen) < len(self._devices):
            more = np.zeros(2 * len(self._devices) - len(self._seen), np.bool_)
            self._seen = np.concatenate((self._seen, more))
        for block, numbers in zip(batch.blocks, codes, strict=True):
            if block.metrics not in self._pools:
                self._pools[block.metrics] = _Pool(block.metrics)
            nth = np.arange(self.rows, self.rows + len(block), dtype=np.int32)
            rows = Rows(block.metrics, numbers, nth, block.at_ms, block.values)
            self._pools[block.metrics].add(rows)
            self._seen[numbers] = True
            self.rows += len(block)
            self.bytes += len(block) * (16 + 8 * len(block.metrics))
        self.upto = batch.id

    def count_devices(self) -> int:
        """Return how many devices have readings here."""
        return int(np.count_nonzero(self._seen))

    def devices(self) -> list[str]:
        """Return the devices that have readings here, by name."""
        return sorted(self._devices.names[code] for code in np.flatnonzero(self._seen))

    def freeze(self) -> None:
        """Sort the rows by device: nothing will be added any more."""
        self._views = [view.by_device() for view in self.views()]

    def history(self, device: str) -> Part:
        """Return the readings of one device, in the order of writing."""
        code = self._devices.find(device)
        return {} if code is None else history(self.views(), code)

    def views(self) -> list[Rows]:
        """Return the rows as they are now."""
        return self._views or [view for pool in self._pools.values() for view in pool.views()]


def history(views: Sequence[Rows], code: int, metrics: Set[str] | None = None) -> Part:
    """Return the readings of one device, or those of ``metrics`` only, in the order of writing."""
    found: dict[str, Series] = {}
    mine = _by_metrics(views, code)
    holders: dict[str, list[_Mine]] = {}
    for rows in mine:
        for metric in rows.metrics:
            if metrics is None or metric in metrics:
                holders.setdefault(metric, []).append(rows)
    orders: dict[tuple[int, ...], tuple[Ints, Ints]] = {}
    for metric, held in holders.items():
        key = tuple(id(rows) for rows in held)
        if key not in orders:
            order = np.argsort(np.concatenate([rows.nth for rows in held]))
            orders[key] = np.concatenate([rows.at_ms for rows in held])[order], order
        at_ms, order = orders[key]
        values = np.concatenate([rows.of(metric) for rows in held])
        found[metric] = Series(at_ms, values[order])
    return found


class _Mine(NamedTuple):
    """Rows of one device and one set of metrics; ``values`` is (rows, metrics)."""

    metrics: tuple[str, ...]
    nth: Codes
    at_ms: Ints
    values: Floats

    def of(self, metric: str) -> Floats:
        return self.values[:, self.metrics.index(metric)]


def _by_metrics(views: Sequence[Rows], code: int) -> list[_Mine]:
    pages: dict[tuple[str, ...], list[_Mine]] = {}
    for view in views:
        rows = view.of(code)
        if len(rows):
            page = _Mine(view.metrics, view.nth[rows], view.at_ms[rows], view.values[rows])
            pages.setdefault(view.metrics, []).append(page)
    return [
        _Mine(
            metrics,
            np.concatenate([page.nth for page in held]),
            np.concatenate([page.at_ms for page in held]),
            np.concatenate([page.values for page in held]),
        )
        for metrics, held in pages.items()
    ]
