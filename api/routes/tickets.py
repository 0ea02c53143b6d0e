"""Tickets: what is open, until when, who goes, and what a user may do about it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from aftersales.access import Action, Role, may
from aftersales.team import Technician
from aftersales.ticket import OUTCOMES, Ticket
from aftersales.user import User
from aftersales.visit import Visit
from api import shapes, views
from api.context import Backstage, Caller, Stage, by, needs
from api.errors import NotFound
from desk.tickets import move_ticket, note_on_ticket
from equipment.device import BadRecord
from health.alarm import Alarm
from health.fault import Fault
from storage.interface import Work

router = APIRouter(prefix="/api/v1", tags=["tickets"])
_MANY = 10_000


def visible(work: Work, user: User) -> set[str] | None:
    """Return the ids of the tickets ``user`` may see, None for all of them."""
    if may(Role(user.role), Action.READ, "ticket"):
        return None
    mine = [t.id for t in work.shelf(Technician).find(user=user.id, limit=_MANY)]
    return {v.ticket for v in work.shelf(Visit).find(technician=mine, limit=_MANY)}


@router.get("/tickets", dependencies=[needs(Action.READ, "ticket")])
def list_tickets(
    stage: Stage,
    user: Caller,
    state: Annotated[str | None, Query(pattern="^[a-z_]{1,20}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str, Query(max_length=40)] = "",
) -> shapes.Page[shapes.TicketRow]:
    """Return tickets, newest first."""
    with stage.office.records.read() as work:
        equals: dict[str, Any] = {} if state is None else {"state": state}
        scope = visible(work, user)
        if scope is not None:
            equals["id"] = sorted(scope)
        found = work.shelf(Ticket).find(limit=limit, after=after, newest_first=True, **equals)
        desk = views.Desk(stage.office, work)
        rows = [desk.ticket(one, Role(user.role)) for one in found]
    return shapes.Page(items=rows, next=found[-1].id if len(found) == limit else None)


@router.get("/tickets/{id}", dependencies=[needs(Action.READ, "ticket")])
def read_ticket(stage: Stage, user: Caller, id: str) -> shapes.TicketPage:
    """Return a ticket with its timeline, its fault and the alarms that caused it."""
    with stage.office.records.read() as work:
        return _page(stage, work, _ticket(work, user, id), user)


@router.post("/tickets/{id}/actions", dependencies=[needs(Action.UPDATE, "ticket")])
def act(stage: Stage, user: Caller, id: str, asked: shapes.ActionRequest) -> shapes.TicketPage:
    """Do ``event`` on a ticket; 409 when somebody changed it since ``version``."""
    with stage.office.records.read() as work:
        _ticket(work, user, id)
    if asked.outcome is not None and asked.outcome not in OUTCOMES:
        raise BadRecord(f"outcome {asked.outcome!r} is none of {', '.join(OUTCOMES)}")
    who = by(stage, user)
    if asked.event == "acknowledge":
        note_on_ticket(stage.office, id, "ticket.acknowledged", {}, who)
    else:
        given = {"outcome": asked.outcome, "reason": asked.reason}
        facts = {name: value for name, value in given.items() if value}
        move_ticket(stage.office, id, asked.event, facts, who, version=asked.version)
    with stage.office.records.read() as work:
        return _page(stage, work, _ticket(work, user, id), user)


def _ticket(work: Work, user: User, id: str) -> Ticket:
    ticket = work.shelf(Ticket).get(id)
    scope = visible(work, user)
    if ticket is None or (scope is not None and id not in scope):
        raise NotFound(f"ticket {id[:60]!r} does not exist")
    return ticket


def _page(stage: Backstage, work: Work, ticket: Ticket, user: User) -> shapes.TicketPage:
    desk = views.Desk(stage.office, work)
    row = desk.ticket(ticket, Role(user.role))
    fault = work.shelf(Fault).get(ticket.fault) if ticket.fault else None
    return shapes.TicketPage(
        **row.model_dump(),
        timeline=[views.event(e, desk) for e in work.journal.of(ticket.id)],
        fault=views.fault(fault) if fault else None,
        alarms=[views.alarm(a) for a in _alarms(work, fault)],
        outcomes=[
            shapes.OutcomeShape(code=code, title=views.bilingual(title))
            for code, title in OUTCOMES.items()
        ],
    )


def _alarms(work: Work, fault: Fault | None) -> list[Alarm]:
    """Return the alarms of the fault's component while it lasted."""
    if fault is None:
        return []
    found = work.shelf(Alarm).find(device=fault.device, component=fault.component, limit=_MANY)
    return [
        a
        for a in found
        if a.raised_at >= fault.opened_at
        and (fault.closed_at is None or a.raised_at <= fault.closed_at)
    ]
