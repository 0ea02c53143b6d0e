"""The alarms of one component are one fault; faults are a device's health."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from equipment.words import Words
from health.alarm import STATE_OF, Alarm, Severity
from health.fault import Fault, merge
from health.state import STATES, Health, device_health

NOON = datetime(2026, 9, 21, 4, tzinfo=UTC)


def _alarm(
    rule: str = "wash_vacuum.warn",
    severity: Severity = Severity.warning,
    minutes: int = 0,
    **more: Any,
) -> Alarm:
    at = NOON + timedelta(minutes=minutes)
    return Alarm(
        f"A1:{rule}:{minutes}", "A1", more.pop("component", "wash_station"), "wash_vacuum", rule,
        severity, STATE_OF[severity], at, None, Words(f"{rule} 中", f"{rule} en"), more,
    )  # fmt: skip


def _ended(alarm: Alarm) -> Alarm:
    return replace(alarm, cleared_at=NOON + timedelta(hours=1))


def test_the_first_alarm_opens_a_fault() -> None:
    alarm = _alarm()
    fault = merge(alarm, None)
    assert fault.id == f"A1:wash_station:{round(NOON.timestamp() * 1000)}"
    assert (fault.state, fault.alarms, fault.says) == (
        "MAINTENANCE_REQUIRED",
        (alarm.id,),
        alarm.says,
    )


def test_a_worse_alarm_is_what_the_fault_says() -> None:
    worse = _alarm("wash_vacuum.fail", Severity.critical, 5)
    fault = merge(worse, merge(_alarm(), None))
    assert (fault.state, fault.says, len(fault.alarms)) == ("FAILURE", worse.says, 2)
    better = merge(_ended(worse), fault)
    assert (better.state, better.says.en, better.closed_at) == (
        "MAINTENANCE_REQUIRED", "wash_vacuum.warn en", None,
    )  # fmt: skip


def test_the_last_alarm_cleared_closes_the_fault() -> None:
    alarm = _alarm()
    fault = merge(_ended(alarm), merge(alarm, None))
    assert (fault.closed_at, fault.alarms) == (NOON + timedelta(hours=1), ())


def test_the_same_alarm_twice_changes_nothing() -> None:
    fault = replace(merge(_alarm(), None), ticket="T-000001")
    assert merge(_alarm(), fault) == fault
    assert merge(_ended(_alarm("other.rule")), fault) == fault


def test_a_fault_is_to_be_reacted_to_before_the_earliest_crossing() -> None:
    crosses_ms = round((NOON + timedelta(days=2)).timestamp() * 1000)
    trend = _alarm("wash_vacuum.trend", minutes=3, statistics={"crosses_low_ms": crosses_ms})
    assert merge(trend, merge(_alarm(), None)).react_by == NOON + timedelta(days=2)


def test_an_alarm_that_is_cleared_before_it_was_heard_of_is_a_closed_fault() -> None:
    assert merge(_ended(_alarm()), None).closed_at is not None


@pytest.mark.parametrize(
    ("alarms", "health"),
    [
        ([], Health("NORMAL", 100, {})),
        ([_alarm()], Health("MAINTENANCE_REQUIRED", 70, {"wash_station": "MAINTENANCE_REQUIRED"})),
        (
            [_alarm(), _alarm(severity=Severity.critical, component="lamp")],
            Health("FAILURE", 0, {"wash_station": "MAINTENANCE_REQUIRED", "lamp": "FAILURE"}),
        ),
    ],
)
def test_the_worst_component_decides(alarms: list[Alarm], health: Health) -> None:
    assert device_health([merge(alarm, None) for alarm in alarms]) == health


def test_a_closed_fault_does_not_count() -> None:
    closed: Fault = merge(_ended(_alarm()), None)
    assert device_health([closed]) == Health()


def test_every_severity_has_a_state() -> None:
    assert {STATE_OF[severity] for severity in Severity} < set(STATES)
