"""Builders: readings of healthy and failing devices, seeded, and a way to step through them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from equipment.catalog import DeviceModel, Metric
from equipment.reading import Batch, Block, Floats, Ints, Note
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
metrics:
  - {name: pressure, unit: kPa, component: pump, title: {zh: 压力, en: pressure}, every: 1 s, noise: 1 kPa}
  - {name: current, unit: A, component: motor, every: 1 s, noise: 0.1 A}
rules:
  - {metric: pressure, severity: critical, limit: {raise: 20 kPa, clear: 15 kPa, for: 5 s, keep: 5 s}}
  - {metric: pressure, severity: warning, ewma: {span: 20 s, baseline: 100 s, least: 0.2 kPa, for: 10 s}}
  - {metric: pressure, severity: warning, trend: {reach: 30 kPa, healthy: 0 kPa, window: 240 s, horizon: 1 h}}
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
    historical: bool = False,
) -> Block:
    """A block of (device, ms, values) rows."""
    return Block(
        tuple(metrics),
        [row[0] for row in rows],
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(len(rows), len(metrics)),
        ["b"] * len(rows),
        np.arange(len(rows), dtype=np.int64),
        np.full(len(rows), historical),
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


Wear = Callable[[Floats], Floats]  # days since start -> what is added to the healthy value


def simulated(
    model: DeviceModel, devices: int, days: float, *, seed: int,
    wear: Mapping[str, Wear] | None = None, metrics: Sequence[str] | None = None,
) -> Iterator[tuple[Block, Ints]]:  # fmt: skip
    """Yield one block per instant and sampling period, in order of time: noise as EQUIPMENT has it.

    60 % white and 40 % AR(1) of the variance, correlation 30-100 min per device; daily swing and
    a weekend at 40 % of it.
    """
    random = np.random.default_rng(seed)
    names = [f"D{n}" for n in range(devices)]
    wanted = [m for m in model.metrics if not m.counter and (metrics is None or m.name in metrics)]
    periods = sorted({m.every_s for m in wanted})
    streams = [
        _Stream([m for m in wanted if m.every_s == every], devices, random, wear or {})
        for every in periods
    ]
    step = periods[0]
    for tick in range(round(days * 86_400 / step)):
        at_s = tick * step
        for every, stream in zip(periods, streams, strict=True):
            if at_s % every < step:
                yield (
                    stream.block(names, START_MS + round(at_s * 1000), at_s),
                    np.zeros(0, np.int64),
                )


class _Stream:
    """The metrics of one sampling period on all devices."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        devices: int,
        random: np.random.Generator,
        wear: Mapping[str, Wear],
    ) -> None:
        self.metrics, self.random, self.wear = metrics, random, wear
        self.noise = np.array([m.noise for m in metrics])
        self.swing = np.array([m.swing for m in metrics])
        self.nominal = np.array([m.nominal for m in metrics])
        self.keep = np.exp(-metrics[0].every_s / random.uniform(1800, 6000, (devices, 1)))
        self.slow = random.normal(size=(devices, len(metrics)))
        self.phase = random.uniform(0, 0.1, (devices, 1))

    def block(self, names: list[str], at_ms: int, at_s: float) -> Block:
        day = at_s / 86400
        shape = self.slow.shape
        self.slow = self.keep * self.slow + np.sqrt(1 - self.keep**2) * self.random.normal(
            size=shape
        )
        noise = np.sqrt(0.6) * self.random.normal(size=shape) + np.sqrt(0.4) * self.slow
        busy = 0.4 if int(day) % 7 in (5, 6) else 1.0
        swing = busy * np.sin(2 * np.pi * (day + self.phase))
        values = self.nominal + self.noise * noise + self.swing * swing
        for column, metric in enumerate(self.metrics):
            if metric.name in self.wear:
                values[:, column] += self.wear[metric.name](np.array(day))
        at = np.full(len(names), at_ms, np.int64)
        return Block(
            tuple(m.name for m in self.metrics), names, at, values, ["b"] * len(names),
            np.zeros(len(names), np.int64), np.zeros(len(names), np.bool_),
        )  # fmt: skip
