"""Alarm: a rule's verdict, in words, with its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from equipment.words import Words

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Severity(StrEnum):
    """How bad it is, least first."""

    info = "info"
    warning = "warning"
    critical = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 2 for critical."""
        return tuple(Severity).index(self)


SEVERITIES: dict[Severity, Words] = {
    Severity.info: Words("提示", "information"),
    Severity.warning: Words("警告", "warning"),
    Severity.critical: Words("严重", "critical"),
}

STATE_OF: dict[Severity, str] = {
    Severity.info: "CHECK_FUNCTION",
    Severity.warning: "MAINTENANCE_REQUIRED",
    Severity.critical: "FAILURE",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One verdict of one rule on one metric, from ``raised_at`` until ``cleared_at``.

    ``rule`` is the rule's id in the profile, ``state`` an NE 107 code. ``evidence`` is JSON-able:
    rule kind and version, profile and version, parameters, window ([[ms UTC, value], ...]),
    statistics, and ``late`` or ``historical`` when the reading that raised it was.
    """

    id: str
    device: str
    component: str
    metric: str
    rule: str
    severity: Severity
    state: str
    raised_at: datetime
    cleared_at: datetime | None
    says: Words
    evidence: Mapping[str, Any]

    @property
    def deferred(self) -> bool:
        """Whether it was raised on what was not live: it then notifies nobody by itself."""
        return bool(self.evidence.get("late") or self.evidence.get("historical"))

    @property
    def react_by(self) -> datetime | None:
        """When a trend may cross its threshold at the earliest (10 %), if it is one."""
        crosses_ms = self.evidence.get("statistics", {}).get("crosses_low_ms")
        return None if crosses_ms is None else instant(crosses_ms)


def instant(at_ms: int) -> datetime:
    """Return ms UTC as an aware datetime, exactly."""
    return _EPOCH + timedelta(milliseconds=int(at_ms))
