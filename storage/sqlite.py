"""Embedded telemetry: one SQLite file; a tail of committed batches is sealed into chunks.

A committed batch is in the tail, and its readings in memory. When enough have come together, that
generation is frozen and sealed device by device, a few per append. Chunks of a device are numbered
in the order of writing, and what is still in memory was written after them: merging them in that
order is right even when a reading is in both. A process that does not append follows the tail.
A chunk that is full gets a summary, by which long windows are told.
"""

import sqlite3
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from equipment.reading import Batch, Note
from storage.buckets import CELL_MS, buckets, windowed
from storage.columns import decode, encode
from storage.follow import EVER, TABLES, Following, put_floor, put_progress, state
from storage.interface import Backlog, Checkpoint, Series, Window
from storage.merge import Part, clipped, merged
from storage.overview import Chunk, Unpack, overview
from storage.summary import summarized
from storage.tail import Tail, insert, newest, prune

_LONGEST_ROWS: Final = 4096
_FORGOTTEN_AT_ONCE: Final = 100
_SEALING_S: Final = 0.04
_CHUNKS: Final = """
CREATE TABLE IF NOT EXISTS chunk(
    id INTEGER PRIMARY KEY, device TEXT NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, summary BLOB, blob BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS chunk_of ON chunk(device, t1, t0);
"""


