"""Scope: which tickets and devices a user may see; None stands for all of them."""

from dataclasses import dataclass

from aftersales.access import Action, Role, may
from aftersales.team import Technician
from aftersales.ticket import Ticket
from aftersales.user import User
from aftersales.visit import VISIT_STATES, Visit
from storage.interface import Work

_MANY = 10_000
_HELD = [state for state in VISIT_STATES if state != "cancelled"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Ids of tickets and devices. What is not in it does not exist for the user."""

    tickets: frozenset[str] | None = None
    devices: frozenset[str] | None = None

    def sees_ticket(self, id: str) -> bool:
        """Return whether ticket ``id`` is in it."""
        return self.tickets is None or id in self.tickets

    def sees_device(self, id: str) -> bool:
        """Return whether device ``id`` is in it."""
        return self.devices is None or id in self.devices

    def hears(self, type: str, subject: str) -> bool:
        """Return whether an event of the journal is about something in it."""
        if type.startswith("alarm."):
            return self.sees_device(subject)
        return self.sees_ticket(subject)


def scope_of(work: Work, user: User) -> Scope:
    """Return what ``user`` may see: all, the user's own, or nothing, by the access table."""
    role = Role(user.role)
    tickets, devices = (
        None if may(role, Action.READ, object) else frozenset[str]()
        for object in ("ticket", "device")
    )
    if tickets is None and devices is None:
        return Scope()
    own = _own(work, user)
    if tickets is not None and may(role, Action.READ, "ticket", own=True):
        tickets = frozenset(own)
    if devices is not None and may(role, Action.READ, "device", own=True):
        found = work.shelf(Ticket).find(id=own, limit=_MANY)
        devices = frozenset(ticket.device for ticket in found if ticket.device)
    return Scope(tickets, devices)


def _own(work: Work, user: User) -> list[str]:
    """Return the tickets that ``user`` goes to, as the technician with this login."""
    mine = [t.id for t in work.shelf(Technician).find(user=user.id, limit=_MANY)]
    visits = work.shelf(Visit).find(
        technician=mine, state=_HELD, limit=_MANY, newest_first=True
    )  # fmt: skip
    return sorted({visit.ticket for visit in visits})
