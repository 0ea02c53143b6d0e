"""Fault: the alarms of one component of one device are one fault."""

from dataclasses import dataclass, replace
from datetime import datetime

from equipment.words import Words
from health.alarm import Alarm, Severity


@dataclass(frozen=True, slots=True)
class Mark:
    """What a fault remembers of an alarm that is still active."""

    alarm: str
    severity: Severity
    state: str
    says: Words
    react_by: datetime | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something is wrong with one component, from its first alarm to the clearing of its last.

    ``state``, ``severity`` and ``says`` are those of the worst active alarm, the earlier one on a
    tie; a closed fault keeps what was said last. ``react_by`` is the earliest instant at which a
    trend may cross its threshold. ``alarms`` are the ids still active.
    """

    id: str
    device: str
    component: str
    opened_at: datetime
    closed_at: datetime | None
    state: str
    severity: Severity
    alarms: tuple[str, ...]
    says: Words
    react_by: datetime | None = None
    ticket: str | None = None
    marks: tuple[Mark, ...] = ()


def merge(alarm: Alarm, open_fault: Fault | None) -> Fault:
    """Return the fault of ``alarm``'s component after the alarm was raised or cleared.

    The same alarm twice changes nothing. A cleared alarm without an open fault is a closed fault.
    """
    if alarm.cleared_at is not None:
        return _without(alarm, open_fault or _opened(alarm))
    if open_fault is None:
        return _opened(alarm)
    if alarm.id in open_fault.alarms:
        return open_fault
    return _judged(open_fault, (*open_fault.marks, _mark(alarm)))


def _opened(alarm: Alarm) -> Fault:
    mark = _mark(alarm)
    opened_ms = round(alarm.raised_at.timestamp() * 1000)
    return Fault(
        f"{alarm.device}:{alarm.component}:{opened_ms}", alarm.device, alarm.component,
        alarm.raised_at, None, alarm.state, alarm.severity, (alarm.id,), alarm.says,
        alarm.react_by, None, (mark,),
    )  # fmt: skip


def _without(alarm: Alarm, fault: Fault) -> Fault:
    if alarm.id not in fault.alarms:
        return fault
    left = tuple(mark for mark in fault.marks if mark.alarm != alarm.id)
    if left:
        return _judged(fault, left)
    return replace(fault, closed_at=alarm.cleared_at, alarms=(), marks=())


def _judged(fault: Fault, marks: tuple[Mark, ...]) -> Fault:
    top = max(marks, key=lambda mark: mark.severity.rank)
    return replace(
        fault,
        state=top.state,
        severity=top.severity,
        says=top.says,
        alarms=tuple(mark.alarm for mark in marks),
        react_by=min((m.react_by for m in marks if m.react_by is not None), default=None),
        marks=marks,
    )


def _mark(alarm: Alarm) -> Mark:
    return Mark(alarm.id, alarm.severity, alarm.state, alarm.says, alarm.react_by)
