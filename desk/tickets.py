"""An alarm, a call or a visit opens, moves or closes a ticket."""

import logging
from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from aftersales import ticket as tickets
from aftersales.access import Role
from aftersales.journal import Draft
from aftersales.machine import By, Facts
from aftersales.ticket import Ticket, known_from, open_ticket
from aftersales.triage import deserves_ticket, preventive_ticket
from aftersales.visit import ENDED, UNDERWAY, Visit
from aftersales.visit import apply as apply_visit
from desk.office import Office
from equipment.device import BadRecord, Device, Site
from equipment.words import Words
from health.alarm import Alarm
from health.fault import Fault, merge
from storage.interface import Work

log = logging.getLogger(__name__)
_MANY = 10_000


class UnknownRecord(LookupError):
    """No record of that id; the text says which."""


class ChangedMeanwhile(ValueError):
    """The record has another version than the one the change was made on."""


def act_on(office: Office, alarms: Sequence[Alarm]) -> list[Ticket]:
    """Keep ``alarms``, make them faults, open the tickets they deserve, withdraw the needless.

    Giving the same alarm again changes nothing, so a restart may repeat it. One that no sense can
    be made of is left out, so that it holds up no other. Raises what the store raises.
    """
    opened = []
    for alarm in alarms:
        try:
            with office.records.begin() as work:
                ticket = _act_on_one(work, alarm, office.now())
        except (ValueError, LookupError, ArithmeticError):
            log.exception("alarm left out, nothing can be made of it", extra={"alarm": alarm.id})
            continue
        if ticket is not None:
            log.info("ticket opened", extra={"ticket": ticket.id, "device": ticket.device})
            opened.append(ticket)
    return opened


def open_waiting(office: Office, devices: Sequence[str]) -> list[Ticket]:
    """Open tickets for the open faults of ``devices`` that have none; return them.

    Such are what a backlog raised and what is still so, and faults of devices whose record was
    wrong at the time. Asking again changes nothing.
    """
    with office.records.read() as work:
        waiting = work.shelf(Fault).find(
            device=list(devices), closed_at=None, ticket=None, limit=_MANY
        )
    opened = []
    for fault in waiting:
        with office.records.begin() as work:
            kept = work.shelf(Fault).get(fault.id)
            ticket = open_for(work, kept, office.now()) if kept is not None else None
        if ticket is not None:
            log.info("a fault that waited has a ticket", extra={"ticket": ticket.id})
            opened.append(ticket)
    return opened


def clear_forgotten(
    office: Office, active: Sequence[Alarm], *, of: Container[str] | None = None
) -> int:
    """Clear alarms on record that the rules do not hold any more; return how many.

    After a rule was changed, its devices start afresh: what it had raised would stay for ever.
    A collector that judges some devices only clears alarms ``of`` those.
    """
    held = {alarm.id for alarm in active}
    with office.records.read() as work:
        raised = work.shelf(Alarm).find(cleared_at=None, limit=_MANY)
    ours = [alarm for alarm in raised if of is None or alarm.device in of]
    forgotten = [alarm for alarm in ours if alarm.id not in held]
    act_on(office, [replace(alarm, cleared_at=office.now()) for alarm in forgotten])
    return len(forgotten)


def _act_on_one(work: Work, alarm: Alarm, now: datetime) -> Ticket | None:
    kept = work.shelf(Alarm).get(alarm.id)
    if kept is not None and (kept.cleared_at is not None or alarm.cleared_at is None):
        return None
    work.shelf(Alarm).put(alarm)
    work.journal.append(_heard(alarm, now))
    before = _open_fault(work, alarm.device, alarm.component)
    fault = merge(alarm, before)
    if before is None and work.shelf(Fault).get(fault.id) is not None:
        fault = replace(fault, id=alarm.id)  # another one, which is over, began at that instant
    work.shelf(Fault).put(fault)
    if fault.closed_at is not None:
        _withdraw(work, fault, now)
        return None
    return None if alarm.deferred else open_for(work, fault, now)


def _heard(alarm: Alarm, now: datetime) -> Draft:
    word, at = (
        ("raised", alarm.raised_at) if alarm.cleared_at is None else ("cleared", alarm.cleared_at)
    )
    facts = {"alarm": alarm.id, "component": alarm.component, "rule": alarm.rule}
    return Draft(
        min(at, now), now, "rules", "rules", alarm.device, f"alarm.{word}", facts,
        f"alarm:{alarm.id}:{word}",
    )  # fmt: skip


def _open_fault(work: Work, device: str, component: str) -> Fault | None:
    found = work.shelf(Fault).find(device=device, component=component, closed_at=None, limit=1)
    return found[0] if found else None


