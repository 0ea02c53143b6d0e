"""Replay: a file goes the way of live messages, at any speed.

Tables (CSV) become messages of one device by a mapping; exports in line protocol those of many;
JSON lines are messages already, one ``{"topic": ..., "payload": {...}}`` each. The boot id is made
of the file's content and the mapping, and the sequence number is the row: the same file again is a
duplicate, whatever the speed.
"""

import csv
import gzip
import hashlib
import io
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from collector.committer import Committer, Parcel
from collector.export import Export, Points
from collector.line_protocol import BadLine, point, whole_lines
from collector.mapping import BadMapping, BadRow, Mapping, Rows
from desk.arrival import Arrival
from equipment.wire import encode

_PARCEL: Final = 500
_WAITING: Final = 20_000
_BAD_KEPT: Final = 100
_HASHED: Final = 1 << 20
_LONGEST: Final = 1 << 20
_JSON_LINES: Final = (".jsonl", ".ndjson")
_LINE_PROTOCOL: Final = (".lp", ".line", ".influx")


class Bad(NamedTuple):
    """A row that was left out: its line in the file and why."""

    line: int
    why: str


@dataclass(slots=True)
class Progress:
    """How far it is: bytes of the file, messages handed in, rows left out (the first 100 kept).

    ``passed_over`` counts lines of an export that are good and about something else.
    """

    read: int
    size: int
    messages: int = 0
    passed_over: int = 0
    bad_rows: int = 0
    bad: list[Bad] = field(default_factory=list)

    def left_out(self, line: int, why: str) -> None:
        """Count a bad row."""
        self.bad_rows += 1
        if len(self.bad) < _BAD_KEPT:
            self.bad.append(Bad(line, why))


class _Message(NamedTuple):
    at_ms: int | None
    arrival: Arrival


class _Line(msgspec.Struct, frozen=True):
    topic: str
    payload: msgspec.Raw


class _When(msgspec.Struct, frozen=True):
    t: int | None = None


_read_line = msgspec.json.Decoder(_Line).decode
_read_when = msgspec.json.Decoder(_When).decode


class _Pace:
    """Hands in parcels, not too many at a time, and waits as long as the event times say."""

    def __init__(
        self, committer: Committer, speed: float, sleep: Callable[[float], object]
    ) -> None:
        self._committer, self._speed, self._sleep = committer, speed, sleep
        self._last_ms: int | None = None
        self._waiting = 0
        self._changed = threading.Condition()

    def kept(self, receipts: Sequence[Any]) -> None:
        """Note what is durable; called by the committer."""
        with self._changed:
            self._waiting -= sum(receipts)
            self._changed.notify_all()

    def put(self, arrivals: Sequence[Arrival]) -> None:
        """Hand in ``arrivals`` as soon as there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < _WAITING)
            self._waiting += len(arrivals)
        size = sum(len(arrival.payload) for arrival in arrivals)
        self._committer.put(Parcel(self, arrivals, size, len(arrivals)))

    def finish(self) -> None:
        """Return once everything is durable."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)

    def wait(self, at_ms: int | None) -> None:
        """Let the time pass that passed between the last message and this one."""
        if not self._speed or at_ms is None:
            return
        if self._last_ms is not None and at_ms > self._last_ms:
            self._sleep((at_ms - self._last_ms) / 1000 / self._speed)
        self._last_ms = at_ms


def replay(
    path: Path,
    committer: Committer,
    *,
    mapping: Mapping | Export | None = None,
    speed: float = 0.0,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[Progress]:
    """Feed the file at ``path`` to ``committer``; yield how far it is, last when all is durable.

    ``speed`` 1 is real time, 0 as fast as it is stored. A bad row is counted and never ends the
    replay. Raises BadMapping for a table without a mapping or without its columns.
    """
    pace = _Pace(committer, speed, sleep)
    with _opened(path) as (lines, position):
        progress = Progress(0, path.stat().st_size)
        messages = _messages(path, lines, mapping, progress)
        most = 1 if speed else _PARCEL
        while some := list(islice(messages, most)):
            pace.wait(some[0].at_ms)
            pace.put([message.arrival for message in some])
            progress.messages += len(some)
            progress.read = position()
            yield progress
    pace.finish()
    progress.read = progress.size
    yield progress


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[str], Callable[[], int]]]:
    """Open a text file, compressed or not, and tell how many bytes of it were read."""
    with path.open("rb") as raw:
        plain: Any = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        yield io.TextIOWrapper(plain, "utf-8-sig", "replace", newline=""), raw.tell


