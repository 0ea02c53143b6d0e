"""Recent: readings that are committed but not in their final place yet, kept at hand to be read."""

from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from equipment.reading import Batch, Block, Floats, Ints
from storage.interface import Series
from storage.merge import Part

Codes = NDArray[np.int32]
Kind = TypeVar("Kind", bound=np.generic)
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
    """Room for rows to grow in. A row that was added never changes, so views stay true."""

    def __init__(self, metrics: tuple[str, ...]) -> None:
        self.n = 0
        self.room = Rows(
            metrics,
            np.empty(_SMALLEST, np.int32),
            np.empty(_SMALLEST, np.int32),
            np.empty(_SMALLEST, np.int64),
            np.empty((_SMALLEST, len(metrics))),
        )

    def add(self, block: Block, codes: Codes, nth: int) -> None:
        start, past = self.n, self.n + len(codes)
        if past > len(self.room.codes):
            self._grow(past)
        self.room.codes[start:past] = codes
        self.room.nth[start:past] = np.arange(nth, nth + len(codes))
        self.room.at_ms[start:past] = block.at_ms
        self.room.values[start:past] = block.values
        self.n = past

    def _grow(self, needed: int) -> None:
        size = max(needed, 2 * self.n)
        metrics, codes, nth, at_ms, values, _ = self.view()
        self.room = Rows(
            metrics, _wider(codes, size), _wider(nth, size), _wider(at_ms, size),
            _wider(values, size),
        )  # fmt: skip

    def view(self) -> Rows:
        metrics, codes, nth, at_ms, values, _ = self.room
        n = self.n
        return Rows(metrics, codes[:n], nth[:n], at_ms[:n], values[:n])


def _wider(array: NDArray[Kind], size: int) -> NDArray[Kind]:
    wide = np.empty((size, *array.shape[1:]), array.dtype)
    wide[: len(array)] = array
    return wide


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
            self._pools[block.metrics].add(block, numbers, self.rows)
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
        self._views = [pool.view().by_device() for pool in self._pools.values()]

    def views(self) -> list[Rows]:
        """Return the rows as they are now."""
        return self._views or [pool.view() for pool in self._pools.values()]


def history(views: Sequence[Rows], code: int, metrics: Set[str] | None = None) -> Part:
    """Return the readings of one device, or those of ``metrics`` only, in the order of writing."""
    mine = [(view, rows) for view in views if len(rows := view.of(code))]
    holders: dict[str, list[int]] = {}
    for i, (view, _) in enumerate(mine):
        for metric in view.metrics:
            if metrics is None or metric in metrics:
                holders.setdefault(metric, []).append(i)
    orders: dict[tuple[int, ...], tuple[Ints, Ints]] = {}
    found: dict[str, Series] = {}
    for metric, held in holders.items():
        key = tuple(held)
        if key not in orders:
            orders[key] = _writing_order([mine[i] for i in held])
        at_ms, order = orders[key]
        values = [v.values[rows, v.metrics.index(metric)] for v, rows in (mine[i] for i in held)]
        found[metric] = Series(at_ms, np.concatenate(values)[order])
    return found


def _writing_order(held: Sequence[tuple[Rows, Ints]]) -> tuple[Ints, Ints]:
    order = np.argsort(np.concatenate([view.nth[rows] for view, rows in held]))
    return np.concatenate([view.at_ms[rows] for view, rows in held])[order], order
