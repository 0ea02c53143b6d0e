"""InfluxDB: readings go to a local spool first, which is the acknowledgement, then to the server.

The spool is the tail of ``storage.tail``. One thread forwards it in order and keeps its place
durably; a point that is written twice is the same point. What is in memory was written after what
the server has, so reads merge the two. Notes and the checkpoint stay in the spool file. Readings
leave the server by the retention of its bucket, not by ``roll``.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

import numpy as np

from equipment.reading import Batch, Block, Note
from storage.follow import TABLES, Following, put_floor, put_progress, state
from storage.influx_link import Answer, Link, Refused, Server
from storage.interface import Backlog, Checkpoint, Series, Window
from storage.merge import clipped, merged, windowed
from storage.tail import StorageError, Tail, insert, newest, prune, since

log = logging.getLogger(__name__)

_LINES_AT_ONCE: Final = 5000
_GENERATIONS: Final = 4
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 30.0
_FARTHEST_MS: Final = 9_223_372_036_000
_REFUSED: Final = """
CREATE TABLE IF NOT EXISTS refused(
    id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
    why TEXT NOT NULL, lines BLOB NOT NULL
);
"""
_ESCAPED: Final = str.maketrans({" ": r"\ ", ",": r"\,", "=": r"\="})


class InfluxTelemetry:
    """Readings in InfluxDB, behind a spool file of at most ``spool_bytes``.

    ``models`` tells the model of a device: its measurement. Devices are in it before they send.
    """

    def __init__(
        self,
        server: Server,
        spool: Path,
        models: Mapping[str, str],
        *,
        spool_bytes: int = 2**33,
        generation_rows: int = 20_000,
    ) -> None:
        self._models, self._generation_rows = models, generation_rows
        self._tail = Tail(spool, TABLES + _REFUSED, most_bytes=spool_bytes)
        self._link = Link(server)
        self._following = Following()
        self._appending = threading.Lock()
        with self._tail.writing() as db:
            self._tail.claim()
            self._following.load(db)
        self._closing, self._work = threading.Event(), threading.Event()
        self._work.set()
        self._why = ""
        self._forwarder = threading.Thread(target=self._forward, name="influx", daemon=True)
        self._forwarder.start()

    def append(self, batch: Batch) -> int:
        """Store ``batch`` durably in the spool and return its id.

        Raises StorageError when that cannot be done now, or the spool is as large as it may be.
        """
        with self._appending:
            with self._tail.writing() as db:
                if newest(db) != self._following.seen:  # a commit that only seemed to fail
                    self._following.load(db)
                id = insert(db, batch)
            self._following.add(Batch(batch.blocks, batch.notes, id))
            if self._following.active.rows >= self._generation_rows:
                self._following.freeze(most=_GENERATIONS)
        self._work.set()
        return id

    # --- forward ---

    def waiting(self) -> int:
        """Return how many batches are in the spool and not on the server yet."""
        with self._tail.reading() as db:
            return newest(db) - state(db).sealed

    def _forward(self) -> None:
        """Write what is in the spool to the server, in order, until the store is closed."""
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            self._work.clear()
            try:
                more = self._forward_some()
            except Exception as error:  # the loop at the top of a thread
                self._why = str(error)
                bug = None if isinstance(error, StorageError) else error
                log.warning("readings wait in the spool", extra={"why": str(error)}, exc_info=bug)
                self._closing.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s, self._why = _FIRST_PAUSE_S, ""
            if not more:
                self._work.wait()

    def _forward_some(self) -> bool:
        """Write the next batches; return whether there were any."""
        with self._tail.reading() as db:
            waiting = since(db, state(db).sealed)
            known = takewhile(lambda batch: batch.id <= self._following.seen, waiting)
            batches = _up_to(_LINES_AT_ONCE, known)
        if not batches:
            return False
        lines = self._lines(block for batch in batches for block in batch.blocks)
        why = self._refusal(lines) if lines else None
        first, last = batches[0].id, batches[-1].id
        devices = {d for batch in batches for block in batch.blocks for d in block.devices}
        rows = [(device, self._following.packed_newest(device)) for device in devices]
        with self._tail.writing() as db:
            if why is not None:
                row = (first, last, why, lines)
                db.execute("INSERT INTO refused(first, last, why, lines) VALUES (?, ?, ?, ?)", row)
            db.executemany("INSERT OR REPLACE INTO device(name, newest) VALUES (?, ?)", rows)
            put_progress(db, last, last, "")
            prune(db, last, most=2 * len(batches))
        self._following.drop(last)
        return True

    def _refusal(self, lines: bytes) -> str | None:
        """Write ``lines``; return why the server will never take all of them, or None."""
        try:
            self._link.write(lines)
        except Refused as refused:
            log.warning("the server refused readings", extra={"why": str(refused)})
            return str(refused)
        return None

    def _lines(self, blocks: Iterable[Block]) -> bytes:
        return "\n".join(
            line for block in blocks for line in _block_lines(block, self._models)
        ).encode()

    # --- read ---

    def last(self, devices: Sequence[str]) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """Return device -> metric -> (ms UTC, value) of the newest reading by event time."""
        return self._following.newest(devices)

    def raw(
        self, device: str, start_ms: int, end_ms: int, metrics: Sequence[str] | None = None
    ) -> Mapping[str, Series]:
        """Return every reading of the device, per metric, in time order, the last write winning."""
        start_ms = max(start_ms, self._following.floor_ms)
        recent = self._following.histories(device, None if metrics is None else frozenset(metrics))
        model = _model(device, self._models)
        kept = written(self._link, model, device, span=(start_ms, end_ms), metrics=metrics)
        return clipped(merged([kept, *recent]), start_ms, end_ms)

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Mapping[str, Window]:
        """Return at most ``points`` equal buckets per metric; peaks survive as low and high."""
        return windowed(self.raw(device, start_ms, end_ms, metrics), start_ms, end_ms, points)

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> Sequence[Note]:
        """Return births, states, events, qc and maint of the device in time order."""
        start_ms = max(start_ms, self._following.floor_ms)
        return self._tail.notes(device, start_ms, end_ms, kinds)

    # --- keep ---

    def roll(self, keep_from_ms: int) -> int:
        """Forget readings and notes before ``keep_from_ms``; the server drops its own by itself."""
        with self._tail.writing() as db:
            self._following.floor_ms = put_floor(db, keep_from_ms)
            db.execute("DELETE FROM note WHERE at_ms < ?", (keep_from_ms,))
        return 0

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield the batches with an id above ``after``, oldest first, for a restart."""
        return self._tail.batches(after)

    def backlog(self) -> Backlog:
        """Return what is in the spool and not on the server yet."""
        with self._tail.reading() as db:
            sealed = state(db).sealed
            batches, size = db.execute(
                "SELECT count(*), coalesce(sum(length(blob)), 0) FROM tail WHERE id > ?", (sealed,)
            ).fetchone()
        return Backlog(batches, size, None, self._why)

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint."""
        return self._tail.checkpoint()

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint`` durably; batches up to it need not be replayed again."""
        self._tail.keep_checkpoint(checkpoint)

    def close(self) -> None:
        """Stop forwarding and let go; what is not forwarded waits in the spool."""
        self._closing.set()
        self._work.set()
        self._forwarder.join()
        self._link.close()
        self._tail.close()


