"""Sorted: what arrivals came to, before it is stored."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from desk.arrival import Again
from equipment.quarantine import Quarantined
from equipment.reading import Batch, Block, Note

FUTURE_LIMIT_MS = 24 * 3600 * 1000
_Row = tuple[str, int, str, int, int]  # device, ms UTC, boot, sequence, lateness


class Rows(NamedTuple):
    """Rows of one block under construction: all carry the same metrics."""

    values: list[float]
    rows: list[_Row]

    def block(self, metrics: tuple[str, ...]) -> Block:
        """Return them as arrays."""
        devices, at_ms, boots, seqs, lateness = zip(*self.rows, strict=True)
        return Block(
            metrics,
            devices,
            np.array(at_ms, dtype=np.int64),
            np.fromiter(self.values, np.float64, len(self.values)).reshape(len(devices), -1),
            boots,
            np.array(seqs, dtype=np.int64),
            np.array(lateness, dtype=np.int8),
        )


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
    stored: Batch | None = None  # once it is

    @property
    def now_ms(self) -> int:
        """When they came in, ms UTC."""
        return self.latest_ms - FUTURE_LIMIT_MS

    def block(self, metrics: tuple[str, ...]) -> Rows:
        """Return where rows with ``metrics`` are collected."""
        rows = self.rows.get(metrics)
        if rows is None:
            rows = self.rows[metrics] = Rows([], [])
        return rows

    def blocks(self) -> list[Block]:
        """Return the readings, one block for each set of metrics."""
        return [rows.block(metrics) for metrics, rows in self.rows.items()]
