"""What falls due by the clock: faults that nobody was sent for, readings that are too old."""

from datetime import UTC, datetime, timedelta

from aftersales.ticket import Ticket
from desk.office import Office
from desk.tickets import open_waiting
from health.fault import Fault

LIVE_WITHIN = timedelta(minutes=15)
_MANY = 10_000


def open_overlooked(office: Office) -> list[Ticket]:
    """Open tickets for open faults without one, where the device is heard live; return them."""
    now = office.now()
    with office.records.read() as work:
        waiting = work.shelf(Fault).find(closed_at=None, ticket=None, limit=_MANY)
    last = office.telemetry.last(sorted({fault.device for fault in waiting}))
    newest = {device: max(at for at, _ in values.values()) for device, values in last.items()}
    live = [
        device
        for device, at_ms in newest.items()
        if now - datetime.fromtimestamp(at_ms / 1000, UTC) <= LIVE_WITHIN
    ]
    return open_waiting(office, live)


def forget_old_readings(office: Office, keep: timedelta) -> None:
    """Forget readings that are older than ``keep``."""
    office.telemetry.roll(int((office.now() - keep).timestamp() * 1000))
