"""What falls due by the clock: faults that nobody was sent for, readings that are too old."""

import logging
from datetime import UTC, datetime, timedelta

from aftersales.ticket import Ticket
from desk.office import Office
from desk.tickets import open_for
from health.fault import Fault

log = logging.getLogger(__name__)
LIVE_WITHIN = timedelta(minutes=15)
_MANY = 10_000


def open_overlooked(office: Office) -> list[Ticket]:
    """Open tickets for open faults without one, where the device is heard live; return them.

    Such are faults found in a device's own backlog, which notify nobody by themselves, and those
    of devices whose record was wrong at the time.
    """
    now = office.now()
    with office.records.read() as work:
        waiting = work.shelf(Fault).find(closed_at=None, ticket=None, limit=_MANY)
    last = office.telemetry.last(sorted({fault.device for fault in waiting}))
    opened = []
    for fault in waiting:
        newest_ms = max((at for at, _ in last.get(fault.device, {}).values()), default=0)
        if now - datetime.fromtimestamp(newest_ms / 1000, UTC) > LIVE_WITHIN:
            continue
        with office.records.begin() as work:
            kept = work.shelf(Fault).get(fault.id)
            ticket = open_for(work, kept, now) if kept and kept.closed_at is None else None
        if ticket is not None:
            log.info("overlooked fault has a ticket", extra={"ticket": ticket.id})
            opened.append(ticket)
    return opened


def forget_old_readings(office: Office, keep: timedelta) -> None:
    """Forget readings that are older than ``keep``."""
    office.telemetry.roll(int((office.now() - keep).timestamp() * 1000))
