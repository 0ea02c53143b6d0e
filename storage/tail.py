"""Tail: one SQLite file whose commit is the acknowledgement: batches, notes and the checkpoint.

The write-ahead log is copied into the file in small steps, so that no commit waits for a large one.
It begins anew only at an instant without a reader; under readers without a pause that instant is
waited for, briefly, once the log is long.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from equipment.reading import Batch, Note
from storage.batches import body_text, pack, unpack
from storage.interface import Checkpoint

_PRUNED_AT_ONCE: Final = 16
_VERSION: Final = 1
_PAGE: Final = 16_384  # a batch is some hundred kB: fewer, larger pages cost less CPU to commit
_LOG_STEP_PAGES: Final = 256
_LOG_BYTES: Final = 32 * 2**20
_READERS_MS: Final = 100
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS tail(id INTEGER PRIMARY KEY, blob BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS note(
    device TEXT, at_ms INTEGER, kind TEXT, boot TEXT, seq INTEGER, body TEXT NOT NULL,
    PRIMARY KEY (device, at_ms, kind, boot, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint(
    one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER NOT NULL, state BLOB NOT NULL
);
"""


class StorageError(Exception):
    """Nothing was stored, or nothing could be read; the text says where and why. Safe to retry."""


class Tail:
    """The file, its one writing connection and as many reading ones as there are readers."""

    def __init__(
        self,
        path: Path,
        tables: str = "",
        *,
        busy_s: float = 5.0,
        most_bytes: int = 2**44,
        log_bytes: int = _LOG_BYTES,
    ) -> None:
        self.path = path
        self._busy_s = busy_s
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._claim: sqlite3.Connection | None = None
        self._log, self._log_bytes, self._log_bound = Path(f"{path}-wal"), log_bytes, log_bytes
        with self._told():
            self._writer = self._connect()
            self._prepare(_TABLES + tables)
            page = self._writer.execute("PRAGMA page_size").fetchone()[0]
            self._writer.execute(f"PRAGMA max_page_count={most_bytes // page}")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=self._busy_s, isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA secure_delete=OFF")  # some builds write zeros over all that is pruned
        db.execute(f"PRAGMA wal_autocheckpoint={_LOG_STEP_PAGES}")
        db.execute(f"PRAGMA journal_size_limit={self._log_bytes // 2}")
        return db

    def _prepare(self, tables: str) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise StorageError(f"{self.path} has layout {version}, this program knows {_VERSION}")
        if version == 0:
            self._writer.execute(f"PRAGMA page_size={_PAGE}")
            self._writer.execute("PRAGMA journal_mode=WAL")
            self._writer.executescript(
                f"BEGIN IMMEDIATE; {tables} PRAGMA user_version={_VERSION}; COMMIT"
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction: durable when the block ends, undone when it raises.

        Raises StorageError when the file is locked, full or broken.
        """
        with self._lock, self._told():
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
            self._begin_log_anew_when_long()

    def _begin_log_anew_when_long(self) -> None:
        """Wait for the readers of this moment, not for later ones: they read the file itself.

        When that fails, by a slow reader or a full disk, the log grows some more until the next
        attempt: what was committed is committed.
        """
        size, busy = self._log.stat().st_size if self._log.exists() else 0, 1
        if size <= self._log_bound:
            return
        self._writer.execute(f"PRAGMA busy_timeout={_READERS_MS}")
        with suppress(sqlite3.Error):
            busy = self._writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0]
        self._writer.execute(f"PRAGMA busy_timeout={round(self._busy_s * 1000)}")
        self._log_bound = size + self._log_bytes // 4 if busy else self._log_bytes

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a snapshot of what is committed; it is the same until the block ends."""
        with self._told():
            try:
                db = self._idle.pop()
            except IndexError:
                db = self._connect()
            try:
                db.execute("BEGIN")
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                self._idle.append(db)

    def claim(self) -> None:
        """Become the only process that appends; the claim ends with the process.

        Raises StorageError when another one has it.
        """
        if self._claim is None:
            db = sqlite3.connect(
                f"{self.path}-writer", timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                db.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                db.close()
                raise StorageError(f"{self.path}: another process appends to this file") from error
            self._claim = db

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint."""
        with self.reading() as db:
            row = db.execute("SELECT upto, state FROM checkpoint").fetchone()
        return Checkpoint(*row) if row else None

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint`` durably in place of the last one."""
        with self.writing() as db:
            row = (checkpoint.upto, checkpoint.state)
            db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)", row)

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield the batches with an id above ``after``, oldest first, one at a time."""
        while True:
            with self.reading() as db:
                batch = next(since(db, after), None)
            if batch is None:
                return
            yield batch
            after = batch.id

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> list[Note]:
        """Return the notes of the device in time order."""
        kinds_text = None if kinds is None else json.dumps(list(kinds))
        with self.reading() as db:
            rows = db.execute(
                "SELECT device, kind, at_ms, boot, seq, body FROM note"
                " WHERE device = ? AND at_ms >= ? AND at_ms < ?"
                " AND (? IS NULL OR kind IN (SELECT value FROM json_each(?)))"
                " ORDER BY at_ms, kind, boot, seq",
                (device, start_ms, end_ms, kinds_text, kinds_text),
            ).fetchall()
        return [Note(d, k, at, b, s, json.loads(body)) for d, k, at, b, s, body in rows]

    def close(self) -> None:
        """Let go of the file."""
        for db in (self._claim, *self._idle, self._writer):
            if db is not None:
                db.close()
        self._idle.clear()


def newest(db: sqlite3.Connection) -> int:
    """Return the id of the newest batch, 0 when there was none. It is never pruned."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM tail").fetchone()[0])


def since(db: sqlite3.Connection, after: int) -> Iterator[Batch]:
    """Yield the batches with an id above ``after``, oldest first."""
    for id, blob in db.execute("SELECT id, blob FROM tail WHERE id > ? ORDER BY id", (after,)):
        yield unpack(blob, id)


def insert(db: sqlite3.Connection, batch: Batch) -> int:
    """Insert ``batch`` and its notes; return its id."""
    id = newest(db) + 1
    db.execute("INSERT INTO tail VALUES (?, ?)", (id, pack(batch)))
    if batch.notes:
        rows = [(n.device, n.at_ms, n.kind, n.boot, n.seq, body_text(n)) for n in batch.notes]
        db.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?, ?, ?, ?)", rows)
    return id


def prune(db: sqlite3.Connection, upto: int, most: int = _PRUNED_AT_ONCE) -> None:
    """Remove the oldest batches, ``most`` of them, up to ``upto`` and up to the checkpoint."""
    oldest, newest, checkpoint = db.execute(
        "SELECT (SELECT min(id) FROM tail), (SELECT max(id) FROM tail),"
        " (SELECT coalesce(max(upto), 0) FROM checkpoint)"
    ).fetchone()
    limit = min(upto, checkpoint, newest - 1)
    if oldest <= limit:
        db.execute("DELETE FROM tail WHERE id <= ?", (min(limit, oldest + most - 1),))
