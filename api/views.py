"""Records become shapes: what a page needs of a ticket or a device, gathered once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from aftersales import timeline
from aftersales.access import Role
from aftersales.journal import Event
from aftersales.machine import allowed
from aftersales.promises import CLOCK_STATES, ORIGINS, PROMISES, Clock, clocks
from aftersales.team import Technician
from aftersales.ticket import HAPPENINGS, KINDS, TICKET, TICKET_EVENTS, TICKET_STATES, Ticket
from aftersales.user import User
from aftersales.visit import ENDED, VISIT_STATES, Visit
from api import shapes
from api.scope import Scope, scope_of
from desk.office import Office
from equipment.catalog import COMPONENTS, MODELS, DeviceModel, Metric
from equipment.device import Device, Site
from equipment.words import Words
from health.alarm import Alarm
from health.fault import Fault
from health.state import STATES, device_health
from scheduler.published import Published
from storage.interface import Work

_MANY = 10_000
_NEEDS = {"resolve": "outcome", "cancel": "reason", "reopen": "reason"}
_OFFERED = ("resolve", "confirm", "reopen", "cancel")
_PROGRAMS = {  # actors that are no people
    "fieldcare": Words("系统规则", "health rules"),
    "planner": Words("自动排程", "automatic planning"),
}


def bilingual(words: Words) -> shapes.Bilingual:
    """Return ``words`` as a shape."""
    return shapes.Bilingual(zh=words[0], en=words[1])


def component_title(code: str) -> shapes.Bilingual:
    """Return the component's name, its code where it has none."""
    return bilingual(COMPONENTS.get(code, Words(code, code)))


EVENT_TITLES: dict[str, Words] = {
    **timeline.EVENT_TITLES,
    "alarm.raised": Words("告警", "alarm raised"),
    "alarm.cleared": Words("告警解除", "alarm cleared"),
}


def event(one: Event, desk: "Desk") -> shapes.EventShape:
    """Return a line of a timeline."""
    return shapes.EventShape(
        id=one.id,
        at=one.at,
        recorded_at=one.recorded_at,
        type=one.type,
        title=bilingual(EVENT_TITLES.get(one.type, Words(one.type, one.type))),
        actor=one.actor,
        actor_title=desk.actor_title(one.actor),
        data=dict(one.data),
    )


def alarm(one: Alarm) -> shapes.AlarmShape:
    """Return an alarm with its evidence."""
    return shapes.AlarmShape(
        id=one.id,
        device=one.device,
        component=one.component,
        component_title=component_title(one.component),
        metric=one.metric,
        rule=one.rule,
        severity=one.severity,
        state=one.state,
        says=bilingual(one.says),
        raised_at=one.raised_at,
        cleared_at=one.cleared_at,
        evidence=dict(one.evidence),
    )


def fault(one: Fault, scope: Scope) -> shapes.FaultShape:
    """Return a fault, with its ticket if that is in ``scope``."""
    return shapes.FaultShape(
        id=one.id,
        component=one.component,
        state=one.state,
        says=bilingual(one.says),
        opened_at=one.opened_at,
        closed_at=one.closed_at,
        react_by=one.react_by,
        ticket=one.ticket if one.ticket and scope.sees_ticket(one.ticket) else None,
    )


def promise(clock: Clock) -> shapes.PromiseShape:
    """Return a promise's clock with its words."""
    kept = PROMISES[clock.promise]
    return shapes.PromiseShape(
        code=kept.code,
        title=bilingual(kept.title),
        origin=kept.origin,
        origin_title=bilingual(ORIGINS[kept.origin]),
        state=clock.state,
        state_title=bilingual(CLOCK_STATES[clock.state]),
        start=clock.start,
        due=clock.due,
        stop=clock.stop,
        held_s=clock.held_s,
        provisional=clock.provisional,
        warn_at=list(kept.warn_at),
    )


