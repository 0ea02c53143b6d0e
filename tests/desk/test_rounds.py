"""What falls due by the clock."""

from datetime import timedelta

import numpy as np
import pytest

from aftersales.ticket import Ticket
from desk.office import Office
from desk.rounds import forget_old_readings, open_overlooked
from desk.tickets import act_on
from equipment.reading import LIVE, Batch, Block
from tests.desk import given_desk
from tests.desk.given_desk import alarm, everything
from tests.given import NOW


def heard(office: Office, ago: timedelta) -> None:
    """Let the device say something ``ago``."""
    at_ms = int((NOW - ago).timestamp() * 1000)
    ones = np.array([[-50.0]]), ["b"], np.array([1]), np.array([LIVE], np.int8)
    office.telemetry.append(
        Batch([Block(("wash_vacuum",), ["CHEM-001"], np.array([at_ms]), *ones)])
    )


def test_a_fault_found_in_a_backlog_gets_its_ticket_once_the_device_is_live() -> None:
    office = given_desk.office()
    act_on(office, [alarm(evidence={"historical": True})])
    heard(office, timedelta(hours=5))
    assert open_overlooked(office) == []
    heard(office, timedelta(minutes=1))
    (ticket,) = open_overlooked(office)
    assert ticket.device == "CHEM-001"
    assert open_overlooked(office) == []
    assert everything(office, Ticket) == [ticket]


def test_a_fault_with_a_ticket_is_not_overlooked() -> None:
    office = given_desk.office()
    act_on(office, [alarm()])
    heard(office, timedelta())
    assert open_overlooked(office) == []


@pytest.mark.parametrize(("keep", "left"), [(timedelta(days=1), 0), (timedelta(days=30), 1)])
def test_old_readings_are_forgotten(keep: timedelta, left: int) -> None:
    office = given_desk.office()
    heard(office, timedelta(days=7))
    forget_old_readings(office, keep)
    now_ms = int(NOW.timestamp() * 1000)
    found = office.telemetry.raw("CHEM-001", 0, now_ms).get("wash_vacuum")
    assert (0 if found is None else len(found.values)) == left
