"""NE 107: how a device is, in five words; the worst component decides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from equipment.words import Words
from health.fault import Fault

STATES: dict[str, Words] = {  # best first
    "NORMAL": Words("正常", "normal"),
    "CHECK_FUNCTION": Words("功能检查", "check function"),
    "OFF_SPEC": Words("超出规格", "out of specification"),
    "MAINTENANCE_REQUIRED": Words("需要维护", "maintenance required"),
    "FAILURE": Words("故障", "failure"),
}
_RANK = {state: rank for rank, state in enumerate(STATES)}
_COSTS = {
    "NORMAL": 0,
    "CHECK_FUNCTION": 10,
    "OFF_SPEC": 20,
    "MAINTENANCE_REQUIRED": 30,
    "FAILURE": 70,
}


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a device, a score from 0 (dead) to 100 (well), and each unwell component."""

    state: str = "NORMAL"
    score: int = 100
    components: Mapping[str, str] = field(default_factory=dict)


def worst(states: Iterable[str]) -> str:
    """Return the worst of NE 107 ``states``, NORMAL for none."""
    return max(states, key=_RANK.__getitem__, default="NORMAL")


def device_health(faults: Iterable[Fault]) -> Health:
    """Return the health of the one device that ``faults`` are of; closed faults do not count."""
    components: dict[str, str] = {}
    for fault in faults:
        if fault.closed_at is None:
            before = components.get(fault.component, "NORMAL")
            components[fault.component] = worst((before, fault.state))
    score = max(0, 100 - sum(_COSTS[state] for state in components.values()))
    return Health(worst(components.values()), score, components)
