"""Builders: a desk with two hospitals, technicians and tickets, and browsers of all roles."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import uvicorn
from fastapi.testclient import TestClient

from aftersales.access import Role
from aftersales.machine import By
from aftersales.team import Certificate, Technician
from aftersales.ticket import open_ticket
from aftersales.user import SignIn, User
from aftersales.visit import Visit
from aftersales.workdays import china
from api.app import Application, create_app
from api.context import COOKIE, Backstage, Demo
from desk.arrival import Arrival
from desk.ingest import Ingest
from desk.intake import Registered
from desk.office import Office
from equipment.catalog import MODELS
from equipment.quarantine import Quarantined
from equipment.reading import LIVE, Batch, Block
from equipment.words import Words
from fieldcare.reporting import HttpServer
from health.alarm import Alarm, Severity
from health.bank import Bank
from health.fault import Fault, merge
from health.profile import SHIPPED
from scheduler.plan import DayPlan, Route, Stop, Unserved
from scheduler.published import Published
from storage.memory import MemoryTelemetry
from storage.records_memory import MemoryRecords
from tests import given
from tests.given import NOW

HOUR = timedelta(hours=1)
ALARM = "CHEM-001:wash_vacuum.trend:1"


class World:
    """A desk in memory, its application, and whoever asks it."""

    def __init__(self, *records: Any, now: datetime = NOW, **stage: Any) -> None:
        self.now = now
        self.records, self.telemetry = MemoryRecords(), MemoryTelemetry()
        self.office = Office(self.records, self.telemetry, lambda: self.now, china())
        self.put(*records)
        folder = stage.pop("folder", None)
        self.app: Application = create_app(Backstage(self.office, **stage), folder)

    def put(self, *records: Any) -> None:
        """Put ``records`` on their shelves."""
        with self.records.begin() as work:
            for one in records:
                work.shelf(type(one)).put(one)

    def secret(self, role: Role | str, login: str | None = None) -> str:
        """Return the secret of a new session of a user of ``role``."""
        login = login or role.lower()
        secret = f"secret of {login}"
        id = hashlib.sha256(secret.encode()).hexdigest()
        self.put(user(role, login), SignIn(id, login, self.now + 12 * HOUR))
        return secret

    def browser(self, role: Role | str | None, login: str | None = None) -> TestClient:
        """Return a browser that a user of ``role`` signed in with, nobody for None."""
        client = TestClient(self.app)
        if role is not None:
            client.cookies.set(COOKIE, self.secret(role, login))
        return client

    def hear(self, device: str, at: datetime = NOW, value: float = 1.0) -> None:
        """Let ``device`` send one reading of each metric of a chemistry analyser."""
        metrics = tuple(metric.name for metric in MODELS["CHEM"].metrics)
        block = Block(
            metrics,
            [device],
            np.array([int(at.timestamp() * 1000)], np.int64),
            np.full((1, len(metrics)), value),
            ["b1"],
            np.array([0], np.int64),
            np.array([LIVE], np.int8),
        )
        self.telemetry.append(Batch([block], []))


def user(role: Role | str, login: str | None = None) -> User:
    """Return a user of ``role`` whom no password lets in."""
    login = login or role.lower()
    return User(login, Words(f"用户{login}", f"user {login}"), Role(role), "no hash")


def visit(id: str, ticket: str, who: str, *, site: str = "S001", **fields: Any) -> Visit:
    """Return a visit within the next hour."""
    default = {"state": "planned", "window_from": NOW, "window_to": NOW + HOUR}
    return Visit(id, ticket, site, who, **{**default, **fields})


def alarm(device: str = "CHEM-001", **fields: Any) -> Alarm:
    """Return an active alarm of the wash station."""
    default: dict[str, Any] = {
        "component": "wash_station",
        "metric": "wash_vacuum",
        "rule": "wash_vacuum.trend",
        "severity": Severity("warning"),
        "state": "MAINTENANCE_REQUIRED",
        "raised_at": NOW - HOUR,
        "cleared_at": None,
        "says": Words("清洗真空下降", "wash vacuum falls"),
        "evidence": {},
    }
    id = fields.pop("id", f"{device}:wash_vacuum.trend:1")
    return Alarm(id, device, **{**default, **fields})


def fault(device: str = "CHEM-001", *, ticket: str | None = None, **fields: Any) -> Fault:
    """Return the open fault of ``alarm``."""
    found = merge(alarm(device, **fields), None)
    assert found is not None
    return replace(found, ticket=ticket)


def technician(id: str, login: str) -> Technician:
    """Return a technician with a login, certified for chemistry."""
    held = (Certificate("chemistry", NOW.date(), NOW.date() + timedelta(days=300)),)
    return Technician(id, Words(f"工程师{id}", f"Engineer {id}"), 30.6, 104.0, held, (), login)


def stop(ticket: str) -> Stop:
    """Return an hour at the customer's."""
    return Stop(ticket, NOW, NOW, NOW + HOUR, 600, 0)


