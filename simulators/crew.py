"""Technicians who are not there: they do what the plan says, and the devices get well.

Every simulated person accepts the visit, drives off in time, arrives when planned, works, and
has the record signed; what was wrong with the device is repaired in the script of faults.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from aftersales.access import Role
from aftersales.machine import By, Refused
from aftersales.team import Technician
from aftersales.ticket import Ticket
from aftersales.visit import ENDED, Visit
from desk.office import Office
from desk.tickets import UnknownRecord, move_ticket, note_on_ticket
from desk.visits import move_visit
from scheduler.published import Published

log = logging.getLogger(__name__)
_LOOK_S = 0.25
_ACCEPTS_AFTER = timedelta(minutes=3)
_MANY = 1000

Repair = Callable[[str, str, datetime], object]


class Crew:
    """Plays all technicians, in a thread of its own."""

    def __init__(self, office: Office, repair: Repair) -> None:
        """``repair`` is called with device, component and instant of every repair."""
        self._office, self._repair = office, repair
        self._offered: dict[tuple[str, int], datetime] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crew", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Put the tools down."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            try:
                self.look()
            except Exception:
                log.exception("the crew stumbled")

    def look(self) -> None:
        """Take every step that is due now."""
        now = self._office.now()
        with self._office.records.read() as work:
            visits = list(work.shelf(Visit).find(limit=_MANY, newest_first=True))
            plans = work.shelf(Published).find(limit=1, newest_first=True)
            staff = {t.id: t for t in work.shelf(Technician).find(limit=_MANY)}
        travel_s = {
            stop.request: stop.travel_s
            for route in (plans[0].plan.routes if plans else ())
            for stop in route.stops
        }
        for visit in visits:
            if visit.state not in ENDED and visit.technician in staff:
                drive = timedelta(seconds=travel_s.get(visit.ticket, 1800))
                try:
                    self._go_on(visit, now, drive)
                except (Refused, UnknownRecord) as error:
                    facts = {"visit": visit.id, "why": str(error)}
                    log.info("a step was not possible", extra=facts)

    def _go_on(self, visit: Visit, now: datetime, drive: timedelta) -> None:
        assert visit.technician is not None
        by = By(visit.technician, Role.TE, now, source="crew")
        window_from, window_to = visit.window_from, visit.window_to
        if window_from is None or window_to is None:
            return
        if visit.state == "offered":
            since = self._offered.setdefault((visit.id, visit.version), now)
            if now >= since + _ACCEPTS_AFTER or now >= window_from - drive:
                move_visit(self._office, visit.id, "accept", {}, by)
        elif visit.state == "accepted" and now >= window_from - drive:
            move_visit(self._office, visit.id, "travel", {}, by)
        elif visit.state == "travelling" and now >= window_from:
            move_visit(self._office, visit.id, "arrive", {"scanned": True}, by)
            self._note(visit, "repair.started", by)
        elif visit.state == "on_site" and now >= window_to:
            self._repair_device(visit, by)
            self._finish(move_visit(self._office, visit.id, "leave", {"outcome": "done"}, by), by)
        elif visit.state in ("left", "signed"):  # the last process ended in between
            self._finish(visit, by)

    def _repair_device(self, visit: Visit, by: By) -> None:
        with self._office.records.read() as work:
            ticket = work.shelf(Ticket).get(visit.ticket)
        if ticket is not None and ticket.device and ticket.component:
            self._repair(ticket.device, ticket.component, by.now)
        self._note(visit, "device.restored", by)

    def _finish(self, visit: Visit, by: By) -> None:
        complete = {"checklist": True, "tests": True, "opinion": "satisfied", "signer": "customer"}
        if visit.state == "left":
            move_visit(self._office, visit.id, "sign", complete, by)
        with self._office.records.read() as work:
            ticket = work.shelf(Ticket).get(visit.ticket)
        if ticket is not None and ticket.state == "open":
            move_ticket(self._office, visit.ticket, "resolve", {"outcome": "repaired"}, by)
        move_visit(self._office, visit.id, "file", {}, by)

    def _note(self, visit: Visit, type: str, by: By) -> None:
        note_on_ticket(self._office, visit.ticket, type, {"visit": visit.id}, by)
