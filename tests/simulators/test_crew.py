"""The simulated technicians go on with every visit they can, also after the process was killed."""

from datetime import timedelta
from typing import Any

import pytest

from aftersales.ticket import Ticket
from aftersales.visit import Visit
from desk.office import Office
from simulators.crew import Crew
from tests import given
from tests.desk import given_desk
from tests.desk.given_desk import everything, send, technician
from tests.given import NOW


def visit(id: str, **fields: Any) -> Visit:
    window = {"window_from": NOW, "window_to": NOW + timedelta(hours=1)}
    return Visit(
        id, "T-000001", "S001", **{"technician": "E1", "state": "offered", **window, **fields}
    )


def crew(office: Office) -> Crew:
    return Crew(office, lambda _device, _component, _at: None)


def states(office: Office) -> dict[str, str]:
    return {visit.id: visit.state for visit in everything(office, Visit)}


def test_a_visit_that_nobody_can_accept_holds_up_no_other() -> None:
    office = given_desk.office(
        given.ticket(), technician(), technician("E2", "immunoassay"),
        visit("V-1"), visit("V-2", technician="E2"),
    )  # fmt: skip
    crew(office).look()
    assert states(office) == {"V-1": "accepted", "V-2": "offered"}


@pytest.mark.parametrize("stopped_after", ["leave", "sign"])
def test_a_visit_is_brought_to_its_end_after_a_kill(stopped_after: str) -> None:
    office = given_desk.office(given.ticket(), technician(), visit("V-1"))
    send(office, "V-1", "accept", "travel", "arrive", "leave", outcome="done")
    if stopped_after == "sign":
        send(office, "V-1", "sign", checklist=True, tests=True, opinion="satisfied")
    crew(office).look()
    assert states(office) == {"V-1": "filed"}
    assert [t.state for t in everything(office, Ticket)] == ["resolved"]
