"""What every storage engine does: readings behind Telemetry, everything else behind Records."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from aftersales.journal import Draft, Event
from equipment.reading import Batch, Floats, Ints, Note

T = TypeVar("T")


class Series(NamedTuple):
    """Values of one metric in time order: ``at_ms`` (n,) ms UTC, ``values`` (n,)."""

    at_ms: Ints
    values: Floats


class Window(NamedTuple):
    """One row per bucket that holds at least one reading: bucket start (ms UTC), min, max, mean."""

    at_ms: Ints
    low: Floats
    high: Floats
    mean: Floats


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of the rules after batch ``upto``: what a restart continues from."""

    upto: int
    state: bytes


class Backlog(NamedTuple):
    """What is durable here and not on the server yet: batches, their bytes, and why.

    ``oldest_at_ms`` is when the oldest of them was appended (ms UTC), ``why`` the last reason the
    server gave or was given for; both empty when all is well.
    """

    batches: int = 0
    bytes: int = 0
    oldest_at_ms: int | None = None
    why: str = ""


class Telemetry(Protocol):
    """Readings and notes of devices. All instants are ms UTC; ranges are start <= t < end."""

    def append(self, batch: Batch) -> int:
        """Store ``batch`` durably and return its id, one more than the last one's."""
        ...

    def last(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """Return device -> metric -> (ms UTC, value) of the newest reading by event time.

        Readings that were ahead of our clock when they came (AHEAD) are left out: they would hide
        all that come until that time. ``raw`` and ``window`` have them.
        """
        ...

    def raw(
        self, device: str, start_ms: int, end_ms: int, metrics: Sequence[str] | None = None
    ) -> Mapping[str, Series]:
        """Return every reading of the device, per metric, in time order, the last write winning."""
        ...

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Mapping[str, Window]:
        """Return at most ``points`` equal buckets per metric; peaks survive as low and high.

        Buckets of ten minutes and more are whole tens of minutes, and begin there in UTC: the
        first one may begin before ``start_ms``, without readings from before.
        """
        ...

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> Sequence[Note]:
        """Return births, states, events, qc and maint of the device in time order."""
        ...

    def roll(self, keep_from_ms: int) -> int:
        """Forget readings before ``keep_from_ms``; return how many chunks went."""
        ...

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield the batches with an id above ``after``, oldest first, for a restart."""
        ...

    def backlog(self) -> Backlog:
        """Return what waits for a server; nothing ever does where there is none."""
        ...

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint."""
        ...

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint`` durably; batches up to it need not be replayed again."""
        ...

    def close(self) -> None:
        """Write what is pending and let go of files and connections."""
        ...


class Shelf(Protocol[T]):
    """Records of one kind, by id."""

    def get(self, id: str) -> T | None:
        """Return the record, or None."""
        ...

    def put(self, record: T) -> None:
        """Insert or replace the record."""
        ...

    def find(
        self, *, limit: int = 1000, after: str = "", newest_first: bool = False, **equals: Any
    ) -> Sequence[T]:
        """Return records whose fields equal the given ones (a list means any of), ordered by id.

        ``after`` pages on: only ids beyond it. Raises LookupError for a field that is not there.
        """
        ...

    def count(self, **equals: Any) -> int:
        """Return how many records ``find`` would return without a limit."""
        ...

    def total(self, field: str) -> int:
        """Return the sum of a whole-number ``field`` over all records."""
        ...

    def remove(self, id: str) -> None:
        """Remove the record; nothing happens if it is not there."""
        ...


class Journal(Protocol):
    """The append-only journal. Ids grow by one; each event hashes its predecessor."""

    def append(self, draft: Draft) -> Event:
        """Append and return the event; a known ``command_id`` returns the first event again."""
        ...

    def of(self, *subjects: str) -> Sequence[Event]:
        """Return the events of the subjects, oldest first."""
        ...

    def after(self, id: int, limit: int = 500) -> Sequence[Event]:
        """Return events with a greater id, oldest first."""
        ...

    def head(self) -> int:
        """Return the newest id, 0 when empty."""
        ...


class Work(Protocol):
    """One transaction: all of it is kept, or nothing."""

    journal: Journal

    def shelf(self, kind: type[T]) -> Shelf[T]:
        """Return the shelf of the records of class ``kind``."""
        ...

    def next_number(self, series: str) -> int:
        """Return 1, 2, 3, ... of the series, without gaps between kept transactions."""
        ...


class Records(Protocol):
    """Everything that is not a reading."""

    def begin(self) -> AbstractContextManager[Work]:
        """Open a transaction: kept when the block ends, undone when it raises."""
        ...

    def read(self) -> AbstractContextManager[Work]:
        """Open a look at what is kept at this moment, which holds up nobody who writes."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
