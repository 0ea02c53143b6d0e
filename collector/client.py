"""paho's client, heard faster: runs of plain messages go past paho, everything else through it.

paho connects, subscribes, publishes, keeps the connection alive and reads every packet that is not
plain. It reads through ``_sock_recv``: what was received lies in a buffer behind that method, and
paho finds there the one packet that ``collector.bulk`` left. Only the thread that calls ``loop``
reads and writes; other threads add to paho's queue of packets, which that thread writes out one
after the other.
"""

import contextlib
import inspect
import logging
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion

from collector.bulk import acknowledged, publishes
from collector.fields import Malformed
from collector.packets import V5, V311, frame
from desk.arrival import Arrival

log = logging.getLogger(__name__)

_CHUNK: Final = 256 * 1024
_PAUSE_S: Final = 0.1
_PACE_S: Final = 0.01
_BUSY: Final = 8 * 1024
_RECORDS: Final = 1000
_TOPICS_CACHED: Final = 200_000
_OK: Final = MQTTErrorCode.MQTT_ERR_SUCCESS
# What is used of paho's inside, with its parameters: the same in 2.1 and 2.2.
INSIDE: Final = {
    "_sock_recv": ["self", "bufsize"],
    "_packet_read": ["self"],
    "_packet_queue": ["self", "command", "packet", "mid", "qos", "info"],
    "_loop_rc_handle": ["self", "rc"],
}

Run = Callable[[list[Arrival], list[bytes], int], None]


def differences(kind: type = Client, inside: dict[str, list[str]] = INSIDE) -> list[str]:
    """Return what of paho's inside is not as it was when this was written; empty: all is."""
    found = []
    for name, expected in inside.items():
        method = getattr(kind, name, None)
        if method is None or list(inspect.signature(method).parameters) != expected:
            found.append(name)
    return found


class PatientClient(Client):
    """paho's client; it reads nothing while ``room`` is not set."""

    def __init__(self, room: threading.Event, client_id: str, protocol: MQTTProtocolVersion):
        old = protocol != MQTTProtocolVersion.MQTTv5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False if old else None,
            protocol=protocol,
            manual_ack=True,
        )
        self._room = room
        # Without this paho writes from whichever thread asks, and two of them mix up their bytes.
        self.on_socket_register_write = _leave_it_to_the_loop

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read what has come, if there is room for it."""
        return super().loop_read(max_packets) if self._room.wait(_PAUSE_S) else _OK

    def loop_misc(self) -> MQTTErrorCode:
        """Keep the connection alive; the answer to a ping may lie behind what is not read yet."""
        if not self._room.is_set():
            self._ping_t = 0.0
        return super().loop_misc()

    def acknowledge(self, pids: list[bytes]) -> None:
        """Acknowledge messages of QoS 1. From any thread."""
        for pid in pids:
            self.ack(int.from_bytes(pid, "big"), 1)


class BulkClient(PatientClient):
    """Hands runs of plain messages to ``on_run``: arrivals, packet identifiers, bytes.

    Plain is what ``collector.bulk`` says, on a topic that ``learn`` was told. All other messages
    go to paho's ``on_message``, in the order in which they came.
    """

    def __init__(
        self, room: threading.Event, client_id: str, protocol: MQTTProtocolVersion, on_run: Run
    ) -> None:
        super().__init__(room, client_id, protocol)
        self._version = V5 if protocol == MQTTProtocolVersion.MQTTv5 else V311
        self._on_run = on_run
        self._topics: dict[bytes, str] = {}
        self._tail = bytearray()  # the beginning of a packet that is not all there yet
        self._need = 0
        self._read_at = 0.0
        self._busy = False
        self._packet = b""  # the one that paho reads next
        self._taken = 0

    def learn(self, topic: str) -> None:
        """Let messages on ``topic`` be plain from now on."""
        if len(self._topics) < _TOPICS_CACHED:
            self._topics[topic.encode()] = topic

    def acknowledge(self, pids: list[bytes]) -> None:
        """Acknowledge messages of QoS 1 in one write. From any thread."""
        if pids:
            self._packet_queue(MessageType.PUBACK, acknowledged(pids), 0, 1)

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew; half a packet of the last connection is void."""
        self._tail.clear()
        self._need = 0
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read what has come, if there is room for it."""
        if not self._room.wait(_PAUSE_S):
            return _OK
        self._pace()
        try:
            data = self._received()
        except BlockingIOError:
            return _OK
        except OSError as error:
            log.debug("broker connection broke", extra={"why": str(error)})
            data = b""
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._busy = len(data) >= _BUSY
        try:
            return self._understand(data)
        except Malformed as error:
            log.error("the broker sends what is not MQTT", extra={"why": str(error)})
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)

    def _received(self) -> bytes:
        """Return what has come; through TLS one look gives one record, which may be one message.

        Raises BlockingIOError when nothing has.
        """
        data = super()._sock_recv(_CHUNK)
        if not isinstance(self.socket(), ssl.SSLSocket):
            return data
        records = [data]
        with contextlib.suppress(BlockingIOError):
            while records[-1] and len(records) < _RECORDS:
                records.append(super()._sock_recv(_CHUNK))
        return b"".join(records)

    def _pace(self) -> None:
        """Let a steady trickle gather in the kernel: a look at the socket costs several messages.

        Who was silent is read at once, and who fills a buffer without a pause.
        """
        left_s = self._read_at + _PACE_S - time.monotonic()
        if left_s > 0 and not self._busy:
            time.sleep(left_s)
        self._read_at = time.monotonic()

    def _sock_recv(self, bufsize: int) -> bytes:
        start = self._taken
        self._taken += bufsize
        return self._packet[start : self._taken]

    def _understand(self, data: bytes) -> MQTTErrorCode:
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return _OK
            data = bytes(self._tail)
            self._tail.clear()
        pos, size = 0, len(data)
        while pos < size:
            pos = self._run(data, pos)
            found = frame(data, pos)
            if found is None or found.end > size:
                self._need = found.end - pos if found else 0
                self._tail += memoryview(data)[pos:]
                break
            self._packet, self._taken = data[pos : found.end], 0
            rc = self._packet_read()
            if rc or self.socket() is None:
                return self._loop_rc_handle(rc)
            pos = found.end
        return _OK

    def _run(self, data: bytes, pos: int) -> int:
        arrivals: list[Arrival] = []
        pids: list[bytes] = []
        end = publishes(
            data,
            pos,
            self._topics,
            version=self._version,
            sender=None,
            arrivals=arrivals,
            pids=pids,
        )
        if arrivals:
            self._on_run(arrivals, pids, end - pos)
        return end


def _leave_it_to_the_loop(*_: Any) -> None:
    """Do nothing: the thread in ``loop`` was woken, and writes."""
