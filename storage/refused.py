"""Refused: lines a server will never take, kept in a file with its reason, for a person to see."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from storage.tail import StorageError

_MOST_BYTES: Final = 16 * 2**20
_LONGEST_WHY: Final = 500


class RefusedLine(NamedTuple):
    """One line, when it was set aside (ms UTC), and the server's reason."""

    at_ms: int
    why: str
    line: str


class RefusedLines:
    """The newest of them, in two files of at most ``most_bytes`` each."""

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self._path, self._most_bytes = folder / "refused.jsonl", most_bytes
        self._older = folder / "refused.1.jsonl"

    def put(self, lines: Sequence[str], why: str, at_ms: int) -> None:
        """Keep ``lines`` durably. Raises StorageError."""
        rows = [{"at_ms": at_ms, "why": why[:_LONGEST_WHY], "line": line} for line in lines]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        try:
            if self._path.exists() and self._path.stat().st_size > self._most_bytes:
                self._path.replace(self._older)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{self._path}: {error}") from error

    def newest_first(self) -> Iterator[RefusedLine]:
        """Yield what is kept; a row that was cut by a crash is left out."""
        for path in (self._path, self._older):
            if not path.exists():
                continue
            for text in reversed(path.read_text("utf-8", errors="replace").splitlines()):
                try:
                    row = json.loads(text)
                except ValueError:
                    continue
                yield RefusedLine(row["at_ms"], row["why"], row["line"])
