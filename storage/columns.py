"""Columns: the readings of one device, packed small and read back bit for bit.

A chunk is a list of groups; a group is the metrics that share their instants. Instants and values
become one matrix of integers: values times a power of ten where that is exact, else their bits.
Each row keeps its distance from its middle, or its differences of order 1 or 2, whichever are
smallest, cut into byte planes (all low bytes first) and deflated. A chunk needs nothing but itself
to be read.
"""

import zlib
from collections.abc import Mapping, Sequence, Set
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from equipment.reading import Floats, Ints
from storage.interface import Series

Bytes = NDArray[np.uint8]
BITS: Final = 255
POWERS: Final = 10.0 ** np.arange(9)
_EXACT: Final = float(2**53)
_SAMPLE: Final = 16  # so many values tell whether the others are worth a try
_TYPICAL: Final = 256  # so many tell which differences are smallest


class _Group(msgspec.Struct, array_like=True, frozen=True):
    """``digits``, ``orders``, ``widths`` and ``bases`` have one entry per row, instants first."""

    metrics: list[str]
    n: int
    digits: bytes
    orders: bytes
    widths: bytes
    bases: list[int]
    planes: bytes


_groups = msgspec.msgpack.Decoder(list[_Group])
_encoder = msgspec.msgpack.Encoder()


def encode(series: Mapping[str, Series]) -> bytes:
    """Return ``series`` as one blob. Metrics that share one ``at_ms`` array share its cost."""
    groups: dict[int, list[str]] = {}
    for metric, one in series.items():
        groups.setdefault(id(one.at_ms), []).append(metric)
    return _encoder.encode([_packed(metrics, series) for metrics in groups.values()])


def decode(blob: bytes, metrics: Set[str] | None = None) -> dict[str, Series]:
    """Return the series in ``blob``, or those of ``metrics`` only."""
    found: dict[str, Series] = {}
    for group in _groups.decode(blob):
        wanted = [m for m in group.metrics if metrics is None or m in metrics]
        if wanted:
            found.update(_unpacked(group, wanted))
    return found


def _packed(metrics: list[str], series: Mapping[str, Series]) -> _Group:
    at_ms = series[metrics[0]].at_ms
    whole, digits = scaled(np.array([series[metric].values for metric in metrics]))
    numbers = np.concatenate((at_ms[np.newaxis], whole))
    residues, orders, bases = _residues(numbers)
    folded = ((residues << 1) ^ (residues >> 63)).view(np.uint64)
    widths = _widths(folded)
    planes = folded.astype("<u8", copy=False).view(np.uint8).reshape(*folded.shape, 8)
    cut = [planes[widths > k, :, k].tobytes() for k in range(int(widths.max()))]
    return _Group(
        metrics, len(at_ms), b"\0" + digits.tobytes(), orders.tobytes(), widths.tobytes(),
        bases.tolist(), _deflated(cut),
    )  # fmt: skip


def _unpacked(group: _Group, wanted: list[str]) -> dict[str, Series]:
    widths, orders = np.frombuffer(group.widths, np.uint8), np.frombuffer(group.orders, np.uint8)
    rows = np.array([0, *(1 + group.metrics.index(metric) for metric in wanted)])
    folded = _joined(zlib.decompress(group.planes, -15), widths, rows, group.n)
    numbers = (folded >> np.uint64(1)).view(np.int64) ^ -(folded & np.uint64(1)).view(np.int64)
    for order in (2, 1):
        grown = orders[rows] >= order
        numbers[grown] = np.cumsum(numbers[grown], axis=1)
    numbers += np.array(group.bases, np.int64)[rows, np.newaxis]
    values = _unscaled(numbers[1:], np.frombuffer(group.digits, np.uint8)[rows[1:]])
    at_ms = numbers[0]
    return {metric: Series(at_ms, values[i]) for i, metric in enumerate(wanted)}


def _joined(raw: bytes, widths: Bytes, rows: Ints, n: int) -> NDArray[np.uint64]:
    """Put the byte planes of ``rows`` back together."""
    folded = np.zeros((len(rows), n), "<u8")
    planes = folded.view(np.uint8).reshape(len(rows), n, 8)
    start = 0
    for k in range(int(widths.max())):
        present = widths > k
        count = int(present.sum())
        plane = np.frombuffer(raw, np.uint8, count * n, start).reshape(count, n)
        mine = present[rows]
        planes[mine, :, k] = plane[(np.cumsum(present) - 1)[rows[mine]]]
        start += count * n
    return folded.astype(np.uint64, copy=False)


def scaled(values: Floats) -> tuple[Ints, Bytes]:
    """Return whole numbers per row, and the digits each was shifted by: exact, or BITS."""
    numbers, digits = values.view(np.int64).copy(), np.full(len(values), BITS, np.uint8)
    left = np.flatnonzero((np.abs(values) < _EXACT / POWERS[-1]).all(axis=1))
    for digit, power in enumerate(POWERS):
        likely = left[_whole(values[left, :_SAMPLE], power)[1]]
        whole, exact = _whole(values[likely], power)
        numbers[likely[exact]] = whole[exact]
        digits[likely[exact]] = digit
        left = left[digits[left] == BITS]
        if not len(left):
            break
    return numbers, digits


def _whole(values: Floats, power: float) -> tuple[Ints, NDArray[np.bool_]]:
    """Return ``values`` times ``power`` as whole numbers, and for which rows that is exact."""
    whole = np.rint(values * power).astype(np.int64)
    return whole, ((whole / power).view(np.int64) == values.view(np.int64)).all(axis=1)


def _unscaled(numbers: Ints, digits: Bytes) -> Floats:
    plain = digits != BITS
    values = numbers / POWERS[np.where(plain, digits, 0)][:, np.newaxis]
    values[~plain] = numbers[~plain].view(np.float64)
    return values


def _residues(numbers: Ints) -> tuple[Ints, Bytes, Ints]:
    """Return what is left of each row, the order of its differences, and where it starts.

    Integers wrap round at 64 bits, and back when they are summed, so no row is too wild.
    """
    middle = numbers.min(axis=1) // 2 + numbers.max(axis=1) // 2
    some = numbers[:, :_TYPICAL]
    slope = np.diff(some, axis=1)
    ways = (some[:, 2:] - middle[:, np.newaxis], slope[:, 1:], np.diff(slope, axis=1))
    sizes = [np.abs(way).sum(axis=1, dtype=np.float64) for way in ways]
    orders = np.argmin(sizes, axis=0).astype(np.uint8)
    bases = np.where(orders == 0, middle, numbers[:, 0])
    residues = numbers - bases[:, np.newaxis]
    for order in (1, 2):
        grown = orders >= order
        residues[grown, 1:] = np.diff(residues[grown], axis=1)
    return residues, orders, bases


def _widths(folded: NDArray[np.uint64]) -> Bytes:
    """Return how many bytes the largest number of each row needs: 0 to 8."""
    return np.array([(top.bit_length() + 7) // 8 for top in folded.max(axis=1).tolist()], np.uint8)


def _deflated(planes: Sequence[bytes]) -> bytes:
    """Runs and Huffman only: noise has no repeats worth a search. Each plane has its own codes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 8, zlib.Z_RLE)
    parts = [packer.compress(plane) + packer.flush(zlib.Z_BLOCK) for plane in planes]
    return b"".join(parts) + packer.flush()
