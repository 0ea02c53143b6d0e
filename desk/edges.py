"""Edge nodes of Sparkplug B: what each declared at birth, and which number it said last.

``hear`` puts a payload into messages of ours, which go the way of all others. Their key is made of
the birth and of the payload's number, unrolled from 0..255: a redelivery has the key it had. Where
we lack something - a birth, an alias, a number - the edge node is asked to say it again.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from desk.arrival import Arrival
from equipment.reading import Block, Note
from equipment.sequence import SHARED
from equipment.sparkplug import (
    NAMESPACE,
    PARTS,
    Known,
    Place,
    Said,
    bd_seq,
    birth,
    place,
    said,
    table,
)
from equipment.sparkplug_payload import Metric, Payload, decode, rebirth
from equipment.wire import Address, Event, MalformedMessage, Message, State, encode

DECLARED: Final = "sparkplug"  # the kind of note that keeps what a birth declared
REBIRTH_EVERY_MS: Final = 30_000
AHEAD_MS: Final = 24 * 3600 * 1000
EDGES_KEPT: Final = 10_000
DEVICES_KEPT: Final = 1000  # of one edge node
NAMES_KEPT: Final = 200_000  # of one edge node, with its devices: names and aliases of metrics
NUMBERS_KEPT: Final = 1024  # of one edge node
_SEQS: Final = 256

Table = dict[int | str, Known]


class Heard(NamedTuple):
    """What a payload came to; ``problems`` is reason -> why for what was left out of it."""

    arrivals: list[Arrival]
    notes: list[Note]
    problems: dict[str, str]


@dataclass(slots=True)
class _Session:
    """An edge node since its birth; ``tables`` is what it (``""``) and its devices declared.

    ``heard_ms`` has the instant of each of its last payloads, by number: a number that comes again
    with the same instant is a redelivery, with another one it is 256, or 512, ... later.
    """

    group: str
    edge: str
    bd: int | None
    boot: str
    first: int
    high: int
    over: bool = False
    tables: dict[str, Table] = field(default_factory=dict)
    heard_ms: dict[int, int] = field(default_factory=dict)

    def unrolled(self, payload: Payload) -> tuple[int, bool]:
        """Return the payload's number since the birth, and whether others are missing before it."""
        ahead = (_seq(payload) - self.high - 1) % _SEQS
        number = self.high + 1 + ahead
        at_ms = _instant(payload)
        for earlier in range(number - _SEQS, max(self.first, number - NUMBERS_KEPT) - 1, -_SEQS):
            if at_ms is not None and self.heard_ms.get(earlier) == at_ms:
                return earlier, False
        self.advance(number, at_ms)
        return number, ahead > 0

    def advance(self, number: int, at_ms: int | None) -> None:
        """Note that ``number`` was heard, with an instant of it."""
        self.high = max(self.high, number)
        if at_ms is not None:
            self.heard_ms[number] = max(at_ms, self.heard_ms.get(number, 0))
            if len(self.heard_ms) > NUMBERS_KEPT:
                del self.heard_ms[next(iter(self.heard_ms))]


