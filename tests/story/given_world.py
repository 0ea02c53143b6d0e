"""Builders: an invented hospital region on a clock that the test moves, and all behind it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from fastapi.testclient import TestClient

from aftersales.access import Role
from aftersales.user import User
from aftersales.workdays import china
from api.app import create_app
from api.context import Backstage
from desk.arrival import Arrival
from desk.ingest import Ingest
from desk.intake import Registered
from desk.office import Office
from desk.planning import plan_visits
from desk.signing import hashed
from desk.tickets import act_on, open_waiting
from equipment.wire import encode
from equipment.words import Words
from health.bank import Bank
from health.profile import SHIPPED
from scheduler.solve import plan_day
from scheduler.travel import crow_flies
from simulators import hospital
from simulators.crew import Crew
from simulators.history import history
from simulators.instants import ms_of
from simulators.sayings import Said, Speaker
from simulators.script import Script
from storage.memory import MemoryTelemetry
from storage.records_memory import MemoryRecords

MORNING = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)  # a Tuesday, 8:00 in Shanghai
HISTORY = timedelta(days=3)
STEP = timedelta(minutes=5)
SEED, THIN_S = 7, 60.0
TRAVEL = crow_flies()


def solve(requests: Any, technicians: Any, now: datetime, last: Any) -> Any:
    """Ask the real solver, briefly."""
    return plan_day(requests, technicians, TRAVEL, now=now, limit_s=0.2, published=last)


class Region:
    """Ten devices at three hospitals, four technicians, and the desk that looks after them."""

    def __init__(self, now: datetime = MORNING) -> None:
        self.now = now
        days = [now.date() + timedelta(days=n) for n in range(-1, 3)]
        self.invented = hospital.region(SEED, 10, 3, 4, days)
        self.script = Script(self.invented.devices)
        self.office = Office(MemoryRecords(), MemoryTelemetry(), lambda: self.now, china())
        self._put_on_record()
        devices = self.invented.devices
        self.ingest = Ingest(
            self.office.telemetry,
            self.office.records,
            Bank(SHIPPED, {d.id: d.model for d in devices}),
            registered={d.id: Registered(d.model, d.site) for d in devices},
            now=lambda: self.now,
            on_alarms=partial(act_on, self.office),
            on_live=partial(open_waiting, self.office),
        )
        self.crew = Crew(self.office, self.script.repair)
        self._speakers = [Speaker(SEED, d, "story", thin_s=THIN_S) for d in self.invented.devices]

    def _put_on_record(self) -> None:
        invented = self.invented
        with self.office.records.begin() as work:
            rows = (invented.customers, invented.sites, invented.devices, invented.technicians)
            for one in (row for several in rows for row in several):
                work.shelf(type(one)).put(one)
            who = Words("调度员", "dispatcher")
            work.shelf(User).put(User("dispatcher", who, Role.DI, hashed("a pass phrase")))

    def hear(self, said: Iterable[Said]) -> None:
        """Take what devices say, as their connections would hand it in."""
        arrivals = [Arrival(s.topic.split("/")[3], s.topic, encode(s.message)) for s in said]
        if arrivals:
            self.ingest.act(self.ingest.keep(arrivals))

    def remember(self) -> None:
        """Let the rules see the days before."""
        devices, start = self.invented.devices, self.now - HISTORY
        self.hear(history(SEED, devices, self.script, start, self.now, thin_s=THIN_S))

    def live(self, span: timedelta) -> None:
        """Let time pass: devices speak, the desk plans, technicians do what the plan says."""
        until = self.now + span
        while self.now < until:
            before, self.now = self.now, self.now + STEP
            from_ms, to_ms = ms_of(before), ms_of(self.now)
            for speaker in self._speakers:
                episodes = self.script.episodes(speaker.device.id)
                self.hear(speaker.readings(from_ms, to_ms, episodes))
                self.hear(speaker.remarks(from_ms, to_ms, episodes))
            self.crew.look()

    def plan(self) -> None:
        """Plan what is open now."""
        plan_visits(self.office, solve, TRAVEL)

    def page(self) -> TestClient:
        """Return a browser that a dispatcher signed in with."""
        client = TestClient(create_app(Backstage(self.office)))
        given = {"login": "dispatcher", "password": "a pass phrase"}
        assert client.post("/api/v1/session", json=given).status_code < 300
        return client
