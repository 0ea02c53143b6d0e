"""A message becomes a reading, perhaps alarms.

``Ingest.keep`` decides on each arrival - reading, note, duplicate or quarantined - and returns
once all of it is durable, so that the listener may acknowledge. ``Ingest.act`` then steps the
rules. Everything behind ``keep`` may crash and repeat: a restart replays the batches after the
newest checkpoint and comes to the same alarms.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from equipment.catalog import MODELS, DeviceModel
from equipment.dialect import Columns, Dialect, dialect
from equipment.quarantine import Quarantined
from equipment.reading import Batch, Block, Note
from equipment.sequence import Tally
from equipment.wire import Birth, Declared, MalformedMessage, address, decode
from health.alarm import Alarm
from health.bank import Bank
from storage.interface import Checkpoint, Records, Telemetry

log = logging.getLogger(__name__)

FUTURE_LIMIT_MS = 24 * 3600 * 1000
PAYLOAD_KEPT = 4096
QUARANTINE_KEPT = 100_000
CHECKPOINT_ROWS = 100_000
_TOPICS_CACHED = 200_000


class Arrival(NamedTuple):
    """One message as it came in.

    ``sender`` is the device its connection authenticated as, None for a connection that may speak
    for every device (a broker that checked the topic, a replayed file).
    """

    sender: str | None
    topic: str
    payload: bytes
    retained: bool = False


class Sink(Protocol):
    """Where arrivals go. Both methods are called from one thread only."""

    def keep(self, arrivals: Sequence[Arrival]) -> Any:
        """Return when every arrival is durable; raise when none may be acknowledged yet."""
        ...

    def act(self, kept: Any) -> None:
        """Do what follows from what ``keep`` returned, after the acknowledgements went out."""
        ...


class _Known(NamedTuple):
    """A topic that was understood once: whose it is and what may be said there."""

    device: str
    kind: str


@dataclass(slots=True)
class _Rows:
    """Rows of one block under construction: all carry the same metrics."""

    devices: list[str] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    boots: list[str] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    historical: list[bool] = field(default_factory=list)

    def block(self, metrics: tuple[str, ...]) -> Block:
        return Block(
            metrics,
            self.devices,
            np.array(self.at_ms, dtype=np.int64),
            np.array(self.values, dtype=np.float64).reshape(len(self.devices), len(metrics)),
            self.boots,
            np.array(self.seqs, dtype=np.int64),
            np.array(self.historical, dtype=np.bool_),
        )


@dataclass(slots=True)
class _Prepared:
    """What a list of arrivals came to, before it is stored."""

    now: datetime
    latest_ms: int
    rows: dict[tuple[str, ...], _Rows] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)


class Ingest:
    """Keeps what devices say, and steps the rules on it. Used from one thread."""

    def __init__(
        self,
        telemetry: Telemetry,
        records: Records,
        bank: Bank,
        *,
        models: Mapping[str, str],
        now: Callable[[], datetime],
        on_alarms: Callable[[Sequence[Alarm]], object],
        catalog: Mapping[str, DeviceModel] = MODELS,
    ) -> None:
        """``models`` is the register: device id -> model code. ``on_alarms`` opens tickets."""
        self._telemetry, self._records, self._bank = telemetry, records, bank
        self._catalog = catalog
        self._now, self._on_alarms = now, on_alarms
        self._plain = {code: dialect(model) for code, model in self._catalog.items()}
        self._models = dict(models)
        self._dialects: dict[str, Dialect] = {d: self._plain[m] for d, m in models.items()}
        self._births: dict[str, tuple[str, list[Declared]]] = {}
        self._topics: dict[str, _Known] = {}
        self.tallies: dict[str, Tally] = {d: Tally() for d in models}
        self.quarantined: dict[str, int] = {}
        self._pending: tuple[Sequence[Arrival], _Prepared] | None = None
        self._newest = 0
        self._rows = 0

    def register(self, device: str, model: str) -> None:
        """Take messages of a device that was added after the start."""
        self._models[device] = model
        self._dialects[device] = self._plain[model]
        self.tallies.setdefault(device, Tally())
        self._bank.add(device, model)

    def keep(self, arrivals: Sequence[Arrival]) -> Batch:
        """Return the stored batch of what ``arrivals`` came to.

        Raises what the store raises; the same arrivals may then be given again.
        """
        if self._pending is None or self._pending[0] is not arrivals:
            self._pending = (arrivals, self._prepare(arrivals))
        prepared = self._pending[1]
        if prepared.refused:
            self._quarantine(prepared.refused)
            prepared.refused.clear()
        batch = Batch([r.block(m) for m, r in prepared.rows.items()], prepared.notes)
        if batch:
            batch = Batch(batch.blocks, batch.notes, self._telemetry.append(batch))
            self._newest = batch.id
        self._pending = None
        return batch

    def act(self, kept: Batch) -> None:
        """Step the rules over a stored batch and hand on what they say."""
        if not kept:
            return
        alarms = self._bank.step(kept)
        if alarms:
            self._on_alarms(alarms)
        self._rows += sum(len(block) for block in kept.blocks)
        if self._rows >= CHECKPOINT_ROWS:
            self.checkpoint()

    def resume(self) -> int:
        """Continue from the newest checkpoint; return how many batches were replayed."""
        checkpoint = self._telemetry.checkpoint()
        if checkpoint is not None:
            self._restore(checkpoint)
        replayed = 0
        for batch in self._telemetry.batches(self._newest):
            self._remember(batch)
            self.act(batch)
            self._newest = batch.id
            replayed += 1
        return replayed

    def checkpoint(self) -> None:
        """Keep the state of rules and ledgers, so that a restart replays only what follows."""
        state = {
            "bank": self._bank.snapshot(),
            "tallies": {d: t.state() for d, t in self.tallies.items()},
            "births": self._births,
            "quarantined": self.quarantined,
        }
        kept = Checkpoint(self._newest, msgspec.msgpack.encode(state))
        self._telemetry.keep_checkpoint(kept)
        self._rows = 0

    # -- deciding on one arrival

    def _prepare(self, arrivals: Sequence[Arrival]) -> _Prepared:
        now = self._now()
        prepared = _Prepared(now, int(now.timestamp() * 1000) + FUTURE_LIMIT_MS)
        for arrival in arrivals:
            try:
                device, kind = self._whose(arrival)
                self.tallies[device].received += 1
                message = decode(kind, arrival.payload)
                if kind == "tele":
                    self._take_tele(prepared, arrival, device, message)
                else:
                    self._take_note(prepared, arrival, _Known(device, kind), message)
            except MalformedMessage as error:
                self._refuse(prepared, arrival, error.reason, str(error))
        return prepared

    def _whose(self, arrival: Arrival) -> _Known:
        known = self._topics.get(arrival.topic)
        if known is None:
            where = address(arrival.topic)
            known = _Known(where.device, where.kind)
        if arrival.sender is not None and arrival.sender != known.device:
            raise MalformedMessage(
                "foreign_topic", f"{arrival.sender} may not publish on {arrival.topic[:200]}"
            )
        if known.device not in self._models:
            raise MalformedMessage("unknown_device", f"device {known.device!r} is not registered")
        if len(self._topics) < _TOPICS_CACHED:
            self._topics[arrival.topic] = known
        return known

    def _take_tele(self, prepared: _Prepared, arrival: Arrival, device: str, message: Any) -> None:
        rows = ((message.t, message.m),) if message.r is None else message.r
        for at_ms, _ in rows:
            _check_time(at_ms, prepared.latest_ms)
        tally = self.tallies[device]
        if not tally.is_new(message.b, message.s):
            tally.duplicate += 1
            return
        speaks, boot, seq, historical = self._dialects[device], message.b, message.s, message.h != 0
        refused: Mapping[str, str] = {}
        stored = False
        for at_ms, sent in rows:
            columns = speaks.columns(tuple(sent))
            refused = columns.refused or refused
            if not columns.metrics:
                continue
            stored = True
            block = prepared.rows.get(columns.metrics)
            if block is None:
                block = prepared.rows[columns.metrics] = _Rows()
            block.values.extend(sent.values() if columns.plain else _converted(sent, columns))
            block.devices.append(device)
            block.at_ms.append(at_ms)
            block.boots.append(boot)
            block.seqs.append(seq)
            block.historical.append(historical)
        tally.stored += stored or not refused
        for part, (reason, why) in enumerate(refused.items()):
            self._refuse(prepared, arrival, reason, why, whole=not stored and part == 0)

    def _take_note(
        self, prepared: _Prepared, arrival: Arrival, known: _Known, message: Any
    ) -> None:
        device, kind = known
        at_ms = getattr(message, "t", 0) or prepared.latest_ms - FUTURE_LIMIT_MS
        _check_time(at_ms, prepared.latest_ms)
        seq = getattr(message, "s", -1)
        boot = getattr(message, "b", "")
        tally = self.tallies[device]
        if seq >= 0 and not tally.is_new(boot, seq):
            tally.duplicate += 1
            return
        tally.stored += 1
        if isinstance(message, Birth):
            self._learn(device, message.b, message.metrics)
            for reason, why in self._dialects[device].refused.values():
                self._refuse(prepared, arrival, reason, f"birth: {why}", whole=False)
        prepared.notes.append(Note(device, kind, at_ms, boot, seq, msgspec.to_builtins(message)))

    def _learn(self, device: str, boot: str, declared: list[Declared]) -> None:
        model = self._catalog[self._models[device]]
        self._births[device] = (boot, declared)
        self._dialects[device] = dialect(model, declared)

    # -- what was refused

    def _refuse(
        self, prepared: _Prepared, arrival: Arrival, reason: str, why: str, *, whole: bool = True
    ) -> None:
        """Put the arrival aside; ``whole`` when nothing of it was stored."""
        at = prepared.now
        digest = hashlib.sha256(arrival.topic.encode() + b"\0" + arrival.payload).hexdigest()[:12]
        id = f"{int(at.timestamp() * 1000):013d}-{len(prepared.refused):05d}-{digest}"
        refused = Quarantined(
            id=id,
            at=at,
            reason=reason,
            why=why,
            topic=arrival.topic[:300],
            sender=arrival.sender,
            payload=arrival.payload[:PAYLOAD_KEPT],
            size=len(arrival.payload),
        )
        prepared.refused.append(refused)
        self.quarantined[reason] = self.quarantined.get(reason, 0) + 1
        known = self._topics.get(arrival.topic)
        if whole and known is not None and arrival.sender in (None, known.device):
            self.tallies[known.device].quarantined += 1

    def _quarantine(self, refused: Sequence[Quarantined]) -> None:
        with self._records.begin() as work:
            shelf = work.shelf(Quarantined)
            for one in refused:
                shelf.put(one)
            for old in shelf.find(limit=max(0, shelf.count() - QUARANTINE_KEPT)):
                shelf.remove(old.id)
        for reason in sorted({one.reason for one in refused}):
            first = next(one for one in refused if one.reason == reason)
            log.warning(
                "message quarantined",
                extra={"reason": reason, "topic": first.topic, "why": first.why},
            )

    # -- restart

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = msgspec.msgpack.decode(checkpoint.state)
        self._bank.restore(state["bank"])
        self.tallies.update({d: Tally.restored(t) for d, t in state["tallies"].items()})
        self.quarantined = state["quarantined"]
        for device, (boot, declared) in state["births"].items():
            if device in self._models:
                self._learn(device, boot, msgspec.convert(declared, list[Declared]))
        self._newest = checkpoint.upto

    def _remember(self, batch: Batch) -> None:
        """Take up what ``keep`` had learnt from a batch before the process ended."""
        for block in batch.blocks:
            for device, boot, seq in zip(block.devices, block.boots, block.seqs, strict=True):
                self._count_again(device, boot, int(seq))
        for note in batch.notes:
            self._count_again(note.device, note.boot, note.seq)
            if note.kind == "birth":
                birth = msgspec.convert(note.body, Birth)
                self._learn(note.device, birth.b, birth.metrics)

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


def _check_time(at_ms: int, latest_ms: int) -> None:
    if at_ms > latest_ms:
        ahead_h = (at_ms - latest_ms + FUTURE_LIMIT_MS) / 3_600_000
        raise MalformedMessage(
            "future_time", f"time is {ahead_h:.1f} h ahead of ours, limit 24 h - at `$.t`"
        )
