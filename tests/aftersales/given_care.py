"""Builders for after-sales tests: instants in Shanghai, events, tickets."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aftersales.access import Role
from aftersales.journal import GENESIS, Draft, Event, chained
from aftersales.machine import By
from aftersales.ticket import Ticket
from aftersales.visit import Visit
from aftersales.workdays import china
from equipment.words import Words

SHANGHAI = ZoneInfo("Asia/Shanghai")
WORKDAYS = china()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def local(text: str) -> datetime:
    """Return the instant of a Shanghai wall clock, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def end_of(day: str) -> datetime:
    """Return 24:00 of a day in Shanghai."""
    midnight = datetime.combine(date.fromisoformat(day) + DAY, time(), tzinfo=SHANGHAI)
    return midnight.astimezone(UTC)


NOW = local("2026-03-02 10:00")


def draft(type: str, at: datetime = NOW, *, late: timedelta = timedelta(), **data: Any) -> Draft:
    return Draft(at, at + late, "someone", "test", "T-000001", type, data)


def journal(*drafts: Draft) -> list[Event]:
    """Return the drafts as a chain."""
    events: list[Event] = []
    for id, one in enumerate(drafts, start=1):
        events.append(chained(one, id, events[-1].hash if events else GENESIS))
    return events


def told(*what: tuple[str, datetime], **data: Any) -> list[Event]:
    """Return events of the given types and instants."""
    return journal(*(draft(type, at, **data) for type, at in what))


def ticket(**fields: Any) -> Ticket:
    given: dict[str, Any] = {
        "id": "T-000001",
        "number": "T-000001",
        "kind": "fault",
        "origin": "call",
        "site": "S1",
        "customer": "C1",
        "device": "A1",
        "component": "lamp",
        "fault": None,
        "title": Words("光源异常", "lamp fault"),
        "severity": 2,
        "state": "open",
        "opened_at": NOW,
        "reported_at": NOW,
    }
    return Ticket(**given | fields)


def visit(**fields: Any) -> Visit:
    return Visit(**{"id": "V-000001", "ticket": "T-000001", "site": "S1"} | fields)


def by(role: Role | str = Role.DI, now: datetime = NOW, **fields: Any) -> By:
    return By("someone", Role(role), now, **fields)


def types(entries: Sequence[Draft]) -> list[str]:
    return [entry.type for entry in entries]
