"""Builders: quarantine verbs over memory stores, and the way of a replay without its threads."""

from typing import Any

from aftersales.access import Role
from aftersales.machine import By
from aftersales.workdays import china
from desk.mappings import mappings, teach
from desk.office import Office
from desk.quarantine import ask_replay, next_parcel
from equipment.quarantine import Replay
from tests import given
from tests.desk.test_ingest import World
from tests.given import NOW

ADMIN = By("admin", Role.AD, NOW, source="test")


def ward() -> tuple[World, Office]:
    """Return an ingest of two analysers, and the desk over its stores."""
    world = World()
    office = Office(world.records, world.telemetry, lambda: NOW, china())
    with world.records.begin() as work:
        for one in (given.site(), given.device("CHEM-001"), given.device("CHEM-002")):
            work.shelf(type(one)).put(one)
    return world, office


def taught(world: World, office: Office, kind: str, sent: str, means: str, **whom: str) -> str:
    """Teach a mapping, let the ingest know, and return its id."""
    row = teach(office, ADMIN, kind=kind, sent=sent, means=means, **whom)
    known(world, office)
    return row.id


def known(world: World, office: Office) -> None:
    """Let the ingest know the mappings that are on record."""
    with office.records.read() as work:
        world.ingest.understand(mappings(work))


def replayed(world: World, office: Office, **which: Any) -> Replay:
    """Replay messages to the end, as the collector does, and return what became of them."""
    asked = ask_replay(office, ADMIN, **which)
    while (arrivals := next_parcel(office, asked.id)) is not None:
        if arrivals:
            world.hear(*arrivals)
    with office.records.read() as work:
        done = work.shelf(Replay).get(asked.id)
    assert done is not None
    return done