def _up_to(lines: int, batches: Iterable[Batch]) -> list[Batch]:
    """Return the first batches that together have about ``lines`` rows."""
    taken: list[Batch] = []
    for batch in batches:
        taken.append(batch)
        lines -= sum(map(len, batch.blocks))
        if lines <= 0:
            break
    return taken


def _model(device: str, models: Mapping[str, str]) -> str:
    return models.get(device, "other")


def _block_lines(block: Block, models: Mapping[str, str]) -> Iterator[str]:
    keys = [metric.translate(_ESCAPED) for metric in block.metrics]
    rows = zip(block.devices, block.at_ms.tolist(), block.values.tolist(), strict=True)
    for device, at_ms, values in rows:
        model = _model(device, models).translate(_ESCAPED)
        fields = ",".join([f"{key}={value!r}" for key, value in zip(keys, values, strict=True)])
        yield f"{model},device={device.translate(_ESCAPED)},model={model} {fields} {at_ms}"


def written(
    link: Link,
    model: str,
    device: str,
    *,
    span: tuple[int, int],
    metrics: Sequence[str] | None,
) -> dict[str, Series]:
    """Return what the server has of ``device`` in ``span`` (ms UTC), of all metrics for None."""
    if metrics is not None and not metrics:
        return {}
    fields = "*" if metrics is None else ", ".join(map(quoted, metrics))
    since_ms, before_ms = max(span[0], -_FARTHEST_MS), min(span[1], _FARTHEST_MS)
    answers = link.ask(
        f"SELECT {fields} FROM {quoted(model)} WHERE \"device\" = '{_text(device)}'"
        f" AND time >= {since_ms}ms AND time < {before_ms}ms"
    )
    found: dict[str, Series] = {}
    for answer in answers:
        found.update(series_of(answer))
    return found


def series_of(answer: Answer) -> Iterator[tuple[str, Series]]:
    """Yield (metric, series) of an answer, the rows in the order of the answer."""
    if not answer.values:
        return
    columns = dict(zip(answer.columns, zip(*answer.values, strict=True), strict=True))
    at_ms = np.array(columns.pop("time"), np.int64)
    for name in columns.keys() - {"device", "model", "site"}:
        values = np.array(columns[name], np.float64)  # null is nan
        there = ~np.isnan(values)
        if there.any():
            yield name, Series(at_ms[there], values[there])


def quoted(name: str) -> str:
    """Return a measurement or field as InfluxQL writes it."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
