"""Demand: open tickets become visit requests, the people of the team technicians to send."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from aftersales import team
from aftersales.ticket import Ticket
from aftersales.visit import Visit
from equipment.catalog import MODELS
from equipment.device import Device, Site
from scheduler.plan import Break, ImpossibleProblem, Place, Shift, Technician, VisitRequest

DURATION_S: dict[str, int] = {  # ticket kinds that need a visit, and how long one takes
    "fault": 2 * 3600,
    "preventive": 90 * 60,
    "inspection": 3600,
    "key_visit": 3600,
    "upgrade": 2 * 3600,
    "installation": 4 * 3600,
    "return_exchange": 3600,
}
LUNCH_S = 3600
STARTED = frozenset({"travelling", "on_site"})
FROZEN = frozenset({"accepted"})
OVER = frozenset({"left", "signed", "filed"})
AGAIN = frozenset({"parts_needed", "not_solved"})
Due = tuple[datetime | None, bool]  # the promise to be there by, and whether it is contractual
Pin = tuple[str | None, datetime | None, bool]  # technician, begin, whether it is started


def visit_requests(
    tickets: Iterable[Ticket],
    visits: Iterable[Visit],
    sites: Mapping[str, Site],
    devices: Mapping[str, Device],
    due: Mapping[str, Due],
    *,
    now: datetime,
) -> list[VisitRequest]:
    """Return one request for each open ticket that needs somebody to go there.

    Its id is the ticket's. A visit that is under way or accepted stays with its technician, and
    so does one a dispatcher pinned; an offered one may move, at a cost. A visit that ended without
    solving the matter asks for another. Raises ImpossibleProblem for a ticket whose site or device
    is not known.
    """
    latest: dict[str, Visit] = {}
    for visit in visits:
        if visit.state not in ("aborted", "cancelled"):
            latest[visit.ticket] = visit
    return [
        _request(
            ticket,
            _place(ticket, sites),
            _family(ticket, devices),
            due.get(ticket.id, (None, False)),
            _pin(latest.get(ticket.id), now),
        )
        for ticket in sorted(tickets, key=lambda t: t.id)
        if _needs_visit(ticket, latest.get(ticket.id))
    ]


def _needs_visit(ticket: Ticket, visit: Visit | None) -> bool:
    if ticket.state != "open" or ticket.kind not in DURATION_S:
        return False
    return visit is None or visit.state not in OVER or visit.outcome in AGAIN


def _request(ticket: Ticket, place: Place, family: str | None, due: Due, pin: Pin) -> VisitRequest:
    promised_by, contractual = due
    pinned_to, pinned_at, started = pin
    return VisitRequest(
        ticket.id,
        place,
        DURATION_S[ticket.kind],
        family=family,
        earliest_at=ticket.opened_at,
        promised_by=promised_by,
        contractual=contractual,
        priority=ticket.severity,
        pinned_to=pinned_to,
        pinned_at=pinned_at,
        started=started,
        label=ticket.number,
    )


def _place(ticket: Ticket, sites: Mapping[str, Site]) -> Place:
    site = sites.get(ticket.site)
    if site is None:
        raise ImpossibleProblem(f"ticket {ticket.id}: site {ticket.site!r} is not in the register")
    return Place(site.latitude, site.longitude)


def _family(ticket: Ticket, devices: Mapping[str, Device]) -> str | None:
    """Return the device family the technician needs a certificate for."""
    if ticket.device is None:
        return None
    device = devices.get(ticket.device)
    if device is None:
        raise ImpossibleProblem(
            f"ticket {ticket.id}: device {ticket.device!r} is not in the register"
        )
    if device.model not in MODELS:
        raise ImpossibleProblem(f"device {device.id}: model {device.model!r} is not in the catalog")
    return MODELS[device.model].family


def _pin(visit: Visit | None, now: datetime) -> Pin:
    """Return what of a visit is settled: technician, begin, and whether it is started.

    On site counts from the planned arrival, as far as that has passed; who is on the road arrives
    as planned, or any moment if that has passed.
    """
    if visit is None or visit.technician is None:
        return None, None, False
    if visit.state == "on_site":
        return visit.technician, min(visit.window_from or now, now), True
    if visit.state == "travelling":
        return visit.technician, visit.window_from and max(visit.window_from, now), True
    if visit.state in FROZEN or (visit.pinned and visit.state not in OVER):
        return visit.technician, visit.window_from, False
    return None, None, False


def crew(people: Iterable[team.Technician], now: datetime, zone: str) -> list[Technician]:
    """Return the technicians of the team with the shifts that are left.

    Certificates count that are valid on the day of ``now`` in ``zone``.
    """
    day = now.astimezone(ZoneInfo(zone)).date()
    return [
        Technician(
            person.id,
            Place(person.home_latitude, person.home_longitude),
            shifts=tuple(_shift(duty) for duty in _left(person.shifts, now)),
            certificates=_certificates(person, day),
            title=person.title,
        )
        for person in people
    ]


def _left(duties: Sequence[team.Duty], now: datetime) -> list[team.Duty]:
    return sorted((duty for duty in duties if duty.end > now), key=lambda duty: duty.start)


def _shift(duty: team.Duty) -> Shift:
    """Return a duty with its break: an hour of a longer span, the whole of a shorter one."""
    if duty.break_from is None or duty.break_to is None:
        return Shift(duty.start, duty.end)
    whole_s = int((duty.break_to - duty.break_from).total_seconds())
    rest = Break(duty.break_from, duty.break_to, min(whole_s, LUNCH_S))
    return Shift(duty.start, duty.end, (rest,))


def _certificates(person: team.Technician, day: date) -> dict[str, date]:
    """Return until when each family's certificate is valid, of those that have begun."""
    held: dict[str, date] = {}
    for one in person.certificates:
        if one.valid_from <= day:
            held[one.family] = max(one.valid_to, held.get(one.family, one.valid_to))
    return held
