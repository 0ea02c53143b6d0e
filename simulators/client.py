"""One device's MQTT connection: what is published stays in hand until the broker acknowledges it.

In-flight messages are sent again, marked as duplicates, after every reconnect. The queue is
bounded: a publisher waits rather than losing anything.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, cast

from simulators import packets

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]
_ANSWER_S: Final = 20.0
_GOODBYE_S: Final = 2.0
_BACKOFF_S: Final = (0.2, 15.0)
_HIGHEST_ID: Final = 65535
_REFUSALS: Final = {
    1: "protocol version",
    2: "client id",
    3: "server unavailable",
    4: "user name or password",
    5: "not authorised",
}


class ConnectionRefused(ConnectionError):
    """The broker said no; the text says to whom and why."""


@dataclass(slots=True)
class Counts:
    """What happened on the wire; several clients may share one."""

    published: int = 0
    acked: int = 0
    resent: int = 0
    connected: int = 0
    refused: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Door:
    """Where the broker listens."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who connects: the client id is the user name; the will is retained."""

    name: str
    password: str = field(repr=False)
    will_topic: str
    will: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one connection may have in hand, and how often it shows signs of life."""

    window: int = 16
    queue: int = 64
    keep_alive_s: int = 60


class Client:
    """A device at the broker ``door``. ``run`` keeps it connected; ``publish`` never loses."""

    def __init__(
        self,
        door: Door,
        identity: Identity,
        *,
        listen_to: str = "",
        on_message: Callable[[str, bytes], None] | None = None,
        limits: Limits = Limits(),
        counts: Counts | None = None,
        sleep: Sleep = asyncio.sleep,
        gate: asyncio.Semaphore | None = None,
    ) -> None:
        self.door = door
        self.identity = identity
        self.counts = counts or Counts()
        self.connected = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.limits = limits
        self._listen_to = listen_to
        self._on_message = on_message
        self._sleep = sleep
        self._gate = gate or asyncio.Semaphore(1)
        self._waiting: deque[tuple[str, bytes, bool]] = deque()
        self._inflight: dict[int, bytes] = {}
        self._last_id = 0
        self._line: _Line | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def unacknowledged(self) -> int:
        """How many messages the broker has not confirmed yet."""
        return len(self._waiting) + len(self._inflight)

    async def run(self) -> None:
        """Stay connected until cancelled; wait longer after every failure."""
        shortest, longest = _BACKOFF_S
        wait_s = shortest
        while True:
            try:
                async with self._gate:
                    line = await self._connect()
            except (OSError, TimeoutError) as error:
                self._tell(error)
                await self._sleep(wait_s)
                wait_s = min(longest, wait_s * 2)
                continue
            wait_s = shortest
            try:
                await line.lost.wait()
            finally:
                await line.ended()
            await self._sleep(wait_s)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Take a message, to be sent at QoS 1; wait while the queue is full."""
        while len(self._waiting) >= self.limits.queue:
            self._room.clear()
            await self._room.wait()
        self._waiting.append((topic, payload, retain))
        self._empty.clear()
        self._pump()

    async def drained(self, within_s: float) -> bool:
        """Wait until all is acknowledged; return whether it was, in time."""
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def leave(self) -> None:
        """Say goodbye, so that the will is not sent, and hang up."""
        if self._line is not None:
            self._line.send(packets.DISCONNECT)
            self._line.close()

    def cut(self) -> None:
        """Break the connection as a pulled cable would."""
        if self._line is not None:
            self._line.abort()

    def _tell(self, error: Exception) -> None:
        """A broker that is away comes back; one that refuses wants somebody to look."""
        level = logging.WARNING if isinstance(error, ConnectionRefused) else logging.DEBUG
        facts = {"device": self.identity.name, "why": str(error) or type(error).__name__}
        log.log(level, "device not connected", extra=facts)

    async def _connect(self) -> "_Line":
        loop, line = asyncio.get_running_loop(), _Line(self)
        try:
            async with asyncio.timeout(_ANSWER_S):  # wait_for may swallow a cancellation
                await loop.create_connection(
                    lambda: line, self.door.host, self.door.port, ssl=self.door.tls
                )
                await line.accepted
        except BaseException:
            await line.ended()
            raise
        self._begin(line)
        return line

    def _begin(self, line: "_Line") -> None:
        """Resend what the last connection left open, then go on."""
        self._line = line
        self.counts.connected += 1
        if self._listen_to:
            line.send(packets.subscribe(self._listen_to, self._next_id()))
        for packet in self._inflight.values():
            line.send(packets.again(packet))
            self.counts.resent += 1
        self.connected.set()
        self._pump()

    def _pump(self) -> None:
        """Send what is waiting, as far as the window and the line allow."""
        line = self._line
        while (
            line is not None
            and line.writable
            and self._waiting
            and len(self._inflight) < self.limits.window
        ):
            topic, payload, retain = self._waiting.popleft()
            number = self._next_id()
            packet = packets.publish(topic, payload, number, retain=retain)
            self._inflight[number] = packet
            line.send(packet)
            self.counts.published += 1
        if len(self._waiting) < self.limits.queue:
            self._room.set()

    def _next_id(self) -> int:
        self._last_id = self._last_id % _HIGHEST_ID + 1
        while self._last_id in self._inflight:
            self._last_id = self._last_id % _HIGHEST_ID + 1
        return self._last_id

    def acknowledged(self, number: int) -> None:
        """Forget the message ``number``: the broker has it."""
        if self._inflight.pop(number, None) is not None:
            self.counts.acked += 1
        self._pump()
        if not self.unacknowledged:
            self._empty.set()

    def heard(self, message: packets.Published) -> None:
        """Pass on what the broker sent."""
        self.counts.received += 1
        if self._on_message is not None:
            self._on_message(message.topic, message.payload)

    def resumed(self) -> None:
        """Go on sending: the line takes bytes again."""
        self._pump()

    def hung_up(self, line: "_Line") -> None:
        """Note that ``line`` is gone."""
        if self._line is line:
            self._line = None
            self.connected.clear()
            self.subscribed.clear()


