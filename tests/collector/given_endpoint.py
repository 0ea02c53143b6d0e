"""Builders: an endpoint with a sink that remembers, and a client that speaks raw packets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from collector.admission import Limits, Principal, device_principal, operator_principal
from collector.committer import Committer
from collector.endpoint import Endpoint
from collector.fields import Property
from collector.packets import (
    V5,
    V311,
    Connack,
    Connect,
    Granted,
    Packet,
    Subscribe,
    Wanted,
    decode,
    encode,
    frame,
)
from desk.arrival import Arrival
from storage.mailbox import Mailbox, MemoryMailbox

PATIENCE_S = 20.0
P = TypeVar("P")
TELE = "fc/v1/S1/D1/tele"
STATE = "fc/v1/S1/D1/state"
CMD = "fc/v1/S1/D1/cmd"
KEEP = {Property.SESSION_EXPIRY: 3600}
BOTH = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5"])


class Recorder:
    """A sink that remembers. It can be closed for a while, or told to fail."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.batches: list[int] = []
        self.acted: list[int] = []
        self.failing: list[Exception] = []
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self._changed = threading.Condition()

    def keep(self, arrivals: Sequence[Arrival]) -> Any:
        self.asked.set()
        self.open.wait(PATIENCE_S)
        if self.failing:
            raise self.failing.pop(0)
        with self._changed:
            self.arrivals.extend(arrivals)
            self.batches.append(len(arrivals))
            self._changed.notify_all()
        return len(arrivals)

    def act(self, kept: Any) -> None:
        self.acted.append(kept)

    def wait_for(self, count: int) -> list[Arrival]:
        """Return the arrivals once there are ``count`` of them."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.arrivals) >= count, PATIENCE_S)
        assert there, f"{len(self.arrivals)} of {count} arrived"
        return self.arrivals


def passwords(user: str, password: str) -> Principal | None:
    """Everybody's password is ``pw``; ``desk`` is trusted, everybody else is a device."""
    if password != "pw" or not user:
        return None
    return operator_principal() if user == "desk" else device_principal(user)


@dataclass
class Running:
    """An endpoint that runs, with what it writes to."""

    endpoint: Endpoint
    committer: Committer
    sink: Recorder

    @property
    def port(self) -> int:
        return self.endpoint.port


@contextmanager
def endpoint(
    limits: Limits | None = None,
    mailbox: Mailbox | None = None,
    authenticate: Callable[[str, str], Principal | None] = passwords,
    port: int = 0,
    **more: Any,
) -> Iterator[Running]:
    sink = Recorder()
    committer = Committer(sink, mailbox or MemoryMailbox())
    committer.start()
    server = Endpoint(committer, authenticate, port=port, limits=limits, **more)
    server.start()
    try:
        yield Running(server, committer, sink)
    finally:
        sink.open.set()
        server.stop()
        committer.stop()


class RawClient:
    """Sends packets and bytes, and waits for packets."""

    def __init__(self, port: int, version: int = V5) -> None:
        self.version = version
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.settimeout(PATIENCE_S)
        self._tail = b""
        self.welcome = Connack()

    def send(self, *packets: Packet) -> None:
        self.socket.sendall(b"".join(encode(packet, self.version) for packet in packets))

    def receive(self) -> Packet | None:
        """Return the next packet, None when the server has closed."""
        while True:
            found = frame(self._tail, 0) if self._tail else None
            if found is not None and found.end <= len(self._tail):
                data, self._tail = self._tail, self._tail[found.end :]
                return decode(found.first, data, found.start, found.end, self.version)
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self._tail += more

    def expect(self, kind: type[P]) -> P:
        packet = self.receive()
        assert isinstance(packet, kind), packet
        return packet

    def hears_nothing(self) -> bool:
        """Ask for a sign of life; return whether it is the next thing that comes."""
        self.socket.sendall(b"\xc0\x00")
        return type(self.receive()).__name__ == "Ping"

    def close(self) -> None:
        self.socket.close()


@contextmanager
def client(port: int, user: str = "D1", *, version: int = V5, **asked: Any) -> Iterator[RawClient]:
    """Connect as ``user`` and close abruptly at the end."""
    raw = RawClient(port, version)
    try:
        name = asked.pop("name", user)
        raw.send(Connect(name, version, username=user, password=b"pw", **asked))
        answer = raw.expect(Connack)
        assert not answer.reason, answer
        raw.welcome = answer
        yield raw
    finally:
        raw.close()


def kept(version: int) -> dict[str, Any]:
    """What to ask for so that the session outlives the connection."""
    return {"clean": False, "properties": KEEP if version == V5 else {}}


def subscribe(raw: RawClient, *wanted: str, qos: int = 1) -> tuple[int, ...]:
    raw.send(Subscribe(1, tuple(Wanted(name, qos) for name in wanted)))
    return raw.expect(Granted).reasons


def hangs_up(port: int) -> bool:
    """Return whether the server closes without a word."""
    with closing(RawClient(port)) as raw:
        return raw.receive() is None


def until(true: Any) -> None:
    """Return when ``true()`` is, looking now and then."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
