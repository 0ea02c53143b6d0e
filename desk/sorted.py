"""Sorted: what arrivals came to, before it is stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from struct import Struct
from typing import NamedTuple

import numpy as np

from desk.arrival import Again
from equipment.quarantine import Quarantined
from equipment.reading import Batch, Block, Note
from health.alarm import Alarm
from health.clocks import Clocks
from health.table import Picks

FUTURE_LIMIT_MS = 24 * 3600 * 1000
# Device, ms UTC, boot, sequence, and twice the number of its clock, one more for history.
_Row = tuple[str, int, str, int, int]


class Rows(NamedTuple):
    """Rows of one block under construction: all carry the same metrics.

    The values of a row are packed at once: a whole batch of Python floats would not stay cached.
    """

    pack: Callable[..., bytes]
    values: list[bytes]
    rows: list[_Row]

    def block(self, metrics: tuple[str, ...], clocks: Clocks, now_ms: int) -> tuple[Block, Picks]:
        """Return the rows as a block, and the number of the clock of each."""
        devices, times, boots, seqs, marks = zip(*self.rows, strict=True)
        at_ms, marked = np.array(times, dtype=np.int64), np.array(marks, dtype=np.int64)
        numbers = marked >> 1
        block = Block(
            metrics,
            devices,
            at_ms,
            np.frombuffer(b"".join(self.values), np.float64).reshape(len(devices), -1),
            boots,
            np.array(seqs, dtype=np.int64),
            clocks.judge(numbers, at_ms, (marked & 1).astype(np.bool_), now_ms),
        )
        return block, numbers


_NO_ROWS = Rows(Struct("").pack, [], [])


class Decided(NamedTuple):
    """What a message out of quarantine came to; ``refused`` says so in its new words."""

    again: Again
    outcome: str
    refused: Quarantined | None = None


@dataclass(slots=True)
class Sorted:
    """What a list of arrivals came to."""

    now: datetime
    latest_ms: int
    rows: dict[tuple[str, ...], Rows] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)
    again: dict[str, Decided] = field(default_factory=dict)  # id in quarantine -> what it is now
    far: dict[int, int] = field(default_factory=dict)  # clock -> an instant too far ahead to take
    blocks: list[Block] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)  # of clocks
    stored: Batch | None = None  # once it is
    _last: tuple[str, ...] | None = None
    _last_rows: Rows = _NO_ROWS
    _newest: dict[str, int] = field(default_factory=dict)
    _looked: dict[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def now_ms(self) -> int:
        """When they came in, ms UTC."""
        return self.latest_ms - FUTURE_LIMIT_MS

    def block(self, metrics: tuple[str, ...]) -> Rows:
        """Return where rows with ``metrics`` are collected."""
        if metrics is self._last:  # spares the hash of many names
            return self._last_rows
        rows = self.rows.get(metrics)
        if rows is None:
            rows = self.rows[metrics] = Rows(Struct(f"{len(metrics)}d").pack, [], [])
        self._last, self._last_rows = metrics, rows
        return rows

    def newest_ms(self, device: str) -> int:
        """Return the newest instant among the rows of ``device`` so far; looks at each row once."""
        for metrics, (_, _, rows) in self.rows.items():
            for row in islice(rows, self._looked.get(metrics, 0), None):
                if row[1] > self._newest.get(row[0], -1):
                    self._newest[row[0]] = row[1]
            self._looked[metrics] = len(rows)
        return self._newest.get(device, -1)
