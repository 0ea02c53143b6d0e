"""The dialogue with one admitted client: what each of its packets means.

No transport and no clock in here: packets go in; effects, replies that wait for the commit, and
answers that may leave at once are collected until the connection takes them.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from collector import packets
from collector.admission import Principal
from collector.bulk import acknowledged, publishes
from collector.exchange import Effects, Exchange, is_request
from collector.fields import Malformed, Property, Reason
from collector.packets import Ack, Disconnect, Frame, Granted, Ping, Publish, Subscribe, Unsubscribe
from collector.session import Session
from desk.arrival import Arrival
from equipment.wire import PAYLOAD_LIMIT
from storage.mailbox import Delivered

TOO_LARGE_SEEN: Final = 2 * 0x10000 + PAYLOAD_LIMIT
_KNOWN_TOPICS: Final = 100_000


class Handful(NamedTuple):
    """What a few packets came to: effects, replies for after the commit, messages among them."""

    effects: Effects
    replies: list[bytes]
    published: int

    def __bool__(self) -> bool:
        effects = self.effects
        return bool(effects.arrivals or self.replies or effects.changes or effects.deliveries)


class Dialogue:
    """One client talking, from its CONNECT on."""

    def __init__(
        self, exchange: Exchange, session: Session, principal: Principal, version: int
    ) -> None:
        self.session = session
        self.principal = principal
        self.version = version
        self.over = False  # the client said goodbye
        self.will_stands = False
        self.unacked = 0
        self.at_once: list[bytes] = []
        self._aliases: dict[int, str] = {}
        self._exchange, self._limits = exchange, exchange.limits
        self._known: dict[bytes, str] = {}
        self._watched = False  # whether anybody but the desk wants what is known
        self._epoch = -1
        self._effects, self._replies, self._published = Effects(), list[bytes](), 0

    def taken(self) -> Handful:
        """Return what was collected since the last time."""
        handful = Handful(self._effects, self._replies, self._published)
        self._effects, self._replies, self._published = Effects(), [], 0
        return handful

    def run(self, data: bytes, pos: int) -> int:
        """Take in the run of plain messages at ``pos`` and return where it ends."""
        if self._epoch != self._exchange.epoch:
            self._known.clear()
            self._watched = False
            self._epoch = self._exchange.epoch
        pids: list[bytes] = []
        arrivals = self._effects.arrivals
        before = len(arrivals)
        pos = publishes(
            data,
            pos,
            self._known,
            version=self.version,
            sender=self.principal.device,
            arrivals=arrivals,
            pids=pids,
        )
        if pids:
            if self._watched:
                self._exchange.pass_on(arrivals[before:], self.session, self._effects)
            self._replies.append(acknowledged(pids))
            self._count(len(pids))
        return pos

    def handle(self, packet: packets.Packet, now: float) -> None:
        """Take in any packet. Raises Malformed for what a client must not say."""
        handle = _HANDLERS.get(type(packet))
        if handle is None:
            raise Malformed(f"{type(packet).__name__} from a client", Reason.PROTOCOL_ERROR)
        handle(self, packet, now)

    def too_large(self, data: bytes, frame: Frame) -> None:
        """Tell the desk what can be told of a message beyond the limit."""
        if frame.first >> 4 == packets.PUBLISH:
            end = min(frame.end, len(data), frame.start + TOO_LARGE_SEEN)
            seen = packets.decode(frame.first & 0xF6, data, frame.start, end, self.version)
            message = self._named(cast(Publish, seen))
            cut = message.payload[: PAYLOAD_LIMIT + 1]
            sender = self.principal.sender(message.topic)
            self._effects.arrivals.append(Arrival(sender, message.topic, cut))

    def _count(self, published: int) -> None:
        self._published += published
        self.unacked += published
        if self.version == packets.V5 and self.unacked > self._limits.receive_maximum:
            raise Malformed("more in flight than offered", Reason.RECEIVE_MAXIMUM)

    def _reply(self, packet: packets.Packet) -> None:
        self._replies.append(packets.encode(packet, self.version))

    def _named(self, message: Publish) -> Publish:
        """Return the message with its topic, which may be given by a number of the client's own."""
        if Property.SUBSCRIPTION_ID in message.properties:
            raise Malformed("subscription identifier in a PUBLISH", Reason.PROTOCOL_ERROR)
        alias = message.properties.get(Property.ALIAS)
        if alias is None:
            return message
        if not 0 < alias <= self._limits.aliases:
            raise Malformed(f"topic alias {alias}", Reason.BAD_ALIAS)
        if message.topic:
            self._aliases[alias] = message.topic
            return message
        if alias not in self._aliases:
            raise Malformed(f"topic alias {alias} was never given", Reason.PROTOCOL_ERROR)
        return message._replace(topic=self._aliases[alias])

    def _on_publish(self, message: Publish, now: float) -> None:
        message = self._named(message)
        if message.qos == 2 and self._repeated(message):
            return
        reason = self._exchange.take(
            message, self.principal, self.session, now=now, effects=self._effects
        )
        if message.qos:
            kind = packets.PUBACK if message.qos == 1 else packets.PUBREC
            self._reply(Ack(kind, message.pid, reason))
            self._count(1)
            if self.version == packets.V5 and reason >= Reason.UNSPECIFIED:
                self.session.received.discard(message.pid)  # refused: no PUBREL will follow
        self._remember(message, reason)

    def _repeated(self, message: Publish) -> bool:
        """Return whether a message of QoS 2 came before: it is answered and not taken again."""
        received = self.session.received
        if message.pid in received:
            self._reply(Ack(packets.PUBREC, message.pid))
            return True
        if len(received) >= self._limits.receive_maximum:
            raise Malformed("too many QoS 2 messages not released", Reason.RECEIVE_MAXIMUM)
        received.add(message.pid)
        return False

    def _remember(self, message: Publish, reason: int) -> None:
        """Let the next message on this topic go the fast way."""
        plain = reason == Reason.SUCCESS and not is_request(message.topic)
        if plain and len(self._known) < _KNOWN_TOPICS:
            self._known[message.topic.encode()] = message.topic
            self._watched = self._watched or bool(self._exchange.route(message.topic))

    def _on_ack(self, ack: Ack, _now: float) -> None:
        session = self.session
        if ack.kind == packets.PUBACK:
            number = session.acknowledge(ack.pid)
            if number is not None and session.expiry_s:
                self._effects.changes.append(Delivered(session.client, number))
        elif ack.kind == packets.PUBREL:
            there = ack.pid in session.received
            session.received.discard(ack.pid)
            self._reply(Ack(packets.PUBCOMP, ack.pid, 0 if there else Reason.NO_SUCH_PID))
        else:
            raise Malformed("acknowledges what was never sent", Reason.PROTOCOL_ERROR)

    def _on_subscribe(self, packet: Subscribe, _now: float) -> None:
        (id,) = packet.properties.get(Property.SUBSCRIPTION_ID, (0,))
        reasons = tuple(
            self._exchange.subscribe(self.session, wanted, self.principal, id, self._effects)
            for wanted in packet.wanted
        )
        self._exchange.changed(self.session, self._effects)
        self._reply(Granted(packets.SUBACK, packet.pid, reasons))

    def _on_unsubscribe(self, packet: Unsubscribe, _now: float) -> None:
        reasons = tuple(
            self._exchange.unsubscribe(self.session, wanted) for wanted in packet.filters
        )
        self._exchange.changed(self.session, self._effects)
        self._reply(Granted(packets.UNSUBACK, packet.pid, reasons))

    def _on_ping(self, packet: Ping, _now: float) -> None:
        if packet.kind != packets.PINGREQ:
            raise Malformed("PINGRESP from a client", Reason.PROTOCOL_ERROR)
        self.at_once.append(packets.PONG)

    def _on_disconnect(self, packet: Disconnect, _now: float) -> None:
        expiry_s = packet.properties.get(Property.SESSION_EXPIRY)
        if expiry_s is not None:
            if expiry_s and not self.session.expiry_s:
                raise Malformed("a session cannot be kept in the end", Reason.PROTOCOL_ERROR)
            self.session.expiry_s = min(expiry_s, self._limits.session_s)
            if expiry_s:
                self._exchange.keep(self.session, self._effects)
        self.will_stands = self.will_stands and packet.reason == Reason.WITH_WILL
        self.over = True


_HANDLERS: Final[dict[type, Callable[[Dialogue, Any, float], None]]] = {
    Publish: Dialogue._on_publish,
    Ack: Dialogue._on_ack,
    Subscribe: Dialogue._on_subscribe,
    Unsubscribe: Dialogue._on_unsubscribe,
    Ping: Dialogue._on_ping,
    Disconnect: Dialogue._on_disconnect,
}
