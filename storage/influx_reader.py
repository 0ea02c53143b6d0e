"""InfluxDB as a process sees it that only reads: the API and the planner beside a collector.

What the collector has in its spool and not yet on the server is not seen here.
"""

from collections.abc import Iterator, Mapping, Sequence

from equipment.reading import Batch, Note
from storage.influx_link import Link, Server
from storage.influx_query import Queries
from storage.influx_window import WindowQueries
from storage.interface import Backlog, Checkpoint, Series, Window
from storage.register import Register
from storage.tail import StorageError


class InfluxReader:
    """Readings and notes of the server. ``register`` tells model and site of a device."""

    def __init__(self, server: Server, register: Register) -> None:
        self._link, self._rollup_link = Link(server), Link(server, server.rollups)
        self._queries = Queries(self._link, register)
        self._windows = WindowQueries(self._link, self._rollup_link, register)

    def append(self, batch: Batch) -> int:
        """Raise StorageError: only the collector appends."""
        raise StorageError("this process only reads; the collector appends")

    def last(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """Return device -> metric -> (ms UTC, value) of the newest rows of the last week."""
        return self._queries.last(devices)

    def raw(
        self, device: str, start_ms: int, end_ms: int, metrics: Sequence[str] | None = None
    ) -> Mapping[str, Series]:
        """Return every reading of the device, per metric, in time order."""
        return self._queries.raw(device, start_ms, end_ms, metrics)

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Mapping[str, Window]:
        """Return at most ``points`` equal buckets per metric; peaks survive as low and high."""
        return self._windows.window(device, metrics, start_ms, end_ms, points)

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> Sequence[Note]:
        """Return births, states, events, qc and maint of the device in time order."""
        return self._queries.notes(device, start_ms, end_ms, kinds)

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
        self._rollup_link.close()