class Edges:
    """All edge nodes. Used from one thread."""

    def __init__(self, stands: Callable[[str, str], bool | None]) -> None:
        """``stands`` says whether a device stands at a site, None if it is not registered."""
        self._stands = stands
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._asked_ms: dict[str, int] = {}
        self._requests: dict[str, bytes] = {}

    def requests(self) -> list[tuple[str, bytes]]:
        """Return the commands that are due, each as topic and payload, once."""
        due, self._requests = list(self._requests.items()), {}
        return due

    def hear(self, arrival: Arrival, now_ms: int) -> Heard:
        """Return what ``arrival`` comes to. Raises MalformedMessage."""
        where = place(arrival.topic)
        if arrival.sender not in (None, where.edge):
            why = f"{arrival.sender} may not publish on {arrival.topic[:200]}"
            raise MalformedMessage("foreign_topic", why)
        self._check(where, own=arrival.sender is not None)
        payload = decode(arrival.payload)
        sent_ms = payload.at_ms if payload.at_ms is not None else now_ms
        if sent_ms > now_ms + AHEAD_MS:
            raise MalformedMessage("future_time", f"timestamp {sent_ms} is over 24 h ahead of ours")
        turn = _Turn(where, payload, sent_ms, now_ms, arrival, Heard([], [], {}))
        if arrival.again is None:
            _KINDS[where.kind](self, turn)
        else:
            self._again(turn)
        return turn.heard

    def _check(self, where: Place, *, own: bool) -> None:
        """Refuse an edge node at a site where it does not stand: it would be one more to remember.

        One with a device's ``own`` credential has to be registered; a gateway needs not.
        """
        stands = self._stands(where.edge, where.group)
        if stands is False:
            why = f"{where.edge} does not stand at site {where.group!r}"
            raise MalformedMessage("foreign_topic", why)
        if own and stands is None:
            raise MalformedMessage("unknown_device", f"device {where.edge!r} is not registered")

    # -- births

    def _node_birth(self, turn: "_Turn") -> None:
        where, payload = turn.where, turn.payload
        bd = bd_seq(payload)
        name = zlib.crc32(f"{where.group}/{where.edge}".encode())
        boot = f"{SHARED}{name:08x}.{'' if bd is None else bd}.{turn.sent_ms}"
        session = self._sessions.get((where.group, where.edge))
        if session is not None and session.boot == boot and not session.over:
            number = session.first  # a redelivery: born at the same instant
        else:
            number = _seq(payload)
            session = _Session(where.group, where.edge, bd, boot, number, number)
            session.advance(number, _instant(payload))
            self._open(session)
        if self._stands(where.edge, where.group):
            self._born(turn, session, number)

    def _open(self, session: _Session) -> None:
        self._sessions.pop((session.group, session.edge), None)
        if len(self._sessions) >= EDGES_KEPT:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[session.group, session.edge] = session

    def _device_birth(self, turn: "_Turn") -> None:
        session, number = self._heard(turn)
        where = turn.where
        if where.device not in session.tables and len(session.tables) >= DEVICES_KEPT:
            why = f"{where.edge} has more than {DEVICES_KEPT} devices"
            raise MalformedMessage("oversize", why)
        self._born(turn, session, number)

    def _born(self, turn: "_Turn", session: _Session, number: int) -> None:
        where, payload = turn.where, turn.payload
        session.tables.pop(where.device, None)
        declared = table(payload)
        if sum(map(len, session.tables.values())) + len(declared) > NAMES_KEPT:
            why = f"{where.edge} declares more than {NAMES_KEPT} names and aliases of metrics"
            raise MalformedMessage("oversize", why)
        session.tables[where.device] = declared
        turn.say("birth", birth(payload, session.boot, where.speaker))
        turn.say("state", State("online", session.boot, turn.sent_ms))
        turn.tell(said(payload, declared, session.boot, number, born=True))
        sender = turn.arrival.sender
        if sender in (None, where.speaker) and self._stands(where.speaker, where.group):
            body = {**_state(session), "device": where.device, "table": _rows(declared)}
            note = Note(where.speaker, DECLARED, turn.now_ms, session.boot, -1, body)
            turn.heard.notes.append(note)

    # -- data, deaths

    def _data(self, turn: "_Turn") -> None:
        session, number = self._heard(turn)
        where = turn.where
        if not where.device and not self._stands(where.edge, where.group):
            return  # a gateway that is no device of ours, about itself
        known = session.tables.get(where.device)
        if known is None:
            self._ask(turn)
            raise MalformedMessage("unborn", f"{where.speaker} has sent no birth before its data")
        turn.tell(said(turn.payload, known, session.boot, number))
        if "unborn" in turn.heard.problems:
            self._ask(turn)

    def _again(self, turn: "_Turn") -> None:
        """Read data out of quarantine by what is declared by now, under a number of its own."""
        where = turn.where
        session = self._sessions.get((where.group, where.edge))
        known = session.tables.get(where.device) if session else None
        if known is None or where.kind not in ("NDATA", "DDATA"):
            why = f"{where.speaker} has declared nothing that {where.kind} could be read by"
            raise MalformedMessage("unborn", why)
        digest = zlib.crc32(turn.arrival.payload)
        turn.tell(said(turn.payload, known, f"{SHARED}again.{digest:08x}.{turn.sent_ms}", 0))

    def _device_death(self, turn: "_Turn") -> None:
        session, _ = self._heard(turn)
        if session.tables.pop(turn.where.device, None) is not None:
            turn.say("state", State("offline", session.boot, turn.now_ms))

    def _node_death(self, turn: "_Turn") -> None:
        """End the session that the death belongs to; one of an earlier connection says nothing."""
        where = turn.where
        session = self._sessions.get((where.group, where.edge))
        if session is None or session.over or session.bd != bd_seq(turn.payload):
            return
        session.over = True
        for device in session.tables:
            gone = turn._replace(where=where._replace(device=device))
            gone.say("state", State("offline", session.boot, turn.now_ms))
        session.tables.clear()

    def _heard(self, turn: "_Turn") -> tuple[_Session, int]:
        """Return the session and the payload's number; ask for a birth if something is missing."""
        where = turn.where
        session = self._sessions.get((where.group, where.edge))
        if session is None or session.over:
            self._ask(turn)
            raise MalformedMessage("unborn", f"edge node {where.edge} has sent no birth")
        number, missing = session.unrolled(turn.payload)
        if missing:
            self._ask(turn)
        return session, number

    def _ask(self, turn: "_Turn") -> None:
        """Ask the edge node to say everything again, unless it was asked just now."""
        where, now_ms = turn.where, turn.now_ms
        topic = f"{NAMESPACE}/{where.group}/NCMD/{where.edge}"
        asked_ms = self._asked_ms.pop(topic, None)
        if asked_ms is None or not 0 <= now_ms - asked_ms < REBIRTH_EVERY_MS:
            asked_ms = now_ms
            self._requests[topic] = rebirth(now_ms)
        if len(self._asked_ms) >= EDGES_KEPT:
            del self._asked_ms[next(iter(self._asked_ms))]
        self._asked_ms[topic] = asked_ms

    # -- restart

    def state(self) -> list[dict[str, Any]]:
        """Return what ``restore`` needs."""
        return [
            {
                **_state(session),
                "tables": {device: _rows(known) for device, known in session.tables.items()},
                "heard_ms": list(session.heard_ms.items()),
            }
            for session in self._sessions.values()
        ]

    def restore(self, state: Iterable[Mapping[str, Any]]) -> None:
        """Go on from ``state``."""
        for kept in state:
            session = _session(kept)
            session.tables = {device: _table(rows) for device, rows in kept["tables"].items()}
            session.heard_ms = dict(kept["heard_ms"])
            self._open(session)

    def remember(self, blocks: Iterable[Block], notes: Iterable[Note]) -> None:
        """Take up what ``hear`` had learnt from a batch before the process ended."""
        for note in notes:
            if note.kind == DECLARED:
                self._remember_birth(note)
        sessions = {session.boot: session for session in self._sessions.values()}
        if sessions:
            for boot, number, at_ms in _keys(blocks):
                if boot in sessions:
                    sessions[boot].advance(number, at_ms)

    def _remember_birth(self, note: Note) -> None:
        session = self._sessions.get((note.body["group"], note.body["edge"]))
        if session is None or session.boot != note.boot:
            session = _session(note.body)
            self._open(session)
        session.over = False
        session.tables[note.body["device"]] = _table(note.body["table"])
        session.advance(note.body["high"], None)


