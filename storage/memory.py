"""Memory: the telemetry engine that is obviously right; for tests, demos and as a yardstick."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from equipment.reading import AHEAD, Batch, Note
from storage.buckets import windowed
from storage.interface import Backlog, Checkpoint, Series, Window


class MemoryTelemetry:
    """Everything in dictionaries; nothing outlives the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: list[Batch] = []
        self._values: dict[str, dict[str, dict[int, float]]] = {}
        self._notes: dict[tuple[str, int, str, str, int], Note] = {}
        self._early: set[tuple[str, int]] = set()
        self._floor_ms: int | None = None
        self._checkpoint: Checkpoint | None = None

    def append(self, batch: Batch) -> int:
        """Store ``batch`` and return its id."""
        with self._lock:
            self._batches.append(replace(batch, id=len(self._batches) + 1))
            for block in batch.blocks:
                rows = list(zip(block.devices, block.at_ms.tolist(), strict=True))
                early = {rows[row] for row in np.flatnonzero(block.lateness == AHEAD).tolist()}
                self._early = (self._early - set(rows)) | early if early or self._early else set()
                for device, metric, at_ms, value in block.readings():
                    self._values.setdefault(device, {}).setdefault(metric, {})[at_ms] = value
            for note in batch.notes:
                self._notes[note.device, note.at_ms, note.kind, note.boot, note.seq] = note
            return len(self._batches)

    def last(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """Return device -> metric -> (ms UTC, value) of the newest reading by event time."""
        with self._lock:
            found = {device: self._newest(device) for device in devices}
        return {device: values for device, values in found.items() if values}

    def _newest(self, device: str) -> dict[str, tuple[int, float]]:
        values = self._values.get(device, {})
        early = self._early
        believed = {
            metric: [pair for pair in by_time.items() if (device, pair[0]) not in early]
            for metric, by_time in values.items()
        }
        newest = {metric: max(pairs) for metric, pairs in believed.items() if pairs}
        return {metric: pair for metric, pair in newest.items() if not self._forgotten(pair[0])}

    def _forgotten(self, at_ms: int) -> bool:
        return self._floor_ms is not None and at_ms < self._floor_ms

    def raw(
        self, device: str, start_ms: int, end_ms: int, metrics: Sequence[str] | None = None
    ) -> Mapping[str, Series]:
        """Return every reading of the device, per metric, in time order."""
        found: dict[str, Series] = {}
        with self._lock:
            for metric, by_time in self._values.get(device, {}).items():
                rows = [
                    (at_ms, value)
                    for at_ms, value in sorted(by_time.items())
                    if start_ms <= at_ms < end_ms and not self._forgotten(at_ms)
                ]
                if rows and (metrics is None or metric in metrics):
                    at_ms, values = zip(*rows, strict=True)
                    found[metric] = Series(np.array(at_ms, np.int64), np.array(values, np.float64))
        return found

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Mapping[str, Window]:
        """Return at most ``points`` equal buckets per metric."""
        return windowed(self.raw(device, start_ms, end_ms, metrics), start_ms, end_ms, points)

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> Sequence[Note]:
        """Return births, states, events, qc and maint of the device in time order."""
        with self._lock:
            ordered = [note for _, note in sorted(self._notes.items())]
        return [
            note
            for note in ordered
            if note.device == device
            and start_ms <= note.at_ms < end_ms
            and not self._forgotten(note.at_ms)
            and (kinds is None or note.kind in kinds)
        ]

    def roll(self, keep_from_ms: int) -> int:
        """Forget readings and notes before ``keep_from_ms``, also those still to come."""
        if self._floor_ms is None or keep_from_ms > self._floor_ms:
            self._floor_ms = keep_from_ms
        return 0

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield the batches with an id above ``after``, oldest first."""
        yield from self._batches[max(after, 0) :]

    def backlog(self) -> Backlog:
        """Return an empty one: what is appended is in its place."""
        return Backlog()

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint."""
        return self._checkpoint

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint``."""
        self._checkpoint = checkpoint

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""
