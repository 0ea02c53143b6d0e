"""Builders: a desk with memory stores, one hospital, two technicians, and alarms."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from aftersales.access import Role
from aftersales.machine import By
from aftersales.team import Certificate, Duty, Technician
from aftersales.visit import Visit
from aftersales.workdays import china
from desk.office import Office
from desk.visits import move_visit
from equipment.words import Words
from health.alarm import Alarm, Severity
from scheduler import plan as planning
from scheduler.published import Published
from scheduler.solve import plan_day
from scheduler.travel import crow_flies
from storage.memory import MemoryTelemetry
from storage.records_memory import MemoryRecords
from tests import given
from tests.given import NOW

TRAVEL = crow_flies()
T = TypeVar("T")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def office(*records: Any, now: Callable[[], datetime] = lambda: NOW) -> Office:
    """Return a desk that knows the default site, its analyser, and ``records``."""
    kept = MemoryRecords()
    with kept.begin() as work:
        for one in (given.site(), given.device(), *records):
            work.shelf(type(one)).put(one)
    return Office(kept, MemoryTelemetry(), now, china())


def technician(id: str = "E1", *families: str, **fields: Any) -> Technician:
    """Return somebody on duty from 8:00 to 17:30 local time, today and tomorrow."""
    start = NOW.replace(hour=0)
    duties = (Duty(start + timedelta(days=d), start + timedelta(days=d, hours=9.5)) for d in (0, 1))
    held = (
        Certificate(family, date(2026, 1, 1), date(2030, 1, 1))
        for family in families or ("chemistry", "haematology")
    )
    default: dict[str, Any] = {
        "title": Words(f"工程师{id}", f"Engineer {id}"),
        "home_latitude": 30.60,
        "home_longitude": 104.0,
        "certificates": tuple(held),
        "shifts": tuple(duties),
    }
    return Technician(id, **{**default, **fields})


def alarm(rule: str = "wash_vacuum.warn", **fields: Any) -> Alarm:
    """Return a warning about the wash station, raised a minute ago."""
    raised_at = fields.pop("raised_at", NOW - timedelta(minutes=1))
    default: dict[str, Any] = {
        "device": "CHEM-001",
        "component": "wash_station",
        "metric": rule.partition(".")[0],
        "severity": Severity.warning,
        "state": "MAINTENANCE_REQUIRED",
        "cleared_at": None,
        "says": Words("清洗真空偏弱", "wash vacuum is weak"),
        "evidence": {},
    }
    known = {**default, **fields}
    id = f"{known['device']}:{rule}:{int(raised_at.timestamp() * 1000)}"
    return Alarm(id, rule=rule, raised_at=raised_at, **known)


def cleared(one: Alarm) -> Alarm:
    """Return the same alarm, over."""
    return replace(one, cleared_at=NOW)


def solve(
    requests: Sequence[planning.VisitRequest],
    technicians: Sequence[planning.Technician],
    now: datetime,
    published: planning.DayPlan | None,
) -> planning.DayPlan:
    """Ask the real solver, briefly."""
    return plan_day(requests, technicians, TRAVEL, now=now, limit_s=0.2, published=published)


def everything(office: Office, kind: type[T], **equals: Any) -> list[T]:
    """Return all records of a kind."""
    with office.records.read() as work:
        return list(work.shelf(kind).find(**equals))


def published(office: Office) -> Published:
    """Return the plan that holds."""
    with office.records.read() as work:
        (newest,) = work.shelf(Published).find(limit=1, newest_first=True)
        return newest


def events(office: Office, subject: str) -> list[str]:
    """Return the types of the journal entries about ``subject``, oldest first."""
    with office.records.read() as work:
        return [event.type for event in work.journal.of(subject)]


def by(office: Office, actor: str = "E1", role: Role = Role.TE) -> By:
    """Return somebody who does something now."""
    return By(actor, role, office.now())


def send(office: Office, visit: str, *steps: str, **facts: Any) -> Visit:
    """Take a visit through ``steps``, as its technician would."""
    for step in steps:
        moved = move_visit(office, visit, step, {"scanned": True, **facts}, by(office))
    return moved
