"""Intake: decides on each arrival - reading, note, duplicate, or refused with a reason."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import astuple

from desk.arrival import Arrival, What
from desk.edges import DECLARED, Edges
from desk.sorted import FUTURE_LIMIT_MS, Decided, Sorted
from equipment.catalog import DeviceModel
from equipment.dialect import Dialect, dialect
from equipment.lateness import tolerance
from equipment.mapped import Mapped, of_device, of_ids
from equipment.quarantine import Quarantined
from equipment.reading import Batch, Block, Codes, Ints, Note
from equipment.sequence import Tally, take_up
from equipment.sparkplug import is_sparkplug
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
from health.alarm import Alarm
from health.clocks import Clocks
from health.table import Picks

log = logging.getLogger(__name__)

TOPIC_KEPT, WHY_KEPT = 300, 1000
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_TOPICS_CACHED = 200_000
_DIALECTS_CACHED = 1000
Heard = tuple[Picks, Ints, Codes]  # clock, ms UTC, lateness of each row
_Spoken = tuple[str, tuple[Declared, ...], tuple[Mapped, ...]]


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
    mark: int  # twice the number of its clock: one more for a row that is history
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


class Intake:
    """Knows the registered devices, how each speaks, and what it has said already."""

    def __init__(
        self,
        registered: Mapping[str, Registered],
        catalog: Mapping[str, DeviceModel],
        speed: float = 1.0,
    ) -> None:
        self._catalog, self._speed = catalog, speed
        self.clocks = Clocks(speed)
        self._speakers: dict[str, _Speaker] = {}
        self._dialects: dict[_Spoken, Dialect] = {}
        self._mapped: tuple[Mapped, ...] = ()
        self._devices: dict[str, str] = {}
        self._sites: dict[str, str] = {}
        self._topics: dict[str, _Topic] = {}
        self._fluent: dict[str, _Speaker] = {}  # of the topics of readings
        self.tallies: dict[str, Tally] = {}
        self.quarantined: dict[str, int] = {}
        self.edges = Edges(self._stands)
        for device, record in registered.items():
            self.register(device, record)

    def register(self, device: str, registered: Registered) -> None:
        """Take messages of ``device`` from now on; what it declared at birth stays known."""
        tally = self.tallies.setdefault(device, Tally())
        before = self._speakers.get(device)
        spoken = self._dialect(device, registered.model, ())
        mark = 2 * self.clocks.add(device, tolerance(spoken.period_s, self._speed))
        speaker = self._speakers[device] = _Speaker(device, registered, spoken, tally, mark)
        if before is not None:
            self._learn(speaker, before.birth)
        self._forget_topics()

    def forget(self, device: str) -> None:
        """Take no more messages of ``device``; its ledger stays."""
        self._speakers.pop(device, None)
        self._forget_topics()

    def _forget_topics(self) -> None:
        self._topics.clear()
        self._fluent.clear()

    def understand(self, mapped: Iterable[Mapped]) -> None:
        """Understand from now on what devices send as ``mapped`` says, and only that."""
        self._mapped = tuple(mapped)
        self._devices, self._sites = (of_ids(self._mapped, kind) for kind in ("device", "site"))
        for speaker in self._speakers.values():
            self._learn(speaker, speaker.birth)
        self._forget_topics()

    def _dialect(self, device: str, model: str, declared: Iterable[Declared]) -> Dialect:
        """Return how a device is understood; devices that declare the same share one answer."""
        mapped = of_device(self._mapped, device, model) if self._mapped else ()
        key = (model, tuple(declared), mapped)
        if key not in self._dialects:
            if len(self._dialects) >= _DIALECTS_CACHED:
                self._dialects.clear()
            self._dialects[key] = dialect(self._catalog[model], key[1], mapped)
        return self._dialects[key]

    # -- deciding on one arrival

    def sort(self, arrivals: Sequence[Arrival], now: datetime) -> Sorted:
        """Decide on ``arrivals``; what is decided is remembered, so ask once for each."""
        sorted_ = Sorted(now, _ms(now) + FUTURE_LIMIT_MS)
        for arrival in arrivals:
            try:
                if not self._took_habit(sorted_, arrival):
                    self._decide(sorted_, arrival)
            except _UNFORESEEN as error:  # one message must not stop all that come after it
                log.exception("a message could not be decided on", extra={"topic": arrival.topic})
                why = {"unforeseen": f"{type(error).__name__}: {error}"}
                self._refuse(sorted_, arrival, why, "numbered")
        self._finish(sorted_)
        return sorted_

    def _finish(self, sorted_: Sorted) -> None:
        """Make blocks of the rows, and say of each how it came in time."""
        heard = []
        for metrics, rows in sorted_.rows.items():
            block, numbers = rows.block(metrics, self.clocks, sorted_.now_ms)
            sorted_.blocks.append(block)
            heard.append((numbers, block.at_ms, block.lateness))
        sorted_.alarms += self.clocks.far(sorted_.far, sorted_.now_ms)
        sorted_.alarms += self._hear(heard, sorted_.now_ms)

    def _hear(self, heard: Sequence[Heard], now_ms: int) -> list[Alarm]:
        if not heard:
            return []
        if len(heard) == 1:
            return self.clocks.hear(*heard[0], now_ms)
        numbers, at_ms, codes = (np.concatenate(parts) for parts in zip(*heard, strict=True))
        return self.clocks.hear(numbers, at_ms, codes, now_ms)

    def _decide(self, sorted_: Sorted, arrival: Arrival) -> None:
        again = arrival.again
        if again is not None:  # stored, unless it says otherwise below
            sorted_.again[again.id] = Decided(again, "stored")
        read = self._hear_edge if is_sparkplug(arrival.topic) else self._take
        try:
            read(sorted_, arrival)
        except MalformedMessage as error:
            self._refuse(sorted_, arrival, {error.reason: str(error)}, "refused")

    def _take(self, sorted_: Sorted, arrival: Arrival) -> None:
        """Take a message of our own format. Raises MalformedMessage."""
        speaker, kind = self._whose(arrival)
        speaker.tally.receive(arrival.again.ledger if arrival.again else "")
        message: Any = decode(kind, arrival.payload)
        if kind != "tele":
            self._take_note(sorted_, arrival, _Topic(speaker, kind), message)
        elif message.r is None:
            self._take_rows(sorted_, arrival, speaker, message, ((message.t, message.m),))
        else:
            self._take_rows(sorted_, arrival, speaker, message, message.r)

    def _hear_edge(self, sorted_: Sorted, arrival: Arrival) -> None:
        """Take what a payload of Sparkplug comes to, each by itself. Raises MalformedMessage."""
        heard = self.edges.hear(arrival, sorted_.now_ms)
        sorted_.notes += heard.notes
        for one in heard.arrivals:
            if not self._took_habit(sorted_, one):
                self._decide(sorted_, one)
        if heard.problems:
            self._refuse(sorted_, arrival, heard.problems, "part")

    def _stands(self, device: str, site: str) -> bool | None:
        speaker = self._speakers.get(self._devices.get(device, device))
        if speaker is None:
            return None
        return self._sites.get(site, site) == speaker.registered.site

    def _run(
        self, sorted_: Sorted, arrival: Arrival, speaker: _Speaker,
        key: tuple[str, int], at_ms: tuple[int, int],
    ) -> str:  # fmt: skip
        """Return the boot a message with ``key`` counts under; a repeated one is counted: "".

        ``at_ms`` is the first and the last instant it names. One out of quarantine, whose number
        was taken when it was refused, completes itself.
        """
        tally, again = speaker.tally, arrival.again
        if tally.is_new(*key) or (again and again.ledger in ("numbered", "part")):
            return key[0]
        known_ms = self.clocks.newest_ms(speaker.mark >> 1)
        run = tally.run(*key, at_ms, max(known_ms, sorted_.newest_ms(speaker.device)))
        if run is not None:
            return run
        tally.duplicate += 1
        arrival.tell("duplicate")
        if again:
            sorted_.again[again.id] = Decided(again, "duplicate")
        return ""

    def _took_habit(self, sorted_: Sorted, arrival: Arrival) -> bool:
        """Take the arrival if it is what its device always says, and return whether it was."""
        sender, topic, payload, _, again = arrival
        speaker = self._fluent.get(topic)
        if speaker is None or again or len(payload) > PAYLOAD_LIMIT:
            return False
        habit, tally, device = speaker.habit, speaker.tally, speaker.device
        if habit is None or (sender is not None and sender != device):
            return False
        try:
            message = habit.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        at_ms, boot, seq = message.t, message.b, message.s
        if at_ms > sorted_.latest_ms:
            return False
        tally.received += 1
        seen = tally.boots.get(boot)
        if seen is not None and seq == seen.high + 1:  # the usual case, without another call
            seen.high = seq
        elif not tally.is_new(boot, seq):  # asking again, in ``_run``, changes nothing
            boot = self._run(sorted_, arrival, speaker, (boot, seq), (at_ms, at_ms))
            if not boot:
                return True
        tally.stored += 1
        pack, values, rows = sorted_.block(habit.metrics)
        values.append(pack(*astuple(message.m)))
        rows.append((device, at_ms, boot, seq, speaker.mark + (message.h != 0)))
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
        speaker = self._speakers.get(self._devices.get(where.device, where.device))
        if speaker is None:
            raise MalformedMessage("unknown_device", f"device {where.device!r} is not registered")
        if self._sites.get(where.site, where.site) != speaker.registered.site:
            raise MalformedMessage(
                "foreign_topic",
                f"{speaker.device} stands at site {speaker.registered.site!r}, not {where.site!r}",
            )
        known = _Topic(speaker, where.kind)
        if len(self._topics) < _TOPICS_CACHED:
            self._topics[arrival.topic] = known
            if where.kind == "tele":
                self._fluent[arrival.topic] = speaker
        return known

    def _take_rows(
        self, sorted_: Sorted, arrival: Arrival, speaker: _Speaker, message: Tele, rows: Any
    ) -> None:
        seq, mark = message.s, speaker.mark + (message.h != 0)
        device, columns_of = speaker.device, speaker.dialect.columns
        times = [at_ms for at_ms, _ in rows] or [0]
        _check_time(sorted_, arrival, speaker, max(times))
        boot = self._run(sorted_, arrival, speaker, (message.b, seq), (min(times), max(times)))
        if not boot:
            return
        refused: dict[str, str] = {}
        stored = False
        for at_ms, sent in rows:
            columns = columns_of(tuple(sent))
            if columns.refused:
                refused.update(columns.refused)
                if not columns.metrics:
                    continue
            stored = True
            block = sorted_.block(columns.metrics)
            values = sent.values() if columns.plain else columns.values(sent)
            block.values.append(block.pack(*values))
            block.rows.append((device, at_ms, boot, seq, mark))
            if columns.plain and message.r is None:
                speaker.habit = _Habit(instant_decoder(tuple(sent)), columns.metrics)
        speaker.tally.stored += stored or not refused
        if refused:
            self._refuse(sorted_, arrival, refused, "part" if stored else "numbered")

    def _take_note(self, sorted_: Sorted, arrival: Arrival, known: _Topic, message: Any) -> None:
        speaker, kind = known
        at_ms = getattr(message, "t", 0) or _latest_ms(sorted_, arrival) - FUTURE_LIMIT_MS
        _check_time(sorted_, arrival, speaker, at_ms)
        seq, boot = getattr(message, "s", -1), getattr(message, "b", "")
        if seq >= 0:
            boot = self._run(sorted_, arrival, speaker, (boot, seq), (at_ms, at_ms))
            if not boot:
                return
        self.clocks.named(speaker.mark >> 1, at_ms)
        if isinstance(message, Birth):
            self._take_birth(sorted_, arrival, speaker, message)
        body = msgspec.to_builtins(message)
        at_ms = self.clocks.believed(speaker.mark >> 1, at_ms, sorted_.now_ms)
        sorted_.notes.append(Note(speaker.device, kind, at_ms, boot, seq, body))
        speaker.tally.stored += 1

    def _take_birth(
        self, sorted_: Sorted, arrival: Arrival, speaker: _Speaker, birth: Birth
    ) -> None:
        """Learn what is declared, unless it comes out of quarantine and others came since."""
        spoken = self._dialect(speaker.device, speaker.registered.model, birth.metrics)
        if arrival.again is None or speaker.birth is None or speaker.birth[0] == birth.b:
            self._learn(speaker, (birth.b, birth.metrics))
        refused: dict[str, str] = {}
        for reason, why in spoken.refused.values():
            refused[reason] = f"{refused[reason]}; {why}" if reason in refused else f"birth: {why}"
        if refused:
            self._refuse(sorted_, arrival, refused, "part")

    def _learn(self, speaker: _Speaker, birth: tuple[str, list[Declared]] | None) -> None:
        """Understand the speaker by what it declared at birth, None for nothing yet."""
        speaker.birth, speaker.habit = birth, None
        declared = birth[1] if birth else ()
        speaker.dialect = self._dialect(speaker.device, speaker.registered.model, declared)
        self.clocks.add(speaker.device, tolerance(speaker.dialect.period_s, self._speed))

    def _refuse(
        self, sorted_: Sorted, arrival: Arrival, whys: Mapping[str, str], ledger: str
    ) -> None:
        """Put the arrival aside, once, for every reason that ``whys`` has.

        ``ledger`` is how the device's ledger has it, if it is the device's own message.
        """
        again = arrival.again
        at = again.at if again else sorted_.now
        known = self._topics.get(arrival.topic)
        own = known is not None and arrival.sender in (None, known.speaker.device)
        if known is not None and own and ledger != "part":
            known.speaker.tally.quarantined += 1
        digest = hashlib.sha256(
            arrival.topic.encode(errors="replace") + b"\0" + arrival.payload
        ).hexdigest()[:12]
        refused = Quarantined(
            id=again.id if again else f"{_ms(at):013d}-{len(sorted_.refused):05d}-{digest}",
            at=at,
            reason=next(iter(whys)),
            why="; ".join(_kept(why, WHY_KEPT // len(whys)) for why in whys.values()),
            topic=_kept(arrival.topic, TOPIC_KEPT),
            sender=arrival.sender,
            payload=arrival.payload[:PAYLOAD_LIMIT],
            size=len(arrival.payload),
            device=known.speaker.device if known else self._claimed(arrival.topic),
            ledger=ledger if own else again.ledger if again else "",
        )
        if again:
            sorted_.again[again.id] = Decided(again, "refused", refused)
            return
        sorted_.refused.append(refused)
        what: What = "stored" if ledger == "part" else "quarantined"
        arrival.tell(what, refused.reason, refused.why)
        for reason in whys:
            self.quarantined[reason] = self.quarantined.get(reason, 0) + 1

    def _claimed(self, topic: str) -> str:
        """Return the device that ``topic`` speaks of, empty when it is no topic of ours."""
        try:
            device = address(topic).device
        except MalformedMessage:
            return ""
        return self._devices.get(device, device)

    # -- restart

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` needs."""
        return {
            "tallies": {device: tally.state() for device, tally in self.tallies.items()},
            "births": self.births(),
            "quarantined": self.quarantined,
            "clocks": self.clocks.state(),
            "edges": self.edges.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``; devices that are no longer registered are left out."""
        self.quarantined = dict(state["quarantined"])
        self.clocks.restore(state.get("clocks", {}))
        self.edges.restore(state.get("edges", ()))
        for device, tally in state["tallies"].items():
            self._set_tally(device, Tally.restored(tally))
        self.set_births(state["births"])

    def births(self) -> dict[str, tuple[str, list[Declared]]]:
        """Return the boot and the metrics that each device declared last."""
        return {s.device: s.birth for s in self._speakers.values() if s.birth}

    def set_births(self, births: Mapping[str, Any]) -> None:
        """Understand every device as it declared in ``births``, without one as catalogued."""
        for device, speaker in self._speakers.items():
            birth = births.get(device)
            if birth is not None:
                birth = (birth[0], msgspec.convert(birth[1], list[Declared]))
            self._learn(speaker, birth)

    def _set_tally(self, device: str, tally: Tally) -> None:
        self.tallies[device] = tally
        if device in self._speakers:
            self._speakers[device].tally = tally

    def remember(self, batch: Batch) -> list[Alarm]:
        """Take up what ``sort`` had learnt from a batch before the process ended.

        Returns what ``sort`` had said about clocks then.
        """
        self.edges.remember(batch.blocks, batch.notes)
        batch = replace(batch, notes=[note for note in batch.notes if note.kind != DECLARED])
        take_up(self.tallies, batch)
        for note in batch.notes:
            if note.device in self._speakers:
                at_ms = note.body.get("t") or note.at_ms
                self.clocks.named(self._speakers[note.device].mark >> 1, at_ms)
            if note.kind == "birth" and note.device in self._speakers:
                birth = msgspec.convert(note.body, Birth)
                self._learn(self._speakers[note.device], (birth.b, birth.metrics))
        return self._hear([self._heard(block) for block in batch.blocks], batch.received_ms)

    def _heard(self, block: Block) -> Heard:
        """Return the rows of ``block`` that are of registered devices."""
        numbers = np.fromiter(map(self.clocks.number, block.devices), np.int64, len(block))
        known = numbers >= 0
        return numbers[known], block.at_ms[known], block.lateness[known]


def _latest_ms(sorted_: Sorted, arrival: Arrival) -> int:
    """Return the latest event time that is believed, by when the message had come in."""
    return _ms(arrival.again.at) + FUTURE_LIMIT_MS if arrival.again else sorted_.latest_ms


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _kept(text: str, longest: int) -> str:
    """Return ``text`` as every store takes it: not too long, no lone surrogates, no NUL."""
    cut = text if len(text) <= longest else f"{text[: longest - 3]}..."
    return cut.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def _check_time(sorted_: Sorted, arrival: Arrival, speaker: _Speaker, at_ms: int) -> None:
    """Raise MalformedMessage for an instant that is not believed; its clock is taken note of."""
    latest_ms = _latest_ms(sorted_, arrival)
    if at_ms <= latest_ms:
        return
    if arrival.again is None:
        sorted_.far[speaker.mark >> 1] = at_ms
    ahead_h = (at_ms - latest_ms + FUTURE_LIMIT_MS) / 3_600_000
    raise MalformedMessage(
        "future_time", f"time is {ahead_h:.1f} h ahead of ours, limit 24 h - at `$.t`"
    )
