"""Reading: one value of one metric at one instant; Block: many of them, column-wise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

LATENESS = ("live", "late", "historical", "ahead", "old")
LIVE, LATE, HISTORICAL, AHEAD, OLD = range(5)
"""How a row came in time: as it was measured; within a day; marked as history; with an instant that
is ahead of our clock; older than a day though nobody marked it. Decided once, when it came in."""


class Reading(NamedTuple):
    """One value of one metric of one device at one instant (ms UTC), in the catalogue's unit."""

    device: str
    metric: str
    at_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that carry the same metrics: row i is device ``devices[i]`` at ``at_ms[i]``.

    ``values`` is (rows, metrics), float64, in the catalogue's units, finite.
    ``boots`` and ``seqs`` are the message key of each row (a batch message gives all its rows
    the same key). ``lateness`` is a code of LIVE, LATE, HISTORICAL, AHEAD, OLD for each row.
    """

    metrics: tuple[str, ...]
    devices: Sequence[str]
    at_ms: Ints
    values: Floats
    boots: Sequence[str]
    seqs: Ints
    lateness: Codes

    def __len__(self) -> int:
        return len(self.devices)

    def readings(self) -> Iterator[Reading]:
        """Yield every value as a Reading, row by row. For tests and small outputs."""
        for row, device in enumerate(self.devices):
            for column, metric in enumerate(self.metrics):
                yield Reading(device, metric, int(self.at_ms[row]), float(self.values[row, column]))


@dataclass(frozen=True, slots=True)
class Note:
    """Something a device said that is not a reading: birth, state, event, qc or maint."""

    device: str
    kind: str
    at_ms: int
    boot: str
    seq: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """What is committed, and acknowledged, in one go. ``id`` is 0 until it is stored.

    ``received_ms`` is when it came in, ms UTC of our own clock, 0 where that is not known.
    """

    blocks: Sequence[Block] = ()
    notes: Sequence[Note] = ()
    id: int = field(default=0, compare=False)
    received_ms: int = 0

    def __bool__(self) -> bool:
        return bool(self.blocks or self.notes)
