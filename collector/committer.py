"""Group commit: what arrived meanwhile becomes durable in one go, then is acknowledged.

One thread takes parcels from every source. The longer a commit takes, the more the next one
carries; a lone message waits for nobody. A store that fails is asked again until it takes the
batch: nothing is acknowledged and nothing is dropped until then.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple, Protocol

from collector.histogram import Histogram
from desk.arrival import Arrival, Sink
from storage.mailbox import Change, Mailbox, MemoryMailbox

log = logging.getLogger(__name__)

BATCH_MESSAGES: Final = 20_000
BATCH_BYTES: Final = 16 * 1024 * 1024
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 10.0


class Source(Protocol):
    """Who hands in parcels, and is told when they are durable."""

    def kept(self, receipts: Sequence[Any]) -> None:
        """Acknowledge the parcels with these receipts. Called from the committer's thread."""
        ...


class Parcel(NamedTuple):
    """What one source hands in at once: it is kept, and acknowledged, as a whole."""

    source: Source
    arrivals: Sequence[Arrival]
    size: int
    receipt: Any = None
    changes: Sequence[Change] = ()


class _Stopped(Exception):
    """The committer was told to stop while the store refused; the batch stays unacknowledged."""


class Committer:
    """The thread between the sources and the store."""

    def __init__(self, sink: Sink, mailbox: Mailbox | None = None) -> None:
        self._sink = sink
        self._mailbox: Mailbox = mailbox or MemoryMailbox()
        self._parcels: SimpleQueue[Parcel | None] = SimpleQueue()
        self._giving_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self.batches = 0
        self.messages = 0
        self.failures = 0
        self.failing = False
        self.acknowledged = 0
        self.storing, self.acting = Histogram(), Histogram()

    @property
    def mailbox(self) -> Mailbox:
        """Where sessions and retained letters are kept."""
        return self._mailbox

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, parcel: Parcel) -> None:
        """Hand in a parcel. Sources bound what they have handed in and not yet got back."""
        self._parcels.put(parcel)

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Keep what was handed in and end; return whether all of it was kept in time."""
        if self._thread.ident is None:
            return True
        self._parcels.put(None)
        self._thread.join(timeout_s)
        self._giving_up.set()
        self._thread.join(LONGEST_WAIT_S)
        return self._parcels.empty()

    def _run(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._batch()
            try:
                if batch:
                    self._commit(batch)
            except _Stopped:
                self._parcels.put(None)
                log.error("stopped before the store took a batch", extra={"parcels": len(batch)})
                return

    def _batch(self) -> tuple[list[Parcel], bool]:
        """Wait for a parcel, take what else is there, and say whether to go on afterwards."""
        batch: list[Parcel] = []
        messages = size = 0
        parcel = self._parcels.get()
        while parcel is not None:
            batch.append(parcel)
            messages += len(parcel.arrivals) + len(parcel.changes)
            size += parcel.size
            if messages >= BATCH_MESSAGES or size >= BATCH_BYTES:
                return batch, True
            try:
                parcel = self._parcels.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: Sequence[Parcel]) -> None:
        arrivals = [arrival for parcel in batch for arrival in parcel.arrivals]
        changes = [change for parcel in batch for change in parcel.changes]
        began = time.monotonic()
        kept = self._until_kept(self._sink.keep, arrivals) if arrivals else None
        if changes:
            self._until_kept(self._mailbox.write, changes)
        self.storing.observe(time.monotonic() - began)
        self.batches += 1
        self.messages += len(arrivals)
        for source in dict.fromkeys(parcel.source for parcel in batch):
            self._tell(source, [p.receipt for p in batch if p.source is source])
        self.acknowledged += len(arrivals)
        if arrivals:
            began = time.monotonic()
            self._act(kept)
            self.acting.observe(time.monotonic() - began)

    def _until_kept(self, keep: Callable[[Any], Any], what: Sequence[Any]) -> Any:
        """Ask the store until it takes ``what``: the very same object each time."""
        wait_s = FIRST_WAIT_S
        failed_at = None
        while True:
            try:
                kept = keep(what)
            except Exception:
                self.failures += 1
                self.failing = True
                failed_at = failed_at or time.monotonic()
                log.exception(
                    "not stored, nothing acknowledged, trying again",
                    extra={"messages": len(what), "wait_s": wait_s},
                )
                if self._giving_up.wait(wait_s):
                    raise _Stopped from None
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            else:
                self.failing = False
                if failed_at is not None:
                    down_s = round(time.monotonic() - failed_at, 1)
                    log.warning("stored again", extra={"messages": len(what), "down_s": down_s})
                return kept

    def _tell(self, source: Source, receipts: Sequence[Any]) -> None:
        try:
            source.kept(receipts)
        except Exception:
            log.exception("a source failed to acknowledge", extra={"parcels": len(receipts)})

    def _act(self, kept: Any) -> None:
        try:
            self._sink.act(kept)
        except Exception:
            log.exception("acting on stored messages failed; they stay stored")
