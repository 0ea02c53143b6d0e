"""Tickets: what is open, until when, who goes, and what a user may do about it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from aftersales.access import Action
from aftersales.ticket import OUTCOMES, TICKET_STATES, Ticket
from aftersales.user import User
from api import shapes, views
from api.context import Backstage, Caller, Stage, by, door
from api.errors import NotFound, check_known
from desk.tickets import move_ticket, note_on_ticket
from equipment.words import Words
from health.alarm import Alarm
from health.fault import Fault
from storage.interface import Work

router = APIRouter(prefix="/api/v1", tags=["tickets"])
_MANY = 10_000


@router.get("/tickets", **door(Action.READ, "ticket"))
def list_tickets(
    stage: Stage,
    user: Caller,
    state: Annotated[str | None, Query(pattern="^[a-z_]{1,20}$")] = None,
    limit: shapes.Limit = 100,
    after: shapes.After = "",
) -> shapes.TicketList:
    """Return tickets, newest first."""
    check_known("query.state", state, TICKET_STATES)
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work, user)
        scope = desk.scope.tickets
        own: dict[str, Any] = {} if scope is None else {"id": sorted(scope)}
        shelf, wanted = work.shelf(Ticket), own if state is None else {**own, "state": state}
        found = shelf.find(limit=limit + 1, after=after, newest_first=True, **wanted)
        return shapes.TicketList(
            items=desk.tickets(found[:limit]),
            next=found[limit - 1].id if len(found) > limit else None,
            counts={code: shelf.count(**own, state=code) for code in TICKET_STATES},
        )


@router.get("/tickets/{id}", **door(Action.READ, "ticket", 404))
def read_ticket(stage: Stage, user: Caller, id: shapes.IdPath) -> shapes.TicketPage:
    """Return a ticket with its timeline, its fault and the alarms that caused it."""
    with stage.office.records.read() as work:
        return _page(stage, work, id, user)


@router.post("/tickets/{id}/actions", **door(Action.UPDATE, "ticket", 404, 409))
def act(
    stage: Stage, user: Caller, id: shapes.IdPath, asked: shapes.ActionRequest
) -> shapes.TicketPage:
    """Do ``event`` on a ticket; 409 when somebody changed it since ``version``."""
    with stage.office.records.read() as work:
        _ticket(work, views.Desk(stage.office, work, user), id)
    check_known("body.outcome", asked.outcome, OUTCOMES)
    who, version = by(stage, user), asked.version
    if asked.event == "acknowledge":
        note_on_ticket(stage.office, id, "ticket.acknowledged", {}, who, version=version)
    else:
        given = {"outcome": asked.outcome, "reason": asked.reason}
        facts = {name: value for name, value in given.items() if value}
        move_ticket(stage.office, id, asked.event, facts, who, version=version)
    with stage.office.records.read() as work:
        return _page(stage, work, id, user)


def _ticket(work: Work, desk: views.Desk, id: str) -> Ticket:
    ticket = work.shelf(Ticket).get(id)
    if ticket is None or not desk.scope.sees_ticket(id):
        raise NotFound(Words(f"没有工单 {id}", f"ticket {id!r} does not exist"))
    return ticket


def _page(stage: Backstage, work: Work, id: str, user: User) -> shapes.TicketPage:
    desk = views.Desk(stage.office, work, user)
    ticket = _ticket(work, desk, id)
    desk.learn_devices([ticket.device])
    events, visits = desk.events([id])[id], desk.visits([id])[id]
    fault = work.shelf(Fault).get(ticket.fault) if ticket.fault else None
    return shapes.TicketPage(
        **desk.ticket(ticket, events, visits).model_dump(),
        timeline=[views.event(e, desk) for e in events],
        fault=views.fault(fault, desk.scope) if fault else None,
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
