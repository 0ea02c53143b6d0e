"""Records become shapes: what a page needs of a ticket or a device, gathered once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
from desk.office import Office
from equipment.catalog import COMPONENTS, MODELS, DeviceModel
from equipment.device import Device, Site
from equipment.words import Words
from health.alarm import Alarm
from health.fault import Fault
from health.state import STATES, device_health
from scheduler.published import Published
from storage.interface import Work

SILENT_AFTER = timedelta(minutes=15)
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


def fault(one: Fault) -> shapes.FaultShape:
    """Return a fault."""
    return shapes.FaultShape(
        id=one.id,
        component=one.component,
        state=one.state,
        says=bilingual(one.says),
        opened_at=one.opened_at,
        closed_at=one.closed_at,
        react_by=one.react_by,
        ticket=one.ticket,
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


def ticket_clocks(office: Office, work: Work, ticket: Ticket) -> Sequence[Clock]:
    """Return what every promise on ``ticket`` says now."""
    events = work.journal.of(ticket.id)
    return clocks(ticket, events, office.workdays, office.now(), ZoneInfo(office.zone))


class Desk:
    """One look at the records for one answer; what is asked twice is read once."""

    def __init__(self, office: Office, work: Work) -> None:
        self._office, self._work = office, work
        self._sites: dict[str, Site] = {s.id: s for s in work.shelf(Site).find(limit=_MANY)}
        self._team = {t.id: t for t in work.shelf(Technician).find(limit=_MANY)}
        plans = work.shelf(Published).find(limit=1, newest_first=True)
        self.published: Published | None = plans[0] if plans else None
        routes = self.published.plan.routes if self.published else ()
        self.late = {stop.request: stop.late_s for route in routes for stop in route.stops}
        unserved = self.published.plan.unserved if self.published else ()
        self.unserved = {one.request: one.why for one in unserved}

    def site(self, id: str) -> Site:
        """Return site ``id``, a nameless one where the register lost it."""
        return self._sites.get(id) or Site(id, "", Words(id, id), 0.0, 0.0)

    def technician_title(self, id: str | None) -> shapes.Bilingual | None:
        """Return the technician's name."""
        if id is None:
            return None
        who = self._team.get(id)
        return bilingual(who.title if who else Words(id, id))

    def technician(self, id: str) -> Technician | None:
        """Return technician ``id``."""
        return self._team.get(id)

    def actor_title(self, actor: str) -> shapes.Bilingual:
        """Return how to call who did something: a technician, a user, a part of the product."""
        person = self._team.get(actor) or self._work.shelf(User).get(actor)
        return bilingual(person.title if person else _PROGRAMS.get(actor, Words(actor, actor)))

    def certificate(
        self, technician: str | None, device: str | None
    ) -> shapes.CertificateShape | None:
        """Return the certificate of ``technician`` for the family of ``device``, if held today."""
        who = self._team.get(technician or "")
        known = self._work.shelf(Device).get(device) if device else None
        model = MODELS.get(known.model) if known else None
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

    def visit(self, ticket: str, device: str | None = None) -> shapes.VisitShape | None:
        """Return the newest visit of ``ticket``, about ``device``, that is not cancelled."""
        found = self._work.shelf(Visit).find(ticket=ticket, limit=_MANY)
        going = [v for v in found if v.state not in ENDED] or [
            v for v in found if v.state == "filed"
        ]
        if not going:
            return None
        one = going[-1]
        return shapes.VisitShape(
            id=one.id,
            technician=one.technician,
            technician_title=self.technician_title(one.technician),
            state=one.state,
            state_title=bilingual(VISIT_STATES[one.state]),
            arrive_at=one.window_from,
            leave_at=one.window_to,
            late_s=self.late.get(ticket),
            certificate=self.certificate(one.technician, device),
        )

    def ticket(self, one: Ticket, role: Role) -> shapes.TicketRow:
        """Return ``one`` as a row for a user of ``role``."""
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
            promises=[promise(c) for c in ticket_clocks(self._office, self._work, one)],
            visit=self.visit(one.id, one.device),
            unserved=bilingual(why) if why else None,
            allowed_actions=self._actions(one, role),
        )

    def _actions(self, one: Ticket, role: Role) -> list[shapes.ActionShape]:
        """What the role may do: steps of the machine, and the first answer while it is open."""
        actions = [
            shapes.ActionShape(
                event=name, title=bilingual(TICKET_EVENTS[name].title), needs=_NEEDS.get(name)
            )
            for name in allowed(TICKET, one.state, role)
            if name in _OFFERED
        ]
        first = HAPPENINGS["ticket.acknowledged"]
        events = self._work.journal.of(one.id)
        answered = any(e.type == "ticket.acknowledged" for e in events)
        if one.state == "open" and role in first.roles and not answered:
            title = bilingual(first.title)
            actions.insert(0, shapes.ActionShape(event="acknowledge", title=title))
        return actions


def device_row(
    desk: Desk,
    device: Device,
    model: DeviceModel,
    *,
    faults: Iterable[Fault],
    last: Mapping[str, tuple[int, float]],
    now: datetime,
) -> shapes.DeviceRow:
    """Return ``device`` as a row: its open ``faults`` say how it is, ``last`` when it spoke."""
    open_faults = [f for f in faults if f.closed_at is None]
    health = device_health(open_faults)
    worst = next((c for c, state in health.components.items() if state == health.state), None)
    seen_ms = max((at for at, _ in last.values()), default=None)
    seen_at = None if seen_ms is None else datetime.fromtimestamp(seen_ms / 1000, UTC)
    site = desk.site(device.site)
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
        silent=seen_at is None or now - seen_at > SILENT_AFTER,
        component=worst,
        component_title=component_title(worst) if worst else None,
        ticket=next((f.ticket for f in open_faults if f.ticket), None),
    )
