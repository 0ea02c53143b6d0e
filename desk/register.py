"""The register: devices are put on record, and get, change or lose their credentials."""

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from aftersales.journal import Fact
from aftersales.machine import By, draft
from desk.tickets import UnknownRecord
from equipment.credential import Credential, Former, credential, mosquitto_hash
from equipment.device import Device, Site
from storage.interface import Records, Work

LONGEST_GRACE = timedelta(days=7)
_NO_GRACE = timedelta(0)


def add_device(records: Records, device: Device, site: Site, by: By) -> None:
    """Put ``device`` on record, and ``site`` if it is new. Collectors know it within seconds."""
    with records.begin() as work:
        if work.shelf(Site).get(site.id) is None:
            work.shelf(Site).put(site)
        work.shelf(Device).put(device)
        facts = {"model": device.model, "site": device.site}
        work.journal.append(draft(by, device.id, "device.registered", facts))


def issue(records: Records, id: str, by: By, *, grace: timedelta = _NO_GRACE) -> str:
    """Give device or gateway ``id`` a new secret and return it: it can be read only this once.

    The secret before it holds for ``grace`` longer, at most LONGEST_GRACE.
    """
    secret = secrets.token_urlsafe(18)
    until = by.now + min(grace, LONGEST_GRACE)
    fresh = credential(
        id,
        secret,
        secrets.token_hex(8),
        issued_at=by.now,
        broker=mosquitto_hash(secret, secrets.token_bytes(12)),
    )
    with records.begin() as work:
        old = work.shelf(Credential).get(id)
        if old is not None and grace:
            fresh = replace(fresh, former=Former(old.salt, old.digest, until))
        work.shelf(Credential).put(fresh)
        facts: dict[str, Fact] = {
            "replaces": old is not None,
            "former_until": until.isoformat() if fresh.former else None,
        }
        work.journal.append(draft(by, id, "credential.issued", facts))
    return secret


def revoke(records: Records, id: str, by: By) -> None:
    """Take the credential of ``id`` away; what it has open is cut within seconds.

    Raises UnknownRecord when it has none.
    """
    with records.begin() as work:
        if work.shelf(Credential).get(id) is None:
            raise UnknownRecord(f"{id!r} has no credential")
        work.shelf(Credential).remove(id)
        work.journal.append(draft(by, id, "credential.revoked", {}))


def password_lines(work: Work, lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return mosquitto's password file after ``lines``, and who is missing in it.

    Lines of users that are no devices or gateways of ours stay. Credentials that were issued by
    an earlier version have no hash that mosquitto knows: those are missing until they are rotated.
    """
    kept = {one.id: one.broker for one in work.shelf(Credential).find(limit=1_000_000)}
    ours = kept.keys() | {device.id for device in work.shelf(Device).find(limit=1_000_000)}
    users = ((line, line.partition(":")[0]) for line in lines if line.strip())
    foreign = [line for line, user in users if user not in ours and "/" not in user]
    known = [f"{id}:{hash}" for id, hash in sorted(kept.items()) if hash]
    return [*foreign, *known], sorted(id for id, hash in kept.items() if not hash)
