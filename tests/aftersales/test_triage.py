from dataclasses import replace
from typing import Any

import pytest

from aftersales.triage import preventive_ticket
from equipment.device import Device, Site
from equipment.words import Words
from health.alarm import Severity
from health.fault import Fault
from tests.aftersales.given_care import HOUR, NOW, ticket

SITE = Site("S1", "C1", Words("示例医院", "example hospital"), 30.0, 120.0)
DEVICE = Device("A1", "S1", "CHEM", "SN-1")
FAULT = Fault(
    id="A1:lamp:1",
    device="A1",
    component="lamp",
    opened_at=NOW,
    closed_at=None,
    state="MAINTENANCE_REQUIRED",
    severity=Severity.warning,
    alarms=("A1:lamp.trend:1",),
    says=Words("光源强度持续下降", "lamp intensity keeps falling"),
)


def triage(*open_tickets: Any, **changes: Any) -> Any:
    fault = replace(FAULT, **changes)
    return preventive_ticket(fault, DEVICE, SITE, open_tickets, number="T-000009", now=NOW)


def test_a_fault_becomes_one_preventive_ticket_in_words() -> None:
    opened = triage()
    assert (opened.kind, opened.origin, opened.state) == ("preventive", "device", "open")
    assert (opened.customer, opened.site, opened.device) == ("C1", "S1", "A1")
    assert (opened.component, opened.fault, opened.reported_at) == ("lamp", "A1:lamp:1", None)
    assert opened.title == Words("光源灯：光源强度持续下降", "lamp: lamp intensity keeps falling")


@pytest.mark.parametrize(("severity", "urgency"), [(Severity.critical, 1), (Severity.warning, 2)])
def test_a_failure_is_more_urgent_than_wear(severity: Severity, urgency: int) -> None:
    assert triage(severity=severity).severity == urgency


@pytest.mark.parametrize(
    "changes",
    [{"closed_at": NOW + HOUR}, {"ticket": "T-000001"}, {"severity": Severity.info}],
    ids=lambda c: next(iter(c)),
)
def test_nobody_is_sent_for_what_is_over_known_or_information(changes: dict[str, Any]) -> None:
    assert triage(**changes) is None


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, False),
        ({"kind": "preventive", "fault": "A1:lamp:1", "component": None}, False),
        ({"component": "ise"}, True),
        ({"device": "A2"}, True),
        ({"state": "resolved"}, True),
    ],
)
def test_one_fault_has_one_ticket(fields: dict[str, Any], sent: bool) -> None:
    assert (triage(ticket(**fields)) is not None) == sent
