"""Messages from any MQTT 5 broker, through paho: acknowledged to it only once they are durable.

The session is never clean and the client id fixed, so that the broker keeps what comes while we
are away. What is not acknowledged when a connection ends is sent again on the next one.
"""

import logging
import ssl
import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector.committer import Committer, Parcel
from collector.exchange import is_request
from desk.arrival import Arrival
from equipment.wire import ROOT

log = logging.getLogger(__name__)

RECEIVE_MAXIMUM: Final = 1000
SESSION_S: Final = 7 * 24 * 3600
WAITING_MESSAGES: Final = 20_000
KEEP_ALIVE_S: Final = 30
_RETAINED_IF_NEW: Final = 1
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class BadAddress(ValueError):
    """A broker address that cannot be used; the text says what is wrong, never the password."""


class _Receipt(NamedTuple):
    """Which message of which connection to acknowledge."""

    connection: int
    mid: int
    qos: int


def listen(
    url: str,
    committer: Committer,
    *,
    client_id: str = "fieldcare-collector",
    topics: Sequence[str] = (f"{ROOT}/+/+/+",),
    ca_file: str | None = None,
) -> "Broker":
    """Receive from the broker at ``url`` (mqtt://user:password@host:port, or mqtts://).

    Returns at once; a broker that is away is tried again until ``stop``. Raises BadAddress.
    """
    broker = Broker(_address(url), committer, client_id, topics, ca_file)
    broker.start()
    return broker


def _address(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise BadAddress(f"scheme {parts.scheme!r} of the broker is none of mqtt, mqtts")
    if not parts.hostname:
        raise BadAddress("the broker's address names no host")
    try:
        _ = parts.port
    except ValueError as error:
        raise BadAddress(f"the broker's port is wrong: {error}") from None
    return parts


class Broker:
    """A connection to a broker that somebody else runs."""

    def __init__(
        self,
        address: SplitResult,
        committer: Committer,
        client_id: str,
        topics: Sequence[str],
        ca_file: str | None = None,
    ) -> None:
        self._host = address.hostname or ""
        self._port = address.port or _PORTS[address.scheme]
        self._committer, self._topics = committer, topics
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        if address.username:
            password = unquote(address.password) if address.password else None
            self._client.username_pw_set(unquote(address.username), password)
        if address.scheme == "mqtts":
            self._client.tls_set_context(ssl.create_default_context(cafile=ca_file))
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._connection = 0
        self._waiting = 0
        self._counting = threading.Lock()
        self._stopping = threading.Event()
        self._subscribed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        """Connect, and connect again whenever needed, from a thread."""
        asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        asked.SessionExpiryInterval = SESSION_S
        asked.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(
            self._host, self._port, KEEP_ALIVE_S, clean_start=False, properties=asked
        )
        self._thread.start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and what was not acknowledged."""
        self._stopping.set()
        self._client.disconnect()
        self._thread.join(10)

    def wait_until_subscribed(self, timeout_s: float) -> bool:
        """Return whether the broker took the subscriptions, waiting for it if need be."""
        return self._subscribed.wait(timeout_s)

    @property
    def connected(self) -> bool:
        """Whether messages can come at the moment."""
        return self._subscribed.is_set()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Send a request to a device."""
        self._client.publish(topic, payload, qos, retain)

    def kept(self, receipts: Sequence[Any]) -> None:
        """Acknowledge to the broker; called by the committer.

        A receipt of an earlier connection is void: its number may mean another message by now.
        """
        with self._counting:
            self._waiting -= len(receipts)
        for connection, mid, qos in receipts:
            if qos and connection == self._connection:
                self._client.ack(mid, qos)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._client.loop_forever(retry_first_connection=True)
            except Exception:
                log.exception("the broker connection failed, trying again")
            self._stopping.wait(1.0)

    # -- paho calls these; an exception in them would end its thread

    def _on_connect(
        self, client: Client, _data: Any, flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            log.error("the broker refuses us", extra={"host": self._host, "why": str(reason)})
            return
        self._connection += 1
        options = SubscribeOptions(qos=1, retainHandling=_RETAINED_IF_NEW)
        client.subscribe([(topic, options) for topic in self._topics])
        present = bool(flags.session_present)
        log.info("connected to the broker", extra={"host": self._host, "session": present})

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        self._subscribed.clear()
        if not self._stopping.is_set():
            log.warning("broker connection lost", extra={"host": self._host, "why": str(reason)})

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: Sequence[Any], _properties: Any
    ) -> None:
        for topic, reason in zip(self._topics, reasons, strict=False):
            if reason.is_failure:
                log.error("the broker refuses a topic", extra={"topic": topic, "why": str(reason)})
        self._subscribed.set()

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            self._take(client, message)
        except Exception:
            log.exception("a message could not be taken; it is not acknowledged")

    def _take(self, client: Client, message: MQTTMessage) -> None:
        if is_request(message.topic):
            client.ack(message.mid, message.qos)
            return
        with self._counting:
            if not message.qos and self._waiting >= WAITING_MESSAGES:
                self.dropped += 1  # nothing was promised for QoS 0, and every queue is bounded
                return
            self._waiting += 1
        arrival = Arrival(None, message.topic, bytes(message.payload), message.retain)
        receipt = _Receipt(self._connection, message.mid, message.qos)
        self._committer.put(Parcel(self, (arrival,), len(message.payload) + 100, receipt))
