"""One client's connection: bytes in, packets understood, answers out.

A connection reads as long as it may, collects what one buffer came to, and hands it to the
endpoint as a whole. Answers that promise something leave after the commit, in ``release``.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, cast

from collector import packets
from collector.admission import Limits, Principal
from collector.dialogue import TOO_LARGE_SEEN, Dialogue, Handful
from collector.exchange import Effects, Exchange
from collector.fields import NONE, Malformed, Properties, Property, Reason
from collector.packets import Connack, Connect, Disconnect, Frame, Publish
from collector.session import Session, publish
from storage.mailbox import Delivered, Letter

log = logging.getLogger(__name__)

_CONNECT_LIMIT: Final = 96 * 1024
_GOODBYE_S: Final = 5.0
_WORDS: Final = 200


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

    def submit(self, connection: "Connection | None", handful: Handful, size: int) -> None:
        """Have it committed, then released; it came in ``size`` bytes."""
        ...

    def partial(self, change: int) -> bool:
        """Take note that so many bytes of incomplete packets came; return whether there is room."""
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
        self.clogged_at = 0.0  # since when the client takes nothing, 0 if it does
        self._cut_off: asyncio.TimerHandle | None = None
        self.heard_at = clock()
        self.keep_alive_s = 0.0
        self.version = 0  # 0 until its CONNECT
        self.window = self._limits.inflight
        self.largest = 0  # packet the client takes, 0 for any
        self.connect: Connect | None = None
        self.dialogue: Dialogue | None = None
        self.closing = False

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
        if self._cut_off is not None:
            self._cut_off.cancel()
        self._keep_tail(b"")
        self._endpoint.lost(self)

    def pause_writing(self) -> None:
        """Hear nothing more of a client that does not take our answers."""
        self.clogged_at = self._clock()
        self.hold("clogged")

    def resume_writing(self) -> None:
        """Go on with it."""
        self.clogged_at = 0.0
        self.let_go("clogged")
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Understand what came, and hand it over as one parcel."""
        if self.closing:
            return
        self.heard_at = self._clock()
        if self._tail:
            if len(self._tail) + len(data) < self._need:
                self._keep_tail(data)
                return
            data = b"".join((self._tail, data))
            self._keep_tail(b"")
        try:
            read = self._read(data)
        except Malformed as error:
            read = len(data)
            self._complain(error)
        self._hand_over(len(data))
        if read < len(data) and not self.closing:
            self._keep_tail(memoryview(data)[read:])

    # -- reading

    def _keep_tail(self, more: bytes | memoryview) -> None:
        """Keep ``more`` until the rest of its packet comes; nothing forgets what there was."""
        change = len(more) or -len(self._tail)
        if more:
            self._tail += more
        else:
            self._tail.clear()
        if change and not self._endpoint.partial(change):
            self._complain(Malformed("too much waits to be completed", Reason.QUOTA))

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
    def session(self) -> Session | None:
        """Its session, once it is admitted."""
        return self.dialogue.session if self.dialogue else None

    @property
    def patient(self) -> bool:
        """Whether its silence is ours: it is not read at the moment."""
        return bool(self._holds - {"clogged"})

    def _read(self, data: bytes) -> int:
        """Handle the complete packets of ``data`` and return where the incomplete one begins."""
        pos, size, dialogue = 0, len(data), self.dialogue
        while pos < size and not (dialogue.over if dialogue else "asking" in self._holds):
            if dialogue is not None:
                pos = dialogue.run(data, pos)
            frame = packets.frame(data, pos) if pos < size else None
            if frame is None:
                self._need = size - pos + 1
                break
            if frame.end - pos > self._most():
                self._need = self._too_large(data, pos, frame)
                break
            if frame.end > size:
                self._need = frame.end - pos
                break
            self._handle(packets.decode(frame.first, data, *frame[1:], self.version))
            pos = frame.end
        return pos

    def _too_large(self, data: bytes, pos: int, frame: Frame) -> int:
        """Part with the sender once enough is there to say of what; until then, how much is."""
        if self.dialogue is not None:
            if len(data) < min(frame.end, pos + TOO_LARGE_SEEN):
                return TOO_LARGE_SEEN
            self.dialogue.too_large(data, frame)
        raise Malformed(f"packet of {frame.end - frame.start} bytes", Reason.TOO_LARGE)

    def _most(self) -> int:
        return self._limits.packet if self.dialogue else min(self._limits.packet, _CONNECT_LIMIT)

    def _hand_over(self, size: int) -> None:
        dialogue = self.dialogue
        if dialogue is None:
            return
        handful = dialogue.taken()
        if handful:
            self._endpoint.submit(self, handful, size)
        if dialogue.at_once and not self.closing:
            self._transport.write(b"".join(dialogue.at_once))
            dialogue.at_once.clear()
        if dialogue.over:
            self.close()
        elif dialogue.session.waiting:
            self.flush()

    # -- one packet

    def _handle(self, packet: packets.Packet) -> None:
        if self.dialogue is not None:
            self.dialogue.handle(packet, self._endpoint.now())
            return
        if not isinstance(packet, Connect):
            raise Malformed("first packet is not CONNECT", Reason.PROTOCOL_ERROR)
        self.version, self.connect = packet.version, packet
        self.hold("asking")
        self._endpoint.admit(self, packet)

    # -- answering

    def admitted(self, session: Session, principal: Principal, answer: Connack) -> None:
        """Welcome the client and go on with what it has sent meanwhile."""
        self.dialogue = Dialogue(self._exchange, session, principal, self.version)
        self.dialogue.will_stands = self.connect is not None and self.connect.will is not None
        self._transport.write(packets.encode(answer, self.version))
        now = self._endpoint.now()
        self._send_all(session, session.again(self.window, self.version, now))
        self.flush()
        self.let_go("asking")
        rest, self._need = bytes(self._tail), 0
        self._keep_tail(b"")
        if rest:
            self.data_received(rest)

    def refuse(self, reason: Reason, why: str = "") -> None:
        """Answer a CONNECT with no."""
        if not self.closing:
            answer = Connack(False, reason, _words(why))
            self._transport.write(packets.encode(answer, self.version))
            self.close()

    def release(self, replies: Sequence[bytes], published: int) -> None:
        """Send what was promised; it is committed now."""
        if self.dialogue is not None:
            self.dialogue.unacked -= published
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
        session = self.session
        if session is not None and not self.closing and "clogged" not in self._holds:
            now = self._endpoint.now()
            self._send_all(
                session, iter(lambda: session.next(self.window, self.version, now), None)
            )

    def _send_all(self, session: Session, letters: Iterable[tuple[int, Publish | None]]) -> None:
        """Send numbered letters; what expired, or is larger than the client takes, is dropped."""
        out, unsent = list[bytes](), Effects()
        for number, message in letters:
            packet = packets.encode(message, self.version) if message else b""
            if message and (len(packet) <= self.largest or not self.largest):
                out.append(packet)
                continue
            if message:
                session.acknowledge(message.pid)
            if session.expiry_s:
                unsent.changes.append(Delivered(session.client, number))
        if out:
            self._transport.write(b"".join(out))
        if unsent.changes:
            self._endpoint.submit(None, Handful(unsent, [], 0), 0)

    def _complain(self, error: Malformed) -> None:
        log.warning(
            "connection closed",
            extra={
                "why": str(error),
                "client": self.connect.client if self.connect else None,
                "device": self.dialogue.principal.device if self.dialogue else None,
            },
        )
        if self.dialogue is not None:
            self.part(error.reason, str(error))
        elif error.reason == Reason.UNSUPPORTED_VERSION:
            self.version = packets.V311
            self.refuse(error.reason)
        else:
            self.close()

    def part(self, reason: Reason, why: str = "") -> None:
        """Close, and tell why: a client of MQTT 5, or one that waits for its welcome."""
        if self.dialogue is None and self.version:
            self.refuse(reason, why)
        elif not self.closing:
            if self.version == packets.V5:
                goodbye = packets.encode(Disconnect(reason, _words(why)), self.version)
                if self.largest and len(goodbye) > self.largest:
                    goodbye = packets.encode(Disconnect(reason), self.version)
                self._transport.write(goodbye)
            self.close()

    def close(self) -> None:
        """Close once what was written is out; a client that does not take it is cut off."""
        if not self.closing:
            self.closing = True
            self._keep_tail(b"")
            self._transport.close()
            loop = asyncio.get_running_loop()
            self._cut_off = loop.call_later(_GOODBYE_S, self._transport.abort)


def _words(why: str) -> Properties:
    return {Property.REASON_TEXT: why[:_WORDS]} if why else NONE
