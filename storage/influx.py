"""InfluxDB: what devices say goes to a local spool, which is the acknowledgement, then to a server.

A thread forwards the spool in order; a point that is written twice is the same point. What is in
memory was written after what the server has, so reads merge the two. Readings and notes leave the
server by the retention of its bucket, not by ``roll``.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from equipment.reading import Batch, Note
from storage.batches import pack, unpack
from storage.dirty import DirtyHours
from storage.follow import Following
from storage.forward import Forwarder, Group
from storage.influx_link import Link, Server
from storage.influx_query import Queries, in_order
from storage.influx_window import WindowQueries, overlaid
from storage.interface import Backlog, Checkpoint, Series, Window
from storage.lines import Lines
from storage.merge import clipped, merged
from storage.refused import RefusedLines
from storage.register import Register
from storage.rollups import RollUps
from storage.spool import Spool
from storage.tail import StorageError

log = logging.getLogger(__name__)

SPOOL_BYTES: Final = 2**33
_GENERATIONS: Final = 4
_NOTES_AT_HAND: Final = 20_000
_SEGMENTS_READ_AT_START: Final = 4
_CONNECTIONS: Final = 2
_BUSY_BATCHES: Final = 1000


class NewestKept(msgspec.Struct, array_like=True):
    """The newest readings of every device as of batch ``upto``, as the spool's folder keeps it."""

    upto: int
    devices: dict[str, bytes]


