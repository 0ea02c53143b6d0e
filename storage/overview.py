"""Overview: a long window from summaries; only what they cannot tell exactly is unpacked.

A cell of a chunk is told by its summary unless the window ends in it, or another chunk or a reading
in memory may have the same instants: then the last write wins, and that takes the readings.
"""

from collections.abc import Callable, Sequence, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipment.reading import Ints
from storage.buckets import CELL_MS, Buckets, Gist, bucketed, gist
from storage.interface import Series, Window
from storage.merge import Part, clipped, merged
from storage.summary import Cells, unpacked

Mask = NDArray[np.bool_]
Unpack = Callable[[Sequence[int]], Sequence[Part]]


class Chunk(NamedTuple):
    """A chunk, ``t0`` to ``t1`` inclusive, with its summary if it has one."""

    id: int
    t0: int
    t1: int
    summary: bytes | None


class _Sheet(NamedTuple):
    """Cells of chunks with the same metrics, side by side; ``owner`` is the place of the chunk."""

    cells: Cells
    owner: Ints


def overview(
    chunks: Sequence[Chunk],
    recent: Sequence[Part],
    unpack: Unpack,
    *,
    metrics: Set[str],
    span: tuple[int, int],
    wanted: Buckets,
) -> dict[str, Window]:
    """Return low, high and mean of each of the ``wanted`` buckets within ``span``, per metric.

    ``chunks``, then ``recent``, are in the order of writing; ``unpack`` returns the readings of
    chunks by their places. Buckets are whole cells.
    """
    loose = [place for place, chunk in enumerate(chunks) if chunk.summary is None]
    readings = dict(zip(loose, unpack(loose), strict=True))
    sheets = _sheets(chunks, metrics)
    t0, t1 = (np.array([chunk[i] for chunk in chunks], np.int64) for i in (1, 2))
    open_ = _open(sheets, t0, t1, _instants([*readings.values(), *recent]), span)
    for place, part, cells in _opened(sheets, open_, unpack):
        readings[place] = _only(part, cells)
    parts = [readings[place] for place in sorted(readings)]
    gists: dict[str, list[Gist]] = {
        metric: [gist(one)] for metric, one in clipped(merged([*parts, *recent]), *span).items()
    }
    for sheet, is_open in zip(sheets, open_, strict=True):
        for metric, told in _told(sheet, ~is_open):
            gists.setdefault(metric, []).append(told)
    return {metric: bucketed(found, wanted) for metric, found in gists.items()}


def _sheets(chunks: Sequence[Chunk], metrics: Set[str]) -> list[_Sheet]:
    found: dict[tuple[str, ...], list[tuple[int, Cells]]] = {}
    for place, chunk in enumerate(chunks):
        if chunk.summary is not None:
            for cells in unpacked(chunk.summary, metrics):
                found.setdefault(cells.metrics, []).append((place, cells))
    return [_side_by_side(names, held) for names, held in found.items()]


def _side_by_side(metrics: tuple[str, ...], held: Sequence[tuple[int, Cells]]) -> _Sheet:
    numbers = np.concatenate([cells.numbers for _, cells in held])
    counts = np.concatenate([cells.counts for _, cells in held])
    told = np.concatenate([cells.told for _, cells in held], axis=2)
    lengths = [len(cells.numbers) for _, cells in held]
    owner = np.repeat(np.array([place for place, _ in held], np.int64), lengths)
    return _Sheet(Cells(metrics, numbers, counts, told), owner)


def _instants(parts: Sequence[Part]) -> Ints:
    """Return every instant of ``parts``, in order."""
    arrays = {id(one.at_ms): one.at_ms for part in parts for one in part.values()}
    return np.unique(np.concatenate([np.empty(0, np.int64), *arrays.values()]))


def _open(
    sheets: Sequence[_Sheet], t0: Ints, t1: Ints, instants: Ints, span: tuple[int, int]
) -> list[Mask]:
    """Return which cells of each sheet take the readings themselves."""
    if not sheets:
        return []
    numbers = np.concatenate([sheet.cells.numbers for sheet in sheets])
    owner = np.concatenate([sheet.owner for sheet in sheets])
    start, end = numbers * CELL_MS, (numbers + 1) * CELL_MS
    first = np.searchsorted(instants, np.maximum(start, t0[owner]))
    past = np.searchsorted(instants, np.minimum(end, t1[owner] + 1))
    cut = (start < span[0]) | (end > span[1])
    found = cut | (past > first) | _shared(numbers, owner, t0, t1)
    return np.split(found, np.cumsum([len(sheet.owner) for sheet in sheets])[:-1])


def _shared(numbers: Ints, owner: Ints, t0: Ints, t1: Ints) -> Mask:
    """Return which cells are those of several chunks that may have instants in common."""
    order = np.lexsort((owner, t0[owner], numbers))
    number, chunk = numbers[order], owner[order]
    overlap = t0[chunk[1:]] <= t1[chunk[:-1]]
    same = (number[1:] == number[:-1]) & (chunk[1:] != chunk[:-1]) & overlap
    return np.isin(numbers, number[1:][same])


def _opened(
    sheets: Sequence[_Sheet], open_: Sequence[Mask], unpack: Unpack
) -> list[tuple[int, Part, Ints]]:
    """Return the chunks with open cells: place, readings, and which cells those are."""
    pairs = [
        np.stack((sheet.owner[mask], sheet.cells.numbers[mask]))
        for sheet, mask in zip(sheets, open_, strict=True)
    ]
    owner, numbers = np.concatenate([np.empty((2, 0), np.int64), *pairs], axis=1)
    places = np.unique(owner).tolist()
    parts = unpack(places)
    return [
        (place, part, numbers[owner == place]) for place, part in zip(places, parts, strict=True)
    ]


def _only(part: Part, cells: Ints) -> Part:
    """Return the readings within ``cells``."""
    masks: dict[int, tuple[Ints, Mask]] = {}
    found = {}
    for metric, (at_ms, values) in part.items():
        if id(at_ms) not in masks:
            mask = np.isin(at_ms // CELL_MS, cells)
            masks[id(at_ms)] = at_ms[mask], mask
        instants, mask = masks[id(at_ms)]
        found[metric] = Series(instants, values[mask])
    return found


def _told(sheet: _Sheet, kept: Mask) -> list[tuple[str, Gist]]:
    metrics, numbers, counts, told = sheet.cells
    if not kept.any():
        return []
    at_ms, counts, told = numbers[kept] * CELL_MS, counts[kept], told[:, :, kept]
    return [(metric, Gist(at_ms, counts, *told[:, i])) for i, metric in enumerate(metrics)]
