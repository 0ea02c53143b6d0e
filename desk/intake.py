"""Intake: decides on each arrival - reading, note, duplicate, or refused with a reason."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import astuple

from desk.arrival import Arrival
from equipment.catalog import DeviceModel
from equipment.dialect import Columns, Dialect, dialect
from equipment.quarantine import Quarantined
from equipment.reading import HISTORICAL, LIVE, Block, Note
from equipment.sequence import Tally
from equipment.wire import (
    PAYLOAD_LIMIT,
    Birth,
    Declared,
    Instant,
    MalformedMessage,
    Tele,
    address,
    decode,
    instant_decoder,
)

FUTURE_LIMIT_MS = 24 * 3600 * 1000
PAYLOAD_KEPT = 4096
TOPIC_KEPT, WHY_KEPT = 300, 1000
_TOPICS_CACHED = 200_000
_DIALECTS_CACHED = 1000
_Row = tuple[str, int, str, int, int]  # device, ms UTC, boot, sequence, lateness


class Registered(NamedTuple):
    """A device as the register has it: its model and the site it stands at."""

    model: str
    site: str


@dataclass(slots=True)
class _Speaker:
    """A registered device and how it is understood."""

    device: str
    registered: Registered
    dialect: Dialect
    tally: Tally
    birth: tuple[str, list[Declared]] | None = None
    habit: "_Habit | None" = None


class _Habit(NamedTuple):
    """What a device said last, ready to be read faster when it says the same metrics again."""

    decode: Callable[[bytes], Instant]
    metrics: tuple[str, ...]


class _Topic(NamedTuple):
    """A topic that was understood once: whose it is and what may be said there."""

    speaker: _Speaker
    kind: str


class _Rows(NamedTuple):
    """Rows of one block under construction: all carry the same metrics."""

    values: list[float]
    rows: list[_Row]

    def block(self, metrics: tuple[str, ...]) -> Block:
        devices, at_ms, boots, seqs, lateness = zip(*self.rows, strict=True)
        return Block(
            metrics,
            devices,
            np.array(at_ms, dtype=np.int64),
            np.fromiter(self.values, np.float64, len(self.values)).reshape(len(devices), -1),
            boots,
            np.array(seqs, dtype=np.int64),
            np.array(lateness, dtype=np.int8),
        )


@dataclass(slots=True)
class Sorted:
    """What a list of arrivals came to."""

    now: datetime
    latest_ms: int
    rows: dict[tuple[str, ...], _Rows] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)

    @property
    def now_ms(self) -> int:
        """When they came in, ms UTC."""
        return self.latest_ms - FUTURE_LIMIT_MS

    def block(self, metrics: tuple[str, ...]) -> _Rows:
        """Return where rows with ``metrics`` are collected."""
        rows = self.rows.get(metrics)
        if rows is None:
            rows = self.rows[metrics] = _Rows([], [])
        return rows

    def blocks(self) -> list[Block]:
        """Return the readings, one block for each set of metrics."""
        return [rows.block(metrics) for metrics, rows in self.rows.items()]


class Intake:
    """Knows the registered devices, how each speaks, and what it has said already."""

    def __init__(
        self, registered: Mapping[str, Registered], catalog: Mapping[str, DeviceModel]
    ) -> None:
        self._catalog = catalog
        self._speakers: dict[str, _Speaker] = {}
        self._dialects: dict[tuple[str, tuple[Declared, ...]], Dialect] = {}
        self._topics: dict[str, _Topic] = {}
        self.tallies: dict[str, Tally] = {}
        self.quarantined: dict[str, int] = {}
        for device, record in registered.items():
            self.register(device, record)

    def register(self, device: str, registered: Registered) -> None:
        """Take messages of ``device`` from now on."""
        tally = self.tallies.setdefault(device, Tally())
        spoken = self._dialect(registered.model, ())
        self._speakers[device] = _Speaker(device, registered, spoken, tally)
        self._topics.clear()

    def _dialect(self, model: str, declared: Iterable[Declared]) -> Dialect:
        """Return how a device is understood; devices that declare the same share one answer."""
        key = (model, tuple(declared))
        if key not in self._dialects:
            if len(self._dialects) >= _DIALECTS_CACHED:
                self._dialects.clear()
            self._dialects[key] = dialect(self._catalog[model], key[1])
        return self._dialects[key]

    # -- deciding on one arrival

    def sort(self, arrivals: Sequence[Arrival], now: datetime) -> Sorted:
        """Decide on ``arrivals``; what is decided is remembered, so ask once for each."""
        sorted_ = Sorted(now, int(now.timestamp() * 1000) + FUTURE_LIMIT_MS)
        for arrival in arrivals:
            if self._took_habit(sorted_, arrival):
                continue
            try:
                speaker, kind = self._whose(arrival)
                speaker.tally.received += 1
                message: Any = decode(kind, arrival.payload)
                if kind != "tele":
                    self._take_note(sorted_, arrival, _Topic(speaker, kind), message)
                elif message.r is None:
                    self._take_rows(sorted_, arrival, speaker, message, ((message.t, message.m),))
                else:
                    self._take_rows(sorted_, arrival, speaker, message, message.r)
            except MalformedMessage as error:
                self._refuse(sorted_, arrival, error.reason, str(error))
        return sorted_

    def _took_habit(self, sorted_: Sorted, arrival: Arrival) -> bool:
        """Take the arrival if it is what its device always says, and return whether it was."""
        sender, topic, payload, _ = arrival
        known = self._topics.get(topic)
        if known is None or known.kind != "tele" or len(payload) > PAYLOAD_LIMIT:
            return False
        speaker = known.speaker
        habit, tally = speaker.habit, speaker.tally
        if habit is None or sender not in (None, speaker.device):
            return False
        try:
            message = habit.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if message.t > sorted_.latest_ms:
            return False
        tally.received += 1
        boot, seq = message.b, message.s
        if not tally.is_new(boot, seq):
            tally.duplicate += 1
            arrival.tell("duplicate")
            return True
        tally.stored += 1
        values, rows = sorted_.block(habit.metrics)
        values.extend(astuple(message.m))
        rows.append((speaker.device, message.t, boot, seq, HISTORICAL if message.h else LIVE))
        return True

    def _whose(self, arrival: Arrival) -> _Topic:
        known = self._topics.get(arrival.topic)
        if known is None:
            known = self._understood(arrival)
        if arrival.sender is not None and arrival.sender != known.speaker.device:
            raise MalformedMessage(
                "foreign_topic", f"{arrival.sender} may not publish on {arrival.topic[:200]}"
            )
        return known

    def _understood(self, arrival: Arrival) -> _Topic:
        where = address(arrival.topic)
        speaker = self._speakers.get(where.device)
        if speaker is None:
            raise MalformedMessage("unknown_device", f"device {where.device!r} is not registered")
        if where.site != speaker.registered.site:
            raise MalformedMessage(
                "foreign_topic",
                f"{where.device} stands at site {speaker.registered.site!r}, not {where.site!r}",
            )
        known = _Topic(speaker, where.kind)
        if len(self._topics) < _TOPICS_CACHED:
            self._topics[arrival.topic] = known
        return known

    def _take_rows(
        self, sorted_: Sorted, arrival: Arrival, speaker: _Speaker, message: Tele, rows: Any
    ) -> None:
        boot, seq, lateness = message.b, message.s, HISTORICAL if message.h else LIVE
        device, columns_of = speaker.device, speaker.dialect.columns
        for at_ms, _ in rows:
            if at_ms > sorted_.latest_ms:
                raise _ahead(at_ms, sorted_.latest_ms)
        if not speaker.tally.is_new(boot, seq):
            speaker.tally.duplicate += 1
            arrival.tell("duplicate")
            return
        refused: Mapping[str, str] = {}
        stored = False
        for at_ms, sent in rows:
            columns = columns_of(tuple(sent))
            if columns.refused:
                refused = columns.refused
                if not columns.metrics:
                    continue
            stored = True
            block = sorted_.block(columns.metrics)
            block.values.extend(sent.values() if columns.plain else _converted(sent, columns))
            block.rows.append((device, at_ms, boot, seq, lateness))
            if columns.plain and message.r is None:
                speaker.habit = _Habit(instant_decoder(columns.metrics), columns.metrics)
        speaker.tally.stored += stored or not refused
        for part, (reason, why) in enumerate(refused.items()):
            self._refuse(sorted_, arrival, reason, why, whole=not stored and part == 0)

    def _take_note(self, sorted_: Sorted, arrival: Arrival, known: _Topic, message: Any) -> None:
        speaker, kind = known
        at_ms = getattr(message, "t", 0) or sorted_.now_ms
        if at_ms > sorted_.latest_ms:
            raise _ahead(at_ms, sorted_.latest_ms)
        seq = getattr(message, "s", -1)
        boot = getattr(message, "b", "")
        if seq >= 0 and not speaker.tally.is_new(boot, seq):
            speaker.tally.duplicate += 1
            arrival.tell("duplicate")
            return
        speaker.tally.stored += 1
        if isinstance(message, Birth):
            self._learn(speaker, message.b, message.metrics)
            for reason in sorted({reason for reason, _ in speaker.dialect.refused.values()}):
                whys = [why for r, why in speaker.dialect.refused.values() if r == reason]
                self._refuse(sorted_, arrival, reason, f"birth: {'; '.join(whys)}", whole=False)
        body = msgspec.to_builtins(message)
        sorted_.notes.append(Note(speaker.device, kind, at_ms, boot, seq, body))

    def _learn(self, speaker: _Speaker, boot: str, declared: list[Declared]) -> None:
        speaker.birth, speaker.habit = (boot, declared), None
        speaker.dialect = self._dialect(speaker.registered.model, declared)

    def _refuse(
        self, sorted_: Sorted, arrival: Arrival, reason: str, why: str, *, whole: bool = True
    ) -> None:
        """Put the arrival aside; ``whole`` when nothing of it was stored."""
        at = sorted_.now
        digest = hashlib.sha256(
            arrival.topic.encode(errors="replace") + b"\0" + arrival.payload
        ).hexdigest()[:12]
        refused = Quarantined(
            id=f"{int(at.timestamp() * 1000):013d}-{len(sorted_.refused):05d}-{digest}",
            at=at,
            reason=reason,
            why=_kept(why, WHY_KEPT),
            topic=_kept(arrival.topic, TOPIC_KEPT),
            sender=arrival.sender,
            payload=arrival.payload[:PAYLOAD_KEPT],
            size=len(arrival.payload),
        )
        sorted_.refused.append(refused)
        arrival.tell("quarantined" if whole else "stored", reason, refused.why)
        self.quarantined[reason] = self.quarantined.get(reason, 0) + 1
        known = self._topics.get(arrival.topic)
        if whole and known is not None and arrival.sender in (None, known.speaker.device):
            known.speaker.tally.quarantined += 1

    # -- restart

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` needs."""
        return {
            "tallies": {device: tally.state() for device, tally in self.tallies.items()},
            "births": self.births(),
            "quarantined": self.quarantined,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``; devices that are no longer registered are left out."""
        self.quarantined = dict(state["quarantined"])
        for device, tally in state["tallies"].items():
            self._set_tally(device, Tally.restored(tally))
        self.set_births(state["births"])

    def births(self) -> dict[str, tuple[str, list[Declared]]]:
        """Return the boot and the metrics that each device declared last."""
        return {s.device: s.birth for s in self._speakers.values() if s.birth}

    def set_births(self, births: Mapping[str, Any]) -> None:
        """Understand every device as it declared in ``births``, without one as catalogued."""
        for device, speaker in self._speakers.items():
            boot, declared = births.get(device, ("", []))
            self._learn(speaker, boot, msgspec.convert(declared, list[Declared]))
            speaker.birth = speaker.birth if device in births else None

    def _set_tally(self, device: str, tally: Tally) -> None:
        self.tallies[device] = tally
        if device in self._speakers:
            self._speakers[device].tally = tally

    def remember(self, blocks: Iterable[Block], notes: Iterable[Note]) -> None:
        """Take up what ``sort`` had learnt from a batch before the process ended."""
        for block in blocks:
            for device, boot, seq in zip(block.devices, block.boots, block.seqs, strict=True):
                self._count_again(device, boot, int(seq))
        for note in notes:
            self._count_again(note.device, note.boot, note.seq)
            if note.kind == "birth" and note.device in self._speakers:
                birth = msgspec.convert(note.body, Birth)
                self._learn(self._speakers[note.device], birth.b, birth.metrics)

    def _count_again(self, device: str, boot: str, seq: int) -> None:
        tally = self.tallies.setdefault(device, Tally())
        if seq < 0 or tally.is_new(boot, seq):
            tally.received += 1
            tally.stored += 1


def _converted(sent: Mapping[str, float], columns: Columns) -> list[float]:
    """Return the values that are kept of ``sent``, in the catalogue's units."""
    numbers = list(sent.values())
    if columns.picks is not None:
        numbers = [numbers[place] for place in columns.picks]
    if columns.factor is not None and columns.offset is not None:
        numbers = (np.array(numbers) * columns.factor + columns.offset).tolist()
    return numbers


def _kept(text: str, longest: int) -> str:
    """Return ``text`` as every store takes it: not too long, no lone surrogates, no NUL."""
    cut = text if len(text) <= longest else f"{text[: longest - 3]}..."
    return cut.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def _ahead(at_ms: int, latest_ms: int) -> MalformedMessage:
    ahead_h = (at_ms - latest_ms + FUTURE_LIMIT_MS) / 3_600_000
    return MalformedMessage(
        "future_time", f"time is {ahead_h:.1f} h ahead of ours, limit 24 h - at `$.t`"
    )