class InfluxTelemetry:
    """Readings and notes in InfluxDB, behind a spool of at most ``spool_bytes`` in ``folder``.

    ``register`` tells model and site of a device; devices are in it before they send. ``clock``
    tells ms UTC.
    """

    def __init__(
        self,
        server: Server,
        folder: Path,
        register: Register,
        *,
        spool_bytes: int = SPOOL_BYTES,
        generation_rows: int = 20_000,
        linger_s: float = 0.25,
        roll_every_s: float = 60.0,
        clock: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._generation_rows, self._clock = generation_rows, clock
        self._spool = Spool(folder, most_bytes=spool_bytes)
        self._following = Following()
        self._notes: deque[tuple[int, Note]] = deque(maxlen=_NOTES_AT_HAND)
        self._appending = threading.Lock()
        self._newest_upto = 0
        self._load()
        self._dirty_kept = self._spool.get("dirty")
        self._dirty = DirtyHours(self._dirty_kept)
        self._links = [Link(server) for _ in range(_CONNECTIONS)]
        self._rollup_link = Link(server, server.rollups)
        self._queries = Queries(self._links[0], register)
        self._windows = WindowQueries(self._links[0], self._rollup_link, register)
        self._forwarder = Forwarder(
            self._spool,
            self._links,
            Lines(register),
            RefusedLines(folder),
            sent=self._let_go,
            keep=self._keep_place,
            linger_s=linger_s,
        )
        self._rollups = RollUps(
            server,
            register,
            self._dirty,
            busy=self._busy,
            every_s=roll_every_s,
            quiet_s=roll_every_s,
        )
        self._forwarder.start()
        self._rollups.start()

    def _load(self) -> None:
        """Have at hand what the server may not have, and the newest readings."""
        floor = self._spool.get("floor")
        if floor is not None:
            self._following.floor_ms = msgspec.msgpack.decode(floor, type=int)
        kept = self._spool.get("newest")
        newest = msgspec.msgpack.decode(kept, type=NewestKept) if kept else NewestKept(0, {})
        begin = max(self._spool.cursor, self._spool.start_of_last(_SEGMENTS_READ_AT_START))
        self._following.restore(min(newest.upto, begin), newest.devices.items())
        self._newest_upto = newest.upto
        for batch in self.batches(min(newest.upto, begin)):
            self._have_at_hand(batch)

    def _have_at_hand(self, batch: Batch) -> None:
        self._following.add(batch)
        self._notes.extend((batch.id, note) for note in batch.notes)
        if self._following.active.rows >= self._generation_rows:
            self._following.freeze(most=_GENERATIONS)

    def append(self, batch: Batch) -> int:
        """Store ``batch`` durably in the spool and return its id.

        Raises StorageError when that cannot be done now, or the spool is as large as it may be.
        """
        with self._appending:
            id = self._spool.append(pack(batch), self._clock())
            self._have_at_hand(Batch(batch.blocks, batch.notes, id))
        self._forwarder.notice()
        return id

    # --- forward ---

    def _let_go(self, group: Group) -> None:
        """Let go of what is on the server now, and have it rolled up."""
        blocks = (block for batch in group.batches for block in batch.blocks)
        self._dirty.mark(blocks, time.monotonic())
        self._following.drop(group.upto)
        while self._notes and self._notes[0][0] <= group.upto:
            self._notes.popleft()

    def _keep_place(self) -> None:
        """Make durable what a restart goes on from, then remove what nobody needs."""
        dirty = self._dirty.packed()
        if dirty != self._dirty_kept:  # before the cursor, lest a crash in between forgets an hour
            self._spool.put("dirty", dirty)
            self._dirty_kept = dirty
        unneeded = self._spool.keep_cursor()
        if unneeded or self._spool.start_of_last(_SEGMENTS_READ_AT_START) > self._newest_upto:
            self._keep_newest()
        if unneeded:
            self._spool.prune()

    def _keep_newest(self) -> None:
        upto, names = self._following.seen, list(self._following.devices.names)
        newest = self._following.newest(names).items()
        packed = {device: msgspec.msgpack.encode(values) for device, values in newest}
        self._spool.put("newest", msgspec.msgpack.encode(NewestKept(upto, packed)))
        self._newest_upto = upto

    def _busy(self) -> bool:
        """Return whether so much waits that rolling up would only be in the way."""
        return self._spool.newest - self._spool.cursor > _BUSY_BATCHES

    def backlog(self) -> Backlog:
        """Return what is in the spool and not on the server yet."""
        waiting = self._spool.waiting()
        return Backlog(*waiting, self._forwarder.why)

    @property
    def refused(self) -> int:
        """Return how many lines the server refused since the start."""
        return self._forwarder.refused

    @property
    def to_roll_up(self) -> int:
        """Return how many hours have readings that no roll-up has seen."""
        return len(self._dirty)

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
        kept = self._queries.raw(device, start_ms, end_ms, metrics)
        return clipped(merged([kept, *recent]), start_ms, end_ms)

    def window(
        self, device: str, metrics: Sequence[str], start_ms: int, end_ms: int, points: int
    ) -> Mapping[str, Window]:
        """Return at most ``points`` equal buckets per metric; peaks survive as low and high."""
        recent = self._following.histories(device, frozenset(metrics))  # first: see ``raw``
        server = self._windows.window(device, metrics, start_ms, end_ms, points)
        return overlaid(
            server,
            recent,
            lambda first_ms, past_ms: self.raw(device, first_ms, past_ms, metrics),
            span=(start_ms, end_ms),
            points=points,
        )

    def notes(
        self, device: str, start_ms: int, end_ms: int, kinds: Sequence[str] | None = None
    ) -> Sequence[Note]:
        """Return births, states, events, qc and maint of the device in time order."""
        start_ms = max(start_ms, self._following.floor_ms)
        recent = [
            note
            for _, note in list(self._notes)
            if note.device == device
            and start_ms <= note.at_ms < end_ms
            and (kinds is None or note.kind in kinds)
        ]
        return in_order([*self._queries.notes(device, start_ms, end_ms, kinds), *recent])

    # --- keep ---

    def roll(self, keep_from_ms: int) -> int:
        """Forget readings and notes before ``keep_from_ms``; the server drops its own by itself."""
        floor_ms = max(self._following.floor_ms, keep_from_ms)
        self._spool.put("floor", msgspec.msgpack.encode(floor_ms))
        self._following.floor_ms = floor_ms
        return 0

    def batches(self, after: int) -> Iterator[Batch]:
        """Yield the batches with an id above ``after``, oldest first, for a restart."""
        for record in self._spool.records(after):
            try:
                yield unpack(record.payload, record.id)
            except (msgspec.DecodeError, ValueError) as error:
                log.error("a batch cannot be read", extra={"id": record.id, "why": str(error)})

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint."""
        return self._spool.checkpoint()

    def keep_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep ``checkpoint`` durably; batches up to it need not be replayed again."""
        self._spool.keep_checkpoint(checkpoint)

    def close(self) -> None:
        """Stop forwarding and let go; what is not forwarded waits in the spool."""
        self._rollups.stop()
        self._forwarder.stop()
        try:
            self._keep_place()
        except StorageError as error:  # some of it is sent and rolled up again
            log.warning("the place in the spool is not kept", extra={"why": str(error)})
        for link in (*self._links, self._rollup_link):
            link.close()
        self._spool.close()
