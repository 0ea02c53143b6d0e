"""The day's plan: who goes where, and who waits and why."""

from collections.abc import Iterator, Mapping, Sequence

from fastapi import APIRouter

from aftersales.access import Action, Role, may
from aftersales.ticket import Ticket
from aftersales.user import User
from aftersales.visit import Visit
from api import shapes, views
from api.context import Caller, Stage, door
from scheduler.plan import Route, Stop
from scheduler.published import Published
from storage.interface import Work

router = APIRouter(prefix="/api/v1", tags=["plan"])
_AGREED = frozenset({"accepted", "travelling", "on_site", "left", "signed"})


@router.get("/plan", **door(Action.READ, "plan"))
def read_plan(stage: Stage, user: Caller) -> shapes.PlanShape:
    """Return the plan that holds; a technician sees only the own route."""
    with stage.office.records.read() as work:
        desk = views.Desk(stage.office, work, user)
        kept = desk.published
        if kept is None:
            status = "planning" if stage.planning() else "none"
            return shapes.PlanShape(
                made_at=None, version=None, status=status, why=None, routes=[], unserved=[],
                warnings=[], costs={},
            )  # fmt: skip
        status = "failed" if kept.failed_at else "planning" if stage.planning() else "fresh"
        return _Plan(work, desk, kept, user).shape(status)


class _Plan:
    """One look at a plan, as far as ``user`` may see it; tickets and visits are read once."""

    def __init__(self, work: Work, desk: views.Desk, kept: Published, user: User) -> None:
        self._desk, self._kept = desk, kept
        self._everything = may(Role(user.role), Action.READ, "plan")
        self._routes = [
            route for route in kept.plan.routes if self._everything or self._is_of(route, user.id)
        ]
        self._waiting = kept.plan.unserved if self._everything else ()
        ids = [stop.request for route in self._routes for stop in route.stops]
        ids += [one.request for one in self._waiting]
        found = work.shelf(Ticket).find(id=ids, state="open", limit=len(ids))
        self._tickets: Mapping[str, Ticket] = {ticket.id: ticket for ticket in found}
        self._visits = desk.visits(self._tickets)
        desk.learn_devices(ticket.device for ticket in found)

    def _is_of(self, route: Route, login: str) -> bool:
        who = self._desk.technician(route.technician)
        return who is not None and who.user == login

    def shape(self, status: str) -> shapes.PlanShape:
        kept, whole = self._kept, self._everything
        routes = [self._route(route) for route in self._routes]
        return shapes.PlanShape(
            made_at=kept.made_at,
            version=kept.id,
            status=status,
            why=views.bilingual(kept.why) if kept.why and whole else None,
            routes=[route for route in routes if route.stops],
            unserved=list(self._unserved()),
            warnings=[views.bilingual(w) for w in kept.plan.warnings] if whole else [],
            costs=dict(kept.plan.costs) if whole else {},
        )

    def _route(self, route: Route) -> shapes.RouteShape:
        who = self._desk.technician(route.technician)
        home = shapes.PlaceShape(
            latitude=who.home_latitude if who else 0.0,
            longitude=who.home_longitude if who else 0.0,
        )
        return shapes.RouteShape(
            technician=route.technician,
            technician_title=self._desk.technician_title(route.technician),
            home=home,
            travel_s=route.travel_s,
            stops=list(self._stops(route)),
        )

    def _stops(self, route: Route) -> Iterator[shapes.StopShape]:
        """Yield the stops whose tickets are open; a plan may be older than the last change."""
        for stop in route.stops:
            ticket = self._tickets.get(stop.request)
            if ticket is not None:
                certificate = self._desk.certificate(route.technician, ticket.device)
                shape = _stop(stop, ticket, self._desk, self._visits[ticket.id])
                yield shape.model_copy(update={"certificate": certificate})

    def _unserved(self) -> Iterator[shapes.UnservedShape]:
        for one in self._waiting:
            ticket = self._tickets.get(one.request)
            if ticket is not None:
                yield shapes.UnservedShape(
                    ticket=ticket.id,
                    number=ticket.number,
                    title=views.bilingual(ticket.title),
                    why=views.bilingual(one.why),
                )


def _stop(
    stop: Stop, ticket: Ticket, desk: views.Desk, visits: Sequence[Visit]
) -> shapes.StopShape:
    """Return the stop; an accepted visit keeps the times that were agreed, not the plan's."""
    site = desk.site(ticket.site)
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
        why=views.bilingual(stop.why) if stop.why else None,
    )
