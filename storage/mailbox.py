"""What MQTT clients were promised: their sessions, letters waiting for them, retained letters.

An engine writes all changes of one commit in one transaction, before anybody is told.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol


class Client(NamedTuple):
    """Whose session it is: a client identifier belongs to the user it came with."""

    user: str
    id: str


class Letter(NamedTuple):
    """A message on its way to a client.

    ``properties`` are those of MQTT 5 to pass on, encoded; ``expires_at`` is in s of the epoch,
    0 for never.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: bytes = b""
    expires_at: float = 0.0


class SessionKept(NamedTuple):
    """A session outlives its connection by ``expiry_s``; filters with their options byte."""

    client: Client
    expiry_s: int
    filters: tuple[tuple[str, int], ...]


class SessionGone(NamedTuple):
    """A session ended, and with it the letters that waited."""

    client: Client


class Queued(NamedTuple):
    """A letter waits for a client; its number grows within the session."""

    client: Client
    number: int
    letter: Letter


class Delivered(NamedTuple):
    """The client has acknowledged the letter."""

    client: Client
    number: int


class Retained(NamedTuple):
    """The letter is the last word on its topic; an empty payload takes it back."""

    letter: Letter


Change = SessionKept | SessionGone | Queued | Delivered | Retained


@dataclass(slots=True)
class Box:
    """All that is kept: sessions, what waits for them by number, and retained letters by topic."""

    sessions: dict[Client, SessionKept] = field(default_factory=dict)
    waiting: dict[Client, dict[int, Letter]] = field(default_factory=dict)
    retained: dict[str, Letter] = field(default_factory=dict)


class Mailbox(Protocol):
    """Where it is kept. ``write`` is called from one thread only."""

    def load(self) -> Box:
        """Return everything, to go on after a restart."""
        ...

    def write(self, changes: Sequence[Change]) -> None:
        """Keep all of ``changes`` durably, or none and raise; given again they do no harm."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class MemoryMailbox:
    """A mailbox that lasts as long as the process."""

    def __init__(self) -> None:
        self._box = Box()

    def load(self) -> Box:
        """Return a copy of everything."""
        waiting = {client: dict(letters) for client, letters in self._box.waiting.items()}
        return Box(dict(self._box.sessions), waiting, dict(self._box.retained))

    def write(self, changes: Sequence[Change]) -> None:
        """Keep ``changes``."""
        for change in changes:
            _apply(self._box, change)

    def close(self) -> None:
        """Keep everything for whoever opens it next."""


def _apply(box: Box, change: Change) -> None:
    match change:
        case SessionKept(client):
            box.sessions[client] = change
        case SessionGone(client):
            box.sessions.pop(client, None)
            box.waiting.pop(client, None)
        case Queued(client, number, letter):
            box.waiting.setdefault(client, {})[number] = letter
        case Delivered(client, number):
            box.waiting.get(client, {}).pop(number, None)
        case Retained(letter) if letter.payload:
            box.retained[letter.topic] = letter
        case Retained(letter):
            box.retained.pop(letter.topic, None)


_SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
  user TEXT, client TEXT, expiry_s INTEGER NOT NULL, filters TEXT NOT NULL,
  PRIMARY KEY (user, client)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
  user TEXT, client TEXT, number INTEGER, topic TEXT NOT NULL, payload BLOB NOT NULL,
  qos INTEGER NOT NULL, retain INTEGER NOT NULL, properties BLOB NOT NULL,
  expires_at REAL NOT NULL, PRIMARY KEY (user, client, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retained (
  topic TEXT PRIMARY KEY, payload BLOB NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL,
  properties BLOB NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID;
"""
_STATEMENTS: Mapping[str, str] = {
    "keep": "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)",
    "end": "DELETE FROM session WHERE user = ? AND client = ?",
    "empty": "DELETE FROM waiting WHERE user = ? AND client = ?",
    "queue": "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "deliver": "DELETE FROM waiting WHERE user = ? AND client = ? AND number = ?",
    "retain": "INSERT OR REPLACE INTO retained VALUES (?, ?, ?, ?, ?, ?)",
    "forget": "DELETE FROM retained WHERE topic = ?",
}


class SqliteMailbox:
    """A mailbox in one SQLite file; ``write`` returns when the disk has it."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def load(self) -> Box:
        """Return everything, read from the file."""
        box = Box()
        for user, id, expiry_s, filters in self._db.execute("SELECT * FROM session"):
            client = Client(user, id)
            kept = tuple((wanted, options) for wanted, options in json.loads(filters))
            box.sessions[client] = SessionKept(client, expiry_s, kept)
        for user, id, number, *rest in self._db.execute("SELECT * FROM waiting ORDER BY number"):
            box.waiting.setdefault(Client(user, id), {})[number] = _letter(rest)
        for row in self._db.execute("SELECT * FROM retained"):
            box.retained[row[0]] = _letter(row)
        return box

    def write(self, changes: Sequence[Change]) -> None:
        """Keep ``changes`` in one transaction. Raises sqlite3.Error, and then nothing is kept."""
        if not changes:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                for name, row in _rows(change):
                    self._db.execute(_STATEMENTS[name], row)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _letter(row: Sequence[object]) -> Letter:
    topic, payload, qos, retain, properties, expires_at = row
    return Letter(topic, payload, qos, bool(retain), properties, expires_at)  # type: ignore[arg-type]


def _rows(change: Change) -> Iterable[tuple[str, tuple[object, ...]]]:
    """Yield the statements that keep ``change``, by name, with their values."""
    match change:
        case SessionKept(client, expiry_s, filters):
            yield "keep", (*client, expiry_s, json.dumps(filters))
        case SessionGone(client):
            yield "end", client
            yield "empty", client
        case Queued(client, number, letter):
            yield "queue", (*client, number, *letter)
        case Delivered(client, number):
            yield "deliver", (*client, number)
        case Retained(letter) if letter.payload:
            yield "retain", letter
        case Retained(letter):
            yield "forget", (letter.topic,)
