"""Records in memory: obviously right, for tests and for comparing engines with."""

import dataclasses
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from aftersales.journal import GENESIS, Draft, Event, chained
from storage.interface import Journal, Shelf, Work

T = TypeVar("T")


class _MemoryShelf(Shelf[T]):
    def __init__(self, kind: type[T], kept: dict[str, T]) -> None:
        self._kept = kept
        self._fields = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]

    def get(self, id: str) -> T | None:
        return self._kept.get(id)

    def put(self, record: T) -> None:
        self._kept[getattr(record, self._fields[0])] = record

    def remove(self, id: str) -> None:
        self._kept.pop(id, None)

    def total(self, field: str) -> int:
        return sum(getattr(record, field) for record in self._kept.values())

    def count(self, **equals: Any) -> int:
        return len(self._matching(equals))

    def find(
        self, *, limit: int = 1000, after: str = "", newest_first: bool = False, **equals: Any
    ) -> Sequence[T]:
        ids = sorted(self._matching(equals), reverse=newest_first)
        if after:
            ids = [i for i in ids if (i < after if newest_first else i > after)]
        return [self._kept[i] for i in ids[:limit]]

    def _matching(self, equals: Mapping[str, Any]) -> list[str]:
        for name in equals:
            if name not in self._fields:
                raise LookupError(f"no field {name!r} to find by")
        return [id for id, record in self._kept.items() if _is_like(record, equals)]


def _is_like(record: object, equals: Mapping[str, Any]) -> bool:
    return all(
        getattr(record, name) in wanted
        if isinstance(wanted, list | tuple | set)
        else getattr(record, name) == wanted
        for name, wanted in equals.items()
    )


class _MemoryJournal(Journal):
    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def append(self, draft: Draft) -> Event:
        known = draft.command_id and next(
            (e for e in self._events if e.command_id == draft.command_id), None
        )
        if known:
            return known
        prev_hash = self._events[-1].hash if self._events else GENESIS
        event = chained(draft, len(self._events) + 1, prev_hash)
        self._events.append(event)
        return event

    def of(self, *subjects: str) -> Sequence[Event]:
        return [e for e in self._events if e.subject in subjects]

    def after(self, id: int, limit: int = 500) -> Sequence[Event]:
        return self._events[id : id + limit]

    def head(self) -> int:
        return len(self._events)


class _MemoryWork(Work):
    def __init__(
        self, shelves: dict[type, dict[str, Any]], events: list[Event], numbers: dict[str, int]
    ) -> None:
        self.shelves, self.events, self.numbers = shelves, events, numbers
        self.journal = _MemoryJournal(events)

    def shelf(self, kind: type[T]) -> Shelf[T]:
        return _MemoryShelf(kind, self.shelves.setdefault(kind, {}))

    def next_number(self, series: str) -> int:
        self.numbers[series] = self.numbers.get(series, 0) + 1
        return self.numbers[series]


class MemoryRecords:
    """Keeps records until the process ends. One transaction at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._shelves: dict[type, dict[str, Any]] = {}
        self._events: list[Event] = []
        self._numbers: dict[str, int] = {}

    @contextmanager
    def begin(self) -> Iterator[Work]:
        """Open a transaction: kept when the block ends, undone when it raises."""
        with self._lock:
            work = self._copy()
            yield work
            self._shelves, self._events, self._numbers = work.shelves, work.events, work.numbers

    @contextmanager
    def read(self) -> Iterator[Work]:
        """Open a look at what is kept; what is put meanwhile is not seen, and not kept."""
        with self._lock:
            work = self._copy()
        yield work

    def _copy(self) -> _MemoryWork:
        shelves = {kind: dict(kept) for kind, kept in self._shelves.items()}
        return _MemoryWork(shelves, list(self._events), dict(self._numbers))

    def close(self) -> None:
        """Nothing to let go of."""