class _Turn(NamedTuple):
    """One payload under way: who says it, when it was sent, and what it has come to."""

    where: Place
    payload: Payload
    sent_ms: int
    now_ms: int
    arrival: Arrival
    heard: Heard

    def say(self, kind: str, message: Message) -> None:
        """Write down one message of ours."""
        where = self.where
        topic = Address(where.group, where.speaker, kind).topic
        sender, again = self.arrival.sender, self.arrival.again
        self.heard.arrivals.append(Arrival(sender, topic, encode(message), again=again))

    def tell(self, told: Said) -> None:
        """Write down readings and error codes, and what could not be read."""
        for message in told.messages:
            self.say("event" if isinstance(message, Event) else "tele", message)
        self.heard.problems.update(told.problems)


_KINDS: Final[dict[str, Callable[[Edges, _Turn], None]]] = {
    "NBIRTH": Edges._node_birth,
    "DBIRTH": Edges._device_birth,
    "NDATA": Edges._data,
    "DDATA": Edges._data,
    "NDEATH": Edges._node_death,
    "DDEATH": Edges._device_death,
}


_KEPT: Final = ("group", "edge", "bd", "boot", "first", "high", "over")


def _instant(payload: Payload) -> int | None:
    """Return the newest instant of its readings, of a payload without any when it was sent."""
    sent = payload.at_ms
    at_ms = [sent if m.at_ms is None else m.at_ms for m in payload.metrics if _is_reading(m)]
    return max((at for at in at_ms if at is not None), default=sent)


def _is_reading(metric: Metric) -> bool:
    return metric.value is not None and not isinstance(metric.value, str)


def _seq(payload: Payload) -> int:
    if payload.seq is None or payload.seq >= _SEQS:
        raise MalformedMessage("malformed", f"sparkplug: seq {payload.seq} is not 0..255")
    return payload.seq


def _state(session: _Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in _KEPT}


def _session(kept: Mapping[str, Any]) -> _Session:
    return _Session(**{name: kept[name] for name in _KEPT})


def _rows(known: Table) -> list[tuple[int | str, str, int | None]]:
    return [(key, one.name, one.type) for key, one in known.items()]


def _table(rows: Iterable[Any]) -> Table:
    return {key: Known(name, type_) for key, name, type_ in rows}


def _keys(blocks: Iterable[Block]) -> Iterator[tuple[str, int, int]]:
    for block in blocks:
        for boot, seq, at_ms in zip(block.boots, block.seqs, block.at_ms, strict=True):
            yield boot, int(seq) // PARTS, int(at_ms)
