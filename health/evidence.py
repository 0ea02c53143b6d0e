"""Evidence: an alarm with everything that is needed to see, later, why it was raised."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipment.catalog import Metric
from equipment.reading import HISTORICAL, LATE, OLD, Ints
from health.alarm import Alarm, instant
from health.profile import Profile, RuleRow
from health.rules.rule import Rule

CAME_AS = {LATE: "late", HISTORICAL: "historical", OLD: "historical"}


def alarm_of(
    device: str, profile: Profile, metric: Metric, *, row: RuleRow, rule: Rule, seat: int,
    at_ms: int, value: float, points: tuple[Ints, NDArray[Any]], lateness: int,
) -> Alarm:  # fmt: skip
    """Return the alarm that ``rule`` raised on its ``seat`` at ``at_ms``."""
    window = [[int(t), _short(v)] for t, v in zip(*points, strict=True)]
    evidence: dict[str, Any] = {
        "rule": f"{row.kind}/{rule.version}",
        "profile": profile.name,
        "digest": profile.digest,
        "unit": metric.unit,
        "parameters": dict(row.parameters),
        "window": [*window, [at_ms, value]],
        "statistics": rule.statistics(seat),
    }
    if lateness in CAME_AS:
        evidence[CAME_AS[lateness]] = True
    return Alarm(
        f"{device}:{row.id}:{at_ms}", device, metric.component, metric.name, row.id, row.severity,
        row.state, instant(at_ms), None, rule.says(seat, metric, value), evidence,
    )  # fmt: skip


def _short(value: np.float32) -> float:
    """Return a float32 without the digits it never had."""
    return float(f"{value:.7g}")


def cleared(alarm: Alarm, at_ms: int) -> Alarm:
    """Return ``alarm`` as over at ``at_ms``."""
    return replace(alarm, cleared_at=instant(at_ms))