class _Line(asyncio.Protocol):
    """One TCP connection of a client."""

    def __init__(self, client: Client) -> None:
        loop = asyncio.get_running_loop()
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._clock: asyncio.TimerHandle | None = None
        self._answered = True
        self.writable = False
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce the device."""
        self._transport = cast(asyncio.Transport, transport)
        self.writable = True
        who, keep_alive_s = self._client.identity, self._client.limits.keep_alive_s
        login = packets.Login(who.name, who.password)
        self.send(packets.connect(who.name, login, who.will_topic, who.will, keep_alive_s))
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Act on every whole packet."""
        self._buffer += data
        try:
            for packet in packets.taken(self._buffer):
                self._act_on(packet)
        except (packets.BrokenPacket, UnicodeDecodeError):
            self.abort()

    def pause_writing(self) -> None:
        """Stop: the broker does not keep up."""
        self.writable = False

    def resume_writing(self) -> None:
        """Go on."""
        self.writable = True
        self._client.resumed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait."""
        self.writable = False
        if self._clock is not None:
            self._clock.cancel()
        if not self.accepted.done():
            self.accepted.set_exception(ConnectionResetError("hung up before the CONNACK"))
            self.accepted.exception()
        self._client.hung_up(self)
        self.lost.set()

    def send(self, data: bytes) -> None:
        """Write ``data``."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Hang up after what is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    async def ended(self) -> None:
        """Return when the socket is closed; a line that was not told to close is cut."""
        await asyncio.sleep(0)  # a connection made this instant has not told us yet
        if self._transport is None:
            return
        if not self._transport.is_closing():
            self._transport.abort()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self.lost.wait()
        except TimeoutError:
            self._transport.abort()
            await self.lost.wait()

    def _act_on(self, packet: packets.Packet) -> None:
        self._answered = True
        if packet.type == packets.PUBACK:
            self._client.acknowledged(packets.packet_id(packet.body))
        elif packet.type == packets.PUBLISH:
            message = packets.published(packet)
            if message.id:
                self.send(packets.puback(message.id))
            self._client.heard(message)
        elif packet.type == packets.CONNACK:
            self._on_connack(packet.body)
        elif packet.type == packets.SUBACK:
            self._client.subscribed.set()

    def _on_connack(self, body: bytes) -> None:
        code = body[1] if len(body) == 2 else -1
        if self.accepted.done():
            return
        if code == 0:
            self.accepted.set_result(None)
            return
        self._client.counts.refused += 1
        why = _REFUSALS.get(code, f"code {code}")
        self.accepted.set_exception(
            ConnectionRefused(f"{self._client.identity.name} was refused: {why}")
        )

    def _watch(self) -> None:
        """Ping twice per keep-alive; hang up on a broker that said nothing since the last one."""
        if self._transport is None or self._transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        self._clock = loop.call_later(self._client.limits.keep_alive_s / 2, self._ping)

    def _ping(self) -> None:
        if not self._answered:
            self.abort()
            return
        self._answered = False
        self.send(packets.PING)
        self._watch()