def open_for(work: Work, fault: Fault, now: datetime) -> Ticket | None:
    """Open the ticket that ``fault`` deserves; its site and device come from the register.

    A device whose site is not there keeps its fault and gets no ticket: asking again would not help
    before somebody corrects the register, and the alarms of all others wait behind this one.
    """
    known = work.shelf(Ticket).find(state="open", device=fault.device, limit=_MANY)
    device = work.shelf(Device).get(fault.device)
    if device is None or not deserves_ticket(fault, known):
        return None
    site = work.shelf(Site).get(device.site)
    if site is None:
        why = f"device {device.id}: site {device.site!r} does not exist"
        log.error("no ticket, the record is wrong", extra={"fault": fault.id, "why": why})
        return None
    number = f"T-{work.next_number('ticket'):06d}"
    ticket = preventive_ticket(fault, device, site, known, number=number, now=now)
    if ticket is None:
        return None
    _put(work, *open_ticket(ticket, _system(now, f"fault:{fault.id}")))
    work.shelf(Fault).put(replace(fault, ticket=ticket.id))
    return ticket


def _put(work: Work, ticket: Ticket, entries: Sequence[Draft]) -> None:
    work.shelf(Ticket).put(ticket)
    for entry in entries:
        work.journal.append(entry)


def _system(now: datetime, command_id: str | None = None) -> By:
    return By("fieldcare", Role.DV, now, source="rules", command_id=command_id)


def _withdraw(work: Work, fault: Fault, now: datetime) -> None:
    """Withdraw the ticket of a fault that is over, if it is ours and nobody left yet."""
    ticket = work.shelf(Ticket).get(fault.ticket) if fault.ticket else None
    if ticket is None or ticket.state != "open" or ticket.kind != "preventive":
        return
    visits = work.shelf(Visit).find(ticket=ticket.id, limit=_MANY)
    underway = any(v.state in UNDERWAY or v.state in ("left", "signed", "filed") for v in visits)
    if underway or ticket.reported_at is not None:
        return
    facts = {"well": True, "underway": False}
    ticket, entry = tickets.apply(ticket, "withdraw", facts, _system(now))
    _put(work, ticket, [entry])
    for visit in visits:
        if visit.state not in ENDED:
            _cancel(work, visit, now)


def _cancel(work: Work, visit: Visit, now: datetime) -> None:
    visit, entry = apply_visit(visit, "cancel", {"reason": "device_recovered"}, _system(now))
    work.shelf(Visit).put(visit)
    work.journal.append(entry)


def report_fault(
    office: Office, device: str, title: Words, by: By, *, severity: int = 1, origin: str = "call"
) -> Ticket:
    """Open the ticket of a fault that a customer reported; the 2 hours run from ``by.at``.

    Raises UnknownRecord for a device that is not registered, BadRecord for a missing site.
    """
    with office.records.begin() as work:
        known = work.shelf(Device).get(device)
        if known is None:
            raise UnknownRecord(f"device {device!r} is not registered")
        site = work.shelf(Site).get(known.site)
        if site is None:
            raise BadRecord(f"device {device}: site {known.site!r} does not exist")
        number = f"T-{work.next_number('ticket'):06d}"
        ticket = Ticket(
            id=number, number=number, kind="fault", origin=origin, site=site.id,
            customer=site.customer, device=device, component=None, fault=None, title=title,
            severity=severity, state="open", opened_at=by.now, reported_at=by.at or by.now,
        )  # fmt: skip
        _put(work, *open_ticket(ticket, by))
    return ticket


def move_ticket(
    office: Office, id: str, event: str, facts: Facts, by: By, *, version: int | None = None
) -> Ticket:
    """Return ticket ``id`` after ``event``.

    Raises UnknownRecord, ChangedMeanwhile when ``version`` is not the current one, and Refused.
    """
    with office.records.begin() as work:
        ticket = _current(work, id, version)
        known: dict[str, Any] = {**facts, **known_from(work.journal.of(id))}
        ticket, entry = tickets.apply(ticket, event, known, by)
        _put(work, ticket, [entry])
        if ticket.state == "cancelled":
            for visit in work.shelf(Visit).find(ticket=id, limit=_MANY):
                if visit.state in ("planned", "offered", "accepted"):
                    _cancel(work, visit, by.now)
    return ticket


def _current(work: Work, id: str, version: int | None) -> Ticket:
    ticket = work.shelf(Ticket).get(id)
    if ticket is None:
        raise UnknownRecord(f"ticket {id!r} does not exist")
    if version is not None and version != ticket.version:
        raise ChangedMeanwhile(f"ticket {id} is at version {ticket.version}, not {version}")
    return ticket


def note_on_ticket(
    office: Office,
    id: str,
    type: str,
    data: dict[str, Any],
    by: By,
    *,
    version: int | None = None,
) -> Ticket:
    """Record something that happened on ticket ``id``. Raises as ``move_ticket``."""
    with office.records.begin() as work:
        ticket = _current(work, id, version)
        ticket, entry = tickets.happened(ticket, type, data, by)
        _put(work, ticket, [entry])
    return ticket
