"""The day's plan: who goes where, and who waits and why."""

from fastapi import APIRouter

from aftersales.access import Action, Role, may
from aftersales.ticket import Ticket
from aftersales.visit import Visit
from api import shapes, views
from api.context import Caller, Stage, needs
from equipment.words import Words
from scheduler.plan import Route, Stop
from storage.interface import Work

router = APIRouter(prefix="/api/v1", tags=["plan"])
_AGREED = frozenset({"accepted", "travelling", "on_site", "left", "signed"})


@router.get("/plan", dependencies=[needs(Action.READ, "plan")])
def read_plan(stage: Stage, user: Caller) -> shapes.PlanShape:
    """Return the plan that holds; a technician sees only the own route."""
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work)
        kept = desk.published
        if kept is None:
            status = "planning" if stage.planning() else "none"
            return shapes.PlanShape(
                made_at=None, version=None, status=status, why=None, routes=[], unserved=[],
                warnings=[], costs={},
            )  # fmt: skip
        everything = may(Role(user.role), Action.READ, "plan")
        routes = [
            _route(work, desk, route)
            for route in kept.plan.routes
            if everything or _is_mine(desk, route, user.id)
        ]
        return shapes.PlanShape(
            made_at=kept.made_at,
            version=kept.id,
            status="failed" if kept.failed_at else "planning" if stage.planning() else "fresh",
            why=views.bilingual(kept.why) if kept.why else None,
            routes=[route for route in routes if route.stops],
            unserved=_unserved(work, kept.plan.unserved) if everything else [],
            warnings=[views.bilingual(w) for w in kept.plan.warnings],
            costs=dict(kept.plan.costs),
        )


def _is_mine(desk: views.Desk, route: Route, login: str) -> bool:
    who = desk.technician(route.technician)
    return who is not None and who.user == login


def _route(work: Work, desk: views.Desk, route: Route) -> shapes.RouteShape:
    who = desk.technician(route.technician)
    home = shapes.PlaceShape(
        latitude=who.home_latitude if who else 0.0, longitude=who.home_longitude if who else 0.0
    )
    title = desk.technician_title(route.technician)
    assert title is not None
    stops = [_stop(work, desk, route.technician, stop) for stop in route.stops]
    return shapes.RouteShape(
        technician=route.technician,
        technician_title=title,
        home=home,
        travel_s=route.travel_s,
        stops=[stop for stop in stops if stop is not None],
    )


def _stop(work: Work, desk: views.Desk, technician: str, stop: Stop) -> shapes.StopShape | None:
    """Return the stop while its ticket is open; a plan may be older than the last change.

    An accepted visit keeps the times that were agreed: they are the visit's, not the plan's.
    """
    ticket = work.shelf(Ticket).get(stop.request)
    if ticket is None or ticket.state != "open":
        return None
    site = desk.site(ticket.site)
    visits = work.shelf(Visit).find(ticket=ticket.id)
    agreed = visits[-1] if visits and visits[-1].state in _AGREED else None
    arrive_at = (agreed and agreed.window_from) or stop.arrive_at
    return shapes.StopShape(
        ticket=ticket.id,
        number=ticket.number,
        title=views.bilingual(ticket.title),
        site_title=views.bilingual(site.title),
        latitude=site.latitude,
        longitude=site.longitude,
        arrive_at=arrive_at,
        start_at=arrive_at if agreed else stop.start_at,
        end_at=(agreed and agreed.window_to) or stop.end_at,
        travel_s=stop.travel_s,
        late_s=stop.late_s,
        state=visits[-1].state if visits else "planned",
        device=ticket.device,
        certificate=desk.certificate(technician, ticket.device),
    )


def _unserved(work: Work, unserved: object) -> list[shapes.UnservedShape]:
    found = []
    for one in unserved:  # type: ignore[attr-defined]
        ticket = work.shelf(Ticket).get(one.request)
        if ticket is not None and ticket.state == "open":
            found.append(
                shapes.UnservedShape(
                    ticket=ticket.id,
                    number=ticket.number,
                    title=views.bilingual(ticket.title),
                    why=views.bilingual(Words(*one.why)),
                )
            )
    return found
