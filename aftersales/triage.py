"""What a fault is worth: whether it becomes a ticket, and how urgent that is."""

from collections.abc import Iterable
from datetime import datetime

from aftersales.ticket import Ticket
from equipment.catalog import COMPONENTS
from equipment.device import Device, Site
from equipment.words import Words
from health.alarm import Severity
from health.fault import Fault

URGENCY: dict[Severity, int] = {Severity.critical: 1, Severity.warning: 2}


def deserves_ticket(fault: Fault, open_tickets: Iterable[Ticket]) -> bool:
    """Return whether someone has to be sent for ``fault`` who is not being sent yet.

    Not for a fault that is over, that has a ticket, or that is information only; nor while an
    open ticket, the customer's or ours, covers the component.
    """
    if fault.closed_at is not None or fault.ticket is not None or fault.severity not in URGENCY:
        return False
    return not any(_covers(ticket, fault) for ticket in open_tickets)


def preventive_ticket(
    fault: Fault,
    device: Device,
    site: Site,
    open_tickets: Iterable[Ticket],
    *,
    number: str,
    now: datetime,
) -> Ticket | None:
    """Return the ticket ``fault`` deserves, or None: one fault, one ticket."""
    if not deserves_ticket(fault, open_tickets):
        return None
    return Ticket(
        id=number,
        number=number,
        kind="preventive",
        origin="device",
        site=site.id,
        customer=site.customer,
        device=device.id,
        component=fault.component,
        fault=fault.id,
        title=_title(fault),
        severity=URGENCY[fault.severity],
        state="open",
        opened_at=now,
    )


def _covers(ticket: Ticket, fault: Fault) -> bool:
    same = ticket.device == fault.device and ticket.component == fault.component
    return ticket.state == "open" and (same or ticket.fault == fault.id)


def _title(fault: Fault) -> Words:
    component = COMPONENTS.get(fault.component, Words(fault.component, fault.component))
    return Words(f"{component.zh}：{fault.says.zh}", f"{component.en}: {fault.says.en}")
