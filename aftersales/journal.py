"""Event: what happened, when, recorded when, by whom; each one hashes its predecessor."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

GENESIS = "0" * 64
Fact = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before the journal gives it an id and a hash.

    ``at`` is when it happened, ``recorded_at`` when we learnt it, both aware UTC. ``subject`` is
    what it is about, for visits and faults their ticket. ``data`` holds ids and codes only, never
    free text. A ``command_id`` seen before makes the append a no-op.
    """

    at: datetime
    recorded_at: datetime
    actor: str
    source: str
    subject: str
    type: str
    data: Mapping[str, Fact] = field(default_factory=dict)
    command_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One link of the chain."""

    id: int
    at: datetime
    recorded_at: datetime
    actor: str
    source: str
    subject: str
    type: str
    data: Mapping[str, Fact]
    command_id: str | None
    prev_hash: str
    hash: str


def chained(draft: Draft, id: int, prev_hash: str) -> Event:
    """Return ``draft`` as event number ``id`` behind the event with ``prev_hash``."""
    facts = {
        "id": id,
        "at": draft.at.isoformat(),
        "recorded_at": draft.recorded_at.isoformat(),
        "actor": draft.actor,
        "source": draft.source,
        "subject": draft.subject,
        "type": draft.type,
        "data": dict(draft.data),
        "command_id": draft.command_id,
        "prev_hash": prev_hash,
    }
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return Event(
        id, draft.at, draft.recorded_at, draft.actor, draft.source, draft.subject, draft.type,
        dict(draft.data), draft.command_id, prev_hash, hashlib.sha256(text.encode()).hexdigest(),
    )  # fmt: skip


def first_break(events: Iterable[Event], *, id: int = 0, prev_hash: str = GENESIS) -> str | None:
    """Return what is wrong with the first link that does not hold, or None.

    ``id`` and ``prev_hash`` are those of the event before the first one given.
    """
    for event in events:
        if event.id != id + 1:
            return f"event {id + 1} is missing: event {event.id} follows {id}"
        draft = Draft(
            event.at, event.recorded_at, event.actor, event.source, event.subject, event.type,
            event.data, event.command_id,
        )  # fmt: skip
        if event.prev_hash != prev_hash or chained(draft, event.id, prev_hash) != event:
            return f"event {event.id} was changed: its hash does not follow from its content"
        id, prev_hash = event.id, event.hash
    return None
