"""Builders: a pump bench that thinks in seconds, its readings, and a way to step through them."""

from collections.abc import Sequence

import numpy as np

from equipment.reading import LIVE, Batch, Block, Note
from health.alarm import Alarm
from health.bank import Bank
from health.profile import Profile, load

START_MS = 1_790_000_000_000 // 86_400_000 * 86_400_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000

BENCH = """
model: BENCH
version: 3
bucket: 10 s
mute: 20 s
gap: 30 s
metrics:
  - name: pressure
    unit: kPa
    component: pump
    title: {zh: 压力, en: pressure}
    every: 1 s
    noise: 1 kPa
  - {name: current, unit: A, component: motor, every: 1 s, noise: 0.1 A}
rules:
  - metric: pressure
    severity: critical
    limit: {raise: 20 kPa, clear: 15 kPa, for: 5 s, keep: 5 s}
  - metric: pressure
    severity: warning
    ewma: {span: 20 s, baseline: 100 s, least: 0.2 kPa, for: 10 s}
  - metric: pressure
    severity: warning
    trend: {reach: 30 kPa, healthy: 0 kPa, window: 240 s, horizon: 1 h}
  - {id: current.low, metric: current, severity: info, limit: {raise: -5 A, clear: -4 A}}
"""


def bench() -> Profile:
    """A pump with two metrics, whose rules think in seconds."""
    return load(BENCH, "bench.yaml")


def bank(profile: Profile, *devices: str) -> Bank:
    """A bank in which every device has the same profile."""
    return Bank({profile.model.code: profile}, dict.fromkeys(devices, profile.model.code))


def block(
    metrics: Sequence[str],
    rows: Sequence[tuple[str, int, Sequence[float]]],
    *,
    lateness: int = LIVE,
) -> Block:
    """A block of (device, ms, values) rows."""
    return Block(
        tuple(metrics),
        [row[0] for row in rows],
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(len(rows), len(metrics)),
        ["b"] * len(rows),
        np.arange(len(rows), dtype=np.int64),
        np.full(len(rows), lateness, np.int8),
    )


def maintenance(device: str, at_ms: int, component: str = "") -> Note:
    """A note that something was serviced."""
    return Note(device, "maint", at_ms, "b", 0, {"task": "service", "component": component})


def alarms(
    bank: Bank, metric: str, values: Sequence[float], *, every_ms: int = 1000
) -> list[Alarm]:
    """Step device D through ``values`` of one metric, one batch each, and return the alarms."""
    said: list[Alarm] = []
    for place, value in enumerate(values):
        rows = [("D", START_MS + place * every_ms, [value])]
        said += bank.step(Batch([block([metric], rows)]))
    return said