class Desk:
    """One look at the records for one user's answer; what is asked twice is read once."""

    def __init__(self, office: Office, work: Work, user: User) -> None:
        self._office, self._work = office, work
        self._models: dict[str, str] = {}
        self.role = Role(user.role)
        self.scope: Scope = scope_of(work, user)

    @cached_property
    def sites(self) -> Mapping[str, Site]:
        """Every site by id."""
        return {site.id: site for site in self._work.shelf(Site).find(limit=_MANY)}

    @cached_property
    def _team(self) -> Mapping[str, Technician]:
        return {t.id: t for t in self._work.shelf(Technician).find(limit=_MANY)}

    @cached_property
    def published(self) -> Published | None:
        """The plan that holds."""
        plans = self._work.shelf(Published).find(limit=1, newest_first=True)
        return plans[0] if plans else None

    @cached_property
    def _late(self) -> Mapping[str, int]:
        routes = self.published.plan.routes if self.published else ()
        return {stop.request: stop.late_s for route in routes for stop in route.stops}

    @cached_property
    def unserved(self) -> Mapping[str, Words]:
        """Ticket id -> why nobody is sent there."""
        unserved = self.published.plan.unserved if self.published else ()
        return {one.request: Words(*one.why) for one in unserved}

    def site(self, id: str) -> Site:
        """Return site ``id``, a nameless one where the register lost it."""
        return self.sites.get(id) or Site(id, "", Words(id, id), 0.0, 0.0)

    def technician_title(self, id: str) -> shapes.Bilingual:
        """Return the technician's name."""
        who = self._team.get(id)
        return bilingual(who.title if who else Words(id, id))

    def technician(self, id: str) -> Technician | None:
        """Return technician ``id``."""
        return self._team.get(id)

    def actor_title(self, actor: str) -> shapes.Bilingual:
        """Return how to call who did something: a technician, a user, a part of the product."""
        person = self._team.get(actor) or self._work.shelf(User).get(actor)
        return bilingual(person.title if person else _PROGRAMS.get(actor, Words(actor, actor)))

    def learn_devices(self, ids: Iterable[str | None]) -> None:
        """Read the devices ``ids`` at once, for the certificates asked for later."""
        wanted = [id for id in set(ids) if id is not None]
        found = self._work.shelf(Device).find(id=wanted, limit=_MANY)
        self._models.update({device.id: device.model for device in found})

    def certificate(self, technician: str, device: str | None) -> shapes.CertificateShape | None:
        """Return the certificate of ``technician`` for the family of ``device``, if held today."""
        who = self._team.get(technician)
        model = MODELS.get(self._models.get(device or "", ""))
        if who is None or model is None:
            return None
        today = self._office.now().astimezone(ZoneInfo(self._office.zone)).date()
        held = [
            c.valid_to
            for c in who.certificates
            if c.family == model.family and c.valid_from <= today <= c.valid_to
        ]
        if not held:
            return None
        title = bilingual(model.title)
        return shapes.CertificateShape(family=model.family, title=title, valid_to=max(held))

    def visits(self, tickets: Iterable[str]) -> Mapping[str, Sequence[Visit]]:
        """Return the visits of each of ``tickets``, oldest first."""
        found: dict[str, list[Visit]] = defaultdict(list)
        for visit in self._work.shelf(Visit).find(ticket=list(tickets), limit=_MANY):
            found[visit.ticket].append(visit)
        return found

    def events(self, tickets: Iterable[str]) -> Mapping[str, Sequence[Event]]:
        """Return what is on record about each of ``tickets``, oldest first."""
        found: dict[str, list[Event]] = defaultdict(list)
        for one in self._work.journal.of(*tickets):
            found[one.subject].append(one)
        return found

    def clocks(self, one: Ticket, events: Sequence[Event]) -> Sequence[Clock]:
        """Return what every promise on ``one`` says now."""
        office = self._office
        return clocks(one, events, office.workdays, office.now(), ZoneInfo(office.zone))

    def tickets(self, several: Sequence[Ticket]) -> list[shapes.TicketRow]:
        """Return ``several`` as rows."""
        ids = [one.id for one in several]
        self.learn_devices(one.device for one in several)
        visits, events = self.visits(ids), self.events(ids)
        return [self.ticket(one, events[one.id], visits[one.id]) for one in several]

    def ticket(
        self, one: Ticket, events: Sequence[Event], visits: Sequence[Visit]
    ) -> shapes.TicketRow:
        """Return ``one``, on which ``events`` are on record, as a row."""
        why = self.unserved.get(one.id) if one.state == "open" else None
        return shapes.TicketRow(
            id=one.id,
            number=one.number,
            kind=one.kind,
            kind_title=bilingual(KINDS[one.kind]),
            origin=one.origin,
            title=bilingual(one.title),
            severity=one.severity,
            state=one.state,
            state_title=bilingual(TICKET_STATES[one.state]),
            device=one.device,
            site=one.site,
            site_title=bilingual(self.site(one.site).title),
            component=one.component,
            component_title=component_title(one.component) if one.component else None,
            opened_at=one.opened_at,
            reported_at=one.reported_at,
            outcome=one.outcome,
            version=one.version,
            promises=[promise(c) for c in self.clocks(one, events)],
            visit=self._visit(visits, one.device),
            unserved=bilingual(why) if why else None,
            allowed_actions=actions(one, events, self.role),
        )

    def _visit(self, visits: Sequence[Visit], device: str | None) -> shapes.VisitShape | None:
        """Return the newest of ``visits`` that is still going on, else the newest filed one."""
        going = [v for v in visits if v.state not in ENDED] or [
            v for v in visits if v.state == "filed"
        ]
        if not going:
            return None
        one = going[-1]
        who = one.technician
        return shapes.VisitShape(
            id=one.id,
            technician=who,
            technician_title=self.technician_title(who) if who else None,
            state=one.state,
            state_title=bilingual(VISIT_STATES[one.state]),
            arrive_at=one.window_from,
            leave_at=one.window_to,
            late_s=self._late.get(one.ticket),
            certificate=self.certificate(who, device) if who else None,
        )


