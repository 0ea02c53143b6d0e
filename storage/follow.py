"""Follow: the tail of the file held in memory, in generations, until it is in its final place.

``state`` says how far that is: batches up to ``sealed`` are, of those up to ``freezing`` the
devices named up to ``done_to`` are. A generation leaves memory when all of it is. ``device`` keeps
the newest values of each device as they were when its readings left.
"""

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final, NamedTuple

from equipment.reading import Batch
from storage.merge import Part
from storage.newest import Newest, Values
from storage.recent import Numbers, Recent, history
from storage.tail import since

EVER: Final = -(2**63)
TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS device(
    name TEXT PRIMARY KEY, newest BLOB NOT NULL, chunk INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state(
    one INTEGER PRIMARY KEY CHECK (one = 1), sealed INTEGER NOT NULL, freezing INTEGER NOT NULL,
    done_to TEXT NOT NULL, floor_ms INTEGER NOT NULL
);
INSERT OR IGNORE INTO state VALUES (1, 0, 0, '', {EVER});
"""


class State(NamedTuple):
    """How far the readings of the tail are in their final place, and from when they are kept."""

    sealed: int
    freezing: int
    done_to: str
    floor_ms: int


def state(db: sqlite3.Connection) -> State:
    """Return the state as committed."""
    return State(*db.execute("SELECT sealed, freezing, done_to, floor_ms FROM state").fetchone())


def put_progress(db: sqlite3.Connection, sealed: int, freezing: int, done_to: str) -> None:
    """Put down how far sealing is."""
    row = (sealed, freezing, done_to)
    db.execute("UPDATE state SET sealed = ?, freezing = ?, done_to = ?", row)


def put_floor(db: sqlite3.Connection, floor_ms: int) -> int:
    """Keep readings from ``floor_ms`` on, or from later if that was said before; return which."""
    db.execute("UPDATE state SET floor_ms = max(floor_ms, ?)", (floor_ms,))
    return state(db).floor_ms


class Following:
    """What is in memory of one file. One thread adds to it; any thread may look."""

    def __init__(self) -> None:
        self.devices = Numbers()
        self.seen = 0
        self.floor_ms = EVER
        self.frozen: list[Recent] = []
        self.active = Recent(self.devices)
        self._newest = Newest(self.devices)
        self._lock = threading.Lock()

    def load(self, db: sqlite3.Connection) -> None:
        """Catch up with what other processes, or this one before a restart, committed."""
        committed = state(db)
        self.floor_ms = committed.floor_ms
        if committed.sealed > self.seen:
            self._skip_to(db, committed.sealed)
        for batch in since(db, self.seen):
            if self.active.rows and self.active.upto <= committed.freezing < batch.id:
                self.freeze()
            self.add(batch)
        if self.active.rows and self.active.upto <= committed.freezing:
            self.freeze()
        self.drop(committed.sealed)

    def _skip_to(self, db: sqlite3.Connection, sealed: int) -> None:
        self.restore(sealed, db.execute("SELECT name, newest FROM device"))

    def restore(self, sealed: int, newest: Iterable[tuple[str, bytes]]) -> None:
        """Go on from batch ``sealed``, with what ``packed_newest`` returned of each device."""
        with self._lock:
            self.frozen, self.active = [], Recent(self.devices)
            self.seen = sealed
            for device, packed in newest:
                self._newest.restore(device, packed)

    def add(self, batch: Batch) -> None:
        """Add a committed batch."""
        with self._lock:
            codes = [self.devices.of(block.devices) for block in batch.blocks]
            self.active.add(batch, codes)
            self._newest.add(batch, codes)
            self.seen = batch.id

    def freeze(self, most: int | None = None) -> None:
        """Close the active generation and begin the next; keep the ``most`` newest closed ones."""
        with self._lock:
            self.active.freeze()
            self.frozen = [*self.frozen, self.active][-most if most else None :]
            self.active = Recent(self.devices)

    def drop(self, sealed: int) -> None:
        """Let go of the generations that are in their final place."""
        with self._lock:
            self.frozen = [recent for recent in self.frozen if recent.upto > sealed]

    def histories(self, device: str, metrics: Set[str] | None = None) -> list[Part]:
        """Return what is in memory of ``device``, in the order of writing."""
        code = self.devices.find(device)
        if code is None:
            return []
        with self._lock:
            generations = [recent.views() for recent in (*self.frozen, self.active)]
        return [history(views, code, metrics) for views in generations]

    def newest(self, devices: Sequence[str]) -> Mapping[str, Values]:
        """Return the newest readings of ``devices``, as far as they are still kept."""
        with self._lock:
            return self._newest.of(devices, self.floor_ms)

    def packed_newest(self, device: str) -> bytes:
        """Return the newest readings of ``device`` as ``load`` reads them."""
        with self._lock:
            return self._newest.packed(device)
