"""Stores that fail, and kills between any two writes: no message is lost, every one is counted."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from desk.arrival import Arrival
from desk.quarantine import ask_replay, next_parcel
from storage.interface import Work
from storage.memory import MemoryTelemetry
from storage.records_memory import MemoryRecords
from tests.desk.given_ward import ADMIN, known, taught, ward
from tests.desk.test_ingest import NOW_MS, TOPIC, World

DEVICE = "CHEM-001"


class Failed(OSError):
    """The store says no, before or after it has written."""


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """What happens at each write, the same for the same seed; nothing once ``kind``."""

    def __init__(self, seed: int) -> None:
        self.chance, self.kind = random.Random(seed), False

    def strike(self) -> None:
        if not self.kind and self.chance.random() < 0.04:
            raise Failed if self.chance.random() < 0.5 else Killed


class Telemetry(MemoryTelemetry):
    """Keeps batches and checkpoints as fate allows."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def append(self, batch: Any) -> int:
        self._fate.strike()
        id = super().append(batch)
        self._fate.strike()
        return id

    def keep_checkpoint(self, checkpoint: Any) -> None:
        self._fate.strike()
        super().keep_checkpoint(checkpoint)
        self._fate.strike()


class Records:
    """Keeps records as fate allows."""

    def __init__(self, kept: MemoryRecords, fate: Fate) -> None:
        self._kept, self._fate = kept, fate
        self.read = kept.read

    @contextmanager
    def begin(self) -> Iterator[Work]:
        self._fate.strike()
        with self._kept.begin() as work:
            yield work
        self._fate.strike()


class Life:
    """A collector that is started again after each kill, and what it was sent."""

    def __init__(self, seed: int) -> None:
        _, self.office = ward()
        self.fate = Fate(seed)
        self.telemetry = Telemetry(self.fate)
        self.records = Records(self.office.records, self.fate)
        self.seq = 0
        self.sent: dict[int, dict[str, float]] = {}
        self.begin()

    def begin(self) -> None:
        self.world = World(self.telemetry, self.records)
        known(self.world, self.office)
        try:
            self.world.ingest.resume()
        except (Failed, Killed):
            self.begin()

    def messages(self) -> list[Arrival]:
        """Return new messages, some with names that nobody knows yet, or never will."""
        return [self._message() for _ in range(self.fate.chance.randrange(1, 5))]

    def _message(self) -> Arrival:
        self.seq += self.fate.chance.choice([1, 1, 1, 2])
        at_ms = NOW_MS - 3_600_000 + 1000 * self.seq
        names = self.fate.chance.sample(["wash_vacuum", "temp1", "junk"], 2)
        self.sent[at_ms] = dict.fromkeys(names, 1.0)
        message = {"b": "b", "s": self.seq, "t": at_ms, "m": self.sent[at_ms]}
        return Arrival(DEVICE, TOPIC, json.dumps(message).encode())

    def take(self, arrivals: Sequence[Arrival]) -> bool:
        """Return whether the arrivals were acknowledged; as the committer does it."""
        try:
            kept = None
            while kept is None:
                try:
                    kept = self.world.ingest.keep(arrivals)
                except Failed:
                    continue
        except Killed:
            self.begin()
            return False
        try:
            self.world.ingest.act(kept)
            if self.fate.chance.random() < 0.1:
                self.world.ingest.checkpoint()
        except Failed:
            pass
        except Killed:
            self.begin()
        return True

    def replay(self) -> None:
        """Replay all that was not understood, parcel by parcel, across kills."""
        asked = ask_replay(self.office, ADMIN, reason="unknown_metric")
        while (parcel := next_parcel(self.office, asked.id)) is not None:
            if parcel:
                self.take(parcel)


@pytest.mark.parametrize("seed", range(8))
def test_every_message_is_stored_or_put_aside_through_failures_kills_and_replays(seed: int) -> None:
    life = Life(seed)
    waiting: list[Arrival] = []
    for step in range(120):
        waiting += life.messages()
        if life.take([*waiting]):
            waiting = waiting[-1:] if step % 7 == 0 else []  # an acknowledgement may be lost
        if step == 60:
            taught(life.world, life.office, "metric", "temp1", "reaction_bath_temp", model="CHEM")
        if step % 20 == 19:
            life.replay()
    life.fate.kind = True
    life.take(waiting)
    life.replay()
    life.begin()
    stored = life.telemetry.raw(DEVICE, 0, NOW_MS)
    for sent, metric in (("wash_vacuum", "wash_vacuum"), ("temp1", "reaction_bath_temp")):
        wanted = [at_ms for at_ms, metrics in life.sent.items() if sent in metrics]
        assert stored[metric].at_ms.tolist() == wanted
    left = {one.payload for one in life.world.refused()}
    assert len(left) == sum("junk" in metrics for metrics in life.sent.values())
    tally = life.world.ingest.tallies[DEVICE]
    assert tally.received == tally.stored + tally.duplicate + tally.quarantined
    assert tally.received >= len(life.sent)
