"""Builders: an edge node that speaks Sparkplug B, and the desk that hears it."""

from collections.abc import Iterator, Sequence
from typing import Any

from desk.arrival import Arrival
from desk.ingest import Ingest
from desk.intake import Registered
from equipment.quarantine import Quarantined
from health.bank import Bank
from health.profile import SHIPPED
from storage.memory import MemoryTelemetry
from storage.records_memory import MemoryRecords
from tests.equipment import given_sparkplug as sp
from tests.given import NOW

NOW_MS = int(NOW.timestamp() * 1000)
BORN_MS = NOW_MS - 60_000
MODELS = {"CHEM-001": "CHEM", "CHEM-002": "CHEM", "EDGE-1": "CHEM"}
VACUUM, LAMP, DOOR = 1, 2, 3
DECLARED = (
    sp.metric("wash_vacuum", -70.0, alias=VACUUM, unit="kPa"),
    sp.metric("lamp_on_time", 10, sp.INT32, alias=LAMP),
    sp.metric("serial", "C7", sp.STRING, alias=9),
    sp.metric("Device Control/Reboot", False, sp.BOOLEAN, alias=10),
)


class World:
    """An ingest over memory stores, as after a restart when it is given old stores."""

    def __init__(self, telemetry: Any = None, records: Any = None) -> None:
        self.telemetry = telemetry or MemoryTelemetry()
        self.records = records or MemoryRecords()
        self.now_ms = NOW_MS
        self.sent: list[tuple[str, bytes]] = []
        self.ingest = Ingest(
            self.telemetry,
            self.records,
            Bank(SHIPPED, MODELS),
            registered={device: Registered(model, "S001") for device, model in MODELS.items()},
            now=lambda: NOW,
            on_alarms=lambda _alarms: None,
            send=lambda topic, payload: self.sent.append((topic, payload)),
        )

    def hear(self, *arrivals: Arrival) -> None:
        self.ingest.act(self.ingest.keep(list(arrivals)))

    def restarted(self) -> "World":
        """Return what a new process finds that knows only what is stored."""
        again = World(self.telemetry, self.records)
        again.ingest.resume()
        return again

    def values(self, device: str = "CHEM-001", metric: str = "wash_vacuum") -> dict[int, float]:
        """Return what is stored, as ms since BORN_MS -> value."""
        series = self.telemetry.raw(device, 0, NOW_MS + 10**9).get(metric)
        if series is None:
            return {}
        return {int(t) - BORN_MS: v for t, v in zip(series.at_ms, series.values, strict=True)}

    def refused(self) -> list[tuple[str, str]]:
        with self.records.read() as work:
            return [(one.reason, one.why) for one in work.shelf(Quarantined).find()]

    def states(self, device: str = "CHEM-001") -> list[str]:
        notes = self.telemetry.notes(device, 0, NOW_MS + 10**9, ("state",))
        return [note.body["state"] for note in notes]

    def tally(self, device: str = "CHEM-001") -> tuple[int, int, int, int]:
        tally = self.ingest.tallies[device]
        return tally.received, tally.stored, tally.duplicate, tally.quarantined


class Edge:
    """An edge node: it numbers its payloads 0..255, as the specification says."""

    def __init__(self, name: str = "GW-1", *, bd: int = 0, group: str = "S001") -> None:
        self.name, self.bd, self.group = name, bd, group
        self.seq = 0
        self.born_ms = BORN_MS

    def _arrival(self, kind: str, device: str, payload: bytes) -> Arrival:
        topic = f"spBv1.0/{self.group}/{kind}/{self.name}" + f"/{device}" * bool(device)
        return Arrival(None, topic, payload)

    def _number(self) -> int:
        self.seq = (self.seq + 1) % 256
        return (self.seq - 1) % 256

    def birth(self, *metrics: bytes, born_ms: int | None = None) -> Arrival:
        """Return an NBIRTH; the numbers begin again."""
        self.seq, self.born_ms = 0, born_ms or self.born_ms
        bd = sp.metric("bdSeq", self.bd, sp.INT64)
        data = sp.payload(bd, *metrics, at_ms=self.born_ms, seq=self._number())
        return self._arrival("NBIRTH", "", data)

    def device_birth(
        self, device: str = "CHEM-001", metrics: Sequence[bytes] = DECLARED
    ) -> Arrival:
        data = sp.payload(*metrics, at_ms=self.born_ms, seq=self._number())
        return self._arrival("DBIRTH", device, data)

    def data(self, after_ms: int, *metrics: bytes, device: str = "CHEM-001") -> Arrival:
        """Return data sent so long after the birth; one reading of the vacuum if none is given."""
        some = metrics or (sp.metric(alias=VACUUM, value=-after_ms / 1000, typed=False),)
        data = sp.payload(*some, at_ms=self.born_ms + after_ms, seq=self._number())
        return self._arrival("DDATA" if device else "NDATA", device, data)

    def device_death(self, device: str = "CHEM-001", after_ms: int = 0) -> Arrival:
        data = sp.payload(at_ms=self.born_ms + after_ms, seq=self._number())
        return self._arrival("DDEATH", device, data)

    def death(self, bd: int | None = None) -> Arrival:
        """Return the NDEATH that was left with the broker at the connection's start."""
        metric = sp.metric("bdSeq", self.bd if bd is None else bd, sp.INT64)
        return self._arrival("NDEATH", "", sp.payload(metric, at_ms=self.born_ms))

    def lose(self, count: int) -> None:
        """Say something that nobody hears."""
        self.seq = (self.seq + count) % 256

    def run(self, start_ms: int, count: int) -> Iterator[Arrival]:
        """Yield data, one reading every 10 ms."""
        for n in range(count):
            yield self.data(start_ms + 10 * n)
