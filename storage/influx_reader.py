"""InfluxDB as a process sees it that only reads: the API and the planner beside a collector.

What the collector has in its spool and not yet on the server is not seen here, nor are notes,
which stay with the collector.
"""

from collections.abc import Iterator, Mapping, Sequence

from equipment.reading import Batch, Note
from storage.influx import quoted, series_of, written
from storage.influx_link import Link, Server
from storage.interface import Backlog, Checkpoint, Series, Window
from storage.merge import windowed
from storage.tail import StorageError

_NEWEST_WITHIN = "7d"
_ROWS = 20  # a device says its metrics in several messages; the newest rows together have them


class InfluxReader:
    """Readings of the server. ``models`` tells the model of a device: its measurement."""

    def __init__(self, server: Server, models: Mapping[str, str]) -> None:
        self._link, self._models = Link(server), models

    def append(self, batch: Batch) -> int:
        """Raise StorageError: only the collector appends."""
        raise StorageError("this process only reads; the collector appends")

    def last(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """Return device -> metric -> (ms UTC, value) of the newest rows of the last week."""
        found: dict[str, dict[str, tuple[int, float]]] = {}
        for model in sorted({self._models.get(device, "other") for device in devices}):
            for answer in self._link.ask(
                f"SELECT * FROM {quoted(model)} WHERE time >= now() - {_NEWEST_WITHIN}"
                f' GROUP BY "device" ORDER BY time DESC LIMIT {_ROWS}'
            ):
                newest = {
                    name: (int(series.at_ms[0]), float(series.values[0]))
                    for name, series in series_of(answer)
                }
                found[answer.tags.get("device", "")] = newest
        return {device: found[device] for device in devices if device in found}

    def raw(
        self, device: str, start_ms: int, end_ms: int, metrics: Sequence[str] | None = None
    ) -> Mapping[str, Series]:
        """Return every reading of the device, per metric, in time order."""
        model = self._models.get(device, "other")
        return written(self._link, model, device, span=(start_ms, end_ms), metrics=metrics)

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Mapping[str, Window]:
        """Return at most ``points`` equal buckets per metric; peaks survive as low and high."""
        return windowed(self.raw(device, start_ms, end_ms, metrics), start_ms, end_ms, points)

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> Sequence[Note]:
        """Return nothing: notes are the collector's."""
        return ()

    def roll(self, keep_from_ms: int) -> int:
        """Forget nothing: the bucket's retention does."""
        return 0

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield nothing: batches are the collector's."""
        return iter(())

    def backlog(self) -> Backlog:
        """Return an empty one: the spool is the collector's."""
        return Backlog()

    def checkpoint(self) -> Checkpoint | None:
        """Return None: the rules run in the collector."""
        return None

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Raise StorageError: the rules run in the collector."""
        raise StorageError("this process only reads; the collector keeps the checkpoint")

    def close(self) -> None:
        """Let go of the connections."""
        self._link.close()
