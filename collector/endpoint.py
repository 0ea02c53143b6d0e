"""Our own MQTT endpoint: devices connect to it, and a PUBACK means it is on disk.

It speaks MQTT 3.1.1 and 5 to devices and to a few trusted clients. It is not a general broker: no
shared subscriptions, no bridges, QoS 2 only as a courtesy (taken once per session, not over a
restart), letters are forwarded at QoS 1 at most. It runs an event loop in a thread of its own.
What differs from mosquitto, and why: docs/mqtt-endpoint.md.
"""

import asyncio
import contextlib
import logging
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Final, NamedTuple

from collector.admission import Authenticate, Limits, Principal, operator_principal
from collector.committer import Committer, Parcel
from collector.connection import Connection
from collector.descriptors import room_for
from collector.dialogue import Handful
from collector.exchange import Effects, Exchange
from collector.fields import Property, Reason
from collector.packets import Connect, Publish
from collector.session import Session
from collector.waiting import Waiting
from collector.welcome import answer, keep_alive_s, refusal, session_s, window
from collector.wills import LastWord, Wills
from storage.mailbox import Client

try:
    import uvloop

    _new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
except ImportError:  # not on every system; asyncio's own loop does the same, slower
    _new_loop = asyncio.new_event_loop

log = logging.getLogger(__name__)

_SWEEP_S: Final = 1.0
_BACKLOG: Final = 4096
_ASKERS: Final = 2


class Release(NamedTuple):
    """What may leave once it is committed, and what it counted for while it waited."""

    connection: Connection | None
    handful: Handful
    messages: int
    size: int


