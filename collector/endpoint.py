"""Our own MQTT endpoint: devices connect to it, and a PUBACK means it is on disk.

It speaks MQTT 3.1.1 and 5 to devices and to a few trusted clients. It is not a general broker: no
shared subscriptions, no bridges, QoS 2 only as a courtesy to 3.1.1 (taken once per session,
not over a restart), letters are forwarded at QoS 1 at most. It runs an event loop in a thread of
its own.
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
from typing import Any, Final, NamedTuple

from collector.admission import Authenticate, Limits, Principal, operator_principal
from collector.committer import Committer, Parcel
from collector.connection import Connection
from collector.dialogue import Dialogue, Handful
from collector.exchange import Effects, Exchange
from collector.fields import Property, Reason
from collector.packets import Connect, Publish
from collector.session import Session
from collector.welcome import answer, keep_alive_s, refusal, session_s, window
from storage.mailbox import Client

try:
    import uvloop

    _new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
except ImportError:  # not on every system; asyncio's own loop does the same, slower
    _new_loop = asyncio.new_event_loop

log = logging.getLogger(__name__)

_SWEEP_S: Final = 1.0
_BACKLOG: Final = 1024
_ASKERS: Final = 2


class PutOff(NamedTuple):
    """A will that waits whether its client comes back."""

    timer: asyncio.TimerHandle
    message: Publish
    principal: Principal


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
        self._wills: dict[Session, PutOff] = {}
        self._waiting = [0, 0]  # messages and bytes handed in and not yet committed
        self._full = False
        self._turned_away = 0

    # -- from other threads

    def start(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
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
            backlog=_BACKLOG,
        )
        self.port = server.sockets[0].getsockname()[1]
        log.info("listening for devices", extra={"host": self._host, "port": self.port})
        return server

    async def _close(self, timeout_s: float) -> None:
        self._server.close()
        for task in self._asking:
            task.cancel()
        for connection in self._connections:
            connection.hold("stopping")
        until = self._loop.time() + timeout_s / 2
        while self._waiting[0] and self._loop.time() < until:
            await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            if connection.dialogue is not None:
                connection.dialogue.will_stands = False
            connection.part(Reason.SHUTTING_DOWN)
        while self._connections and self._loop.time() < until + timeout_s / 4:
            await asyncio.sleep(0.01)
        log.info("stopped listening", extra={"not_committed": self._waiting[0]})

    # -- what connections call

    def arrived(self, connection: Connection) -> bool:
        """Take note of a connection; return whether it may stay."""
        if len(self._connections) >= self.limits.connections:
            if not self._turned_away:
                log.error("too many connections", extra={"limit": self.limits.connections})
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
        effects = Effects()
        if connection.dialogue is not None and connection.dialogue.will_stands:
            self._will(connection.dialogue, connection.connect)
        if session.expiry_s == 0:
            self.exchange.end(session, effects)
        if effects.changes:
            self.submit(None, Handful(effects, [], 0), 0)

    def submit(self, connection: Connection | None, handful: Handful, size: int) -> None:
        """Have it committed, then released; above the limits nobody is read any more."""
        effects = handful.effects
        messages = len(effects.arrivals) + len(effects.changes) + 1
        self._waiting[0] += messages
        self._waiting[1] += size
        release = Release(connection, handful, messages, size)
        self._committer.put(Parcel(self, effects.arrivals, size, release, effects.changes))
        if not self._full and self._above(1.0):
            self._full = True
            log.warning("reading stopped until the store has caught up")
            for other in self._connections:
                if other.session is not None:
                    other.hold("full")

    def _above(self, share: float) -> bool:
        messages, size = self._waiting
        most = self.limits
        return messages > most.waiting_messages * share or size > most.waiting_bytes * share

    def _release(self, receipts: Sequence[Release]) -> None:
        replies: dict[Connection, list[bytes]] = {}
        published: dict[Connection, int] = {}
        for connection, handful, messages, size in receipts:
            self._waiting[0] -= messages
            self._waiting[1] -= size
            if connection is not None and handful.replies:
                replies.setdefault(connection, []).extend(handful.replies)
                published[connection] = published.get(connection, 0) + handful.published
        for connection, parts in replies.items():
            connection.release(parts, published[connection])
        self._deliver(receipts)
        if self._full and not self._above(0.5):
            self._full = False
            for connection in tuple(self._connections):
                connection.let_go("full")

    def _deliver(self, receipts: Sequence[Release]) -> None:
        touched: dict[Session, None] = {}
        for receipt in receipts:
            for session, number, letter in receipt.handful.effects.deliveries:
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
        principal = await self._principal(connect)
        if connection.closing:
            return
        reason = Reason.BAD_CREDENTIALS if principal is None else refusal(connect, self.limits)
        if principal is None or reason is not None:
            facts = {"client": connect.client[:100], "user": connect.username}
            log.warning("client refused", extra={**facts, "reason": reason})
            connection.refuse(reason or Reason.BAD_CREDENTIALS)
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
        elif session in self._wills:
            self._wills.pop(session).timer.cancel()

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

    def _will(self, dialogue: Dialogue, connect: Connect | None) -> None:
        """Publish the will of a vanished client, or put it off as it had asked."""
        will = connect.will if connect else None
        if will is None:
            return
        session = dialogue.session
        delay_s = min(will.properties.get(Property.WILL_DELAY, 0), session.expiry_s)
        timer = self._loop.call_later(delay_s, self._will_now, session)
        message = Publish(
            will.topic, will.payload, will.qos, 0, will.retain, False, will.properties
        )
        self._wills[session] = PutOff(timer, message, dialogue.principal)
        if not delay_s:
            self._will_now(session)

    def _will_now(self, session: Session) -> None:
        put_off = self._wills.pop(session, None)
        if put_off is not None:
            put_off.timer.cancel()
            self._publish(put_off.message, put_off.principal, session)

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
        effects = Effects()
        for session in tuple(self.exchange.expired(now)):
            self._will_now(session)
            self.exchange.end(session, effects)
        if effects.changes:
            self.submit(None, Handful(effects, [], 0), 0)
