"""Which records are kept, and in which tables. A new kind of record is one row of SHELVES."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from aftersales.customer import Organization
from aftersales.team import Technician
from aftersales.ticket import Ticket
from aftersales.user import SignIn, User
from aftersales.visit import Visit
from equipment.credential import Credential
from equipment.device import Device, Site
from equipment.mapped import Mapped
from equipment.quarantine import Quarantined, Replay
from health.alarm import Alarm
from health.fault import Fault
from scheduler.published import Published
from storage.rows import Instant, table_of


class Kept(NamedTuple):
    """A kind of record, its table, and the fields that are looked up often."""

    kind: type[Any]
    table: str
    indexed: tuple[str, ...] = ()


SHELVES: tuple[Kept, ...] = (
    Kept(Organization, "organizations"),
    Kept(Site, "sites", ("customer",)),
    Kept(Device, "devices", ("site", "model")),
    Kept(Credential, "credentials"),
    Kept(Quarantined, "quarantine", ("reason", "device")),
    Kept(Mapped, "mappings"),
    Kept(Replay, "replays", ("state",)),
    Kept(Alarm, "alarms", ("device", "cleared_at")),
    Kept(Fault, "faults", ("device", "closed_at", "ticket")),
    Kept(Ticket, "tickets", ("state", "device", "fault")),
    Kept(Visit, "visits", ("ticket", "technician", "state")),
    Kept(Technician, "technicians"),
    Kept(Published, "plans"),
    Kept(User, "users"),
    Kept(SignIn, "sign_ins", ("user",)),
)

METADATA = sa.MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)
TABLES: dict[type[Any], sa.Table] = {
    kept.kind: table_of(kept.kind, kept.table, METADATA, kept.indexed) for kept in SHELVES
}
JOURNAL = sa.Table(
    "journal",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, index=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("command_id", sa.Text, nullable=True, unique=True),
    sa.Column("prev_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
NUMBERS = sa.Table(
    "numbers",
    METADATA,
    sa.Column("series", sa.Text, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
)
