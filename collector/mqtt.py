"""Messages from somebody else's broker, through paho: acknowledged only once they are durable.

The session is never clean and the client id fixed, so that the broker keeps what comes while we
are away. What is not acknowledged when a connection ends is sent again on the next one. A broker
that does not speak MQTT 5 is spoken to in 3.1.1.
"""

import logging
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector.address import NO_CERTIFICATES, Address, Certificates, address
from collector.client import BulkClient, PatientClient, differences
from collector.committer import Committer, Parcel
from collector.exchange import is_request
from collector.fields import Reason
from collector.status import Status
from collector.waiting import Waiting
from desk.arrival import Arrival
from equipment.sparkplug import NAMESPACE
from equipment.wire import PAYLOAD_LIMIT, ROOT

log = logging.getLogger(__name__)

CLIENT_ID: Final = "fieldcare-collector"
EVERYTHING: Final = (f"{ROOT}/+/+/+", f"{NAMESPACE}/+/+/+", f"{NAMESPACE}/+/+/+/+")
RECEIVE_MAXIMUM: Final = 10_000
PACKET_LIMIT: Final = 2**20
SESSION_S: Final = 7 * 24 * 3600
WAITING_MESSAGES: Final = 20_000
WAITING_BYTES: Final = 64 * 2**20
KEEP_ALIVE_S: Final = 30
COMMANDS_WAITING: Final = 1000
_LONGEST_PAUSE_S: Final = 30.0
_WORTH_TELLING_S: Final = 2.0
_LASTED_S: Final = 10.0
_GOODBYE_S: Final = 5.0
_FILTERS_AT_ONCE: Final = 500
_RETAINED_IF_NEW: Final = 1
_OK: Final = MQTTErrorCode.MQTT_ERR_SUCCESS


class _Receipt(NamedTuple):
    """Which messages of which connection to acknowledge, and what they counted for."""

    connection: int
    messages: int
    size: int
    pids: Sequence[bytes]


def listen(
    url: str,
    committer: Committer,
    *,
    client_id: str = CLIENT_ID,
    topics: Sequence[str] = EVERYTHING,
    certificates: Certificates = NO_CERTIFICATES,
    bulk: bool = True,
) -> "Broker":
    """Receive from the broker at ``url`` (mqtt://user:password@host:port, or mqtts://).

    Returns at once; a broker that is away is tried again until ``stop``. Without ``bulk``, or with
    a paho that is another inside, every message goes through paho. Raises BadAddress.
    """
    where = address(url, certificates)
    other = differences() if bulk else []
    if other:
        log.warning("paho is another inside, messages are read singly", extra={"where": other})
    broker = Broker(where, committer, client_id, topics, bulk=bulk and not other)
    broker.start()
    return broker


