"""A visit goes on: offered, accepted, on the road, on site, signed, filed."""

from zoneinfo import ZoneInfo

from aftersales.machine import By, Facts
from aftersales.team import Technician, certified, on_duty
from aftersales.ticket import Ticket
from aftersales.visit import Visit, apply
from desk.office import Office
from desk.tickets import ChangedMeanwhile, UnknownRecord
from equipment.catalog import MODELS
from equipment.device import Device
from storage.interface import Work


def move_visit(
    office: Office, id: str, event: str, facts: Facts, by: By, *, version: int | None = None
) -> Visit:
    """Return visit ``id`` after ``event``; whether the technician fits is found out here.

    Raises UnknownRecord, ChangedMeanwhile when ``version`` is not the current one, and Refused.
    """
    with office.records.begin() as work:
        visit = work.shelf(Visit).get(id)
        if visit is None:
            raise UnknownRecord(f"visit {id!r} does not exist")
        if version is not None and version != visit.version:
            raise ChangedMeanwhile(f"visit {id} is at version {visit.version}, not {version}")
        who = facts.get("technician", visit.technician)
        known = {**facts, **fitness(work, visit, who, office.zone)}
        visit, entry = apply(visit, event, known, by)
        work.shelf(Visit).put(visit)
        work.journal.append(entry)
    return visit


def fitness(work: Work, visit: Visit, technician: str | None, zone: str) -> dict[str, bool]:
    """Return whether ``technician`` is certified for the device and on duty in the window.

    Certificates are valid on days in ``zone``: on all that the window touches.
    """
    who = work.shelf(Technician).get(technician) if technician else None
    if who is None or visit.window_from is None or visit.window_to is None:
        return {"certified": False, "on_duty": False}
    family = family_of(work, visit.ticket)
    days = [at.astimezone(ZoneInfo(zone)).date() for at in (visit.window_from, visit.window_to)]
    return {
        "certified": all(certified(who, family, day) for day in days),
        "on_duty": on_duty(who, visit.window_from, visit.window_to),
    }


def family_of(work: Work, ticket: str) -> str | None:
    """Return the model family that work on ``ticket`` needs a certificate for, None for none."""
    kept = work.shelf(Ticket).get(ticket)
    device = work.shelf(Device).get(kept.device) if kept and kept.device else None
    return MODELS[device.model].family if device else None
