"""Builders with defaults: a test names only what it is about."""

from datetime import UTC, datetime
from typing import Any

from aftersales.access import Role
from aftersales.journal import Draft
from aftersales.machine import By
from aftersales.ticket import Ticket
from equipment.device import Device, Site
from equipment.words import Words

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # a Tuesday, 10:00 in Shanghai


def site(id: str = "S001", **fields: Any) -> Site:
    """Return a hospital that does not exist."""
    default: dict[str, Any] = {
        "customer": "C001",
        "title": Words("澄溪人民医院", "Chengxi People's Hospital"),
        "latitude": 30.66,
        "longitude": 104.07,
    }
    return Site(id, **{**default, **fields})


def device(id: str = "CHEM-001", **fields: Any) -> Device:
    """Return a chemistry analyser at the default site."""
    default: dict[str, Any] = {"site": "S001", "model": "CHEM", "serial": "C0000001"}
    return Device(id, **{**default, **fields})


def ticket(id: str = "T-000001", **fields: Any) -> Ticket:
    """Return an open preventive ticket of the default device."""
    default: dict[str, Any] = {
        "number": id,
        "kind": "preventive",
        "origin": "device",
        "site": "S001",
        "customer": "C001",
        "device": "CHEM-001",
        "component": "wash_station",
        "fault": None,
        "title": Words("清洗真空异常", "wash vacuum drifts"),
        "severity": 2,
        "state": "open",
        "opened_at": NOW,
    }
    return Ticket(id, **{**default, **fields})


def draft(type: str = "ticket.opened", **fields: Any) -> Draft:
    """Return a journal entry of now."""
    default: dict[str, Any] = {
        "at": NOW,
        "recorded_at": NOW,
        "actor": "tester",
        "source": "test",
        "subject": "T-000001",
    }
    return Draft(**{**default, "type": type, **fields})


BY = By("tester", Role.AD, NOW, source="test")
