"""Spool: batches on disk until a server has them; an append that returns is durable.

Segments of numbered, checksummed records; ``cursor`` says up to which of them the server has, the
checkpoint up to which the rules need none. Whole segments behind both go. A damaged tail is cut off
and kept aside, a damaged place elsewhere is stepped over; both are told.
"""

import fcntl
import logging
import os
import struct
import threading
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from storage import atomic
from storage.interface import Checkpoint
from storage.segment import HEAD, Damage, Record, Segment, framed
from storage.tail import StorageError

log = logging.getLogger(__name__)

_SEGMENT_BYTES: Final = 16 * 2**20
_SEGMENTS_AT_LEAST: Final = 8
_ID: Final = struct.Struct("<Q")


class Waiting(NamedTuple):
    """What is behind the cursor: how many records and bytes, and when the oldest came (ms UTC)."""

    records: int
    bytes: int
    oldest_at_ms: int | None


class Spool:
    """The folder. One process has it; in it one thread appends and any thread reads.

    Raises StorageError when the folder cannot be used, or another process has it.
    """

    def __init__(self, folder: Path, *, most_bytes: int = 2**33) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._segment_bytes = min(_SEGMENT_BYTES, most_bytes // _SEGMENTS_AT_LEAST)
        self._lock = threading.Lock()
        self._broken = False
        self._stepped_over: set[tuple[Path, int]] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._claim = self._claimed()
            self._small = atomic.Reserved(folder / "reserve")
            self._released = self._read_released()
            self._kept_cursor = self.cursor = self._read_cursor()
            self._segments = [Segment(path) for path in sorted(folder.glob("*.segment"))]
            self.newest = max(self._mended_newest(), self.cursor, self._released)
        except OSError as error:
            raise StorageError(f"{folder}: {error}") from error

    def _claimed(self) -> int:
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            why = f"{self._folder}: another process appends to this spool"
            raise StorageError(why) from error
        return handle

    def _mended_newest(self) -> int:
        """Repair the end of the last segment and return the newest id; appends begin a new one."""
        least = 0
        while self._segments:
            last = self._segments[-1]
            newest = self._repaired(last)
            if newest:
                return newest
            least = max(least, last.first - 1)
            last.path.unlink()
            self._segments.pop()
        return least

    def _repaired(self, segment: Segment) -> int:
        newest, end = 0, None
        for found in segment.records():
            end = found.start if isinstance(found, Damage) else None
            if isinstance(found, Record):
                newest = found.id
                segment.remember(found.id, found.start)
        if not newest:
            segment.refuse_unknown_layout()
        if end is not None:
            self._cut(segment, end)
        return newest

    def _cut(self, segment: Segment, end: int) -> None:
        """Keep what is behind ``end`` aside, and cut it off."""
        with segment.path.open("rb") as file:
            file.seek(end)
            cut = file.read()
        aside = segment.path.with_suffix(f".{end}.damaged")
        try:
            aside.write_bytes(cut)
        except OSError as error:
            log.error("what is cut off could not be kept aside", extra={"why": str(error)})
        segment.size = end
        segment.mend()
        log.error(
            "the end of the spool was damaged; it was cut off and kept aside",
            extra={"file": str(aside), "bytes": len(cut)},
        )

    # --- append ---

    def append(self, payload: bytes, at_ms: int) -> int:
        """Write ``payload`` durably and return its id.

        Raises StorageError when that cannot be done now; nothing of it is kept then.
        """
        with self._lock:
            id = self.newest + 1
            record = framed(id, at_ms, payload)
            held = sum(segment.size for segment in self._segments)
            if held + len(record) > self._most_bytes:
                why = f"{self._folder}: full, spool_bytes is {self._most_bytes}"
                raise StorageError(why)
            try:
                self._mend()
                self._segment_for(id, len(record)).append(id, record)
            except OSError as error:
                self._broken = True
                raise StorageError(f"{self._folder}: {error}{self._undone()}") from error
            self.newest = id
            return id

    def _undone(self) -> str:
        """Take back what was written of a record, now if possible; return what is wrong if not."""
        try:
            self._mend()
        except OSError as error:
            return f"; not undone yet: {error}"
        return ""

    def _mend(self) -> None:
        """Cut back to what is acknowledged after a failure, and read it again.

        What the system still has in memory of a file that it failed to write is not to be trusted.
        """
        if self._broken and self._segments:
            last = self._segments[-1]
            last.mend()
            damages = sum(isinstance(found, Damage) for found in last.records())
            if damages:
                log.error("acknowledged batches are damaged", extra={"file": str(last.path)})
        self._broken = False

    def _segment_for(self, id: int, length: int) -> Segment:
        """Return the segment to append to, a new one if that is full or was closed."""
        if self._segments and self._segments[-1].takes(length, self._segment_bytes):
            return self._segments[-1]
        made = Segment.create(self._folder, id)
        atomic.sync_folder(self._folder)
        if self._segments:
            self._segments[-1].close()
        before = [segment for segment in self._segments if segment.first < id]  # none is empty
        self._segments = [*before, made]
        return made

    # --- read ---

    def records(self, after: int) -> Iterator[Record]:
        """Yield the durable records with an id above ``after``, one in memory at a time."""
        segments = self._segments
        begin = max(0, bisect_right(segments, after + 1, key=lambda one: one.first) - 1)
        for segment in segments[begin:]:
            try:
                yield from self._good(segment, after)
            except FileNotFoundError:
                continue  # it was not needed any more
            except OSError as error:
                raise StorageError(f"{segment.path}: {error}") from error

    def _good(self, segment: Segment, after: int) -> Iterator[Record]:
        for found in segment.records(after):
            if isinstance(found, Record):
                yield found
                continue
            if (segment.path, found.start) not in self._stepped_over:
                self._stepped_over.add((segment.path, found.start))
                log.error(
                    "a damaged place in the spool is stepped over; what was there is lost",
                    extra={"file": str(segment.path), "from": found.start, "to": found.end},
                )

    def set_aside(self, record: Record, why: str) -> None:
        """Keep a record that nobody can read apart, so that the others go on."""
        aside = self._folder / f"{record.id:020d}.unreadable"
        try:
            aside.write_bytes(record.payload)
        except OSError as error:
            raise StorageError(f"{aside}: {error}") from error
        log.error("a batch in the spool cannot be read", extra={"file": str(aside), "why": why})

    def start_of_last(self, segments: int) -> int:
        """Return the id before the first one of the last ``segments`` segments."""
        last = self._segments[-segments:]
        return last[0].first - 1 if last else self.newest

    @property
    def damaged(self) -> int:
        """Return how many damaged places were stepped over since the start."""
        return len(self._stepped_over)

    def waiting(self) -> Waiting:
        """Return what is behind the cursor."""
        cursor = self.cursor
        first = next(self.records(cursor), None)
        if first is None:
            return Waiting(0, 0, None)
        segments = [one for one in self._segments if one.first <= first.id]
        behind = sum(one.size - HEAD for one in self._segments if one.first > first.id)
        size = behind + (segments[-1].size if segments else 0) - first.start
        return Waiting(self.newest - cursor, size, first.at_ms)

    # --- let go ---

    def advance(self, cursor: int) -> None:
        """Take note that the server has everything up to ``cursor``; ``keep_cursor`` keeps it."""
        self.cursor = cursor

    def keep_cursor(self) -> bool:
        """Make the cursor durable; return whether ``prune`` would now let segments go.

        After a crash what is behind an older cursor is sent again, which changes nothing.
        """
        cursor = self.cursor
        if self._kept_cursor != cursor:
            self.put("cursor", _ID.pack(cursor))
            self._kept_cursor = cursor
        return bool(self._unneeded())

    def _read_cursor(self) -> int:
        found = self.get("cursor")
        return int(_ID.unpack(found)[0]) if found is not None else 0

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint of the rules."""
        found = self.get("checkpoint")
        if found is None:
            return None
        return Checkpoint(int(_ID.unpack_from(found)[0]), found[_ID.size :])

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint`` durably; records up to it are needed for no replay."""
        self.put("checkpoint", _ID.pack(checkpoint.upto), checkpoint.state)
        self._released = checkpoint.upto

    def _read_released(self) -> int:
        checkpoint = self.checkpoint()
        return 0 if checkpoint is None else checkpoint.upto

    def put(self, name: str, *parts: bytes) -> None:
        """Replace a small file beside the segments durably, even when the disk is full.

        Raises StorageError.
        """
        try:
            self._small.put(self._folder / name, *parts)
        except OSError as error:
            raise StorageError(f"{self._folder / name}: {error}") from error

    def get(self, name: str) -> bytes | None:
        """Return the content of a small file beside the segments, or None."""
        return atomic.get(self._folder / name)

    def _unneeded(self) -> list[Segment]:
        """Return the segments wholly behind cursor and checkpoint, but for one still written to."""
        limit = min(self._kept_cursor, self._released)
        pasts = [*(after.first for after in self._segments[1:]), self.newest + 1]
        pairs = zip(self._segments, pasts, strict=True) if self._segments else ()
        return [
            one for one, past in pairs if past <= limit + 1 and (past <= self.newest or one.closed)
        ]

    def prune(self) -> None:
        """Remove the segments that are wholly behind the kept cursor and the checkpoint."""
        with self._lock:
            gone = self._unneeded()
            self._segments = self._segments[len(gone) :]
        for segment in gone:
            segment.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the folder."""
        for segment in self._segments:
            segment.close()
        os.close(self._claim)
