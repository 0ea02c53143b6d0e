"""A message becomes a reading, perhaps alarms.

``Ingest.keep`` returns once everything that was made of the arrivals is durable, so that the
listener may acknowledge. ``Ingest.act`` then steps the rules. Everything behind ``keep`` may
crash and repeat: a restart replays the batches after the newest checkpoint and comes to the same
alarms.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np

from desk.arrival import Arrival
from desk.intake import Intake, Registered
from desk.sorted import Sorted
from desk.ward import Ward
from equipment.catalog import MODELS, DeviceModel
from equipment.mapped import Mapped
from equipment.reading import LATENESS, LIVE, Batch
from equipment.sequence import Tally
from health.alarm import Alarm
from health.bank import Bank
from health.clocks import Heard
from health.snapshot import UnreadableSnapshot
from storage.interface import Checkpoint, Records, Telemetry

log = logging.getLogger(__name__)

CHECKPOINT_ROWS = 100_000
ROW_BYTES = 100  # what a row of a batch takes on disk, about


class Ingest:
    """Keeps what devices say, and steps the rules on it. Used from one thread.

    What is registered or taught from other threads holds from the next ``keep`` on.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        records: Records,
        bank: Bank,
        *,
        registered: Mapping[str, Registered],
        now: Callable[[], datetime],
        on_alarms: Callable[[Sequence[Alarm]], object],
        on_live: Callable[[Sequence[str]], object] = lambda _devices: None,
        send: Callable[[str, bytes], object] = lambda _topic, _payload: None,
        catalog: Mapping[str, DeviceModel] = MODELS,
        speed: float = 1.0,
    ) -> None:
        """``on_alarms`` keeps alarms and opens tickets; ``on_live`` opens those that waited until
        the devices are live; both are asked again with what they raised on. ``speed`` is the
        clock's.

        ``send`` publishes a request to an edge node, at most once.
        """
        self._telemetry, self._bank = telemetry, bank
        self._ward = Ward(records)
        self._news: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._now, self._on_alarms, self._on_live = now, on_alarms, on_live
        self._send = send
        self._intake = Intake(registered, catalog, speed)
        self._pending: tuple[Sequence[Arrival], Sorted] | None = None
        self._untold: list[Alarm] = []
        self._waiting: set[str] = set()
        self._live: set[str] = set()
        self._newest = 0
        self._rows = 0
        self._due_rows = CHECKPOINT_ROWS

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """The conservation ledger of every device."""
        return self._intake.tallies

    @property
    def quarantined(self) -> Mapping[str, int]:
        """How many messages were refused, by reason."""
        return self._intake.quarantined

    @property
    def evicted(self) -> int:
        """How many messages the full quarantine let go since the start."""
        return self._ward.evicted

    def register(self, device: str, registered: Registered) -> None:
        """Take messages of a device that was added after the start, or moved."""
        self._news.put(lambda: self._register(device, registered))

    def forget(self, device: str) -> None:
        """Take no more messages of a device that is no longer registered."""
        self._news.put(lambda: self._intake.forget(device))

    def understand(self, mapped: Iterable[Mapped]) -> None:
        """Understand what devices send as ``mapped`` says, and only that."""
        rows = tuple(mapped)
        self._news.put(lambda: self._intake.understand(rows))

    def _register(self, device: str, registered: Registered) -> None:
        self._intake.register(device, registered)
        self._bank.add(device, registered.model)

    def _catch_up(self) -> None:
        while not self._news.empty():
            self._news.get()()

    def keep(self, arrivals: Sequence[Arrival]) -> Batch:
        """Return the stored batch of what ``arrivals`` came to.

        Raises what the store raises; the same arrivals may then be given again.
        """
        if self._pending is None or self._pending[0] is not arrivals:
            self._catch_up()
            self._pending = (arrivals, self._intake.sort(arrivals, self._now()))
        sorted_ = self._pending[1]
        if sorted_.refused:
            self._ward.admit(sorted_.refused)
            sorted_.refused.clear()
        batch = sorted_.stored or self._store(sorted_)
        if sorted_.again:
            sorted_.stored = batch
            self._ward.settle(list(sorted_.again.values()))
            self._due_rows = 0  # the ledgers are set down at once
        self._untold += sorted_.alarms
        self._pending = None
        return batch

    def _store(self, sorted_: Sorted) -> Batch:
        batch = Batch(sorted_.blocks, sorted_.notes, received_ms=sorted_.now_ms)
        if not batch:
            return batch
        self._newest = self._telemetry.append(batch)
        return replace(batch, id=self._newest)

    def act(self, kept: Batch) -> None:
        """Step the rules over a stored batch and hand on what they say.

        Raises what ``on_alarms`` raises; what it was not told is told with the next batch.
        """
        if kept:
            raised = self._bank.step(kept)
            self._untold += raised
            self._wait(kept, raised)
            self._rows += sum(len(block) for block in kept.blocks)
        if self._untold:
            self._on_alarms(self._untold)
            self._untold.clear()
        if self._live:
            self._on_live(sorted(self._live))
            self._live.clear()
        for topic, payload in self._intake.edges.requests():
            self._send(topic, payload)
        if self._rows >= self._due_rows:
            self.checkpoint()

    def _wait(self, kept: Batch, raised: Sequence[Alarm]) -> None:
        """Let what a backlog raised wait until its device is live, which may be in this batch."""
        self._waiting.update(alarm.device for alarm in raised if alarm.deferred)
        if self._waiting:
            live = self._waiting & live_devices(kept)
            self._live |= live
            self._waiting -= live

    def resume(self) -> int:
        """Continue from the newest checkpoint; return how many batches were replayed."""
        self._catch_up()
        checkpoint = self._telemetry.checkpoint()
        if checkpoint is not None:
            self._restore(checkpoint)
        replayed = 0
        for batch in self._telemetry.batches(self._newest):
            self._untold += self._intake.remember(batch)
            self._newest = batch.id
            self._act_again(batch)
            replayed += 1
        return replayed

    def _act_again(self, batch: Batch) -> None:
        """Act on a stored batch; one that the rules cannot judge must not forbid every start."""
        try:
            self.act(batch)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            log.exception("the rules cannot judge a batch; it stays stored", extra={"id": batch.id})

    def births(self) -> Mapping[str, Any]:
        """Return what each device declared last, for ``set_births``."""
        return self._intake.births()

    def set_births(self, births: Mapping[str, Any]) -> None:
        """Understand devices as they had declared then, those without a birth as catalogued."""
        self._intake.set_births(births)

    def active(self) -> Sequence[Alarm]:
        """Return the alarms that the rules hold raised, and those of clocks that are wrong."""
        return [*self._bank.active(), *self.wrong_clocks()]

    def wrong_clocks(self) -> Sequence[Alarm]:
        """Return the alarms of the devices whose clock is wrong."""
        return self._intake.clocks.active()

    @property
    def not_judged(self) -> int:
        """How many readings came after newer ones of their metric were judged."""
        return self._bank.not_newer

    def rows(self) -> Mapping[str, int]:
        """Return how many rows came in which way."""
        return dict(zip(LATENESS, self._intake.clocks.rows(), strict=True))

    def heard(self, device: str) -> Heard | None:
        """Return how the rows of ``device`` came in time, and what its clock is like."""
        return self._intake.clocks.heard(device)

    def checkpoint(self) -> None:
        """Keep the state of rules and ledgers, so that a restart replays only what follows.

        The next one is due when about as much was written in batches: with thousands of devices
        the state is hundreds of megabytes.
        """
        if self._untold or self._live:
            return
        state = msgspec.msgpack.encode(
            {"bank": self._bank.snapshot(), "intake": self._intake.state()}
        )
        self._rows, self._due_rows = 0, max(CHECKPOINT_ROWS, len(state) // ROW_BYTES)
        self._telemetry.keep_checkpoint(Checkpoint(self._newest, state))

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = msgspec.msgpack.decode(checkpoint.state)
        self._intake.restore(state["intake"])
        self._newest = checkpoint.upto
        try:
            self._bank.restore(state["bank"])
        except UnreadableSnapshot as error:
            log.error("rules start afresh, baselines are learnt again", extra={"why": str(error)})
        self._waiting = {alarm.device for alarm in self._bank.active() if alarm.deferred}


def live_devices(batch: Batch) -> set[str]:
    """Return the devices of which ``batch`` has a reading that came as it was measured."""
    return {
        block.devices[row]
        for block in batch.blocks
        for row in np.flatnonzero(block.lateness == LIVE).tolist()
    }