def actions(one: Ticket, events: Sequence[Event], role: Role) -> list[shapes.ActionShape]:
    """Return what ``role`` may do: steps of the machine, and the first answer while it is open."""
    found = [
        shapes.ActionShape(
            event=name, title=bilingual(TICKET_EVENTS[name].title), needs=_NEEDS.get(name)
        )
        for name in allowed(TICKET, one.state, role)
        if name in _OFFERED
    ]
    first = HAPPENINGS["ticket.acknowledged"]
    answered = any(e.type == "ticket.acknowledged" for e in events)
    if one.state == "open" and role in first.roles and not answered:
        title = bilingual(first.title)
        found.insert(0, shapes.ActionShape(event="acknowledge", title=title))
    return found


def device_row(
    desk: Desk,
    device: Device,
    model: DeviceModel,
    faults: Sequence[Fault],
    *,
    seen_at: datetime | None,
    silent: bool,
) -> shapes.DeviceRow:
    """Return ``device`` as a row: its open ``faults`` say how it is."""
    health = device_health(faults)
    worst = next((c for c, state in health.components.items() if state == health.state), None)
    site = desk.site(device.site)
    tickets = (f.ticket for f in faults if f.ticket and desk.scope.sees_ticket(f.ticket))
    return shapes.DeviceRow(
        id=device.id,
        serial=device.serial,
        model=device.model,
        model_title=bilingual(model.title),
        site=device.site,
        site_title=bilingual(site.title),
        latitude=site.latitude,
        longitude=site.longitude,
        state=health.state,
        state_title=bilingual(STATES[health.state]),
        score=health.score,
        last_seen_at=seen_at,
        silent=silent,
        component=worst,
        component_title=component_title(worst) if worst else None,
        ticket=next(tickets, None),
    )


def instant(at_ms: int) -> datetime:
    """Return ms UTC as an instant."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def metric(one: Metric, last: Mapping[str, tuple[int, float]]) -> shapes.MetricShape:
    """Return a metric with its newest value out of ``last``."""
    at_ms, value = last.get(one.name, (None, None))
    return shapes.MetricShape(
        name=one.name,
        title=bilingual(one.title),
        unit=one.unit,
        component=one.component,
        component_title=component_title(one.component),
        value=value,
        at=None if at_ms is None else instant(at_ms),
        warn=one.warn,
        fail=one.fail,
    )