def plan() -> Published:
    """Return a plan with a route for each technician, and a ticket nobody goes to."""
    routes = tuple(
        Route(who, (stop(ticket),), 1200, NOW + 2 * HOUR)
        for who, ticket in (("E1", "T-000001"), ("E2", "T-000002"))
    )
    waiting = (Unserved("T-000003", Words("无人有证书", "nobody is certified")),)
    warnings = (Words("E2 下班较晚", "E2 comes home late"),)
    day = DayPlan(NOW, routes, waiting, 7, {"travel": 7}, warnings)
    return Published("P1", NOW, 1, day)


def busy(**stage: Any) -> World:
    """Return a world with work in it: two devices unwell, three tickets, two technicians."""
    sites = [
        given.site("S001"),
        given.site("S002", title=Words("云岭医院", "Yunling Hospital")),
    ]
    devices = [
        given.device("CHEM-001"),
        given.device("CHEM-002", site="S002", serial="C0000002"),
        given.device("HEMA-001", model="HEMA", serial="H0000001"),
    ]
    faults = [fault("CHEM-001", ticket="T-000001"), fault("CHEM-002", ticket="T-000002")]
    world = World(
        *sites, *devices, *faults, alarm("CHEM-001"), alarm("CHEM-002"),
        technician("E1", "te"), technician("E2", "te2"),
        visit("V1", "T-000001", "E1"), visit("V2", "T-000002", "E2", site="S002"),
        plan(), refused(), **stage,
    )  # fmt: skip
    open_in(world, "T-000001", fault=faults[0].id)
    open_in(world, "T-000002", device="CHEM-002", site="S002", fault=faults[1].id)
    open_in(world, "T-000003", device="HEMA-001")
    world.hear("CHEM-001")
    world.hear("CHEM-002", NOW - 3 * HOUR)
    return world


def open_in(world: World, id: str, **fields: Any) -> None:
    """Open a ticket as the desk does: record and journal together."""
    by = By("fieldcare", Role.DV, world.now)
    ticket, entries = open_ticket(given.ticket(id, **fields), by)
    with world.records.begin() as work:
        work.shelf(type(ticket)).put(ticket)
        for entry in entries:
            work.journal.append(entry)


def demo(inject: Callable[[str, str], None] = lambda _device, _mode: None) -> Demo:
    """Return the demo's doors, with one failure mode of a chemistry analyser."""
    return Demo([], [("C4", "CHEM", Words("清洗真空下降", "wash vacuum falls"))], inject)


def refused(reason: str = "malformed", id: str = "0001") -> Quarantined:
    """Return a refused message that is no text."""
    return Quarantined(
        id, NOW, reason, "no JSON - at `$`", "fc/v1/S001/CHEM-001/tele", None, b"{\x00\xff", 3
    )


@contextmanager
def serving(app: Application) -> Iterator[tuple[HttpServer, int]]:
    """Serve ``app`` on loopback, in a thread; yield the server and its port."""
    http = HttpServer(
        uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=20)
    )
    thread = Thread(target=http.run)
    thread.start()
    try:
        while not http.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield http, http.servers[0].sockets[0].getsockname()[1]
    finally:
        http.should_exit = True
        thread.join(30)


def problem_of(response: Any) -> dict[str, Any]:
    """Return the problem document of ``response``, which must be one."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    assert body["title"]
    assert body["detail"]
    return body


WEB = Path(__file__).parents[2] / "web"


def described() -> dict[str, Any]:
    """Return the API's description as the pages know it."""
    found: dict[str, Any] = json.loads((WEB / "openapi.json").read_text("utf-8"))
    return found


def types_of_pages() -> str:
    """Return the types that the pages took from it."""
    return (WEB / "src" / "api.d.ts").read_text("utf-8")


def collector(*devices: str) -> Ingest:
    """Return an ingest that took a message of each of ``devices``, and one that is none."""
    ingest = Ingest(
        MemoryTelemetry(), MemoryRecords(), Bank(SHIPPED, dict.fromkeys(devices, "CHEM")),
        registered={id: Registered("CHEM", "S001") for id in devices},
        now=lambda: NOW, on_alarms=lambda _alarms: None,
    )  # fmt: skip
    tele = b'{"b":"7f3a","s":1,"t":1790000000000,"m":{"wash_vacuum":60.0}}'
    sent = [(id, tele) for id in devices] + [(devices[0], b"no message")]
    ingest.keep([Arrival(id, f"fc/v1/S001/{id}/tele", payload) for id, payload in sent])
    return ingest
