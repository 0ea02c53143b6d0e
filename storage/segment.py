"""Segment: one append-only file of numbered records, each with its checksum.

A record is a mark, a checksum, its length, its id, an instant (ms UTC) and its bytes. Ids grow. A
reader that meets damage goes on at the next record whose checksum is right.
"""

import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from storage.tail import StorageError

_MAGIC: Final = b"FCSPOOL\x01"
_MARK: Final = b"\xfcS\xec\r"
_RECORD: Final = struct.Struct("<4sIIQq")
_COVERED: Final = struct.Struct("<IQq")
_REMEMBERED_EVERY: Final = 256 * 1024
HEAD: Final = len(_MAGIC)


class Record(NamedTuple):
    """One record, and where it begins and ends in its file."""

    id: int
    at_ms: int
    payload: bytes
    start: int
    end: int


class Damage(NamedTuple):
    """Bytes of a file that are no record."""

    start: int
    end: int


def framed(id: int, at_ms: int, payload: bytes) -> bytes:
    """Return a record as it is written."""
    covered = _COVERED.pack(len(payload), id, at_ms)
    checksum = zlib.crc32(payload, zlib.crc32(covered))
    return b"".join((_MARK, checksum.to_bytes(4, "little"), covered, payload))


def walk(file: BinaryIO, start: int, end: int) -> Iterator[Record | Damage]:
    """Yield what is between two offsets of ``file``, whatever state it is in."""
    newest = -1
    while start < end:
        record = _record_at(file, start, end)
        if record is None or record.id <= newest:
            past = _next_record(file, start + 1, end, newest)
            yield Damage(start, past)
            start = past
        else:
            yield record
            start, newest = record.end, record.id


def _record_at(file: BinaryIO, start: int, end: int) -> Record | None:
    file.seek(start)
    head = file.read(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    mark, checksum, length, id, at_ms = _RECORD.unpack(head)
    past = start + _RECORD.size + length
    if mark != _MARK or past > end:
        return None
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload, zlib.crc32(head[8:])) != checksum:
        return None
    return Record(id, at_ms, payload, start, past)


def _next_record(file: BinaryIO, start: int, end: int, newest: int) -> int:
    """Return where the next good record begins, ``end`` when there is none."""
    file.seek(start)
    rest = file.read(end - start)
    found = rest.find(_MARK)
    while found >= 0:
        record = _record_at(file, start + found, end)
        if record is not None and record.id > newest:
            return start + found
        found = rest.find(_MARK, found + 1)
    return end


class Segment:
    """A file of records with ids from ``first`` on, which its name says.

    ``size`` is what of it is durable: what is behind that is being written. One thread appends;
    any thread may walk.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.first = path, int(path.stem)
        self.size = path.stat().st_size
        self._ids: list[int] = []
        self._offsets: list[int] = []
        self._handle = -1

    @classmethod
    def create(cls, folder: Path, first: int) -> "Segment":
        """Create an empty file durably, ready to be appended to. Raises OSError."""
        path = folder / f"{first:020d}.segment"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(handle, _MAGIC, 0)
            os.fsync(handle)
            made = cls(path)
        except OSError:
            os.close(handle)
            path.unlink(missing_ok=True)
            raise
        made._handle = handle
        return made

    def takes(self, length: int, most: int) -> bool:
        """Return whether a record of ``length`` is to go here, if ``most`` is a full segment."""
        return not self.closed and (self.size + length <= most or self.size == HEAD)

    def refuse_unknown_layout(self) -> None:
        """Raise StorageError if a program of another version wrote this."""
        with self.path.open("rb") as file:
            head = file.read(HEAD)
        if head[:-1] == _MAGIC[:-1] and head != _MAGIC:
            raise StorageError(
                f"{self.path} has layout {head[-1]}, this program knows {_MAGIC[-1]}"
            )

    def append(self, id: int, record: bytes) -> None:
        """Write a framed record durably. Raises OSError; ``mend`` before the next one."""
        _write_all(self._handle, record, self.size)
        os.fsync(self._handle)
        self.remember(id, self.size)
        self.size += len(record)

    def mend(self) -> None:
        """Cut off what was not written whole, and close: nothing is appended here any more."""
        self.close()
        os.truncate(self.path, self.size)
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remember(self, id: int, offset: int) -> None:
        """Remember where record ``id`` begins, unless one near by is remembered."""
        if not self._offsets or offset - self._offsets[-1] >= _REMEMBERED_EVERY:
            self._ids.append(id)
            self._offsets.append(offset)

    def records(self, after: int = -1) -> Iterator[Record | Damage]:
        """Yield the durable records with an id above ``after``, and damage that is met."""
        place = bisect_right(self._ids, after + 1) - 1
        start = self._offsets[place] if place >= 0 else HEAD
        with self.path.open("rb") as file:
            for found in walk(file, start, self.size):
                if isinstance(found, Damage) or found.id > after:
                    yield found

    @property
    def closed(self) -> bool:
        """Whether nothing is appended here any more."""
        return self._handle < 0

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _write_all(handle: int, content: bytes, offset: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(handle, rest, offset)
        offset += written
        rest = rest[written:]
