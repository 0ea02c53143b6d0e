"""Summary: what each ten minutes of a chunk come to, so that a month need not be unpacked.

Per cell of ten minutes and metric: how many readings, their low, high and mean. Decimal values
are kept as whole numbers, which are small; their sums are exact, and so are the means.
"""

import zlib
from collections.abc import Iterator, Mapping, Set
from typing import Final, NamedTuple

import msgspec
import numpy as np

from equipment.reading import Floats, Ints
from storage.buckets import CELL_MS
from storage.columns import BITS, POWERS, Bytes, scaled
from storage.interface import Series

_LEAST_ROWS: Final = 20  # per cell: with fewer, unpacking them costs little more
_LARGEST: Final = 2**30


class Cells(NamedTuple):
    """Cells of metrics with the same instants: ``numbers`` and ``counts`` are (cells,).

    Cell i begins at ``i * CELL_MS``. ``told`` is (low high mean, metrics, cells).
    """

    metrics: tuple[str, ...]
    numbers: Ints
    counts: Ints
    told: Floats


class _Part(msgspec.Struct, array_like=True, frozen=True):
    """``digits``: one per metric, by which whole numbers were shifted; none for other numbers."""

    metrics: list[str]
    digits: bytes
    numbers: bytes
    counts: bytes
    told: bytes


_decoder = msgspec.msgpack.Decoder(list[_Part])
_encoder = msgspec.msgpack.Encoder()


def summarized(readings: Mapping[str, Series]) -> bytes | None:
    """Return the summary of all of ``readings``, or None when they are too few per cell."""
    groups: dict[int, list[str]] = {}
    for metric, one in readings.items():
        groups.setdefault(id(one.at_ms), []).append(metric)
    instants = [readings[metrics[0]].at_ms for metrics in groups.values()]
    cells = np.unique(np.concatenate(instants) // CELL_MS)
    if len(cells) * _LEAST_ROWS > max(map(len, instants)):
        return None
    return _encoder.encode([part for group in groups.values() for part in _parts(group, readings)])


def _parts(metrics: list[str], readings: Mapping[str, Series]) -> Iterator[_Part]:
    numbers = readings[metrics[0]].at_ms // CELL_MS
    firsts = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))
    counts = np.diff(np.append(firsts, len(numbers)))
    values = np.array([readings[metric].values for metric in metrics])
    whole, digits = scaled(values)
    small = (digits != BITS) & (np.abs(whole) <= _LARGEST // counts.max()).all(axis=1)
    rows = numbers[firsts].astype("<i8").tobytes(), counts.astype("<u4").tobytes()
    for chosen in (np.flatnonzero(small), np.flatnonzero(~small)):
        if len(chosen):
            names, is_small = [metrics[i] for i in chosen], bool(small[chosen[0]])
            told = (
                _whole(whole[chosen], firsts, counts)
                if is_small
                else _exact(values[chosen], firsts, counts)
            )
            yield _Part(names, digits[chosen].tobytes() if is_small else b"", *rows, told)


def _whole(whole: Ints, firsts: Ints, counts: Ints) -> bytes:
    """Pack low, high - low, and the sum of what each reading is above low."""
    low = np.minimum.reduceat(whole, firsts, axis=1)
    high = np.maximum.reduceat(whole, firsts, axis=1)
    above = np.add.reduceat(whole, firsts, axis=1) - counts * low
    planes = np.stack((low, high - low, above)).astype("<i4").view(np.uint8).reshape(-1, 4)
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 8, zlib.Z_RLE)
    return packer.compress(planes.T.tobytes()) + packer.flush()


def _exact(values: Floats, firsts: Ints, counts: Ints) -> bytes:
    """Pack low, high and mean."""
    low = np.minimum.reduceat(values, firsts, axis=1)
    high = np.maximum.reduceat(values, firsts, axis=1)
    shares = values / np.repeat(counts, counts)  # a sum of large values could overflow
    mean = np.clip(np.add.reduceat(shares, firsts, axis=1), low, high)
    return np.stack((low, high, mean)).astype("<f8").tobytes()


def unpacked(blob: bytes, metrics: Set[str]) -> Iterator[Cells]:
    """Yield the cells of ``metrics`` in ``blob``; a metric without cells is not in the chunk."""
    for part in _decoder.decode(blob):
        rows = [i for i, metric in enumerate(part.metrics) if metric in metrics]
        if rows:
            counts = np.frombuffer(part.counts, "<u4")
            shape = 3, len(part.metrics), len(counts)
            told = _unpacked_whole if part.digits else _unpacked_exact
            yield Cells(
                tuple(part.metrics[i] for i in rows),
                np.frombuffer(part.numbers, "<i8"),
                counts.astype(np.int64),
                told(part, shape, counts)[:, rows],
            )


def _unpacked_exact(part: _Part, shape: tuple[int, int, int], _: Bytes) -> Floats:
    return np.frombuffer(part.told, "<f8").reshape(shape)


def _unpacked_whole(part: _Part, shape: tuple[int, int, int], counts: Bytes) -> Floats:
    planes = np.frombuffer(zlib.decompress(part.told, -15), np.uint8).reshape(4, -1)
    told = np.ascontiguousarray(planes.T).view("<i4").astype(np.float64).reshape(shape)
    told[2] /= counts
    told[1:] += told[0]
    return told / POWERS[np.frombuffer(part.digits, np.uint8)][:, np.newaxis]