class Endpoint:
    """The server. ``start`` returns when it listens, ``stop`` when all is acknowledged."""

    def __init__(
        self,
        committer: Committer,
        authenticate: Authenticate,
        *,
        host: str = "127.0.0.1",
        port: int = 1883,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
        new_loop: Callable[[], asyncio.AbstractEventLoop] = _new_loop,
    ) -> None:
        self.limits = limits or Limits()
        self.exchange = Exchange(committer.mailbox.load(), self.limits, time.monotonic())
        self.port = port
        self.now = clock
        self._committer, self._authenticate = committer, authenticate
        self._host, self._tls = host, tls
        self._loop = new_loop()
        self._thread = threading.Thread(target=self._run, name="mqtt-endpoint", daemon=True)
        self._listening = threading.Event()
        self._failed: OSError | None = None
        self._askers = ThreadPoolExecutor(_ASKERS, "mqtt-authenticate")
        self._connections: set[Connection] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self._wills = Wills()
        self._handed_in: list[Release] = []
        self._partial = 0  # bytes of packets that are not complete
        self._waiting = Waiting(self.limits.waiting_messages, self.limits.waiting_bytes)
        self._full = self._stopping = False
        self._room = self.limits.connections
        self._turned_away = 0
        self.refused = 0

    # -- from other threads

    def start(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
        self._room = room_for(self.limits.connections)
        self._thread.start()
        self._listening.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed

    def stop(self, timeout_s: float = 10.0) -> None:
        """Take nothing new, acknowledge what was taken, say goodbye. The committer goes on."""
        if self._thread.is_alive():
            closing = asyncio.run_coroutine_threadsafe(self._close(timeout_s), self._loop)
            with contextlib.suppress(TimeoutError):
                closing.result(timeout_s + 1)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._askers.shutdown(wait=False, cancel_futures=True)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a letter to whoever is subscribed, now or when they are back."""
        message = Publish(topic, payload, qos, retain=retain)
        self._loop.call_soon_threadsafe(self._publish, message, operator_principal(), None)

    def cut(self, user: str, *, forget: bool = False) -> None:
        """End what ``user`` has open, at once: its credential holds no longer.

        With ``forget`` its sessions end too, and with them the letters that wait for it.
        """
        with contextlib.suppress(RuntimeError):  # the loop is gone after stop
            self._loop.call_soon_threadsafe(self._cut, user, forget)

    def kept(self, receipts: Sequence[Any]) -> None:
        """Release what is committed; called by the committer."""
        with contextlib.suppress(RuntimeError):  # the loop is gone after stop
            self._loop.call_soon_threadsafe(self._release, receipts)

    @property
    def connected(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and bytes that were taken and are not yet committed."""
        return self._waiting.messages, self._waiting.size

    def answers(self, timeout_s: float = 2.0) -> bool:
        """Return whether the loop still turns. Not to be called from it."""
        turned = threading.Event()
        with contextlib.suppress(RuntimeError):  # the loop is gone after stop
            self._loop.call_soon_threadsafe(turned.set)
        return turned.wait(timeout_s)

    # -- the loop

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._server = self._loop.run_until_complete(self._listen())
        except OSError as error:
            self._failed = error
            self._listening.set()
            self._loop.close()
            return
        self._listening.set()
        sweeping = self._loop.create_task(self._sweep_forever())
        self._loop.run_forever()
        sweeping.cancel()
        self._loop.run_until_complete(asyncio.gather(sweeping, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        server = await self._loop.create_server(
            lambda: Connection(self, time.monotonic),
            self._host,
            self.port,
            ssl=self._tls,
            ssl_handshake_timeout=self.limits.connect_s if self._tls else None,
            backlog=_BACKLOG,
        )
        self.port = server.sockets[0].getsockname()[1]
        log.info("listening for devices", extra={"host": self._host, "port": self.port})
        return server

    async def _close(self, timeout_s: float) -> None:
        self._stopping = True
        self._server.close()
        await asyncio.sleep(0)  # whoever was accepted just now is turned away
        for task in self._asking:
            task.cancel()
        for connection in self._connections:
            connection.hold("stopping")
        for session, word in self._wills.due(float("inf")):
            self._say(session, word)
        until = self._loop.time() + timeout_s / 2
        while self._waiting.messages and self._loop.time() < until:
            await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            if connection.dialogue is not None:
                connection.dialogue.will_stands = False
            connection.part(Reason.SHUTTING_DOWN)
        while self._connections and self._loop.time() < until + timeout_s / 4:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)  # the last sockets are closed in the next turns of the loop
        log.info("stopped listening", extra={"not_committed": self._waiting.messages})

    # -- what connections call

    def arrived(self, connection: Connection) -> bool:
        """Take note of a connection; return whether it may stay."""
        if self._stopping:
            return False
        if len(self._connections) >= self._room:
            if not self._turned_away:
                log.error("too many connections", extra={"limit": self._room})
            self._turned_away += 1
            return False
        self._turned_away = 0
        self._connections.add(connection)
        return True

    def lost(self, connection: Connection) -> None:
        """Take note that the connection is no more: its will, its session."""
        self._connections.discard(connection)
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection = None
        session.gone_at = time.monotonic()
        will = connection.connect.will if connection.connect else None
        if connection.dialogue and connection.dialogue.will_stands and will:
            principal = connection.dialogue.principal
            self._wills.put_off(will, session, principal, session.gone_at)
            for _, word in self._wills.due(session.gone_at):
                self._say(session, word)
        effects = Effects()
        if session.expiry_s == 0:
            self.exchange.end(session, effects)
        if effects.changes:
            self.submit(None, Handful(effects, [], 0), 0)

    def partial(self, change: int) -> bool:
        """Count the bytes of packets that are not complete; return whether there is room."""
        self._partial += change
        return change < 0 or self._partial <= self.limits.partial_bytes

    def submit(self, connection: Connection | None, handful: Handful, size: int) -> None:
        """Have it committed, then released; above the limits nobody is read any more.

        What comes in one turn of the loop goes to the committer as one parcel.
        """
        effects = handful.effects
        messages = len(effects.arrivals) + len(effects.changes) + 1
        self._waiting.add(messages, size)
        if not self._handed_in:
            self._loop.call_soon(self._hand_in)
        self._handed_in.append(Release(connection, handful, messages, size))
        if not self._full and self._waiting.above(1.0):
            self._full = True
            log.warning("reading stopped until the store has caught up")
            for other in self._connections:
                if other.session is not None:
                    other.hold("full")

    def _hand_in(self) -> None:
        releases, self._handed_in = self._handed_in, []
        effects = [release.handful.effects for release in releases]
        arrivals = list(chain.from_iterable(e.arrivals for e in effects))
        changes = list(chain.from_iterable(e.changes for e in effects))
        size = sum(release.size for release in releases)
        self._committer.put(Parcel(self, arrivals, size, releases, changes))

    def _release(self, receipts: Sequence[Sequence[Release]]) -> None:
        releases = list(chain.from_iterable(receipts))
        replies: dict[Connection, list[bytes]] = {}
        published: dict[Connection, int] = {}
        for connection, handful, messages, size in releases:
            self._waiting.add(-messages, -size)
            if connection is not None and handful.replies:
                replies.setdefault(connection, []).extend(handful.replies)
                published[connection] = published.get(connection, 0) + handful.published
        for connection, parts in replies.items():
            connection.release(parts, published[connection])
        self._deliver(releases)
        if self._full and not self._waiting.above(0.5):
            self._full = False
            for connection in tuple(self._connections):
                connection.let_go("full")

    def _deliver(self, releases: Sequence[Release]) -> None:
        touched: dict[Session, None] = {}
        for release in releases:
            for session, number, letter in release.handful.effects.deliveries:
                if session.ended:
                    continue
                if number:
                    session.waiting.append((number, letter))
                    touched[session] = None
                elif session.connection is not None:
                    session.connection.send(letter)
        for session in touched:
            if session.connection is not None:
                session.connection.flush()

    def _publish(self, message: Publish, principal: Principal, by: Session | None) -> None:
        effects = Effects()
        self.exchange.take(message, principal, by, now=self.now(), effects=effects)
        self.submit(None, Handful(effects, [], 0), len(message.payload))

    # -- coming

    def admit(self, connection: Connection, connect: Connect) -> None:
        """Ask who it is, apart from the loop, for the answer may take a while."""
        task = self._loop.create_task(self._admit(connection, connect))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _admit(self, connection: Connection, connect: Connect) -> None:
        reason = refusal(connect, self.limits)
        principal = None if reason else await self._principal(connect)
        if connection.closing:
            return
        if principal is None:
            reason = reason or Reason.BAD_CREDENTIALS
            facts = {"client": connect.client[:100], "user": connect.username}
            self.refused += 1
            log.warning("client refused", extra={**facts, "reason": reason})
            connection.refuse(reason)
            return
        self._welcome(connection, connect, principal)

    async def _principal(self, connect: Connect) -> Principal | None:
        user = connect.username or ""
        try:
            password = (connect.password or b"").decode()
            asked = self._loop.run_in_executor(self._askers, self._authenticate, user, password)
            return await asked
        except UnicodeDecodeError:
            return None
        except Exception:
            log.exception("authentication failed to answer", extra={"user": user})
            return None

    def _welcome(self, connection: Connection, connect: Connect, principal: Principal) -> None:
        client = Client(connect.username or "", connect.client or f"auto-{secrets.token_hex(8)}")
        self._take_over(client, connect.clean)
        effects = Effects()
        opened = self.exchange.open(
            client,
            clean=connect.clean,
            expiry_s=session_s(connect, self.limits),
            most=principal.sessions,
            effects=effects,
        )
        if effects.changes:
            self.submit(None, Handful(effects, [], 0), 0)
        if opened is None:
            log.warning("too many sessions", extra={"user": client.user})
            connection.refuse(Reason.QUOTA)
            return
        session, present = opened
        session.connection = connection
        connection.window = window(connect, self.limits)
        connection.largest = connect.properties.get(Property.MAXIMUM_PACKET, 0)
        connection.keep_alive_s = keep_alive_s(connect, self.limits)
        if self._full:
            connection.hold("full")
        welcome = answer(connect, self.limits, client=client.id, present=present)
        connection.admitted(session, principal, welcome)

    def _take_over(self, client: Client, clean: bool) -> None:
        """Part with the connection that has the session; a will that is put off is off, or due."""
        session = self.exchange.sessions.get(client)
        if session is None:
            return
        if session.connection is not None:
            session.connection.part(Reason.TAKEN_OVER)
            self.lost(session.connection)
        if clean:
            self._will_now(session)
        else:
            self._wills.call_off(session)

    # -- going

    def _cut(self, user: str, forget: bool) -> None:
        """Part with every connection of ``user``, also one whose password is being checked."""
        for connection in tuple(self._connections):
            if connection.connect is not None and (connection.connect.username or "") == user:
                connection.part(Reason.NOT_AUTHORIZED)
        effects = Effects()
        for session in self.exchange.sessions_of(user) if forget else ():
            if session.connection is not None:
                self.lost(session.connection)
            self._will_now(session)
            self.exchange.end(session, effects)
        if effects.changes:
            self.submit(None, Handful(effects, [], 0), 0)
        log.info("client cut off", extra={"user": user, "forgotten": forget})

    def _will_now(self, session: Session) -> None:
        for _, word in self._wills.take(session):
            self._say(session, word)

    def _say(self, session: Session, word: LastWord) -> None:
        self._publish(word.message, word.principal, session)

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                self._sweep(time.monotonic())
            except Exception:
                log.exception("looking for silent clients failed")

    def _sweep(self, now: float) -> None:
        """Part with clients that went silent, and with sessions nobody came back to."""
        for connection in tuple(self._connections):
            silent_s = now - connection.heard_at
            if connection.session is None:
                if silent_s > self.limits.connect_s:
                    connection.close()
            elif 0 < 1.5 * connection.keep_alive_s < silent_s and not connection.patient:
                connection.part(Reason.KEEP_ALIVE)
            elif 0 < connection.clogged_at < now - self.limits.stall_s:
                connection.part(Reason.QUOTA, "takes too little of what it asked for")
        for session, word in self._wills.due(now):
            self._say(session, word)
        effects = Effects()
        self.exchange.outlived(self.now(), effects)
        for session in tuple(self.exchange.expired(now)):
            self._will_now(session)
            self.exchange.end(session, effects)
        if effects.changes:
            self.submit(None, Handful(effects, [], 0), 0)
