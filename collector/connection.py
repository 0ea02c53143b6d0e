"""One client's connection: bytes in, packets understood, answers out.

A connection reads as long as it may, collects what one buffer came to, and hands it to the
endpoint as a whole. Answers that promise something leave after the commit, in ``release``.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

from collector import packets
from collector.admission import Limits, Principal
from collector.bulk import acknowledged, publishes
from collector.exchange import Effects, Exchange, is_request
from collector.fields import Malformed, Property, Reason
from collector.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Frame,
    Granted,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
)
from collector.session import Session, publish
from desk.ingest import Arrival
from equipment.wire import PAYLOAD_LIMIT
from storage.mailbox import Delivered, Letter

log = logging.getLogger(__name__)

_KNOWN_TOPICS: Final = 100_000
_CONNECT_LIMIT: Final = 96 * 1024
_TOO_LARGE_SEEN: Final = 2 * 0x10000 + PAYLOAD_LIMIT
_GOODBYE_S: Final = 5.0


class Release(NamedTuple):
    """What may leave once its parcel is committed."""

    connection: "Connection | None"
    replies: Sequence[bytes]
    published: int
    effects: Effects
    weight: tuple[int, int]  # messages and bytes it counted for while it waited


class Endpoint(Protocol):
    """What a connection needs of the endpoint it belongs to."""

    exchange: Exchange
    limits: Limits

    def now(self) -> float:
        """Return the wall clock, s."""
        ...

    def arrived(self, connection: "Connection") -> bool:
        """Take note of a connection; return whether it may stay."""
        ...

    def admit(self, connection: "Connection", connect: Connect) -> None:
        """Find out who it is, then call ``admitted``."""
        ...

    def submit(
        self,
        connection: "Connection | None",
        effects: Effects,
        *,
        size: int = 0,
        replies: Sequence[bytes] = (),
        published: int = 0,
    ) -> None:
        """Have it committed, then released."""
        ...

    def lost(self, connection: "Connection") -> None:
        """Take note that the connection is no more."""
        ...


class Connection(asyncio.Protocol):
    """A client as the server sees it."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._exchange, self._limits = endpoint.exchange, endpoint.limits
        self._clock = clock
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._tail = bytearray()
        self._need = 0
        self._holds: set[str] = set()
        self._known: dict[bytes, str] = {}
        self._epoch = -1
        self._effects = Effects()
        self._replies: list[bytes] = []
        self._unacked = 0
        self._published = 0
        self.heard_at = clock()
        self.keep_alive_s = 0.0
        self.version = 0  # 0 until its CONNECT
        self.window = self._limits.inflight
        self.largest = 0  # packet the client takes, 0 for any
        self.connect: Connect | None = None
        self.principal: Principal | None = None
        self.session: Session | None = None
        self.closing = False
        self.will_stands = False

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or turn away when there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer)
        if not self._endpoint.arrived(self):
            self.closing = True
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.closing = True
        self._endpoint.lost(self)

    def pause_writing(self) -> None:
        """Hear nothing more of a client that does not take our answers."""
        self.hold("clogged")

    def resume_writing(self) -> None:
        """Go on with it."""
        self.let_go("clogged")
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Understand what came, and hand it over as one parcel."""
        if self.closing:
            return
        self.heard_at = self._clock()
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return
            data = bytes(self._tail)
            self._tail.clear()
        try:
            read = self._read(data)
        except Malformed as error:
            read = len(data)
            self._complain(error)
        self._hand_over(len(data))
        if read < len(data) and not self.closing:
            self._tail += memoryview(data)[read:]

    # -- reading

    def hold(self, why: str) -> None:
        """Read nothing until ``let_go`` of every reason."""
        if not self._holds and not self._transport.is_closing():
            self._transport.pause_reading()
        self._holds.add(why)

    def let_go(self, why: str) -> None:
        """Read on, if this was the last reason not to."""
        if why in self._holds:
            self._holds.discard(why)
            if not self._holds and not self._transport.is_closing():
                self.heard_at = self._clock()
                self._transport.resume_reading()

    @property
    def patient(self) -> bool:
        """Whether its silence is ours: it is not read at the moment."""
        return bool(self._holds - {"clogged"})

    def _read(self, data: bytes) -> int:
        """Handle the complete packets of ``data`` and return where the incomplete one begins."""
        pos, size = 0, len(data)
        while pos < size and not self.closing and "asking" not in self._holds:
            if self.session is not None:
                pos = self._run(data, pos)
            frame = packets.frame(data, pos) if pos < size else None
            if frame is None:
                self._need = size - pos + 1
                break
            if frame.end - pos > self._limit(frame):
                self._need = _TOO_LARGE_SEEN
                if size - pos >= _TOO_LARGE_SEEN or frame.end <= size or not self.session:
                    self._too_large(data, frame)
                break
            if frame.end > size:
                self._need = frame.end - pos
                break
            self._handle(packets.decode(frame.first, data, *frame[1:], self.version))
            pos = frame.end
        return pos

    def _limit(self, frame: Frame) -> int:
        return self._limits.packet if self.session else min(self._limits.packet, _CONNECT_LIMIT)

    def _run(self, data: bytes, pos: int) -> int:
        if self._epoch != self._exchange.epoch:
            self._known.clear()
            self._epoch = self._exchange.epoch
        device = self.principal.device if self.principal else None
        pids: list[bytes] = []
        pos = publishes(
            data,
            pos,
            self._known,
            version=self.version,
            sender=device,
            arrivals=self._effects.arrivals,
            pids=pids,
        )
        if pids:
            self._replies.append(acknowledged(pids))
            self._count(len(pids))
        return pos

    def _count(self, published: int) -> None:
        self._published += published
        self._unacked += published
        if self.version == packets.V5 and self._unacked > self._limits.receive_maximum:
            raise Malformed("more in flight than offered", Reason.RECEIVE_MAXIMUM)

    def _too_large(self, data: bytes, frame: Frame) -> None:
        """Tell the desk what can be told of a packet beyond the limit, and part with its sender."""
        if frame.first >> 4 == packets.PUBLISH and self.principal is not None:
            end = min(frame.end, len(data), frame.start + _TOO_LARGE_SEEN)
            seen = packets.decode(frame.first & 0xF6, data, frame.start, end, self.version)
            payload = cast(Publish, seen).payload[: PAYLOAD_LIMIT + 1]
            topic = cast(Publish, seen).topic
            self._effects.arrivals.append(Arrival(self.principal.device, topic, payload))
        raise Malformed(f"packet of {frame.end - frame.start} bytes", Reason.TOO_LARGE)

    def _hand_over(self, size: int) -> None:
        effects = self._effects
        if effects.arrivals or self._replies or effects.changes or effects.deliveries:
            self._endpoint.submit(
                self, effects, size=size, replies=self._replies, published=self._published
            )
            self._effects, self._replies, self._published = Effects(), [], 0

    # -- one packet

    def _handle(self, packet: packets.Packet) -> None:
        if self.session is None:
            if not isinstance(packet, Connect):
                raise Malformed("first packet is not CONNECT", Reason.PROTOCOL_ERROR)
            self.version, self.connect = packet.version, packet
            self.hold("asking")
            self._endpoint.admit(self, packet)
            return
        handle = _HANDLERS.get(type(packet))
        if handle is None:
            raise Malformed(f"{type(packet).__name__} from a client", Reason.PROTOCOL_ERROR)
        handle(self, packet, self.session)

    def _on_publish(self, message: Publish, session: Session) -> None:
        if message.qos == 2 and self._repeated(message, session):
            return
        reason = self._exchange.take(
            message,
            cast(Principal, self.principal),
            session,
            now=self._endpoint.now(),
            effects=self._effects,
        )
        if message.qos:
            kind = packets.PUBACK if message.qos == 1 else packets.PUBREC
            self._replies.append(packets.encode(Ack(kind, message.pid, reason), self.version))
            self._count(1)
        self._remember(message, reason)

    def _repeated(self, message: Publish, session: Session) -> bool:
        """MQTT 5 clients were told QoS 1; for 3.1.1 a repeat is answered and not taken again."""
        if self.version == packets.V5:
            raise Malformed("QoS 2, but 1 was offered", Reason.QOS)
        if message.pid in session.received:
            self._replies.append(packets.encode(Ack(packets.PUBREC, message.pid), self.version))
            return True
        if len(session.received) >= self._limits.receive_maximum:
            raise Malformed("too many QoS 2 messages not released", Reason.RECEIVE_MAXIMUM)
        session.received.add(message.pid)
        return False

    def _remember(self, message: Publish, reason: int) -> None:
        """Let the next message on this topic go the fast way, if only the desk wants it."""
        plain = reason == Reason.SUCCESS and not is_request(message.topic)
        if plain and not self._exchange.route(message.topic) and len(self._known) < _KNOWN_TOPICS:
            self._known[message.topic.encode()] = message.topic

    def _on_ack(self, ack: Ack, session: Session) -> None:
        if ack.kind == packets.PUBACK:
            number = session.acknowledge(ack.pid)
            if number is not None and session.expiry_s:
                self._effects.changes.append(Delivered(session.client, number))
            self.flush()
        elif ack.kind == packets.PUBREL:
            session.received.discard(ack.pid)
            self._replies.append(packets.encode(Ack(packets.PUBCOMP, ack.pid), self.version))
        else:
            raise Malformed("acknowledges what was never sent", Reason.PROTOCOL_ERROR)

    def _on_subscribe(self, packet: Subscribe, session: Session) -> None:
        if Property.SUBSCRIPTION_ID in packet.properties:
            raise Malformed("subscription identifier", Reason.SUBSCRIPTION_ID)
        principal = cast(Principal, self.principal)
        reasons = tuple(
            self._exchange.subscribe(session, wanted, principal, self._effects)
            for wanted in packet.wanted
        )
        granted = Granted(packets.SUBACK, packet.pid, reasons)
        self._replies.append(packets.encode(granted, self.version))

    def _on_unsubscribe(self, packet: Unsubscribe, session: Session) -> None:
        reasons = tuple(
            self._exchange.unsubscribe(session, wanted, self._effects) for wanted in packet.filters
        )
        granted = Granted(packets.UNSUBACK, packet.pid, reasons)
        self._replies.append(packets.encode(granted, self.version))

    def _on_ping(self, packet: Ping, _session: Session) -> None:
        if packet.kind != packets.PINGREQ:
            raise Malformed("PINGRESP from a client", Reason.PROTOCOL_ERROR)
        self._transport.write(packets.PONG)

    def _on_disconnect(self, packet: Disconnect, session: Session) -> None:
        expiry_s = packet.properties.get(Property.SESSION_EXPIRY)
        if expiry_s is not None:
            if expiry_s and not session.expiry_s:
                raise Malformed("a session cannot be kept in the end", Reason.PROTOCOL_ERROR)
            session.expiry_s = min(expiry_s, self._limits.session_s)
        self.will_stands = packet.reason == Reason.WITH_WILL
        self.close()

    # -- answering

    def admitted(self, session: Session, principal: Principal, answer: Connack) -> None:
        """Welcome the client and go on with what it has sent meanwhile."""
        self.session, self.principal = session, principal
        self.will_stands = self.connect is not None and self.connect.will is not None
        self._transport.write(packets.encode(answer, self.version))
        again = [packets.encode(p, self.version) for p in session.again(self.version)]
        if again:
            self._transport.write(b"".join(again))
        self.flush()
        self.let_go("asking")
        rest, self._need = bytes(self._tail), 0
        self._tail.clear()
        if rest:
            self.data_received(rest)

    def refuse(self, reason: Reason) -> None:
        """Answer a CONNECT with no."""
        if not self.closing:
            self._transport.write(packets.encode(Connack(False, reason), self.version))
            self.close()

    def release(self, replies: Sequence[bytes], published: int) -> None:
        """Send what was promised; it is committed now."""
        self._unacked -= published
        if replies and not self._transport.is_closing():
            self._transport.write(replies[0] if len(replies) == 1 else b"".join(replies))

    def send(self, letter: Letter) -> None:
        """Send a letter of QoS 0, unless the client is too slow for what it wants."""
        if not self.closing and "clogged" not in self._holds:
            now = self._endpoint.now()
            if not letter.expires_at or letter.expires_at > now:
                packet = packets.encode(publish(letter, self.version, now=now), self.version)
                if not self.largest or len(packet) <= self.largest:
                    self._transport.write(packet)

    def flush(self) -> None:
        """Send the letters that wait, as far as the client's window and its speed allow."""
        if self.session is None or self.closing:
            return
        now, out = self._endpoint.now(), []
        skipped = Effects()
        while "clogged" not in self._holds:
            sent = self.session.next(self.window, self.version, now)
            if sent is None:
                break
            number, message = sent
            packet = packets.encode(message, self.version) if message else b""
            if message is not None and self.largest and len(packet) > self.largest:
                self.session.acknowledge(message.pid)
                message = None
            if message is not None:
                out.append(packet)
            elif self.session.expiry_s:
                skipped.changes.append(Delivered(self.session.client, number))
        if out:
            self._transport.write(b"".join(out))
        if skipped.changes:
            self._endpoint.submit(None, skipped)

    def _complain(self, error: Malformed) -> None:
        log.warning(
            "connection closed",
            extra={
                "why": str(error),
                "client": self.connect.client if self.connect else None,
                "device": self.principal.device if self.principal else None,
            },
        )
        if self.session is not None:
            self.part(error.reason)
        elif error.reason == Reason.UNSUPPORTED_VERSION:
            self.version = packets.V311
            self.refuse(error.reason)
        else:
            self.close()

    def part(self, reason: Reason) -> None:
        """Close, and tell a client of MQTT 5 why."""
        if not self.closing:
            if self.version == packets.V5:
                self._transport.write(packets.encode(Disconnect(reason), self.version))
            self.close()

    def close(self) -> None:
        """Close once what was written is out; a client that does not take it is cut off."""
        if not self.closing:
            self.closing = True
            self._tail.clear()
            self._transport.close()
            loop = asyncio.get_running_loop()
            loop.call_later(_GOODBYE_S, self._transport.abort)


_HANDLERS: Final[dict[type, Callable[[Connection, Any, Session], None]]] = {
    Publish: Connection._on_publish,
    Ack: Connection._on_ack,
    Subscribe: Connection._on_subscribe,
    Unsubscribe: Connection._on_unsubscribe,
    Ping: Connection._on_ping,
    Disconnect: Connection._on_disconnect,
}