class SqliteTelemetry:
    """Readings and notes in one SQLite file. Any number of readers; one process appends.

    About ``chunk_rows`` rows per device are collected before they are sealed, fewer when all of
    them would take more than ``memory`` bytes; a chunk grows until it has ``full_rows``. A locked
    file is waited for ``busy_s`` seconds.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        chunk_rows: int = 720,
        full_rows: int = 1440,
        memory: int = 64 * 2**20,
        busy_s: float = 5.0,
    ) -> None:
        self._tail = Tail(Path(path), TABLES + _CHUNKS, busy_s=busy_s)
        self._chunk_rows, self._full_rows, self._memory = chunk_rows, full_rows, memory
        self._appends = False
        self._todo: list[str] = []
        self._appending, self._catching_up = threading.Lock(), threading.Lock()
        self._following = Following()
        self._make_room_for_summaries()
        with self._tail.reading() as db:
            self._following.load(db)

    def _make_room_for_summaries(self) -> None:
        """Add the column that files of earlier versions do not have."""
        with self._tail.reading() as db:
            missing = not _has_summaries(db)
        if missing:
            with self._tail.writing() as db:
                if not _has_summaries(db):
                    db.execute("ALTER TABLE chunk ADD COLUMN summary BLOB")

    # --- append ---

    def claim(self) -> None:
        """Become the only process that appends. Raises StorageError when another one does."""
        self._tail.claim()

    def append(self, batch: Batch) -> int:
        """Store ``batch`` durably and return its id, one more than the last one's.

        Raises StorageError when that cannot be done now: nothing is stored then; try again.
        """
        with self._appending:
            if not self._appends:
                self._tail.claim()
            with self._tail.writing() as db:
                if not self._appends or newest(db) != self._following.seen:
                    self._reload(db)
                id = insert(db, batch)
                done = self._seal_some(db, sum(map(len, batch.blocks)))
                committed = state(db)
                prune(db, committed.sealed)
            self._finish(done)
            self._following.floor_ms = committed.floor_ms
            self._following.add(Batch(batch.blocks, batch.notes, id))
            self._freeze_when_large()
            return id

    def _reload(self, db: sqlite3.Connection) -> None:
        """Begin again from what is committed: after a restart, or a commit that failed half."""
        following = Following()
        following.load(db)
        self._todo = []
        if following.frozen:
            devices = following.frozen[0].devices()
            self._todo = devices[bisect_right(devices, state(db).done_to) :]
        self._appends = True  # first, so that no reader takes ``following`` and loads it again
        self._following = following

    def _freeze_when_large(self) -> None:
        if not self._todo and self._fullness() >= 1:
            self._todo = self._following.active.devices()
            self._following.freeze()

    def _fullness(self) -> float:
        """Return how full the active generation is: at 1 it is to be frozen."""
        active = self._following.active
        if not active.rows:
            return 0.0
        enough = self._chunk_rows * active.count_devices()
        return max(active.rows / enough, active.bytes / self._memory)

    # --- seal ---

    def _seal_some(self, db: sqlite3.Connection, rows: int) -> int:
        """Seal the next devices, and return how many.

        The pace is set by the rows that come in: a frozen generation is sealed before the active
        one is half as large. A large batch does not wait for all of that: it stops after a while,
        a longer one the fuller the active generation is.
        """
        if not self._todo:
            return 0
        frozen = self._following.frozen[0]
        wanted = min(len(self._todo), 1 + 2 * rows * frozen.count_devices() // frozen.rows)
        stop_at = time.perf_counter() + _SEALING_S * (1 + 2 * self._fullness())
        count = 0
        while count < wanted and (not count or time.perf_counter() < stop_at):
            self._seal(db, self._todo[count], merged([frozen.history(self._todo[count])]))
            count += 1
        if count == len(self._todo):
            put_progress(db, frozen.upto, frozen.upto, "")
        else:
            put_progress(db, state(db).sealed, frozen.upto, self._todo[count - 1])
        return count

    def _finish(self, count: int) -> None:
        """Take note that the next ``count`` devices are sealed, now that it is committed."""
        del self._todo[:count]
        if count and not self._todo:
            self._following.drop(self._following.frozen[0].upto)

    def _seal(self, db: sqlite3.Connection, device: str, readings: Part) -> None:
        readings = clipped(readings, self._following.floor_ms, -EVER - 1)
        for piece in _pieces(readings):
            chunk = self._grown(db, device, piece) or self._inserted(db, device, piece)
            row = (device, self._following.packed_newest(device), chunk)
            db.execute("INSERT OR REPLACE INTO device VALUES (?, ?, ?)", row)

    def _grown(self, db: sqlite3.Connection, device: str, readings: Part) -> int | None:
        """Add ``readings`` to the newest chunk of the device, if that is short and older."""
        row = db.execute(
            "SELECT id, blob FROM chunk WHERE id = (SELECT chunk FROM device WHERE name = ?)"
            " AND t1 < ? AND n < ?",
            (device, _span(readings)[0], self._full_rows),
        ).fetchone()
        if row is None:
            return None
        readings = merged([decode(row[1]), readings])
        if _span(readings)[2] >= self._full_rows:  # at the end of the table, rows fill their pages
            db.execute("DELETE FROM chunk WHERE id = ?", row[:1])
            return self._inserted(db, device, readings)
        values = (*self._columns(readings), row[0])
        db.execute(
            "UPDATE chunk SET t0 = ?, t1 = ?, n = ?, summary = ?, blob = ? WHERE id = ?", values
        )
        return int(row[0])

    def _inserted(self, db: sqlite3.Connection, device: str, readings: Part) -> int:
        row = (device, *self._columns(readings))
        insert = "INSERT INTO chunk(device, t0, t1, n, summary, blob) VALUES (?, ?, ?, ?, ?, ?)"
        return int(db.execute(insert, row).lastrowid or 0)

    def _columns(self, readings: Part) -> tuple[int, int, int, bytes | None, bytes]:
        """Return t0, t1, n, summary and blob of a chunk; one that still grows has no summary."""
        t0, t1, n = _span(readings)
        return t0, t1, n, summarized(readings) if n >= self._full_rows else None, encode(readings)

    # --- read ---

    def _current(self) -> Following:
        """Return what is in memory, after catching up with a process that appends."""
        following = self._following
        if not self._appends:
            with self._catching_up, self._tail.reading() as db:
                following.load(db)
        return following

    def last(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """Return device -> metric -> (ms UTC, value) of the newest reading by event time."""
        return self._current().newest(devices)

    def raw(
        self, device: str, start_ms: int, end_ms: int, metrics: Sequence[str] | None = None
    ) -> Mapping[str, Series]:
        """Return every reading of the device, per metric, in time order, the last write winning."""
        following = self._current()
        wanted = None if metrics is None else frozenset(metrics)
        start_ms = max(start_ms, following.floor_ms)
        recent = following.histories(device, wanted)  # first: what is sealed now is then in both
        with self._tail.reading() as db:
            blobs = db.execute(
                "SELECT blob FROM chunk WHERE device = ? AND t1 >= ? AND t0 < ? ORDER BY id",
                (device, start_ms, end_ms),
            ).fetchall()
        sealed = [decode(blob, wanted) for (blob,) in blobs]
        return clipped(merged([*sealed, *recent]), start_ms, end_ms)

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Mapping[str, Window]:
        """Return at most ``points`` equal buckets per metric; peaks survive as low and high.

        Buckets of ten minutes and more are whole tens of minutes.
        """
        wanted = buckets(start_ms, end_ms, points)
        if wanted.width_ms < CELL_MS:
            return windowed(self.raw(device, start_ms, end_ms, metrics), start_ms, end_ms, points)
        following, names = self._current(), frozenset(metrics)
        span = max(start_ms, following.floor_ms), end_ms
        recent = following.histories(device, names)  # first, as in ``raw``
        with self._tail.reading() as db:
            rows = db.execute(
                "SELECT id, t0, t1, summary FROM chunk"
                " WHERE device = ? AND t1 >= ? AND t0 < ? ORDER BY id",
                (device, *span),
            )
            chunks = [Chunk(*row) for row in rows]
            unpack = _unpacker(db, chunks, names)
            return overview(chunks, recent, unpack, metrics=names, span=span, wanted=wanted)

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> Sequence[Note]:
        """Return births, states, events, qc and maint of the device in time order."""
        start_ms = max(start_ms, self._current().floor_ms)
        return self._tail.notes(device, start_ms, end_ms, kinds)

    # --- keep ---

    def roll(self, keep_from_ms: int) -> int:
        """Forget readings and notes before ``keep_from_ms``, also those still to come.

        Returns how many chunks went. A chunk that reaches past that instant stays, and is cut
        when it is read. Devices go in small groups, so that appends get their turn.
        """
        with self._tail.writing() as db:
            self._following.floor_ms = put_floor(db, keep_from_ms)
            known = "SELECT name FROM device UNION SELECT DISTINCT device FROM note"
            devices = [name for (name,) in db.execute(known)]
        groups = range(0, len(devices), _FORGOTTEN_AT_ONCE)
        return sum(
            self._drop_before(keep_from_ms, devices[i : i + _FORGOTTEN_AT_ONCE]) for i in groups
        )

    def _drop_before(self, keep_from_ms: int, devices: Sequence[str]) -> int:
        rows = [(device, keep_from_ms) for device in devices]
        with self._tail.writing() as db:
            db.executemany("DELETE FROM note WHERE device = ? AND at_ms < ?", rows)
            return db.executemany("DELETE FROM chunk WHERE device = ? AND t1 < ?", rows).rowcount

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield the batches with an id above ``after``, oldest first, for a restart.

        Those up to the checkpoint may be gone.
        """
        return self._tail.batches(after)

    def backlog(self) -> Backlog:
        """Return an empty one: what is appended is in its place."""
        return Backlog()

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint."""
        return self._tail.checkpoint()

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint`` durably; batches up to it need not be replayed again."""
        self._tail.keep_checkpoint(checkpoint)

    def close(self) -> None:
        """Let go of the file; everything is in it already."""
        self._tail.close()


