"""Builders: a broker on paper, which says what it is told to, and a collector connected to it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from collector.committer import Committer
from collector.mqtt import Broker, listen
from collector.packets import (
    SUBACK,
    V5,
    Ack,
    Connack,
    Connect,
    Granted,
    Packet,
    Ping,
    Publish,
    Subscribe,
    decode,
    encode,
    frame,
)
from tests.collector.given_endpoint import PATIENCE_S, Recorder


class PaperBroker:
    """Accepts one collector after the other, answers what must be answered, notes the rest."""

    def __init__(self, oldest: int = 0) -> None:
        """Refuse what speaks a version above ``oldest``, if given, as an old broker does."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.port = self._listener.getsockname()[1]
        self._oldest = oldest
        self.acked: list[int] = []
        self.published: list[Publish] = []
        self.connects: list[Connect] = []
        self.subscribed: list[str] = []
        self.granting = True
        self._ready = threading.Event()
        self._changed = threading.Condition()
        self._talking: socket.socket | None = None
        self.version = V5
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                talking, _ = self._listener.accept()
                with closing(talking), suppress(OSError):
                    self._talking = talking
                    self._listen(talking)
                self._ready.clear()

    def _listen(self, talking: socket.socket) -> None:
        tail = b""
        while more := talking.recv(65536):
            tail += more
            while (found := frame(tail, 0) if tail else None) and found.end <= len(tail):
                packet = decode(found.first, tail, found.start, found.end, self.version)
                tail = tail[found.end :]
                with self._changed:
                    self._note(packet, talking)
                    self._changed.notify_all()

    def _note(self, packet: Packet, talking: socket.socket) -> None:
        if isinstance(packet, Connect):
            self.connects.append(packet)
            self.version = packet.version
            if self._oldest and packet.version > self._oldest:
                talking.sendall(encode(Connack(False, 1), self._oldest))
                talking.shutdown(socket.SHUT_RDWR)
                return
            talking.sendall(encode(Connack(), self.version))
        elif isinstance(packet, Subscribe):
            self.subscribed += [wanted.filter for wanted in packet.wanted]
            if not self.granting:
                return
            talking.sendall(encode(Granted(SUBACK, packet.pid, (1,)), self.version))
            self._ready.set()
        elif isinstance(packet, Ack):
            self.acked.append(packet.pid)
        elif isinstance(packet, Publish):
            self.published.append(packet)
        elif isinstance(packet, Ping):
            talking.sendall(b"\xd0\x00")

    def say(self, data: bytes, piece: int = 1 << 30) -> None:
        """Send ``data`` in pieces of so many bytes."""
        assert self._ready.wait(PATIENCE_S)
        assert self._talking is not None
        for start in range(0, len(data), piece):
            self._talking.sendall(data[start : start + piece])

    def hang_up(self) -> None:
        """End the connection."""
        assert self._talking is not None
        self._ready.clear()
        self._talking.shutdown(socket.SHUT_RDWR)

    def wait_for_acks(self, count: int) -> list[int]:
        """Return the identifiers that were acknowledged, once there are ``count``."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.acked) >= count, PATIENCE_S), self.acked
        return self.acked

    def close(self) -> None:
        """End for good."""
        self._listener.close()
        if self._talking is not None:
            self._talking.close()


@contextmanager
def paper(
    oldest: int = 0, *, bulk: bool = True, granting: bool = True
) -> Iterator[tuple[PaperBroker, Broker, Recorder]]:
    """Connect a collector to a broker on paper, which may be slow in granting what is asked for."""
    sink, server = Recorder(), PaperBroker(oldest)
    server.granting = granting
    committer = Committer(sink)
    committer.start()
    broker = listen(f"mqtt://127.0.0.1:{server.port}", committer, bulk=bulk)
    try:
        assert not granting or broker.wait_until_subscribed(PATIENCE_S)
        yield server, broker, sink
    finally:
        sink.open.set()
        broker.stop()
        committer.stop()
        server.close()
