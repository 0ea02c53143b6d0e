"""Forward: a thread writes what is in the spool to the server until it has it, in order per device.

A large group of batches is written over two connections, the lines of a device over one of them,
while the next group is read. A server that cannot is asked again, after as long as it says or a
growing pause. Lines that it will never take are found, set aside with its reason, and the rest goes
on.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final, NamedTuple

import msgspec

from equipment.reading import Batch
from storage.batches import unpack
from storage.blame import blamed, only_forgotten, said
from storage.influx_link import Link, Refused, TooLarge, Unavailable
from storage.lines import Lines
from storage.refused import RefusedLines
from storage.segment import Record
from storage.spool import Spool
from storage.tail import StorageError

log = logging.getLogger(__name__)

LINES_AT_ONCE: Final = 10_000
_LINES_FOR_TWO_WAYS: Final = 2000
_ENOUGH: Final = 0.8  # the last batch that is taken would often begin another request
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 30.0
_PLACE_KEPT_EVERY_S: Final = 1.0


class Group(NamedTuple):
    """Batches that are written together, up to id ``upto``, and what is still to be written."""

    upto: int
    batches: Sequence[Batch]
    todo: Sequence[deque[bytes]]

    def __len__(self) -> int:
        return sum(map(_size, self.batches))


class Forwarder:
    """The thread. ``sent`` is told of each group that the server has; ``keep`` is to make durable
    what came of that, now and then, before the spool lets go.
    """

    def __init__(
        self,
        spool: Spool,
        links: Sequence[Link],
        lines: Lines,
        refused: RefusedLines,
        *,
        sent: Callable[[Group], None],
        keep: Callable[[], None],
        linger_s: float = 0.25,
    ) -> None:
        self._spool, self._links, self._lines, self._refused = spool, links, lines, refused
        self._sent, self._keep, self._linger_s = sent, keep, linger_s
        self._read_upto = spool.cursor
        self._records: Iterator[Record] = iter(())
        self._pending: Group | None = None
        self._ahead: Group | None = None
        self._writers = ThreadPoolExecutor(len(links), "influx-writer")
        self._setting_aside = threading.Lock()
        self._most_lines = LINES_AT_ONCE
        self._kept_at = 0.0
        self._closing, self._work = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="influx", daemon=True)
        self.why = ""
        self.refused = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def notice(self) -> None:
        """Take note that there is something to write."""
        self._work.set()

    def stop(self) -> None:
        """End; what is not written waits in the spool."""
        self._closing.set()
        self._work.set()
        self._thread.join()
        self._writers.shutdown()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            self._work.clear()
            try:
                full = self._forward_some()
            except StorageError as error:
                self._tell(error)
                self._keep_place_meanwhile()
                asked_s = error.after_s if isinstance(error, Unavailable) else None
                self._closing.wait(max(asked_s or pause_s, _FIRST_PAUSE_S))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            except Exception as error:  # the loop at the top of a thread
                log.exception("forwarding failed")
                self.why = f"{type(error).__name__}: {error}"
                self._closing.wait(_LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            if full is None:
                self._work.wait()
            elif not full:  # a larger request costs the server less than two small ones
                self._closing.wait(self._linger_s)

    def _tell(self, error: StorageError) -> None:
        why = str(error)
        if why != self.why:
            log.warning("readings wait in the spool", extra={"why": why})
        self.why = why

    def _forward_some(self) -> bool | None:
        """Write the next group; return whether it was a full one, None when there was none."""
        group = self._pending or self._ahead or self._next_group()
        if group is None:
            self._keep_place(at_once=True)
            return None
        if group is self._ahead:
            self._ahead = None
        self._pending = group
        self._write(group)
        self._sent(group)
        self._spool.advance(group.upto)
        self._pending = None
        if self.why:
            log.info("the server takes readings again", extra={"upto": group.upto})
            self.why = ""
        self._keep_place()
        return len(group) >= _ENOUGH * self._most_lines

    def _keep_place(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self._kept_at >= _PLACE_KEPT_EVERY_S:
            self._kept_at = now
            self._keep()

    def _keep_place_meanwhile(self) -> None:
        try:
            self._keep_place()
        except StorageError as error:
            log.warning("the place in the spool is not kept", extra={"why": str(error)})

    # --- read ---

    def _next_group(self) -> Group | None:
        """Read the next group, None when there is nothing; what fails is read again."""
        try:
            group = self._read_group()
        except Exception:
            self._records = iter(())
            raise
        if group.upto == self._read_upto:
            return None
        self._read_upto = group.upto
        return group

    def _read_group(self) -> Group:
        batches: list[Batch] = []
        rows, upto = 0, self._read_upto
        for record in self._unread():
            upto = record.id
            batch = self._readable(record)
            if batch is not None:
                batches.append(batch)
                rows += _size(batch)
            if rows >= _ENOUGH * self._most_lines:
                break
        ways = len(self._links) if rows >= _LINES_FOR_TWO_WAYS else 1
        shares = self._lines.shared(batches, ways)
        return Group(upto, batches, [_pieces(share, self._most_lines) for share in shares])

    def _unread(self) -> Iterator[Record]:
        """Yield what was not read yet; what came since the last look is in a second one."""
        yield from self._records
        self._records = self._spool.records(self._read_upto)
        yield from self._records

    def _readable(self, record: Record) -> Batch | None:
        try:
            return unpack(record.payload, record.id)
        except (msgspec.DecodeError, ValueError) as error:
            self._spool.set_aside(record, str(error))
            return None

    # --- write ---

    def _write(self, group: Group) -> None:
        """Write what is left of ``group``; read the next one meanwhile, if there is so much."""
        ways = zip(self._links, group.todo, strict=False)
        writing = [self._writers.submit(self._write_pieces, *way) for way in ways]
        try:
            if self._ahead is None and len(group) >= _LINES_FOR_TWO_WAYS:
                self._ahead = self._next_group()
        finally:
            wait(writing)
        for written in writing:
            written.result()

    def _write_pieces(self, link: Link, todo: deque[bytes]) -> None:
        """Write the pieces of ``todo`` in order; what is left of it when this raises is not yet."""
        while todo:
            piece = todo[0]
            try:
                link.write(piece)
            except TooLarge as error:
                lines = _lines(piece)
                self._most_lines = max(1, min(self._most_lines, len(lines) // 2))
                self._cut(todo, lines, str(error))
            except Refused as error:
                self._sort_out(todo, str(error))
            else:
                todo.popleft()

    def _sort_out(self, todo: deque[bytes], answer: str) -> None:
        """Set aside the lines that the server's answer is about, or look for them by halves."""
        if only_forgotten(answer):
            log.warning("the server keeps no readings that old", extra={"why": said(answer)})
            todo.popleft()
            return
        lines = _lines(todo[0])
        bad = blamed(answer, lines)
        if not bad:
            self._cut(todo, lines, said(answer))
            return
        self._set_aside([lines[place] for place in sorted(bad)], said(answer))
        todo.popleft()
        good = [line for place, line in enumerate(lines) if place not in bad]
        if good:
            todo.appendleft(_piece(good))

    def _cut(self, todo: deque[bytes], lines: Sequence[str], why: str) -> None:
        """Make two pieces of the first; a single line that is refused is set aside."""
        half = len(lines) // 2
        if not half:
            self._set_aside(lines, why)
        todo.popleft()
        if half:
            todo.extendleft([_piece(lines[half:]), _piece(lines[:half])])

    def _set_aside(self, lines: Sequence[str], why: str) -> None:
        with self._setting_aside:
            self._refused.put(lines, why, int(time.time() * 1000))
            self.refused += len(lines)
        log.error("the server refused readings", extra={"lines": len(lines), "why": why})


def _pieces(lines: list[str], most: int) -> deque[bytes]:
    """Cut ``lines`` into as few equal pieces of at most ``most`` as there can be."""
    size = -(-len(lines) // max(1, -(-len(lines) // most)))
    starts = range(0, len(lines), size or 1)
    return deque(_piece(lines[start : start + size]) for start in starts)


def _piece(lines: Sequence[str]) -> bytes:
    return "\n".join(lines).encode()


def _lines(piece: bytes) -> list[str]:
    return piece.decode().split("\n")


def _size(batch: Batch) -> int:
    return sum(map(len, batch.blocks)) + len(batch.notes)