def _pieces(readings: Part) -> list[Part]:
    """Cut ``readings`` where they have more instants than one chunk should."""
    if not readings:
        return []
    shared = list({id(one.at_ms): one.at_ms for one in readings.values()}.values())
    if sum(map(len, shared)) <= _LONGEST_ROWS:
        return [readings]
    instants = np.unique(np.concatenate(shared))
    cuts = [*instants[::_LONGEST_ROWS].tolist(), -EVER - 1]
    return [clipped(readings, start, end) for start, end in pairwise(cuts)]


def _span(readings: Part) -> tuple[int, int, int]:
    """Return the first instant, the last one, and the length of the longest series."""
    series = [one.at_ms for one in readings.values()]
    return (
        min(int(at_ms[0]) for at_ms in series),
        max(int(at_ms[-1]) for at_ms in series),
        max(len(at_ms) for at_ms in series),
    )


def _has_summaries(db: sqlite3.Connection) -> bool:
    return "summary" in [row[1] for row in db.execute("PRAGMA table_info(chunk)")]


def _unpacker(db: sqlite3.Connection, chunks: Sequence[Chunk], metrics: Set[str]) -> Unpack:
    def blob(place: int) -> bytes:
        query = "SELECT blob FROM chunk WHERE id = ?"
        return bytes(db.execute(query, (chunks[place].id,)).fetchone()[0])

    return lambda places: [decode(blob(place), metrics) for place in places]
