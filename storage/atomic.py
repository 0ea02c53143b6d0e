"""Atomic: a small file that is either as it was or as it is to be, and tells when it is neither."""

import logging
import os
import zlib
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_MAGIC: Final = b"FCFILE\x00\x01"
_LEAST_RESERVE: Final = 64 * 1024
_HEAD: Final = len(_MAGIC) + 4


def put(path: Path, *parts: bytes) -> None:
    """Replace the file durably by ``parts``. Raises OSError; the file is then as it was."""
    fresh = path.with_name(path.name + ".new")
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    with fresh.open("wb") as file:
        file.writelines((_MAGIC, checksum.to_bytes(4, "little"), *parts))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def get(path: Path) -> bytes | None:
    """Return the content, or None when there is no file or it is damaged, which is told."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return None
    content = found[_HEAD:]
    if found[:_HEAD] != _MAGIC + zlib.crc32(content).to_bytes(4, "little"):
        log.error("a file is damaged and is taken as missing", extra={"file": str(path)})
        return None
    return content


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Reserved:
    """Room held back on the disk, so that small files can be replaced when it is full.

    What is written then lets other things go, and the room is held back again.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._bytes = path, _LEAST_RESERVE

    def put(self, path: Path, *parts: bytes) -> None:
        """Replace a file durably, from the room held back if there is no other. Raises OSError."""
        self._bytes = max(self._bytes, _LEAST_RESERVE + sum(map(len, parts)))
        try:
            put(path, *parts)
        except OSError:
            if not self._path.exists():
                raise
            self._path.unlink()
            put(path, *parts)
            return
        self._hold_back()

    def _hold_back(self) -> None:
        """Hold room back, as much as there is."""
        try:
            if not self._path.exists() or self._path.stat().st_size < self._bytes:
                with self._path.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, self._bytes)
        except OSError:
            self._path.unlink(missing_ok=True)