def _kind(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def is_export(path: Path) -> bool:
    """Return whether the file at ``path`` is named like one in line protocol."""
    return _kind(path) in _LINE_PROTOCOL


def _messages(
    path: Path, file: IO[str], mapping: Mapping | Export | None, progress: Progress
) -> Iterator[_Message]:
    lines = _pieces(file)
    if _kind(path) in _JSON_LINES:
        return _from_lines(_numbered(lines, progress), progress)
    if is_export(path) and not isinstance(mapping, Mapping):
        return _from_export(path, lines, mapping or Export(), progress)
    if not isinstance(mapping, Mapping):
        raise BadMapping(f"{path.name}: a table needs a mapping of its columns")
    return _from_table(path, lines, mapping, progress)


def _pieces(file: IO[str]) -> Iterator[str]:
    """Yield lines; one beyond 1 MiB comes in pieces, so that no file fills the memory."""
    while piece := file.readline(_LONGEST):
        yield piece


def _from_lines(lines: Iterator[tuple[int, str]], progress: Progress) -> Iterator[_Message]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            read = _read_line(line.encode(errors="replace"))
            payload = bytes(read.payload)
            at_ms = _time_of(payload)
        except (msgspec.DecodeError, RecursionError) as error:
            progress.left_out(number, str(error))
        else:
            yield _Message(at_ms, Arrival(None, read.topic, payload))


def _time_of(payload: bytes) -> int | None:
    """Return the event time of a payload; that it has none is not for us to judge."""
    try:
        return _read_when(payload).t
    except msgspec.DecodeError:
        return None


def _from_export(
    path: Path, lines: Iterator[str], export: Export, progress: Progress
) -> Iterator[_Message]:
    boot = _boot(path, export)
    points = Points(export)
    born = set()
    for number, line in whole_lines(_numbered(lines, progress)):
        try:
            found = points.reading(point(line), boot)
        except (BadLine, BadRow) as error:
            progress.left_out(number, str(error))
            continue
        if found is None:
            progress.passed_over += 1
            continue
        where, reading = found
        at_ms = reading.t or 0
        if where not in born:
            born.add(where)
            birth = points.birth(boot, where.device, at_ms)
            topic = where._replace(kind="birth").topic
            yield _Message(at_ms, Arrival(None, topic, encode(birth)))
        yield _Message(at_ms, Arrival(None, where.topic, encode(reading)))


def _from_table(
    path: Path, lines: Iterator[str], mapping: Mapping, progress: Progress
) -> Iterator[_Message]:
    boot = _boot(path, mapping)
    topic = mapping.address.topic
    table = csv.reader(lines, delimiter=mapping.delimiter)
    rows = Rows(mapping, next(table, []), path.name)
    born = False
    for seq, (_, cells) in enumerate(_numbered(table, progress)):
        try:
            reading = rows.reading(cells, boot, seq)
        except BadRow as error:
            progress.left_out(table.line_num, str(error))
            continue
        at_ms = reading.t or 0
        if not born:
            born = True
            birth = mapping.address._replace(kind="birth").topic
            yield _Message(at_ms, Arrival(None, birth, encode(mapping.birth(boot, at_ms))))
        yield _Message(at_ms, Arrival(None, topic, encode(reading)))


def _numbered(lines: Iterator[Any], progress: Progress) -> Iterator[tuple[int, Any]]:
    """Number lines from 1; one that cannot be read is counted, a broken file ends there."""
    number = 0
    while True:
        number += 1
        try:
            yield number, next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            progress.left_out(number, str(error))
        except (EOFError, OSError, zlib.error) as error:
            progress.left_out(number, f"the file is broken from here on: {error}")
            return


def _boot(path: Path, mapping: Mapping | Export) -> str:
    digest = hashlib.sha256(msgspec.json.encode(mapping, order="sorted"))
    with path.open("rb") as file:
        while block := file.read(_HASHED):
            digest.update(block)
    return f"replay-{digest.hexdigest()[:16]}"
