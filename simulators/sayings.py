"""What one device has to say about a span of event time, as addressed wire messages in order."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from equipment.device import Device
from equipment.wire import Address, Birth, Declared, Message, State, Tele
from simulators.analyzer import Row, analyzer
from simulators.faults import Episode
from simulators.occasions import Occasion, maintenance, occasions, repairs

VALUES_PER_MESSAGE = 1200
_FIRMWARE = "1.0.0"


class Said(NamedTuple):
    """A message and its topic; retained ones are remembered by the broker."""

    topic: str
    message: Message
    retained: bool = False

    @property
    def values(self) -> int:
        """How many readings it carries."""
        if not isinstance(self.message, Tele):
            return 0
        return len(self.message.m or ()) + sum(len(row[1]) for row in self.message.r or ())


class Speaker:
    """Turns the signals of ``device`` into messages, numbered within the boot ``boot``."""

    def __init__(self, seed: int, device: Device, boot: str, *, thin_s: float = 0.0) -> None:
        self.device = device
        self.boot = boot
        self.analyzer = analyzer(seed, device.id, device.model)
        self._thin_s = thin_s
        self._next = 0
        self._first_ms: int | None = None
        self._told: set[Episode] = set()

    @property
    def row_every_s(self) -> float:
        """The event time between two rows of readings."""
        return self.analyzer.shortest_period_s(self._thin_s)

    def topic(self, kind: str) -> str:
        """Return the device's topic for messages of ``kind``."""
        return Address(self.device.site, self.device.id, kind).topic

    def birth(self, at_ms: int) -> Said:
        """Return who the device is."""
        model = self.analyzer.model
        metrics = [Declared(m.name, m.unit, max(m.every_s, self._thin_s)) for m in model.metrics]
        birth = Birth(
            1, self.boot, self.device.serial, model.code, metrics,
            maker="Simulated", fw=_FIRMWARE, profile=model.code.lower(), t=at_ms,
        )  # fmt: skip
        return Said(self.topic("birth"), birth, retained=True)

    def state(self, state: str, at_ms: int) -> Said:
        """Return that the device is now ``state``."""
        return Said(self.topic("state"), State(state, self.boot, at_ms), retained=True)

    def readings(
        self, from_ms: int, to_ms: int, episodes: Sequence[Episode], *, historical: bool = False
    ) -> Iterator[Said]:
        """Yield the readings of [from_ms, to_ms): a lone instant as it is, more as batches."""
        rows = self.analyzer.rows(from_ms, to_ms, episodes, self._thin_s)
        for part in _parts(rows):
            yield Said(self.topic("tele"), self._tele(part, historical=historical))

    def remarks(self, from_ms: int, to_ms: int, episodes: Sequence[Episode]) -> Iterator[Said]:
        """Yield control results, errors and maintenance of [from_ms, to_ms).

        A repair that became known late, when its instant was passed, is told then.
        """
        said = occasions(self.analyzer, from_ms, to_ms, episodes, self.boot)
        said += self._maintenance(from_ms, to_ms, episodes)
        for occasion in sorted(said, key=lambda occasion: occasion.at_ms):
            yield Said(self.topic(occasion.kind), self._numbered(occasion))

    def _maintenance(self, from_ms: int, to_ms: int, episodes: Sequence[Episode]) -> list[Occasion]:
        if self._first_ms is None:
            self._first_ms = from_ms
        done = repairs([one for one in episodes if one not in self._told], self._first_ms, to_ms)
        self._told.update(done)
        return [maintenance(episode, self.boot) for episode in done]

    def _tele(self, rows: list[Row], *, historical: bool) -> Tele:
        number = self._number()
        if len(rows) == 1 and not historical:
            at_ms, values = rows[0]
            return Tele(self.boot, number, t=at_ms, m=values)
        return Tele(self.boot, number, h=int(historical), r=rows)

    def _numbered(self, occasion: Occasion) -> Message:
        return msgspec.structs.replace(occasion.message, s=self._number())

    def _number(self) -> int:
        self._next += 1
        return self._next


def _parts(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield ``rows`` in messages of bounded size."""
    part: list[Row] = []
    size = 0
    for row in rows:
        if part and size + len(row[1]) > VALUES_PER_MESSAGE:
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row[1])
    if part:
        yield part
