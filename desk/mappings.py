"""Mappings: a person teaches how what a device sends is to be understood, and takes it back."""

from collections.abc import Mapping
from dataclasses import replace

from aftersales.journal import Draft
from aftersales.machine import By, draft
from desk.office import Office
from desk.tickets import UnknownRecord
from equipment.catalog import MODELS, DeviceModel
from equipment.device import Device, Site
from equipment.mapped import Mapped, Register, WrongMapping, check, mapping_id
from equipment.words import Words
from storage.interface import Work

MOST = 10_000
_MANY = 1_000_000


def mappings(work: Work) -> list[Mapped]:
    """Return every mapping that holds."""
    return list(work.shelf(Mapped).find(limit=MOST))


def register_of(work: Work, models: Mapping[str, DeviceModel] = MODELS) -> Register:
    """Return what a mapping may speak of."""
    return Register(
        models,
        {device.id: device.model for device in work.shelf(Device).find(limit=_MANY)},
        frozenset(site.id for site in work.shelf(Site).find(limit=_MANY)),
    )


def drafted(
    by: By, *, kind: str, sent: str, means: str, model: str = "", device: str = ""
) -> Mapped:
    """Return a mapping that is not kept yet, as ``by`` words it."""
    id = mapping_id(kind, sent, model, device)
    return Mapped(id, kind, sent, means, model, device, by.actor, by.now)


def teach(
    office: Office,
    by: By,
    *,
    kind: str,
    sent: str,
    means: str,
    model: str = "",
    device: str = "",
    models: Mapping[str, DeviceModel] = MODELS,
) -> Mapped:
    """Keep what ``sent`` means, in place of what it meant before; return it.

    It holds in every collector within seconds. Raises WrongMapping.
    """
    row = drafted(by, kind=kind, sent=sent, means=means, model=model, device=device)
    with office.records.begin() as work:
        check(row, register_of(work, models), others := mappings(work))
        before = work.shelf(Mapped).get(row.id)
        if before is None and len(others) >= MOST:
            raise WrongMapping("sent", Words(f"映射已满 {MOST} 条", f"{MOST} mappings are enough"))
        if before is not None:
            if before.means == means:
                return before
            row = replace(row, version=before.version + 1)
        work.shelf(Mapped).put(row)
        work.journal.append(_entry(by, "mapping.taught", row, before.means if before else None))
    return row


def unteach(office: Office, by: By, id: str) -> Mapped:
    """Take a mapping back and return it. Raises UnknownRecord."""
    with office.records.begin() as work:
        row = work.shelf(Mapped).get(id)
        if row is None:
            raise UnknownRecord(f"mapping {id!r} does not exist")
        work.shelf(Mapped).remove(id)
        work.journal.append(_entry(by, "mapping.removed", row, row.means))
    return row


def _entry(by: By, type: str, row: Mapped, before: str | None) -> Draft:
    facts = {
        "kind": row.kind,
        "sent": row.sent,
        "means": row.means,
        "before": before,
        "model": row.model,
        "device": row.device,
        "version": row.version,
    }
    return draft(by, row.id, type, facts)
