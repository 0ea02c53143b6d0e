"""Session: what one client is owed, across its connections.

Letters of QoS 1 are numbered when they arrive, released to be sent once they are committed, in
flight until the client acknowledges them, and sent again on the next connection if it did not.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from collector.admission import Limits
from collector.fields import NONE, Properties, Property, Reader
from collector.packets import V5, Publish
from storage.mailbox import Client, Letter, SessionKept

_PIDS: Final = 0xFFFF


class Session:
    """One client's subscriptions and letters. ``expiry_s`` 0: it ends with its connection."""

    __slots__ = (
        "client",
        "connection",
        "dropped",
        "ended",
        "expiry_s",
        "filters",
        "gone_at",
        "inflight",
        "numbered",
        "owed",
        "owed_bytes",
        "received",
        "stored",
        "used_pid",
        "waiting",
    )

    def __init__(self, client: Client, expiry_s: int = 0) -> None:
        self.client = client
        self.expiry_s = expiry_s
        self.filters: dict[str, int] = {}
        self.waiting: deque[tuple[int, Letter]] = deque()
        self.inflight: dict[int, tuple[int, Letter]] = {}
        self.received: set[int] = set()  # QoS 2: seen, not yet released by the sender
        self.owed = 0  # letters numbered and not yet acknowledged, committed or not
        self.owed_bytes = 0
        self.stored = False  # whether the mailbox knows of it
        self.numbered = 0
        self.used_pid = 0
        self.dropped = 0
        self.ended = False
        self.gone_at = 0.0
        self.connection: Any = None  # collector.connection.Connection; it knows us, not we it

    @property
    def kept(self) -> SessionKept:
        """What the mailbox has to know of it."""
        return SessionKept(self.client, self.expiry_s, tuple(self.filters.items()))

    def number(self, letter: Letter, limits: Limits) -> int | None:
        """Return the number of a letter to come, None when too much is owed already."""
        size = _size(letter)
        if self.owed >= limits.queue or self.owed_bytes + size > limits.queue_bytes:
            self.dropped += 1
            return None
        self.owed += 1
        self.owed_bytes += size
        self.numbered += 1
        return self.numbered

    def restore(self, letters: dict[int, Letter]) -> None:
        """Take up the letters that were waiting when the process ended."""
        self.waiting.extend(sorted(letters.items()))
        self.owed = len(letters)
        self.owed_bytes = sum(map(_size, letters.values()))
        self.numbered = max(letters, default=0)

    def acknowledge(self, pid: int) -> int | None:
        """Return the number of the letter that is delivered now, None if there was none."""
        sent = self.inflight.pop(pid, None)
        if sent is None:
            return None
        number, letter = sent
        self._settled(letter)
        return number

    def _settled(self, letter: Letter) -> None:
        self.owed -= 1
        self.owed_bytes -= _size(letter)

    def again(self, window: int, version: int, now: float) -> Iterator[tuple[int, Publish]]:
        """Yield what was in flight when the last connection ended, with its number.

        What is more than the new connection's ``window`` waits once more.
        """
        for pid in reversed(tuple(self.inflight)[window:]):
            self.waiting.appendleft(self.inflight.pop(pid))
        for pid, (number, letter) in tuple(self.inflight.items()):
            yield number, publish(letter, version, pid, again=True, now=now)

    def next(self, window: int, version: int, now: float) -> tuple[int, Publish | None] | None:
        """Put the next waiting letter in flight and return it with its number.

        Returns None when nothing waits or ``window`` letters are in flight; the Publish is None
        for a letter that expired while it waited.
        """
        if not self.waiting or len(self.inflight) >= window:
            return None
        number, letter = self.waiting.popleft()
        if letter.expires_at and letter.expires_at <= now:
            self._settled(letter)
            return number, None
        pid = self._free_pid()
        self.inflight[pid] = (number, letter)
        return number, publish(letter, version, pid, now=now)

    def _free_pid(self) -> int:
        pid = self.used_pid
        while True:
            pid = pid % _PIDS + 1
            if pid not in self.inflight:
                self.used_pid = pid
                return pid


def _size(letter: Letter) -> int:
    return len(letter.topic) + len(letter.payload) + len(letter.properties)


class Delivery(NamedTuple):
    """A letter for a session, to be sent once it is committed; ``number`` 0 for QoS 0."""

    session: Session
    number: int
    letter: Letter


def publish(
    letter: Letter, version: int, pid: int = 0, *, again: bool = False, now: float = 0.0
) -> Publish:
    """Return the packet that carries ``letter`` to a client of this MQTT version."""
    values: dict[int, Any] = {}
    if version == V5:
        values.update(stored_properties(letter.properties).items())
    if version == V5 and letter.expires_at and now:
        values[Property.MESSAGE_EXPIRY] = max(1, int(letter.expires_at - now))
    return Publish(letter.topic, letter.payload, letter.qos, pid, letter.retain, again, values)


def stored_properties(encoded: bytes) -> Properties:
    """Return the properties of a letter."""
    if not encoded:
        return NONE
    return Reader(encoded, 0, len(encoded)).properties("publish")