class Broker:
    """A connection to a broker that somebody else runs."""

    def __init__(
        self,
        where: Address,
        committer: Committer,
        client_id: str,
        topics: Sequence[str],
        *,
        bulk: bool = True,
    ) -> None:
        self._where, self._committer, self._bulk = where, committer, bulk
        self._client_id, self._topics = client_id, tuple(topics)
        self._status = Status(client_id)
        self._room = threading.Event()
        self._room.set()
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._client = self._new_client()
        self._connection = 0
        self._waiting = Waiting(WAITING_MESSAGES, WAITING_BYTES)
        self._counting = threading.Lock()
        self._closing = self._pushed_out = False
        self._stopping, self._subscribed = threading.Event(), threading.Event()
        self._asked: dict[int, Sequence[str]] = {}
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)
        self._connected_at = self._stopped_at = 0.0
        self._failures = 0
        self._away_s: float | None = None
        self.trouble = "not connected yet"

    # -- from other threads

    def start(self) -> None:
        """Connect, and connect again whenever needed, from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Acknowledge what was taken, then disconnect; the broker keeps the session."""
        self._closing = True
        self._room.clear()
        until = time.monotonic() + _GOODBYE_S
        while self.connected and self.waiting[0] and time.monotonic() < until:
            time.sleep(0.01)
        self._stopping.set()
        self._thread.join(2 * _GOODBYE_S)

    def wait_until_subscribed(self, timeout_s: float) -> bool:
        """Return whether the broker took the subscriptions, waiting for it if need be."""
        return self._subscribed.wait(timeout_s)

    @property
    def connected(self) -> bool:
        """Whether messages can come at the moment."""
        return self._subscribed.is_set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs that connects, again and again."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and bytes that were taken and are not yet committed and acknowledged."""
        with self._counting:
            return self._waiting.messages, self._waiting.size

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a request to a device."""
        self._client.publish(topic, payload, qos, retain)

    def subscribe(self, topics: Sequence[str]) -> None:
        """Receive what comes on ``topics`` as well, now and on every later connection."""
        known = frozenset(self._topics)
        more = tuple(topic for topic in topics if topic not in known)
        self._topics += more
        if self._connected_at:
            self._ask_for(more)

    def kept(self, receipts: Sequence[Any]) -> None:
        """Acknowledge to the broker; called by the committer.

        A receipt of an earlier connection is void: its number may mean another message by now.
        """
        with self._counting:
            for receipt in receipts:
                self._waiting.add(-receipt.messages, -receipt.size)
            if not self._room.is_set() and not self._closing and not self._waiting.above(0.5):
                self._room.set()
                stopped_s = round(time.monotonic() - self._stopped_at, 1)
                if stopped_s > _WORTH_TELLING_S:
                    log.warning("read nothing until the store caught up", extra={"s": stopped_s})
            now = self._connection
            self._client.acknowledge(
                [pid for receipt in receipts if receipt.connection == now for pid in receipt.pids]
            )

    # -- the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._converse()
            except Exception:
                log.exception("the broker connection failed, trying again")
                self._subscribed.clear()
            if self._client.protocol == self._protocol:
                self._stopping.wait(self._pause_s())
            else:
                self._client = self._new_client()

    def _new_client(self) -> PatientClient:
        where, asked = self._where, None
        client: PatientClient = (
            BulkClient(self._room, self._client_id, self._protocol, self._take)
            if self._bulk
            else PatientClient(self._room, self._client_id, self._protocol)
        )
        client.on_socket_open, client.on_socket_close = self._on_open, self._on_close
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_message = self._on_subscribe, self._on_message
        client.max_queued_messages_set(COMMANDS_WAITING)
        if where.user:
            client.username_pw_set(where.user, where.password)
        if where.tls is not None:
            client.tls_set_context(where.tls)
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            asked.SessionExpiryInterval = SESSION_S
            asked.ReceiveMaximum, asked.MaximumPacketSize = RECEIVE_MAXIMUM, PACKET_LIMIT
            client.connect_async(
                where.host, where.port, KEEP_ALIVE_S, clean_start=False, properties=asked
            )
        else:
            client.connect_async(where.host, where.port, KEEP_ALIVE_S)
        return client

    def _converse(self) -> None:
        """Connect, and return when the connection has ended."""
        self._connected_at = 0.0
        self._status.next()
        try:
            self._client.will_set(self._status.topic, self._status.say("lost"), 1, retain=True)
            self._client.reconnect()
        except OSError as error:
            self._complain("the broker cannot be reached", str(error))
            return
        while self._client.loop(0.5) == _OK:
            if self._stopping.is_set():
                self._say_goodbye()
                return

    def _say_goodbye(self) -> None:
        """Disconnect; a broker that does not take it is left."""
        if self.connected:
            self.publish(self._status.topic, self._status.say("stopped"), qos=0, retain=True)
        self._client.disconnect()
        until = time.monotonic() + _GOODBYE_S
        while time.monotonic() < until and self._client.loop(0.1) == _OK:
            pass

    def _pause_s(self) -> float | None:
        """Return how long to stay away: ever longer while connections fail or do not last."""
        if self._pushed_out:
            self._pushed_out = False
            return self._away_s
        lasted = self._lasted_s() > _LASTED_S
        self._failures = 0 if lasted else self._failures + 1
        return float(min(2**self._failures, _LONGEST_PAUSE_S))

    def _lasted_s(self) -> float:
        return time.monotonic() - self._connected_at if self._connected_at else 0.0

    def _complain(self, what: str, why: str) -> None:
        """Log ``what`` is wrong; the same again only once in a while."""
        said = f"{what}: {why}"
        if said != self.trouble or self._failures % 20 == 0:
            log.error(what, extra={"host": self._where.host, "why": why})
        self.trouble = said

    def _ask_for(self, topics: Sequence[str]) -> None:
        five = self._protocol == MQTTProtocolVersion.MQTTv5
        asked: Any = SubscribeOptions(qos=1, retainHandling=_RETAINED_IF_NEW) if five else 1
        for first in range(0, len(topics), _FILTERS_AT_ONCE):
            some = topics[first : first + _FILTERS_AT_ONCE]
            with self._counting:  # the answer may be faster than we are
                _, mid = self._client.subscribe([(topic, asked) for topic in some])
                if mid is not None:
                    self._asked[mid] = some

    # -- paho calls these, in the thread

    def _on_open(self, _client: Client, _data: Any, opened: Any) -> None:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_close(self, _client: Client, _data: Any, _closed: Any) -> None:
        with self._counting:
            self._connection += 1

    def _on_connect(
        self, _client: Client, _data: Any, flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            if reason.value == Reason.UNSUPPORTED_VERSION:
                self._protocol = MQTTProtocolVersion.MQTTv311
            self._complain("the broker refuses us", str(reason))
            return
        self._connected_at = time.monotonic()
        self._asked.clear()
        self._client.subscribe(self._status.topic, 0)
        self._ask_for(self._topics)
        facts = {"host": self._where.host, "session": bool(flags.session_present)}
        log.info("connected to the broker", extra=facts)

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        self._subscribed.clear()
        if self._stopping.is_set() or not self._connected_at:
            return
        if reason.value == Reason.TAKEN_OVER:
            self._leave_it_to_the_other()
        elif not self._pushed_out:
            self._complain("broker connection lost", str(reason))

    def _leave_it_to_the_other(self) -> None:
        self._pushed_out = True
        self._away_s = self._status.pause_s(time.monotonic())
        log.error(
            "another client uses our client id, we leave the session to it: two of one shard?",
            extra={"client": self._client_id, "away_s": self._away_s or "for good"},
        )
        self.trouble = "another client uses our client id"
        self._client.disconnect()

    def _on_subscribe(
        self, _client: Client, _data: Any, mid: int, reasons: Sequence[Any], _properties: Any
    ) -> None:
        with self._counting:
            topics = self._asked.pop(mid, ())
        for topic, reason in zip(topics, reasons, strict=False):
            if reason.is_failure:
                log.error("the broker refuses a topic", extra={"topic": topic, "why": str(reason)})
        if not self._asked and not self._pushed_out:
            self.publish(self._status.topic, self._status.say("online"), retain=True)
            self.trouble = ""
            self._subscribed.set()

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            log.error("a topic is not UTF-8, its message is left out", extra={"why": str(error)})
            client.ack(message.mid, message.qos)
            return
        told = self._protocol == MQTTProtocolVersion.MQTTv5
        if topic == self._status.topic and self._status.another(message.payload, told=told):
            self._leave_it_to_the_other()
        if is_request(topic) or topic == self._status.topic:
            client.ack(message.mid, message.qos)
            return
        if isinstance(client, BulkClient):
            client.learn(topic)
        arrival = Arrival(None, topic, bytes(message.payload[: PAYLOAD_LIMIT + 1]), message.retain)
        pids = [message.mid.to_bytes(2, "big")] if message.qos else []  # QoS 2 is never granted
        self._take([arrival], pids, len(arrival.payload) + 100)

    def _take(self, arrivals: list[Arrival], pids: list[bytes], size: int) -> None:
        """Hand messages to the committer; above the limits nothing more is read."""
        with self._counting:
            self._waiting.add(len(arrivals), size)
            if self._waiting.above(1.0) and self._room.is_set():
                self._room.clear()
                self._stopped_at = time.monotonic()
        receipt = _Receipt(self._connection, len(arrivals), size, pids)
        self._committer.put(Parcel(self, arrivals, size, receipt))
